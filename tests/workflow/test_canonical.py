"""What is hashed and kept is written as the standard library would write it, whichever library does."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workflow.case.canonical import ascii_json, kept_json, plain
from workflow.vocabulary import State

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(timezones=st.just(UTC)) | st.sampled_from(State),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(value=values)
@example(value={"name": "供应商 \x7f", "more": 2**70, "half": "\ud800", "state": State.placed})
@example(value=[datetime(2026, 11, 25, 9, 0, 0, 12, tzinfo=UTC)])
def test_both_libraries_write_the_same(value):
    assert ascii_json(value) == json.dumps(value, separators=(",", ":"), default=plain)
    assert kept_json(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=plain)


@pytest.mark.parametrize("value", ["\x7f", "名", 2**64, "\ud800"])
def test_what_one_library_writes_otherwise_is_left_to_the_other(value):
    assert ascii_json([value]) == json.dumps([value], separators=(",", ":"))
    assert json.loads(kept_json([value])) == [value]


class Wrapped:
    def __str__(self):
        return "as it is formatted"


@pytest.mark.parametrize(
    ("value", "hashed"),
    [
        ({"b": 1, "a": [None, True, "x"]}, '{"b":1,"a":[null,true,"x"]}'),
        ({"b": "é", "a": 1}, '{"b":"\\u00e9","a":1}'),
        (["\x7f", 1, {"x": 2}], '["\\u007f",1,{"x":2}]'),
        ([2**70, "a"], '[1180591620717411303424,"a"]'),
        ([datetime(2025, 3, 3, 9, tzinfo=UTC)], '["2025-03-03T09:00:00+00:00"]'),
        (["é", datetime(2025, 3, 3, 9, tzinfo=UTC)], '["\\u00e9","2025-03-03T09:00:00+00:00"]'),
        ([Wrapped()], '["as it is formatted"]'),
        (["é", Wrapped()], '["\\u00e9","as it is formatted"]'),
        (["\ud800"], '["\\ud800"]'),
    ],
)
def test_what_is_hashed_is_written_in_ascii_without_spaces(value, hashed):
    assert ascii_json(value) == hashed


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
        ({"b": 2**70, "a": "é"}, '{"a":"é","b":1180591620717411303424}'),
        ({"b": Wrapped()}, '{"b":"as it is formatted"}'),
        ({"b": 2**70, "a": Wrapped()}, '{"a":"as it is formatted","b":1180591620717411303424}'),
    ],
)
def test_what_is_kept_has_its_keys_sorted(value, kept):
    assert kept_json(value) == kept
