"""The policy: every number of the process that a user may change, checked when it is read."""

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from language import tr
from tracing.per_input import per_input
from workflow.addresses import email_address
from workflow.case.case import Case
from workflow.case.money import MoneyError, exponent
from workflow.catalogue import Chooser
from workflow.errors import AftersalesError
from workflow.names import folded
from workflow.policy.calendars import WorkingCalendar
from workflow.policy.closures import Closures
from workflow.policy.durations import Duration
from workflow.process import DAILY_DIGEST, EFFECTS
from workflow.suggestions import did_you_mean
from workflow.toml import parse
from workflow.vocabulary import Mode


class PolicyError(AftersalesError):
    """The policy cannot be used: an unknown name, a number out of range, or text that is not TOML."""


CHANNELS = ("log", "file", "email")
"""Channels that are there without a name."""
_NAMED_CHANNEL = re.compile(r"[a-z]+\.[a-z0-9_-]{1,50}", re.ASCII)
"""How others are called: of which kind it is, and the name under which the settings have it."""


def _fixed(duration: Duration) -> Duration:
    duration.span()
    return duration


def _longer_than_nothing(duration: Duration) -> Duration:
    if duration.count == 0:
        raise ValueError(tr("{duration} would never end: write a duration longer than nothing", duration=duration))
    return duration


def _known(channels: tuple[str, ...]) -> tuple[str, ...]:
    for name in channels:
        if name not in CHANNELS and not _NAMED_CHANNEL.fullmatch(name):
            known = ", ".join(CHANNELS)
            why = tr("{name!r} is no channel: write {channels}, webhook.NAME or chat.NAME", name=name, channels=known)
            raise ValueError(why)
    if len(set(channels)) < len(channels):
        raise ValueError(tr("name each channel once"))
    return channels


def _rising(chases: tuple[Duration, ...]) -> tuple[Duration, ...]:
    if len({one.unit for one in chases}) > 1 or any(a.count >= b.count for a, b in itertools.pairwise(chases)):
        raise ValueError(tr("write rising durations of one unit, such as 15wd, 20wd, 25wd"))
    return chases


def _known_currency(code: str) -> str:
    try:
        exponent(code)
    except MoneyError as error:
        raise ValueError(str(error)) from None
    return code


def _percent(value: Any) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,4})%", str(value), re.ASCII)
    if found is None:
        raise ValueError(tr('write percent in quotes, such as "15%"'))
    return int(found[1])


def _as_percent(value: int | None) -> str | None:
    return None if value is None else f"{value}%"


def _parse(value: Any) -> Duration:
    return Duration.parse(str(value))


AnyDuration = Annotated[Duration, BeforeValidator(_parse), PlainSerializer(str)]
FixedDuration = Annotated[AnyDuration, AfterValidator(_fixed)]
Interval = Annotated[FixedDuration, AfterValidator(_longer_than_nothing)]
AnyInterval = Annotated[AnyDuration, AfterValidator(_longer_than_nothing)]
Address = Annotated[str, AfterValidator(email_address)]
Channels = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
Chases = Annotated[tuple[AnyDuration, ...], Field(min_length=1), AfterValidator(_rising)]
TimeOfDay = Annotated[time | None, BeforeValidator(lambda told: None if told == "" else told)]
Times = Annotated[int, Field(ge=1, le=100)]
Route = Literal["domestic", "international"]
Answer = Literal["reroute", "refund"]


