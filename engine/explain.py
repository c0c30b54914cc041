"""Why an order is where it is, what fires next, and what a person may do: in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from engine.money import PLATFORM
from engine.rules import pinned_rules
from language import tr
from storage import evidence_files, queries
from storage.database import Database
from workflow.case import claims
from workflow.case.case import Case, Claim, Timer
from workflow.case.history import HistoryRow, taken_back
from workflow.case.money import show_amount
from workflow.catalogue import Candidate, Catalogue, Why, passed_over_in
from workflow.names import folded
from workflow.policy.policy import Rules
from workflow.process import FINAL_STATES, FLAGS, PARCEL_REPORTS, STATE_MEANINGS, UNSHIPPED
from workflow.rules.choosing import next_supplier, preference_of, tried_by, wanted_of
from workflow.rules.timers import closed_meanwhile, deciding_lines
from workflow.table import allowed_now
from workflow.vocabulary import LedgerSide, LedgerStatus, Remedy, State, Verdict

if TYPE_CHECKING:
    from workflow.decisions import Standing


@dataclass(frozen=True, slots=True)
class PendingAction:
    """Who must act in a dispute, until when, and what happens otherwise."""

    party: str
    what: str
    until: datetime | None = None
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Money:
    """What has come of one party, what is asked for (None: a sum that is not known), and what it has declined; minor units."""

    party: str
    came: int
    missing: int | None
    declined: int


@dataclass(frozen=True, slots=True)
class Supply:
    """Who could take an order over from its supplier, as the catalogue stands now (rule 2.20).

    `next` is None where nobody is left. `candidates` are those of the catalogue that have not had their turn, the best first,
    None where the order names alternatives of its own, or there is no catalogue. `passed_over` are those that were passed over
    when the current supplier was chosen, and why.
    """

    next: str | None
    candidates: tuple[Candidate, ...] | None
    choose: str
    without_sku: int
    """How many of its lines name no SKU."""
    passed_over: tuple[tuple[str, Why], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answers, for one order."""

    case: Case
    why: HistoryRow
    """The step that brought the order into its state."""
    led: tuple[HistoryRow, ...]
    """The steps that led to an order's end, or what people have decided since it is in its state; nothing taken back."""
    money: tuple[Money, ...]
    noted: tuple[tuple[str, datetime], ...]
    """What was told of an old order and has moved nothing (rule 7.7)."""
    timers: tuple[Timer, ...]
    allowed: tuple[str, ...]
    attention: tuple[tuple[str, str, str | None], ...]
    """Flag, meaning, and what was noted when it was raised."""
    waiting: tuple[tuple[int, str], ...]
    """Effects that wait for a person: id and kind."""
    exceptions: int
    refused: tuple[tuple[str, datetime, str], ...]
    """Reports that a guard turned down since the order is in its state: trigger, instant and reason."""
    supply: "Supply | None"
    """Who is turned to next, of an order that is not shipped."""
    standing: "Standing | None"
    """The decision that stands on it."""
    observed: bool
    decided_by: dict[int, tuple[str, ...]]
    """By the number of a timer: the lines of the policy that decide when it is due."""
    closed: dict[int, list[tuple[date, date]]]
    """By the number of a timer: from which to which day its supplier is closed while it runs."""
    moved_by: dict[int, str]
    """By the number of a timer: who moved it last, and why."""
    dispute: tuple[PendingAction, ...]
    meanwhile: tuple[tuple[datetime, str], ...]
    """What happened to the parcel since the claim was opened."""
    seen_elsewhere: tuple[str, ...]
    """Files of the claim that other claims have too."""

    @property
    def has_ended(self) -> bool:
        """Whether it is in a final state."""
        return self.case.state in FINAL_STATES

    @property
    def meaning(self) -> str:
        """What the state means."""
        assert self.case.state is not None, "a stored order has a state"
        return tr(STATE_MEANINGS[self.case.state])

    @property
    def supplier(self) -> str:
        """The current supplier's name, or the attempt where it has none."""
        return self.case.attempt.supplier or tr("attempt {current}", current=self.case.current)


