"""The vocabulary of the process: states, rows, clocks, effects, positions and statuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, get_args


class State(StrEnum):
    """Where an order is (rule 1.1)."""

    placed = "placed"
    """Paid and sent to a supplier, not shipped."""
    overdue_urged = "overdue_urged"
    """The supplier is late and was urged."""
    rerouted = "rerouted"
    """Ordered again from another supplier."""
    shipped = "shipped"
    """On its way."""
    customs_hold = "customs_hold"
    """Held by customs."""
    delivered = "delivered"
    """Arrived; claims may be opened."""
    disputed = "disputed"
    """A claim is being worked on."""
    intercepting = "intercepting"
    """The supplier was asked to stop the parcel."""
    refunding = "refunding"
    """The platform was asked for the refund."""
    refunded = "refunded"
    """The money has come back."""
    reissued = "reissued"
    """A replacement was placed."""
    closed = "closed"
    """The time for claims has ended."""


class Target(StrEnum):
    """Destinations that are not a state by name."""

    stays = "stays"
    back = "back"
    """To the state that the order came from; expanded into one row per state when loaded."""
    named = "named"
    """To the state that the report names (`override`); expanded likewise."""


class Party(StrEnum):
    """Whom an effect speaks to."""

    supplier = "supplier"
    platform = "platform"
    merchant = "merchant"
    contact = "contact"


class Mode(StrEnum):
    """How an effect kind leaves (rule 5.2)."""

    auto = "auto"
    ask = "ask"
    """A step that would cause it waits for a person's decision."""
    off = "off"
    """The merchant does it by hand."""


class Position(StrEnum):
    """Where a parcel is."""

    unshipped = "unshipped"
    shipped = "shipped"
    held = "held"
    delivered = "delivered"
    lost = "lost"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the process table: from one of `sources` to `target`, when `trigger` comes and all `guards` pass.

    `sources` of None means: before the order exists, or in any state for what is only recorded. `changes` names what
    happens to the case file, `effects` what leaves, `flag` why a person is needed, `set_return_state` the state that
    an interception or a dispute goes back to from now on.
    """

    trigger: str
    sources: tuple[State, ...] | None
    target: State | Target
    guards: tuple[str, ...] = field(default=(), kw_only=True)
    changes: tuple[str, ...] = field(default=(), kw_only=True)
    effects: tuple[str, ...] = field(default=(), kw_only=True)
    flag: str | None = field(default=None, kw_only=True)
    set_return_state: State | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Clock:
    """A timed trigger: where its timer starts, runs, pauses, and waits without being moved; it ends elsewhere (rule 3.5).

    `settings` are the lines of the policy that decide when it is due, `meaning` what happens when it fires.
    """

    trigger: str
    starts_on: tuple[State, ...] = field(kw_only=True)
    runs_in: tuple[State, ...] = field(kw_only=True)
    pauses_in: tuple[State, ...] = field(default=(), kw_only=True)
    waits_in: tuple[State, ...] = field(default=(), kw_only=True)
    settings: tuple[str, ...] = field(default=(), kw_only=True)
    meaning: str = field(default="", kw_only=True)


PERSON = "person:"
"""How the actors begin that are not asked: what they report is their decision."""
WHATEVER_ATTEMPT = 0
"""In place of an attempt's number: an effect whichever attempt it speaks about."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an effect comes after: the latest one of `kind` before it, of the same attempt or (`of_step`) the same step.

    Only those that one of `triggers` caused come after it (empty: all do). One that `lapses` is not written while the other
    has not left; every other one waits for it.
    """

    kind: str
    of_step: bool = field(default=False, kw_only=True)
    triggers: tuple[str, ...] = field(default=(), kw_only=True)
    lapses: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind of effect: whom it speaks to, whether goods or money move, and whether a policy may ask before it leaves.

    What `goes_alone` is never gathered with others of its kind in one digest.

    `needed_while` names the condition without which it has lost its point (None: it never does), `after` what must have
    left before it.
    """

    kind: str
    party: Party
    moves: bool = field(default=False, kw_only=True)
    may_ask: bool = field(default=False, kw_only=True)
    goes_alone: bool = field(default=False, kw_only=True)
    needed_while: str | None = field(default=None, kw_only=True)
    after: Turn | None = field(default=None, kw_only=True)


class TimerStatus(StrEnum):
    """What has become of a timer."""

    pending = "pending"
    """It fires when it is due."""
    paused = "paused"
    """By a person, or because its clock does not run in the order's state."""
    waiting = "waiting"
    """It is due, and a person decides whether its step is taken."""
    fired = "fired"
    """It has fired."""
    cancelled = "cancelled"
    """Its order moved on, or a person ended it."""
    failed = "failed"
    """It could not be fired; a person retries it."""


