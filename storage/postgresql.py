"""What is particular to PostgreSQL: many writers, row locks, COPY, pipelines, and daemons that wake each other."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import URL

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
    copies_from_rows = 50
    joins_in_updates = True
    combines_statements = True
    instant_text: Callable[[datetime], str] | None = None
    read_options: Mapping[str, Any] = {"postgresql_readonly": True}
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

    def notify(self, connection: Connection, channel: str) -> None:
        """Wake those that listen when this transaction commits."""
        connection.execute(text(f"NOTIFY {channel}"))

    def purge(self, connection: Connection) -> str | None:
        """Rewrite the tables without erased data."""
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

    def execute(self, connection: Connection, statements: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
        """Execute prepared statements in one round trip; return their cursors."""
        driver: Any = connection.connection.driver_connection
        with driver.pipeline() if len(statements) > 1 else nullcontext():
            cursors = [driver.cursor() for _ in statements]
            for cursor, one in zip(cursors, statements, strict=True):
                cursor.execute(one.sql, {**one.given, **values}, prepare=True)
        return cursors

    def copy_rows(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows by COPY."""
        columns = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def end_of_staging(self, connection: Connection, table: Table) -> None:
        """Nothing to do: the server empties the temporary table at the end of the transaction."""

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


def _with_timeouts(url: URL) -> URL:
    """Return the URL with default time-outs; of several hosts the writable one is used."""
    wanted = {**_CONNECTING}
    hosts = url.query.get("host", ())
    if len(hosts if isinstance(hosts, tuple) else hosts.split(",")) > 1:
        wanted["target_session_attrs"] = "read-write"
    return url.update_query_dict({name: value for name, value in wanted.items() if name not in url.query})