class Section(BaseModel):
    """A table of the policy file; it knows no names but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Calendar(Section):
    """Whose working days count."""

    country: str = "CN"
    time_zone: str = "Asia/Shanghai"
    closures: tuple[date, ...] = ()
    extra_working_days: tuple[date, ...] = ()


class Orders(Section):
    """What an order is taken for where its file does not say."""

    route: Route = "international"
    currency: Annotated[str, AfterValidator(_known_currency)] = "CNY"
    language: Literal["en", "zh"] = "en"
    historical_after: FixedDuration = Duration(60, "d")


class Overdue(Section):
    """When a supplier is urged and left."""

    routes: tuple[Route, ...] = ("domestic", "international")
    handling_time: AnyDuration = Duration(0, "d")
    urge_after: AnyDuration = Duration(2, "d")
    reroute_after: AnyDuration = Duration(4, "d")
    reroute_after_urge: AnyDuration = Duration(2, "d")


class Supply(Section):
    """What a supplier's failure leads to."""

    no_stock: Answer = "reroute"
    unresponsive: Answer = "refund"
    choose: Literal["rank", "cheapest", "most_reliable"] = "rank"
    max_extra_cost: Annotated[int | None, BeforeValidator(_percent), PlainSerializer(_as_percent)] = None
    """The most that another supplier of the catalogue may cost over the last attempt, in percent; None: no limit."""
    reliable_from: Annotated[int, Field(ge=1, le=10_000)] = 5
    """From how many orders a supplier's record counts."""


class Transit(Section):
    """How long a carrier may be silent."""

    stall_every: Interval = Duration(10, "d")
    stall_times: Times = 3


class Customs(Section):
    """How often the merchant is reminded of a customs hold."""

    remind_every: Interval = Duration(3, "d")
    remind_times: Times = 5


class Interception(Section):
    """How long a supplier has to stop a parcel."""

    fail_after: AnyDuration = Duration(2, "d")


class Delivery(Section):
    """How long claims may be opened."""

    close_after: AnyDuration = Duration(15, "d")


class Claims(Section):
    """How long the parties to a claim have (rules 8.3 to 8.5)."""

    evidence_within: Interval = Duration(7, "d")
    reopen_within: FixedDuration = Duration(7, "d")
    chase_verification_every: AnyInterval = Duration(3, "wd")
    chase_verification_times: Times = 5
    remind_window_at: Chases = (Duration(10, "wd"), Duration(14, "wd"))
    window: AnyInterval = Duration(15, "wd")
    at_the_end: Literal["refund", "requested", "escalate"] = "refund"


class Evidence(Section):
    """How large the photos and videos of a claim may be (rule 8.8)."""

    image_megabytes: Annotated[int, Field(ge=1, le=200)] = 20
    video_megabytes: Annotated[int, Field(ge=1, le=4_000)] = 200
    megapixels: Annotated[int, Field(ge=1, le=100)] = 50
    files_per_claim: Annotated[int, Field(ge=1, le=1_000)] = 30


class Money(Section):
    """When the platform and old suppliers are chased for money."""

    chase_refund_at: Chases = (Duration(15, "wd"), Duration(20, "wd"), Duration(25, "wd"))
    chase_recovery_at: Chases = (Duration(15, "wd"), Duration(20, "wd"), Duration(25, "wd"))


class Decisions(Section):
    """How often the merchant is reminded of a step that waits for a decision (rule 5.9)."""

    remind_every: AnyInterval = Duration(1, "wd")
    remind_times: Times = 3


class Reports(Section):
    """Which reports are accepted."""

    ahead_of_now: FixedDuration = Duration(5, "m")


class Clock(Section):
    """How far this machine's clock is trusted (rule 9.12)."""

    longest_gap: FixedDuration = Duration(365, "d")


class Effects(Section):
    """How what leaves the engine leaves it."""

    modes: dict[str, Mode] = {}
    channels: dict[str, Channels] = {}
    default_channels: Channels = ("log",)
    tries: Times = 20
    first_retry_after: Interval = Duration(1, "m")
    longest_retry_after: Interval = Duration(6, "h")
    undo_within: FixedDuration = Duration(1, "m")
    daily_digest_at: TimeOfDay = time(8)


