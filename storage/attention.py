"""What needs a person: flags raised and resolved, exceptions closed."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, exists, select, text, update
from sqlmodel import col

from storage import dialect
from storage.chunks import chunked
from storage.tables import AttentionRow, EffectRow, OrderRow, ReportRow, table_of
from workflow.process import NEED_A_PERSON, PARCEL_REPORTS, UNPLACED
from workflow.vocabulary import EffectStatus, Verdict

STUCK = (EffectStatus.dead, EffectStatus.parked)
"""Statuses of effects that need a person."""


def raise_flags(connection: Connection, flags: Iterable[tuple[int, str, datetime, str | None]]) -> None:
    """Say that orders need a person: order, flag, since when, and what a person should know.

    A flag that stands already stays as it is.
    """
    wanted = {(order_id, flag): (at, detail) for order_id, flag, at, detail in flags}
    stands = col(AttentionRow.resolved_at).is_(None)
    columns = select(col(AttentionRow.order_id), col(AttentionRow.flag)).where(stands)
    for some in chunked(order_id for order_id, _ in wanted):
        for order_id, flag in connection.execute(columns.where(col(AttentionRow.order_id).in_(some))):
            wanted.pop((order_id, flag), None)
    names = ("order_id", "flag", "raised_at", "detail")
    rows = [dict(zip(names, (*key, *value), strict=True)) for key, value in wanted.items()]
    if rows:
        connection.execute(dialect.at(connection).insert_missing(table_of(AttentionRow)), rows)


def resolve_flags(connection: Connection, order_id: int, flags: Sequence[str], by: str, note: str, at: datetime) -> list[str]:
    """Clear these flags of an order with a note on what was done; return those that still stood."""
    a = table_of(AttentionRow)
    standing = (a.c.order_id == order_id) & a.c.flag.in_(flags) & a.c.resolved_at.is_(None)
    values = {"resolved_at": at, "resolved_by": by, "word": note}
    return [*connection.execute(update(a).where(standing).values(values).returning(a.c.flag)).scalars()]


def clear_flags(connection: Connection, flags: Iterable[tuple[int, str, datetime]]) -> None:
    """Clear flags that the process has made pointless: order, flag, and when."""
    for order_id, flag, at in flags:
        resolve_flags(connection, order_id, [flag], "the process", "the order has moved on", at)


def unstick(connection: Connection, order_ids: Collection[int], by: str, note: str, at: datetime) -> None:
    """Clear the flag of stuck effects on those of these orders that have none any more."""
    a, e = table_of(AttentionRow), table_of(EffectRow)
    stuck = exists().where(e.c.order_id == a.c.order_id, e.c.status.in_(STUCK))
    values = {"resolved_at": at, "resolved_by": by, "word": note}
    for some in chunked(order_ids):
        standing = a.c.order_id.in_(some) & (a.c.flag == "effect_stuck") & a.c.resolved_at.is_(None)
        connection.execute(update(a).where(standing, ~stuck).values(values))


def unflag_exceptions(connection: Connection, order_ids: Collection[int], by: str, note: str, at: datetime) -> None:
    """Clear the flag of unplaced reports on those of these orders that have no such exception open any more."""
    a, r = table_of(AttentionRow), table_of(ReportRow)
    still_open = (r.c.verdict == Verdict.exception) & r.c.resolved_at.is_(None)
    kept = exists().where(r.c.order_id == a.c.order_id, still_open, r.c.trigger.in_((*NEED_A_PERSON, *PARCEL_REPORTS)))
    values = {"resolved_at": at, "resolved_by": by, "word": note}
    for some in chunked(order_ids):
        standing = a.c.order_id.in_(some) & (a.c.flag == UNPLACED) & a.c.resolved_at.is_(None)
        connection.execute(update(a).where(standing, ~kept).values(values))


def close_exception(connection: Connection, report_id: int, by: str, note: str, at: datetime) -> bool:
    """Close an exception with a note on what was done; return whether it was open."""
    r = table_of(ReportRow)
    still_open = (r.c.id == report_id) & (r.c.verdict == Verdict.exception) & r.c.resolved_at.is_(None)
    values = {"resolved_at": at, "resolved_by": by, "word": note}
    closed = connection.execute(update(r).where(still_open).values(values).returning(r.c.order_id)).scalar()
    if closed is not None:
        unflag_exceptions(connection, [closed], by, note, at)
    return closed is not None


def open_exceptions(connection: Connection, report_ids: Collection[int] | None) -> list[dict[str, Any]]:
    """Return open exceptions with the names of their orders (None: all), in the order in which they came."""
    r, o = table_of(ReportRow), table_of(OrderRow)
    query = select(r, (o.c.shop + "/" + o.c.number).label("order")).join(o, o.c.id == r.c.order_id)
    query = query.where(text("reports.verdict = 'exception' AND reports.resolved_at IS NULL")).order_by(r.c.id)
    found: list[dict[str, Any]] = []
    for some in [None] if report_ids is None else chunked(report_ids):
        rows = connection.execute(query if some is None else query.where(r.c.id.in_(some))).mappings()
        found += [{**row, "fields": json.loads(row["fields"])} for row in rows]
    return found


def give_reasons(connection: Connection, reasons: Mapping[int, str]) -> None:
    """Keep why reports that were judged again are exceptions now."""
    for report_id, why in reasons.items():
        connection.execute(update(ReportRow).where(col(ReportRow.id) == report_id).values(reason=why))


def exception(connection: Connection, report_id: int) -> RowMapping | None:
    """Return a report that was kept as an exception, closed or not."""
    r = table_of(ReportRow)
    return connection.execute(select(r).where(r.c.id == report_id, r.c.verdict == Verdict.exception)).mappings().first()
