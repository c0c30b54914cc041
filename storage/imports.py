"""How far an import has come, so that one that was interrupted goes on, and which rows were taken of each order last."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Text, bindparam, delete, exists, insert, select, update
from sqlmodel import col

from storage import cases, dialect
from storage.cases import Identity
from storage.chunks import chunked
from storage.prepared import Prepared, prepare
from storage.tables import FileMarkRow, HistoryTableRow, ImportRow, OrderRow, ReportRow, table_of
from workflow.case.canonical import kept_json
from workflow.vocabulary import Verdict


def begin(connection: Connection, digest: str, file: str, at: datetime) -> tuple[int, datetime]:
    """Return how many orders of this very file an interrupted run has passed, and when that began; else 0 and `at`."""
    columns = select(col(ImportRow.orders_done), col(ImportRow.started_at))
    known = connection.execute(columns.where(col(ImportRow.digest) == digest)).first()
    if known is not None:
        return known[0], known[1]
    connection.execute(insert(ImportRow).values(digest=digest, file=file, started_at=at, orders_done=0))
    return 0, at


def advance(connection: Connection, digest: str, orders_done: int) -> None:
    """Set the point to resume from."""
    connection.execute(update(ImportRow).where(col(ImportRow.digest) == digest).values(orders_done=orders_done))


def finish(connection: Connection, digest: str) -> None:
    """Forget the point: the file has been imported whole."""
    connection.execute(delete(ImportRow).where(col(ImportRow.digest) == digest))


def mark(connection: Connection, taken: Mapping[Identity, tuple[str, int]]) -> None:
    """Keep the digests of the rows that orders have come in, and the versions of the orders then."""
    ids = cases.find(connection, taken)
    rows = [{"order_id": key, "digest": taken[name][0], "version": taken[name][1]} for name, key in ids.items()]
    if rows:
        connection.execute(dialect.at(connection).upsert(table_of(FileMarkRow), "order_id"), rows)


def unmark(connection: Connection, order_ids: Iterable[int]) -> None:
    """Forget the rows that orders have come in: they are read again."""
    for some in chunked(order_ids):
        connection.execute(delete(FileMarkRow).where(col(FileMarkRow.order_id).in_(some)))


def marked(connection: Connection, names: Collection[Identity]) -> dict[Identity, str]:
    """Return the digests of the rows that orders have come in last, if nothing has happened to them since.

    An order with a report that was refused or is kept as an exception is left out: that is judged again.
    """
    numbers = kept_json(sorted({number for _, number in names}))
    (cursor,) = dialect.at(connection).execute(connection, [_marked(connection.dialect)], {"numbers": numbers})
    return {(shop, number): digest for shop, number, digest in cursor.fetchall()}


@lru_cache
def _marked(written_for: Dialect) -> Prepared:
    o, m, r = table_of(OrderRow), table_of(FileMarkRow), table_of(ReportRow)
    among = dialect.dialect_of(written_for).among_texts(o.c.number, bindparam("numbers", None, type_=Text))
    is_open = r.c.verdict.in_((Verdict.refused, Verdict.exception)) & r.c.resolved_at.is_(None)
    judged_again = exists().where(r.c.order_id == o.c.id, is_open)
    query = select(o.c.shop, o.c.number, m.c.digest).join(m, (m.c.order_id == o.c.id) & (m.c.version == o.c.version))
    return prepare(query.where(among, ~judged_again), written_for)


def settled(connection: Connection, order_ids: Iterable[int]) -> dict[int, set[str]]:
    """Return which reports that could not be read have been read since, or resolved by a person, by order."""
    h = table_of(HistoryTableRow)
    found = defaultdict[int, set[str]](set)
    for some in chunked(order_ids):
        query = select(h.c.order_id, h.c.details).where(h.c.order_id.in_(some), h.c.trigger == "unread")
        for order_id, details in connection.execute(query):
            told = json.loads(details).get("settled")
            found[order_id].update(str(told).split(";") if told else ())
    return found


def standing(connection: Connection) -> set[Identity]:
    """Return the orders with reports that cannot be read."""
    o = table_of(OrderRow)
    return {(shop, number) for shop, number in connection.execute(select(o.c.shop, o.c.number).where(o.c.unread.is_not(None)))}
