"""Feeds an inbox while its daemons are killed, and looks for what was lost, read by halves, or taken in twice.

By hand: `python -m drills.inbox kills 100` (with a database's URL: two daemons), `python -m drills.inbox many 10000`, and, as
root on Linux, `python -m drills.inbox full`.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from drills.kills import COMMAND
from storage import audits
from storage.database import Database
from storage.schema import upgrade

HEADER = "id,placed_at,supplier,currency,paid,sku,quantity\n"
AT_REST_SECONDS = 0.2
PAUSE_SECONDS = 0.5
"""How long a slow writer pauses: longer than a file must rest."""
LARGE = 1_500
"""Orders of a large file: many kills fall into its import."""
PATIENCE_SECONDS = 300.0


@dataclass
class Fed:
    """What was put into the inbox: orders by number with their lines, and how many files."""

    orders: dict[str, int] = field(default_factory=dict)
    files: int = 0
    replaced: int = 0


class Feeder:
    """Puts files into an inbox: at once, slowly, large ones, copies, and some that are replaced a moment later."""

    def __init__(self, inbox: Path, seed: int) -> None:
        self._inbox, self._dice, self._ended = inbox, random.Random(seed), threading.Event()
        self.fed, self._number, self._texts = Fed(), 0, list[str]()
        self._writers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to put files there."""
        self._thread.start()

    def _feed(self) -> None:
        kinds = (self.put_one, self.put_one, self._slow, self._copy, self._replaced, self._large)
        while not self._ended.wait(self._dice.uniform(0.02, 0.3)):
            self._dice.choice(kinds)()

    def end(self) -> Fed:
        """Stop, wait for the slow writers, and return what was put there."""
        self._ended.set()
        self._thread.join()
        for one in self._writers:
            one.join()
        return self.fed

    def _orders(self, count: int, *, is_certain: bool = True) -> str:
        rows = []
        for _ in range(count):
            self._number += 1
            lines = self._dice.randint(1, 3)
            if is_certain:
                self.fed.orders[str(self._number)] = lines
            rows += [f"{self._number},2026-01-05T09:00:00Z,Yiwu,CNY,10.00,S{n},1\n" for n in range(lines)]
        return HEADER + "".join(rows)

    def _next_name(self) -> str:
        self.fed.files += 1
        return f"orders-{self.fed.files:05}.csv"

    def _put(self, name: str, content: str) -> None:
        hidden = self._inbox / f".{name}.part"
        hidden.write_text(content)
        os.replace(hidden, self._inbox / name)

    def put_one(self) -> None:
        """Put a small file there at once."""
        self._texts.append(self._orders(self._dice.randint(1, 20)))
        self._put(self._next_name(), self._texts[-1])

    def _large(self) -> None:
        if self.fed.files % 4 == 0:
            self._put(self._next_name(), self._orders(LARGE))

    def _copy(self) -> None:
        if self._texts:
            self._put(self._next_name(), self._dice.choice(self._texts))

    def _replaced(self) -> None:
        """Put a file that is replaced by another one, perhaps while it is read: of the first, all or nothing comes."""
        name = self._next_name()
        self._put(name, self._orders(self._dice.randint(1, 300), is_certain=False))
        time.sleep(self._dice.uniform(0, 0.4))
        self._put(name, self._orders(self._dice.randint(1, 20)))
        self.fed.replaced += 1

    def _slow(self) -> None:
        content, path = self._orders(5), self._inbox / self._next_name()

        def write() -> None:
            with path.open("w") as file:
                for line in content.splitlines(keepends=True):
                    file.write(line)
                    file.flush()
                    time.sleep(PAUSE_SECONDS / 3 if line == HEADER else PAUSE_SECONDS * self._pause())

        self._writers.append(threading.Thread(target=write, daemon=True))
        self._writers[-1].start()

    def _pause(self) -> float:
        return 1.0 if self._number % 2 else 0.2


def feed_and_kill(kills: int, folder: Path, url: str | None = None, seed: int = 1688) -> dict[str, int]:
    """Feed an inbox while its daemons are killed so many times; return what was found at the end."""
    url, daemons = url or f"sqlite:///{folder / 'inbox.db'}", 2 if url else 1
    inbox, database, dice = _inbox(folder, url), Database(url), random.Random(seed)
    upgrade(database)
    feeder, running = Feeder(inbox, seed), [_daemon(folder) for _ in range(daemons)]
    feeder.start()
    for number in range(kills):
        time.sleep(dice.uniform(0.3, 2.0) / daemons)
        one = running[number % daemons]
        one.send_signal(signal.SIGKILL)
        one.wait()
        running[number % daemons] = _daemon(folder)
    fed = feeder.end()
    found = _found(database, inbox, fed, running)
    database.close()
    return found


