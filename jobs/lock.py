"""One daemon per SQLite file: a lock on a file of its own beside it."""

from filelock import FileLock, Timeout

from storage.database import Database
from workflow.errors import AftersalesError


class AlreadyRunning(AftersalesError):
    """Another daemon is running on the same SQLite file."""


class DaemonLock:
    """Held while a daemon runs on an SQLite file; daemons of a PostgreSQL database share the work and need none."""

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
                raise AlreadyRunning(f"a daemon is already running on {self._location}: stop it first") from None
            except OSError as error:
                raise AftersalesError(f"the lock file beside {self._location} cannot be made: {error.strerror}") from None

    def free(self) -> None:
        """Give the lock back."""
        if self._lock:
            self._lock.release()
