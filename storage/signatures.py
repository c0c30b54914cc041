"""Signatures and columns of many orders: what grouped firing needs of them.

Left out are orders with an open claim, orders of which a person was asked to decide, and orders of a replacement chain: they
are fired one by one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache, reduce
from operator import add
from typing import Any

from sqlalchemy import Connection, Dialect, case, literal, or_, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage import dialect
from storage.prepared import Prepared, as_instant, as_texts, prepare
from storage.symbolic_case import EVEN_EMPTY, FIRST, VARYING
from storage.tables import AttemptRow, ClaimRow, LedgerTableRow, LineRow, OrderRow, TimerRow, table_of
from storage.timers import Due
from tracing.expressions import Columns
from workflow.case.canonical import kept_json
from workflow.case.case import Attempt, Case, Claim, LedgerRow, Line, Order, Timer
from workflow.process import LEFT_IN
from workflow.vocabulary import ClaimStatus, TimerStatus

Signature = tuple[Any, ...]


@dataclass(frozen=True)
class _Part:
    """What is read of a table: the columns that make up the signature, and those that vary."""

    model: type[SQLModel]
    key: str
    shared: tuple[str, ...]
    own: tuple[str, ...]

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """Which of the varying columns are instants."""
        types = table_of(self.model).c
        return tuple(at for at, name in enumerate(self.own) if isinstance(types[name].type, UTCDateTime))


_SHARED = ("state", "current", "returns_to", "cancelled", "gap", "historical", "unread", "timers_made", "version", "observed")
_STORED = tuple(name for name in VARYING[Case] if name != "lines")
assert VARYING[Case] == (*_STORED, "lines"), "the lines of an order are put behind its own columns"
_ORDERS = _Part(OrderRow, "id", (*_SHARED, "generation", "shop", "route", "currency"), (*VARYING[Order], *_STORED))
_ATTEMPTS = _Part(AttemptRow, "order_id", ("number",), VARYING[Attempt])
_TIMERS = _Part(
    TimerRow,
    "order_id",
    ("number", "trigger", "policy", "status", "nth", "ledger", "claim", "provisional", "paused_by"),
    VARYING[Timer],
)
_LEDGER = _Part(LedgerTableRow, "order_id", ("number", "side", "currency", "attempt", "claim", "status"), VARYING[LedgerRow])
_CLAIMS = _Part(
    ClaimRow,
    "order_id",
    ("number", "kind", "remedy", "status", "verdict", "chosen", "came_from", "went_back_to", "reopened", "verification_due"),
    VARYING[Claim],
)
_PARTS = (_ATTEMPTS, _TIMERS, _LEDGER, _CLAIMS)
_STATE, _LIST = _SHARED.index("state"), VARYING[Order].index("alternatives")
_LINES = _Part(LineRow, "order_id", (), ("sku", "quantity"))
_NO_LIST = kept_json([])


def read(
    connection: Connection, timers: Iterable[Due], at: datetime, *, asks_catalogue: bool = False
) -> dict[Signature, Columns]:
    """Return the columns of the timers' orders, by signature. Each timer is of another order.

    With `asks_catalogue`, the lines are read of those that may turn to a supplier of the catalogue.

    A signature begins with the timer's number. Orders that cannot be grouped are left out.
    """
    numbers = dict(timers)
    wanted = {"ids": dialect.at(connection).list_value(numbers)}
    read = dialect.at(connection).execute(connection, [_query(part, connection.dialect) for part in (_ORDERS, *_PARTS)], wanted)
    orders, *others = (_split(cursor.fetchall(), part) for cursor, part in zip(read, (_ORDERS, *_PARTS), strict=True))
    parts = [_by_order(rows) for rows in others]
    asking = (key for key, signature, own in orders if asks_catalogue and _may_ask_the_catalogue(signature, own))
    lines = _lines(connection, [*asking])
    alike: dict[Signature, list[tuple[Any, ...]]] = defaultdict(list)
    for key, signature, own in orders:
        signatures, values = [numbers[key], signature], (key, *own, lines.get(key, ()))
        for part in parts:
            theirs, more = part.get(key, _NO_ROWS)
            signatures.append(theirs)
            values += more
        alike[tuple(signatures)].append(values)
    return {
        signature: Columns([*zip(*rows, strict=True)], len(rows), _reads(signature), (at,)) for signature, rows in alike.items()
    }


def _may_ask_the_catalogue(signature: Signature, own: tuple[Any, ...]) -> bool:
    """Say whether a timer may let an order turn to a supplier of the catalogue."""
    return signature[_STATE] in LEFT_IN and own[_LIST] == _NO_LIST


def _lines(connection: Connection, order_ids: Sequence[int]) -> dict[int, tuple[Line, ...]]:
    """Return the lines of orders, as the catalogue is asked for them."""
    if not order_ids:
        return {}
    wanted = {"ids": dialect.at(connection).list_value(order_ids)}
    (cursor,) = dialect.at(connection).execute(connection, [_query(_LINES, connection.dialect)], wanted)
    found = defaultdict[int, list[Line]](list)
    for key, _, sku, quantity in cursor.fetchall():
        found[key].append(_line(sku, quantity))
    return {key: tuple(lines) for key, lines in found.items()}


@lru_cache(maxsize=10_000)
def _line(sku: str, quantity: int) -> Line:
    return Line(sku, quantity=quantity)


Row = tuple[int, Signature, tuple[Any, ...]]
"""A row's order, its part of the signature (with which columns are empty), and its varying values."""


