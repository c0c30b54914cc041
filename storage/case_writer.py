"""All that a batch of steps writes, stored together or not at all."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select
from sqlmodel import col

from storage import dialect, locks, outbox, turns, undoing
from storage.attention import clear_flags, raise_flags, unflag_exceptions
from storage.case_changes import CaseChange, row_changes
from storage.chunks import chunked
from storage.locks import Lock
from storage.notifications import notify_daemons
from storage.row_sets import row_sets
from storage.staging import together
from storage.tables import LineRow, OrderRow
from workflow.errors import OrderChanged


def store(connection: Connection, changes: Sequence[CaseChange]) -> bool:
    """Store a batch of changes; return whether there is work for a daemon now.

    Raises:
        OrderChanged: another writer changed an order since it was loaded; nothing may be committed.

    """
    new = [change for change in changes if change.before is None]
    by_id = [*zip(_new_ids(connection, len(new)), new, strict=True), *((c.order_id or 0, c) for c in changes if c.before)]
    writes, kind = row_changes(by_id), dialect.at(connection)
    undoing.keep(connection, by_id)
    sets = (one for operation, table, rows in writes.in_order() for one in row_sets(operation, table, rows, kind.instant_text))
    for group in together(sets):
        for rows, written in zip(group, kind.write(connection, group), strict=True):
            if rows.shape.must_match and written != rows.count:
                _raise_order_changed(connection, changes)
    raise_flags(connection, writes.flags)
    clear_flags(connection, writes.cleared)
    if writes.placed:
        unflag_exceptions(connection, writes.placed, "the process", "the report was applied", changes[0].at)
        turns.resume(connection, changes[0].at)
    for order_id, left in writes.lines_gone:
        connection.execute(delete(LineRow).where(col(LineRow.order_id) == order_id, col(LineRow.number) > left))
    for order_id, attempt, supplier in writes.suppliers:
        outbox.rename_supplier(connection, order_id, attempt, supplier)
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
