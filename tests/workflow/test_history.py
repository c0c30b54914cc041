"""Histories are chains: whatever is changed, left out or cut off shows (rules 6.1 and 6.2)."""

from dataclasses import replace

import pytest

from tests.factories import Story, rules_of
from workflow.case.history import HistoryRow, broken_at, chain


@pytest.fixture
def lived():
    told = Story(rules_of()).until(4)
    return told, [one.history for one in told.steps]


def broken(told, rows, count=None, last=None):
    return broken_at(told.case.name, rows, told.case.steps if count is None else count, last or told.case.last_hash)


def test_a_history_as_it_was_written_holds(lived):
    assert broken(*lived) is None
    _, rows = lived
    assert [row.hash for row in rows] == [
        chain("main/1", before, row) for before, row in zip(["", *(row.hash for row in rows)], rows, strict=False)
    ]


def test_a_row_that_is_missing_or_out_of_order_is_named(lived):
    told, rows = lived
    assert broken(told, rows[1:]) == "row 1 is missing or out of order"
    assert broken(told, [rows[0], rows[2]]) == "row 2 is missing or out of order"
    assert broken(told, [rows[1], rows[0], rows[2]]) == "row 1 is missing or out of order"


def test_a_row_that_was_changed_is_named(lived):
    told, rows = lived
    for at, changed in enumerate([{"actor": "person:kim"}, {"wrote": "{}"}, {"details": {"nth": 1}}]):
        touched = [*rows]
        touched[at] = replace(rows[at], **changed)
        assert broken(told, touched) == f"row {at + 1} was changed after it was written"


@pytest.mark.parametrize(
    "changed",
    [
        {"sequence": 9},
        {"trigger": "ship"},
        {"source": None},
        {"target": "closed"},
        {"occurred": None},
        {"due": None},
        {"recorded": None},
        {"actor": "x"},
        {"reason": "x"},
        {"details": {"x": 1}},
        {"policy": 2},
        {"wrote": "{}"},
    ],
    ids=str,
)
def test_each_field_of_a_row_is_sealed(lived, changed):
    _, rows = lived
    assert chain("main/1", rows[0].hash, replace(rows[1], **changed)) != rows[1].hash
    assert chain("main/2", rows[0].hash, rows[1]) != rows[1].hash
    assert chain("main/1", "", rows[1]) != rows[1].hash


def test_the_order_of_details_makes_no_difference(lived):
    _, rows = lived
    one, other = replace(rows[1], details={"a": 1, "b": 2}), replace(rows[1], details={"b": 2, "a": 1})
    assert chain("main/1", "", one) == chain("main/1", "", other)


def test_a_row_that_sealed_nothing_is_hashed_as_older_programs_did(lived):
    _, rows = lived
    assert chain("main/1", "", replace(rows[0], wrote=None)) != chain("main/1", "", replace(rows[0], wrote="null"))


def test_an_end_that_was_cut_off_is_seen_by_what_the_order_counts(lived):
    told, rows = lived
    assert broken(told, rows[:-1]) == "the order counts 3 rows and the history has 2"
    assert broken(told, [], count=1) == "the order counts 1 row and the history has 0"
    assert broken(told, rows, last="0" * 64) == "the order counts 3 rows and the history has 3"


def test_a_row_has_its_own_fields_and_no_others(lived):
    _, rows = lived
    assert [HistoryRow(**vars(row)) for row in rows] == rows
