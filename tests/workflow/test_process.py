from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import Story, day, rules_of
from workflow.case.case import Claim, Order, replace_fields
from workflow.checks import TableError, check
from workflow.draft import Event
from workflow.errors import InvalidTransition, Refused
from workflow.process import CLOCKS, EFFECTS, OLDER_NEWS, RECORDS, ROWS, STATE_MEANINGS
from workflow.reports import MEANINGS
from workflow.rules.timer_changes import retimed
from workflow.step import carry_out, step
from workflow.timer_commands import act
from workflow.vocabulary import (
    ClaimKind,
    ClaimStatus,
    ClaimVerdict,
    Clock,
    Effect,
    Party,
    Remedy,
    Row,
    State,
    Turn,
    Verdict,
    words_of,
)


def test_an_overdue_order_is_urged_after_two_days_and_rerouted_after_four(story):
    told = story().until(4)
    assert told.fired("urge") == [day(2)]
    assert told.fired("reroute") == [day(4)]
    assert told.case.state is State.rerouted
    assert told.case.attempt.supplier == "alt-1"
    assert told.effects() == ["urge_supplier", "place_supply", "recover_supply"]


def test_an_order_shipped_in_the_very_second_of_its_deadline_is_not_urged(story):
    told = story()
    told.report("ship", 2)
    told.until(3)
    assert told.fired("urge") == []
    assert told.case.state is State.shipped


def test_the_third_attempt_ends_in_a_refund(story):
    told = story().until(13)
    assert told.case.state is State.refunding
    assert len(told.case.attempts) == 3
    assert len(told.case.open_recoveries()) == 2
    assert told.effects().count("request_refund") == 1


def test_the_promised_ship_date_moves_the_overdue_clocks(story):
    told = story()
    told.report("promise", 1, ship_by=day(5).isoformat())
    assert told.timer("urge").due_at == day(7)
    told.until(7)
    told.report("promise", 8, ship_by=day(8).isoformat())
    assert told.timer("reroute").due_at == day(12)


def test_after_an_outage_the_supplier_still_gets_two_days(story):
    told = story()
    late = told.timer("urge")
    from workflow.step import fire

    told.case = fire(told.case, late, day(10), told.rules).case
    assert told.timer("reroute").due_at == day(12)


def test_no_stock_turns_to_the_next_supplier_and_to_a_refund_when_none_is_left(story):
    told = story(alternatives=("alt-1",))
    assert told.report("report_no_stock", 1).verdict is Verdict.applied
    assert told.case.state is State.rerouted
    told.report("report_no_stock", 2)
    assert told.case.state is State.refunding


def test_an_unresponsive_supplier_leads_to_a_refund_by_default_and_to_the_next_one_by_policy(story):
    told = story()
    told.report("report_unresponsive", 1)
    assert told.case.state is State.refunding
    told = story('[supply]\nunresponsive = "reroute"')
    told.report("report_unresponsive", 1)
    assert told.case.state is State.rerouted


def test_a_supplier_that_was_left_and_ships_after_all_is_taken_back(story):
    told = story().until(4)
    told.report("ship", 5, attempt=1)
    assert told.case.state is State.shipped
    assert told.case.current == 1
    assert told.case.ledger[0].status == "withdrawn"
    assert told.effects()[-1] == "cancel_supply"
    assert told.flags() == ["earlier_attempt_shipped"]
    assert [timer.trigger for timer in told.case.timers] == ["stall"]


def test_the_recovery_from_another_supplier_goes_on_when_the_first_one_ships_after_all(story):
    told = story().until(9)
    told.report("ship", 10, supplier="alt-1")
    assert told.case.current == 2
    assert [row.status for row in told.case.ledger] == ["requested", "withdrawn"]
    assert sorted(timer.trigger for timer in told.case.timers) == ["chase_recovery", "stall"]


def test_a_refund_of_which_nobody_knows_the_sum_is_settled_with_one(story):
    told = story()
    told.report("report_oversized", 1)
    received = told.report("settle_refund", 2)
    assert received.verdict is Verdict.exception
    assert "name the sum that came back as `amount`" in str(received.error)
    told.report("settle_refund", 3, amount=900)
    assert told.case.state is State.refunded
    assert told.case.ledger[0].settled_amount == 900


def test_a_refund_is_settled_while_recoveries_are_still_open(story):
    told = story(paid=5000).until(13)
    told.report("settle_refund", 14, amount=6000)
    assert [row.status for row in told.case.ledger] == ["requested", "requested", "settled"]
    assert [timer.trigger for timer in told.case.timers] == ["chase_recovery", "chase_recovery"]


