"""Every hostile input is refused with a reason or made harmless; nothing is half-stored, and no memory is wasted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.hostile import INPUTS, TAKEN, table, try_out

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch):
    for name in os.environ:
        if name.startswith("AFTERSALES_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("hostile", INPUTS, ids=lambda one: one.what)
def test_a_hostile_input_is_refused_or_made_harmless(hostile, tmp_path):
    came = try_out(hostile, tmp_path)
    assert hostile.says in came.said
    assert (came.orders, came.kept) == (hostile.orders, hostile.kept)
    assert came.code == 0 or hostile.happens != TAKEN


def test_the_documented_table_is_that_of_the_inputs_and_all_of_them_need_little_memory():
    assert len(INPUTS) >= 60
    assert table() in (ROOT / "docs/hostile_inputs.md").read_text(), "run `python -m tests.system.hostile`"
    done = subprocess.run([sys.executable, "-m", "tests.system.hostile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
