from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import Story, day, rules_of
from workflow.case.case import Case, Report, Told
from workflow.intake import receive
from workflow.repeats import to_judge
from workflow.vocabulary import Verdict

NOW = day(30)
PARCEL_REPORTS = ("ship", "note_transit", "hold", "release", "deliver")


def end(told: list[tuple[str, int] | tuple[str, int, str]]) -> Case:
    story = Story(rules_of())
    case = story.case
    for trigger, hours, *parcel in told:
        fields = {"tracking_number": parcel[0]} if parcel else {}
        report = Report(trigger, day(hours / 24), "carrier", f"{trigger}@{hours}", "carrier:test", fields)
        case, _ = receive(case, report, NOW, story.rules)
    return case


def end_state(told: list[tuple[str, int] | tuple[str, int, str]]) -> str:
    return str(end(told).state)


@given(
    st.lists(st.tuples(st.sampled_from(PARCEL_REPORTS), st.integers(1, 40)), min_size=1, max_size=6, unique_by=lambda r: r[1]),
    st.randoms(),
)
def test_one_parcels_reports_end_in_the_same_state_in_whatever_order_they_come(told, random):
    shuffled = [*told]
    random.shuffle(shuffled)
    assert end_state(shuffled) == end_state(sorted(told, key=lambda one: one[1]))


@st.composite
def several_parcels(draw):
    """What is reported of three parcels that have numbers: each leaves, and what is told of it comes to an end somewhere."""
    hours = draw(st.lists(st.integers(1, 60), min_size=12, max_size=12, unique=True))
    told = []
    for at, number in enumerate(["T1", "T2", "T3"][: draw(st.integers(2, 3))]):
        triggers = PARCEL_REPORTS[: draw(st.integers(1, 5))]
        moments = sorted([*hours[4 * at : 4 * at + 4], 100 + 10 * at])
        told += [(trigger, moment, number) for trigger, moment in zip(triggers, moments, strict=False)]
    return told


@given(several_parcels(), st.randoms())
def test_the_reports_of_several_parcels_end_in_the_same_in_whatever_order_they_come(told, random):
    shuffled = [*told]
    random.shuffle(shuffled)
    one, other = end(shuffled), end(sorted(told, key=lambda one: one[1]))
    assert (one.state, one.gap, one.attempts, one.waiting) == (other.state, other.gap, other.attempts, ())
    by_number = [{parcel.tracking_number: parcel.news for parcel in case.parcels} for case in (one, other)]
    assert by_number[0] == by_number[1]


@pytest.mark.parametrize("order", [*permutations([("ship", 1), ("hold", 2), ("release", 3), ("hold", 4)])])
def test_a_second_hold_decides_in_every_order(order):
    assert end_state([*order]) == "customs_hold"


@pytest.mark.parametrize("order", [*permutations([("ship", 1), ("hold", 2), ("ship", 3)])])
def test_a_ship_report_that_is_told_twice_does_not_hide_the_hold_between(order):
    assert end_state([*order]) == "customs_hold"


def test_a_report_that_waited_is_applied_when_an_older_one_gives_it_a_place(story):
    told = story()
    assert told.report("hold", 2).verdict is Verdict.exception
    report = Report("ship", day(1), "carrier", "k", "carrier:test", {})
    case, verdicts = receive(told.case, report, NOW, told.rules)
    assert [(one.report.trigger, one.verdict) for one in verdicts] == [("ship", "applied"), ("hold", "applied")]
    assert case.state == "customs_hold"
    assert case.waiting == ()


def test_older_news_that_had_no_place_when_they_occurred_wait_for_one(story):
    told = story()
    told.report("ship", 3)
    received = told.report("hold", 2)
    assert received.verdict is Verdict.exception
    assert "older news, and was not allowed when it occurred" in str(received.error)


def test_older_news_fill_the_history_and_start_no_clock(story):
    told = story()
    told.report("ship", 1)
    told.report("note_transit", 5)
    due = told.timer("stall").due_at
    assert told.report("note_transit", 3).verdict is Verdict.applied
    assert told.steps[-1].history.details["older_news"] is True
    assert told.timer("stall").due_at == due


def test_a_late_ship_of_the_same_parcel_fills_the_gap_even_when_the_order_is_closed(story):
    told = story()
    told.report("deliver", 3)
    told.until(20)
    assert told.report("ship", 2).verdict is Verdict.applied
    assert told.case.state == "closed"
    assert told.case.attempt.shipped_at == day(2)
    assert told.report("hold", 2.5).verdict is Verdict.applied


