"""Changes the process in small ways, and looks whether its tests see it: `make mutate`.

mutmut writes changed versions of the functions of `workflow`, and each is given to the tests of `tests/workflow` that call
it; what those do not see is given to all of them, for what runs while the process is imported is called by no test. Of all
changes some are drawn by a seed. What no test has seen is printed with its difference, and with the reason why it is the
same program, where `EQUIVALENT` has one. The exit code is 1 when less than 95 % are seen, or one that is not seen has no
reason.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTANTS = ROOT / "mutants"
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
FEW = "workflow.plurals.*"
"""Asking for few of them makes mutmut write all."""
SEEN = ("killed", "timeout", "segfault")
LEAST = 0.95
EQUIVALENT: tuple[tuple[str, str], ...] = (
    (r"zip\(.*(strict=None|strict=False|, \))", "both are equally long, or it is not asked: strict is for readers"),
    (r"kept_json: .*ensure_ascii=None", "None is as good as False"),
    (r"ascii_json: written = b.XX", "it has the character that is looked for"),
    (r"sealed: whole = .*XXXX", "the hash is written over it"),
    (r"minor_units: .*rstrip\(.XX0XX.\)", "there are digits alone"),
    (r"worth: .*paid <= total", "where both are equal, so are the two sums"),
    (r"_told_in_order: was_allowed, position = True", "the report itself is among those that are gone through"),
    (r"_judge: was_allowed, position = .*(or True|\(True, None\))", "it is read only of older news"),
    (r"_earlier_attempt: .*<=", "the row of the current attempt stands before"),
    (r"_sum: .*or True", "in refunding a refund is always open"),
    (r"_new_order_is_free: .*get\(named, 1\)", "a claim has one piece at least"),
    (r"reopen_claim: .*reopened=True, \)", "a claim goes back to where it came from"),
    (r"place_replacement: draft.change_claim\(replacement=number\)", "entering the state gives the claim that status"),
    (r"_attempt_concerned: .*or 2", "the change has always noted the attempt"),
    (r"_announced: .*date\(year, ", "whichever day makes the library load the year"),
    (r"_is_setting: .*rpartition", "a setting has one point in its name"),
    (r"did_you_mean: .*n=2|did_you_mean: .*typed, names, cutoff", "the first alone is shown"),
    (r"__init__: self.move: Edge \| None = ..$", "it is asked only after a move"),
    (r"decide: .*and mover.move is None", "the machine moves, or says that it did not"),
    (r"decide: if len\(rows\) (!= 1|== 2)", "what is decided is remembered to be faster"),
    (r"_place: module = ", "a frame's globals have their name"),
    (r"announced_until: .*astimezone\(None\)", "it is the same instant in another zone"),
    (r"position_of: .*or True", "no position is kept of no state"),
    (r"_note: noted = replace\(row, target=None", "the step is told that it moves nothing"),
    (r"answer: row = _refunding_row\(case, event, None", "no guard of a row that refunds asks the rules"),
    (r"_merged: begin: date \| None = \"\"", "the end is none too, and both are asked"),
    (r"without_asking: .*asks=None", "None is as good as False"),
    (r"_unchanged: if isinstance\(was, tuple\) or", "what is and what was are of one kind"),
    (r"_personal: return told if .*and False", "who the buyer is now is taken out anyway"),
    (r"_names: seen.name. (-=|\+=) [12]", "the turns of a name need only differ"),
    (r"_said: return \{.*(XX|TRIGGER|AT).*items", "both that are compared have these names"),
    (r"_compare: if line.quantity >= was.quantity", "the same number of pieces is written over itself"),
    (r"plan: .*and False else max", "the greatest of one is that one"),
)
"""Patterns of FUNCTION: LINE as it was changed, and why no test can see that."""


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
    unseen = [name for name in drawn if statuses[name] not in SEEN and not _seen_by_any(name)]
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


def _seen_by_any(name: str) -> bool:
    """Say whether any test at all sees a change."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/workflow"]
    told = {**os.environ, "MUTANT_UNDER_TEST": name, "PYTHONPATH": str(MUTANTS)}
    return subprocess.run(command, cwd=MUTANTS, env=told, capture_output=True).returncode != 0


def _told(name: str, status: str) -> bool:
    """Print a change that was not seen; return whether there is a reason for it."""
    (function,) = re.findall(r"\.x(?:_|\u01c1.*\u01c1)(.*)__mutmut_", name)
    changed = [*_changed_lines(_mutmut("show", name).splitlines())]
    written = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
    reason = next((why for pattern, why in EQUIVALENT if re.search(pattern, f"{function}: {written}")), None)
    print(f"{name}: {status}", *(f"    {line}" for line in changed), f"    {reason or 'NO REASON'}", sep="\n")
    return reason is not None


def _changed_lines(difference: Sequence[str]) -> Iterator[str]:
    yield from (line for line in difference if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main())
