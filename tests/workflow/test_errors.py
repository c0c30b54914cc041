"""How errors are said, and described without what they may quote."""

from types import SimpleNamespace

import pytest

from workflow.errors import AftersalesError, InvalidTransition, UsageError, describe_error
from workflow.plurals import counted
from workflow.policy.calendars import WorkingCalendar
from workflow.suggestions import did_you_mean


def test_an_error_about_an_order_names_the_order_its_state_the_trigger_why_and_what_is_allowed():
    error = InvalidTransition("main/1", "placed", "release", "it is not allowed in placed", ["ship", "deliver"])
    assert str(error) == (
        "Order main/1 is placed; release was not applied: it is not allowed in placed. Allowed here: ship, deliver."
    )
    assert (error.order, error.state, error.trigger, error.allowed) == ("main/1", "placed", "release", ("ship", "deliver"))


def test_an_order_that_was_never_placed_is_nothing_and_allows_nothing():
    assert str(InvalidTransition("main/1", None, "ship", "why")) == "Order main/1 is nothing; ship was not applied: why."


def a_databases_error(**diagnosis):
    return type("DeadlockDetected", (Exception,), {"diag": SimpleNamespace(**diagnosis)})("Key (email)=(kim@example.com)")


def test_a_databases_error_is_described_by_its_kind_sqlstate_and_place_alone():
    error = a_databases_error(sqlstate="40P01", table_name="orders", column_name=None, constraint_name="orders_pkey")
    assert describe_error(error) == "DeadlockDetected 40P01 orders orders_pkey"
    wrapped = SimpleNamespace(orig=error)
    assert describe_error(wrapped) == "DeadlockDetected 40P01 orders orders_pkey"


def test_our_own_errors_and_those_of_files_are_described_in_their_words():
    assert describe_error(UsageError("name a file")) == "UsageError: name a file"
    assert describe_error(AftersalesError("no")) == "AftersalesError: no"
    assert describe_error(FileNotFoundError(2, "No such file", "x")) == "FileNotFoundError: [Errno 2] No such file: 'x'"


def test_an_error_of_sqlite_is_described_in_its_words():
    error = Exception("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY"
    assert describe_error(error) == "Exception: database is locked"


def test_any_other_error_is_described_by_the_last_line_of_this_program_it_came_through():
    with pytest.raises(Exception) as caught:
        WorkingCalendar(closures=[3], extra_working_days=None)
    assert describe_error(caught.value).startswith("TypeError at workflow.policy.calendars:")
    line = next(entry.lineno for entry in caught.traceback if "calendars" in str(entry.path)) + 1
    assert describe_error(caught.value) == f"TypeError at workflow.policy.calendars:{line}"


def test_an_error_that_came_from_nowhere_in_this_program_is_described_by_its_kind():
    assert describe_error(KeyError("kim@example.com")) == "KeyError"
    with pytest.raises(KeyError) as caught:
        {}["kim@example.com"]
    assert describe_error(caught.value) == "KeyError", "tests are no part of the program"


@pytest.mark.parametrize(("count", "said"), [(0, "0 histories"), (1, "1 history"), (2, "2 histories")])
def test_counts_are_written_with_their_nouns(count, said):
    assert counted(count, "history", "histories") == said


def test_a_noun_gets_an_s_where_its_plural_is_not_named():
    assert [counted(count, "timer") for count in (0, 1, 2)] == ["0 timers", "1 timer", "2 timers"]


def test_a_mistyped_name_gets_the_nearest_known_one_or_all_of_them():
    assert did_you_mean("shup", ["ship", "deliver"]) == "; did you mean ship?"
    assert did_you_mean("xyz", ["ship", "deliver"]) == "; known are deliver, ship"
    assert did_you_mean("shiAB", ["shiCD"]) == "; known are shiCD", "three letters of five are not near"
    assert did_you_mean("delivr", ["deliver", "delivery"]) == "; did you mean deliver?"
