"""Several daemons on one PostgreSQL fire while they are killed and their server crashes: nothing is lost, doubled or early.

Run it alone for the long version: `python -m drills.outages 300000 20`, or `python -m drills.outages standby 20000`.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from drills.kills import COMMAND, check, counted, place_urges
from drills.postgres import Server
from storage.database import Database, DatabaseFailed
from storage.schema import upgrade

DAEMONS = 4
POLICY = '[effects.modes]\nurge_supplier = "off"\n'
"""The effects stay where they are: this is about the timers."""
PATIENCE_SECONDS = 300


class Daemons:
    """Daemons on one server, started again whenever they end."""

    def __init__(self, url: str, folder: Path, count: int = DAEMONS) -> None:
        self._folder = folder
        (folder / "policy.toml").write_text(POLICY)
        settings = {"AFTERSALES_DATABASE": url, "AFTERSALES_POLICY": str(folder / "policy.toml")}
        self._environment = {**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[1])}
        self._running = [self._start(number) for number in range(count)]

    def kill(self, number: int) -> None:
        """Kill a daemon, and start it again."""
        self._running[number].send_signal(signal.SIGKILL)
        self._running[number].wait()
        self._running[number] = self._start(number)

    def keep_running(self) -> None:
        """Start those again that have ended by themselves, as a service manager would."""
        for number, daemon in enumerate(self._running):
            if daemon.poll() is not None:
                self._running[number] = self._start(number)

    def acknowledged(self) -> int:
        """Return how many timers they say that they have fired."""
        logs = (log.read_text() for log in self._folder.glob("daemon-*.log"))
        return sum(int(count) for log in logs for count in re.findall(r"fired (\d+) timers?", log))

    def end(self) -> None:
        """Stop them all as they should be stopped."""
        for daemon in self._running:
            daemon.terminate()
        for daemon in self._running:
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=20)
            daemon.kill()
            daemon.wait()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        with (self._folder / f"daemon-{number}.log").open("ab") as log:
            return subprocess.Popen(COMMAND, env=self._environment, cwd=self._folder, stdout=log, stderr=log)


def place_order(url: str, orders: int, seconds: float) -> None:
    """Place orders whose suppliers are to be urged over the next seconds, when all of them are placed."""
    database = Database(url)
    upgrade(database)
    place_urges(database, orders, seconds, datetime.now(UTC) + timedelta(seconds=orders / 5_000))
    database.close()


def crash_at_random(server: Server, folder: Path, orders: int, crashes: int, seconds: float) -> dict[str, int]:
    """Fire urges that fall due over some seconds while daemons are killed and the server crashes; return the counts."""
    dice, url = random.Random(1688), server.new_database()
    place_order(url, orders, seconds)
    daemons = Daemons(url, folder)
    try:
        for _ in range(crashes):
            until = time.monotonic() + seconds / crashes
            while time.monotonic() < until:
                time.sleep(dice.uniform(0.2, max(0.3, seconds / crashes / 3)))
                daemons.kill(dice.randrange(DAEMONS))
                daemons.keep_running()
            server.crash()
            time.sleep(dice.uniform(0.1, 1))
            server.start_again()
        _wait_for_the_end(url, orders, daemons)
    finally:
        daemons.end()
    return there_is(url)


def promote_a_standby(primary: Server, folder: Path, orders: int, seconds: float) -> tuple[dict[str, int], int, int]:
    """Fire urges, let the primary crash in the middle and promote its standby.

    Returns the counts at the end, how many firings had been acknowledged, and how many the standby had.
    """
    url = primary.new_database()
    place_order(url, orders, seconds)
    standby = primary.standby()
    both = "&".join(f"host={server.host}" for server in (primary, standby))
    daemons = Daemons(f"postgresql://postgres@/{url.rsplit('/', 1)[1]}?{both}", folder)
    there = standby.url(url.rsplit("/", 1)[1])
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while daemons.acknowledged() < orders / 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        primary.crash()
        time.sleep(1)
        acknowledged, arrived = daemons.acknowledged(), there_is(there, "fired")["fired"]
        standby.promote()
        _wait_for_the_end(there, orders, daemons)
        counts = there_is(there)
    finally:
        daemons.end()
        standby.stop()
    return counts, acknowledged, arrived


def _wait_for_the_end(url: str, orders: int, daemons: Daemons) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        daemons.keep_running()
        with suppress(DatabaseFailed):
            if there_is(url, "urged")["urged"] >= orders:
                return
        time.sleep(0.5)


def there_is(url: str, *names: str) -> dict[str, int]:
    """Return what there is in a database, of what is named."""
    database = Database(url)
    try:
        return counted(database, *names)
    finally:
        database.close()


if __name__ == "__main__":
    words = sys.argv[1:] or ["300000", "20"]
    whole, server = int(words[-1 if words[0] == "standby" else 0]), Server(durable=True, own=True)
    try:
        with TemporaryDirectory() as scratch:
            if words[0] == "standby":
                found, said, there = promote_a_standby(server, Path(scratch), whole, whole / 1_000)
                print(found, f"acknowledged before the crash: {said}, on the standby: {there}")
                assert said <= there, "an acknowledged firing was lost"
            else:
                found = crash_at_random(server, Path(scratch), whole, int(words[1]), whole / 1_500)
                print(found)
            check(found, whole)
    finally:
        server.stop()