def take_in_many(files: int, folder: Path) -> dict[str, int]:
    """Put so many small files there, and let one pass take them in; return what was found."""
    url = f"sqlite:///{folder / 'inbox.db'}"
    inbox, database, feeder = _inbox(folder, url), Database(url), Feeder(folder / "inbox", 1688)
    upgrade(database)
    for _ in range(files):
        feeder.put_one()
    time.sleep(AT_REST_SECONDS)
    begun = time.monotonic()
    subprocess.run([*COMMAND[:-1], "once"], cwd=folder, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    found = {**_found(database, inbox, feeder.fed, []), "milliseconds a file": round(seconds / files * 1_000)}
    database.close()
    return found


@contextmanager
def small_disk(megabytes: int, place: Path) -> Iterator[Path]:
    """Make a disk of so many megabytes, in memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill_the_disk(folder: Path) -> dict[str, int]:
    """Let the disk of inbox and database be full, again and again, while files are taken in; return what was found."""
    url = f"sqlite:///{folder / 'inbox.db'}"
    inbox, database, feeder = _inbox(folder, url), Database(url), Feeder(folder / "inbox", 1688)
    upgrade(database)
    running, ballast = _daemon(folder), folder / "ballast"
    for number in range(10):
        for _ in range(20):
            feeder.put_one()
        _fill(ballast)
        time.sleep(8)
        if number % 3 == 2:
            running.send_signal(signal.SIGKILL)
            running.wait()
            running = _daemon(folder)
            time.sleep(3)
        ballast.unlink()
        time.sleep(1)
    found = _found(database, inbox, feeder.fed, [running])
    database.close()
    return found


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4_096)
        except OSError:
            return


def _inbox(folder: Path, url: str) -> Path:
    inbox = folder / "inbox"
    inbox.mkdir()
    (folder / "aftersales.toml").write_text(
        f'database = "{url}"\n[inbox]\nfolder = "inbox"\nat_rest_seconds = {AT_REST_SECONDS}\n'
        '[[inbox.files]]\npattern = "orders-*.csv"\n'
    )
    return inbox


def _daemon(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen((*COMMAND, "--clock-is-right"), cwd=folder, stderr=log, stdout=log)


def _found(database: Database, inbox: Path, fed: Fed, running: list[subprocess.Popen[bytes]]) -> dict[str, int]:
    """Wait until the inbox is empty, stop the daemons, and hold what is there against what was put there."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and running and _waits(inbox):
        time.sleep(0.2)
    for one in running:
        one.terminate()
        one.wait()
    with database.read() as connection:
        lines = "SELECT o.number, count(*) FROM orders o JOIN order_lines l ON l.order_id = o.id GROUP BY o.number"
        orders = dict(connection.execute(text(lines)).all())
        taken = [*connection.execute(text("SELECT status, content, place, lies_there FROM files"))]
        placements = connection.execute(text("SELECT order_id FROM history WHERE trigger = 'place'"))
        placed = Counter(placements.scalars())
        broken = len([*audits.broken_orders(connection)])
    places = {place for _, _, place, _ in taken if place}
    there = {f"done/{one.name}" for one in (inbox / "done").iterdir() if not one.name.endswith(".report.txt")}
    contents = {f"done/{one.name}": _digest(one) for one in (inbox / "done").iterdir()}
    done = Counter(content for status, content, _, _ in taken if status == "done")
    return {
        "files": fed.files,
        "orders": len(fed.orders),
        "replaced": fed.replaced,
        "repeated": sum(status == "repeated" for status, *_ in taken),
        "lost orders": len(fed.orders.keys() - orders.keys()),
        "halved orders": sum(orders.get(number, count) != count for number, count in fed.orders.items()),
        "placed twice": sum(count > 1 for count in placed.values()),
        "broken histories": broken,
        "contents done twice": sum(count > 1 for count in done.values()),
        "read by halves": sum(contents.get(place) != content for _, content, place, _ in taken if place in there),
        "rejected": sum(status == "rejected" for status, *_ in taken),
        "unfinished": sum(status == "taking" or not lies_there for status, _, _, lies_there in taken) + _waits(inbox),
        "not where they belong": len(places ^ there),
        "without a report": sum(not (inbox / f"{place}.report.txt").exists() for place in places),
    }


def _waits(inbox: Path) -> int:
    """Count the files that are not done with."""
    working = inbox / "working"
    return sum(one.is_file() for one in (*inbox.iterdir(), *(working.rglob("*") if working.exists() else ())))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


WRONG = (
    *("lost orders", "halved orders", "placed twice", "broken histories", "contents done twice", "read by halves", "rejected"),
    *("unfinished", "not where they belong", "without a report"),
)


def check(found: dict[str, int]) -> None:
    """Hold what was found against what must be true."""
    assert found["files"] > 0, found
    assert not any(found[name] for name in WRONG), found


if __name__ == "__main__":
    what, *more = sys.argv[1:] or ("kills", "100")
    with TemporaryDirectory() as place:
        if what == "kills":
            result = feed_and_kill(int(more[0]), Path(place), *more[1:])
        elif what == "many":
            result = take_in_many(int(more[0]), Path(place))
        else:
            with small_disk(24, Path(place)) as disk:
                result = fill_the_disk(disk)
    print(result)
    check(result)
