"""How far an import has come, so that one that was interrupted goes on where it stopped."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from storage.tables import ImportRow


def begin(connection: Connection, digest: str, file: str, at: datetime) -> int:
    """Return how many orders of this very file an interrupted run has stored; 0 where there was none."""
    done = connection.execute(select(col(ImportRow.orders_done)).where(col(ImportRow.digest) == digest)).scalar()
    if done is None:
        connection.execute(insert(ImportRow).values(digest=digest, file=file, started_at=at, orders_done=0))
    return done or 0


def advance(connection: Connection, digest: str, orders_done: int) -> None:
    """Set the point to resume from."""
    connection.execute(update(ImportRow).where(col(ImportRow.digest) == digest).values(orders_done=orders_done))


def finish(connection: Connection, digest: str) -> None:
    """Forget the point: the file has been imported whole."""
    connection.execute(delete(ImportRow).where(col(ImportRow.digest) == digest))
