"""What waits to leave the engine: effects, the messages that carry them, and what became of those."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    RowMapping,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    update,
)
from sqlmodel import col

from storage import case_mapper, dialect, evidence_files, turns
from storage.attention import STUCK, raise_flags
from storage.chunks import chunked
from storage.evidence_files import EvidenceFile
from storage.prepared import Prepared, prepare
from storage.row_sets import UNSENT
from storage.tables import (
    AttemptRow,
    DecisionRow,
    EffectRow,
    HeartbeatRow,
    HistoryTableRow,
    LedgerTableRow,
    LineRow,
    MemberRow,
    MessageRow,
    OrderRow,
    ParcelRow,
    table_of,
)
from workflow.case.case import Line, Order
from workflow.table import EFFECT_OF
from workflow.vocabulary import PERSON, DecisionStatus, EffectStatus, LedgerSide, LedgerStatus, MessageStatus, Mode, Party

STUCK_MESSAGES = (MessageStatus.dead, MessageStatus.parked)
"""Statuses of messages that need a person."""
GIVEN_UP = "not sent: what it told had changed before its first try, and was written anew"
_NAME_GOODS = (
    *("urge_supplier", "place_supply", "cancel_supply", "recover_supply", "chase_recovery", "request_interception"),
    *("request_refund", "place_reissue", "request_verification"),
)
"""Kinds whose letters say which goods the order has."""
_NAME_PARCELS = ("customs_reminder", "notify_merchant", "request_interception")
"""Kinds whose letters say by which tracking number the order is known."""
_OF_SUPPLIERS, _OF_THE_PLATFORM = ("recover_supply", "chase_recovery"), ("request_refund", "chase_refund")
"""Kinds of effects that ask for money."""
Missing = Mapping[tuple[int, int | None], int | None]
"""Sums in minor units by order, and of the money of suppliers by attempt."""
ROOM = 5_000
"""So many effects at most are read at once beside the oldest, unless one digest alone has more."""
TRIES = 5
"""After so many tries to write its message an effect is set aside."""


CARRY_EVIDENCE = ("request_verification", "ask_evidence")
"""Kinds whose letters carry the photos and videos of their claim."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that a message carries, under a name of ours."""

    sha256: str
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class ReadyEffect:
    """An effect that may leave, with the order it is about."""

    id: int
    order_id: int
    sequence: int
    kind: str
    attempt: int
    supplier: str | None
    details: dict[str, Any]
    caused_at: datetime
    order: Order
    order_version: int
    supplier_number: str | None = None
    """The number that the supplier of its attempt knows the order by."""
    lines: tuple[Line, ...] = ()
    """What its order has, of a kind whose letter names goods."""
    parcels: tuple[str, ...] = ()
    """The tracking numbers of its attempt, each behind its carrier, of a kind whose letter names them."""
    files: tuple[EvidenceFile, ...] = ()
    """The photos and videos of its claim, of a kind whose letter carries them."""

    @property
    def goes_with(self) -> tuple[str | None, ...] | None:
        """What it has in common with the effects that it shares a digest with; None where it goes alone (rule 5.3).

        What is said to one reader alone, names a buyer's address or carries a buyer's photos stands in a letter of its own,
        which can be erased.
        """
        speaks_to = EFFECT_OF.get(self.kind)
        if speaks_to is None or speaks_to.goes_alone or self.files or self.details.get("tell") or self.details.get("address"):
            return None
        match speaks_to.party:
            case Party.supplier:
                return None if self.supplier is None else (self.kind, self.supplier)
            case Party.merchant:
                return self.kind, self.order.merchant_email, self.order.language
        return (self.kind,)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A rendered message that is not stored yet."""

    key: str
    kind: str
    channel: str
    recipient: str | None
    language: str
    subject: str
    body: str
    members: Mapping[int, int]
    """Its effects, each with the version of its order that the text was written from."""
    attachments: tuple[Attached, ...] = ()
    thread: str | None = None
    """The name of the order that it is about, if it is about one alone."""


@dataclass(frozen=True, slots=True)
class Through:
    """Channels that messages leave by: those that are named, or with `others` all but those."""

    names: frozenset[str] = frozenset()
    others: bool = False

    def has(self, channel: str) -> bool:
        """Say whether a channel is one of them."""
        return (channel in self.names) != self.others

    def holds(self, channel: ColumnElement[str]) -> ColumnElement[bool]:
        """Say the same in SQL."""
        return channel.not_in(self.names) if self.others else channel.in_(self.names)


ALL_CHANNELS = Through(others=True)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that is about to be sent, with its stored key and text. `tries` counts this one."""

    id: int
    key: str
    kind: str
    channel: str
    recipient: str | None
    subject: str
    body: str
    language: str
    written_at: datetime
    tries: int
    thread: str | None = None
    attachments: str | None = None
    """JSON of what it carries; `attached` reads it."""

    @property
    def attached(self) -> list[Attached]:
        """The files that it carries."""
        return [Attached(**one) for one in json.loads(self.attachments or "[]")]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a message that an owner was sending: sent, waiting (for the try at `again`), dead or parked."""

    message_id: int
    owner: str | None
    status: MessageStatus
    error: str | None = None
    again: datetime | None = None
    counts: bool = True
    """Whether it counts as a try."""


def ready(connection: Connection, at: datetime, limit: int) -> list[RowMapping]:
    """Return the rows of effects that may leave and that no message carries yet: the oldest, and all that goes with them.

    With each of the oldest come all others of its kind that wait for its reader, however many: they become one digest (rule
    5.3). Where these are more than `ROOM`, the digests that do not fit wait for their turn: all at once would fill the memory.
    """
    e = table_of(EffectRow)
    waiting = select(e).where(e.c.status == EffectStatus.ready, or_(e.c.next_try_at.is_(None), e.c.next_try_at <= at))
    in_turn = waiting.order_by(e.c.id).with_for_update()
    rows = [*connection.execute(in_turn.limit(limit)).mappings()]
    if len(rows) < limit:
        return rows
    readers, gathered = _readers(connection, rows), defaultdict[str, set[str]](set)
    for row in rows:
        if row["id"] in readers:
            gathered[row["kind"]].add(readers[row["id"]])
    later = dict[tuple[str, str], list[int]]()
    for kind, wanted in gathered.items():
        for key, reader in _later(connection, waiting, kind, wanted, rows[-1]["id"]):
            later.setdefault((kind, reader), []).append(key)
    taken, more, waits = set[tuple[str, str]](), list[int](), set[tuple[str, str]]()
    for row in rows:
        digest = row["kind"], readers.get(row["id"], "")
        if row["id"] not in readers or digest in taken or digest in waits:
            continue
        others = later.get(digest, [])
        if taken and len(more) + len(others) > ROOM:
            waits.add(digest)
            continue
        taken.add(digest)
        more += others
    rows = [row for row in rows if (row["kind"], readers.get(row["id"], "")) not in waits]
    for some in chunked(more):
        rows += connection.execute(in_turn.where(e.c.id.in_(some))).mappings()
    return rows


def _reader(kind: str) -> ColumnElement[str] | None:
    """Return by what the readers of a kind differ, in SQL; None where each of its letters goes alone."""
    e, o, speaks_to = table_of(EffectRow), table_of(OrderRow), EFFECT_OF.get(kind)
    if speaks_to is None or speaks_to.goes_alone:
        return None
    if speaks_to.party is Party.supplier:
        return e.c.supplier
    if speaks_to.party is Party.merchant:
        of_order = select(func.coalesce(o.c.merchant_email, "") + " " + o.c.language).where(o.c.id == e.c.order_id)
        return of_order.scalar_subquery()
    return literal("")


def _readers(connection: Connection, rows: Sequence[RowMapping]) -> dict[int, str]:
    """Return by what the reader of each effect differs from others; those are left out that go alone."""
    e, found = table_of(EffectRow), dict[int, str]()
    for kind in dict.fromkeys(row["kind"] for row in rows):
        reader = _reader(kind)
        if reader is not None:
            for some in chunked([row["id"] for row in rows if row["kind"] == kind]):
                told = connection.execute(select(e.c.id, reader).where(e.c.id.in_(some)))
                found |= {key: name for key, name in told if name is not None}
    return found


def _later(
    connection: Connection, waiting: Select[Any], kind: str, wanted: Iterable[str], last: int
) -> Iterator[tuple[int, str]]:
    """Yield the effects of a kind that wait for these readers behind the `last`, and for which of them."""
    e, reader = table_of(EffectRow), _reader(kind)
    assert reader is not None, "it does not go alone"
    behind = waiting.with_only_columns(e.c.id, reader).where(e.c.id > last, e.c.kind == kind, reader.in_([*wanted]))
    yield from ((key, name) for key, name in connection.execute(behind))


def read_effects(connection: Connection, rows: Sequence[RowMapping]) -> tuple[list[ReadyEffect], dict[int, Exception]]:
    """Return effects with the orders they are about; and those that cannot be read, with the reason, by id."""
    orders = _order_rows(connection, {row["order_id"] for row in rows})
    known = _known_of(connection, rows, orders)
    effects, unreadable = list[ReadyEffect](), dict[int, Exception]()
    for row in rows:
        try:
            effects.append(_ready(row, orders, known))
        except Exception as error:  # whatever is wrong with one row, the others go on
            unreadable[row["id"]] = error
    return effects, unreadable


def drop_pointless(connection: Connection, effects: Sequence[ReadyEffect], at: datetime) -> list[ReadyEffect]:
    """Drop effects that have lost their point while they waited; return the others (rule 5.7).

    That is what asks for a decision, or reminds of one, which stands no more, and what tells the merchant the same that a
    later one tells.
    """
    pointless = _answered(connection, effects) | _told_again(effects)
    e = table_of(EffectRow)
    for some in chunked(pointless):
        values = {"status": EffectStatus.dropped, "decided_by": "the process", "decided_at": at}
        connection.execute(update(e).where(e.c.id.in_(some)).values(values))
    return [one for one in effects if one.id not in pointless]


def _answered(connection: Connection, effects: Iterable[ReadyEffect]) -> set[int]:
    asking = [one for one in effects if one.details.get("about") in ("ask", "remind_decision")]
    d, standing = table_of(DecisionRow), set[tuple[int, int]]()
    for some in chunked({one.order_id for one in asking}):
        stands = select(d.c.order_id, d.c.number).where(d.c.order_id.in_(some), d.c.status == DecisionStatus.standing)
        standing |= {(order_id, number) for order_id, number in connection.execute(stands)}
    return {one.id for one in asking if (one.order_id, one.details.get("decision")) not in standing}


def _told_again(effects: Iterable[ReadyEffect]) -> set[int]:
    """Return those that tell the merchant of what the timer of a clock tells again by now."""
    latest, told_again = dict[tuple[int, str, Any], int](), set[int]()
    for one in sorted(effects, key=lambda one: one.id):
        if one.kind == "notify_merchant" and "nth" in one.details:
            about = one.order_id, str(one.details.get("about")), one.details.get("claim")
            told_again |= {latest[about]} if about in latest else set()
            latest[about] = one.id
    return told_again


def effect(connection: Connection, effect_id: int) -> ReadyEffect:
    """Return one effect, whatever its status, with the order it is about."""
    row = connection.execute(select(table_of(EffectRow)).where(col(EffectRow.id) == effect_id)).mappings().one()
    orders = _order_rows(connection, {row["order_id"]})
    return _ready(row, orders, _known_of(connection, [row], orders))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the orders of some effects: numbers of suppliers and parcels by order and attempt, open money, lines.

    `holds` is what was told when customs began to hold an order.
    """

    numbers: Mapping[tuple[int, int], str]
    missing: Missing
    lines: Mapping[int, Sequence[Line]]
    parcels: Mapping[tuple[int, int], Mapping[str, str]]
    holds: Mapping[int, Mapping[str, Any]]
    files: Mapping[tuple[int, int], Sequence[EvidenceFile]]