def test_a_promise_moves_the_overdue_clock_and_leaves_the_chases_alone(story):
    told = story()
    told.report("report_no_stock", 1)
    chase = told.timer("chase_recovery")
    told.report("promise", 2, ship_by=day(6).isoformat())
    assert told.timer("urge").due_at == day(8)
    assert told.timer("chase_recovery") == chase


def test_a_cancelled_order_that_was_rerouted_keeps_its_recovery_and_loses_its_overdue_clock(story):
    told = story()
    told.report("report_no_stock", 1)
    told.report("cancel", 2)
    told.until(4)
    assert told.case.state is State.rerouted
    assert [timer.trigger for timer in told.case.timers] == ["chase_recovery"]


def test_an_override_into_an_interception_leaves_paused_clocks_paused(story):
    told = story()
    told.report("correct_address", 1)
    told.report("override", 1.5, "person:kim", to="intercepting", reason="asked again")
    assert told.case.returns_to is State.placed
    told.until(3.5)
    assert told.timer("urge").due_at == day(4.5)


def test_a_ship_report_that_names_an_unknown_attempt_is_refused(story):
    received = story().report("ship", 1, attempt=7)
    assert received.verdict is Verdict.refused
    assert "no attempt of the order has that number" in str(received.error)


def test_a_parcel_of_an_attempt_that_was_called_off_is_kept_for_a_person(story):
    told = story().until(4)
    told.report("ship", 5, attempt=1)
    told.report("deliver", 6)
    received = told.report("ship", 7, attempt=2)
    assert received.verdict is Verdict.exception
    assert "it is about attempt 2 (alt-1), which is not current any more" in str(received.error)
    assert told.case.current == 1


def test_news_that_an_interception_failed_before_it_was_asked_for_moves_no_deadline_forward(story):
    told = story()
    told.report("correct_address", 1)
    told.report("fail_interception", 0.5)
    assert told.timer("urge").due_at == day(2)


def test_a_silent_carrier_is_told_three_times_and_then_escalated(story):
    told = story()
    told.report("ship", 1)
    told.until(40)
    assert told.fired("stall") == [day(11), day(21), day(31)]
    assert told.flags() == ["stalled"]
    told.report("note_transit", 41, status="moving")
    told.until(60)
    assert told.fired("stall")[3:] == [day(51)]


def test_an_escalation_that_the_policy_leaves_to_the_merchant_is_not_sent():
    told = Story(rules_of("[effects.modes]\nescalate = 'off'\n"))
    told.report("ship", 1)
    told.until(40)
    assert [one.mode for made in told.steps for one in made.effects if one.kind == "escalate"] == ["off"]


def test_a_customs_hold_is_reminded_five_times_and_its_release_starts_the_silence_anew(story):
    told = story()
    told.report("ship", 1)
    told.report("hold", 2, wants="documents")
    told.until(30)
    assert told.fired("remind_customs") == [day(5), day(8), day(11), day(14), day(17)]
    assert told.flags() == ["customs"]
    told.report("release", 31)
    assert told.case.state is State.shipped
    assert told.timer("stall").due_at == day(41)


def test_a_delivered_order_closes_after_fifteen_days(story):
    told = story()
    told.report("deliver", 3)
    assert told.case.gap
    told.report("ship", 4)
    assert not told.case.gap
    told.until(18)
    assert told.case.state is State.closed


def test_an_international_order_cannot_be_cancelled_and_goes_on_as_if_not_asked(story):
    told = story(route="international")
    received = told.report("cancel", 1)
    assert received.verdict is Verdict.refused
    assert "only a domestic order can be intercepted" in str(received.error)
    told.until(2)
    assert told.case.state is State.overdue_urged


def test_a_failed_interception_of_a_cancelled_order_leaves_its_clocks_off_and_asks_for_a_person(story):
    told = story()
    told.report("cancel", 1)
    told.until(30)
    assert told.case.state is State.placed
    assert told.case.timers == ()
    assert told.flags() == ["cancelled_unshipped"]
    told.report("report_no_stock", 31)
    assert told.case.state is State.refunding


def test_a_failed_interception_of_a_wrong_address_adds_the_paused_span(story):
    told = story()
    told.report("correct_address", 1, address="12 Long Lane")
    told.until(3)
    assert told.case.state is State.placed
    assert told.timer("urge").due_at == day(4)
    assert "Long Lane" not in str(told.steps[1].history.details)


