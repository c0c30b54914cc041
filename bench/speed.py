"""How late a timer fires, what a daemon costs that has nothing to do, and how fast files are taken in."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, select, text
from sqlmodel import SQLModel

from bench.report import say
from bench.sites import AFTERSALES, Site, elsewhere, sites
from engine.replay import BATCH
from storage.database import Database
from storage.schema import upgrade

ROUNDS = 5
A_SECOND = 500
SECONDS = 12
WAITING = 500_000
OLIST = Path(__file__).parents[2] / "shared" / "data" / "olist"
FIRST_REPLAY = 8_100
"""Steps a second of the first replay, on the machine that the other figures come from."""


# --- lateness ---


def latency() -> list[dict[str, Any]]:
    """Return how long after its due instant a timer is committed, beside how long a bare commit takes."""
    with sites() as both:
        return [row for site in both for row in _latency(site)]


def _latency(site: Site) -> Iterator[dict[str, Any]]:
    say(f"{site.database}: {A_SECOND} timers a second, {WAITING:,} waiting")
    url = site.full(1, WAITING)
    bare = _bare_commits(url)
    late = elsewhere("bench.lateness", url, str(A_SECOND), str(SECONDS))["milliseconds"]
    for name, values in (("a bare commit", bare), ("from due to committed", late)):
        at = [statistics.quantiles(values, n=100)[percent - 1] for percent in (50, 90, 99)]
        yield {"database": site.database, "what": name, "p50_ms": at[0], "p90_ms": at[1], "p99_ms": at[2]}
    site.drop(url)
    site.forget()


def _bare_commits(url: str) -> list[float]:
    """Change one row and commit, as often and at the same pace as the timers are due."""
    database, taken = Database(url), []
    for _ in range(A_SECOND * 4):
        begun = time.perf_counter()
        with database.write() as connection:
            connection.execute(text("UPDATE policies SET digest = digest"))
            connection.execute(text("UPDATE orders SET gap = gap WHERE id = 1"))
        taken.append((time.perf_counter() - begun) * 1_000)
        time.sleep(1 / A_SECOND)
    database.close()
    return taken


# --- nothing to do ---


def idle(seconds: float = 20) -> list[dict[str, Any]]:
    """Return which share of one processor a daemon takes that has nothing due."""
    with sites() as both:
        return [_idle(site, seconds) for site in both]


def _idle(site: Site, seconds: float) -> dict[str, Any]:
    url = site.empty()
    upgrade(Database(url))
    with TemporaryDirectory() as folder:
        daemon = subprocess.Popen(
            [*AFTERSALES, "run"], env={**os.environ, "AFTERSALES_DATABASE": url}, cwd=folder, stderr=subprocess.DEVNULL
        )
        time.sleep(4)
        before = _processor_seconds(daemon.pid)
        time.sleep(seconds)
        used = _processor_seconds(daemon.pid) - before
        daemon.terminate()
        daemon.wait()
    return {"database": site.database, "processor_percent": round(100 * used / seconds, 2)}


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- files ---


def importing(count: int = 20_000) -> list[dict[str, Any]]:
    """Return how fast orders are stored, beside the same rows inserted by SQLAlchemy's `executemany`."""
    rates: dict[tuple[str, str], list[float]] = {}
    with sites() as both:
        for _ in range(ROUNDS):
            for site in both:
                for name, seconds in _import(site, count):
                    rates.setdefault((site.database, name), []).append(count / seconds)
    return [
        {
            "database": database,
            "what": name,
            "orders_per_second": statistics.median(those),
            "ratio": round(statistics.median(a / b for a, b in zip(those, rates[database, "executemany"], strict=True)), 2),
        }
        for (database, name), those in rates.items()
    ]


def _import(site: Site, count: int) -> Iterator[tuple[str, float]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "orders.csv"
        write_orders(file, count)
        url = site.empty()
        said = elsewhere("bench.filed", url, str(file))
    yield "import", said["seconds"]
    database, other = Database(url), Database(site.empty())
    upgrade(other)
    yield "executemany", _insert_again(database, other)
    for one in (database, other):
        one.close()
        site.drop(one.url.render_as_string(hide_password=False))


def _insert_again(database: Database, other: Database) -> float:
    """Insert into another database the rows that there are, in as many transactions as an import makes."""
    batches: dict[int, dict[Any, list[dict[str, Any]]]] = {}
    with database.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            if table.name == "orders" or "order_id" in table.c:
                key = "id" if table.name == "orders" else "order_id"
                for row in connection.execute(select(table)).mappings():
                    batches.setdefault((row[key] - 1) // BATCH, {}).setdefault(table, []).append(dict(row))
    begun = time.perf_counter()
    for batch in batches.values():
        with other.write() as connection:
            for table, rows in batch.items():
                connection.execute(insert(table), rows)
    return time.perf_counter() - begun


def replaying() -> list[dict[str, Any]]:
    """Return how many steps a second a replay of the real orders takes, and the ratio to the first version."""
    if not OLIST.is_dir():
        return [{"what": f"skipped: the real orders are not at {OLIST}"}]
    rates = []
    for _ in range(ROUNDS):
        words = ["replay", str(OLIST / "olist_orders_dataset.csv"), "--mapping", str(OLIST / "mapping.toml")]
        with TemporaryDirectory() as folder:
            said = json.loads(_run(Path(folder), [*words, "--until", "2018-10-01", "--json"]))
        steps = said["orders"] + sum(said["fired"].values()) + sum(said["reported"].values())
        rates.append(steps / said["seconds"])
    rate = statistics.median(rates)
    return [{"what": "replay of the real orders", "steps_per_second": rate, "times_the_first": round(rate / FIRST_REPLAY, 2)}]


# --- a person at the keyboard ---

GOALS = {"--help": 0.2, "orders --limit 50": 0.8, "explain 77": 0.8, "timers --limit 50": 0.8}
"""Command and the seconds it may take on a quiet machine."""


def commands() -> list[dict[str, Any]]:
    """Return how long a person waits for a command."""
    with TemporaryDirectory() as site:
        folder = Path(site)
        write_orders(folder / "orders.csv", 10_000)
        _run(folder, ["import", "orders.csv", "--urge-historical"])
        return [
            {"command": words, "seconds": statistics.median(_seconds(folder, words) for _ in range(ROUNDS)), "goal": goal}
            for words, goal in GOALS.items()
        ]


def write_orders(file: Path, count: int) -> None:
    """Write orders of which every third is never shipped."""
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    rows = ["id,placed_at,supplier,alternatives,route,currency,paid,ship_at,deliver_at"]
    for n in range(count):
        at = begin + timedelta(minutes=n)
        shipped = f"{at + timedelta(days=3):%FT%TZ},{at + timedelta(days=20):%FT%TZ}" if n % 3 else ","
        rows.append(f"{n},{at:%FT%TZ},s{n % 50},a;b,domestic,CNY,10.00,{shipped}")
    file.write_text("\n".join(rows) + "\n")


def _seconds(folder: Path, words: str) -> float:
    begun = time.perf_counter()
    _run(folder, words.split())
    return time.perf_counter() - begun


def _run(folder: Path, words: Sequence[str]) -> str:
    return subprocess.run([*AFTERSALES, *words], cwd=folder, check=True, capture_output=True, text=True).stdout
