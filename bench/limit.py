"""The limit: SQL written by hand for this one transition. It writes the rows that the process would, and knows nothing else.

No guard, no policy, no calendar, no other state: what a batch costs when nothing but the database works.
"""

import hashlib
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from storage.database import Database
from storage.sqlite import text_of

_JSON = """'["' || o.last_hash || '","' || o.shop || '/' || o.number || '",' || (o.version + 1) || ',"urge","' || o.state
 || '","overdue_urged","{iso}","' || {due} || '","{iso}","timer",null,{{}},1,' || {wrote} || ']'"""
_WROTE = """'{{"timers":{{"' || t.number || '":"fired","' || (o.timers_made + 1) || '":["reroute","{later}"]}}}}'"""
_HASH = {"sqlite": f"sha256_of({_JSON})", "postgresql": f"encode(sha256(convert_to({_JSON}, 'UTF8')), 'hex')"}
_DUE = {
    "sqlite": "replace(substr(t.due_at, 1, 19), ' ', 'T') || '+00:00'",
    "postgresql": """to_char(t.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00'""",
}
_KEYS = {"sqlite": "WITHOUT ROWID", "postgresql": "ON COMMIT DELETE ROWS"}
_LOCKED = {"sqlite": "", "postgresql": "FOR UPDATE OF o SKIP LOCKED"}
_EFFECT = """'{"about":"urge","supplier":"' || supplier || '"}'"""
_COLUMNS = (
    "order_id bigint PRIMARY KEY, number int, due_at {instant}, version int, current int, supplier text, made int, wrote text, "
    "hash text"
)
_CLAIM = """INSERT INTO due SELECT t.order_id, t.number, t.due_at, o.version, o.current, a.supplier, o.timers_made, {wrote}, {hash}
FROM timers t JOIN orders o ON o.id = t.order_id JOIN attempts a ON a.order_id = o.id AND a.number = o.current
WHERE t.status = 'pending' AND t.wake_at <= '{at}' ORDER BY t.wake_at, t.order_id, t.number LIMIT {limit} {locked}"""
_WRITES = (
    """INSERT INTO history (order_id, sequence, trigger, source, target, occurred, due, recorded, actor, details, policy, wrote,
hash) SELECT order_id, version + 1, 'urge', 'placed', 'overdue_urged', {now}, due_at, {now}, 'timer', '{{}}', 1, wrote, hash
FROM due""",
    """INSERT INTO timers (order_id, number, trigger, due_at, planned_at, wake_at, counts_from, policy, status, nth,
provisional, tries) SELECT order_id, made + 1, 'reroute', {next}, {next}, {next}, {now}, 1, 'pending', 1, {false}, 0 FROM due""",
    """INSERT INTO effects (order_id, sequence, kind, attempt, supplier, details, status, caused_at)
SELECT order_id, version + 1, 'urge_supplier', current, supplier, {effect}, 'ready', {now} FROM due""",
)
_CHANGES = {
    "sqlite": (
        "UPDATE timers SET status = 'fired', fired_at = {now} WHERE (order_id, number) IN (SELECT order_id, number FROM due)",
        "UPDATE attempts SET urged_at = {now} WHERE (order_id, number) IN (SELECT order_id, current FROM due)",
        """UPDATE orders SET state = 'overdue_urged', since = {now}, version = version + 1, timers_made = timers_made + 1,
last_hash = (SELECT hash FROM due WHERE order_id = orders.id) WHERE id IN (SELECT order_id FROM due)""",
    ),
    "postgresql": (
        """UPDATE timers t SET status = 'fired', fired_at = {now} FROM due d
WHERE t.order_id = d.order_id AND t.number = d.number""",
        "UPDATE attempts a SET urged_at = {now} FROM due d WHERE a.order_id = d.order_id AND a.number = d.current",
        """UPDATE orders o SET state = 'overdue_urged', since = {now}, version = o.version + 1,
timers_made = o.timers_made + 1, last_hash = d.hash FROM due d WHERE o.id = d.order_id""",
    ),
}


def sha256_of(text: str) -> str:
    """SQLite has no SHA-256 of its own."""
    return hashlib.sha256(text.encode()).hexdigest()


def fire(database: Database, at: datetime, limit: int) -> int:
    """Urge up to `limit` suppliers at `at`; return how many that were."""
    with database.write() as connection:
        kind = connection.dialect.name
        if kind == "sqlite":
            driver: Any = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection), "the driver that comes with Python"
            driver.create_function("sha256_of", 1, sha256_of, deterministic=True)
        return _fire(connection, kind, at, limit)


def _fire(connection: Connection, kind: str, at: datetime, limit: int) -> int:
    instant = {"sqlite": "text", "postgresql": "timestamptz"}[kind]
    later = at + timedelta(days=2)
    wrote = _WROTE.format(later=later.isoformat())
    named = {
        "wrote": wrote,
        "hash": _HASH[kind].format(iso=at.isoformat(), due=_DUE[kind], wrote=wrote),
        "at": text_of(at),
        "now": f"'{text_of(at)}'" if kind == "sqlite" else f"'{at.isoformat()}'::timestamptz",
        "limit": limit,
        "locked": _LOCKED[kind],
        "false": "0" if kind == "sqlite" else "false",
        "effect": _EFFECT,
    }
    named["next"] = f"'{text_of(later)}'" if kind == "sqlite" else f"'{later.isoformat()}'::timestamptz"
    if kind == "postgresql":
        named["at"] = at.isoformat()
    made = f"CREATE TEMPORARY TABLE IF NOT EXISTS due ({_COLUMNS.format(instant=instant)}) {_KEYS[kind]}"
    connection.exec_driver_sql(made)
    count = connection.exec_driver_sql(_CLAIM.format(**named)).rowcount
    if count:
        for statement in (*_CHANGES[kind], *_WRITES):
            connection.exec_driver_sql(statement.format(**named))
    if kind == "sqlite":
        connection.exec_driver_sql("DELETE FROM due")
    return count
