"""Orders found, and their cases loaded."""

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Text, bindparam, select

from storage import dialect
from storage.case_reader import StoredCase, read_cases
from storage.chunks import chunked
from storage.prepared import Prepared, prepare
from storage.tables import OrderRow, ReportRow, table_of
from workflow.case.canonical import kept_json
from workflow.case.case import Report, Told
from workflow.vocabulary import Verdict

Identity = tuple[str, str]
"""Shop and number of an order."""
_REPORT = ("trigger", "occurred", "source", "key", "actor", "fields", "nth", "id")


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

    `for_timers` leaves out what no timed transition reads.
    """
    wanted = set(order_ids)
    return read_cases(connection, wanted, for_timers=for_timers, lock=lock) if wanted else {}


ReportKey = tuple[int, str, str]
"""What a sender's reports are known by: the order's row id, source and key."""


def told(connection: Connection, order_ids: Iterable[int]) -> dict[ReportKey, list[Told]]:
    """Return every report that the orders have had, by key, in the order in which they came."""
    found = defaultdict[ReportKey, list[Told]](list)
    r = table_of(ReportRow)
    columns = (*(r.c[name] for name in _REPORT), r.c.verdict, r.c.resolved_at)
    for some in chunked(order_ids):
        for row in connection.execute(select(r.c.order_id, *columns).where(r.c.order_id.in_(some)).order_by(r.c.id)):
            order_id, trigger, at, source, key, actor, fields, nth, report_id, verdict, resolved_at = row
            report = Report(trigger, at, source, key, actor, json.loads(fields), nth, report_id)
            found[order_id, source, key].append(Told(report, Verdict(verdict), resolved_at is not None))
    return found
