"""Cases read from the tables: one statement a table for all orders, as raw rows of the driver.

SQLAlchemy compiles the statements and the driver executes them; its per-row and per-value processing would take twice
as long as everything else.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Dialect,
    bindparam,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import NullType
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage import dialect
from storage.prepared import Prepared, as_texts, prepare
from storage.row_sets import UNSENT
from storage.tables import (
    AttemptRow,
    ClaimRow,
    DecisionRow,
    EffectRow,
    HistoryTableRow,
    LedgerTableRow,
    LineRow,
    OrderRow,
    ParcelRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.case.case import PERSONAL, Attempt, Case, Claim, Decision, LedgerRow, Line, Order, Parcel, Report, Timer, made
from workflow.process import LEFT_IN, PARCEL_REPORTS
from workflow.values import value_class
from workflow.vocabulary import State, words_of

Rows = Sequence[Sequence[Any]]
Read = Callable[[Any], Any]


def _news(stored: str) -> tuple[tuple[datetime, str], ...]:
    return tuple((_utc(at), trigger) for at, trigger in json.loads(stored))


def _utc(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _pieces(stored: str) -> tuple[tuple[int, int], ...]:
    return tuple((line, quantity) for line, quantity in json.loads(stored))


_JSON: Mapping[str, Read] = {
    "alternatives": as_texts,
    "news": _news,
    "pieces": _pieces,
    "evidence": as_texts,
    "fields": json.loads,
}
"""How the columns that hold JSON are read."""


@value_class(frozen=True)
class Source:
    """What is read of one table: its columns, and what a row becomes.

    The first column is the order's id; the others are the fields of `kind` in their order, but for the orders' own table.
    """

    model: type[SQLModel]
    kind: type[Any]
    names: tuple[str, ...]
    condition: str | None = None
    """Literal, so that a partial index serves it."""

    @cached_property
    def reads(self) -> tuple[tuple[int, Read], ...]:
        """Which columns are not taken as the driver gives them, and how they are read."""
        types, words = table_of(self.model).c, words_of(self.kind)
        reads: dict[str, Read] = {name: read for name, read in _JSON.items() if name in self.names}
        reads |= {name: {str(word): word for word in words[name]}.__getitem__ for name in words.keys() & {*self.names}}
        reads |= {name: bool for name in self.names if isinstance(types[name].type, Boolean)}
        return tuple((self.names.index(name), read) for name, read in reads.items())

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """Which columns are instants."""
        types = table_of(self.model).c
        return tuple(at for at, name in enumerate(self.names) if isinstance(types[name].type, UTCDateTime))

    def read(self, rows: Rows, *, instants_are_texts: bool) -> Rows:
        """Return rows with their values read, column by column."""
        columns: list[Sequence[Any]] = [*zip(*rows, strict=True)]
        if not columns:
            return ()
        for at, read in self.reads:
            columns[at] = [value if value is None else read(value) for value in columns[at]]
        if instants_are_texts:
            read_text = datetime.fromisoformat
            for at in self.instants:
                columns[at] = [value if value is None else read_text(f"{value}+00:00") for value in columns[at]]
        return [*zip(*columns, strict=True)]


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


_FACTS = _names(Order)
_STANDING = (
    "state",
    "since",
    "current",
    "returns_to",
    "cancelled",
    "gap",
    "historical",
    "unread",
    "carrier_status",
    "timers_made",
)
_LAST = ("last_hash", "salt", "version")
_STANDING_FIELDS = (*_STANDING, "last_hash", "salt", "steps")
_ORDERS = Source(OrderRow, Case, ("id", "claims_made", "decisions_made", "observed", "erased", *_FACTS, *_STANDING, *_LAST))
_STATE, _ALTERNATIVES = _ORDERS.names.index("state"), _ORDERS.names.index("alternatives")
_FACTS_BEGIN, _FACTS_END = _ORDERS.names.index(_FACTS[0]), _ORDERS.names.index(_STANDING[0])
_ATTEMPTS = Source(AttemptRow, Attempt, ("order_id", *_names(Attempt)))
_PARCELS = Source(ParcelRow, Parcel, ("order_id", *_names(Parcel)))
_TIMERS = Source(TimerRow, Timer, ("order_id", *_names(Timer)), "timers.status IN ('pending', 'paused', 'waiting')")
_LEDGER = Source(LedgerTableRow, LedgerRow, ("order_id", *_names(LedgerRow)))
_CLAIMS = Source(ClaimRow, Claim, ("order_id", *_names(Claim)))
_DECISIONS = Source(DecisionRow, Decision, ("order_id", *_names(Decision)))
_LINES = Source(LineRow, Line, ("order_id", *_names(Line)))
_REPORT = ("order_id", "trigger", "occurred", "source", "key", "actor", "fields", "nth", "id")
_ASKING = Source(ReportRow, Report, _REPORT, "reports.verdict = 'waiting'")
_AMENDED = Source(ReportRow, Report, _REPORT, "reports.trigger = 'amend' AND reports.verdict = 'applied'")
_OF_PARCELS = f"reports.trigger IN ({', '.join(repr(trigger) for trigger in PARCEL_REPORTS)})"
_CORRECTS_NONE = """(reports.nth = 1 OR NOT EXISTS (SELECT 1 FROM reports told WHERE told.order_id = reports.order_id
    AND told.source = reports.source AND told.key = reports.key AND told.verdict = 'applied'))"""
_KEPT = "reports.verdict IN ('exception', 'refused') AND reports.resolved_at IS NULL"
_WAITING = Source(ReportRow, Report, _REPORT, f"{_KEPT} AND {_OF_PARCELS} AND {_CORRECTS_NONE}")


@value_class(frozen=True, slots=True)
class StoredCase:
    """A case as it stands in the database, with what concerns storage alone."""

    order_id: int
    case: Case
    observed: bool
    erased: bool


def read_cases(connection: Connection, order_ids: Collection[int], *, for_timers: bool, lock: bool) -> dict[int, StoredCase]:
    """Read the cases of orders by id.

    `for_timers` leaves out what no timed transition reads: parcels, kept reports, and the lines of orders without claims that
    no timer lets turn to a supplier of the catalogue. With `lock`, PostgreSQL locks the orders and the first orders of their
    chains, always in the order of their ids.
    """
    orders = _order_rows(connection, order_ids, lock=lock)  # before their parts are read
    claimed, everything = [key for key, claims_made, *_ in orders if claims_made], sorted(order_ids)
    asked = [key for key, _, decisions_made, *_ in orders if decisions_made]
    attempts, timers, ledger = _parts(connection, everything, _ATTEMPTS, _TIMERS, _LEDGER)
    (claims,) = _parts(connection, claimed, _CLAIMS)
    (lines,) = _parts(connection, [*claimed, *_left_by_timers(orders)] if for_timers else everything, _LINES)
    parcels, waiting = _parts(connection, () if for_timers else everything, _PARCELS, _WAITING)
    decisions, asking = _parts(connection, asked, _DECISIONS, _ASKING)
    (amended,) = _parts(connection, () if for_timers else everything, _AMENDED)
    unsent = {} if for_timers else _unsent_requests(connection, orders, lock=lock)
    read = {}
    for row in orders:
        key, _, _, observed, erased = row[:_FACTS_BEGIN]
        parts = {
            "attempts": tuple(attempts.get(key, ())),
            "parcels": tuple(parcels.get(key, ())),
            "timers": tuple(timers.get(key, ())),
            "ledger": tuple(ledger.get(key, ())),
            "claims": tuple(claims.get(key, ())),
            "lines": tuple(lines.get(key, ())),
            "waiting": tuple(waiting.get(key, ())),
            "decisions": tuple(decisions.get(key, ())),
            "asking": tuple(asking.get(key, ())),
            "former_buyer": _former_buyer(amended[key]) if key in amended else (),
            "unsent_request": unsent.get(key),
        }
        read[key] = StoredCase(key, _case(row, parts), observed, erased)
    return read


def _order_rows(connection: Connection, order_ids: Collection[int], *, lock: bool) -> Rows:
    wanted = set(order_ids)
    locks = lock and dialect.at(connection).is_shared
    if locks:
        found = _execute(connection, [_chain_heads(connection.dialect)], order_ids)
        wanted |= {key for (key,) in found[0]}
    (rows,) = _execute(connection, [_query(_ORDERS, connection.dialect, lock=locks)], wanted)
    asked = set(order_ids)
    return _ORDERS.read([row for row in rows if row[0] in asked], instants_are_texts=_are_texts(connection))


def _left_by_timers(orders: Rows) -> list[int]:
    """Return the orders that a timer may let turn to a supplier of the catalogue, by what they hold (rule 2.20)."""
    return [row[0] for row in orders if row[_STATE] in LEFT_IN and not row[_ALTERNATIVES]]


def _former_buyer(amended: Iterable[Report]) -> tuple[str, ...]:
    """Return what was known of a buyer before it was amended."""
    was = (one.fields.get(f"was_{name}") for one in amended for name in PERSONAL)
    return tuple(str(value) for value in was if value is not None)


def _unsent_requests(connection: Connection, orders: Rows, *, lock: bool) -> dict[int, str]:
    """Return which trigger asked for the refund of those orders whose request has not left (rule 2.13).

    With `lock`, PostgreSQL locks the requests, so that no sender takes them before the orders are stored.
    """
    refunding = [row[0] for row in orders if row[_STATE] is State.refunding]
    if not refunding:
        return {}
    locks = lock and dialect.at(connection).is_shared
    (found,) = _execute(connection, [_requests(connection.dialect, lock=locks)], refunding)
    return dict(found)


@lru_cache
def _requests(written_for: Dialect, *, lock: bool) -> Prepared:
    e, h, kind = table_of(EffectRow), table_of(HistoryTableRow), dialect.dialect_of(written_for)
    unsent = e.c.status.in_(bindparam(None, UNSENT, expanding=True, literal_execute=True))
    caused = (h.c.order_id == e.c.order_id) & (h.c.sequence == e.c.sequence)
    query = select(e.c.order_id, h.c.trigger).join(h, caused).where(text("effects.kind = 'request_refund'"), unsent)
    query = query.where(kind.among(e.c.order_id, "ids")).order_by(e.c.id)
    return prepare(kind.locked(query) if lock else query, written_for)


def _parts(connection: Connection, order_ids: Sequence[int], *sources: Source) -> list[dict[int, list[Any]]]:
    """Return what the rows of tables become, by order, each order's in the order of their keys."""
    if not order_ids:
        return [{} for _ in sources]
    queries, are_texts = [_query(source, connection.dialect) for source in sources], _are_texts(connection)
    found = []
    for rows, source in zip(_execute(connection, queries, order_ids), sources, strict=True):
        by_order: dict[int, list[Any]] = defaultdict(list)
        names = _names(source.kind)
        for row in source.read(rows, instants_are_texts=are_texts):
            by_order[row[0]].append(made(source.kind, dict(zip(names, row[1:], strict=True))))
        found.append(by_order)
    return found