def test_what_ships_during_an_interception_is_what_the_order_goes_back_to(story):
    told = story()
    told.report("correct_address", 1)
    told.report("ship", 1.5)
    told.until(3)
    assert told.case.state is State.shipped
    assert told.timer("stall").due_at == day(13)
    told.report("cancel", 4)
    told.report("hold", 4.5)
    assert told.case.returns_to is State.customs_hold
    told.report("release", 4.6)
    told.report("deliver", 5)
    assert told.case.state is State.delivered


def test_a_hold_during_an_interception_of_an_unshipped_order_is_refused(story):
    told = story()
    told.report("cancel", 1)
    assert told.report("hold", 1.1).verdict is Verdict.refused
    assert told.report("release", 1.2).verdict is Verdict.refused


def test_a_confirmed_interception_leads_to_a_refund_that_is_chased_and_settled(story):
    told = story(paid=5000)
    told.report("cancel", 1)
    told.report("confirm_interception", 2)
    told.until(60)
    assert len(told.fired("chase_refund")) == 3
    assert told.flags() == ["refund_unsettled"]
    assert told.report("settle_refund", 61, amount=6000).verdict is Verdict.exception
    told.report("settle_refund", 61, amount=5000)
    assert told.case.state is State.refunded
    assert told.case.ledger[0].settled_amount == 5000


def test_a_declined_refund_goes_back_with_the_clocks_off(story):
    told = story()
    told.report("cancel", 1)
    told.report("confirm_interception", 1.5)
    told.report("decline_refund", 3)
    assert told.case.state is State.placed
    assert told.case.timers == ()
    assert told.flags() == ["refund_declined"]


def test_recoveries_are_chased_in_any_state_until_they_are_settled_or_declined(story):
    told = story()
    told.report("report_no_stock", 1)
    told.report("report_no_stock", 1.5)
    assert told.report("settle_recovery", 2).verdict is Verdict.exception
    told.report("settle_recovery", 2, recovery=1, amount=100)
    told.report("decline_recovery", 3)
    assert [row.status for row in told.case.ledger] == ["settled", "declined"]
    told.until(100)
    assert told.fired("chase_recovery") == []


def test_downtime_makes_no_burst_of_chases(story):
    from workflow.step import fire

    told = story()
    told.report("report_oversized", 0)
    late = day(200)
    made = fire(told.case, told.timer("chase_refund"), late, told.rules)
    assert made.case.timers[0].due_at > late


def test_downtime_makes_no_burst_of_stalls(story):
    from workflow.step import fire

    told = story()
    told.report("ship", 1)
    made = fire(told.case, told.timer("stall"), day(100), told.rules)
    assert made.case.timers[0].due_at == day(110)


def test_a_person_overrides_by_name_and_the_new_states_clocks_count_from_then(story):
    told = story()
    for state, trigger, due in (
        ("overdue_urged", "reroute", 14),
        ("placed", "urge", 12),
        ("intercepting", "fail_interception", 12),
        ("delivered", "close", 25),
    ):
        told.report("override", 10, "person:kim", to=state, reason="agreed by phone")
        assert told.case.state == state
        assert told.timer(trigger).due_at == day(due)
    assert told.effects() == ["notify_merchant"] * 4


@pytest.mark.parametrize("state", ["placed", "rerouted", "overdue_urged"])
def test_after_an_override_neither_clock_counts_from_the_promise_any_more(story, state):
    told = story(alternatives=())
    told.report("promise", 1, ship_by=day(20).isoformat())
    told.report("override", 2, "person:kim", to=state, reason="agreed by phone")
    told.until(6)
    assert told.case.state is State.refunding
    assert told.fired("reroute") == [day(6)]


def test_a_promise_after_an_override_counts_again(story):
    told = story()
    told.report("override", 2, "person:kim", to="placed", reason="agreed by phone")
    told.report("promise", 3, ship_by=day(10).isoformat())
    assert told.timer("urge").due_at == day(12)


def test_what_a_policy_leaves_out_of_the_overdue_clocks_is_not_urged(story):
    told = story('[overdue]\nroutes = ["international"]')
    assert told.case.timers == ()
    told.report("promise", 1, ship_by=day(2).isoformat())
    told.report("override", 3, "person:kim", to="overdue_urged", reason="test")
    assert told.case.timers == ()


