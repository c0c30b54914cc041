"""The process checked when it is loaded: its tables against each other, and against the functions and settings they name."""

from collections.abc import Iterable, Iterator, Mapping

from workflow.errors import AftersalesError
from workflow.policy.policy import Policy
from workflow.process import CLOCKS, EFFECTS, FLAGS, OLDER_NEWS, PARCEL_REPORTS, ROWS, STATE_MEANINGS, WITHOUT_A_MOVE
from workflow.reports import FIELDS, MEANINGS
from workflow.rules.changes import CHANGES
from workflow.rules.guards import GUARDS
from workflow.rules.needs import NEEDS
from workflow.rules.timers import DEADLINES
from workflow.table import NEW, TIMED_TRIGGERS, expand
from workflow.vocabulary import Clock, Effect, Row, State


class TableError(AftersalesError):
    """The process contradicts itself or is incomplete; the message lists everything that is wrong or missing."""


def check(
    rows: Iterable[Row] = ROWS,
    clocks: Iterable[Clock] = CLOCKS,
    effects: Iterable[Effect] = EFFECTS,
    meanings: Mapping[State, str] = STATE_MEANINGS,
) -> None:
    """Check the process as it is declared.

    Raises:
        TableError: lists every unreachable state, misplaced clock, duplicate, unknown or missing name.

    """
    rows, clocks, effects = tuple(rows), tuple(clocks), tuple(effects)
    problems = [
        *_doubled(rows, clocks),
        *_unknown(rows, effects),
        *_unreachable(rows),
        *_misplaced(rows, clocks),
        *_incomplete(clocks, meanings),
    ]
    if problems:
        raise TableError("the process contradicts itself: " + "; ".join(problems))


def _doubled(rows: tuple[Row, ...], clocks: tuple[Clock, ...]) -> Iterator[str]:
    triggers = [clock.trigger for clock in clocks]
    yield from (f"clock {name} stands twice" for name in sorted({t for t in triggers if triggers.count(t) > 1}))
    places = [(row.trigger, str(source), row.guards) for row in rows for source in row.sources or (NEW,)]
    for trigger, source, guards in sorted({place for place in places if places.count(place) > 1}):
        yield f"{trigger} stands twice in {source} with the guards {list(guards)}"


def _unknown(rows: tuple[Row, ...], effects: tuple[Effect, ...]) -> Iterator[str]:
    """Every name in a row must be defined."""
    kinds = {effect.kind for effect in effects}
    for row in (*rows, *WITHOUT_A_MOVE):
        yield from (f"{row.trigger} names the unknown change {name}" for name in row.changes if name not in CHANGES)
        yield from (f"{row.trigger} names the unknown guard {name}" for name in row.guards if name not in GUARDS)
        yield from (f"{row.trigger} names the unknown effect {name}" for name in row.effects if name not in kinds)
        if row.flag is not None and row.flag not in FLAGS:
            yield f"{row.trigger} names the unknown flag {row.flag}"
    for effect in effects:
        if effect.needed_while is not None and effect.needed_while not in NEEDS:
            yield f"the effect {effect.kind} names the unknown need {effect.needed_while}"
        if effect.after is not None and effect.after.kind not in kinds:
            yield f"the effect {effect.kind} comes after the unknown effect {effect.after.kind}"
    for trigger in dict.fromkeys(row.trigger for row in rows):
        if trigger not in TIMED_TRIGGERS and trigger not in FIELDS:
            yield f"{trigger} is neither timed nor reported"
        if trigger in FIELDS and trigger not in MEANINGS:
            yield f"the report {trigger} has no meaning"
    yield from (f"the parcel report {name} has no row for older news" for name in PARCEL_REPORTS if name not in OLDER_NEWS)


def _unreachable(rows: tuple[Row, ...]) -> Iterator[str]:
    """A state must be reached by the process itself: an override does not count."""
    moves = [move for move in expand(rows) if move.target and not move.named and not move.came_from]
    reached, grown = {NEW}, True
    while grown:
        found = {str(move.target) for move in moves if move.source in reached} - reached
        reached |= found
        grown = bool(found)
    yield from (f"{state} is unreachable" for state in State if state not in reached)


def _misplaced(rows: tuple[Row, ...], clocks: tuple[Clock, ...]) -> Iterator[str]:
    places = {(row.trigger, source) for row in rows for source in row.sources or ()}
    for clock in clocks:
        for state in clock.runs_in:
            if (clock.trigger, state) not in places:
                yield f"the clock {clock.trigger} runs in {state}, where its trigger is not allowed"
        for state in clock.starts_on:
            if state not in clock.runs_in:
                yield f"the clock {clock.trigger} starts on {state} but does not run there"


def _incomplete(clocks: tuple[Clock, ...], meanings: Mapping[State, str]) -> Iterator[str]:
    """A clock needs a deadline rule, settings and a meaning; a state needs a meaning."""
    for clock in clocks:
        if clock.trigger not in DEADLINES:
            yield f"the clock {clock.trigger} has no deadline rule"
        if not clock.settings:
            yield f"the clock {clock.trigger} names no setting of the policy"
        if not clock.meaning:
            yield f"the clock {clock.trigger} has no meaning"
        yield from (
            f"the clock {clock.trigger} names the unknown setting {name}" for name in clock.settings if not _is_setting(name)
        )
    yield from (f"the state {state} has no meaning" for state in State if state not in meanings)


def _is_setting(name: str) -> bool:
    section, _, setting = name.partition(".")
    declared = Policy.model_fields.get(section)
    return declared is not None and setting in getattr(declared.annotation, "model_fields", {})


check()
