"""A lived database of every schema so far is upgraded, audited, and lives on."""

from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, func, select

from engine.firing import fire_due
from storage import audits
from storage.database import SCHEMA, Database
from storage.schema import config, upgrade
from storage.tables import HistoryTableRow, OrderRow, TimerRow, table_of
from tests.factories import rules_of

DUMPS = sorted((Path(__file__).parent / "upgrades").glob("*.sql"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """A database without tables."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.new_database() if server else f"sqlite:///{tmp_path / 'upgraded.db'}"
    made = Database(url)
    yield made
    made.close()
    if server:
        server.drop(url)


def load(connection: Connection, dump: Path) -> None:
    """Make the tables of a dump's schema, and load its rows."""
    command.upgrade(config(connection), dump.stem)
    driver = connection.connection.driver_connection
    run = driver.execute if connection.dialect.name == "postgresql" else driver.cursor().execute
    for statement in dump.read_text().split(";\n"):
        if statement.strip():
            run(statement)
    if connection.dialect.name == "postgresql":
        for table in (
            "orders",
            "reports",
            "effects",
            "messages",
            "attention",
            "policies",
            *(["offers"] if dump.stem >= "0017" else []),
            *(["files"] if dump.stem >= "0018" else []),
        ):
            key = "version" if table == "policies" else "id"
            run(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), (SELECT max({key}) FROM {table}))")


def counted(connection: Connection, model) -> int:
    return connection.execute(select(func.count()).select_from(table_of(model))).scalar()


def test_there_is_a_dump_of_every_schema():
    assert [dump.stem for dump in DUMPS] == [f"{number:04}" for number in range(1, int(SCHEMA) + 1)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_lived_database_of_an_older_schema_is_upgraded_audited_and_lives_on(empty, dump):
    empty.create_file()
    with empty.write() as connection:
        load(connection, dump)
        before = counted(connection, OrderRow), counted(connection, HistoryTableRow)
    assert upgrade(empty) == dump.stem
    with empty.read() as connection:
        assert (counted(connection, OrderRow), counted(connection, HistoryTableRow)) == before
        assert [*audits.broken_orders(connection)] == []
        latest = connection.execute(select(func.max(table_of(TimerRow).c.due_at))).scalar()
    fired = fire_due(empty, latest + timedelta(days=1), rules_of())
    assert fired.count >= 4
    assert fired.failures == []
    with empty.read() as connection:
        assert [*audits.broken_orders(connection)] == []
