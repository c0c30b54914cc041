"""Commands that are really killed, once each; `python -m drills.commands 100` does it a hundred times."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_commands_that_are_killed_are_as_if_undisturbed_when_they_were_gone_on_with():
    said = subprocess.run(
        [sys.executable, "-m", "drills.commands", "1"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert said.returncode == 0, said.stderr[-1_000:]
    done = json.loads(said.stdout)
    assert {name: one["kills"] for name, one in done.items()} == dict.fromkeys(
        ("import", "shift", "retime", "erase", "evidence", "backup", "restore", "send"), 1
    )
