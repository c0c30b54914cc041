"""Days on which a supplier is closed do not count for what it is to do (rule 3.11)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import START, Story, day, rules_of
from workflow.policy.calendars import WorkingCalendar
from workflow.policy.closures import Closures
from workflow.policy.durations import Duration
from workflow.policy.policy import PolicyError, read_policy

YIWU = '[[closures]]\nsupplier = "Yiwu"\nfrom = 2025-03-04\nto = 2025-03-06\n'
"""From 2025-03-03 16:00 to 2025-03-06 16:00 UTC."""
UTC_DAYS = WorkingCalendar("CN", "UTC")
DAYS = st.integers(0, 40).map(lambda n: date(2025, 3, 3) + timedelta(days=n))
CLOSED = st.lists(st.tuples(DAYS, st.integers(0, 6)), max_size=4).map(
    lambda some: [(None, first, first + timedelta(days=more)) for first, more in some]
)


def in_hours(closed, start, hours):
    """Count hour by hour: the plain reading of the rule."""
    at, left = start, hours
    while left:
        if not any(first <= at.date() <= last for _, first, last in closed):
            left -= 1
        at += timedelta(hours=1)
    return at


@given(CLOSED, st.integers(0, 60), st.integers(1, 200))
def test_open_time_is_counted_as_hour_by_hour(closed, ahead, hours):
    start = START + timedelta(hours=ahead)
    start = start.replace(minute=0)
    found = Closures(closed, UTC_DAYS).after(start, "Yiwu", Duration(hours, "h"))
    assert found == in_hours(closed, start, hours)


@given(CLOSED, st.integers(0, 60), st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
def test_what_was_paused_and_closed_is_left_out_once(closed, ahead, hours, before, pause):
    closures, start = Closures(closed, UTC_DAYS), START + timedelta(hours=ahead)
    due = closures.after(start, None, Duration(hours, "h"))
    paused_at = min(due, start + timedelta(hours=before))
    at = paused_at + timedelta(hours=pause)
    resumed = closures.resumed(due, paused_at, at, None)
    assert resumed >= at
    open_hours = sum(
        not any(first <= (paused_at + timedelta(hours=n)).date() <= last for _, first, last in closed)
        for n in range(int((due - paused_at) / timedelta(hours=1)))
    )
    assert resumed == in_hours(closed, at, open_hours)


@given(CLOSED, st.integers(1, 20))
def test_closed_days_are_no_working_days(closed, count):
    days = [first + timedelta(days=n) for _, first, last in closed for n in range((last - first).days + 1)]
    plain = WorkingCalendar("CN", "UTC", days)
    closures = Closures(closed, UTC_DAYS)
    for supplier in (None, "Yiwu"):
        assert closures.after(START, supplier, Duration(count, "wd")) == plain.deadline(START, count)


def test_the_clocks_of_a_supplier_that_is_closed_stand_still():
    closed = Story(rules_of(YIWU), supplier="Yiwu")
    assert closed.timer("urge").due_at == day(5)
    closed.until(5)
    assert closed.timer("reroute").due_at == day(7)
    assert Story(rules_of(YIWU), supplier=" ＹＩＷＵ").timer("urge").due_at == day(5)
    assert Story(rules_of(YIWU), supplier="Ningbo").timer("urge").due_at == day(2)
    assert Story(rules_of(YIWU)).timer("urge").due_at == day(2)
    everybody = YIWU.replace('supplier = "Yiwu"\n', "")
    assert Story(rules_of(everybody), supplier="Ningbo").timer("urge").due_at == day(5)


def test_an_interception_and_the_money_of_a_supplier_wait_too():
    told = Story(rules_of(YIWU), supplier="Yiwu", paid=500)
    told.report("cancel", 0.1)
    assert told.timer("fail_interception").due_at == day(5.1)
    left = Story(rules_of(YIWU.replace("2025-03-06", "2025-03-20")), supplier="Yiwu", paid=500)
    left.report("report_no_stock", 0.1)
    open_all = Story(rules_of(), supplier="Yiwu", paid=500)
    open_all.report("report_no_stock", 0.1)
    assert left.timer("chase_recovery").due_at - open_all.timer("chase_recovery").due_at >= timedelta(days=13)
    assert left.timer("urge").due_at == day(2.1), "the next supplier is open"


def test_what_others_are_to_do_goes_on():
    told = Story(rules_of(YIWU.replace("2025-03-06", "2025-04-30")), supplier="Yiwu")
    told.report("ship", 1)
    assert told.timer("stall").due_at == day(11)


def test_a_pause_over_a_closure_is_left_out_once():
    told = Story(rules_of(YIWU), supplier="Yiwu")
    told.report("cancel", 0.1)
    told.report("fail_interception", 4)
    assert told.case.state == "placed"
    plain = Story(rules_of(), supplier="Yiwu")
    plain.report("correct_address", 0.1)
    plain.report("fail_interception", 4)
    assert plain.timer("urge").due_at == day(5.9)
    again = Story(rules_of(YIWU), supplier="Yiwu")
    again.report("correct_address", 0.1)
    again.report("fail_interception", 4)
    assert again.timer("urge").due_at == day(5.9)


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ("[[closures]]\nfrom = 2025-03-06\nto = 2025-03-04\n", "before it begins on 2025-03-06: both days are included"),
        ("[[closures]]\nfrom = 2025-03-06\n", "Field required"),
        ('[[closures]]\nfrom = "soon"\nto = 2025-03-04\n', "closures"),
        ("[[closures]]\nfrom = 2025-03-03\nto = 2025-03-04\nsuplier = 'x'\n", r"closures 1.suplier\] .*did you mean supplier"),
        ("[[closures]]\nsupplier = ''\nfrom = 2025-03-03\nto = 2025-03-04\n", "at least 1 character"),
    ],
)
def test_a_closure_that_cannot_be_read_says_why(toml, why):
    with pytest.raises(PolicyError, match=why):
        read_policy(toml)


def test_closures_that_touch_are_one():
    closures = Closures([(None, date(2025, 3, 4), date(2025, 3, 5)), (None, date(2025, 3, 6), date(2025, 3, 6))], UTC_DAYS)
    assert closures.after(datetime(2025, 3, 3, 12, tzinfo=UTC), None, Duration(1, "d")) == datetime(2025, 3, 7, 12, tzinfo=UTC)
    assert closures.after(datetime(2025, 3, 3, tzinfo=UTC), None, Duration(1, "d")) == datetime(2025, 3, 4, tzinfo=UTC)
    assert closures.after(datetime(2025, 3, 5, 3, tzinfo=UTC), None, Duration(1, "h")) == datetime(2025, 3, 7, 1, tzinfo=UTC)
    assert closures.digest != Closures([], UTC_DAYS).digest