def explain(database: Database, identity: str, rules: Rules, at: datetime) -> Explanation:
    """Explain an order.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with database.read() as connection:
        stored = queries.stored_case(connection, identity)
        steps = queries.history(connection, stored.order_id)
        flags = queries.attention(connection, stored.order_id)
        exceptions = queries.reports(connection, stored.order_id, Verdict.exception)
        effects = queries.effects(connection, stored.order_id)
        refused = queries.reports(connection, stored.order_id, Verdict.refused)
        files = evidence_files.of_order(connection, stored.order_id)
        pinned = pinned_rules(connection, {timer.policy for timer in stored.case.timers}, rules)
    case = stored.case
    return Explanation(
        case=case,
        why=_entered(steps),
        led=tuple(_led(steps, case.state in FINAL_STATES)),
        money=tuple(_money(case)),
        noted=tuple((row.trigger, row.occurred) for row in steps if case.historical and "noted" in row.details),
        timers=tuple(sorted(case.timers, key=lambda timer: (timer.status != "pending", timer.due_at))),
        allowed=allowed_now(case),
        attention=tuple((row["flag"], tr(FLAGS[row["flag"]]), row["detail"]) for row in flags),
        exceptions=len(exceptions),
        waiting=tuple((row["id"], row["kind"]) for row in reversed(effects) if row["status"] in ("asked", "held")),
        refused=tuple(
            (row["trigger"], row["occurred"], row["reason"])
            for row in refused
            if case.since is None or row["received"] >= case.since
        ),
        supply=_supply(case, steps, rules, at) if case.state in UNSHIPPED and not (case.historical or case.cancelled) else None,
        standing=_standing(case, at, rules),
        observed=stored.observed,
        decided_by={one.number: deciding_lines(case, pinned.get(one.policy, rules), one) for one in case.timers},
        closed={one.number: closed_meanwhile(case, one, rules) for one in case.timers},
        moved_by=dict(_movers(steps)),
        dispute=tuple(_pending_actions(case, rules)),
        meanwhile=tuple(_meanwhile(case, steps)),
        seen_elsewhere=tuple(
            tr("{name} is also in {location}", name=one.name or one.sha256[:12], location=location)
            for one in files
            for location in one.elsewhere
            if case.claim and one.claim == case.claim.number
        ),
    )


def _supply(case: Case, steps: Sequence[HistoryRow], rules: Rules, at: datetime) -> Supply:
    """Say who is turned to next, and why."""
    tried = {folded(name) for name in tried_by(case) if name}
    chosen = next((row.details for row in reversed(steps) if row.target is State.rerouted and "attempt" in row.details), {})
    told = str(chosen.get("passed_over") or "") if chosen.get("attempt") == case.current else ""
    candidates = None
    if isinstance(rules.chooser, Catalogue) and not case.order.alternatives:
        known = rules.chooser.candidates(wanted_of(case), preference_of(rules.of(case)), case.paid, at)
        candidates = tuple(one for one in known if folded(one.supplier) not in tried)
    return Supply(
        next=next_supplier(case, rules, at),
        candidates=candidates,
        choose=rules.of(case).supply.choose,
        without_sku=sum(not line.sku for line in case.lines),
        passed_over=tuple(passed_over_in(told)),
    )


def _standing(case: Case, at: datetime, rules: Rules) -> "Standing | None":
    if case.decision is None:
        return None
    from workflow.decisions import standing_on  # the machine takes as long to load as all the rest

    return standing_on(case, at, rules)


def _pending_actions(case: Case, rules: Rules) -> Iterator[PendingAction]:
    """Say who has until when in a dispute (rules 8.3 to 8.5)."""
    claim = case.claim
    due = {timer.trigger: timer.due_at for timer in case.timers if timer.status == "pending"}
    if claim is None:
        return
    if claim.verdict is None:
        if "lapse_evidence" in due:
            otherwise = tr("the claim lapses and the order goes back to {returns_to}", returns_to=case.returns_to)
            yield PendingAction(tr("The customer has"), tr("to send evidence."), due["lapse_evidence"], otherwise)
        if "chase_verification" in due:
            yield PendingAction(
                tr("The platform has"), tr("to give its verdict."), due["chase_verification"], tr("it is chased again")
            )
        elif claim.evidence:
            yield PendingAction(tr("The platform"), tr("has been asked for its verdict and is not chased any more."))
    elif case.state is State.refunding:
        next_chase = due.get("chase_refund")
        yield PendingAction(
            tr("The platform has"), tr("to pay the refund."), next_chase, tr("it is chased") if next_chase else ""
        )
    else:
        todo = tr("to choose a refund or a replacement.") if claim.chosen is None else tr("to have the replacement confirmed.")
        yield PendingAction(
            tr("You have"), todo, due.get("lapse_window"), _at_the_end(case, claim, rules) if "lapse_window" in due else ""
        )


def _at_the_end(case: Case, claim: Claim, rules: Rules) -> str:
    at_the_end = rules.of(case).claims.at_the_end
    if at_the_end == "escalate":
        return tr("a person must decide")
    if at_the_end == "requested" and claim.remedy is Remedy.reissue and claim.chosen is None:
        return tr("the replacement that the customer asked for is requested")
    amount = claims.to_ask_for(case, claim)
    what = tr("what was paid") if amount is None else show_amount(amount, case.order.currency)
    return tr("a refund of {what} is requested", what=what)


def _movers(steps: Sequence[HistoryRow]) -> Iterator[tuple[int, str]]:
    for row in steps:
        if row.trigger in ("postpone_timer", "shift_timer") and row.details.get("timer"):
            yield (
                int(row.details["timer"] or 0),
                f"{row.actor}{f' ({tr(row.reason)})' if row.reason else ''}",
            )


def _meanwhile(case: Case, steps: Sequence[HistoryRow]) -> Iterator[tuple[datetime, str]]:
    if case.claim:
        for row in steps:
            if row.trigger in PARCEL_REPORTS and row.source is State.disputed and row.occurred >= case.claim.opened_at:
                yield row.occurred, row.trigger


def _led(steps: Sequence[HistoryRow], has_ended: bool) -> Iterator[HistoryRow]:
    since = 0 if has_ended else _entered(steps).sequence
    for row in _standing_steps(steps):
        if row.sequence > since and ("way" in row.details or row.source is not row.target):
            yield row


def _standing_steps(steps: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Return the steps that were not taken back, and took none back."""
    gone = taken_back(steps)
    return [row for row in steps if row.sequence not in gone and row.trigger != "undo"]


def _money(case: Case) -> Iterator[Money]:
    """Yield what each party owes and has paid: the platform, and each supplier that was left."""
    parties = dict.fromkeys((row.side, row.attempt if row.side == LedgerSide.recovery else None) for row in case.ledger)
    for side, attempt in parties:
        mine = [row for row in case.ledger if row.side == side and (side == LedgerSide.refund or row.attempt == attempt)]
        open_rows = [row for row in mine if row.status == LedgerStatus.requested]
        missing = [claims.rest(row) for row in open_rows]
        name = case.attempts[(attempt or 1) - 1].supplier or tr("the supplier of attempt {attempt}", attempt=attempt or 1)
        yield Money(
            party=PLATFORM if side == LedgerSide.refund else name,
            came=sum(row.settled_amount or 0 for row in mine),
            missing=None if None in missing else sum(one for one in missing if one is not None),
            declined=sum(row.amount or 0 for row in mine if row.status == LedgerStatus.declined),
        )


def _entered(steps: Sequence[HistoryRow]) -> HistoryRow:
    standing = _standing_steps(steps)
    return next((step for step in reversed(standing) if step.source != step.target), steps[-1])