_NO_ROWS: tuple[Signature, tuple[Any, ...]] = ((), ())


def _split(rows: Iterable[tuple[Any, ...]], part: _Part) -> list[Row]:
    end = 2 + len(part.shared)
    return [(row[0], row[1:end], row[end:]) for row in rows]


def _by_order(rows: Iterable[Row]) -> dict[int, tuple[Signature, tuple[Any, ...]]]:
    """Return the rows of a table by order."""
    found: dict[int, tuple[Signature, tuple[Any, ...]]] = {}
    for key, signature, own in rows:
        if key in found:
            signatures, values = found[key]
            found[key] = (*signatures, signature), values + own
        else:
            found[key] = (signature,), own
    return found


def _reads(signature: Signature) -> dict[int, Callable[[Any], Any]]:
    """Return how the values of a signature are parsed, by slot."""
    reads: dict[int, Callable[[Any], Any]] = {FIRST + _LIST: as_texts}
    slot = FIRST
    parts = [_ORDERS, *(part for part, rows in zip(_PARTS, signature[2:], strict=True) for _ in rows)]
    for part in parts:
        reads |= {slot + at: as_instant for at in part.instants}
        slot += len(part.own) + (part is _ORDERS)  # its lines
    return reads


@lru_cache
def _query(part: _Part, written_for: Dialect) -> Prepared:
    """Select the columns as stored, without SQLAlchemy's per-value processing."""
    t = table_of(part.model)
    stored = {name: type_coerce(t.c[name], NullType()) for name in (part.key, *part.shared, *part.own)}
    nullable = ((at, t.c[name]) for at, name in enumerate(part.own) if t.c[name].nullable and name not in EVEN_EMPTY)
    empty = [case((column.is_(None), 1 << at), else_=0) for at, column in nullable]
    query = select(
        *(stored[name] for name in (part.key, *part.shared)),
        reduce(add, empty) if empty else literal(0),
        *(stored[name] for name in part.own),
    )
    query = query.where(dialect.dialect_of(written_for).among(t.c[part.key], "ids"))
    if part is _ORDERS:
        c = table_of(ClaimRow)
        open_claim = select(c.c.number).where(c.c.order_id == t.c.id, c.c.status == ClaimStatus.open).exists()
        query = query.where(or_(t.c.claims_made == 0, ~open_claim), t.c.chain.is_(None), t.c.decisions_made == 0)
    if part is _TIMERS:
        query = query.where(t.c.status.in_((TimerStatus.pending, TimerStatus.paused)))
    return prepare(query if part is _ORDERS else query.order_by(t.c.order_id, t.c.number), written_for)
