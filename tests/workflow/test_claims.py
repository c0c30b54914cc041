"""Claims: evidence, verdict, the window for the remedy, money back or a new parcel (docs/process.md, part 8)."""

from dataclasses import replace

import pytest

from tests.factories import Story, day
from workflow.case.case import Line
from workflow.process import CLOCKS
from workflow.vocabulary import WHATEVER_ATTEMPT, State, Verdict

LINES = (Line("LAMP-01", "Desk lamp", 2, 2_590), Line("MUG-22", "Enamel mug", 3, 990))
PAID = 2 * 2_590 + 3 * 990


@pytest.fixture
def delivered(story):
    """An order that was shipped on day 1 and delivered on day 10."""

    def make(policy: str = "", **order) -> Story:
        told = story(policy, **{"lines": LINES, "paid": PAID, **order})
        told.report("ship", 1)
        told.report("deliver", 10)
        return told

    return make


@pytest.fixture
def claimed(delivered):
    def make(policy: str = "", fields=None, **order) -> Story:
        told = delivered(policy, **order)
        assert told.report("open_claim", 12, **{"kind": "damaged", "lines": "MUG-22:2", **(fields or {})}).step
        return told

    return make


@pytest.fixture
def approved(claimed):
    """A claim of two mugs that the platform approved on day 14, a Monday."""

    def make(policy: str = "", fields=None, **order) -> Story:
        told = claimed(policy, fields, **order)
        told.report("submit_evidence", 13, evidence="photo-1")
        told.report("approve", 14)
        return told

    return make


def refusal(received) -> str:
    assert received.verdict is Verdict.refused
    return str(received.error)


def test_a_claim_asks_the_customer_for_evidence_and_lapses_after_seven_days_without_any(claimed):
    told = claimed()
    assert told.case.state is State.disputed
    assert told.effects()[-1] == "ask_evidence"
    told.until(19)
    assert told.fired("lapse_evidence") == [day(19)]
    assert told.case.state is State.delivered
    assert told.case.claims[0].status == "lapsed"
    assert told.effects()[-1] == "notify_merchant"


def test_after_a_lapsed_or_rejected_claim_the_order_stays_open_for_seven_more_days(claimed):
    told = claimed(fields={"lines": "1:1"})
    told.report("submit_evidence", 18)
    told.report("reject", 24)
    assert told.timer("close").due_at == day(31)
    told.until(32)
    assert told.fired("close") == [day(31)]


def test_an_order_whose_claim_is_withdrawn_after_the_window_closes_at_once(claimed):
    told = claimed()
    told.report("submit_evidence", 13)
    told.until(29)
    assert told.fired("close") == []
    told.report("withdraw", 30)
    told.until(30)
    assert told.fired("close") == [day(25)]


def test_evidence_asks_the_platform_once_a_round(claimed):
    told = claimed()
    told.report("submit_evidence", 13)
    told.report("submit_evidence", 13.5)
    assert told.effects().count("request_verification") == 1
    told.report("ask_more", 14)
    assert told.timer("lapse_evidence").due_at == day(21)
    told.report("submit_evidence", 15)
    assert told.effects().count("request_verification") == 2
    assert [timer.trigger for timer in told.case.timers if timer.claim] == ["chase_verification"]


def test_the_platform_is_chased_every_three_working_days_and_five_times_until_its_verdict(claimed):
    told = claimed()
    told.report("submit_evidence", 13)  # Sunday 2025-03-16
    told.until(60)
    ends = [moment.isoformat() for moment in told.fired("chase_verification")]
    assert ends[:3] == ["2025-03-19T16:00:00+00:00", "2025-03-24T16:00:00+00:00", "2025-03-27T16:00:00+00:00"]
    assert len(ends) == 5
    assert told.flags() == ["unverified"]
    assert told.effects()[-3:] == ["escalate", "chase_verification", "notify_merchant"]


def test_no_verdict_without_evidence_and_no_second_one(claimed):
    told = claimed()
    assert "no evidence has been submitted" in refusal(told.report("approve", 13))
    told.report("submit_evidence", 13)
    told.report("approve", 14)
    assert "has given its verdict" in refusal(told.report("reject", 15))
    assert "has given its verdict" in refusal(told.report("open_claim", 15, kind="wrong", lines="1:1"))


