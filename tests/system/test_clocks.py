"""A clock that is set, or a process that is frozen, stops nothing and kills nothing."""

import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import apscheduler.schedulers.base
import pytest
from apscheduler.schedulers.background import BackgroundScheduler

import jobs.clock
import jobs.wakeable_job
from effects.letters import Letters
from engine.composing import Messenger
from engine.outcomes import Arrival
from engine.reporting import apply
from jobs import daemon
from jobs.clock import ClockWatch, PlausibleClock
from jobs.daemon import when_up
from jobs.passes import Runtime
from jobs.wakeable_job import WakeableJob
from storage import heartbeats
from storage.database import Database, DatabaseFailed
from storage.scratch import create_tables
from tests.factories import arrival, day, rules_of, take
from tests.system.daemons import PATIENCE_SECONDS, at_work
from workflow.case.case import Order, Report

RULES = rules_of("[overdue]\nurge_after = '1h'\n[effects]\ndefault_channels = ['log']\n")


class Clock:
    """A wall clock that can be set, beside a monotonic one that cannot."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self, tz=UTC) -> datetime:
        return datetime.now(tz) + self.offset

    def time(self) -> float:
        return self.now().timestamp()

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", made)
    monkeypatch.setattr(jobs.wakeable_job, "datetime", made)
    monkeypatch.setattr(daemon, "_now", made.now)
    monkeypatch.setattr(jobs.clock, "time", made)
    return made


@pytest.fixture
def runtime(tmp_path):
    from effects.log import LogChannel

    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    create_tables(database)
    yield Runtime(database, RULES, Messenger({"log": LogChannel()}, Letters()))
    database.close()


def urged_at(runtime, number, at):
    """Place an order whose supplier is urged at an instant."""
    placed = at - timedelta(hours=1)
    order = Order("main", number, placed, "CNY", "domestic", supplier="Yiwu")
    with runtime.database.write() as connection:
        apply(connection, [Arrival(order, (), (), Report("place", placed, "test", "place", "import:test"))], placed, RULES)


@pytest.mark.parametrize("minutes", [-2, -60 * 24, 2, 60 * 24 * 30])
def test_a_clock_that_is_set_stops_nothing(runtime, clock, log, minutes):
    with at_work(runtime) as (_, codes):
        log.wait_for("runs on")
        clock.offset = timedelta(minutes=minutes)
        log.wait_for(f"the clock was set {'ahead' if minutes > 0 else 'back'} by")
        urged_at(runtime, "1", clock.now() + timedelta(seconds=1))
        log.wait_for("fired 1 timer")
    assert codes == [0]


def test_a_clock_that_jumps_years_ahead_fires_and_records_nothing_until_it_is_set_back(runtime, clock, log):
    urged_at(runtime, "1", clock.now() + timedelta(minutes=50))
    with at_work(runtime) as (_, codes):
        log.wait_for("runs on")
        clock.offset = timedelta(days=366 * 30)
        log.wait_for("nothing fires and nothing leaves")
        log.wait_for("the clock was set ahead")
        with runtime.database.read() as connection:
            assert heartbeats.last_recorded(connection) < datetime.now(UTC) + timedelta(days=1)
        clock.offset = timedelta(0)
        log.wait_for("the clock was set back")
        urged_at(runtime, "2", clock.now() + timedelta(seconds=1))
        log.wait_for("fired 1 timer")
    assert codes == [0]


def test_a_daemon_whose_clock_cannot_be_right_does_not_start_unless_a_person_says_so(runtime, log):
    take(runtime.database, arrival("1"), rules=RULES)
    assert daemon.Daemon(runtime).run() == 1
    log.wait_for("If the clock is right, start with --clock-is-right")
    with runtime.database.read() as connection:
        assert heartbeats.alive(connection) == []
    sure = daemon.Daemon(runtime, clock_is_right=True)
    thread = threading.Thread(target=sure.run)
    thread.start()
    log.wait_for("fired 1 timer")
    sure.stop()
    thread.join(PATIENCE_SECONDS)


def test_a_clock_is_held_against_what_was_recorded_and_against_itself():
    clock = PlausibleClock(None, timedelta(days=365))
    assert clock.why_not(day(0)) is None, "nothing is recorded yet"
    assert clock.why_not(day(365)) is None
    assert "366 days after" in clock.why_not(day(365 + 366))
    assert clock.why_not(day(-100)) is None, "behind is not ahead"
    assert clock.why_not(day(730)) is None


def test_a_watch_tells_a_clock_that_was_set_from_a_freeze(monkeypatch):
    class Times:
        wall, mono = 1_000.0, 5.0

        def time(self):
            return self.wall

        def monotonic(self):
            return self.mono

    times = Times()
    monkeypatch.setattr(jobs.clock, "time", times)
    watch = ClockWatch()
    times.wall, times.mono = 1_000.2, 5.2
    assert watch.what_happened() is None
    times.wall -= 100
    assert "set back by 100.0 s" in watch.what_happened()
    times.wall, times.mono = times.wall + 90, times.mono + 90
    assert watch.what_happened() == "the process was frozen for 90.0 s"
    times.wall += 3_600
    assert "set ahead by 3,600.0 s, or the machine slept" in watch.what_happened()
    assert watch.what_happened() is None


def test_a_job_that_reaches_the_pool_when_the_daemon_has_ended_does_not_wait():
    ran = []
    job = WakeableJob(BackgroundScheduler(), lambda: ran.append(1), timedelta(seconds=1))
    job.running.acquire()  # as an ending daemon does
    thread = threading.Thread(target=job._run)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert ran == []


def test_a_daemon_waits_for_a_database_that_is_not_up_yet(monkeypatch):
    monkeypatch.setattr(daemon, "WAIT_FOR_DATABASE_SECONDS", 0.01)
    answers = [DatabaseFailed("the server is starting up"), DatabaseFailed("too many clients"), "up"]

    def make():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert when_up(make, threading.Event()) == "up"
    stopped = threading.Event()
    stopped.set()
    assert when_up(make, stopped) is None


FROZEN = """
import logging, signal, sys, threading
from effects.letters import Letters
from engine.composing import Messenger
from engine.outcomes import Arrival
from engine.reporting import apply
from jobs.daemon import Daemon, Limits
from jobs.passes import Runtime
from storage.database import Database
from tests.factories import rules_of
logging.basicConfig(level=logging.INFO)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
runtime = Runtime(Database(sys.argv[1]), rules_of(), Messenger({}, Letters()))
sys.exit(Daemon(runtime, Limits(dead_after_seconds=1.5), stop=stop).run())
"""


def test_a_freeze_is_not_a_death(runtime):
    from pathlib import Path

    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FROZEN, str(runtime.database.url)]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "runs on" in line:
                break
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(3.0)  # longer than it may be silent; a real freeze takes real time
        process.send_signal(signal.SIGCONT)
        for line in process.stderr:
            if "the process was frozen for" in line:
                break
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(PATIENCE_SECONDS) == 0, said
        assert "the ticker is dead" not in said
