"""Databases to try things out with: their own clock, which a person moves, and only forward (`db upgrade --test-clock`)."""

from datetime import datetime

from sqlalchemy.exc import DBAPIError

from language import tr
from storage import clock, queries
from storage.database import Database, DatabaseFailed
from workflow.errors import UsageError


def clock_of(database: Database) -> datetime | None:
    """Return the instant of a database's test clock, or None where the machine's clock counts."""
    if not database.exists():
        return None
    try:
        with database.read() as connection:
            return clock.read(connection)
    except (DatabaseFailed, DBAPIError):  # older tables, or none: the command itself says what is wrong
        return None


def give_clock(database: Database, at: datetime) -> None:
    """Give a new database a test clock, for ever.

    Raises:
        UsageError: it has orders, or such a clock.

    """
    with database.write() as connection:
        if clock.read(connection) is not None:
            raise UsageError(tr("{location} has a test clock already", location=database.location))
        if queries.count_orders(connection):
            raise UsageError(tr("{location} has orders: a test clock is given to a new database", location=database.location))
        clock.begin(connection, at)


def move(database: Database, at: datetime) -> None:
    """Move the test clock forward."""
    with database.write() as connection:
        clock.move(connection, at)
