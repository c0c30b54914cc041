"""Orders that turn to a catalogue for a quarter (`drills/choices.py` does it with thousands of orders)."""

import pytest

from drills import choices


@pytest.mark.parametrize("name", choices.POLICIES)
def test_every_choice_is_the_one_that_the_price_lists_of_its_instant_give(tmp_path, name):
    assert choices.run(60, 50, 1, tmp_path, [name]) == []


def test_what_the_reading_looks_for_is_found(tmp_path, monkeypatch):
    said = choices.said
    monkeypatch.setattr(choices, "said", lambda row: (said(row)[0], 1, set()))
    assert choices.run(40, 50, 1, tmp_path, ["rank"])