def test_a_refusal_names_order_state_trigger_reason_and_what_is_allowed(story):
    told = story()
    received = told.report("release", 1, "person:kim")
    assert received.verdict is Verdict.refused
    assert isinstance(received.error, InvalidTransition)
    for words in ("main/1", "placed", "release", "not allowed", "ship"):
        assert words in str(received.error)


def test_the_same_report_from_a_carrier_is_kept_as_an_exception(story):
    assert story().report("release", 1).verdict is Verdict.exception


def test_a_report_from_before_the_order_is_applied_at_the_instant_of_placing(story):
    told = story()
    told.report("ship", -1)
    assert told.steps[-1].history.occurred == day(0)
    assert told.steps[-1].history.details["reported_at"] == day(-1).isoformat()


def test_a_report_dated_ahead_of_now_is_an_exception(story):
    from datetime import timedelta

    from workflow.case.case import Report
    from workflow.intake import receive

    told = story()
    report = Report("ship", day(1) + timedelta(minutes=6), "test", "k", "carrier:x", {})
    _, verdicts = receive(told.case, report, day(1), told.rules)
    assert verdicts[0].verdict is Verdict.exception
    assert "ahead of now" in str(verdicts[0].error)


def test_a_timer_never_fires_early(story):
    from workflow.step import fire

    told = story()
    with pytest.raises(AssertionError, match="fire early"):
        fire(told.case, told.timer("urge"), day(1.9), told.rules)


def test_a_table_that_contradicts_itself_is_refused_by_name():
    broken = (
        *(row for row in ROWS if row.trigger not in ("close", "urge")),
        Row(
            "urge",
            (State.placed,),
            State.overdue_urged,
            guards=("no_such_guard",),
            effects=("no_such_effect",),
            flag="no_such_flag",
        ),
        Row("urge", (State.placed,), State.overdue_urged, guards=("no_such_guard",), changes=("no_such_change",)),
        Row("dream", (State.placed,), State.overdue_urged),
    )
    clocks = (*CLOCKS, Clock("stall", starts_on=(State.placed,), runs_in=(State.shipped,)))
    with pytest.raises(TableError) as caught:
        check(broken, clocks)
    for words in (
        "closed is unreachable",
        "clock stall stands twice",
        "unknown guard no_such_guard",
        "unknown change no_such_change",
        "unknown effect no_such_effect",
        "unknown flag no_such_flag",
        "dream is neither timed nor reported",
        "urge stands twice",
        "the clock urge runs in rerouted, where its trigger is not allowed",
        "starts on placed but does not run there",
    ):
        assert words in str(caught.value)


def test_a_new_clock_and_a_new_state_are_told_everything_that_is_still_missing():
    nap = Clock("nap", starts_on=(), runs_in=(State.placed,), settings=("overdue.nap_after",))
    bare = Clock("doze", starts_on=(), runs_in=())
    meanings = {state: words for state, words in STATE_MEANINGS.items() if state is not State.closed}
    with pytest.raises(TableError) as caught:
        check(clocks=(*CLOCKS, nap, bare), meanings=meanings)
    assert str(caught.value).removeprefix("the process contradicts itself: ").split("; ") == [
        "the clock nap runs in placed, where its trigger is not allowed",
        "the clock nap has no deadline rule",
        "the clock nap has no meaning",
        "the clock nap names the unknown setting overdue.nap_after",
        "the clock doze has no deadline rule",
        "the clock doze names no setting of the policy",
        "the clock doze has no meaning",
        "the state closed has no meaning",
    ]


def test_a_report_without_a_meaning_or_a_row_for_older_news_is_refused_by_name(monkeypatch):
    monkeypatch.delitem(MEANINGS, "promise")
    monkeypatch.delitem(OLDER_NEWS, "deliver")
    with pytest.raises(TableError) as caught:
        check()
    assert str(caught.value).removeprefix("the process contradicts itself: ").split("; ") == [
        "the report promise has no meaning",
        "the parcel report deliver has no row for older news",
    ]


def test_a_row_can_only_be_written_with_its_parts_named():
    with pytest.raises(TypeError):
        Row("urge", (State.placed,), State.overdue_urged, ("domestic",))


def test_a_refused_step_says_so_with_a_type_of_its_own(story):
    from workflow.draft import Event
    from workflow.step import step

    told: Story = story(route="international")
    with pytest.raises(Refused):
        step(told.case, Event("cancel", day(1), day(1), "person:kim"), told.rules)