def _known_of(connection: Connection, rows: Sequence[RowMapping], orders: Collection[int]) -> _Known:
    return _Known(
        _supplier_numbers(connection, orders),
        _missing_money(connection, orders),
        _lines(connection, rows),
        _parcels(connection, rows),
        _holds(connection, rows),
        evidence_files.of_claims(connection, {row["order_id"] for row in rows if row["kind"] in CARRY_EVIDENCE}),
    )


def _parcels(connection: Connection, rows: Iterable[RowMapping]) -> dict[tuple[int, int], dict[str, str]]:
    """Return the tracking numbers of those orders whose letters name them, also behind their carriers, by order and attempt."""
    p, found = table_of(ParcelRow), defaultdict[tuple[int, int], dict[str, str]](dict)
    columns = p.c.order_id, p.c.attempt, p.c.tracking_number, p.c.carrier
    is_known = p.c.tracking_number.is_not(None) & p.c.same_as.is_(None)
    for some in chunked({row["order_id"] for row in rows if row["kind"] in _NAME_PARCELS}):
        query = select(*columns).where(p.c.order_id.in_(some), is_known).order_by(p.c.order_id, p.c.number)
        for order_id, attempt, number, carrier in connection.execute(query):
            found[order_id, attempt][number] = f"{carrier} {number}" if carrier else number
    return found


