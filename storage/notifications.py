"""NOTIFY and LISTEN: a transaction that stores work for now wakes the daemons of a PostgreSQL database."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, InterfaceError

from storage import dialect
from storage.database import Database
from workflow.case.case import Timer
from workflow.vocabulary import TimerStatus

CHANNEL = "aftersales"
DUE_SOON_WITHIN = timedelta(seconds=1)
"""Timers due later than this are found by polling."""


def notify_daemons(connection: Connection) -> None:
    """Wake the daemons when this transaction commits; on SQLite the only daemon polls."""
    dialect.at(connection).notify(connection, CHANNEL)


def is_due_soon(timers: Iterable[Timer], at: datetime) -> bool:
    """Say whether one of these timers is due before the next poll."""
    return any(timer.status == TimerStatus.pending and timer.due_at <= at + DUE_SOON_WITHIN for timer in timers)


class Listener:
    """Receives notifications on a connection of its own; a lost one is reopened at the next wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for a notification for at most `seconds`; return whether there was one.

        A new connection counts as one, since earlier notifications were not received.

        Raises:
            DatabaseError: the server cannot be reached now.

        """
        if self._connection is None:
            self._connection = self._opened()
            return True
        driver: Any = self._connection.connection.driver_connection
        try:
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
        except Exception:  # whatever failed, reconnect at the next wait
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # a listening connection must not return to the pool
            connection.close()

    def _opened(self) -> Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(text(f"LISTEN {CHANNEL}"))
        except (DatabaseError, InterfaceError):
            connection.close()
            raise
        return connection
