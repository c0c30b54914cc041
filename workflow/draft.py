"""A step in progress: the case as it changes, and everything that the step will write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workflow.case.case import (
    Attempt,
    Case,
    Decision,
    Detail,
    Details,
    LedgerRow,
    Line,
    Order,
    Parcel,
    Report,
    Timer,
    replace_fields,
)
from workflow.values import value_class
from workflow.vocabulary import ClaimStatus, LedgerSide, Mode, Row, State, Way

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


@value_class(frozen=True, slots=True)
class Event:
    """What happens to an order: a report, or a timer that fires. `at` is when it occurred."""

    trigger: str
    at: datetime
    recorded: datetime
    actor: str
    fields: Details = field(default_factory=dict)
    timer: Timer | None = None
    report: Report | None = None
    parcels: tuple[Parcel, ...] | None = None
    """The order's parcels as they are after it; None: it says nothing of them."""
    was: Mapping[str, Any] | None = None
    """Of a step that is taken back: the fields of the case that it has changed, as they were."""

    def with_parcels(self, parcels: tuple[Parcel, ...]) -> Event:
        """Return this event with the order's parcels after it; `dataclasses.replace` takes three times as long."""
        return Event(self.trigger, self.at, self.recorded, self.actor, self.fields, self.timer, self.report, parcels, self.was)

    @property
    def way(self) -> Way | None:
        """How a person has decided, where the step is their answer (rule 5.9)."""
        way = self.fields.get("way")
        return None if way is None else Way(str(way))


@value_class(frozen=True, slots=True)
class EffectDraft:
    """Something that leaves the engine because of a step. `mode` is that of the policy when the step was taken (rule 5.2)."""

    kind: str
    attempt: int
    details: Details
    mode: Mode
    leaves_at: datetime | None = None
    """Not before this instant: until then the step can be taken back (rule 2.19)."""


@value_class(frozen=True, slots=True)
class Replacement:
    """An order that is placed because of a step of another one (rule 8.7)."""

    order: Order
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Draft:
    """The mutable state of a step in progress: `was` is the case before it, `case` the one that it makes.

    From the first change on `case` is this draft's own, and is changed in place until the step is finished.
    """

    was: Case
    case: Case
    event: Event
    rules: Rules
    row: Row
    timers: dict[int, Timer] = field(default_factory=dict)
    effects: list[EffectDraft] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    """Flags that this step makes pointless."""
    left_out: list[str] = field(default_factory=list)
    """Kinds of effects that this step does not cause, although its row names them."""
    details: dict[str, Detail] = field(default_factory=dict)
    replacement: Replacement | None = None
    suppliers: dict[int, str] = field(default_factory=dict)
    """Attempts whose supplier has another name from now on."""

    @property
    def came_from(self) -> State | None:
        """The state before the step."""
        return self.was.state

    def change(self, **values: Any) -> None:
        """Change fields of the case."""
        if self.case is self.was:
            self.case = replace_fields(self.was, **values)
            return
        mine = vars(self.case)
        count = len(mine)
        mine.update(values)
        assert len(mine) == count, f"a case does not have all of {values.keys()}"

    def note(self, **details: Detail) -> None:
        """Add to the details of the history row."""
        self.details.update({name: value for name, value in details.items() if value is not None})

    def change_attempt(self, attempt: Attempt) -> None:
        """Put a changed attempt in the place of the one with its number."""
        attempts = self.case.attempts
        place = attempt.number - 1
        self.change(attempts=(*attempts[:place], attempt, *attempts[place + 1 :]))

    def change_claim(self, **values: Any) -> None:
        """Replace fields of the open claim, if there is one."""
        if self.case.claim is None:
            return
        claims = tuple(replace_fields(one, **values) if one.status == ClaimStatus.open else one for one in self.case.claims)
        self.change(claims=claims)

    def add_ledger(
        self, side: LedgerSide, amount: int | None, *, attempt: int | None = None, claim: int | None = None
    ) -> LedgerRow:
        """Write down money that is owed from now on."""
        number, order = len(self.case.ledger) + 1, self.case.order
        row = LedgerRow(number, side, self.event.at, order.currency, amount, attempt, claim)
        self.change(ledger=(*self.case.ledger, row))
        self.note(**{side.value: number})
        return row

    def leave_out(self, kind: str) -> None:
        """Cause no effect of a kind that the row names: there is nothing to say."""
        self.left_out.append(kind)

    def change_ledger(self, row: LedgerRow) -> None:
        """Put a changed ledger row in the place of the one with its number."""
        self.change(ledger=tuple(row if one.number == row.number else one for one in self.case.ledger))

    def change_decision(self, **values: Any) -> None:
        """Replace fields of the decision that stands."""
        standing: Decision = self.case.decisions[-1]
        self.change(decisions=(*self.case.decisions[:-1], replace_fields(standing, **values)))

    def add_timer(self, timer: Timer) -> None:
        """Add a timer that runs or is paused."""
        self.timers[timer.number] = timer
        self.change(timers=(*self.case.timers, timer), timers_made=timer.number)

    def change_timer(self, timer: Timer) -> None:
        """Put a changed timer in the place of the one with its number."""
        self.timers[timer.number] = timer
        self.change(timers=tuple(timer if one.number == timer.number else one for one in self.case.timers))

    def drop_timer(self, timer: Timer) -> None:
        """Take a timer that has fired or ended off the case."""
        self.timers[timer.number] = timer
        self.change(timers=tuple(one for one in self.case.timers if one.number != timer.number))
