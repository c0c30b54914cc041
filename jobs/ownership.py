"""One owner per SQLite file: a row with a lease in the database, and a lock on a file beside it as the quick answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from filelock import FileLock, Timeout

from engine import owning
from engine.owning import AlreadyRunning as AlreadyRunning
from language import tr
from storage.database import Database, DatabaseFailed, DatabaseUnready
from workflow.errors import AftersalesError

OWNERS_SINCE = "0005"
"""The first version of the tables that has rows of owners."""


class FileGuard:
    """A lock on a file beside an SQLite file; a PostgreSQL database needs none.

    It refuses a second process without waiting for the database, and before the tables are there.
    """

    def __init__(self, database: Database) -> None:
        self._lock = FileLock(f"{database.file}.lock", mode=0o600) if database.file else None
        self._location = database.location

    def take(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: another process has it.

        """
        if self._lock:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                raise AlreadyRunning(
                    tr("a daemon is already running on {location}: stop it first", location=self._location)
                ) from None
            except OSError as error:
                raise AftersalesError(
                    tr(
                        "the lock file beside {location} cannot be made: {strerror}",
                        location=self._location,
                        strerror=error.strerror,
                    )
                ) from None

    def free(self) -> None:
        """Give the lock back."""
        if self._lock:
            self._lock.release()


@contextmanager
def owned(database: Database, work: str, at: datetime) -> Iterator[str]:
    """Own the database, by row and by file, for a while; yield the owner's name.

    Raises:
        AlreadyRunning: another process owns the SQLite file.

    """
    guard = FileGuard(database)
    guard.take()
    try:
        with owning.owned(database, work, at) as owner:
            yield owner
    finally:
        guard.free()


@contextmanager
def unowned(database: Database, at: datetime) -> Iterator[None]:
    """Keep owners off a database for a while: an SQLite file by its guard; a server is looked at once, at the beginning.

    Raises:
        AlreadyRunning: a process owns it.

    """
    guard = FileGuard(database)
    guard.take()
    try:
        if _may_have_owners(database):
            with database.write() as connection:
                owning.refuse_owned(database, connection, at)
        yield
    finally:
        guard.free()


def _may_have_owners(database: Database) -> bool:
    """Say whether owners can be asked for: a damaged file, which a backup is to replace, names none."""
    try:
        return (database.schema() or "") >= OWNERS_SINCE
    except (DatabaseUnready, DatabaseFailed) as error:
        if isinstance(error, DatabaseFailed) and "malformed" not in str(error):
            raise
        return False