class Contacts(Section):
    """Where the parties are reached by email."""

    merchant: Address | None = None
    platform: Address | None = None
    escalation: Address | None = None
    suppliers: dict[str, Address] = {}
    _folded: dict[str, str] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the suppliers by their names as they are compared."""
        self._folded.update({folded(name): address for name, address in self.suppliers.items()})

    def of_supplier(self, name: str | None) -> str | None:
        """Return the address of a supplier, however its name is written; None where none is known."""
        return self._folded.get(folded(name)) if name else None


class Closure(Section):
    """Days on which a supplier (or all of them) is closed: first and last, in the calendar's place (rule 3.11)."""

    model_config = ConfigDict(serialize_by_alias=True)

    supplier: Annotated[str, Field(min_length=1)] | None = None
    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "Closure":
        if self.last < self.first:
            raise ValueError(
                tr("it ends on {last}, before it begins on {first}: both days are included", last=self.last, first=self.first)
            )
        return self


class Override(Section):
    """Other numbers for the orders of a shop, a supplier or a route; what it does not name stays as it is (rule 3.9)."""

    shop: str | None = None
    supplier: str | None = None
    route: Route | None = None
    overdue: dict[str, Any] = {}
    supply: dict[str, Any] = {}
    transit: dict[str, Any] = {}
    customs: dict[str, Any] = {}
    interception: dict[str, Any] = {}
    delivery: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    money: dict[str, Any] = {}
    effects: dict[str, Any] = {}
    """By which channels they leave: `channels` and `default_channels`."""

    @property
    def whose(self) -> dict[str, str]:
        """What an order must have for it to count."""
        named = {"shop": self.shop, "supplier": self.supplier, "route": self.route}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """The tables that it changes."""
        return {name: table for name in OVERRIDDEN if (table := getattr(self, name))}


OVERRIDDEN = ("overdue", "supply", "transit", "customs", "interception", "delivery", "claims", "money", "effects")