def _holds(connection: Connection, rows: Iterable[RowMapping]) -> dict[int, Mapping[str, Any]]:
    """Return what was told when customs began to hold orders, of those whose merchant is reminded of it, by order."""
    e, found = table_of(EffectRow), dict[int, Mapping[str, Any]]()
    for some in chunked({row["order_id"] for row in rows if row["kind"] == "customs_reminder"}):
        query = select(e.c.order_id, e.c.details).where(e.c.order_id.in_(some), e.c.kind == "customs_reminder")
        for order_id, details in connection.execute(query.order_by(e.c.order_id, e.c.sequence)):
            told = json.loads(details)
            if told.get("about") == "hold":
                found[order_id] = {name: told[name] for name in ("wants", "until", "tracking_number") if name in told}
    return found


def _lines(connection: Connection, rows: Iterable[RowMapping]) -> dict[int, list[Line]]:
    """Return the lines of those orders whose letters name goods, by order."""
    n, found = table_of(LineRow), defaultdict[int, list[Line]](list)
    columns = n.c.order_id, n.c.sku, n.c.title, n.c.quantity
    for some in chunked({row["order_id"] for row in rows if row["kind"] in _NAME_GOODS}):
        query = select(*columns).where(n.c.order_id.in_(some)).order_by(n.c.order_id, n.c.number)
        for key, sku, title, quantity in connection.execute(query):
            found[key].append(Line(sku, title, quantity))
    return found


