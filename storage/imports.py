"""How far an import has come, so that one that was interrupted goes on where it stopped."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from storage.tables import ImportRow


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
