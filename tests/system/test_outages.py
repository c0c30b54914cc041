"""What several daemons on one server live through: kills, crashes of the server, a standby that takes over, and time-outs."""

import threading

import pytest
from sqlalchemy import text

import storage.postgresql
from drills.kills import check
from drills.outages import crash_at_random, promote_a_standby
from drills.postgres import Server
from engine.firing import fire_due
from storage.database import Database, DatabaseFailed
from tests.factories import RULES, arrival, day, take


@pytest.fixture
def own_server(postgres):
    """A server that may crash; like the shared one it is skipped where there is none."""
    server = Server(durable=True, own=True)
    yield server
    server.stop()


def test_daemons_that_are_killed_on_a_server_that_crashes_lose_and_double_nothing(own_server, tmp_path):
    check(crash_at_random(own_server, tmp_path, orders=3_000, crashes=2, seconds=6), 3_000)


def test_daemons_go_on_by_themselves_when_a_standby_is_promoted(own_server, tmp_path):
    counts, acknowledged, arrived = promote_a_standby(own_server, tmp_path, orders=3_000, seconds=6)
    assert 0 < acknowledged <= arrived, "what was acknowledged is on the standby"
    check(counts, 3_000)


def test_a_lost_connection_is_named_and_the_next_one_works(own_server):
    database = Database(own_server.url())
    with pytest.raises(DatabaseFailed, match="cannot be used now"), database.write() as connection:
        own_server.crash()
        connection.execute(text("SELECT 1"))
    with pytest.raises(DatabaseFailed, match="cannot be used now"), database.read():
        pass
    own_server.start_again()
    with database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    database.close()


def test_a_statement_that_takes_too_long_is_ended_by_the_server(postgres):
    database = Database(postgres.url())
    database.limit_statements(1)
    with pytest.raises(DatabaseFailed, match="statement timeout"), database.read() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    database.close()


def test_nobody_waits_for_ever_for_a_lock(postgres, monkeypatch):
    monkeypatch.setitem(storage.postgresql.WAITS_SECONDS, "lock_timeout", 1)
    one, other = Database(postgres.url()), Database(postgres.url())
    with one.write() as holding:
        holding.execute(text("SELECT pg_advisory_xact_lock(77)"))
        with pytest.raises(DatabaseFailed, match="lock timeout"), other.write() as waiting:
            waiting.execute(text("SELECT pg_advisory_xact_lock(77)"))
    one.close()
    other.close()


def test_a_server_that_may_only_be_read_is_a_failure_of_the_database_not_of_a_row(postgres):
    database = Database(postgres.url())
    with pytest.raises(DatabaseFailed, match="read-only"), database.write() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text("CREATE TABLE nothing (n int)"))
    database.close()


@pytest.mark.parametrize("make_database", ["postgresql"], indirect=True)
def test_a_tick_on_a_standby_is_tried_again_and_sets_no_timer_back(make_database):
    database = make_database()
    take(database, *(arrival(str(n)) for n in range(3)), now=0)
    url = database.url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    standby = Database(url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseFailed, match="read-only"):
        fire_due(standby, day(2), RULES)
    standby.close()
    assert fire_due(database, day(2), RULES).count == 3


def test_of_several_hosts_the_one_that_can_be_written_to_is_found(own_server):
    standby = own_server.standby()
    hosts = f"postgresql://postgres@/postgres?host={standby.host}&host={own_server.host}"
    database = Database(hosts)
    with database.write() as connection:
        assert connection.execute(text("SELECT pg_is_in_recovery()")).scalar() is False
    database.close()
    standby.stop()


def test_two_threads_of_one_daemon_never_share_a_connection(postgres):
    database, seen = Database(postgres.url()), []

    def look():
        with database.read() as connection:
            seen.append(connection.execute(text("SELECT pg_backend_pid() FROM pg_sleep(0.05)")).scalar())

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 3
    database.close()
