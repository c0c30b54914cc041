"""How far long work has come: told on a terminal, and nowhere else."""

import sys

import pytest

from admin.progress import progress


@pytest.mark.parametrize(("terminal", "quiet", "shown"), [(True, False, True), (True, True, False), (False, False, False)])
def test_a_bar_is_shown_on_a_terminal_alone(monkeypatch, capsys, terminal, quiet, shown):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with progress("orders", 4, quiet=quiet) as bar:
        bar.advance(1)
        bar.reach(3, 4)
    said = capsys.readouterr()
    assert (said.out, "orders" in said.err) == ("", shown)
