"""The vocabulary of the process table: states, rows, clocks, effects and flags."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an order is (rule 1.1)."""

    placed = "placed"
    overdue_urged = "overdue_urged"
    rerouted = "rerouted"
    shipped = "shipped"
    customs_hold = "customs_hold"
    delivered = "delivered"
    disputed = "disputed"
    intercepting = "intercepting"
    refunding = "refunding"
    refunded = "refunded"
    reissued = "reissued"
    closed = "closed"


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


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the process table.

    `sources` of None means: before the order exists. `does` names the changes to the case file,
    `effects` what leaves the engine, `flag` why a person is needed, `returns` the state that an
    interception will go back to from now on.
    """

    trigger: str
    sources: tuple[State, ...] | None
    target: State | Target
    guards: tuple[str, ...] = ()
    does: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    flag: str | None = None
    returns: State | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """A timed trigger: where its timer starts, runs, pauses, and waits without being moved; it ends elsewhere (rule 3.5)."""

    trigger: str
    starts_on: tuple[State, ...]
    runs_in: tuple[State, ...]
    pauses_in: tuple[State, ...] = ()
    waits_in: tuple[State, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind of message: whom it speaks to, its mode by default, and whether goods or money move."""

    kind: str
    party: Party
    mode: str = "auto"
    moves: bool = False


class EffectStatus(StrEnum):
    """What has become of an effect (rules 5.2 to 5.7)."""

    held = "held"
    """Its order was imported with its effects held."""
    asked = "asked"
    """It waits for approval."""
    ready = "ready"
    """It may leave, and no message carries it yet."""
    leaving = "leaving"
    """A message carries it."""
    sent = "sent"
    dead = "dead"
    """It could not be delivered."""
    parked = "parked"
    """Whether it was delivered is not known."""
    dropped = "dropped"
    off = "off"
    """The policy leaves it to the merchant."""
