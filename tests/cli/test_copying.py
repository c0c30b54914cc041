"""A database moved to the other kind and back: every row, every history, and going on after an interruption."""

import pytest
from sqlalchemy import select, text

from engine.firing import fire_due
from storage import audits
from storage.copying import CopyFailed, copied_tables, copy, verify
from storage.database import Database
from storage.schema import upgrade
from storage.scratch import create_tables
from tests.factories import arrival, day, report, rules_of, state, take

RULES = rules_of()


@pytest.fixture(params=["to a server", "to a file"])
def both(request, tmp_path, postgres):
    """A source with orders in it and an empty target of the other kind."""
    url = postgres.new_database()
    server, file = Database(url), Database(f"sqlite:///{tmp_path / 'file.db'}")
    upgrade(server)
    create_tables(file)
    source, target = (file, server) if request.param == "to a server" else (server, file)
    claimed = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"), report("hold", 0.5))
    take(source, arrival("1", paid=900), arrival("2", *claimed), arrival("3", report("report_no_stock", 1)), now=4)
    fire_due(source, day(5), RULES)
    yield source, target
    for one in (server, file):
        one.close()
    postgres.drop(url)


def rows(database, table):
    with database.read() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()]


def test_every_row_is_there_and_every_history_holds(both):
    source, target = both
    copy(source, target)
    assert verify(source, target) == 3
    for table in copied_tables():
        assert rows(source, table) == rows(target, table), table.name


def test_life_goes_on_in_the_copy(both):
    source, target = both
    copy(source, target)
    fire_due(target, day(9), RULES)
    take(target, arrival("4"), arrival("2", report("withdraw", 9), placing=False), now=9)
    assert state(target, "2") == "delivered"
    with target.read() as connection:
        assert [*audits.broken_orders(connection)] == []


def test_a_copy_that_was_interrupted_goes_on_where_it_stopped(both):
    source, target = both

    class Killed(BaseException):
        pass

    told = []

    def killed_in_the_middle(table, count):
        told.append(table)
        if len(told) == 4:
            raise Killed

    with pytest.raises(Killed):
        copy(source, target, killed_in_the_middle, batch=2)
    again = copy(source, target)
    assert sum(one.before for one in again) > 0
    assert verify(source, target) == 3


def test_a_target_that_holds_other_orders_is_left_alone(both):
    source, target = both
    take(target, arrival("99"), now=4)
    with pytest.raises(CopyFailed, match=r"holds other rows in (orders|policies)"):
        copy(source, target)
    assert len(rows(target, copied_tables()[[t.name for t in copied_tables()].index("orders")])) == 1


def edit(database, sql):
    with database.write() as connection:
        connection.execute(text(sql))


def test_a_source_that_went_on_and_a_history_that_broke_are_found(both):
    source, target = both
    copy(source, target)
    edit(target, "UPDATE history SET reason = 'edited' WHERE order_id = 1 AND sequence = 1")
    with pytest.raises(CopyFailed, match="the history of order main/1 does not hold"):
        verify(source, target)
    edit(target, "UPDATE history SET reason = NULL WHERE order_id = 1 AND sequence = 1")
    edit(source, "UPDATE orders SET last_hash = 'x' WHERE id = 2")
    with pytest.raises(CopyFailed, match="has moved on since"):
        verify(source, target)
    edit(source, "DELETE FROM reports")
    with pytest.raises(CopyFailed, match="reports has 0 rows"):
        verify(source, target)


def test_the_command_copies_to_a_server_and_back(run, postgres):
    assert run("import", "orders.csv", "--urge-historical").code == 3
    run("once")
    url = postgres.new_database()
    said = run("db", "copy", url)
    assert "every history holds" in said.out
    assert "were there" in run("db", "copy", url).out
    back = run("--database", url, "db", "copy", "sqlite:///back.db")
    assert "Copied to" in back.out
    assert run("--database", "sqlite:///back.db", "audit").code == 0
    assert run("--database", "sqlite:///back.db", "orders", "--json").json == run("orders", "--json").json
    assert "the same database" in run("db", "copy", "sqlite:///aftersales.db").out
    assert "is not a database URL" in run("db", "copy", "nowhere").out
    postgres.drop(url)


def test_an_older_copy_is_refused_before_anything_is_written(both):
    source, target = both
    copy(source, target)
    take(source, arrival("1", report("ship", 6), placing=False), arrival("4"), now=7)
    before = {table.name: rows(target, table) for table in copied_tables()}
    with pytest.raises(CopyFailed, match="an older copy"):
        copy(source, target)
    assert {table.name: rows(target, table) for table in copied_tables()} == before
