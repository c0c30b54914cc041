"""The merchant of the sample orders: who works each morning, as one who runs a shop well does."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from engine import views
from engine.answering import DecisionSummary, decide, list_decisions
from engine.deciding import close_exception, resolve
from engine.reporting import report
from engine.story import story
from engine.views import Filter, TimerSummary
from jobs.passes import Runtime
from workflow.case.case import Detail, Report, own_key
from workflow.decisions import Answer
from workflow.vocabulary import ClaimVerdict, Remedy, Way

MERCHANT = "person:merchant"
HOUR = 9
LEAVES_OFF = timedelta(days=2)
"""The merchant does not work on the last two days, so that the sample has things left to do."""
_AT_ONCE = 100
"""So many things of each kind are worked in a morning."""
_NOTES: Mapping[str, str] = {
    "cancelled_unshipped": "told the buyer that it comes",
    "customs": "the buyer has sent the papers",
    "stalled": "the carrier looks for it",
    "earlier_attempt_shipped": "the later order was called off",
    "refund_declined": "wrote it off",
    "recovery_unsettled": "wrote it off",
    "refund_unsettled": "called the platform",
}
"""By flag: what was done about it."""


def mornings(begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants at which the merchant begins to work."""
    at = begin.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    while at < end - LEAVES_OFF:
        if at > begin:
            yield at
        at += timedelta(days=1)


def work(runtime: Runtime, at: datetime) -> None:
    """Work what waits: decide, choose remedies, book the money that has come, and clear what needs a person."""
    database, rules = runtime.database, runtime.rules
    for decision in list_decisions(database, Filter(awake_at=at), _AT_ONCE, None, at, rules).rows:
        decide(database, decision.order, Answer(_way(decision), MERCHANT, decision.number), at, rules)
        if decision.next:
            paid = story(database, decision.order).facts.paid or 0
            _report(runtime, decision.order, "amend", {"paid": paid * 11 // 10}, at)  # the next one is dearer
    for order, trigger, fields in [*_claims(runtime, at), *_money(runtime, at)]:
        _report(runtime, order, trigger, fields, at)
    for row in views.list_exceptions(database, Filter(), _AT_ONCE).rows:
        close_exception(database, row.id, MERCHANT, "told the supplier to take the parcel back", at)
    for summary in views.list_orders(database, Filter(attention=True), _AT_ONCE).rows:
        order = f"{summary.shop}/{summary.number}"
        for flag in (summary.attention or "").split(","):
            if flag in _NOTES and _dice(order, 5):  # a fifth is put off
                resolve(database, order, [flag], MERCHANT, _NOTES[flag], at, runtime.rules)


def _report(runtime: Runtime, order: str, trigger: str, fields: dict[str, Detail], at: datetime) -> None:
    told = Report(trigger, at, MERCHANT, own_key(trigger, at), MERCHANT, fields)
    report(runtime.database, order, told, at, runtime.rules)


def _dice(order: str, sides: int) -> int:
    """Return what is thrown for an order: always the same."""
    return int("".join(filter(str.isdigit, order))) * 7 % sides


def _way(decision: DecisionSummary) -> Way:
    return Way.next if decision.next and _dice(decision.order, 5) == 0 else Way.yes


Told = tuple[str, str, dict[str, Detail]]


def _claims(runtime: Runtime, at: datetime) -> Iterator[Told]:
    """Yield what is reported of claims: the platform's verdict after five days, and the remedy that was asked for."""
    for claim in views.list_claims(runtime.database, Filter(statuses=("open",)), _AT_ONCE).rows:
        if claim.verdict is ClaimVerdict.approved and claim.chosen is None and _dice(claim.order, 3):
            yield claim.order, "choose_reissue" if claim.remedy is Remedy.reissue else "choose_refund", {}
        elif claim.verdict is None and claim.evidence and claim.opened_at < at - timedelta(days=5):
            yield claim.order, "approve", {}


def _money(runtime: Runtime, at: datetime) -> Iterator[Told]:
    """Yield what has come of the money that is chased: mostly all of it, sometimes a part, sometimes nothing."""
    wanted = Filter(kinds=("chase_refund", "chase_recovery"), statuses=("pending",))
    for timer in views.list_timers(runtime.database, wanted, _AT_ONCE).rows:
        if timer.counts_from < at - timedelta(days=3 + _dice(timer.order, 11)):
            yield _paid(runtime, timer)


def _paid(runtime: Runtime, timer: TimerSummary) -> Told:
    side = "refund" if timer.trigger == "chase_refund" else "recovery"
    named: dict[str, Detail] = {"recovery": timer.ledger} if side == "recovery" else {}
    if _dice(timer.order, 9) == 0:
        return timer.order, f"decline_{side}", named
    rows = {row.number: row for row in story(runtime.database, timer.order).ledger}
    asked = next((row.amount for row in rows.values() if row.side == side and row.settled_amount is None), None)
    if asked and _dice(timer.order, 9) == 4:
        return timer.order, f"settle_{side}", {**named, "amount": asked // 2, "final": True}
    return timer.order, f"settle_{side}", named