def test_a_rejected_claim_is_opened_again_once_with_new_evidence_and_within_seven_days(claimed):
    told = claimed()
    told.report("submit_evidence", 13, evidence="photo-1")
    told.report("reject", 14)
    assert "did not have before" in refusal(told.report("reopen_claim", 15, evidence="photo-1"))
    assert told.report("reopen_claim", 21, evidence="photo-2").verdict is Verdict.applied
    assert told.case.state is State.disputed
    assert told.effects()[-1] == "request_verification"
    told.report("reject", 22)
    assert "opened again before" in refusal(told.report("reopen_claim", 23, evidence="photo-3"))


def test_a_rejected_claim_stays_closed_after_seven_days(claimed):
    told = claimed()
    told.report("submit_evidence", 13)
    told.report("reject", 14)
    assert "is over" in refusal(told.report("reopen_claim", 21.001, evidence="photo-2"))


def test_an_approval_begins_the_window_with_its_reminders(approved):
    told = approved()
    told.until(37)
    reminders = [moment.isoformat() for moment in told.fired("remind_window")]
    assert reminders == ["2025-03-31T16:00:00+00:00", "2025-04-07T16:00:00+00:00"]
    assert [moment.isoformat() for moment in told.fired("lapse_window")] == ["2025-04-08T16:00:00+00:00"]
    assert told.case.state is State.refunding
    assert told.effects().count("request_refund") == 1
    assert told.case.ledger[0].amount == 2 * 990


def test_the_window_ends_with_what_the_customer_asked_for_where_the_policy_says_so(approved):
    told = approved('[claims]\nat_the_end = "requested"', {"remedy": "reissue"}).until(37)
    assert told.case.state is State.disputed
    assert told.case.claim.chosen == "reissue"
    assert told.effects()[-1] == "place_reissue"
    assert told.flags() == ["window_ended"]
    assert approved('[claims]\nat_the_end = "requested"').until(37).case.state is State.refunding


def test_the_window_ends_with_a_person_where_the_policy_says_so(approved):
    told = approved('[claims]\nat_the_end = "escalate"').until(37)
    assert told.case.state is State.disputed
    assert told.effects()[-1] == "escalate"
    assert told.flags() == ["window_ended"]


def test_a_replacement_that_was_chosen_and_not_confirmed_lapses_to_a_refund(approved):
    told = approved('[claims]\nat_the_end = "requested"', {"remedy": "reissue"})
    told.report("choose_reissue", 15)
    told.until(37)
    assert told.case.state is State.refunding
    assert ("place_reissue", WHATEVER_ATTEMPT) in told.steps[-1].obsolete


def test_the_window_goes_on_while_the_refund_is_awaited_and_ends_in_an_escalation(approved):
    told = approved()
    told.report("choose_refund", 15)
    told.until(37)
    assert told.case.state is State.refunding
    assert len(told.fired("remind_window")) == 2
    assert told.effects()[-2:] == ["chase_refund", "escalate"]
    told.report("settle_refund", 38)
    assert told.case.state is State.refunded
    assert told.case.claims[0].status == "refunded"
    assert told.case.timers == ()


def test_a_declined_refund_of_a_claim_goes_back_to_the_dispute_without_its_window(approved):
    told = approved()
    told.report("choose_refund", 15)
    told.report("decline_refund", 16)
    assert told.case.state is State.disputed
    assert told.case.returns_to is State.delivered
    assert told.flags() == ["refund_declined"]
    assert [timer.trigger for timer in told.case.timers] == []
    assert told.report("choose_reissue", 17).verdict is Verdict.applied


def test_nobody_asks_for_two_replacements(approved):
    told = approved()
    told.report("choose_reissue", 15)
    assert "asked for already" in refusal(told.report("choose_reissue", 16))
    assert "a remedy has been chosen" in refusal(told.report("withdraw", 16))


def test_a_confirmed_replacement_names_the_new_order_and_ends_the_window(approved):
    told = approved()
    assert "no replacement has been asked for" in refusal(told.report("confirm_reissue", 15, new_order="2"))
    told.report("choose_reissue", 15)
    assert "this order's own" in refusal(told.report("confirm_reissue", 16, new_order="1"))
    made = told.report("confirm_reissue", 16, new_order="2").step
    assert told.case.state is State.reissued
    assert told.case.timers == ()
    order, lines = made.replacement.order, made.replacement.lines
    assert (order.number, order.replaces, order.generation, order.paid) == ("2", "1", 1, 2 * 990)
    assert lines == (Line("MUG-22", "Enamel mug", 2, 990),)


