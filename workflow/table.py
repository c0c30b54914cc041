"""The process table, expanded to one line per state and checked against itself when it is loaded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflow.case.case import Case
from workflow.errors import AftersalesError
from workflow.process import CLOCKS, EFFECTS, FLAGS, ROWS
from workflow.reports import FIELDS
from workflow.rules.guards import GUARDS
from workflow.vocabulary import Clock, Row, State, Target

CANNOT_RETURN_TO = (State.intercepting, State.refunding)
NEW = "nothing"
TIMED_TRIGGERS = frozenset(clock.trigger for clock in CLOCKS)
CLOCK_OF = {clock.trigger: clock for clock in CLOCKS}
STARTED_BY = {state: tuple(clock.trigger for clock in CLOCKS if state in clock.starts_on) for state in State}
"""Which clocks start when an order enters a state."""
EFFECT_OF = {effect.kind: effect for effect in EFFECTS}


class TableError(AftersalesError):
    """The process table contradicts itself; the message names the lines."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One way out of one state: the row it comes from, and where it leads.

    `came_from` and `named` are what the case's or the report's state must be for it to be taken.
    """

    row: Row
    source: str
    target: State | None
    came_from: State | None = None
    named: State | None = None


def expand(rows: Iterable[Row]) -> Iterator[Edge]:
    """Yield one move per row, source and possible destination; a target of None stays."""
    for row in rows:
        for source in row.sources or (NEW,):
            yield from _destinations(row, str(source))


def _destinations(row: Row, source: str) -> Iterator[Edge]:
    if row.target is Target.stays:
        yield Edge(row, source, None)
    elif row.target is Target.back:
        yield from (Edge(row, source, s, came_from=s) for s in State if s not in CANNOT_RETURN_TO)
    elif row.target is Target.named:
        yield from (Edge(row, source, s, named=s) for s in State)
    else:
        yield Edge(row, source, State(row.target))


def check(rows: Iterable[Row] = ROWS, clocks: Iterable[Clock] = CLOCKS) -> None:
    """Check the tables against each other.

    Raises:
        TableError: names every unreachable state, misplaced clock, duplicate or unknown name.

    """
    rows, clocks = tuple(rows), tuple(clocks)
    problems = [*_doubled(rows, clocks), *_unknown(rows), *_unreachable(rows), *_without_a_place(rows, clocks)]
    if problems:
        raise TableError("the process table contradicts itself: " + "; ".join(problems))


def _doubled(rows: tuple[Row, ...], clocks: tuple[Clock, ...]) -> Iterator[str]:
    triggers = [clock.trigger for clock in clocks]
    yield from (f"clock {name} stands twice" for name in sorted({t for t in triggers if triggers.count(t) > 1}))
    places = [(row.trigger, str(source), row.guards) for row in rows for source in row.sources or (NEW,)]
    for trigger, source, guards in sorted({place for place in places if places.count(place) > 1}):
        yield f"{trigger} stands twice in {source} with the guards {list(guards)}"


def _unknown(rows: tuple[Row, ...]) -> Iterator[str]:
    kinds = {effect.kind for effect in EFFECTS}
    for row in rows:
        yield from (f"{row.trigger} names the unknown guard {name}" for name in row.guards if name not in GUARDS)
        yield from (f"{row.trigger} names the unknown effect {name}" for name in row.effects if name not in kinds)
        if row.flag is not None and row.flag not in FLAGS:
            yield f"{row.trigger} names the unknown flag {row.flag}"
        if row.trigger not in TIMED_TRIGGERS and row.trigger not in FIELDS:
            yield f"{row.trigger} is neither timed nor reported"


def _unreachable(rows: tuple[Row, ...]) -> Iterator[str]:
    """A state must be reached by the process itself: an override does not count."""
    moves = [move for move in expand(rows) if move.target and not move.named and not move.came_from]
    reached, grown = {NEW}, True
    while grown:
        found = {str(move.target) for move in moves if move.source in reached} - reached
        reached |= found
        grown = bool(found)
    yield from (f"{state} is unreachable" for state in State if state not in reached)


def _without_a_place(rows: tuple[Row, ...], clocks: tuple[Clock, ...]) -> Iterator[str]:
    places = {(row.trigger, source) for row in rows for source in row.sources or ()}
    for clock in clocks:
        for state in clock.runs_in:
            if (clock.trigger, state) not in places:
                yield f"the clock {clock.trigger} runs in {state}, where its trigger is not allowed"
        for state in clock.starts_on:
            if state not in clock.runs_in:
                yield f"the clock {clock.trigger} starts on {state} but does not run there"


check()
EDGES: tuple[Edge, ...] = tuple(expand(ROWS))
ROWS_BY_STATE_AND_TRIGGER: dict[tuple[str, str], tuple[Row, ...]] = {}
for _row in ROWS:
    for _source in _row.sources or (NEW,):
        ROWS_BY_STATE_AND_TRIGGER[str(_source), _row.trigger] = (
            *ROWS_BY_STATE_AND_TRIGGER.get((str(_source), _row.trigger), ()),
            _row,
        )


def allowed_now(case: Case) -> tuple[str, ...]:
    """Return the triggers that may be reported of the case as it stands, in the table's order.

    Left out is what no report could bring about; what depends on the report's fields or the policy is in.
    """
    here = str(case.state or NEW)
    return tuple(
        trigger
        for (source, trigger), rows in ROWS_BY_STATE_AND_TRIGGER.items()
        if source == here and trigger in FIELDS and any(_is_open(row, case) for row in rows)
    )


def _is_open(row: Row, case: Case) -> bool:
    of_case = (GUARDS[name].of_case for name in row.guards)
    return all(allows(case) for allows in of_case if allows)
