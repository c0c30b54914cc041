"""What firing costs, side by side in one run: `python -m bench`, or `--quick` for the core of it in three minutes.

`python -m bench versus REV` compares this tree with another revision.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from bench import delivery, race, sizes, speed
from bench.report import say, table

ROUNDS = 5


def main() -> None:
    """Measure, print tables of medians and ratios, write JSON, and draw."""
    options = _options()
    if options.what == "versus":
        _versus(options)
        return
    results: dict[str, Any] = {"machine": {"processors": os.cpu_count(), "python": platform.python_version()}}
    say("the same work by every contender, in turn")
    results["race"] = race.run(ROUNDS, quick=options.quick)
    print(table(results["race"]))
    if not options.quick:
        results |= _the_rest()
    options.json.write_text(json.dumps(results["race"] if options.quick else results, indent=2) + "\n")
    say(f"written: {options.json}")
    if options.charts:
        from bench import charts

        charts.draw(results, options.charts)


def _the_rest() -> dict[str, Any]:
    largest = 5_000_000 if os.environ.get("BENCH_FULL") else 500_000
    rest: dict[str, Any] = {}
    for name, measure in (
        ("sizes", lambda: sizes.flatness(largest)),
        ("latency", speed.latency),
        ("idle", speed.idle),
        ("memory", lambda: sizes.memory(largest)),
        ("import", speed.importing),
        ("replay", speed.replaying),
        ("commands", speed.commands),
        ("delivery", delivery.delivery),
    ):
        say(name)
        rest[name] = measure()
        print(table(rest[name]))
    return rest


def _versus(options: argparse.Namespace) -> None:
    """Print the ratios of this tree to another revision as JSON."""
    from bench import versus

    if not options.revision:
        sys.exit("python -m bench versus: name the revision to compare with, such as HEAD~1")
    print(json.dumps(versus.run(options.revision, ROUNDS), indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["versus"], help="compare this tree with REV")
    parser.add_argument("revision", nargs="?", metavar="REV", help="the revision to compare with")
    parser.add_argument("--quick", action="store_true", help="only the contenders, in three minutes")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go (default: bench.json)")
    parser.add_argument("--charts", type=Path, help="a folder for the pictures of the README")
    return parser.parse_args()


if __name__ == "__main__":
    main()
