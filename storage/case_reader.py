"""Cases read from the tables: one statement a table for all orders, as raw rows of the driver.

SQLAlchemy compiles the statements and the driver executes them; its per-row and per-value processing would take twice
as long as everything else.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    Connection,
    Dialect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import NullType
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage import dialect
from storage.prepared import Prepared, as_instant, execute_prepared, prepare
from storage.tables import AttemptRow, ClaimRow, LedgerTableRow, LineRow, OrderRow, ReportRow, TimerRow, table_of
from workflow.case.case import Attempt, Case, Claim, LedgerRow, Line, Order, Report, Timer
from workflow.process import PARCEL_REPORTS
from workflow.vocabulary import ClaimStatus, LedgerSide, LedgerStatus, State, TimerStatus

Part = TypeVar("Part")
Values = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """What is read of one table: its columns, the first of which is the order's id."""

    model: type[SQLModel]
    names: tuple[str, ...]
    condition: str | None = None
    """Literal, so that a partial index serves it."""

    @cached_property
    def instants(self) -> tuple[str, ...]:
        """The columns that are instants."""
        types = table_of(self.model).c
        return tuple(name for name in self.names if isinstance(types[name].type, UTCDateTime))

    @cached_property
    def booleans(self) -> tuple[str, ...]:
        """The columns that SQLite returns as numbers and that are truth values."""
        types = table_of(self.model).c
        return tuple(name for name in self.names if isinstance(types[name].type, Boolean))

    def values(self, row: Sequence[Any]) -> Values:
        """Return the columns of a row by name, instants and truth values as such."""
        values = dict(zip(self.names, row, strict=True))
        for name in self.instants:
            if values[name] is not None:
                values[name] = as_instant(values[name])
        for name in self.booleans:
            values[name] = bool(values[name])
        return values


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


_FACTS = _names(Order)
_STANDING = ("state", "since", "current", "returns_to", "cancelled", "gap", "historical", "carrier_status", "timers_made")
_ORDERS = Source(OrderRow, ("id", *_FACTS, *_STANDING, "claims_made", "version", "last_hash", "salt", "observed", "erased"))
_ATTEMPTS = Source(AttemptRow, ("order_id", *_names(Attempt)))
_TIMERS = Source(TimerRow, ("order_id", *_names(Timer)), "timers.status IN ('pending', 'paused')")
_LEDGER = Source(LedgerTableRow, ("order_id", *_names(LedgerRow)))
_CLAIMS = Source(ClaimRow, ("order_id", *_names(Claim)))
_LINES = Source(LineRow, ("order_id", "number", *_names(Line)))
_WAITING = Source(
    ReportRow,
    ("order_id", "trigger", "occurred", "source", "key", "actor", "fields", "id"),
    "reports.verdict IN ('exception', 'refused') AND reports.resolved_at IS NULL AND reports.trigger IN "
    f"({', '.join(repr(trigger) for trigger in PARCEL_REPORTS)})",
)


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case as it stands in the database, with what concerns storage alone."""

    order_id: int
    case: Case
    observed: bool
    erased: bool


def read_cases(connection: Connection, order_ids: Collection[int], *, for_timers: bool, lock: bool) -> dict[int, StoredCase]:
    """Read the cases of orders by id.

    `for_timers` leaves out what no timed transition reads: the lines of orders without claims. With `lock`, PostgreSQL
    locks the orders and the first orders of their chains, always in the order of their ids.
    """
    orders = _order_rows(connection, order_ids, lock=lock)  # before their parts are read
    claimed = [row["id"] for row in orders if row["claims_made"]]
    wanted = sorted(order_ids)
    attempts, timers, ledger, waiting = _parts(
        connection, wanted, (_ATTEMPTS, _attempt), (_TIMERS, _timer), (_LEDGER, _ledger_row), (_WAITING, _report)
    )
    (claims,) = _parts(connection, claimed, (_CLAIMS, _claim))
    (lines,) = _parts(connection, claimed if for_timers else wanted, (_LINES, _line))
    read = {}
    for row in orders:
        key = row["id"]
        parts = {
            "attempts": tuple(attempts[key]),
            "timers": tuple(timers[key]),
            "ledger": tuple(ledger[key]),
            "claims": tuple(claims[key]),
            "lines": tuple(lines[key]),
            "waiting": tuple(waiting[key]),
        }
        read[key] = StoredCase(key, _case(row, parts), row["observed"], row["erased"])
    return read


def _order_rows(connection: Connection, order_ids: Collection[int], *, lock: bool) -> list[Values]:
    wanted = set(order_ids)
    locks = lock and dialect.at(connection).is_shared
    if locks:
        found = _execute(connection, [_chain_heads(connection.dialect)], order_ids)
        wanted |= {key for (key,) in found[0]}
    (rows,) = _execute(connection, [_query(_ORDERS, connection.dialect, lock=locks)], wanted)
    asked = set(order_ids)
    return [_ORDERS.values(row) for row in rows if row[0] in asked]


Make = Callable[[Values], Any]


def _parts(connection: Connection, order_ids: Sequence[int], *sources: tuple[Source, Make]) -> list[dict[int, list[Any]]]:
    """Return the rows of tables by order, each order's in the order of their keys."""
    if not order_ids:
        return [defaultdict(list) for _ in sources]
    queries = [_query(source, connection.dialect) for source, _ in sources]
    found = []
    for rows, (source, make) in zip(_execute(connection, queries, order_ids), sources, strict=True):
        by_order: dict[int, list[Any]] = defaultdict(list)
        for row in rows:
            values = source.values(row)
            by_order[values.pop("order_id")].append(make(values))
        found.append(by_order)
    return found


