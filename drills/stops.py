"""A daemon under load is stopped and frozen again and again: every one ends, or goes on, within seconds.

Run it alone: `python -m drills.stops STOPS FREEZES` (50 and 30 take about six minutes). It prints how long the stops took.
"""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from drills.kills import check, counted, place_urges
from storage import heartbeats
from storage.database import Database
from storage.schema import upgrade

ORDERS = 20_000
DAEMON = """
import signal, sys, threading
from effects.letters import Letters
from effects.log import LogChannel
from engine.composing import Messenger
from jobs.daemon import Daemon, Limits
from jobs.passes import Runtime
from storage import heartbeats
from storage.database import Database
from drills.kills import RULES
from admin.commands.run import leave, stop_on_signals
stop = threading.Event()
stop_on_signals(stop)
runtime = Runtime(Database(sys.argv[1]), RULES, Messenger({"log": LogChannel()}, Letters()))
leave(Daemon(runtime, Limits(dead_after_seconds=2.0), stop=stop).run())
"""
"""The daemon as `aftersales run` has it, with a ticker that counts as dead after two seconds instead of sixty."""
FROZEN_SECONDS = 4.0


def run(stops: int, freezes: int, folder: Path, seed: int = 1688) -> dict[str, object]:
    """Stop a daemon `stops` times and freeze one `freezes` times while urges fall due; return what was seen.

    Raises:
        AssertionError: a daemon did not end with 0 when it was stopped, or ended by a freeze.

    """
    dice, url = random.Random(seed), f"sqlite:///{folder / 'stopped.db'}"
    database = Database(url)
    upgrade(database)
    seconds = 2.0 * stops + (FROZEN_SECONDS + 3) * freezes
    place_urges(database, ORDERS, seconds, datetime.now(UTC) + timedelta(seconds=1))
    took = []
    for number in range(stops + freezes):
        daemon = subprocess.Popen([sys.executable, "-P", "-c", DAEMON, url], env={**os.environ, "PYTHONPATH": str(ROOT)})
        _wait_for(database, daemon.pid)
        time.sleep(dice.uniform(0.0, 1.2))
        if number >= stops:
            daemon.send_signal(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            daemon.send_signal(signal.SIGCONT)
            time.sleep(1.0)
            assert daemon.poll() is None, f"freeze {number - stops + 1} ended the daemon with {daemon.returncode}"
        begun = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=15) == 0, f"stop {number + 1} ended with {daemon.returncode}"
        took.append(time.monotonic() - begun)
    _finish(url)
    counts = counted(database)
    database.close()
    check(counts, ORDERS)
    return {"stops": stops, "freezes": freezes, "slowest stop, seconds": round(max(took), 2), "urged": counts["urged"]}


def _wait_for(database: Database, pid: int) -> None:
    """Wait until a daemon owns the database."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with database.read() as connection:
            if any(row["pid"] == pid for row in heartbeats.alive(connection)):
                return
        time.sleep(0.05)
    raise AssertionError("the daemon did not start")


def _finish(url: str) -> None:
    """Let one more daemon fire what is left."""
    daemon = subprocess.Popen([sys.executable, "-P", "-c", DAEMON, url], env={**os.environ, "PYTHONPATH": str(ROOT)})
    database = Database(url)
    _wait_for(database, daemon.pid)
    until = time.monotonic() + 120
    while time.monotonic() < until and counted(database, "urged")["urged"] < ORDERS:
        time.sleep(0.5)
    database.close()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=15) == 0, "the last daemon did not end cleanly"


ROOT = Path(__file__).parents[1]


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        print(run(int(sys.argv[1]), int(sys.argv[2]), Path(place)))
