"""The case file of one order: what was ordered, and where it stands. Values only; they never change."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from workflow.values import value_class
from workflow.vocabulary import (
    ClaimKind,
    ClaimStatus,
    ClaimVerdict,
    DecisionStatus,
    LedgerSide,
    LedgerStatus,
    Remedy,
    State,
    TimerStatus,
    Verdict,
    Way,
)

Value = TypeVar("Value")


def made(kind: type[Value], fields: dict[str, Any]) -> Value:
    """Return a dataclass without slots made of all of its fields; its `__init__` would take five times as long."""
    whole: Any = kind
    assert len(fields) == len(whole.__dataclass_fields__), f"{kind.__name__} is made of all of its fields"
    one = object.__new__(kind)
    one.__dict__ = fields
    return one


def replace_fields(value: Value, **fields: Any) -> Value:
    """Return a copy of a dataclass without slots with some fields replaced.

    It is `dataclasses.replace` without the call of `__init__`.
    """
    copy, known = object.__new__(type(value)), vars(value)
    written = known | fields
    assert len(written) == len(known), f"{type(value).__name__} has no {fields.keys() - known.keys()}"
    copy.__dict__ = written
    return copy


Detail = str | int | bool | None
Details = Mapping[str, Detail]


@value_class(frozen=True)
class Line:
    """One line of an order. `price` and `sale` are in minor units of the order's currency, for one piece.

    `price` is what the merchant paid the supplier, `sale` what the buyer paid the merchant.
    """

    sku: str = ""
    title: str = ""
    quantity: int = 1
    price: int | None = None
    sale: int | None = None


@value_class(frozen=True)
class Order:
    """What was ordered, as it came in. `paid` and `sale` are in minor units of `currency`.

    `paid` is what the merchant paid for it, and what refunds and recoveries are of; `sale` what the buyer paid the merchant.
    """

    shop: str
    number: str
    placed_at: datetime
    currency: str
    route: str = "international"
    group: str | None = None
    supplier: str | None = None
    alternatives: tuple[str, ...] = ()
    country: str | None = None
    paid: int | None = None
    ship_by: datetime | None = None
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_address: str | None = None
    merchant_email: str | None = None
    language: str = "en"
    supplier_number: str | None = None
    """The number that its first supplier knows it by."""
    sale: int | None = None
    replaces: str | None = None
    """The number of the order that this one replaces."""
    generation: int = 0
    """How many replacements lie between it and the first order of its chain."""
    chain: str | None = None
    """The number of the first order of its chain of replacements; None where there are none."""

    @property
    def name(self) -> str:
        """The identity as a person writes it: SHOP/NUMBER."""
        return f"{self.shop}/{self.number}"


PERSONAL = ("buyer_name", "buyer_email", "buyer_address")
"""What is known of the buyer, and goes when the buyer is erased (rule 6.4)."""
LINKS = ("replaces", "generation", "chain")
"""What binds an order to its chain of replacements; files say nothing of it."""


@value_class(frozen=True)
class Attempt:
    """One supplier's turn at the order (rule 2.3)."""

    number: int
    supplier: str | None
    placed_at: datetime
    ship_by: datetime | None = None
    urged_at: datetime | None = None
    shipped_at: datetime | None = None
    """When the first of its parcels left."""
    delivered_at: datetime | None = None
    """When the last of its parcels arrived; None while one is under way."""
    counts_from: datetime | None = None
    """What its overdue clocks count from instead of the promise: the instant of an override (rule 3.2)."""
    supplier_number: str | None = None
    """The number that this supplier knows the order by."""
    paid: int | None = None
    """What was paid to it, in minor units; what was paid to the first is known of the order."""
    returned_at: datetime | None = None
    """Since when it is current again, after the order had left it (rule 2.4)."""


@value_class(frozen=True)
class Parcel:
    """What one attempt has sent in one parcel (rule 2.18). It is known by its tracking number, once that is known.

    `news` is what was reported of it, in order of occurrence: (instant, trigger).
    """

    number: int
    attempt: int
    news: tuple[tuple[datetime, str], ...] = ()
    same_as: int | None = None
    """The parcel that it has turned out to be."""
    carrier: str | None = None
    tracking_number: str | None = None


