"""Whether the cost of a firing stays the same however many timers wait, and how much memory a daemon needs for it."""

import os
import signal
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.report import say
from bench.sites import AFTERSALES, Site, elsewhere, sites
from storage import timers
from storage.database import Database

ROUNDS = 5
DUE = 100_000
SMALLEST = 10_000


def flatness(largest: int) -> list[dict[str, Any]]:
    """Return what a firing costs as the number of orders grows, with due instants in order and in none."""
    found = []
    with sites() as both:
        for site in both:
            sizes = [size for size in (SMALLEST, 100_000, 500_000, 1_000_000, 5_000_000) if size <= largest]
            for size in sizes:
                due = min(DUE, size) // ROUNDS
                found.append(_cost(site, due, size - due * ROUNDS, scattered=False))
            found.append(_cost(site, DUE // ROUNDS, largest - DUE, scattered=True))
    alone = {row["database"]: row["microseconds"] for row in found if row["waiting"] == 0 and row["due"] == DUE}
    return [{**row, "ratio_to_none_waiting": round(row["microseconds"] / alone[row["database"]], 2)} for row in found]


def _cost(site: Site, due: int, waiting: int, *, scattered: bool) -> dict[str, Any]:
    """Fire one share after the other in one database; the median counts of all but the first, which fills the memory."""
    say(f"{site.database}: {due * ROUNDS:,} due, {waiting:,} waiting{', scattered' if scattered else ''}")
    url = site.full(due * ROUNDS, waiting, scattered=scattered)
    seconds = elsewhere("bench.contender", "aftersales", url, str(due), str(ROUNDS), seconds=1_200)["shares"]
    site.drop(url)
    site.forget()
    return {
        "database": site.database,
        "orders": due * ROUNDS + waiting,
        "due": due * ROUNDS,
        "waiting": waiting,
        "instants": "scattered" if scattered else "in order",
        "microseconds": round(statistics.median(seconds[1:]) / due * 1e6, 2),
        "first_share": round(seconds[0] / due * 1e6, 2),
    }


def memory(largest: int) -> list[dict[str, Any]]:
    """Return the most memory that the daemon has had when it has fired what was due."""
    found = []
    with sites() as both:
        for site in both:
            say(f"{site.database}: a daemon with {largest:,} orders, {DUE:,} of them due")
            url = site.full(DUE, largest - DUE)
            found.append({"database": site.database, "orders": largest, "due": DUE, "mebibytes": round(_most(url), 1)})
            site.drop(url)
            site.forget()
    return found


def _most(url: str) -> float:
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "AFTERSALES_DATABASE": url}
        daemon = subprocess.Popen([*AFTERSALES, "run"], env=environment, cwd=folder, stderr=subprocess.DEVNULL)
        database, status = Database(url), Path(f"/proc/{daemon.pid}/status")
        from bench.work import due_by

        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            time.sleep(1)
            with database.read() as connection:
                if not timers.backlog(connection, due_by(DUE)):
                    break
        time.sleep(5)  # what was fired is being composed into messages
        most = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        database.close()
        return int(most.split()[1]) / 1024
