import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drills.kills import check, kill_at_random
from engine.reporting import apply
from storage import heartbeats, queries
from storage.database import Database
from storage.schema import upgrade
from tests.factories import all_effects, rules_of
from workflow.case.case import Order, Report

COMMAND = [sys.executable, "-c", "from admin.main import main; main()"]


@pytest.fixture
def home(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'aftersales.db'}")
    upgrade(database)
    yield tmp_path, database
    database.close()


def place_order(database, number, due_in_seconds):
    from engine.reporting import Arrival

    at = datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=due_in_seconds)
    order = Order("main", number, at, "CNY", "domestic")
    with database.write() as connection:
        apply(connection, [Arrival(order, (), (), Report("place", at, "t", "p", "import:t"))], datetime.now(UTC), rules_of())


@pytest.fixture
def start():
    """Start daemons; those that a failed test leaves running are killed."""
    started = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERSALES_")}

    def begin(folder: Path) -> subprocess.Popen[str]:
        daemon = subprocess.Popen([*COMMAND, "run"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        started.append(daemon)
        return daemon

    yield begin
    for daemon in started:
        with daemon:  # closes its pipe and waits
            daemon.kill()


def wait_for(question, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if question():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def is_running(database):
    with database.read() as connection:
        return heartbeats.last(connection) is not None


def fired(database, number):
    with database.read() as connection:
        steps = queries.history(connection, queries.resolve_id(connection, number))
    return [step for step in steps if step.trigger == "urge"]


def test_the_daemon_fires_at_the_due_instant_sends_and_ends_cleanly_on_sigterm(home, start):
    folder, database = home
    daemon = start(folder)
    wait_for(lambda: is_running(database))
    place_order(database, "1", 2.5)
    wait_for(lambda: fired(database, "1"))
    (step,) = fired(database, "1")
    assert step.due <= step.occurred

    def sent():
        with database.read() as connection:
            return [row["status"] for row in all_effects(connection)] == ["sent"]

    wait_for(sent)
    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=30)
    assert daemon.returncode == 0
    assert "urge_supplier to -: Please ship order main/1" in said


def test_a_second_daemon_on_one_file_exits_at_once_and_once_says_so(home, start):
    folder, database = home
    place_order(database, "1", -5)
    daemon = start(folder)
    try:
        wait_for(lambda: fired(database, "1"))
        second = start(folder)
        _, said = second.communicate(timeout=30)
        assert second.returncode == 1
        assert "a daemon is already running" in said
        once = subprocess.run([*COMMAND, "once"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert once.returncode == 0
        assert "Nothing was done: a daemon is already running" in once.stdout
        beats = subprocess.run([*COMMAND, "check"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert "no daemon is running" not in beats.stdout
    finally:
        daemon.send_signal(signal.SIGINT)
        daemon.communicate(timeout=30)
    assert daemon.returncode == 0


def test_the_daemon_survives_a_locked_and_a_briefly_missing_database(home, start):
    folder, database = home
    place_order(database, "1", -5)
    daemon = start(folder)
    try:
        wait_for(lambda: fired(database, "1"))
        with database.write():
            time.sleep(6)  # longer than the busy time-out, so that the daemon meets the lock
        place_order(database, "2", -1)
        wait_for(lambda: fired(database, "2"))
        away = folder / "away.db"
        (folder / "aftersales.db").rename(away)
        time.sleep(2)
        away.rename(folder / "aftersales.db")
        place_order(database, "3", -1)
        wait_for(lambda: fired(database, "3"))
        assert daemon.poll() is None
    finally:
        daemon.terminate()
        daemon.communicate(timeout=30)


def test_a_daemon_that_is_killed_at_random_loses_doubles_and_hurries_nothing(tmp_path):
    check(kill_at_random(30, tmp_path))