def test_a_second_replacement_is_the_last(approved):
    told = approved(generation=2, replaces="0", chain="0")
    assert "only a refund is left" in refusal(told.report("choose_reissue", 15))


def test_what_is_left_of_an_order_can_be_claimed_while_its_window_is_open(approved):
    told = approved()
    told.report("choose_refund", 15)
    told.report("settle_refund", 16)
    assert "fewer pieces are left" in refusal(told.report("open_claim", 17, kind="missing", lines="2:2"))
    told.report("open_claim", 18, kind="missing")
    assert dict(told.case.claim.pieces) == {1: 2, 2: 1}
    told.report("withdraw", 19)
    assert told.case.state is State.refunded
    assert "window is not open" in refusal(told.report("open_claim", 25.01, kind="missing"))


def test_lines_are_added_to_the_one_open_claim(claimed):
    told = claimed()
    told.report("open_claim", 12.5, kind="missing", lines="LAMP-01:1;2:1")
    assert dict(told.case.claim.pieces) == {1: 1, 2: 3}
    assert "fewer pieces are left" in refusal(told.report("open_claim", 13, kind="missing", lines="2:1"))
    assert "has no such line" in refusal(told.report("open_claim", 13, kind="missing", lines="VASE:1"))
    assert told.effects().count("ask_evidence") == 1


def test_a_claim_cannot_be_opened_before_anything_was_shipped(story):
    assert story().report("open_claim", 1, kind="damaged").verdict is Verdict.exception


def test_before_the_delivery_only_the_whole_order_can_be_claimed_as_not_received(story):
    told = story(lines=LINES)
    told.report("ship", 1)
    assert "only the whole order" in refusal(told.report("open_claim", 5, kind="damaged"))
    for lines in ("1:1", "VASE:1"):
        assert "only the whole order" in refusal(told.report("open_claim", 5, kind="not_received", lines=lines))
    told.report("open_claim", 6, kind="not_received")
    assert told.case.state is State.disputed
    assert told.timer("stall").status == "paused"


def test_what_happens_to_the_parcel_during_a_dispute_changes_where_the_order_goes_back_to(story):
    told = story(lines=LINES, route="international")
    told.report("ship", 1)
    told.report("open_claim", 6, kind="not_received")
    told.report("hold", 7, wants="payment")
    assert told.case.returns_to is State.customs_hold
    told.report("release", 8)
    assert told.case.returns_to is State.shipped
    told.report("deliver", 9)
    assert told.case.returns_to is State.delivered
    told.report("withdraw", 10)
    assert told.case.state is State.delivered
    assert told.timer("close").due_at == day(24)


def test_a_parcel_that_is_reported_after_the_delivery_is_noted_only(claimed):
    told = claimed()
    before = told.case.timers
    told.report("deliver", 13)
    assert told.case.returns_to is State.delivered
    assert told.case.timers == before


def test_a_lost_parcel_opens_a_claim_with_the_carriers_report_as_evidence(story):
    told = story(paid=5_000)
    told.report("ship", 1)
    told.report("lose", 9)
    assert told.case.claim.kind == "not_received"
    assert told.effects()[-1] == "request_verification"
    assert sorted(timer.trigger for timer in told.case.timers) == ["chase_verification", "stall"]
    told.report("approve", 10)
    told.report("choose_refund", 11)
    assert told.case.ledger[0].amount == 5_000


def test_the_silence_of_the_carrier_is_counted_on_after_a_dispute(story):
    told = story()
    told.report("ship", 1)
    told.report("open_claim", 6, kind="not_received")
    told.report("submit_evidence", 7)
    told.report("reject", 8)
    assert told.case.state is State.shipped
    assert told.timer("stall").due_at == day(13)


def test_a_partial_refund_is_a_share_of_what_was_paid_rounded_down(approved):
    told = approved(paid=PAID - 1_000)
    told.report("choose_refund", 15)
    assert told.case.ledger[0].amount == 1_980 * (PAID - 1_000) // PAID


