"""The test clock: the present instant of a database that was made to be tried out, whatever the machine's clock says."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from storage.tables import ClockRow


def read(connection: Connection) -> datetime | None:
    """Return the instant of the test clock, or None where the machine's clock counts."""
    return connection.execute(select(col(ClockRow.stands_at))).scalar()


def begin(connection: Connection, at: datetime) -> None:
    """Give a database a test clock, for ever."""
    connection.execute(insert(ClockRow).values(id=1, stands_at=at))


def move(connection: Connection, at: datetime) -> None:
    """Move the test clock; never back."""
    connection.execute(update(ClockRow).where(col(ClockRow.stands_at) < at).values(stands_at=at))
