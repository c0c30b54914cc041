import shutil
import stat
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from engine import health
from storage import chains, queries
from storage.database import Database, DatabaseFailed, DatabaseUnready
from storage.schema import upgrade
from storage.scratch import create_tables
from tests.factories import START, arrival, take
from workflow.case.case import Case, Order
from workflow.errors import UsageError


@pytest.fixture
def file(tmp_path):
    made = Database(f"sqlite:///{tmp_path / 'shop.db'}")
    upgrade(made)
    yield made
    made.close()


def orders(database):
    with database.read() as connection:
        return queries.counts(connection)["orders"]


def test_a_database_that_another_writer_holds_is_named_and_nothing_is_stored(file):
    other = Database(f"sqlite:///{file.file}")
    other.busy_timeout_ms = 1
    with file.write(), pytest.raises(DatabaseFailed, match=r"shop\.db cannot be used now: database is locked"):
        take(other, arrival("1"))
    other.close()
    assert orders(file) == {}


def test_a_file_that_was_put_in_its_place_is_read_from_then_on(file, tmp_path):
    file.copy_file(tmp_path / "empty.db")
    take(file, arrival("1"))
    assert orders(file) == {"placed": 1}
    file.file.rename(tmp_path / "away.db")
    with pytest.raises(DatabaseFailed):
        orders(file)
    for left in ("-wal", "-shm"):
        (tmp_path / f"shop.db{left}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "empty.db", file.file)
    assert orders(file) == {}


def test_a_backup_and_the_files_beside_the_database_are_readable_by_their_owner_alone(file, tmp_path):
    with file.write():
        file.copy_file(tmp_path / "copy.db")
        for path in tmp_path.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_place_of_a_server_is_named_without_its_password():
    database = Database("postgresql://kim:secret@127.0.0.1:1/shop")
    with pytest.raises(DatabaseFailed) as caught:
        database.require()
    assert "kim:***@127.0.0.1:1/shop" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_without_tables_says_what_to_do(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'bare.db'}")
    database.create_file()
    with pytest.raises(DatabaseUnready, match="run `aftersales db upgrade`"):
        database.require()
    database.close()


@pytest.mark.parametrize("folder", ["w#1", "what?", "100%20"])
def test_a_database_in_a_folder_with_an_odd_name_is_its_own(tmp_path, folder):
    made = Database(f"sqlite:///{quote(str(tmp_path / folder / 'shop.db'))}")
    upgrade(made)
    take(made, arrival("1"))
    made.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder]
    assert stat.S_IMODE((tmp_path / folder / "shop.db").stat().st_mode) == 0o600


def test_a_damaged_file_is_named(file):
    take(file, *(arrival(str(n)) for n in range(300)))
    file.close()
    content = bytearray(file.file.read_bytes())
    content[8_192:] = b"x" * len(content[8_192:])
    file.file.write_bytes(content)
    with pytest.raises(DatabaseFailed, match="malformed"):
        orders(file)


@pytest.mark.parametrize("url", ["postgresql://u:p@h:port/x", "postgresql+foo://h/x", "nonsense"])
def test_an_address_of_a_database_that_is_none_is_refused(url):
    with pytest.raises(UsageError):
        Database(url)


def test_the_money_of_a_chain_is_looked_up_by_index(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'chains.db'}")
    create_tables(database)
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda c, cursor, sql, values, *_: statements.append((sql, values)))
    placed = Order("main", "1-R", START, "CNY", chain="1", generation=1, replaces="1")
    with database.read() as connection:
        chains.load(connection, [Case(placed)])
        looked_up = [one for one in statements if "json_each" in one[0]]
        plans = [
            row[-1] for sql, values in looked_up for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    database.close()
    assert len(looked_up) == 2
    assert [plan for plan in plans if plan.startswith(("SCAN orders", "SCAN ledger"))] == []
    assert any("orders_by_chain" in plan for plan in plans)


def test_damage_of_a_file_is_found(file):
    take(file, *(arrival(str(n)) for n in range(200)))
    assert file.damage() is None
    with file.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    pages = bytearray(file.file.read_bytes())
    pages[-4096 * 3 : -4096 * 2] = b"\xff" * 4096
    file.file.write_bytes(pages)
    try:
        assert file.damage() is not None
    except DatabaseFailed as error:
        assert "malformed" in str(error)  # noqa: PT017  (either way it is said)


def test_a_pooler_in_transaction_mode_is_refused_and_a_server_is_not(make_database):
    database = make_database()
    database.refuse_pooler()
    if database.is_shared:
        shared = create_engine(database.url, poolclass=StaticPool)  # every connection shares one backend
        database.engine.dispose()
        database.engine = shared
        with pytest.raises(DatabaseUnready, match="a pooler in transaction mode"):
            database.refuse_pooler()


def test_a_slow_reader_of_an_export_keeps_no_log_from_being_cut(file, monkeypatch):
    monkeypatch.setattr(health, "ORDERS_IN_PAGE", 2)
    take(file, *(arrival(str(n)) for n in range(6)))
    rows = health.histories(file, None)
    seen = [next(rows)["order"]]
    take(file, arrival("later"))
    with file.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    assert busy == 0, "no transaction is open while a row is consumed"
    seen += [row["order"] for row in rows]
    assert seen == [*(f"main/{n}" for n in range(6)), "main/later"]
    assert [row["order"] for row in health.histories(file, "3")] == ["main/3"]
