"""Write the rows of some orders of a demo database, as INSERT statements: `python -m tests.storage.upgrades.dump DATABASE`.

Made once for each schema, with the program of that schema: every ninth order of `make demo`, so that some have ended and
some still run, with their replacements. Messages that also speak of other orders are left out.
"""

import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

EVERY = 9
"""Of so many orders one is written."""


def statements(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield one INSERT per row, tables in an order that foreign keys allow."""
    kept = f"SELECT id FROM orders WHERE CAST(substr(number, 1, 4) AS integer) % {EVERY} = 0"
    effects = f"SELECT id FROM effects WHERE order_id IN ({kept})"
    others = f"SELECT message_id FROM message_members WHERE effect_id NOT IN ({effects})"
    wanted = {
        "policies": "1",
        "catalogues": "1",
        "offers": "1",
        "files": "1",
        "orders": f"id IN ({kept})",
        "effects": f"id IN ({effects})",
        "messages": f"id NOT IN ({others})",
        "message_members": f"message_id NOT IN ({others})",
    }
    for table in _tables(connection):
        condition = wanted.get(table) or (f"order_id IN ({kept})" if "order_id" in _columns(connection, table) else "0")
        yield from _rows(connection, table, condition)


def _tables(connection: sqlite3.Connection) -> list[str]:
    first = ["policies", "orders", "effects", "messages"]
    found = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [*first, *(name for name in found if name not in first)]


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {name: kind for _, name, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")')}


def _rows(connection: sqlite3.Connection, table: str, condition: str) -> Iterator[str]:
    columns = _columns(connection, table)
    names = ", ".join(f'"{name}"' for name in columns)
    for row in connection.execute(f'SELECT {names} FROM "{table}" WHERE {condition}'):
        values = ", ".join(_literal(value, kind) for value, kind in zip(row, columns.values(), strict=True))
        yield f'INSERT INTO "{table}" ({names}) VALUES ({values});'


def _literal(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == "BOOLEAN":
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    print(*statements(sqlite3.connect(sys.argv[1])), sep="\n")