def _supplier_numbers(connection: Connection, order_ids: Iterable[int]) -> dict[tuple[int, int], str]:
    """Return the numbers that suppliers know orders by, by order and attempt."""
    a, found = table_of(AttemptRow), dict[tuple[int, int], str]()
    columns = select(a.c.order_id, a.c.number, a.c.supplier_number).where(a.c.supplier_number.is_not(None))
    for some in chunked(order_ids):
        found |= {(key, number): told for key, number, told in connection.execute(columns.where(a.c.order_id.in_(some)))}
    return found


def _missing_money(connection: Connection, order_ids: Iterable[int]) -> Missing:
    """Return what is missing of the open refund of orders, and of the open recovery of each attempt.

    None where the sum is not known.
    """
    ledger, found = table_of(LedgerTableRow), dict[tuple[int, int | None], int | None]()
    columns = ledger.c.order_id, ledger.c.side, ledger.c.attempt, ledger.c.amount - func.coalesce(ledger.c.settled_amount, 0)
    is_open = ledger.c.status == LedgerStatus.requested
    for some in chunked(order_ids):
        for key, side, attempt, rest in connection.execute(select(*columns).where(ledger.c.order_id.in_(some), is_open)):
            found[key, None if side == LedgerSide.refund else attempt] = rest
    return found


def _ready(row: RowMapping, orders: Mapping[int, RowMapping], known: _Known) -> ReadyEffect:
    """Return an effect as a letter of it would be written now: of money it asks for what is missing then."""
    facts = {name: row[name] for name in ("id", "order_id", "sequence", "kind", "attempt", "supplier", "caused_at")}
    order_id, kind, stored = row["order_id"], row["kind"], orders[row["order_id"]]
    details = json.loads(row["details"])
    if kind == "customs_reminder":
        details = {**known.holds.get(order_id, {}), **details}
    asked = order_id, row["attempt"] if kind in _OF_SUPPLIERS else None
    if kind in (*_OF_SUPPLIERS, *_OF_THE_PLATFORM) and asked in known.missing:
        details["amount"] = known.missing[asked]
    parcels = known.parcels.get((order_id, row["attempt"]), {})
    named = parcels.get(str(details.get("tracking_number")))
    return ReadyEffect(
        **facts,
        details=details,
        order=case_mapper.read_order(stored),
        order_version=stored["version"],
        supplier_number=known.numbers.get((order_id, row["attempt"])),
        lines=tuple(known.lines.get(order_id, ())),
        parcels=(named,) if named else tuple(parcels.values()),
        files=tuple(known.files.get((order_id, details.get("claim") or 0), ())) if kind in CARRY_EVIDENCE else (),
    )


def set_back(connection: Connection, effect_id: int, at: datetime, error: str) -> bool:
    """Note that no message could be written for an effect; after the last try it is dead, and its order needs a person.

    Returns whether it is dead now.
    """
    e = table_of(EffectRow)
    mine = (e.c.id == effect_id) & (e.c.status == EffectStatus.ready)
    failed = connection.execute(
        update(e).where(mine).values(tries=e.c.tries + 1, error=error[:500]).returning(e.c.tries)
    ).scalar()
    if failed is None:
        return False  # it has been decided on meanwhile
    if failed >= TRIES:
        set_aside(connection, [effect_id], at, error[:500])
        return True
    connection.execute(update(e).where(mine).values(next_try_at=at + timedelta(seconds=2**failed)))
    return False


def write_messages(connection: Connection, messages: Sequence[NewMessage], at: datetime) -> None:
    """Store rendered messages with their members (rule 5.3)."""
    if not messages:
        return
    m, began = table_of(MessageRow), {"status": MessageStatus.waiting, "tries": 0, "written_at": at, "next_try_at": at}
    rows = [{**_values_of(message), **began} for message in messages]
    stored = connection.execute(insert(m).returning(m.c.id, sort_by_parameter_order=True), rows)
    members = [
        {"message_id": message_id, "effect_id": effect_id, "order_version": version}
        for message_id, message in zip(stored.scalars(), messages, strict=True)
        for effect_id, version in message.members.items()
    ]
    if members:
        connection.execute(insert(table_of(MemberRow)), members)
    carried = {effect_id for message in messages for effect_id in message.members}
    _set_effects(connection, dict.fromkeys(carried, EffectStatus.written))


def _values_of(message: NewMessage) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in NewMessage.__dataclass_fields__ if name != "members"}
    values["attachments"] = json.dumps([asdict(one) for one in message.attachments]) if message.attachments else None
    return values