def test_news_during_an_interception_restart_the_paused_silence(story):
    told = story()
    told.report("ship", 1)
    told.report("correct_address", 2)
    told.report("note_transit", 3)
    told.until(4)
    assert told.timer("stall").due_at == day(14)


def received_at(told, trigger, at, now):
    told.case, verdicts = receive(told.case, Report(trigger, at, "test", trigger, "carrier:x", {}), now, told.rules)
    return [one.verdict for one in verdicts]


def test_a_report_may_be_dated_five_minutes_ahead_and_no_more(story):
    ahead = timedelta(minutes=5)
    assert received_at(story(), "ship", day(1) + ahead, day(1)) == [Verdict.applied]
    assert received_at(story(), "ship", day(1) + ahead + timedelta(microseconds=1), day(1)) == [Verdict.exception]


def test_a_kept_report_that_is_dated_five_minutes_ahead_is_judged_again(story):
    told, ahead = story(), timedelta(minutes=5)
    assert received_at(told, "hold", day(1) + ahead, day(1)) == [Verdict.exception]
    assert received_at(told, "ship", day(0.5), day(1)) == [Verdict.applied, Verdict.applied]


def test_an_order_is_placed_by_a_report(story):
    told = story()
    unplaced = Case(told.case.order, salt="salt")
    case, (placed,) = receive(unplaced, Report("place", day(0), "test", "place", "import:x", {}), day(0), told.rules)
    assert placed.verdict is Verdict.applied
    assert (case.state, case.since) == ("placed", day(0))


def keyed(trigger, at, **fields):
    return Report(trigger, day(at), "file", "key", "carrier:test", fields)


def test_a_report_that_only_names_its_parcel_later_changes_nothing(story):
    told = story()
    told.report("ship", 1, tracking_number="T1")
    first = keyed("deliver", 2)
    told.case, _ = receive(told.case, first, NOW, told.rules)
    for number, verdict in (("T1", Verdict.applied), ("T2", Verdict.exception)):
        named = to_judge(keyed("deliver", 2, tracking_number=number), [Told(first, Verdict.applied)])
        case, (received,) = receive(told.case, named, NOW, told.rules)
        assert (received.verdict, received.step, case.parcels) == (verdict, None, told.case.parcels)


def test_a_supplier_that_was_left_has_sent_no_parcel_of_that_number(story):
    told = story()
    told.report("ship", 1, tracking_number="T1")
    told.report("override", 2, "person:kim", to="overdue_urged", reason="it came back")
    told.until(7)
    assert told.case.state == "rerouted"
    received = told.report("deliver", 8, attempt=1, tracking_number="T9")
    assert received.verdict is Verdict.exception
    assert "no parcel of the order has that tracking number" in str(received.error)
    assert told.report("deliver", 9, attempt=1, tracking_number="T1").step.case.state == "delivered"


def test_what_is_said_of_a_parcel_that_is_another_one_is_said_of_that(story):
    told = story()
    for at, number in ((1, "T1"), (2, "T2"), (3, "T3")):
        told.report("ship", at, tracking_number=number)
    assert told.report("amend", 4, "person:kim", parcel=2, same_as=1).step
    assert told.report("amend", 5, "person:kim", parcel=1, same_as=3).step
    told.report("hold", 6, tracking_number="T2")
    assert [one.news[-1] for one in told.case.parcels if one.same_as is None] == [(day(6), "hold")]
    told.report("deliver", 7, tracking_number="T1")
    assert told.case.state == "delivered"


def test_a_parcel_without_a_number_takes_that_of_the_one_that_it_is(story):
    told = story()
    told.report("override", 1, "person:kim", to="shipped", reason="seen")
    told.report("ship", 2, tracking_number="T1")
    assert [(one.number, one.tracking_number) for one in told.case.parcels] == [(1, "T1")]
    told.report("ship", 3, tracking_number="T2", carrier="Post")
    told.report("amend", 4, "person:kim", parcel=2, same_as=1)
    assert told.case.parcels[0].carrier == "Post"


def test_reports_that_waited_fill_the_history_and_tell_nobody_of_a_hold_that_is_over(story):
    told = story()
    told.report("ship", 5)
    for trigger, at in (("hold", 3), ("release", 4)):
        assert told.report(trigger, at).verdict is Verdict.exception
    case, verdicts = receive(told.case, Report("ship", day(1), "carrier", "k", "carrier:test", {}), NOW, told.rules)
    assert [one.report.trigger for one in verdicts] == ["ship", "hold", "release"]
    assert (case.state, [effect.kind for one in verdicts for effect in one.step.effects]) == ("shipped", [])
