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
