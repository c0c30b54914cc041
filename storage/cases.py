"""Cases loaded, and all that a batch of steps writes stored together or not at all."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, RowMapping, Select, Text, bindparam, cast, column, func, or_, select, update
from sqlmodel import SQLModel, col

from storage import case_mapper, locks
from storage.attention import raise_flags
from storage.bulk import insert_rows, update_rows
from storage.case_changes import INSERT_ORDER, KEYS, CaseChange, row_changes
from storage.chunks import chunked
from storage.locks import Lock
from storage.notifications import notify_daemons
from storage.prepared import Prepared, execute_prepared, prepare
from storage.tables import (
    AttemptRow,
    ClaimRow,
    EffectRow,
    LedgerTableRow,
    LineRow,
    OrderRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.case.case import Case
from workflow.errors import OrderChanged
from workflow.process import PARCEL_REPORTS

Identity = tuple[str, str]
"""Shop and number of an order."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A case as it stands in the database."""

    order_id: int
    case: Case
    observed: bool
    """Whether its effects are held until a person has decided on the first (rule 5.4)."""
    erased: bool
    """Whether its buyer was erased (rule 6.4)."""


def find(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, int]:
    """Return the ids of the orders that are known."""
    wanted = set(identities)
    numbers = case_mapper.dump(sorted({number for _, number in wanted}))
    (cursor,) = execute_prepared(connection, [_by_number(connection.dialect)], {"numbers": numbers})
    return {(shop, number): order_id for shop, number, order_id in cursor.fetchall() if (shop, number) in wanted}


@lru_cache
def _by_number(dialect: Dialect) -> Prepared:
    """Look numbers up that come as one JSON list: thousands of parameters cost more than the looking up."""
    o, numbers = table_of(OrderRow), bindparam("numbers", None, type_=Text)
    named: Select[Any]
    if dialect.name == "sqlite":
        named = select(column("value")).select_from(func.json_each(numbers).table_valued("value"))
    else:
        named = select(func.json_array_elements_text(cast(numbers, JSON)))
    return prepare(select(o.c.shop, o.c.number, o.c.id).where(o.c.number.in_(named)).order_by(o.c.id), dialect)


def load(connection: Connection, order_ids: Iterable[int], *, for_timers: bool = False, lock: bool = True) -> dict[int, Stored]:
    """Load the cases of orders. With `lock`, PostgreSQL locks them until the transaction ends.

    `for_timers` leaves out what no timer looks at: the lines of orders that nothing was claimed of.
    """
    stored: dict[int, Stored] = {}
    for some in chunked(order_ids):
        orders = _order_rows(connection, some, lock=lock)  # before their parts are read
        attempts = _by_order(connection, AttemptRow, some)
        timers = _by_order(connection, TimerRow, some, col(TimerRow.status).in_(("pending", "paused")))
        ledger = _by_order(connection, LedgerTableRow, some)
        claimed = [row["id"] for row in orders if row["claims_made"]]
        claims = _by_order(connection, ClaimRow, claimed)
        lines = _by_order(connection, LineRow, claimed if for_timers else some)
        waiting = _by_order(connection, ReportRow, some, *_WAITING)
        for row in orders:
            key = row["id"]
            case = case_mapper.read_case(
                row,
                lines=lines[key],
                attempts=attempts[key],
                timers=timers[key],
                ledger=ledger[key],
                claims=claims[key],
                waiting=waiting[key],
            )
            stored[key] = Stored(key, case, row["observed"], row["erased"])
    return stored


def _order_rows(connection: Connection, order_ids: Sequence[int], *, lock: bool) -> list[RowMapping]:
    """Return the rows of orders; PostgreSQL locks them and the first orders of their chains, always in the same order."""
    o, asked = table_of(OrderRow), set(order_ids)
    with_chains = lock and connection.dialect.name != "sqlite"
    wanted = asked | _first_of_chains(connection, order_ids) if with_chains else asked
    query = select(o).where(o.c.id.in_(sorted(wanted))).order_by(o.c.id)
    rows = connection.execute(query.with_for_update() if lock else query).mappings()
    return [row for row in rows if row["id"] in asked]


