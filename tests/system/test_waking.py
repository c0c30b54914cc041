"""Daemons of one server that wake each other."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from effects.letters import Letters
from engine.composing import Messenger
from engine.outcomes import Arrival
from engine.reporting import apply
from jobs import passes
from jobs.daemon import Limits
from jobs.passes import Runtime
from jobs.wakeable_job import WakeableJob
from storage.database import Database
from storage.notifications import Listener, notify_daemons
from tests.factories import all_effects, arrival, day, decide, report, rules_of, take
from tests.system.daemons import PATIENCE_SECONDS, Hanging, at_work
from workflow.case.case import Order, Report

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")


@pytest.fixture
def server(postgres, postgres_template):
    url = postgres.new_database(postgres_template)
    made = Database(url)
    yield made
    made.close()
    postgres.drop(url)


@pytest.fixture
def listener(server):
    made = Listener(server)
    assert made.wait(0), "what was announced before the connection was opened counts as heard"
    yield made
    made.close()


def heard(listener) -> int:
    count = 0
    while listener.wait(0.2):
        count += 1
    return count


def test_what_can_be_done_at_once_is_announced_once_a_transaction(server, listener):
    take(server, arrival("1"), arrival("2"), now=0)
    assert heard(listener) == 0, "their deadlines are days ahead"
    take(server, *(arrival(number, report("correct_address", 1), placing=False) for number in "12"), now=1)
    assert heard(listener) == 1, "two requests may leave"
    take(server, arrival("3"), now=9)
    assert heard(listener) == 1, "its urge is due already"


def test_what_a_person_approves_is_announced(server, listener):
    take(server, arrival("1", report("report_oversized", 1)), now=1, observed=True)
    heard(listener)
    with server.write() as connection:
        decide(connection, "approve", all_effects(connection), "person:kim", day(1))
    assert heard(listener) == 1


def test_a_transaction_that_is_rolled_back_announces_nothing(server, listener):
    class Crash(Exception):
        pass

    def crash():
        with server.write() as connection:
            notify_daemons(connection)
            raise Crash

    with pytest.raises(Crash):
        crash()
    assert heard(listener) == 0


def test_a_listener_whose_connection_is_cut_hears_again(server, listener):
    with server.write() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    with pytest.raises(Exception, match=r"terminat|clos|lost"):
        listener.wait(1)
    assert listener.wait(1)
    with server.write() as connection:
        notify_daemons(connection)
    assert heard(listener) == 1


def test_nobody_listens_at_a_server_that_is_gone(postgres):
    url = postgres.new_database()
    gone = Database(url)
    postgres.drop(url)
    with pytest.raises(OperationalError):
        Listener(gone).wait(0)
    gone.close()


SLEEPS_LONG = Limits(longest_sleep=timedelta(hours=1))


def place_an_order_whose_urge_is_due(database: Database) -> None:
    late = datetime.now(UTC) - timedelta(days=2)
    placing = Report("place", late, "test", "place", "import:test")
    with database.write() as connection:
        apply(connection, [Arrival(Order("main", "1", late, "CNY"), (), (), placing)], datetime.now(UTC), RULES)


@pytest.fixture
def runtime(server):
    channel = Hanging()
    channel.let_go.set()
    return Runtime(server, RULES, Messenger({"file": channel}, Letters()))


def test_a_daemon_that_sleeps_for_long_is_woken_by_somebody_elses_report(runtime, log):
    with at_work(runtime, SLEEPS_LONG):
        log.wait_for("runs on")
        place_an_order_whose_urge_is_due(runtime.database)
        log.wait_for("fired 1 timer")
        log.wait_for("sent 1 message")


def test_a_daemon_that_is_woken_while_it_ends_a_round_goes_another_round(runtime, log, monkeypatch):
    look, ask, woken = passes.fire_due_timers, WakeableJob.wake_at, threading.Event()

    def ask_and_tell(asked, at):
        ask(asked, at)
        if asked.name == "fire_due_timers":
            woken.set()

    def look_just_before_somebody_reports(*asked):
        found = look(*asked)
        monkeypatch.setattr(passes, "fire_due_timers", look)
        woken.clear()
        place_an_order_whose_urge_is_due(runtime.database)
        assert woken.wait(PATIENCE_SECONDS)
        return found

    monkeypatch.setattr(WakeableJob, "wake_at", ask_and_tell)
    monkeypatch.setattr(passes, "fire_due_timers", look_just_before_somebody_reports)
    with at_work(runtime, SLEEPS_LONG):
        log.wait_for("fired 1 timer")
        log.wait_for("sent 1 message")