def test_where_no_price_is_known_a_person_enters_the_sum(approved):
    told = approved(lines=(Line("LAMP-01"), Line("MUG-22", quantity=2)), paid=9_000)
    told.report("choose_refund", 15)
    assert told.case.ledger[0].amount is None
    assert "name the sum" in refusal(told.report("settle_refund", 16, actor="person:kim"))
    assert "cannot exceed" in refusal(told.report("settle_refund", 16, amount=9_001, actor="person:kim"))
    assert told.report("settle_refund", 17, amount=9_000).verdict is Verdict.applied


def test_an_order_without_known_lines_is_claimed_as_one_piece(delivered):
    told = delivered(lines=(), paid=5_000)
    told.report("open_claim", 12, kind="wrong")
    assert told.case.claim.pieces == ((1, 1),)


def test_the_order_to_look_at_is_the_one_that_the_report_names(approved):
    told = approved()
    told.report("choose_refund", 15)
    assert "no open refund in that ledger row" in refusal(told.report("settle_refund", 16, refund=7, actor="person:kim"))
    assert told.report("settle_refund", 16, refund=1).verdict is Verdict.applied


def test_an_order_whose_whole_refund_is_asked_for_has_nothing_left_to_claim(delivered, story):
    told = story(paid=5_000)
    told.report("ship", 1)
    told.report("cancel", 2)
    told.report("confirm_interception", 3)
    told.report("settle_refund", 4)
    assert "fewer pieces are left" in refusal(told.report("open_claim", 5, kind="damaged"))


def test_a_person_who_moves_a_disputed_order_leaves_its_claim_behind(claimed):
    told = claimed()
    told.report("override", 13, "person:kim", to="closed", reason="agreed by phone")
    assert told.case.claim is None
    assert told.case.claims[0].status == "overridden"
    told = claimed()
    told.report("override", 13, "person:kim", to="refunded", reason="paid by hand")
    assert told.case.claims[0].status == "refunded"


def test_a_person_who_moves_an_order_into_a_dispute_can_have_it_claimed(delivered):
    told = delivered()
    told.report("override", 12, "person:kim", to="disputed", reason="the buyer called")
    assert "no claim is open" in refusal(told.report("submit_evidence", 13))
    told.report("open_claim", 13, kind="wrong")
    told.report("submit_evidence", 14)
    told.report("reject", 15)
    assert told.case.state is State.delivered


def test_a_person_who_moves_an_order_out_of_a_refund_withdraws_the_request(approved):
    told = approved()
    told.report("choose_refund", 15)
    told.report("override", 16, "person:kim", to="disputed", reason="look again")
    assert told.case.ledger[0].status == "withdrawn"
    assert ("request_refund", WHATEVER_ATTEMPT) in told.steps[-1].obsolete
    assert told.case.claim.chosen is None
    told.report("override", 17, "person:kim", to="refunding", reason="refund it")
    assert [row.status for row in told.case.ledger] == ["withdrawn", "requested"]


def _running(told: Story, trigger: str) -> str:
    """Say how the clock runs: runs, paused, waits or ended."""
    timer = next((one for one in told.case.timers if one.trigger == trigger), None)
    if timer is None:
        return "ended"
    if timer.status == "pending":
        return "runs"
    return "paused" if timer.paused_at else "waits"


SHIPPED = (("ship", 1, {}),)
HELD = (*SHIPPED, ("hold", 3, {}))
INTERCEPTED = ("correct_address", 1.5, {})
NOT_RECEIVED = ("open_claim", 6, {"kind": "not_received"})
CLAIMED = (*SHIPPED, ("deliver", 4, {}), ("open_claim", 6, {"kind": "damaged", "lines": "1:1"}))
APPROVED = (*CLAIMED, ("submit_evidence", 7, {}), ("approve", 8, {}))
REFUNDING = (*APPROVED, ("choose_refund", 9, {}))
LEFT = (("report_no_stock", 1, {}),)


