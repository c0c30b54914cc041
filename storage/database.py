"""Databases: opening them safely, and saying plainly why one cannot be used."""

import gc
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from language import tr
from storage import sqlite
from storage.dialect import DIALECTS
from storage.locks import Lock
from storage.sqlite import file_of
from workflow.errors import AftersalesError, UsageError

SCHEMA = "0019"
"""The newest migration; a test holds it against the migrations folder."""


CONTENTION = ("40P01", "40001", "55P03", "23505")
"""SQLSTATEs of a transaction that another one was in the way of: deadlock, serialization, lock time-out, unique violation."""
OF_THE_WHOLE = ("08", "26", "53", "57")
"""SQLSTATE classes of errors that no row is at fault for: connection, prepared statements, resources, intervention."""
REPEATS = 4
"""How often a transaction is tried again after another one was in its way."""


class DatabaseUnready(AftersalesError):
    """The database is missing, belongs to something else, or its tables have another version."""


class DatabaseFailed(AftersalesError):
    """The database is locked, gone or full for the moment; nothing of the transaction was stored."""


class Database:
    """One database: `write` opens an immediate write transaction, `read` a consistent view.

    Leaving either without an error commits; with one, everything is rolled back.
    """

    def __init__(self, url: str, *, scratch: bool = False) -> None:
        """Open `url` lazily; a scratch one forgoes durability.

        Raises:
            UsageError: the URL is not one of SQLite or PostgreSQL.

        """
        self.url = _checked(url)
        self._kind = DIALECTS[self.url.get_backend_name()]
        self.is_shared = self._kind.is_shared
        """Whether many processes write at once; otherwise it is one file, with one writer and one daemon."""
        self.erased_rows_stay = self._kind.erased_rows_stay
        self.file = None if self.is_shared else file_of(self.url)
        self.busy_timeout_ms = 5_000
        """How long a writer of a file waits for another one, in milliseconds."""
        self._statement_seconds = 0
        self._writing = threading.Lock()
        self.engine = self._engine(scratch)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; on SQLite it excludes all other writers.

        Raises:
            DatabaseFailed: it is locked by another writer, or gone.

        """
        with (
            self._writer_turn(),
            self._failures_named(),
            without_cyclic_gc(),
            self.engine.connect().execution_options(write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a view that writes nothing; PostgreSQL refuses writes and row locks in it.

        Raises:
            DatabaseFailed: it cannot be opened or read.

        """
        with (
            self._failures_named(),
            self.engine.connect().execution_options(**self._kind.read_options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _writer_turn(self) -> Iterator[None]:
        """Queue the writers of this process on one SQLite file; between processes SQLite polls."""
        if self.is_shared:
            yield
            return
        if not self._writing.acquire(timeout=self.busy_timeout_ms / 1_000):
            raise DatabaseFailed(
                tr("the database {location} cannot be used now: another thread is still writing", location=self.location)
            )
        try:
            yield
        finally:
            self._writing.release()

    def cannot_be_used(self, error: Exception) -> bool:
        """Say whether an error concerns the whole database (locked, gone, a standby), so that no single row is at fault."""
        driver: Any = self.engine.dialect.loaded_dbapi
        original: Any = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(original, DatabaseFailed):
            return True
        if not isinstance(original, driver.Error):
            return False
        return _is_database_wide(original, driver) or self._kind.is_read_only_failure(original)

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        driver: Any = self.engine.dialect.loaded_dbapi
        try:
            yield
        except (DBAPIError, driver.Error) as error:  # some statements bypass SQLAlchemy
            if not self.cannot_be_used(error):
                raise
            original: Any = error.orig if isinstance(error, DBAPIError) else error
            raise DatabaseFailed(
                tr(
                    "the database {location} cannot be used now: {original}",
                    location=self.location,
                    original=" ".join(str(original).split()),
                )
            ) from error

    @contextmanager
    def exclusive(self, lock: Lock) -> Iterator[None]:
        """Hold a lock among all processes on this database, outside of any transaction; for work that takes long.

        Raises:
            DatabaseFailed: another process holds it for too long.

        """
        with self._failures_named(), self._kind.exclusive(self.engine, self.file, lock.name, int(lock)):
            yield

    def exists(self) -> bool:
        """Say whether the SQLite file is there; a server is contacted only when it is used."""
        return self.file is None or self.file.exists()

    def create_file(self) -> None:
        """Make the SQLite file, readable by its owner alone."""
        if self.file and not self.file.exists():
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise DatabaseUnready(
                    tr("cannot make the database {file}: {strerror}", file=self.file, strerror=error.strerror)
                ) from None

    def schema(self) -> str | None:
        """Return the version of the tables, or None where there are none."""
        try:
            with self.read() as connection:
                if not inspect(connection).has_table("alembic_version"):
                    return None
                return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
        except DatabaseFailed as error:
            if "not a database" in str(error):
                raise DatabaseUnready(
                    tr("{location} is not an aftersales database: {error}", location=self.location, error=error)
                ) from None
            raise

    def require(self) -> None:
        """Check that the tables are there and of this version.

        Raises:
            DatabaseUnready: says what to do.

        """
        if not self.exists():
            raise DatabaseUnready(
                tr("there is no database at {location}: import a file, or run `aftersales db upgrade`", location=self.location)
            )
        if self.file and self.file.stat().st_nlink > 1:
            raise DatabaseUnready(
                tr(
                    "the database {location} has a second name (a hard link), and SQLite keeps its log by name: two "
                    "processes would damage it; remove one name (`find -samefile` lists them)",
                    location=self.location,
                )
            )
        found = self.schema()
        if found is None:
            raise DatabaseUnready(
                tr("the database {location} has no tables: run `aftersales db upgrade`", location=self.location)
            )
        if found != SCHEMA:
            raise DatabaseUnready(
                tr(
                    "the tables of {location} are of version {found}, this program wants {schema}: run `aftersales "
                    "db upgrade`, or use the program that made them",
                    location=self.location,
                    found=found,
                    schema=SCHEMA,
                )
            )

    @property
    def location(self) -> str:
        """Where it is, for messages."""
        return str(self.file) if self.file else shown(self.url)

    def copy_file(self, target: Path) -> None:
        """Copy the SQLite database while it is in use into a new file, readable by its owner alone, and check the copy.

        Raises:
            AftersalesError: it is not SQLite, or it could not be read or written, or is damaged.

        """
        if self.file is None:
            raise UsageError(tr("`db backup` copies SQLite; use pg_dump for a PostgreSQL database"))
        try:
            sqlite.backup(self.file, target)
        except (OSError, sqlite3.Error) as error:
            raise AftersalesError(
                tr("{file} could not be copied to {target}: {error}", file=self.file, target=target, error=error)
            ) from None

    def has_tables(self) -> bool:
        """Say whether there are any tables, ours or others."""
        with self.read() as connection:
            return bool(inspect(connection).get_table_names())

    def damage(self) -> str | None:
        """Return the first thing that is wrong with the database's files, or None; an SQLite file is read whole."""
        with self.read() as connection:
            return self._kind.damage_of(connection)

    def refuse_pooler(self) -> None:
        """Refuse a server that is reached through a pooler in transaction mode.

        Raises:
            DatabaseUnready: says how to connect instead.

        """
        with self._failures_named():
            pooled = self._kind.is_pooled(self.engine)
        if pooled:
            raise DatabaseUnready(
                tr(
                    "{location} is a pooler in transaction mode, where locks, time-outs and notifications of one "
                    "client meet others: connect to the server itself, or to a pool in session mode",
                    location=self.location,
                )
            )

    def purge_deleted_data(self) -> str | None:
        """Rewrite the database so that no erased data is left in free pages or in the write-ahead log.

        Returns None, or what could not be done.
        """
        try:
            with (
                self._failures_named(),
                self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            ):
                remains = self._kind.purge(connection)
                return f"{self.location} {remains}" if remains else None
        except DatabaseFailed as error:
            return tr("{location} could not be rewritten ({error})", location=self.location, error=error)

    def limit_statements(self, seconds: int) -> None:
        """Set PostgreSQL's statement timeout, in seconds; 0 means none."""
        self._statement_seconds = seconds
        self.engine.dispose()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def optimize(self) -> None:
        """Let the database refresh what its planner knows."""
        with self.write() as connection:  # it may write, which a read transaction cannot
            self._kind.optimize(connection)

    def _engine(self, scratch: bool) -> Engine:
        try:
            return self._kind.engine(self.url, scratch=scratch, limits=self._limits)
        except NoSuchModuleError:
            raise UsageError(
                tr("{drivername} is not a driver that is known: write postgresql://…", drivername=self.url.drivername)
            ) from None
        except ModuleNotFoundError as error:
            raise UsageError(tr("PostgreSQL needs the extra `aftersales[postgres]`: {error}", error=error)) from None

    def _limits(self) -> Mapping[str, int]:
        return {"busy_timeout_ms": self.busy_timeout_ms, "statement_seconds": self._statement_seconds}


@contextmanager
def without_cyclic_gc() -> Iterator[None]:
    """Disable the cyclic garbage collector: a batch makes many long-lived objects, and each collection scans them all."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_database_wide(error: Any, driver: Any) -> bool:
    """Say whether an error concerns the whole database (unreachable, locked, damaged, a standby) and not one row."""
    state = getattr(error, "sqlstate", None) or ""
    if state[:2] in OF_THE_WHOLE or state == "42P05":
        return True
    if isinstance(error, driver.OperationalError | driver.InterfaceError):
        return True
    return type(error) is driver.DatabaseError


@contextmanager
def writing(target: Database | Connection) -> Iterator[Connection]:
    """Yield a connection to write with: the caller's own, whose transaction goes on, or one of a new transaction."""
    if isinstance(target, Connection):
        yield target
        return
    with target.write() as connection:
        yield connection


@contextmanager
def reading(target: Database | Connection) -> Iterator[Connection]:
    """Yield a connection to read with: the caller's own, or one of a new view."""
    if isinstance(target, Connection):
        yield target
        return
    with target.read() as connection:
        yield connection


UseCase = TypeVar("UseCase", bound=Callable[..., Any])


def repeated(use_case: UseCase) -> UseCase:
    """Repeat a use case of one transaction when another transaction was in its way (rule 9.4).

    That is a deadlock, a serialization failure, a lock that was not had in time, or a row that the other one has added.
    Its first argument is the database; with a connection the caller's transaction is repeated, or fails, as a whole.
    """

    @wraps(use_case)
    def again(target: "Database | Connection", *arguments: Any, **options: Any) -> Any:
        left = 0 if isinstance(target, Connection) else REPEATS
        arguments = tuple([*one] if isinstance(one, Iterator) else one for one in arguments)  # to be read again
        while True:
            try:
                return use_case(target, *arguments, **options)
            except Exception as error:
                if left == 0 or not _is_contention(error):
                    raise
                left -= 1

    return cast(UseCase, again)


def _is_contention(error: BaseException) -> bool:
    cause: Any = error.__cause__ if isinstance(error, DatabaseFailed) and error.__cause__ else error
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    return getattr(original, "sqlstate", None) in CONTENTION


def shown(url: URL) -> str:
    """Write a server's URL for people: who connects to where, without a password or any option that may hold one."""
    known = {name: value for name, value in url.query.items() if name in ("host", "port", "dbname", "sslmode")}
    return url.set(query=known).render_as_string(hide_password=True)


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(
            tr(
                "`database` is not a database URL: write one such as sqlite:///aftersales.db or "
                "postgresql://USER@HOST/NAME (it is not repeated here, as it may hold a password)"
            )
        ) from None
    kind = DIALECTS.get(parsed.get_backend_name())
    if kind is None:
        known = " or ".join(sorted(DIALECTS, reverse=True))
        raise UsageError(
            tr("{parsed} is not a database that is used here: use {known}", parsed=parsed.get_backend_name(), known=known)
        )
    if not kind.is_shared and parsed.database in (None, "", ":memory:"):
        raise UsageError(tr("the database must be a file: write sqlite:///aftersales.db"))
    return parsed
