"""The test clock: the present instant of a database that was made to be tried out, whatever the machine's clock says."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from storage.tables import ClockRow, table_of

_clock = table_of(ClockRow)
"""Every command reads it, and a statement about the model itself would first configure all models."""


def read(connection: Connection) -> datetime | None:
    """Return the instant of the test clock, or None where the machine's clock counts."""
    return connection.execute(select(_clock.c.stands_at)).scalar()


def begin(connection: Connection, at: datetime) -> None:
    """Give a database a test clock, for ever."""
    connection.execute(insert(_clock).values(id=1, stands_at=at))


def move(connection: Connection, at: datetime) -> None:
    """Move the test clock; never back."""
    connection.execute(update(_clock).where(_clock.c.stands_at < at).values(stands_at=at))
