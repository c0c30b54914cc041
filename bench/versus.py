"""Two revisions of the program side by side: `python -m bench versus REV` prints ratios of this tree to REV as JSON.

REV is checked out in a worktree with an environment of its own, which is kept for the next call. Both take turns on
the same inputs, and a ratio is the median over the rounds: what slows the machine down slows both.
"""

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report import say
from bench.sites import Site, sites
from bench.speed import OLIST, write_orders

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).parent / "worker.py"
ORDERS = {"firing": 60_000, "one-by-one firing": 4_000, "import": 20_000}
STARTS = 5
"""Starts of the command in one measurement of the start-up."""


class Tree:
    """One revision of the program with its environment."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self._templates: dict[tuple[str, int], str] = {}

    def run(self, *words: str) -> float:
        """Run one measurement of `bench/worker.py`, and return its figure: a rate, or seconds.

        Raises:
            RuntimeError: it failed; the message ends with its error output.

        """
        command = [str(self.root / ".venv/bin/python"), "-P", str(WORKER), *words]
        made = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=900)
        if made.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(words)} failed: {made.stderr[-2_000:]}")
        return float(json.loads(made.stdout.splitlines()[-1])["figure"])

    def database(self, site: Site, due: int) -> str:
        """Return the URL of a copy of a database with `due` orders, made by this revision."""
        key = (site.database, due)
        if key not in self._templates:
            self._templates[key] = site.empty()
            self.run("fill", self._templates[key], str(due))
        return site.copy(self._templates[key])


def run(revision: str, rounds: int) -> dict[str, object]:
    """Return the ratio of this tree to `revision` for each measurement, with the rates of both."""
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    trees = (Tree("this tree", ROOT), Tree(revision, build(revision)))
    with sites() as both, TemporaryDirectory(prefix="aftersales-versus-") as folder:
        orders = Path(folder) / "orders.csv"
        write_orders(orders, ORDERS["import"])
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            for site in both:
                for tree in trees if number % 2 else reversed(trees):
                    for name, figure in _measurements(tree, site, orders):
                        figures[name][tree.name].append(figure)
    ratios = {name: _ratio(of["this tree"], of[revision]) for name, of in figures.items()}
    medians = {name: {tree: round(statistics.median(some), 3) for tree, some in of.items()} for name, of in figures.items()}
    return {"revision": revision, "rounds": rounds, "ratios": ratios, "figures": medians}


def build(revision: str) -> Path:
    """Check a revision out in a worktree, and make its environment there.

    Raises:
        CalledProcessError: there is no such revision, or its set-up fails.

    """
    named = ["git", "rev-parse", "--verify", f"{revision}^{{commit}}"]
    commit = subprocess.run(named, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    tree = ROOT / ".venv" / "versus" / commit
    if not tree.is_dir():
        say(f"checking out {commit[:12]}")
        subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV")}
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run(
        ["make", "--silent", "setup", f"PYTHON={base}"], cwd=tree, check=True, env=outside, stdout=subprocess.DEVNULL
    )
    return tree


def _measurements(tree: Tree, site: Site, orders: Path) -> Iterator[tuple[str, float]]:
    for name in ("firing", "one-by-one firing"):
        count = ORDERS[name]
        url = tree.database(site, count)
        yield f"{name}, {site.database}", tree.run(name, url, str(count))
        site.drop(url)
    url = site.empty()
    yield f"import, {site.database}", tree.run("import", url, str(orders), str(ORDERS["import"]))
    site.drop(url)
    if site.database == "sqlite":
        yield "replay", tree.run("replay", str(OLIST if OLIST.is_dir() else orders))
        url = tree.database(site, ORDERS["one-by-one firing"])
        yield "start-up", tree.run("start-up", url, str(STARTS))
        site.drop(url)


def _ratio(mine: list[float], theirs: list[float]) -> float:
    """Return the median ratio of this tree's rates to the other's; above 1 this tree is faster."""
    return round(statistics.median(one / other for one, other in zip(mine, theirs, strict=True)), 3)