def _first_of_chains(connection: Connection, order_ids: Sequence[int]) -> set[int]:
    """Return the ids of the first orders of chains; looked up by itself, for as a condition it would scan the whole table."""
    mine, first = table_of(OrderRow).alias("mine"), table_of(OrderRow).alias("first")
    same = (first.c.shop == mine.c.shop) & (first.c.number == mine.c.chain)
    found = select(first.c.id).join(mine, same).where(mine.c.id.in_(order_ids), mine.c.chain.is_not(None))
    return {int(order_id) for order_id in connection.execute(found).scalars()}


def known_keys(connection: Connection, order_ids: Iterable[int]) -> set[tuple[int, str, str]]:
    """Return (order, source, key) of every report that the orders have had."""
    keys: set[tuple[int, str, str]] = set()
    columns = select(col(ReportRow.order_id), col(ReportRow.source), col(ReportRow.key))
    for some in chunked(order_ids):
        keys |= {
            (one, source, key) for one, source, key in connection.execute(columns.where(col(ReportRow.order_id).in_(some)))
        }
    return keys


def store(connection: Connection, changes: Sequence[CaseChange]) -> bool:
    """Store a batch of changes; return whether there is work for a daemon now.

    Raises:
        OrderChanged: another writer changed an order since it was loaded; nothing may be committed.

    """
    new = [change for change in changes if change.before is None]
    placed = [*zip(_new_ids(connection, len(new)), new, strict=True), *((c.order_id or 0, c) for c in changes if c.before)]
    writes = row_changes(placed)
    orders = writes.changed.pop(OrderRow, [])
    if update_rows(connection, OrderRow, KEYS[OrderRow], orders, seen="version") != len(orders):
        _raise_order_changed(connection, changes)
    for model in INSERT_ORDER:
        insert_rows(connection, model, writes.added[model])
    for model, rows in writes.changed.items():
        update_rows(connection, model, KEYS[model], rows)
    _drop_obsolete(connection, writes.obsolete)
    raise_flags(connection, writes.flags)
    if writes.has_work:
        notify_daemons(connection)
    return writes.has_work


def _raise_order_changed(connection: Connection, changes: Sequence[CaseChange]) -> None:
    ours = {change.order_id: change for change in changes}
    for some in chunked(key for key in ours if key):
        versions = select(col(OrderRow.id), col(OrderRow.version)).where(col(OrderRow.id).in_(some))
        for key, version in connection.execute(versions):
            change = ours[key]
            if version != change.after.steps and change.before:
                trigger, state = change.steps[0].history.trigger, change.before.state
                why = "another writer changed the order first: look at it again"
                raise OrderChanged(change.after.name, state, trigger, why)
    raise AssertionError("an order vanished while it was being moved")


def _new_ids(connection: Connection, count: int) -> Sequence[int]:
    if not count:
        return ()
    locks.take(connection, Lock.new_orders)
    first = (connection.execute(select(func.max(OrderRow.id))).scalar() or 0) + 1
    return range(first, first + count)


UNSENT = ("held", "asked", "ready")
"""Statuses of effects that no message carries yet."""
DROPPED = {"status": "dropped", "decided_by": "the process"}
"""The columns of an effect that is dropped as obsolete."""


def _drop_obsolete(connection: Connection, obsolete: Sequence[case_mapper.Values]) -> None:
    """Drop unsent effects of earlier steps that are obsolete (rule 5.7)."""
    if not obsolete:
        return
    same = (col(EffectRow.order_id) == bindparam("of_order")) & (col(EffectRow.kind) == bindparam("of_kind"))
    same &= (col(EffectRow.attempt) == bindparam("of_attempt")) & (col(EffectRow.sequence) < bindparam("before"))
    dropped: case_mapper.Values = {**DROPPED, "decided_at": bindparam("at")}
    unsent = or_(*(col(EffectRow.status) == status for status in UNSENT))
    connection.execute(update(table_of(EffectRow)).where(same & unsent).values(dropped), obsolete)


_WAITING = (
    col(ReportRow.verdict).in_(("exception", "refused")),
    col(ReportRow.resolved_at).is_(None),
    col(ReportRow.trigger).in_(PARCEL_REPORTS),
)


def _by_order(
    connection: Connection, model: type[SQLModel], order_ids: Sequence[int], *conditions: Any
) -> dict[int, list[RowMapping]]:
    """Return the rows of a table by order, each order's in the order of their keys."""
    if not order_ids:
        return defaultdict(list)
    table = table_of(model)
    query = select(table).where(table.c.order_id.in_(order_ids), *conditions).order_by(*table.primary_key.columns)
    found: dict[int, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["order_id"]].append(row)
    return found
