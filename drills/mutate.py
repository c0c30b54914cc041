"""Changes the process in small ways, and looks whether its tests see it: `make mutate`.

mutmut writes changed versions of the functions of `workflow`, and each is given to the tests of `tests/workflow` that call
it. Of all changes some are drawn by a seed. What no test has seen is printed with its difference, and with the reason why
it is the same program, where `EQUIVALENT` has one. The exit code is 1 when less than 95 % are seen, or one that is not
seen has no reason.
"""

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
FEW = "workflow.plurals.*"
"""Asking for few of them makes mutmut write all."""
SEEN = ("killed", "timeout", "segfault")
LEAST = 0.95
EQUIVALENT: dict[tuple[str, str], str] = {}
"""The line that a change wrote, by its function, and why no test can see it."""


def main() -> int:
    """Draw changes, give them to the tests, and print what was not seen."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seed", type=int, default=1, help="which changes are drawn")
    ask.add_argument("--count", type=int, default=500, help="how many; 0 for all")
    given = ask.parse_args()
    begun = time.monotonic()
    _mutmut("run", FEW)
    names = sorted(_statuses())
    drawn = random.Random(given.seed).sample(names, given.count) if 0 < given.count < len(names) else names
    _mutmut("run", *drawn)
    statuses = _statuses()
    unseen = [name for name in drawn if statuses[name] not in SEEN]
    without_reason = [name for name in unseen if not _told(name, statuses[name])]
    share = 1 - len(unseen) / len(drawn)
    print(f"seed {given.seed}: {len(drawn)} of {len(names)} changes in {time.monotonic() - begun:,.0f} s")
    print(f"{len(drawn) - len(unseen)} seen ({share:.1%}), {len(unseen)} not, {len(without_reason)} of them without a reason")
    return 1 if share < LEAST or without_reason else 0


def _mutmut(*words: str) -> str:
    """Run mutmut, and return what it printed.

    Raises:
        RuntimeError: it failed; the message ends with what it said.

    """
    made = subprocess.run([MUTMUT, *words], cwd=ROOT, capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"mutmut {words[0]} failed: {made.stdout[-2_000:]}{made.stderr[-2_000:]}")
    return made.stdout


def _statuses() -> dict[str, str]:
    """Return what became of each change, by its name."""
    lines = (line.strip().rpartition(": ") for line in _mutmut("results", "--all", "true").splitlines())
    return {name: status for name, _, status in lines if name}


def _told(name: str, status: str) -> bool:
    """Print a change that was not seen; return whether there is a reason for it."""
    function = name.rpartition("__mutmut_")[0]
    changed = [*_changed_lines(_mutmut("show", name).splitlines())]
    written = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
    reason = EQUIVALENT.get((function, written))
    print(f"{name}: {status}", *(f"    {line}" for line in changed), f"    {reason or 'NO REASON'}", sep="\n")
    return reason is not None


def _changed_lines(difference: Sequence[str]) -> Iterator[str]:
    yield from (line for line in difference if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main())