@pytest.mark.parametrize(
    ("clock", "story_so_far", "then", "how"),
    [
        ("urge", (), INTERCEPTED, "paused"),
        ("urge", (), ("report_oversized", 1, {}), "ended"),
        ("urge", (INTERCEPTED,), ("fail_interception", 1.7, {}), "runs"),
        ("urge", (("cancel", 1, {}),), ("fail_interception", 1.7, {}), "ended"),
        ("stall", SHIPPED, INTERCEPTED, "paused"),
        ("stall", SHIPPED, NOT_RECEIVED, "paused"),
        ("stall", (*SHIPPED, INTERCEPTED), ("confirm_interception", 2, {}), "ended"),
        ("stall", (*SHIPPED, NOT_RECEIVED), ("withdraw", 7, {}), "runs"),
        ("remind_customs", HELD, NOT_RECEIVED, "paused"),
        ("remind_customs", (*HELD, NOT_RECEIVED), ("withdraw", 7, {}), "runs"),
        ("close", CLAIMED[:2], CLAIMED[2], "waits"),
        ("close", APPROVED, ("choose_refund", 9, {}), "ended"),
        ("close", CLAIMED, ("withdraw", 7, {}), "runs"),
        ("lapse_evidence", CLAIMED[:2], CLAIMED[2], "runs"),
        ("lapse_evidence", CLAIMED, ("withdraw", 7, {}), "ended"),
        ("chase_verification", CLAIMED, ("submit_evidence", 7, {}), "runs"),
        ("chase_verification", APPROVED[:-1], ("reject", 8, {}), "ended"),
        ("chase_verification", APPROVED[:-1], ("approve", 8, {}), "ended"),
        ("remind_window", APPROVED[:-1], ("approve", 8, {}), "runs"),
        ("lapse_window", APPROVED[:-1], ("approve", 8, {}), "runs"),
        ("remind_window", APPROVED, ("choose_refund", 9, {}), "runs"),
        ("lapse_window", APPROVED, ("choose_refund", 9, {}), "runs"),
        ("lapse_window", REFUNDING, ("settle_refund", 10, {}), "ended"),
        ("lapse_window", REFUNDING, ("decline_refund", 10, {}), "ended"),
        ("remind_window", REFUNDING, ("decline_refund", 10, {}), "ended"),
        ("lapse_window", (*APPROVED, ("choose_reissue", 9, {})), ("confirm_reissue", 10, {"new_order": "2"}), "ended"),
        ("lapse_window", APPROVED, ("withdraw", 9, {}), "ended"),
        ("chase_refund", APPROVED, ("choose_refund", 9, {}), "runs"),
        ("chase_refund", REFUNDING, ("settle_refund", 10, {}), "ended"),
        ("chase_refund", REFUNDING, ("decline_refund", 10, {}), "ended"),
        ("chase_recovery", LEFT, ("correct_address", 2, {}), "runs"),
        ("chase_recovery", (*LEFT, ("ship", 2, {})), NOT_RECEIVED, "runs"),
        ("chase_recovery", LEFT, ("report_oversized", 2, {}), "runs"),
        ("chase_recovery", LEFT, ("settle_recovery", 2, {}), "ended"),
        ("chase_recovery", LEFT, ("decline_recovery", 2, {}), "ended"),
        ("chase_recovery", LEFT, ("ship", 2, {"attempt": 1}), "ended"),
    ],
)
def test_what_happens_to_a_running_clock(story, clock, story_so_far, then, how):
    told = story(lines=LINES, paid=PAID)
    for trigger, at, fields in (*story_so_far, then):
        assert told.report(trigger, at, **fields).verdict is Verdict.applied, trigger
    assert _running(told, clock) == how


def test_the_clock_to_the_rerouting_pauses_during_an_interception_and_ends_with_a_refund(story):
    told = story().until(2)
    told.report("correct_address", 2.5)
    assert _running(told, "reroute") == "paused"
    told.report("fail_interception", 3)
    assert _running(told, "reroute") == "runs"
    told.report("report_oversized", 3.2)
    assert _running(told, "reroute") == "ended"


def test_every_clock_is_told_of():
    cells = next(mark for mark in test_what_happens_to_a_running_clock.pytestmark if mark.name == "parametrize").args[1]
    told = {clock for clock, *_ in cells} | {"reroute", "fail_interception", "remind_decision"}
    assert told == {clock.trigger for clock in CLOCKS}


