"""Shops that live by a seed: `python -m drills.simulate --seeds 1-100 --days 100`.

The engine's own code runs under a virtual clock while its database, its mail server and its processes fail in every way.
After each move all promises are checked. A seed that breaks one is printed with a story, shortened, that does the same,
and the exit code is 1.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context

from drills.postgres import Server
from drills.simulation.moves import written
from drills.simulation.planted import FAULTS, planted
from drills.simulation.telling import Lived, Stage, live, shortened


@dataclass
class Figures:
    """What all seeds did."""

    first: int
    seeds: int = 0
    order_days: float = 0.0
    moves: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def add(self, seed: int, lived: Lived) -> None:
        """Count one seed."""
        self.seeds += 1
        self.order_days += lived.order_days
        self.moves += len(lived.story)
        self.faults += lived.faults
        self.checked += lived.checked
        if lived.broken:
            self.broken[seed] = lived.broken


_STAGE: list[Stage] = []


def _lived(seed: int, days: float, fault: str | None) -> tuple[int, Lived]:
    """Let one seed live, in a process that keeps its stage."""
    if not _STAGE:
        _STAGE.append(Stage())
    with planted(fault):
        return seed, live(_STAGE[0], seed, days)


def run(
    seeds: range, days: float, jobs: int, server: Server | None = None, fault: str | None = None
) -> Iterator[tuple[int, Lived]]:
    """Yield each seed with what came of it."""
    if server or jobs == 1:
        stage = Stage(server)
        try:
            for seed in seeds:
                with planted(fault):
                    yield seed, live(stage, seed, days)
        finally:
            stage.close()
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("fork"))
    try:
        for one in [pool.submit(_lived, seed, days, fault) for seed in seeds]:
            yield one.result()
    finally:
        pool.shutdown(cancel_futures=True)  # a caller that stops early does not wait for seeds that have not begun


def main() -> int:
    """Simulate seeds, print what they did, and tell the story of the first that broke a promise."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", default="1-20", help="the first and the last seed: 1-100; or one seed")
    ask.add_argument("--days", type=float, default=100, help="how many days each shop lives")
    ask.add_argument("--seconds", type=float, help="begin no further seed after so many seconds")
    ask.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many seeds live at a time")
    ask.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server instead of SQLite, one at a time")
    ask.add_argument("--planted", choices=[*FAULTS], help="put a fault into the engine, to see that it is found")
    ask.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = ask.parse_args()
    logging.disable()  # what strikes is counted
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    figures, begun, server = Figures(seeds.start), time.monotonic(), Server() if given.postgresql else None
    failed: tuple[int, Lived] | None = None
    try:
        for seed, lived in run(seeds, given.days, given.jobs, server, given.planted):
            figures.add(seed, lived)
            if lived.broken:
                _print_seed(seed, lived, given)
                failed = failed or (seed, lived)
            if (given.planted and failed) or (given.seconds and time.monotonic() - begun > given.seconds):
                break
        figures.seconds = time.monotonic() - begun
        if failed:
            _print_story(*failed, given, server)
    finally:
        if server:
            server.stop()
    _print(figures, as_json=given.json)
    return 1 if failed else 0


def _print_seed(seed: int, lived: Lived, given: argparse.Namespace) -> None:
    """Print at once which seed has failed, and the command that does it again."""
    again = f"python -m drills.simulate --seeds {seed} --days {given.days:g}{' --postgresql' if given.postgresql else ''}"
    print(f"# seed {seed}: {lived.broken}\n# again: {again}", file=sys.stderr, flush=True)


def _print_story(seed: int, lived: Lived, given: argparse.Namespace, server: Server | None) -> None:
    """Print the story of a seed, shortened: that takes as long as many seeds."""
    stage = Stage(server)
    try:
        with planted(given.planted):
            short = shortened(stage, seed, lived)
    finally:
        stage.close()
    print(f"# seed {seed}: {len(lived.story)} moves, shortened to {len(short.story)}: {short.broken}", file=sys.stderr)
    print("STORY = (", *(f"    {written(move)}," for move in short.story), ")", sep="\n", file=sys.stderr)


def _print(figures: Figures, *, as_json: bool) -> None:
    rate = figures.order_days / figures.seconds if figures.seconds else 0.0
    told = {**asdict(figures), "order_days_a_second": round(rate), "order_days": round(figures.order_days)}
    if as_json:
        print(json.dumps(told, indent=2))
        return
    print(f"seeds {figures.first} to {figures.first + figures.seeds - 1}")
    print(f"{figures.seeds} seeds, {figures.order_days:,.0f} order-days in {figures.seconds:,.0f} s ({rate:,.0f} a second)")
    faults, checks = sum(figures.faults.values()), sum(figures.checked.values())
    print(f"{figures.moves:,} moves, {faults:,} faults, {checks:,} checks of promises")
    print(f"{len(figures.broken)} broken")
    for kind, count in sorted(figures.faults.items()):
        print(f"  {count:>8,}  {kind}")
    for seed, why in figures.broken.items():
        print(f"  seed {seed}: {why}")


if __name__ == "__main__":
    sys.exit(main())
