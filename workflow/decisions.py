"""A person's answers to steps that wait for a decision (rule 5.9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from language import tr
from workflow.case.case import Case, Decision, Details, Report, replace_fields
from workflow.catalogue import Choice
from workflow.draft import Event
from workflow.errors import OrderError, Refused
from workflow.machine import decide
from workflow.process import RECORDS
from workflow.rules.choosing import next_supplier
from workflow.rules.decision_changes import ends, would_ask
from workflow.rules.guards import GUARDS, GuardContext
from workflow.step import Step, carry_out, without_booked_money
from workflow.table import ROWS_BY_STATE_AND_TRIGGER
from workflow.vocabulary import Row, State, Way

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


@dataclass(frozen=True, slots=True)
class Shown:
    """What a step was said to do: the supplier that it orders from (None: it orders nothing), and the cost there, if known."""

    supplier: str | None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a person decides. `number` is that of the decision that they were shown, `until` only for `stay`."""

    way: Way
    by: str
    number: int | None = None
    until: datetime | None = None
    reason: str | None = None
    at_once: bool = False
    """Whether what it causes leaves at once, and not only when the time is over in which it can be taken back."""
    shown: Shown | None = None
    """What the person was shown just now; None: what was asked. Only that is done (rule 9.13)."""
    anyway: bool = False
    """Whether the step is taken whatever it does by now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A decision that stands on an order: how it can be answered, and what `yes` would do.

    `would` are the kinds of effects that it would cause, `choice` is the supplier that it would order from, `amount` the sum
    that it would request, in minor units, and `ends` when the time is over that the platform gives for it.
    """

    case: Case
    decision: Decision
    ways: tuple[Way, ...]
    would: tuple[str, ...] = ()
    choice: Choice | None = None
    amount: int | None = None
    ends: datetime | None = None

    @property
    def next(self) -> str | None:
        """The name of the supplier that it would order from."""
        return self.choice.supplier if self.choice else None

    @property
    def cost(self) -> int | None:
        """What the order costs there, in minor units; None where that is not known."""
        return self.choice.cost if self.choice else None


def answer(case: Case, given: Answer, at: datetime, rules: Rules) -> Step:
    """Answer the decision that stands on an order.

    Raises:
        Refused: none stands, it is another one than the person was shown, that way does not exist for it, or it would sleep
            until an instant that is past.

    """
    found = standing_on(case, at, rules)
    if found is None or given.number not in (None, found.decision.number):
        raise Refused(case.name, case.state, tr("decide {way}", way=given.way), _other(case, given.number))
    decision = found.decision
    if given.way not in found.ways:
        why = tr("it is no way out of {trigger} here: there are {ways}", trigger=decision.trigger, ways=", ".join(found.ways))
        raise Refused(case.name, case.state, tr("decide {way}", way=given.way), why)
    if given.until is not None and given.until <= at:
        raise Refused(
            case.name, case.state, tr("decide {way}", way=given.way), tr("the instant until which it would sleep is past")
        )
    report, timer = report_of(case, decision), case.timer(decision.timer or 0)
    until = None if given.until is None else given.until.isoformat()
    told: Details = {
        "decision": decision.number,
        "way": given.way,
        "reason": given.reason,
        "until": until,
        "now": given.at_once or None,
    }
    fields = {**(report.fields if report else {}), **{name: value for name, value in told.items() if value is not None}}
    if until is None:
        case = replace_fields(case, asking=tuple(one for one in case.asking if one is not report))
    if given.way is Way.stay:
        stays = Event(decision.trigger, at, at, given.by, fields)
        return carry_out(case, stays, rules, RECORDS["stay"], None)
    event = without_booked_money(case, Event(decision.trigger, at, at, given.by, fields, timer, report))
    if given.way is Way.refund:
        row = _refunding_row(case, event, rules)
        return carry_out(case, event, rules, row, State(row.target))
    row, target = decide(case, decision.trigger, event.fields, rules, at)
    return carry_out(case, event, rules, row, target)


def standing_on(case: Case, at: datetime, rules: Rules) -> Standing | None:
    """Return the decision that stands on an order, with what can be answered as the order is at `at`; None if none does."""
    decision = case.decision
    if decision is None:
        return None
    report = report_of(case, decision)
    event = without_booked_money(case, Event(decision.trigger, at, at, "", report.fields if report else {}, report=report))
    try:
        row, target = decide(case, decision.trigger, event.fields, rules, at)
    except OrderError:
        return Standing(case, decision, (Way.stay,))
    ways = [Way.yes]
    if target is State.rerouted:
        passed_over = replace_fields(decision, passed_over=next_supplier(case, rules, at))
        others = replace_fields(case, decisions=(*case.decisions[:-1], passed_over))
        ways += [Way.next, Way.refund] if next_supplier(others, rules, at) else [Way.refund]
    choice, amount = would_ask(case, row.effects, at, rules)
    return Standing(case, decision, (*ways, Way.stay), row.effects, choice, amount, ends(case))


def done_by(made: Step) -> Shown:
    """Return what a step that was decided on orders, and from whom."""
    told = made.history.details
    if made.history.target is not State.rerouted or "supplier" not in told:
        return Shown(None)
    cost = told.get("cost")
    return Shown(str(told["supplier"]), None if cost is None else int(cost))


def differs(given: Answer, made: Step, asked: Details) -> bool:
    """Say whether an answer does something else than the person was shown, or than was `asked`: the catalogue has changed.

    A supplier that costs less than was said is no difference.
    """
    order, decision = made.case.order, made.case.decisions[-1]
    if given.anyway or order.alternatives or given.way not in (Way.yes, Way.next):
        return False
    if given.way is Way.next:
        return given.shown is None and decision.passed_over != asked_for(asked).supplier
    shown, done = given.shown or asked_for(asked), done_by(made)
    is_dearer = shown.cost is not None and done.cost is not None and done.cost > shown.cost
    return done.supplier != shown.supplier or is_dearer


def asked_for(asked: Details) -> Shown:
    """Return what a decision was asked about, of what was noted then."""
    following, cost = asked.get("next"), asked.get("cost")
    return Shown(None if following is None else str(following), None if cost is None else int(cost))


def report_of(case: Case, decision: Decision) -> Report | None:
    """Return the report that a decision is about, if it is about one."""
    return next((one for one in case.asking if (one.source, one.key) == (decision.source, decision.key)), None)


def _refunding_row(case: Case, event: Event, rules: Rules) -> Row:
    """Return the row that asks for the refund instead: every trigger that turns to another supplier has one."""
    rows, context = ROWS_BY_STATE_AND_TRIGGER[str(case.state), event.trigger], GuardContext(case, event.fields, rules, event.at)
    refunding = [row for row in rows if row.target in (State.refunding, State.refunded)]
    return next(row for row in refunding if all(GUARDS[name].allows(context) for name in row.guards))


def _other(case: Case, number: int | None) -> str:
    """Say why an answer fits no decision that stands: who has decided what, or that nothing was asked."""
    if case.decision is not None:
        return tr(
            "decision {number} does not stand any more; {number_2} does: look at it again",
            number=number,
            number_2=case.decision.number,
        )
    if not case.decisions:
        return tr("nothing waits for a decision")
    last = case.decisions[-1]
    if last.way is None:
        return tr("nothing waits for a decision any more: the order has moved on without {trigger}", trigger=last.trigger)
    return tr(
        "nothing waits for a decision any more: {decided_by} has decided {way} on {trigger}",
        decided_by=last.decided_by,
        way=last.way,
        trigger=last.trigger,
    )