def due(connection: Connection, at: datetime, limit: int, through: Through = ALL_CHANNELS) -> list[tuple[int, str]]:
    """Return the messages that may be sent now through some channels, with their kinds: what has waited longest first."""
    m = table_of(MessageRow)
    waits = (m.c.status == MessageStatus.waiting) & (m.c.next_try_at <= at) & through.holds(m.c.channel)
    query = select(m.c.id, m.c.kind).where(waits).order_by(m.c.next_try_at, m.c.id).limit(limit)
    return [(message_id, kind) for message_id, kind in connection.execute(query)]


def begin(connection: Connection, message_ids: Collection[int], owner: str, at: datetime) -> list[StoredMessage]:
    """Take messages to send them now, but for those that were dropped, or that another sender has taken, meanwhile."""
    m = table_of(MessageRow)
    still_due = m.c.id.in_(message_ids) & (m.c.status == MessageStatus.waiting) & (m.c.next_try_at <= at)
    values = {"status": MessageStatus.sending, "tries": m.c.tries + 1, "next_try_at": at, "owner": owner}
    columns = (m.c[name] for name in StoredMessage.__dataclass_fields__)
    rows = connection.execute(update(m).where(still_due).values(values).returning(*columns)).mappings()
    return sorted((StoredMessage(**row) for row in rows), key=lambda one: [*message_ids].index(one.id))


def let_go(connection: Connection, message_ids: Collection[int]) -> set[int]:
    """Let the effects of messages leave, as their first try begins; return which messages may, as they tell of them.

    If an effect was dropped or is held, or its order has moved on, its message is given up: what else that carries is written
    anew. An effect that has been tried through another channel leaves by this one too.
    """
    e, o, member = table_of(EffectRow), table_of(OrderRow), table_of(MemberRow)
    mine = select(member.c.effect_id).where(member.c.message_id.in_(message_ids))
    untried = e.c.id.in_(mine), e.c.status == EffectStatus.written
    fresh = {*connection.execute(update(e).where(*untried).values(status=EffectStatus.leaving).returning(e.c.id)).scalars()}
    tried = e.c.status.in_((EffectStatus.leaving, *STUCK))
    changed = or_(~tried, o.c.version != member.c.order_version, turns.is_held())
    joined = (
        select(member.c.message_id, e.c.id, tried, changed)
        .join(e, member.c.effect_id == e.c.id)
        .join(o, o.c.id == e.c.order_id)
    )
    carried = defaultdict[int, list[tuple[int, bool, bool]]](list)
    for message_id, effect_id, was_tried, has_changed in connection.execute(joined.where(member.c.message_id.in_(message_ids))):
        carried[message_id].append((effect_id, bool(was_tried), bool(has_changed)))
    leave = set[int]()
    for message_id in message_ids:
        mine_too = carried[message_id]
        is_fresh = any(effect_id in fresh for effect_id, _, _ in mine_too)
        if is_fresh:
            may_leave = not any(has_changed for _, _, has_changed in mine_too)
        else:  # one that carries nothing tells of no effect
            may_leave = not mine_too or any(was_tried for _, was_tried, _ in mine_too)
        if may_leave:
            leave.add(message_id)
        else:
            _give_up(connection, message_id, [effect_id for effect_id, _, _ in mine_too if effect_id in fresh])
    return leave


def _freed_key() -> ColumnElement[str]:
    """Return the key of a message that is dropped: another one may take the one that it had."""
    m = table_of(MessageRow)
    return m.c.key + ":" + cast(m.c.id, String)


def _any(connection: Connection, query: Select[Any]) -> bool:
    return connection.execute(query.limit(1)).first() is not None


def _give_up(connection: Connection, message_id: int, effect_ids: Iterable[int]) -> None:
    """Drop a message that was not tried, and those of other channels with it; let its effects be written anew.

    The key is free for the message that takes its place.
    """
    m, e, member = table_of(MessageRow), table_of(EffectRow), table_of(MemberRow)
    mine = select(member.c.effect_id).where(member.c.message_id == message_id)
    beside = m.c.id.in_(select(member.c.message_id).where(member.c.effect_id.in_(mine)))
    untried = or_(m.c.id == message_id, and_(m.c.status == MessageStatus.waiting, m.c.tries == 0))
    values = {"status": MessageStatus.dropped, "owner": None, "error": GIVEN_UP, "key": _freed_key()}
    connection.execute(update(m).where(beside, untried).values(values))
    for some in chunked(effect_ids):
        connection.execute(update(e).where(e.c.id.in_(some)).values(status=EffectStatus.ready))


def give_back(connection: Connection, owner: str, but: Collection[int], through: Through = ALL_CHANNELS) -> None:
    """Let messages wait again that an owner took for some channels and did not begin: all that it has taken but some."""
    m = table_of(MessageRow)
    taken = (m.c.status == MessageStatus.sending) & (m.c.owner == owner) & m.c.id.not_in(but) & through.holds(m.c.channel)
    connection.execute(update(m).where(taken).values(status=MessageStatus.waiting, tries=m.c.tries - 1))


