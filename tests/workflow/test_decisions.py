"""What cannot be answered, and what waits behind another decision (rule 5.9)."""

import pytest

from tests.factories import Story, day, rules_of
from workflow.case.case import Decision, replace_fields
from workflow.decisions import Answer, answer, standing_on
from workflow.errors import Refused
from workflow.timer_commands import act
from workflow.vocabulary import State, TimerStatus, Way

ASKING = rules_of("[effects.modes]\nplace_supply = 'ask'\n")


@pytest.fixture
def asked():
    """The case of an order whose reroute waits for a decision."""
    return Story(ASKING, paid=500, supplier="Yiwu").until(4).case


def test_a_step_that_the_order_allows_no_more_can_only_be_left(asked):
    moved_on = replace_fields(asked, state=State.shipped)
    assert standing_on(moved_on, day(5), ASKING).ways == (Way.stay,)
    with pytest.raises(Refused, match="it is no way out of reroute here: there are stay"):
        answer(moved_on, Answer(Way.yes, "person:kim"), day(5), ASKING)


@pytest.mark.parametrize("action", ["fire", "postpone", "cancel", "pause"])
def test_a_timer_that_waits_behind_another_decision_is_left_alone(asked, action):
    (waiting,) = (timer for timer in asked.timers if timer.status is TimerStatus.waiting)
    another = replace_fields(asked, decisions=(Decision(1, "report_no_stock", day(3), source="file", key="k"),))
    with pytest.raises(Refused, match="it waits behind another decision: answer that one first"):
        act(another, action, waiting.number, day(5), "person:kim", ASKING, {})


def test_a_decision_does_not_sleep_until_an_instant_that_is_past(asked):
    with pytest.raises(
        Refused,
        match="Order main/1 is overdue_urged; decide stay was not applied: the instant until which it would sleep is past",
    ):
        answer(asked, Answer(Way.stay, "person:kim", until=day(5)), day(5), ASKING)
    assert answer(asked, Answer(Way.stay, "person:kim", until=day(5.01)), day(5), ASKING).case.decision.sleeps_until


def test_the_supplier_after_the_next_is_offered_only_if_there_is_one():
    last = Story(ASKING, paid=500, supplier="Yiwu", alternatives=("Ningbo",)).until(4).case
    assert standing_on(last, day(5), ASKING).ways == (Way.yes, Way.refund, Way.stay)


@pytest.mark.parametrize("action", ["fire", "resume"])
def test_a_clock_that_rests_for_a_decision_says_what_lets_it_go_on(action):
    told = Story(ASKING, paid=500, supplier="Yiwu")
    told.report("report_no_stock", 1)
    assert told.timer("urge").status is TimerStatus.paused
    with pytest.raises(Refused, match="it runs on when the order has moved on, or what waits for a decision is decided"):
        act(told.case, action, told.timer("urge").number, day(3), "person:kim", ASKING, {})


def test_rules_that_ask_nobody_are_the_same_otherwise():
    unasked = ASKING.without_asking()
    assert (unasked.version, unasked.policy, unasked.calendar) == (ASKING.version, ASKING.policy, ASKING.calendar)
    assert Story(unasked, paid=500, supplier="Yiwu").until(4).case.state is State.rerouted