@value_class(frozen=True)
class Timer:
    """A deadline of an order, or of one of its claims. `nth` counts the firings of a clock that repeats, from 1.

    `planned_at` is what its rule gave; `due_at` differs where pauses or a person moved it.
    """

    number: int
    trigger: str
    due_at: datetime
    planned_at: datetime
    counts_from: datetime
    policy: int
    status: TimerStatus = TimerStatus.pending
    nth: int = 1
    ledger: int | None = None
    claim: int | None = None
    provisional: bool = False
    paused_at: datetime | None = None
    """Since when it is paused; a paused timer without it waits, and keeps its instant."""
    paused_by: str | None = None
    """The person who paused it; such a pause is ended by a person only."""
    fired_at: datetime | None = None
    promised: bool = False
    """Whether its instant is a date that a person has given: a changed policy does not move it."""

    def paused_span(self, at: datetime) -> timedelta:
        """Return how long it was paused when it resumes at `at`; late news may be older than the pause itself."""
        return max(timedelta(0), at - (self.paused_at or at))


@value_class(frozen=True)
class LedgerRow:
    """Money owed to the merchant: a refund by the platform, or a recovery from a supplier that was left.

    `amount` is in minor units; None means the full amount paid, whose sum is not known.
    """

    number: int
    side: LedgerSide
    requested_at: datetime
    currency: str
    amount: int | None = None
    attempt: int | None = None
    claim: int | None = None
    status: LedgerStatus = LedgerStatus.requested
    settled_amount: int | None = None
    """What has come of it; less than `amount` while the rest is still asked for."""
    decided_at: datetime | None = None
    corrects: int | None = None
    """The row whose settled sum this one corrects, by `amount`."""


@value_class(frozen=True)
class Claim:
    """What the buyer claims of an order, from its opening to its remedy (docs/process.md, part 8).

    `pieces` are (line number, quantity); `evidence` names what was sent, by digest or in words.
    """

    number: int
    kind: ClaimKind
    opened_at: datetime
    came_from: State
    pieces: tuple[tuple[int, int], ...]
    remedy: Remedy = Remedy.refund
    """What the customer asked for."""
    status: ClaimStatus = ClaimStatus.open
    evidence: tuple[str, ...] = ()
    verification_due: bool = True
    """Whether the next evidence asks the platform for a verdict: once a round."""
    verdict: ClaimVerdict | None = None
    decided_at: datetime | None = None
    chosen: Remedy | None = None
    """What the merchant chose."""
    went_back_to: State | None = None
    """Where the order went when the claim was rejected."""
    reopened: bool = False
    replacement: str | None = None


@value_class(frozen=True)
class Decision:
    """A step that waits for a person's decision (rule 5.9): of the timer, or of the report, that would have taken it.

    `sleeps_until` is when it is spoken of again; `passed_over` the supplier that the answer left out.
    """

    number: int
    trigger: str
    since: datetime
    timer: int | None = None
    source: str | None = None
    key: str | None = None
    sleeps_until: datetime | None = None
    status: DecisionStatus = DecisionStatus.standing
    way: Way | None = None
    passed_over: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    def sleeps(self, at: datetime) -> bool:
        """Say whether it is neither listed nor reminded of at `at`."""
        return self.sleeps_until is not None and self.sleeps_until > at


def own_key(trigger: str, at: datetime) -> str:
    """Return the key of a report whose sender gave it none: trigger and instant (rule 2.9)."""
    return f"{trigger}@{at.isoformat()}"


@value_class(frozen=True)
class Report:
    """Something that was said about an order: by a person, a file, the API or a carrier.

    A sender may say several things under one key: `nth` counts them from 1 (rule 2.14).
    """

    trigger: str
    at: datetime
    source: str
    key: str
    actor: str
    fields: Details = field(default_factory=dict)
    nth: int = 1
    id: int | None = None


@value_class(frozen=True)
class Told:
    """A report that was kept, its verdict, and whether a person has closed it."""

    report: Report
    verdict: Verdict
    is_closed: bool = False


@value_class(frozen=True)
class Correction(Report):
    """A report under the key of one that was applied, or waits for a decision, and that says something else (rule 2.14)."""

    corrects: Report | None = None


