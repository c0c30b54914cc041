"""Cases loaded, and all that a batch of steps writes stored together or not at all."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Text, bindparam, func, select
from sqlmodel import col

from storage import dialect, locks
from storage.attention import raise_flags
from storage.case_changes import CaseChange, row_changes
from storage.case_reader import StoredCase, read_cases
from storage.chunks import chunked
from storage.locks import Lock
from storage.notifications import notify_daemons
from storage.prepared import Prepared, prepare
from storage.row_sets import row_sets
from storage.tables import OrderRow, ReportRow, table_of
from workflow.case.canonical import kept_json
from workflow.errors import OrderChanged

Identity = tuple[str, str]
"""Shop and number of an order."""


def find(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, int]:
    """Return the ids of the orders that are known."""
    wanted = set(identities)
    numbers = kept_json(sorted({number for _, number in wanted}))
    (cursor,) = dialect.at(connection).execute(connection, [_by_number(connection.dialect)], {"numbers": numbers})
    return {(shop, number): order_id for shop, number, order_id in cursor.fetchall() if (shop, number) in wanted}


@lru_cache
def _by_number(written_for: Dialect) -> Prepared:
    """Look numbers up that come as one JSON list: thousands of parameters cost more than the looking up."""
    o, numbers = table_of(OrderRow), bindparam("numbers", None, type_=Text)
    among = dialect.dialect_of(written_for).among_texts(o.c.number, numbers)
    return prepare(select(o.c.shop, o.c.number, o.c.id).where(among).order_by(o.c.id), written_for)


def load(
    connection: Connection, order_ids: Iterable[int], *, for_timers: bool = False, lock: bool = True
) -> dict[int, StoredCase]:
    """Load the cases of orders. With `lock`, PostgreSQL locks them until the transaction ends.

    `for_timers` leaves out what no timed transition reads: the lines of orders without claims.
    """
    wanted = set(order_ids)
    return read_cases(connection, wanted, for_timers=for_timers, lock=lock) if wanted else {}


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
    writes, kind = row_changes(placed), dialect.at(connection)
    for operation, table, rows in writes.in_order():
        for some in row_sets(operation, table, rows, kind.instant_text):
            (written,) = kind.write(connection, [some])
            if some.shape.must_match and written != some.count:
                _raise_order_changed(connection, changes)
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
