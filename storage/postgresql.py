"""What is particular to PostgreSQL: many writers, row locks, COPY, pipelines, and daemons that wake each other."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from itertools import count, repeat
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Insert,
    Select,
    String,
    Table,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateTable

from storage.prepared import Prepared, prepare
from storage.row_sets import Operation, RowSet, statement
from storage.staging import Write, expressions, layout_of, staged_table
from workflow.case.canonical import plain

NAME = "postgresql"
WAITS_SECONDS = {"lock_timeout": 10, "idle_in_transaction_session_timeout": 300}
_CONNECTING = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""A silent host is given up within half a minute. The last value is in milliseconds, the others in seconds."""
_READ_ONLY = "25006"
"""SQLSTATE of a write on a standby."""


class Postgresql:
    """PostgreSQL, behind `storage.dialect.StorageDialect`."""

    name = NAME
    is_shared = True
    instant_text: Callable[[datetime], str] | None = None
    read_options: Mapping[str, Any] = {"postgresql_readonly": True}
    erased_rows_stay: str | None = (
        "the server's files hold the old rows until their room is used again: `VACUUM FULL` in a quiet hour, which locks "
        "the tables, removes them; its write-ahead log and standbys age by themselves"
    )
    steady_plans: tuple[str, ...] = ("SET LOCAL plan_cache_mode = force_generic_plan",)
    """Planning reads the ends of an index, which are full of dead entries: a firing transaction keeps its plans."""

    # --- connections ---

    def engine(self, url: URL, *, scratch: bool, limits: Callable[[], Mapping[str, int]]) -> Engine:
        """Return an engine for the server, with time-outs for connections, locks, idle transactions and statements."""
        engine = create_engine(_with_timeouts(url), hide_parameters=True)

        def connect(connection: Any, _record: Any) -> None:
            waits = {**WAITS_SECONDS, "statement_timeout": limits()["statement_seconds"]}
            with connection.cursor() as cursor:
                for name, seconds in waits.items():
                    cursor.execute(f"SET {name} = '{seconds}s'")
                cursor.execute("SET timezone = 'UTC'")
            connection.commit()

        event.listen(engine, "connect", connect)
        return engine

    def is_read_only_failure(self, error: Any) -> bool:
        """Say whether a write failed because the server is, or has become, a standby."""
        return getattr(error, "sqlstate", None) == _READ_ONLY

    @contextmanager
    def exclusive(self, engine: Engine, file: Path | None, name: str, number: int) -> Iterator[None]:
        """Hold an advisory lock outside of any transaction."""
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(select(func.pg_advisory_lock(number)))
            try:
                yield
            finally:
                connection.execute(select(func.pg_advisory_unlock(number)))

    def take_lock(self, connection: Connection, number: int) -> None:
        """Wait for an advisory lock and hold it until the transaction ends."""
        connection.execute(select(func.pg_advisory_xact_lock(number)))

    def take_locks(self, connection: Connection, kind: int, numbers: Sequence[int]) -> None:
        """Wait for advisory locks of a kind, in the order of their numbers, and hold them until the transaction ends."""
        for number in numbers:
            connection.execute(select(func.pg_advisory_xact_lock(kind, number)))

    def notify(self, connection: Connection, channel: str) -> None:
        """Wake those that listen when this transaction commits."""
        connection.execute(text(f"NOTIFY {channel}"))

    def damage_of(self, connection: Connection) -> str | None:
        """None: a server checks its own files."""
        return None

    def is_pooled(self, engine: Engine) -> bool:
        """Say whether a pooler in transaction mode stands before the server: connections share its backends then.

        What is set for a connection, prepared on it, locked or listened to by it would meet other clients.
        """
        backend = select(func.pg_backend_pid())
        with engine.connect() as one, engine.connect() as other:
            with one.begin():
                first = one.execute(backend).scalar()
            with other.begin():
                second = other.execute(backend).scalar()
                with one.begin():
                    return second == first or one.execute(backend).scalar() != first

    def purge(self, connection: Connection) -> str | None:
        """Let the server use the room of erased rows again."""
        connection.exec_driver_sql("VACUUM")
        return None

    def optimize(self, connection: Connection) -> None:
        """Nothing to do: autovacuum does it."""

    # --- expressions ---

    def among(self, column_of_ids: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        """Return the condition that an integer column is in the list of a parameter."""
        return column_of_ids == func.any(bindparam(parameter, None, type_=ARRAY(BigInteger)))

    def among_texts(self, column_of_texts: ColumnElement[Any], parameter: Any) -> ColumnElement[bool]:
        """Return the condition that a text column is in the JSON list of a parameter."""
        return column_of_texts.in_(select(func.json_array_elements_text(cast(parameter, JSON))))

    def list_value(self, ids: Iterable[int]) -> str:
        """Return integers as the value of a list parameter."""
        return f"{{{','.join(map(str, ids))}}}"

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return pairs as a list of row values, which an index serves."""
        return pairs

    def insert_missing(self, table: Table) -> Insert:
        """Return an insert that passes over rows that are there already, or that another transaction adds now."""
        from sqlalchemy.dialects.postgresql import insert as insert_here

        return insert_here(table).on_conflict_do_nothing()

    def upsert(self, table: Table, key: str) -> Insert:
        """Return an insert that replaces the row which has the same key."""
        from sqlalchemy.dialects.postgresql import insert as insert_here

        made = insert_here(table)
        return made.on_conflict_do_update(
            index_elements=[key], set_={c.name: made.excluded[c.name] for c in table.c if c.name != key}
        )

    def seconds_between(self, begin: Any, end: Any) -> Any:
        """Return the seconds from one instant to another."""
        return func.extract("epoch", end - begin)

    def locked(self, query: Select[Any]) -> Select[Any]:
        """Return a query that locks its rows until the transaction ends."""
        return query.with_for_update()

    def claimed(self, query: Select[Any], of: Any, on: Any) -> Select[Any]:
        """Return a query whose orders are locked, those of other daemons passed over: every writer locks them first."""
        return query.join(of, on).with_for_update(of=of, skip_locked=True)

    # --- statements past SQLAlchemy ---

    def execute(self, connection: Connection, statements: Sequence[Prepared], values: Mapping[str, Any]) -> list[Any]:
        """Execute prepared statements in one round trip; return their cursors."""
        driver: Any = connection.connection.driver_connection
        with driver.pipeline() if len(statements) > 1 else nullcontext():
            cursors = [driver.cursor() for _ in statements]
            for cursor, one in zip(cursors, statements, strict=True):
                cursor.execute(one.sql, {**one.given, **values}, prepare=True)
        return cursors

    def write(self, connection: Connection, sets: Sequence[RowSet]) -> list[int]:
        """Write rows: new ones alone by COPY, others from a temporary table, a few as JSON in one statement.

        Returns how many rows each set has written.
        """
        first = sets[0]
        if len(sets) == 1 and first.shape.operation is Operation.add and first.count >= COPIED_FROM_ROWS:
            _copy(connection, first.shape.table.name, first.shape.names, first.in_order(range(len(first.columns))))
            return [first.count]
        layout = layout_of(sets)
        if first.count < STAGED_FROM_ROWS:
            along = [dict(zip(layout.names, row, strict=True)) for row in zip(*layout.columns, strict=True)]
            values = {**layout.constants, "rows": json.dumps(along, default=plain)}
            (cursor,) = self.execute(connection, [_combined(layout.writes, layout.names, connection.dialect)], values)
            return [*cursor.fetchone()]
        batch = next(_BATCHES)
        self.execute(connection, [_create_staged(connection.dialect)], {})
        _copy(connection, _STAGED.name, ("batch", *layout.names), zip(repeat(batch), *layout.columns, strict=False))
        prepared = _from_staged(layout.writes, connection.dialect)
        return [cursor.rowcount for cursor in self.execute(connection, prepared, {**layout.constants, "batch": batch})]

    # --- sizes ---

    def estimated_rows(self, connection: Connection, table: Table) -> int | None:
        """Return the server's own estimate, None if it has none yet."""
        estimate = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        found = int(connection.execute(estimate, {"name": table.name}).scalar() or -1)
        return found if found >= 0 else None

    def bytes_used(self, connection: Connection) -> int:
        """Return the size of the database, indexes included."""
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar() or 0)

    def advance_sequences(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Advance the sequences past the ids that were inserted."""
        for table in tables:
            first = next(iter(table.primary_key.columns))
            owns = text("SELECT pg_get_serial_sequence(:table_name, :column_name)")
            sequence = connection.execute(owns, {"table_name": table.name, "column_name": first.name}).scalar()
            highest = connection.execute(select(func.max(first))).scalar()
            if sequence and highest:
                connection.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})


# --- rows written from others ---

COPIED_FROM_ROWS = 50
"""From this many rows on, new rows go by COPY."""
STAGED_FROM_ROWS = 200
"""From this many rows on, they go by COPY into a temporary table; fewer travel as JSON in one statement."""
_STAGED = staged_table(Column("batch", BigInteger), Column("c0", BigInteger))
_BATCHES = count(1)
"""The temporary table is emptied at the end of the transaction, so each batch of rows in it has a number."""


@lru_cache
def _create_staged(written_for: Dialect) -> Prepared:
    prepared = prepare(CreateTable(_STAGED, if_not_exists=True), written_for)
    return replace(prepared, sql=f"{prepared.sql} ON COMMIT DELETE ROWS")


def _copy(connection: Connection, table: str, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    columns = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _statements(writes: Sequence[Write], which: ColumnElement[bool]) -> list[Any]:
    """Return the statements that write rows from those staged ones that meet a condition."""

    def take(number: int, column: Column[Any]) -> ColumnElement[Any]:
        staged = _STAGED.c[f"c{number}"]
        return cast(staged, column.type) if number and not isinstance(column.type, String) else staged

    def find(column: Column[Any], ids: ColumnElement[Any]) -> ColumnElement[bool]:
        return (column == ids) & which

    def rows(*values: ColumnElement[Any]) -> Select[Any]:
        return select(*values).select_from(_STAGED).where(which)

    made = (statement(write[0], expressions(number, write, take), rows, find) for number, write in enumerate(writes))
    return [*made]


@lru_cache(maxsize=1_000)
def _from_staged(writes: Sequence[Write], written_for: Dialect) -> list[Prepared]:
    of_batch = _STAGED.c.batch == bindparam("batch", None, type_=BigInteger)
    return [prepare(one, written_for) for one in _statements(writes, of_batch)]


@lru_cache(maxsize=1_000)
def _combined(writes: Sequence[Write], names: Sequence[str], written_for: Dialect) -> Prepared:
    """Combine statements into one that carries the staged rows as JSON, and returns how many rows each has written."""
    made = enumerate(_statements(writes, true()))
    parts = [one.returning(literal_column("1")).cte(f"part{number}") for number, one in made]
    counted = prepare(select(*(select(func.count()).select_from(part).scalar_subquery() for part in parts)), written_for)
    typed = ", ".join(f"{name} {'text' if number else 'bigint'}" for number, name in enumerate(names))
    come = f"SELECT * FROM json_to_recordset(CAST(%(rows)s AS json)) AS come ({typed})"  # noqa: S608
    return replace(counted, sql=f"WITH staged AS ({come}), {counted.sql.removeprefix('WITH ')}")


def _with_timeouts(url: URL) -> URL:
    """Return the URL with default time-outs; of several hosts the writable one is used."""
    wanted = {**_CONNECTING}
    hosts = url.query.get("host", ())
    if len(hosts if isinstance(hosts, tuple) else hosts.split(",")) > 1:
        wanted["target_session_attrs"] = "read-write"
    return url.update_query_dict({name: value for name, value in wanted.items() if name not in url.query})
