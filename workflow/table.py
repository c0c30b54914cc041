"""The process table, expanded to one edge per state."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflow.case.case import Case
from workflow.process import CANNOT_RETURN_TO, CLOCKS, EFFECTS, ROWS
from workflow.reports import FIELDS
from workflow.rules.guards import GUARDS
from workflow.vocabulary import Row, State, Target

NEW = "nothing"
TIMED_TRIGGERS = frozenset(clock.trigger for clock in CLOCKS)
CLOCK_OF = {clock.trigger: clock for clock in CLOCKS}
STARTED_BY = {state: tuple(clock.trigger for clock in CLOCKS if state in clock.starts_on) for state in State}
"""Which clocks start when an order enters a state."""
EFFECT_OF = {effect.kind: effect for effect in EFFECTS}


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


EDGES: tuple[Edge, ...] = tuple(expand(ROWS))
ROWS_BY_STATE_AND_TRIGGER: dict[tuple[str, str], tuple[Row, ...]] = {}
for _row in ROWS:
    for _source in _row.sources or (NEW,):
        ROWS_BY_STATE_AND_TRIGGER[str(_source), _row.trigger] = (
            *ROWS_BY_STATE_AND_TRIGGER.get((str(_source), _row.trigger), ()),
            _row,
        )

AMENDS = next(row for row in ROWS if row.trigger == "amend" and row.target is Target.stays)
"""The row by which a file amends what is known of an order."""


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
