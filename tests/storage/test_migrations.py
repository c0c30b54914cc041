from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlmodel import SQLModel, col

from storage import cases
from storage.database import SCHEMA, Database
from storage.schema import config, upgrade
from storage.scratch import create_tables
from storage.tables import AttemptRow, EffectRow, TimerRow


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
        yield made
        made.close()
        return
    server = request.getfixturevalue("postgres")
    url = server.new_database()
    made = Database(url)
    yield made
    made.close()
    server.drop(url)


def differences(database):
    with database.read() as connection:
        options = {"render_as_batch": True, "include_object": lambda *about: not database.is_shared or not only_sqlite(*about)}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, SQLModel.metadata)


def only_sqlite(found, name, kind, reflected, compared):
    return kind == "foreign_key_constraint" and found.table.name in ("timers", "history", "effects") and not reflected


def test_the_migrations_lead_to_the_tables_that_the_program_declares(empty):
    assert upgrade(empty) is None
    assert differences(empty) == []
    assert upgrade(empty) == SCHEMA


def test_a_scratch_database_has_the_same_tables(empty):
    create_tables(empty)
    assert differences(empty) == []
    assert empty.schema() == SCHEMA


def test_the_version_that_the_program_wants_is_the_newest_migration():
    assert ScriptDirectory.from_config(config()).get_current_head() == SCHEMA


ORDER = {
    "id": 1,
    "shop": "main",
    "number": "1",
    "placed_at": "2025-03-03 09:00:00",
    "alternatives": "[]",
    "route": "domestic",
    "currency": "CNY",
    "language": "en",
    "salt": "s",
    "observed": False,
    "state": "placed",
    "since": "2025-03-03 09:00:00",
    "current": 1,
    "cancelled": False,
    "gap": False,
    "timers_made": 0,
    "version": 0,
    "last_hash": "",
}
ATTEMPT = {
    "order_id": 1,
    "number": 1,
    "placed_at": "2025-03-03 09:00:00",
    "parcel": '[["2025-03-04T09:00:00+00:00","ship"],["2025-03-08T09:00:00+00:00","deliver"]]',
}
TIMER = {
    "order_id": 1,
    "number": 1,
    "trigger": "urge",
    "due_at": "2025-03-05 09:00:00",
    "wake_at": "2025-03-05 09:00:00",
    "counts_from": "2025-03-03 09:00:00",
    "policy": 1,
    "status": "pending",
    "nth": 1,
    "provisional": False,
    "tries": 0,
}
EFFECT = {
    "id": 1,
    "order_id": 1,
    "sequence": 2,
    "kind": "urge_supplier",
    "attempt": 1,
    "details": '{"supplier":"Yiwu"}',
    "status": "ready",
    "caused_at": "2025-03-05 09:00:00",
}


def put(connection, table, row):
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), row)


def test_an_older_database_keeps_its_rows_and_gains_what_is_new(empty):
    empty.create_file()
    with empty.write() as connection:
        command.upgrade(config(connection), "0001")
        put(connection, "orders", ORDER)
        put(connection, "effects", EFFECT)
        put(connection, "effects", {**EFFECT, "id": 2, "details": "{}"})
        put(connection, "attempts", ATTEMPT)
        put(connection, "timers", TIMER)
        moved = {"id": 2, "number": "2", "state": "customs_hold", "since": "2025-03-04 09:00:00.250000"}
        put(connection, "orders", {**ORDER, **moved})
        put(connection, "attempts", {**ATTEMPT, "order_id": 2, "parcel": "[]"})
    assert upgrade(empty) == "0001"
    assert differences(empty) == []
    with empty.read() as connection:
        suppliers = select(EffectRow.id, EffectRow.supplier).order_by(col(EffectRow.id))
        assert connection.execute(suppliers).all() == [(1, "Yiwu"), (2, None)]
        delivered_at = select(AttemptRow.delivered_at).where(col(AttemptRow.order_id) == 1)
        assert connection.execute(delivered_at).scalar() == datetime(2025, 3, 8, 9, tzinfo=UTC)
        parcels = cases.load(connection, [1, 2], lock=False)
        sent = ((datetime(2025, 3, 4, 9, tzinfo=UTC), "ship"), (datetime(2025, 3, 8, 9, tzinfo=UTC), "deliver"))
        assert [one.news for one in parcels[1].case.parcels] == [sent]
        held = (datetime(2025, 3, 4, 9, 0, 0, 250_000, tzinfo=UTC), "held")
        assert [one.news for one in parcels[2].case.parcels] == [(held,)]
        assert connection.execute(select(TimerRow.planned_at)).scalar() == datetime(2025, 3, 5, 9, tzinfo=UTC)


def test_a_migration_that_fails_leaves_everything_as_it_was(empty):
    empty.create_file()
    with empty.write() as connection:
        command.upgrade(config(connection), "0001")
        put(connection, "orders", ORDER)
        put(connection, "effects", {**EFFECT, "details": "not json"})
    with pytest.raises(ValueError, match="Expecting value"):
        upgrade(empty)
    assert empty.schema() == "0001"
    with empty.read() as connection:
        assert "supplier" not in {column["name"] for column in inspect(connection).get_columns("effects")}