def finish(connection: Connection, ended: Sequence[Ended], at: datetime) -> None:
    """Record what became of messages that their owners were sending; those that are not with them any more stay as they are."""
    together = defaultdict[tuple[Any, ...], list[int]](list)
    for one in ended:
        together[one.owner, one.status, one.error, one.again, one.counts].append(one.message_id)
    m, kinds = table_of(MessageRow), set[str]()
    for (owner, *told), message_ids in together.items():
        mine = m.c.id.in_(message_ids) & (m.c.status == MessageStatus.sending) & m.c.owner.is_not_distinct_from(owner)
        values = _as_ended(Ended(0, owner, *told), at)
        found = connection.execute(update(m).where(mine).values(values).returning(m.c.id, m.c.kind)).all()
        if found:
            _roll_up(connection, [message_id for message_id, _ in found], at, told[1])
            kinds |= {kind for _, kind in found}
    if not kinds.isdisjoint(turns.COME_BEFORE):
        turns.resume(connection, at)


def finish_alone(connection: Connection, ended: Ended, at: datetime, error: str) -> None:
    """Record what became of a message whose effects cannot be told of it: they stay as they are, which `check` names.

    It is not tried again: one that was to wait is parked.
    """
    status = MessageStatus.parked if ended.status is MessageStatus.waiting else ended.status
    values = {**_as_ended(ended, at), "status": status, "error": error[:500]}
    connection.execute(update(MessageRow).where(col(MessageRow.id) == ended.message_id).values(values))


def _as_ended(ended: Ended, at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"status": ended.status, "error": ended.error, "next_try_at": ended.again or at}
    if not ended.counts:
        values["tries"] = table_of(MessageRow).c.tries - 1
    return values | {"sent_at": at} if ended.status is MessageStatus.sent else values


def orphans(connection: Connection) -> list[tuple[int, str, str | None]]:
    """Return the messages whose owner ended while it was sending them: id, kind and owner."""
    m, h = table_of(MessageRow), table_of(HeartbeatRow)
    lives = select(h.c.daemon).where(h.c.daemon == m.c.owner, h.c.stopped_at.is_(None)).exists()
    query = select(m.c.id, m.c.kind, m.c.owner).where(text("messages.status = 'sending'"), ~lives)
    return [(key, kind, owner) for key, kind, owner in connection.execute(query)]


def next_try(connection: Connection) -> datetime | None:
    """Return when the next message, or effect that no message carries yet, is to be tried."""
    waiting = select(func.min(col(MessageRow.next_try_at))).where(text("messages.status = 'waiting'"))
    ready = select(func.min(func.coalesce(col(EffectRow.next_try_at), col(EffectRow.caused_at))))
    asked = (waiting, ready.where(text("effects.status = 'ready'")))
    return min((at for query in asked if (at := connection.execute(query).scalar()) is not None), default=None)


def something_leaves(connection: Connection, at: datetime) -> bool:
    """Say whether an effect may leave that no message carries yet, or a message is to be tried by `at`."""
    (cursor,) = dialect.at(connection).execute(connection, [_something_leaves(connection.dialect)], {"at": at})
    ((leaves,),) = cursor.fetchall()
    return bool(leaves)


@lru_cache
def _something_leaves(written_for: Dialect) -> Prepared:
    """Ask as the indexes have it: with a parameter in place of the status a prepared statement may not use them."""
    tried = col(EffectRow.next_try_at)
    ready = select(col(EffectRow.id)).where(
        text("effects.status = 'ready'"), or_(tried.is_(None), tried <= bindparam("at", None))
    )
    due = select(col(MessageRow.id)).where(
        text("messages.status = 'waiting'"), col(MessageRow.next_try_at) <= bindparam("at", None)
    )
    return prepare(select(or_(ready.exists(), due.exists())), written_for)


def change_status(
    connection: Connection, effect_ids: Iterable[int], old: EffectStatus, new: EffectStatus, by: str, at: datetime
) -> list[tuple[int, int]]:
    """Change the status of effects that still have the `old` one; return id and order of those that had."""
    changed: list[tuple[int, int]] = []
    e = table_of(EffectRow)
    fresh = {"status": new, "decided_by": by, "decided_at": at, "tries": 0, "next_try_at": None, "error": None}
    for some in chunked(effect_ids):
        swap = update(e).where(e.c.id.in_(some), e.c.status == old).values(**fresh)
        changed += [(key, order_id) for key, order_id in connection.execute(swap.returning(e.c.id, e.c.order_id))]
    return changed