def _are_texts(connection: Connection) -> bool:
    """Say whether the database keeps instants as texts."""
    return dialect.at(connection).instant_text is not None


def _execute(connection: Connection, statements: Sequence[Prepared], order_ids: Iterable[int]) -> list[list[tuple[Any, ...]]]:
    listed = dialect.at(connection).list_value(sorted(order_ids))
    return [cursor.fetchall() for cursor in dialect.at(connection).execute(connection, statements, {"ids": listed})]


@lru_cache
def _query(source: Source, written_for: Dialect, *, lock: bool = False) -> Prepared:
    t, kind = table_of(source.model), dialect.dialect_of(written_for)
    key = t.c[source.names[0]]
    stored = (type_coerce(t.c[name], NullType()).label(name) for name in source.names)
    query: Any = select(*stored).where(kind.among(key, "ids"))
    query = query.where(text(source.condition)) if source.condition else query
    query = query.order_by(*t.primary_key.columns)
    return prepare(kind.locked(query) if lock else query, written_for)


@lru_cache
def _chain_heads(written_for: Dialect) -> Prepared:
    """Select the first orders of the orders' chains. A query of its own: as a condition it scanned the whole table."""
    mine, first = table_of(OrderRow).alias("mine"), table_of(OrderRow).alias("first")
    same = (first.c.shop == mine.c.shop) & (first.c.number == mine.c.chain)
    among = dialect.dialect_of(written_for).among(mine.c.id, "ids")
    return prepare(select(first.c.id).join(mine, same).where(among, mine.c.chain.is_not(None)), written_for)


def _case(row: Sequence[Any], parts: dict[str, Any]) -> Case:
    order = made(Order, dict(zip(_FACTS, row[_FACTS_BEGIN:_FACTS_END], strict=True)))
    whole = _NOTHING_YET | parts
    whole.update(zip(_STANDING_FIELDS, row[_FACTS_END:], strict=True), order=order)
    return made(Case, whole)


_NOTHING_YET = {one.name: one.default for one in fields(Case) if one.default is not MISSING} | {"known": {}}
"""What is not read of an order: its chain, and what is known of new orders."""
