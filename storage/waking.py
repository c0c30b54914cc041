"""Daemons of one server wake each other: whoever stores what can be done at once says so, at most once a transaction."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, InterfaceError

from storage.database import Database
from workflow.order import Timer

CHANNEL = "aftersales"
SOON = timedelta(seconds=1)
"""What is due later is found by every daemon's own look at the clock."""


def announce(connection: Connection) -> None:
    """Let the daemons look when this transaction is committed; on SQLite there is only one, which looks by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"NOTIFY {CHANNEL}"))


def is_soon(timers: Iterable[Timer], at: datetime) -> bool:
    """Say whether one of these timers is due so soon that nobody should wait for a look at the clock."""
    return any(timer.status == "pending" and timer.due_at <= at + SOON for timer in timers)


class Listener:
    """Hears announcements over a connection of its own; one that is lost is opened again at the next wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for an announcement, at most so long; return whether there was one.

        A connection that has just been opened counts as one: what was announced before was not heard.

        Raises:
            DatabaseError: the server cannot be reached now.

        """
        if self._connection is None:
            self._connection = self._opened()
            return True
        driver: Any = self._connection.connection.driver_connection
        try:
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
        except Exception:  # whatever broke, the connection is opened anew
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # one that listens must not go back to the others
            connection.close()

    def _opened(self) -> Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(text(f"LISTEN {CHANNEL}"))
        except (DatabaseError, InterfaceError):
            connection.close()
            raise
        return connection
