"""How long a person waits for a command, and how fast the past of a file is lived through: `python -m bench`.

Figures of one run are comparable with each other and with nothing else.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

ROUNDS = 5
ORDERS = 10_000
AFTERSALES = (sys.executable, "-c", "from admin.main import main; main()")
GOALS = {"--help": 0.2, "orders --limit 50": 0.8, "explain 77": 0.8, "timers --limit 50": 0.8}
"""Command and the seconds it may take on a quiet machine."""


def main() -> None:
    """Measure, and print one line a figure."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        _orders(folder / "orders.csv")
        _seconds(folder, "import orders.csv --urge-historical")
        print(f"{'command':24} {'seconds, median of ' + str(ROUNDS):>24} {'goal':>6}")
        for words, goal in GOALS.items():
            print(f"{words:24} {statistics.median(_seconds(folder, words) for _ in range(ROUNDS)):24.3f} {goal:6}")
        rates = [_orders_per_second(folder) for _ in range(ROUNDS)]
        print(f"replay: {statistics.median(rates):,.0f} orders a second ({min(rates):,.0f} to {max(rates):,.0f})")


def _orders(file: Path) -> None:
    """Write orders of which every third is never shipped."""
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    rows = ["id,placed_at,supplier,alternatives,route,currency,paid,ship_at,deliver_at"]
    for n in range(ORDERS):
        at = begin + timedelta(minutes=n)
        shipped = f"{at + timedelta(days=3):%FT%TZ},{at + timedelta(days=20):%FT%TZ}" if n % 3 else ","
        rows.append(f"{n},{at:%FT%TZ},s{n % 50},a;b,domestic,CNY,10.00,{shipped}")
    file.write_text("\n".join(rows) + "\n")


def _seconds(folder: Path, words: str) -> float:
    begun = time.perf_counter()
    _run(folder, words.split())
    return time.perf_counter() - begun


def _orders_per_second(folder: Path) -> float:
    said = json.loads(_run(folder, ["replay", "orders.csv", "--until", "2026-01-01T00:00:00Z", "--json"]))
    return float(said["orders"]) / float(said["seconds"])


def _run(folder: Path, words: Sequence[str]) -> str:
    return subprocess.run([*AFTERSALES, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