@pytest.mark.parametrize(
    ("story_so_far", "then", "obsolete"),
    [
        ((), ("ship", 3, {}), "urge_supplier"),
        (LEFT, ("ship", 2, {}), "place_supply"),
        (LEFT, ("report_oversized", 2, {}), "place_supply"),
        ((INTERCEPTED,), ("confirm_interception", 2, {}), "request_interception"),
        ((INTERCEPTED,), ("deliver", 2, {}), "request_interception"),
        (REFUNDING, ("settle_refund", 10, {}), "request_refund"),
        (REFUNDING, ("decline_refund", 10, {}), "request_refund"),
        ((*APPROVED, ("choose_reissue", 9, {})), ("confirm_reissue", 10, {"new_order": "2"}), "place_reissue"),
        ((*APPROVED, ("choose_reissue", 9, {})), ("choose_refund", 10, {}), "place_reissue"),
    ],
)
def test_what_has_lost_its_point_is_dropped_if_it_has_not_left(story, story_so_far, then, obsolete):
    told = story(lines=LINES, paid=PAID)
    for trigger, at, fields in (*story_so_far, then):
        told.until(at)
        told.report(trigger, at, **fields)
    assert obsolete in [kind for kind, _ in told.steps[-1].obsolete]


def test_an_order_that_an_older_program_left_refunding_without_a_request_is_settled_by_its_sum(story):
    told = story(paid=PAID)
    told.report("report_oversized", 1)
    told.case = replace(told.case, ledger=())
    assert told.report("settle_refund", 2, amount=5).verdict is Verdict.applied
    assert told.case.state is State.refunded


def test_a_rejected_claim_is_not_opened_again_on_pieces_that_were_made_good_since(claimed):
    told = claimed()
    told.report("submit_evidence", 13, evidence="a")
    told.report("reject", 14)
    told.report("open_claim", 14.1, kind="damaged", lines="2:3")
    for n, trigger in enumerate(("submit_evidence", "approve", "choose_refund", "settle_refund"), 1):
        told.report(trigger, 14.1 + n / 10)
    assert "was not rejected" in refusal(told.report("reopen_claim", 15, evidence="b"))
    told = claimed()
    told.report("submit_evidence", 13, evidence="a")
    told.report("reject", 14)
    told.report("override", 14.1, "person:kim", to="refunding", reason="paid by hand")
    told.report("settle_refund", 14.2)
    told.report("override", 14.3, "person:kim", to="delivered", reason="it is there")
    assert "made good since" in refusal(told.report("reopen_claim", 15, evidence="b"))


def test_a_parcel_of_which_everything_was_made_good_is_not_claimed_as_lost(story):
    told = story(paid=5)
    told.report("report_oversized", 1)
    told.report("settle_refund", 2)
    told.report("override", 3, "person:kim", to="shipped", reason="it left after all")
    assert "made good already" in refusal(told.report("lose", 4))


@pytest.mark.parametrize(
    ("steps", "clocks"),
    [
        ((), {"lapse_evidence"}),
        ((("submit_evidence", 13, {}),), {"chase_verification"}),
        ((("submit_evidence", 13, {}), ("approve", 14, {})), {"remind_window", "lapse_window"}),
    ],
)
def test_a_person_who_moves_an_order_back_into_its_dispute_starts_the_claims_clocks_anew(claimed, steps, clocks):
    told = claimed()
    for trigger, at, fields in steps:
        told.report(trigger, at, **fields)
    told.report("override", 15, "person:kim", to="refunding", reason="quick")
    told.report("override", 16, "person:kim", to="disputed", reason="too quick")
    assert {one.trigger for one in told.case.timers if one.claim} == clocks
    assert all(one.counts_from == day(16) for one in told.case.timers if one.claim)


def test_a_person_who_moves_an_order_into_a_dispute_without_a_claim_is_reminded(delivered):
    told = delivered()
    told.report("override", 12, "person:kim", to="disputed", reason="the buyer called")
    assert told.flags() == ["no_claim"]


def test_an_interception_leaves_the_claim_of_a_disputed_order_behind(claimed):
    told = claimed()
    told.report("override", 13, "person:kim", to="intercepting", reason="stop it")
    assert told.case.claims[0].status == "overridden"
    told.report("fail_interception", 14)
    assert told.case.state is State.delivered


def test_a_refund_after_a_replacement_was_asked_for_needs_a_person(approved):
    told = approved()
    told.report("choose_reissue", 15)
    told.report("choose_refund", 16)
    assert told.flags() == ["replacement_asked"]


def test_a_claim_that_is_dated_before_the_shipping_is_refused(delivered):
    assert "window is not open" in refusal(delivered().report("open_claim", 0.5, kind="wrong"))
