"""Many orders as their timers see them: the shape that they share with others, and the values that are their own.

What the process would need to look at in full is left to the case file: orders with claims, and those of a chain.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache, reduce
from operator import add
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Dialect, bindparam, case, column, func, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage.quick import Prepared, as_instant, carry_out, prepare
from storage.tables import AttemptRow, LedgerTableRow, OrderRow, TimerRow, table_of
from storage.timers import Due
from workflow.columns import Columns, Read
from workflow.order import Attempt, Case, LedgerRow, Order, Timer
from workflow.outline import FIRST, OWN

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class _Part:
    """What is read of a table: the columns that make up the shape, and those that are each order's own."""

    model: type[SQLModel]
    key: str
    shared: tuple[str, ...]
    own: tuple[str, ...]

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """Which of its own columns are instants."""
        types = table_of(self.model).c
        return tuple(at for at, name in enumerate(self.own) if isinstance(types[name].type, UTCDateTime))


_SHARED = ("state", "current", "returns_to", "cancelled", "gap", "historical", "timers_made", "version", "observed")
_ORDERS = _Part(OrderRow, "id", (*_SHARED, "generation", "shop", "route", "currency"), (*OWN[Order], *OWN[Case]))
_ATTEMPTS = _Part(AttemptRow, "order_id", ("number",), OWN[Attempt])
_TIMERS = _Part(
    TimerRow,
    "order_id",
    ("number", "trigger", "policy", "status", "nth", "ledger", "claim", "provisional", "paused_by"),
    OWN[Timer],
)
_LEDGER = _Part(LedgerTableRow, "order_id", ("number", "side", "currency", "attempt", "claim", "status"), OWN[LedgerRow])
_PARTS = (_ATTEMPTS, _TIMERS, _LEDGER)
_LIST = OWN[Order].index("alternatives")


def read(connection: Connection, timers: Iterable[Due], at: datetime) -> dict[Shape, Columns]:
    """Return the outlines of the orders of timers, each of another order, by the shape that they share.

    A shape begins with the number of the timer. Left out are the orders that have no outline.
    """
    numbers, sqlite = dict(timers), connection.dialect.name == "sqlite"
    ids = json.dumps([*numbers])
    wanted = {"ids": ids if sqlite else f"{{{ids[1:-1]}}}"}
    read = carry_out(connection, [_query(part, connection.dialect) for part in (_ORDERS, *_PARTS)], wanted)
    orders, *others = (_split(cursor.fetchall(), part) for cursor, part in zip(read, (_ORDERS, *_PARTS), strict=True))
    parts = [_by_order(rows) for rows in others]
    alike: dict[Shape, list[tuple[Any, ...]]] = defaultdict(list)
    for key, shape, own in orders:
        shapes, values = [numbers[key], shape], (key, *own)
        for part in parts:
            if key in part:
                theirs, more = part[key]
                shapes.append(theirs)
                values += more
            else:
                shapes.append(())
        alike[tuple(shapes)].append(values)
    return {shape: Columns([*zip(*rows, strict=True)], len(rows), _reads(shape), (at,)) for shape, rows in alike.items()}


Row = tuple[int, Shape, tuple[Any, ...]]
"""A row's order, its share of the shape (with what is empty), and its own values."""


def _split(rows: Iterable[tuple[Any, ...]], part: _Part) -> list[Row]:
    end = 2 + len(part.shared)
    return [(row[0], row[1:end], row[end:]) for row in rows]


def _by_order(rows: Iterable[Row]) -> dict[int, tuple[Shape, tuple[Any, ...]]]:
    """Return the rows of a part, those of one order together."""
    found: dict[int, tuple[Shape, tuple[Any, ...]]] = {}
    for key, shape, own in rows:
        if key in found:
            shapes, values = found[key]
            found[key] = (*shapes, shape), values + own
        else:
            found[key] = (shape,), own
    return found


def _reads(shape: Shape) -> dict[int, Read]:
    """Return how the values of a shape are read, by their places."""
    reads: dict[int, Read] = {FIRST + _LIST: _names}
    place = FIRST
    parts = [_ORDERS, *(part for part, rows in zip(_PARTS, shape[2:], strict=True) for _ in rows)]
    for part in parts:
        reads |= {place + at: as_instant for at in part.instants}
        place += len(part.own)
    return reads


@lru_cache
def _query(part: _Part, dialect: Dialect) -> Prepared:
    """Select the columns as they are stored, past the layers that would look at each value."""
    t = table_of(part.model)
    stored = {name: type_coerce(t.c[name], NullType()) for name in (part.key, *part.shared, *part.own)}
    empty = [case((t.c[name].is_(None), 1 << at), else_=0) for at, name in enumerate(part.own) if t.c[name].nullable]
    query = select(
        *(stored[name] for name in (part.key, *part.shared)), reduce(add, empty), *(stored[name] for name in part.own)
    )
    if dialect.name == "sqlite":
        listed = func.json_each(bindparam("ids", None)).table_valued("value")
        query = query.where(t.c[part.key].in_(select(column("value")).select_from(listed)))
    else:
        query = query.where(t.c[part.key] == func.any(bindparam("ids", None, type_=ARRAY(BigInteger))))
    if part is _ORDERS:
        query = query.where(t.c.claims_made == 0, t.c.chain.is_(None))
    if part is _TIMERS:
        query = query.where(t.c.status.in_(("pending", "paused")))
    return prepare(query if part is _ORDERS else query.order_by(t.c.order_id, t.c.number), dialect)


@lru_cache(maxsize=10_000)
def _names(stored: str) -> tuple[str, ...]:
    return tuple(json.loads(stored))