class Policy(Section):
    """The whole policy file."""

    calendar: Calendar = Calendar()
    orders: Orders = Orders()
    overdue: Overdue = Overdue()
    supply: Supply = Supply()
    transit: Transit = Transit()
    customs: Customs = Customs()
    interception: Interception = Interception()
    delivery: Delivery = Delivery()
    claims: Claims = Claims()
    evidence: Evidence = Evidence()
    money: Money = Money()
    decisions: Decisions = Decisions()
    reports: Reports = Reports()
    clock: Clock = Clock()
    effects: Effects = Effects()
    contacts: Contacts = Contacts()
    overrides: tuple[Override, ...] = ()
    closures: tuple[Closure, ...] = ()

    def matching_overrides(self, order: "PolicyScope") -> list[tuple[int, Override]]:
        """Return the overrides that count for an order with their places in the file, the most specific last (rule 3.9)."""
        has = {"shop": order.shop, "supplier": order.supplier, "route": order.route}
        found = [(n, one) for n, one in enumerate(self.overrides, 1) if one.whose.items() <= has.items()]
        return sorted(
            found, key=lambda pair: (len(pair[1].whose), pair[1].supplier is not None, pair[1].shop is not None, pair[0])
        )

    def for_scope(self, order: "PolicyScope") -> "Policy":
        """Return the policy as it counts for an order: its overrides put in their places."""
        changed: dict[str, Any] = {}
        for _, one in self.matching_overrides(order):
            for name, table in one.changes.items():
                section = changed.get(name, getattr(self, name))
                changed[name] = type(section).model_validate(_merged(section, table))
        return self.model_copy(update=changed) if changed else self

    def line_of(self, order: "PolicyScope", section: str, name: str) -> str:
        """Name the line of the file that decides a number for an order, with its value."""
        value = getattr(getattr(self.for_scope(order), section), name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for number, one in reversed(self.matching_overrides(order)):
            if name in one.changes.get(section, {}):
                whose = ", ".join(f"{key} {known}" for key, known in one.whose.items())
                return tr(
                    "{section}.{name} = {shown} (overrides {number}: {whose})",
                    section=section,
                    name=name,
                    shown=shown,
                    number=number,
                    whose=whose,
                )
        return f"{section}.{name} = {shown}"

    def mode(self, kind: str) -> Mode:
        """Return the mode of an effect kind: auto, ask or off (rule 5.2)."""
        return self.effects.modes.get(kind, Mode.auto)

    @property
    def used_channels(self) -> set[str]:
        """The channels that some effect leaves by, for some orders."""
        used, routes = (
            {*self.effects.default_channels},
            [self.effects.channels, *(one.effects.get("channels", {}) for one in self.overrides)],
        )
        for one in self.overrides:
            used.update(one.effects.get("default_channels", ()))
        return used.union(*(channels for route in routes for channels in route.values()))

    def channels(self, kind: str) -> tuple[str, ...]:
        """Return the channels that an effect kind leaves by (rule 5.5)."""
        return self.effects.channels.get(kind) or self.effects.default_channels


ROUTES = {"channels", "default_channels"}
"""What an override may change of `effects`."""


def _merged(section: Section, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a section with those of an override in their places; of channels kind by kind."""
    values = section.model_dump()
    channels = {**values.get("channels", {}), **table["channels"]} if isinstance(table.get("channels"), dict) else None
    return {**values, **table, **({"channels": channels} if channels is not None else {})}


@dataclass(frozen=True, slots=True)
class PolicyScope:
    """What the numbers of a policy may depend on."""

    shop: str
    supplier: str | None
    route: str


class Rules:
    """A policy in force: its version in the database, its numbers, its calendar, and who says which supplier is next.

    `asked` names the kinds of effects whose steps wait for a person's decision. Without `asks` there are none: where no person
    is there to decide, as in `replay`, every step is taken at once.
    """

    def __init__(
        self,
        version: int,
        policy: Policy,
        calendar: WorkingCalendar,
        *,
        asks: bool = True,
        chooser: Chooser | None = None,
    ) -> None:
        self.version, self.policy, self.calendar, self.chooser = version, policy, calendar, chooser
        self.asked = frozenset(kind for kind, mode in policy.effects.modes.items() if asks and mode is Mode.ask)
        self.closures = Closures([(one.supplier, one.first, one.last) for one in policy.closures], calendar)
        self._named_suppliers = frozenset(one.supplier for one in policy.overrides if one.supplier is not None)
        self._by_scope: dict[PolicyScope, Policy] = {}

    def without_asking(self) -> "Rules":
        """Return these rules with every step taken at once."""
        return Rules(self.version, self.policy, self.calendar, asks=False, chooser=self.chooser)

    def with_chooser(self, chooser: Chooser | None) -> "Rules":
        """Return these rules with something else that says who can deliver an order."""
        return Rules(self.version, self.policy, self.calendar, asks=bool(self.asked), chooser=chooser)

    def with_closures(self, policy: Policy) -> "Rules":
        """Return these rules with the closures of another policy."""
        closed = self.policy.model_copy(update={"closures": policy.closures})
        return Rules(self.version, closed, self.calendar, chooser=self.chooser)

    def of(self, case: Case) -> Policy:
        """Return the policy as it counts for the case's order and current supplier (rule 3.9)."""
        if not self.policy.overrides:
            return self.policy
        scope = self.scope_of(case)
        if scope not in self._by_scope:
            self._by_scope[scope] = self.policy.for_scope(scope)
        return self._by_scope[scope]

    def scope_of(self, case: Case) -> PolicyScope:
        """Return what the policy of a case depends on; a supplier that no override names makes no difference."""
        supplier = case.attempt.supplier if case.attempts else case.order.supplier
        return PolicyScope(case.order.shop, _if_named(supplier, self._named_suppliers), case.order.route)


@per_input
def _if_named(supplier: str | None, named: frozenset[str]) -> str | None:
    return supplier if supplier in named else None


def read_policy(text: str) -> Policy:
    """Read a policy file's text.

    Raises:
        PolicyError: names the line of the table that is wrong, and what may stand there.

    """
    try:
        policy = Policy.model_validate(parse(text))
    except ValidationError as error:
        raise PolicyError("; ".join(_explain(one) for one in error.errors())) from None
    except ValueError as error:
        raise PolicyError(tr("the policy is not TOML: {error}", error=error)) from None
    _check_kinds(policy)
    _check_overrides(policy)
    calendar_of(policy)
    return policy


def calendar_of(policy: Policy) -> WorkingCalendar:
    """Build the calendar that the policy names.

    Raises:
        PolicyError: the country or time zone is unknown, or a day is both closed and extra.

    """
    c = policy.calendar
    try:
        return WorkingCalendar(c.country, c.time_zone, c.closures, c.extra_working_days)
    except (ValueError, KeyError, OSError) as error:
        raise PolicyError(f"[calendar]: {error}") from None


def digest(text: str) -> str:
    """Return the SHA-256 of a policy file's text, by which versions are told apart."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check_overrides(policy: Policy) -> None:
    """Validate every override against its tables when the policy is read."""
    for number, one in enumerate(policy.overrides, 1):
        where = tr("overrides {number}", number=number)
        if not one.whose:
            raise PolicyError(tr("[{where}] names no shop, supplier or route: it would be for every order", where=where))
        if not one.changes:
            raise PolicyError(tr('[{where}] changes nothing: give it a number, such as overdue.urge_after = "3d"', where=where))
        for earlier, other in enumerate(policy.overrides[: number - 1], 1):
            if other.whose == one.whose:
                raise PolicyError(
                    tr(
                        "[{where}] is for the same orders as overrides {earlier}: write them as one",
                        where=where,
                        earlier=earlier,
                    )
                )
        for name, table in one.changes.items():
            section = getattr(policy, name)
            if name == "effects" and (same := sorted(table.keys() - ROUTES)):
                raise PolicyError(
                    tr(
                        "[{where}.effects.{other}] is the same for all orders: only channels may differ",
                        where=where,
                        other=same[0],
                    )
                )
            try:
                type(section).model_validate(_merged(section, table))
                if name == "effects":
                    _check_kinds(policy.model_copy(update={name: type(section).model_validate(_merged(section, table))}))
            except ValidationError as error:
                raise PolicyError("; ".join(_explain(e, where, name) for e in error.errors())) from None


_LISTED: dict[Any, Any] = {"overrides": Override, "closures": Closure}
"""Tables of which the file may have several."""


def _explain(error: Any, *above: str) -> str:
    where = ".".join(str(part) for part in (*above, *error["loc"]))
    where = re.sub(r"^(overrides|closures)\.(\d+)", lambda found: f"{found[1]} {int(found[2]) + 1}", where)
    if error["type"] != "extra_forbidden":
        return f"[{where}]: {error['msg'].removeprefix('Value error, ')}"
    path: list[Any] = [*above[1:], *error["loc"]]
    *parents, name = path
    model: Any = Policy
    for parent in parents:
        model = _LISTED[path[0]] if isinstance(parent, int) else model.model_fields[parent].annotation
    return tr("[{where}] is not a setting of the policy{hint}", where=where, hint=did_you_mean(str(name), model.model_fields))


def _check_kinds(policy: Policy) -> None:
    kinds = [effect.kind for effect in EFFECTS]
    with_digest = [*kinds, DAILY_DIGEST]
    for table, named, known in (
        ("modes", policy.effects.modes, kinds),
        ("channels", policy.effects.channels, with_digest),
    ):
        for kind in named:
            if kind not in known:
                raise PolicyError(
                    tr(
                        "[effects.{table}.{kind}] is not a kind of effect{hint}",
                        table=table,
                        kind=kind,
                        hint=did_you_mean(kind, known),
                    )
                )
    may_ask = [effect.kind for effect in EFFECTS if effect.may_ask]
    for kind, mode in policy.effects.modes.items():
        if mode is Mode.ask and kind not in may_ask:
            raise PolicyError(
                tr("[effects.modes.{kind}]: ask is for {may_ask}; write auto or off", kind=kind, may_ask=", ".join(may_ask))
            )