class LedgerSide(StrEnum):
    """From whom money is owed."""

    refund = "refund"
    """The platform owes it to the buyer."""
    recovery = "recovery"
    """A supplier that was left owes it."""


class LedgerStatus(StrEnum):
    """What has become of money that is owed."""

    requested = "requested"
    """It was asked for."""
    settled = "settled"
    """It has come back."""
    declined = "declined"
    """It will not come back."""
    withdrawn = "withdrawn"
    """It is not owed any more."""
    corrected = "corrected"
    """By this a sum that had been settled was corrected."""
    undone = "undone"
    """The step that wrote it down was taken back."""


class ClaimStatus(StrEnum):
    """What has become of a claim."""

    open = "open"
    """It is being worked on."""
    refunded = "refunded"
    """It was made good with money."""
    reissued = "reissued"
    """It was made good with a replacement."""
    rejected = "rejected"
    """The platform sees no ground for it."""
    lapsed = "lapsed"
    """No evidence came in time."""
    withdrawn = "withdrawn"
    """The customer does not insist."""
    overridden = "overridden"
    """A person moved the order out of its dispute."""


class ClaimKind(StrEnum):
    """What is wrong with the claimed pieces."""

    missing = "missing"
    """Pieces are not in the parcel."""
    wrong = "wrong"
    """Other goods came than were ordered."""
    damaged = "damaged"
    """Goods came broken."""
    not_received = "not_received"
    """Nothing came."""


class ClaimVerdict(StrEnum):
    """What the platform has said of a claim."""

    approved = "approved"
    """A remedy is due within 15 working days."""
    rejected = "rejected"
    """The order goes back to where it was."""


class Remedy(StrEnum):
    """How a claim is made good."""

    refund = "refund"
    """Money back."""
    reissue = "reissue"
    """A replacement."""


class Verdict(StrEnum):
    """What became of a report (rule 2.9)."""

    applied = "applied"
    """It has moved the order, or was written into its history."""
    refused = "refused"
    """A guard turned it down, or a person reported what is not allowed."""
    exception = "exception"
    """What a file or a carrier reported is not allowed; a person has to look at it."""
    duplicate = "duplicate"
    """It was known; nothing has changed."""
    waiting = "waiting"
    """A person decides whether its step is taken."""
    undone = "undone"
    """It was applied, and a person has taken that back; it may be given again."""


class Way(StrEnum):
    """What a person decides of a step that waits (rule 5.9)."""

    yes = "yes"
    """It is taken."""
    next = "next"
    """It is taken, with the supplier after the one whose turn it is."""
    refund = "refund"
    """The order is refunded instead."""
    stay = "stay"
    """It is not taken, or not before an instant."""


class DecisionStatus(StrEnum):
    """What has become of a decision."""

    standing = "standing"
    """A person is to decide."""
    answered = "answered"
    """A person has decided."""
    ended = "ended"
    """The order has moved on without it."""


class EffectStatus(StrEnum):
    """What has become of an effect (rules 5.2 to 5.7)."""

    held = "held"
    """Its order was imported with its effects held."""
    asked = "asked"
    """It waits for approval."""
    waits = "waits"
    """It comes after another effect that has not left."""
    ready = "ready"
    """It may leave, and no message carries it yet."""
    written = "written"
    """A message carries it, and nothing has tried yet to send that."""
    leaving = "leaving"
    """A message that carries it is being sent, or has been tried."""
    sent = "sent"
    """All its messages were delivered."""
    dead = "dead"
    """It could not be delivered."""
    parked = "parked"
    """Whether it was delivered is not known."""
    dropped = "dropped"
    """It will not leave: a person decided so, or the order has moved on."""
    off = "off"
    """The policy leaves it to the merchant."""


class MessageStatus(StrEnum):
    """What has become of a message (rule 5.3)."""

    waiting = "waiting"
    """It is sent at its next try."""
    sending = "sending"
    """A daemon has taken it to send it."""
    sent = "sent"
    """It was delivered."""
    dead = "dead"
    """It could not be delivered."""
    parked = "parked"
    """Whether it was delivered is not known."""
    dropped = "dropped"
    """It will not be sent."""


def words_of(kind: Any) -> Mapping[str, type[StrEnum]]:
    """Return the fields of a dataclass that take words of the vocabulary, each with its enumeration."""
    types = {one.name: (one.type, *get_args(one.type)) for one in fields(kind)}
    return {name: one for name, some in types.items() for one in some if isinstance(one, type) and issubclass(one, StrEnum)}