def test_a_chase_that_reaches_into_a_year_not_announced_yet_is_marked_provisional(story):
    from datetime import UTC, datetime

    placed = datetime(2026, 12, 20, tzinfo=UTC)
    told = story(placed_at=placed)
    told.report("report_oversized", (placed - day(0)).days + 1)
    assert told.timer("chase_refund").provisional
    told.until(800)
    made = [timer for s in told.steps for timer in s.timers.values() if timer.trigger == "chase_refund"]
    assert all(timer.provisional for timer in made)


def test_a_timer_is_due_at_its_instant_and_not_before_and_never_when_it_is_paused(story):
    told = story()
    assert told.case.due_timer(1, day(2)) == told.timer("urge")
    assert told.case.due_timer(1, day(2) - timedelta(microseconds=1)) is None
    assert told.case.due_timer(2, day(9)) is None
    paused = act(told.case, "pause", 1, day(1), "person:kim", told.rules, {}).case
    assert paused.due_timer(1, day(9)) is None


@pytest.mark.parametrize("year", [1990, 2199])
def test_a_timer_may_be_moved_within_the_years_of_the_program(story, year):
    told, due_at = story(), datetime(year, 6, 1, tzinfo=UTC)
    assert (
        act(told.case, "postpone", 1, day(1), "person:kim", told.rules, {"due_at": due_at.isoformat()}).case.timers[0].due_at
        == due_at
    )


@pytest.mark.parametrize("year", [1989, 2200])
def test_a_timer_is_not_moved_out_of_the_years_of_the_program(story, year):
    told, due_at = story(), datetime(year, 6, 1, tzinfo=UTC)
    with pytest.raises(Refused, match="it would be due outside the years 1990-2199"):
        act(told.case, "postpone", 1, day(1), "person:kim", told.rules, {"due_at": due_at.isoformat()})


def test_a_provisional_deadline_is_final_when_a_policy_moves_it_into_an_announced_year(story):
    told = story(placed_at=datetime(2026, 12, 1, tzinfo=UTC), alternatives=())
    told.case = step(
        told.case, Event("report_no_stock", *[datetime(2026, 12, 15, tzinfo=UTC)] * 2, "person:kim"), told.rules
    ).case
    assert told.timer("chase_refund").provisional
    sooner = rules_of('[money]\nchase_refund_at = ["2wd"]')
    again = retimed(told.case, told.timer("chase_refund"), sooner)
    assert not again.provisional
    assert again.due_at == datetime(2026, 12, 17, 16, tzinfo=UTC)


def test_an_order_that_turns_out_to_be_a_replacement_belongs_to_the_chain(story):
    told = story()
    fields = {"replaces": "77", "generation": 2, "chain": "70", "file": "orders.csv"}
    made = carry_out(told.case, Event("link", day(1), day(1), "import:x", fields), told.rules, RECORDS["link"], None)
    assert (made.case.order.replaces, made.case.order.generation, made.case.order.chain) == ("77", 2, "70")
    assert made.case.state is State.placed


def test_an_effect_that_names_what_does_not_exist_is_refused():
    effects = (
        *(one for one in EFFECTS if one.kind != "escalate"),
        Effect("escalate", Party.contact, needed_while="it_rains", after=Turn("sing")),
    )
    with pytest.raises(TableError) as caught:
        check(effects=effects)
    assert "the effect escalate names the unknown need it_rains" in str(caught.value)
    assert "the effect escalate comes after the unknown effect sing" in str(caught.value)


def test_a_clock_that_names_a_table_of_the_policy_without_settings_is_refused():
    clocks = [replace(one, settings=("overrides.shop",)) if one.trigger == "urge" else one for one in CLOCKS]
    with pytest.raises(TableError, match=r"the clock urge names the unknown setting overrides\.shop"):
        check(clocks=clocks)


def test_the_fields_that_take_words_of_the_vocabulary_are_found_with_their_words():
    assert words_of(Claim) == {
        "kind": ClaimKind,
        "came_from": State,
        "remedy": Remedy,
        "status": ClaimStatus,
        "verdict": ClaimVerdict,
        "chosen": Remedy,
        "went_back_to": State,
    }
    assert words_of(Order) == {}


@pytest.mark.parametrize(("trigger", "state"), [("decline_refund", State.placed), ("settle_refund", State.refunded)])
def test_an_order_that_was_moved_to_refunding_without_a_refund_can_leave_it(story, trigger, state):
    told = story(alternatives=(), paid=5_000)
    told.report("report_no_stock", 1)
    told.case = replace_fields(told.case, ledger=())
    told.report(trigger, 2)
    assert told.case.state is state