def carried(connection: Connection, effect_ids: Iterable[int]) -> set[int]:
    """Return which of these effects a message carries that was not given up."""
    m, member, found = table_of(MessageRow), table_of(MemberRow), set[int]()
    lives = select(member.c.effect_id).join(m, m.c.id == member.c.message_id).where(m.c.status != MessageStatus.dropped)
    for some in chunked(effect_ids):
        found |= set(connection.execute(lives.where(member.c.effect_id.in_(some))).scalars())
    return found


def end_observation(connection: Connection, order_ids: Iterable[int]) -> None:
    """Let orders whose last held effect was decided cause effects like any other from now on (rule 5.4)."""
    held = (col(EffectRow.order_id) == col(OrderRow.id)) & (col(EffectRow.status) == EffectStatus.held)
    still_held = select(col(EffectRow.id)).where(held)
    for some in chunked(order_ids):
        live = col(OrderRow.id).in_(some) & ~still_held.exists()
        connection.execute(update(OrderRow).where(live).values(observed=False))


def observed_shops(connection: Connection) -> dict[str, int]:
    """Return how many orders of each shop are observed."""
    o = table_of(OrderRow)
    counted = select(o.c.shop, func.sum(case((o.c.observed, 1), else_=0))).group_by(o.c.shop)
    return {shop: int(count) for shop, count in connection.execute(counted)}


def held_kinds(connection: Connection, shop: str | None) -> list[tuple[str, bool, int]]:
    """Return how many effects of which kind are held, those caused by a person apart, of one shop or of all."""
    e, by_a_person = table_of(EffectRow), case((_caused_by_a_person(), 1), else_=0)
    caused = select(e.c.kind, by_a_person.label("by_a_person")).where(*_held(shop)).subquery()
    counted = select(caused, func.count()).group_by(*caused.c).order_by(*caused.c)
    return [(kind, bool(decided), count) for kind, decided, count in connection.execute(counted)]


def release(connection: Connection, shop: str | None, kind: str, mode: Mode, by: str, at: datetime) -> None:
    """Let held effects of a kind go on as a mode says; what a person has caused is not asked about again."""
    e = table_of(EffectRow)
    asked = case((_caused_by_a_person(), EffectStatus.ready), else_=EffectStatus.asked)
    values = {"status": asked if mode is Mode.ask else case_mapper.STATUS_BY_MODE[mode], "decided_by": by, "decided_at": at}
    connection.execute(update(e).where(*_held(shop), e.c.kind == kind).values(values))


def observe_no_more(connection: Connection, shop: str | None) -> None:
    """Let observed orders cause effects like any other from now on."""
    o = table_of(OrderRow)
    mine = o.c.shop == shop if shop is not None else true()
    connection.execute(update(o).where(o.c.observed, mine).values(observed=False))


def _caused_by_a_person() -> ColumnElement[bool]:
    e, h = table_of(EffectRow), table_of(HistoryTableRow)
    return exists().where(h.c.order_id == e.c.order_id, h.c.sequence == e.c.sequence, h.c.actor.startswith(PERSON))


def _held(shop: str | None) -> tuple[ColumnElement[bool], ...]:
    e, o = table_of(EffectRow), table_of(OrderRow)
    held = e.c.status == EffectStatus.held
    return (held,) if shop is None else (held, exists().where(o.c.id == e.c.order_id, o.c.shop == shop))


def change_stuck_messages(connection: Connection, effect_ids: Iterable[int], status: MessageStatus, at: datetime) -> None:
    """Change the status of the dead and parked messages that carry these effects; they may be tried at once.

    What else a dropped one carries may be written anew, under its key.
    """
    fresh: dict[str, Any] = {"status": status, "next_try_at": at, "tries": 0}
    if status is MessageStatus.dropped:
        fresh |= {"key": _freed_key()}
    for some in chunked(effect_ids):
        mine = select(col(MemberRow.message_id)).where(col(MemberRow.effect_id).in_(some))
        stuck = col(MessageRow.id).in_(mine) & col(MessageRow.status).in_(STUCK_MESSAGES)
        connection.execute(update(MessageRow).where(stuck).values(fresh))


def rename_supplier(connection: Connection, order_id: int, attempt: int, supplier: str) -> None:
    """Let what no message carries yet be for the supplier of an attempt by its other name; what is stuck too."""
    e = table_of(EffectRow)
    mine = (e.c.order_id == order_id) & (e.c.attempt == attempt) & e.c.status.in_((*UNSENT, EffectStatus.dead))
    connection.execute(update(e).where(mine).values(supplier=supplier))


def set_aside(connection: Connection, effect_ids: Sequence[int], at: datetime, error: str) -> None:
    """Make effects dead that no message can be written for; their orders need a person."""
    _set_effects(connection, dict.fromkeys(effect_ids, EffectStatus.dead), error=error)
    _ask_for_a_person(connection, effect_ids, at, error)


