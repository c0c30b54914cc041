"""What persons decide: flags resolved, exceptions dealt with."""

from datetime import datetime

from sqlalchemy import Connection, update
from sqlmodel import col

from storage.tables import AttentionRow, ReportRow


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
