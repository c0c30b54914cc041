"""The work that all contenders do: urge the supplier of an order whose deadline has passed, and set the next deadline.

State and version of the order, the attempt, a row of its history with its hash, the next timer, and an effect: all of it
durable, and exactly once.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.outcomes import Arrival
from engine.reporting import apply
from storage.database import Database
from storage.schema import upgrade
from workflow.case.case import Line, Order, Report
from workflow.policy.policy import Policy, Rules, calendar_of

DAY = date.fromisoformat(os.environ.setdefault("BENCH_DAY", f"{datetime.now(UTC):%Y-%m-%d}"))
"""Of this run, and of all processes that belong to it."""
BEGIN = datetime.combine(DAY, datetime.min.time(), UTC) - timedelta(days=9)
SUPPLIERS = 50
COPIED = ("orders", "attempts", "timers", "history")
"""What there is of an order that has been placed and nothing else."""
RULES = Rules(1, Policy(), calendar_of(Policy()))
LATER = timedelta(days=60)
"""So much later than the due ones the waiting timers are due."""


def due_by(count: int) -> datetime:
    """Return the instant at which `count` urges are due."""
    return BEGIN + timedelta(days=2, seconds=count)


def order(number: int) -> Arrival:
    """Return an order as it is placed."""
    return order_at(str(number), BEGIN + timedelta(seconds=number), f"supplier {number % SUPPLIERS}")


def order_at(number: str, at: datetime, supplier: str = "supplier 0") -> Arrival:
    """Return an order as it is placed at an instant."""
    placed = Report("place", at, "bench", "place", "import:bench")
    made = Order("main", number, at, "CNY", "domestic", supplier=supplier, alternatives=("other",), paid=1_000)
    return Arrival(made, (), (Line("sku", "lamp", 1, 1_000),), placed)


def fill(url: str, due: int, waiting: int = 0, *, scattered: bool = False) -> None:
    """Make a database with `due` orders whose urge is due at `due_by(due)`, and `waiting` others whose urge is not.

    The due ones were placed first and are due in that order; scattered ones are due in no order at all.
    """
    database = Database(url)
    database.create_file()
    upgrade(database)
    with database.write() as connection:
        apply(connection, [order(0)], BEGIN, RULES)
        _copy(connection, 1, due - 1, 0, scattered)
        _copy(connection, due, waiting, int(LATER.total_seconds()), scattered)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if not database.is_shared else "VACUUM ANALYZE"))
    database.close()


def _copy(connection: Connection, first: int, count: int, later: int, scattered: bool) -> None:
    """Copy the first order: what is its own is moved by a second from copy to copy."""
    if count < 1:
        return
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        numbers = f"WITH RECURSIVE n(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {first + count - 1})"
    else:
        numbers = f"WITH n(n) AS (SELECT generate_series(CAST({first} AS bigint), {first + count - 1}))"
    seconds = f"({later} + (n * 7919) % {max(count, 1)})" if scattered else f"({later} + n)"
    for name in COPIED:
        table = SQLModel.metadata.tables[name]
        key = "id" if name == "orders" else "order_id"
        made = {column.name: column.name for column in table.columns}
        for column in table.columns:
            if isinstance(column.type, UTCDateTime):
                made[column.name] = _later(f"t.{column.name}", seconds, sqlite)
        made |= {key: "n + 1"} | ({"number": "CAST(n AS text)"} if name == "orders" else {})
        if "supplier" in made:
            made["supplier"] = f"'supplier ' || (n % {SUPPLIERS})"
        columns = {f'"{column}"': value if value != column else f't."{column}"' for column, value in made.items()}
        chosen = f"SELECT {', '.join(columns.values())} FROM n, {name} t WHERE t.{key} = 1"
        connection.execute(text(f"INSERT INTO {name} ({', '.join(columns)}) {numbers} {chosen}".replace(":", r"\:")))


def _later(column: str, seconds: str, sqlite: bool) -> str:
    if sqlite:
        return f"strftime('%Y-%m-%d %H:%M:%S', {column}, '+' || {seconds} || ' seconds') || '.000000'"
    return f"{column} + {seconds} * interval '1 second'"


def sealed(parts: Sequence[Any]) -> str:
    """Return the hash of a history row, whose parts are written as the process writes them."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
