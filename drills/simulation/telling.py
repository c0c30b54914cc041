"""One seed lived through, a story told again, and a failing story shortened."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from drills.postgres import Server
from drills.simulation.author import Author
from drills.simulation.faults import Databases
from drills.simulation.moves import Happens, Pass, Send, Story
from drills.simulation.promises import Promises
from drills.simulation.world import PROCESSES, Broken, World
from storage.database import Database
from storage.schema import upgrade

QUICK = Path("/dev/shm")
REST = (*(Happens(12.0, Pass(), number % PROCESSES) for number in range(12)), Happens(0.0, Pass()), Happens(0.0, Pass()))
"""What happens at the end: nothing disturbs, and enough time passes for every try."""
MOST_TRIES = 400
"""So often is a failing story told again to shorten it."""


@dataclass(slots=True)
class Lived:
    """What came of a story."""

    story: list[Happens] = field(default_factory=list)
    broken: str | None = None
    order_days: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    heads: str = ""
    """A digest over all histories, the same for the same seed."""


class Stage:
    """Where worlds are made: each gets a fresh database with tables."""

    def __init__(self, server: Server | None = None) -> None:
        self._server = server
        self._home = TemporaryDirectory(prefix="aftersales-simulation-", dir=QUICK if QUICK.is_dir() else None)
        self._template = server.new_database() if server else f"sqlite:///{Path(self._home.name) / 'template.db'}"
        self._shop = Path(self._home.name) / "shop.db"
        self._in_file = Databases(f"sqlite:///{self._shop}", PROCESSES)
        """Used again and again, so that no statement is compiled twice."""
        template = Database(self._template)
        upgrade(template)
        template.close()

    def close(self) -> None:
        """Remove all that was made."""
        self._home.cleanup()

    @contextmanager
    def world(self, seed: int) -> Iterator[World]:
        """Yield a world, which is gone afterwards."""
        with (
            TemporaryDirectory(dir=self._home.name) as folder,
            self._on_server() if self._server else self._in_a_file() as databases,
            World(seed, Path(folder), databases).opened() as world,
        ):
            yield world

    @contextmanager
    def _in_a_file(self) -> Iterator[Databases]:
        shutil.copy(self._template.removeprefix("sqlite:///"), self._shop)
        try:
            yield self._in_file
        finally:
            self._in_file.close()
            for path in self._shop.parent.glob(f"{self._shop.name}*"):
                path.unlink()

    @contextmanager
    def _on_server(self) -> Iterator[Databases]:
        assert self._server
        url = self._server.new_database(self._template.rpartition("/")[2])
        databases = Databases(url, PROCESSES)
        try:
            yield databases
        finally:
            databases.close()
            self._server.drop(url)


def live(stage: Stage, seed: int, days: float) -> Lived:
    """Let a shop live by a seed."""
    with stage.world(seed) as world:
        return _tell(world, Author(seed, days, world).story())


def tell(stage: Stage, seed: int, story: Iterable[Happens]) -> Lived:
    """Tell a story again; `seed` gives the ids and salts."""
    with stage.world(seed) as world:
        return _tell(world, story)


def _tell(world: World, story: Iterable[Happens]) -> Lived:
    lived, promises = Lived(), Promises(world)
    try:
        for move in story:
            lived.story.append(move)
            lived.order_days += promises.orders * move.hours / 24
            world.run(move)
            promises.check()
        for move in REST:
            world.run(move)
            promises.check()
        promises.at_rest()
    except Broken as error:
        lived.broken = str(error)
    lived.faults, lived.checked = world.gate.struck, promises.checked
    lived.heads = _heads(world)
    return lived


def _heads(world: World) -> str:
    with world.look.read() as connection:
        heads = connection.execute(text("SELECT shop, number, last_hash FROM orders ORDER BY shop, number")).all()
    return hashlib.sha256(repr([tuple(one) for one in heads]).encode()).hexdigest()


def shortened(stage: Stage, seed: int, lived: Lived) -> Lived:
    """Return the shortest story found that breaks the same promise: moves left out, then what strikes them."""
    shortest, left = lived, MOST_TRIES

    def breaks(story: Story) -> bool:
        nonlocal shortest, left
        left -= 1
        again = tell(stage, seed, story)
        if again.broken is None or _promise(again.broken) != _promise(lived.broken):
            return False
        shortest = again
        return True

    size = max(1, len(lived.story) // 2)
    while size and left > 0:
        place = 0
        while place < len(shortest.story) and left > 0:
            story = (*shortest.story[:place], *shortest.story[place + size :])
            if not breaks(story):
                place += size
        size //= 2
    for place in range(len(shortest.story)):
        for plainer in _plainer(shortest.story[place]) if place < len(shortest.story) else ():
            if left > 0:
                breaks((*shortest.story[:place], plainer, *shortest.story[place + 1 :]))
    return shortest


def _promise(broken: str | None) -> str:
    return " ".join((broken or "").split()[:2])


def _plainer(move: Happens) -> Iterator[Happens]:
    if move.meanwhile:
        yield replace(move, meanwhile=None)
    if move.fault:
        yield replace(move, fault=None)
    if isinstance(move.what, Pass | Send) and move.what.outcomes:
        yield replace(move, what=replace(move.what, outcomes=()))
