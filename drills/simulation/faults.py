"""Faults of a database: every statement and every commit may fail, be slow, or be the last one before a kill.

The drivers' own connections are wrapped, so that nothing of the engine knows of it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import psycopg
from sqlalchemy import event

from storage.database import Database


class Killed(BaseException):
    """The process was killed here: nothing of it runs any more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at which statement of a move, counted from 1; a fault of a commit strikes at the next one."""

    kind: str
    statement: int


OF_STATEMENTS = ("locked", "full", "kill", "slow")
OF_COMMITS = ("kill before commit", "kill after commit", "commit fails", "commit unknown")
KINDS = (*OF_STATEMENTS, *OF_COMMITS)
SLOW_SECONDS = 400.0
"""So long does a slow statement take: longer than any lease."""
_ERRORS = {"locked": "database is locked", "full": "database or disk is full"}


@dataclass(slots=True)
class Process:
    """A simulated process within a move: what strikes it, how far it has come, and whether it was killed."""

    fault: Fault | None = None
    meanwhile: tuple[int, Callable[[], None]] | None = None
    """Before which of its transactions another process does something."""
    statements: int = 0
    transactions: int = 0
    is_dead: bool = False


@dataclass(slots=True)
class Gate:
    """Where all statements of the simulated processes pass."""

    slow: Callable[[float], None] = lambda _: None
    """Lets time pass."""
    struck: Counter[str] = field(default_factory=Counter)
    """How many faults were injected, by kind."""
    _processes: list[Process] = field(default_factory=list)

    @contextmanager
    def process(self, process: Process) -> Iterator[None]:
        """Let a process run: the innermost one is the one whose statements pass."""
        self._processes.append(process)
        try:
            yield
        finally:
            self._processes.pop()

    def before_statement(self, error: Callable[[str], Exception]) -> None:
        """Let a statement pass, or strike."""
        if not self._processes:
            return
        here = self._processes[-1]
        if here.is_dead:
            raise Killed
        here.statements += 1
        fault = here.fault
        if fault is None or fault.kind not in OF_STATEMENTS or here.statements != fault.statement:
            return
        self.struck[fault.kind] += 1
        match fault.kind:
            case "kill":
                self.kill()
            case "slow":
                self.slow(SLOW_SECONDS)
            case _:
                raise error(fault.kind)

    def before_transaction(self) -> None:
        """Let another process go first, if it is its turn."""
        if not self._processes:
            return
        here = self._processes[-1]
        here.transactions += 1
        if here.meanwhile and here.meanwhile[0] == here.transactions:
            do, here.meanwhile = here.meanwhile[1], None
            self.struck["another process meanwhile"] += 1
            do()

    def commit(self, commit: Callable[[], Any], error: Callable[[str], Exception]) -> None:
        """Commit, or strike before or after it."""
        here = self._processes[-1] if self._processes else None
        if here is None:
            commit()
            return
        if here.is_dead:
            raise Killed
        fault = here.fault
        if fault is None or fault.kind not in OF_COMMITS or here.statements < fault.statement:
            commit()
            return
        here.fault = None
        self.struck[fault.kind] += 1
        if fault.kind in ("kill after commit", "commit unknown"):
            commit()
        if fault.kind.startswith("kill"):
            self.kill()
        raise error("full" if fault.kind == "commit fails" else "locked")

    def kill(self) -> NoReturn:
        """Kill the process that runs."""
        self._processes[-1].is_dead = True
        raise Killed


class Databases:
    """One database as its processes see it, each through the gate, and as who looks on does."""

    def __init__(self, url: str, processes: int) -> None:
        self.gate, self.look = Gate(), Database(url)
        self.of = [Database(url) for _ in range(processes)]
        for one in self.of:
            one.busy_timeout_ms = 0  # nothing would end while it is waited for: what is locked is locked
            event.listen(one.engine, "do_connect", _postgresql(self.gate) if one.is_shared else _sqlite(self.gate))
            event.listen(one.engine, "begin", lambda _: self.gate.before_transaction(), insert=True)

    def fresh(self, slow: Callable[[float], None]) -> Gate:
        """Return the gate as it is when nothing has struck yet."""
        self.gate.slow = slow
        self.gate.struck = Counter()
        return self.gate

    def close(self) -> None:
        """Close every connection."""
        for one in (self.look, *self.of):
            one.close()


def _sqlite(gate: Gate) -> Callable[..., Any]:
    def error(kind: str) -> Exception:
        return sqlite3.OperationalError(_ERRORS[kind])

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *values: Any) -> "Cursor":
            gate.before_statement(error)
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> "Cursor":
            gate.before_statement(error)
            return super().executemany(sql, *values)

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any) -> Cursor:  # type: ignore[override]
            return super().cursor(Cursor)

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            gate.before_statement(error)
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
            gate.before_statement(error)
            return super().executemany(sql, *values)

        def commit(self) -> None:
            gate.commit(super().commit, error)

    def connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        options["factory"] = Connection

    return connect


def _postgresql(gate: Gate) -> Callable[..., Any]:
    def error(kind: str) -> Exception:
        return psycopg.errors.LockNotAvailable(kind) if kind == "locked" else psycopg.errors.DiskFull(kind)

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **options: Any) -> "Cursor":
            gate.before_statement(error)
            return super().execute(query, *values, **options)

        def executemany(self, query: Any, *values: Any, **options: Any) -> None:
            gate.before_statement(error)
            super().executemany(query, *values, **options)

    class Connection(psycopg.Connection[Any]):
        def commit(self) -> None:
            gate.commit(super().commit, error)

    def connect(_dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return Connection.connect(*arguments, cursor_factory=Cursor, **options)

    return connect
