"""One measurement of one revision, in that revision's own environment: prints {"figure": rate} with more being better.

It runs the code of whichever revision is installed beside it, so it uses only what all revisions since the first
comparison have: `bench.work`, `bench.filed`, `engine.firing.fire_due`, `storage.database.Database` and the command.
"""

import inspect
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

COMMAND = (sys.executable, "-P", "-c", "from admin.main import main; main()")


def fill(url: str, due: str) -> float:
    """Make a database with orders whose urge is due."""
    from bench import work

    work.fill(url, int(due))
    return 0.0


def firing(url: str, due: str) -> float:
    """Return how many timers fire in a second, in groups where possible."""
    return _fire(url, int(due), grouped=True)


def one_by_one(url: str, due: str) -> float:
    """Return how many timers fire in a second, each processed on its own."""
    return _fire(url, int(due), grouped=False)


def _fire(url: str, count: int, *, grouped: bool) -> float:
    from bench.work import RULES, due_by
    from engine import firing as module
    from storage.database import Database

    options: dict[str, Any] = {}
    if grouped and "traces" in inspect.signature(module.fire_due).parameters:
        from engine.firing_grouped import Traces

        options = {"traces": Traces()}
    elif not grouped:
        if "grouped" in inspect.signature(module.fire_due).parameters:
            options = {"grouped": False}
        else:  # an older revision has no parameter for it
            name = "fire_alike" if hasattr(module, "fire_alike") else "fire_grouped"
            setattr(module, name, lambda connection, due, at, rules: ([], due, False))
    database, done = Database(url), 0
    begun = time.perf_counter()
    while fired := module.fire_due(database, due_by(count), RULES, **options).count:
        done += fired
    seconds = time.perf_counter() - begun
    database.close()
    assert done == count, f"{done} of {count} fired"
    return count / seconds


def importing(url: str, file: str, count: str) -> float:
    """Return how many orders are imported in a second."""
    made = subprocess.run([sys.executable, "-P", "-m", "bench.filed", url, file], check=True, capture_output=True, text=True)
    return int(count) / float(json.loads(made.stdout.splitlines()[-1])["seconds"])


def replaying(source: str) -> float:
    """Return how many orders are replayed in a second; `source` is the folder of real orders, or a file."""
    words = ["replay", source]
    if Path(source).is_dir():
        words = ["replay", f"{source}/olist_orders_dataset.csv", "--mapping", f"{source}/mapping.toml"]
    with TemporaryDirectory() as folder:
        command = [*COMMAND, *words, "--until", "2026-01-01T00:00:00Z", "--json"]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
    replayed = json.loads(said)
    return float(replayed["orders"]) / float(replayed["seconds"])


def start_up(url: str, times: str) -> float:
    """Return how many times a second of processor time `orders` can be started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with TemporaryDirectory() as folder:
        for _ in range(int(times)):
            command = [*COMMAND, "--database", url, "orders", "--limit", "1", "--json"]
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int(times) / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


MEASUREMENTS: dict[str, Callable[..., float]] = {
    "fill": fill,
    "firing": firing,
    "one-by-one firing": one_by_one,
    "import": importing,
    "replay": replaying,
    "start-up": start_up,
}

if __name__ == "__main__":
    print(json.dumps({"figure": MEASUREMENTS[sys.argv[1]](*sys.argv[2:])}))