def may_leave(connection: Connection) -> tuple[int, int]:
    """Count the effects that no message carries yet, and the messages that wait or are being sent."""
    ready = select(func.count()).where(text("effects.status = 'ready'")).select_from(table_of(EffectRow))
    lives = select(func.count()).where(col(MessageRow.status).in_((MessageStatus.waiting, MessageStatus.sending)))
    return connection.execute(ready).scalar() or 0, connection.execute(lives).scalar() or 0


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many of what should have left before an instant have not."""

    effects: int
    """That may leave, and have no message."""
    messages: int
    """That wait to be tried, or are being sent."""
    carried: int
    """That messages carry which have all ended."""


def overdue(connection: Connection, before: datetime) -> Overdue:
    """Count what has waited to leave since before an instant."""
    e, m, members = table_of(EffectRow), table_of(MessageRow), table_of(MemberRow)
    may_leave = text("effects.status = 'ready'"), func.coalesce(e.c.next_try_at, e.c.decided_at, e.c.caused_at) < before
    tried = m.c.status.in_((MessageStatus.waiting, MessageStatus.sending)), m.c.next_try_at < before
    lives = m.c.status.in_((MessageStatus.waiting, MessageStatus.sending))
    carrying = select(m.c.id).join(members, members.c.message_id == m.c.id).where(members.c.effect_id == e.c.id, lives)
    left_behind = e.c.status.in_((EffectStatus.written, EffectStatus.leaving)), ~carrying.exists()
    counts = (connection.execute(select(func.count()).where(*which)).scalar() or 0 for which in (may_leave, tried, left_behind))
    return Overdue(*counts)


@dataclass(frozen=True, slots=True)
class Failing:
    """How many messages a channel could not send so far, that are tried again, and why the last of them failed."""

    channel: str
    count: int
    error: str


def failing(connection: Connection) -> list[Failing]:
    """Return the channels whose messages fail."""
    m = table_of(MessageRow)
    fails = text("messages.status = 'waiting'"), m.c.error.is_not(None)
    by_channel = select(m.c.channel, func.count(), func.max(m.c.id)).where(*fails).group_by(m.c.channel).order_by(m.c.channel)
    found = []
    for channel, count, newest in connection.execute(by_channel).all():
        error = connection.execute(select(m.c.error).where(m.c.id == newest)).scalar()
        found.append(Failing(channel, count, error or ""))
    return found


def _roll_up(connection: Connection, message_ids: Collection[int], at: datetime, error: str | None) -> None:
    """Give the effects of messages the status that their messages have together."""
    mine = select(col(MemberRow.effect_id)).where(col(MemberRow.message_id).in_(message_ids))
    joined = select(col(MemberRow.effect_id), col(MessageRow.status)).join(
        MessageRow, col(MessageRow.id) == col(MemberRow.message_id)
    )
    statuses: dict[int, set[MessageStatus]] = defaultdict(set)
    for effect_id, status in connection.execute(joined.where(col(MemberRow.effect_id).in_(mine))):
        statuses[effect_id].add(MessageStatus(status))
    together = {effect_id: _combined_status(of) for effect_id, of in statuses.items()}
    _set_effects(connection, together, error)
    _ask_for_a_person(connection, [key for key, status in together.items() if status in STUCK], at, error)


_TOGETHER = {
    MessageStatus.parked: EffectStatus.parked,
    MessageStatus.dead: EffectStatus.dead,
    MessageStatus.waiting: EffectStatus.leaving,
    MessageStatus.sending: EffectStatus.leaving,
    MessageStatus.sent: EffectStatus.sent,
    MessageStatus.dropped: EffectStatus.dropped,
}
"""The status of an effect by those of its messages: the first that one of them has."""


def _combined_status(statuses: set[MessageStatus]) -> EffectStatus:
    return next(of_effect for of_message, of_effect in _TOGETHER.items() if of_message in statuses)


def _ask_for_a_person(connection: Connection, effect_ids: Iterable[int], at: datetime, error: str | None) -> None:
    orders: set[int] = set()
    for some in chunked(effect_ids):
        orders |= set(connection.execute(select(col(EffectRow.order_id)).where(col(EffectRow.id).in_(some))).scalars())
    raise_flags(connection, [(order_id, "effect_stuck", at, error) for order_id in sorted(orders)])


def _set_effects(connection: Connection, statuses: dict[int, EffectStatus], error: str | None = None) -> None:
    by_status: dict[EffectStatus, list[int]] = defaultdict(list)
    for effect_id, status in statuses.items():
        by_status[status].append(effect_id)
    for status, ids in by_status.items():
        for some in chunked(ids):
            connection.execute(update(EffectRow).where(col(EffectRow.id).in_(some)).values(status=status, error=error))


def _order_rows(connection: Connection, order_ids: Iterable[int]) -> dict[int, RowMapping]:
    found: dict[int, RowMapping] = {}
    for some in chunked(order_ids):
        rows = connection.execute(select(table_of(OrderRow)).where(col(OrderRow.id).in_(some))).mappings()
        found |= {row["id"]: row for row in rows}
    return found