@value_class(frozen=True)
class Case:
    """Everything the process needs to know of one order to take its next step."""

    order: Order
    state: State | None = None
    since: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    current: int = 1
    timers: tuple[Timer, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    lines: tuple[Line, ...] = ()
    claims: tuple[Claim, ...] = ()
    returns_to: State | None = None
    cancelled: bool = False
    gap: bool = False
    historical: bool = False
    """Whether it was old when it was imported: its supplier is neither urged nor left (rule 7.7)."""
    unread: str | None = None
    """Reports of files that cannot be read, separated by ';': its supplier is neither urged nor left (rule 7.10)."""
    carrier_status: str | None = None
    timers_made: int = 0
    steps: int = 0
    last_hash: str = ""
    salt: str = ""
    """Of the digests that stand for this order's personal data in its history (rule 6.3)."""
    waiting: tuple[Report, ...] = ()
    """Reports about its parcels that could not be applied when they came (rule 2.6)."""
    decisions: tuple[Decision, ...] = ()
    asking: tuple[Report, ...] = ()
    """Reports whose steps wait for a decision, in the order in which they came."""
    chain_paid: int | None = None
    """What was paid for the first order of its chain, if this one is a replacement."""
    settled_elsewhere: int = 0
    """What other orders of its chain have had refunded."""
    requested_elsewhere: int = 0
    """What is asked for on other orders of its chain, and not settled."""
    known: Mapping[str, int | None] = field(default_factory=dict)
    """Of the new orders that a report at hand names, those that are known: their pieces, None if they cannot replace any."""
    former_buyer: tuple[str, ...] = ()
    """What was known of the buyer before it was amended: the history says nothing of that either."""
    unsent_request: str | None = None
    """Which trigger has asked for the open refund, if that request has not left yet (rule 2.13)."""

    @property
    def attempt(self) -> Attempt:
        """The current attempt."""
        return self.attempts[self.current - 1]

    @property
    def paid(self) -> int | None:
        """What was paid for the current attempt, in minor units, or None where that is not known (rule 4.1)."""
        return self.paid_for(self.current)

    def paid_for(self, attempt: int) -> int | None:
        """Return what was paid for an attempt, in minor units, or None where that is not known."""
        return self.order.paid if attempt == 1 else self.attempts[attempt - 1].paid

    @property
    def name(self) -> str:
        """The order's identity, for messages."""
        return self.order.name

    @property
    def claim(self) -> Claim | None:
        """The open claim, if there is one."""
        return next((claim for claim in self.claims if claim.status == ClaimStatus.open), None) if self.claims else None

    @property
    def decision(self) -> Decision | None:
        """The decision that stands, if one does: there is one at a time."""
        last = self.decisions[-1] if self.decisions else None
        return last if last and last.status is DecisionStatus.standing else None

    @property
    def open_refund(self) -> LedgerRow | None:
        """The refund that is requested and not decided, if there is one."""
        return next(
            (row for row in self.ledger if row.side == LedgerSide.refund and row.status == LedgerStatus.requested), None
        )

    def timer(self, number: int) -> Timer | None:
        """Return the timer with a number if it runs or is paused."""
        for timer in self.timers:
            if timer.number == number:
                return timer
        return None

    def due_timer(self, number: int, at: datetime) -> Timer | None:
        """Return the timer with a number if it runs and is due at `at`."""
        timer = self.timer(number)
        return timer if timer and timer.status is TimerStatus.pending and timer.due_at <= at else None

    def named_attempt(self, fields: Details) -> Attempt | None:
        """Return the attempt that a report's `attempt` or `supplier` names; the current one by default."""
        number, supplier = fields.get("attempt"), fields.get("supplier")
        if number is None and supplier is None:
            return self.attempt
        fitting = [a for a in self.attempts if number in (None, a.number) and supplier in (None, a.supplier)]
        return fitting[-1] if fitting else None

    def attempt_at(self, at: datetime) -> Attempt:
        """Return the attempt that was current at an instant (rule 2.12)."""
        now = self.attempt
        if len(self.attempts) == 1 or at >= (now.returned_at or now.placed_at):
            return now
        turns = [(since, one) for one in self.attempts for since in (one.placed_at, one.returned_at) if since and since <= at]
        return max(turns, key=lambda turn: (turn[0], turn[1].number))[1] if turns else self.attempts[0]

    def open_recoveries(self) -> tuple[LedgerRow, ...]:
        """Return the recoveries that are neither settled, declined nor withdrawn."""
        return tuple(row for row in self.ledger if row.side == LedgerSide.recovery and row.status == LedgerStatus.requested)