def _execute(connection: Connection, statements: Sequence[Prepared], order_ids: Iterable[int]) -> list[list[tuple[Any, ...]]]:
    listed = dialect.at(connection).list_value(sorted(order_ids))
    return [cursor.fetchall() for cursor in execute_prepared(connection, statements, {"ids": listed})]


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


_facts_of = itemgetter(*_FACTS)


def _case(row: Values, parts: Values) -> Case:
    row["alternatives"] = tuple(json.loads(row["alternatives"]))
    standing = {name: row[name] for name in _STANDING}
    standing["state"] = State(row["state"])
    standing["returns_to"] = State(row["returns_to"]) if row["returns_to"] else None
    kept = {"steps": row["version"], "last_hash": row["last_hash"], "salt": row["salt"]}
    return Case(order=Order(*_facts_of(row)), **standing, **kept, **parts)


def _made(kind: type[Part], values: Values) -> Part:
    """Make a dataclass without slots from all of its fields; its `__init__` would take ten times as long."""
    made = object.__new__(kind)
    object.__setattr__(made, "__dict__", values)
    return made


def _attempt(values: Values) -> Attempt:
    parcel = values["parcel"]
    values["parcel"] = () if parcel == "[]" else tuple((_utc(at), trigger) for at, trigger in json.loads(parcel))
    return _made(Attempt, values)


def _utc(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _timer(values: Values) -> Timer:
    values["status"] = TimerStatus(values["status"])
    return _made(Timer, values)


def _ledger_row(values: Values) -> LedgerRow:
    values["side"], values["status"] = LedgerSide(values["side"]), LedgerStatus(values["status"])
    return _made(LedgerRow, values)


def _claim(values: Values) -> Claim:
    values["pieces"] = tuple((line, quantity) for line, quantity in json.loads(values["pieces"]))
    values["evidence"] = tuple(json.loads(values["evidence"]))
    values["status"] = ClaimStatus(values["status"])
    values["came_from"] = State(values["came_from"])
    values["went_back_to"] = State(values["went_back_to"]) if values["went_back_to"] else None
    return _made(Claim, values)


def _line(values: Values) -> Line:
    del values["number"]
    return Line(**values)


def _report(values: Values) -> Report:
    fields: Mapping[str, Any] = json.loads(values["fields"])
    return Report(values["trigger"], values["occurred"], values["source"], values["key"], values["actor"], fields, values["id"])
