"""Shops that live by a seed, with all faults on: the same seed is the same shop, and faults that are put back are found."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from drills.postgres import NoServer, Server
from drills.simulation.author import Author
from drills.simulation.moves import Happens, Place, Report, Tell, written
from drills.simulation.planted import FAULTS, planted
from drills.simulation.telling import Stage, live, shortened, tell
from workflow.reports import FIELDS

ROOT = Path(__file__).parents[2]
FOUND_AT = {
    "timers-not-stored": 1,
    "refusals-not-kept": 1,
    "unknown-is-sent-again": 1,
    "text-of-the-try": 1,
    "clocks-go-on": 1,
    "duplicates-not-known": 1,
    "one-key-for-two": 1,
    "reports-not-erased": 3,
    "clock-believed": 2,
    "clocks-not-taken-back": 4,
}
"""The seed that finds a fault: those that take many seeds are looked for by hand."""


@pytest.fixture(scope="module")
def stage():
    made = Stage()
    yield made
    made.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_shop_keeps_its_promises_and_the_same_story_gives_the_same_histories(stage, seed):
    lived = live(stage, seed, 40)
    assert lived.broken is None
    assert sum(lived.faults.values()) > 20
    assert sum(lived.checked.values()) > 5_000
    again = tell(stage, seed, lived.story)
    assert (again.broken, again.heads) == (None, lived.heads)


def test_a_seed_gives_the_same_histories_in_every_process():
    program = "from drills.simulation.telling import Stage, live; print(live(Stage(), 3, 30).heads)"
    heads = set()
    for hash_seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        heads.add(said.stdout.strip())
    assert len(heads) == 1
    assert len(heads.pop()) == 64


def test_the_same_stories_run_on_a_server():
    try:
        server = Server()
    except NoServer as missing:
        pytest.skip(str(missing))
    try:
        there = Stage(server)
        assert live(there, 4, 20).broken is None
        there.close()
    finally:
        server.stop()


def test_a_failing_story_is_shortened_and_can_be_told_again_as_it_is_printed(stage):
    with planted("refusals-not-kept"):
        lived = live(stage, 1, 40)
        assert lived.broken.startswith("promise 9.9")
        short = shortened(stage, 1, lived)
        assert len(short.story) <= 3
        printed = written(tuple(short.story))
        import drills.simulation.faults
        import drills.simulation.moves

        read = eval(printed, {**vars(drills.simulation.moves), **vars(drills.simulation.faults)})
        assert tell(stage, 1, read).broken == short.broken
    assert tell(stage, 1, read).broken is None


@pytest.mark.parametrize("fault", FOUND_AT)
def test_a_fault_that_is_put_back_is_found(stage, fault):
    with planted(fault):
        assert live(stage, FOUND_AT[fault], 100).broken is not None


def test_every_fault_that_can_be_planted_is_described():
    assert FOUND_AT.keys() <= FAULTS.keys()
    assert all(make.__doc__ for make in FAULTS.values())


def test_every_trigger_of_the_process_is_reported_with_its_fields(stage):
    """No trigger is named by the simulation: a new one is told without a line written for it."""
    with stage.world(1) as world:
        author = Author(1, 1, world)
        reports = [author.report("1", None) for _ in range(1_500)]
    fields = defaultdict(set)
    for one in reports:
        fields[one.trigger] |= one.fields.keys()
    assert fields == {trigger: known.keys() for trigger, known in FIELDS.items() if trigger != "place"}


def test_a_move_is_written_as_python():
    assert (
        written(Happens(1.5, Tell(Report("3", "ship"), "person:kim")))
        == "Happens(1.5, Tell(Report('3', 'ship'), 'person:kim'))"
    )
    assert written(Happens(0.0, Place(()), process=2)) == "Happens(0, Place(()), 2)"
