"""What needs a person, and what persons decide: flags raised and resolved, exceptions dealt with."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from storage.chunks import chunked
from storage.tables import AttentionRow, ReportRow, table_of


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
        connection.execute(insert(table_of(AttentionRow)), rows)


def resolve_flags(connection: Connection, order_id: int, flag: str | None, by: str, word: str, at: datetime) -> int:
    """Clear an order's flags (or the one named) with a word on what was done; return how many stood."""
    open_ones = (col(AttentionRow.order_id) == order_id) & col(AttentionRow.resolved_at).is_(None)
    chosen = open_ones & (col(AttentionRow.flag) == flag) if flag else open_ones
    values = {"resolved_at": at, "resolved_by": by, "word": word}
    return connection.execute(update(AttentionRow).where(chosen).values(values)).rowcount


def resolve_exception(connection: Connection, report_id: int, by: str, word: str, at: datetime) -> bool:
    """Close an exception with a word on what was done; return whether it was open."""
    this = (col(ReportRow.id) == report_id) & (col(ReportRow.verdict) == "exception") & col(ReportRow.resolved_at).is_(None)
    values = {"resolved_at": at, "resolved_by": by, "word": word}
    return connection.execute(update(ReportRow).where(this).values(values)).rowcount > 0
