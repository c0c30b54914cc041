"""Facts that are amended, what a person alone may do, and who learns of it (rules 2.15, 2.17 and 5.10)."""

import pytest

from tests.factories import RULES, START, Story, day, report, rules_of
from workflow.case.case import Decision, LedgerRow, Line, Report, Told, replace_fields
from workflow.case.claims import has_come_back
from workflow.case.facts import written_lines
from workflow.draft import Event
from workflow.errors import Refused
from workflow.intake import receive
from workflow.repeats import to_judge
from workflow.step import carry_out
from workflow.table import ROWS_BY_STATE_AND_TRIGGER
from workflow.timer_commands import act
from workflow.vocabulary import LedgerSide, LedgerStatus, Verdict

LINES = (Line("lamp", "Lamp", 2, 500),)


def placed(**values):
    return Story(rules_of(), LINES, **{"supplier": "Yiwu", "paid": 1_000, **values})


def amend(told: Story, at: float = 1, actor: str = "person:kim", **fields):
    made = told.report("amend", at, actor, **fields)
    assert made.verdict is Verdict.applied, made.error
    return made.step.history


def test_amended_lines_take_the_place_of_the_old_ones_and_the_history_says_both():
    told = placed()
    (row,) = ROWS_BY_STATE_AND_TRIGGER[str(told.case.state), "amend"]
    again = Event("amend", day(1), day(1), "import:orders.csv", {"lines": written_lines((Line("cup", "Cup"),))})
    made = carry_out(told.case, again, told.rules, row, None)
    written = made.history
    assert made.case.lines == (Line("cup", "Cup"),)
    assert (written.details["amended"], written.details["was_lines"]) == ("lines", written_lines(LINES))


@pytest.mark.parametrize(("until", "clock", "due"), [(0, "urge", 11), (2, "reroute", 13)])
def test_a_clock_that_was_ended_starts_again_from_a_new_promise(until, clock, due):
    told = placed().until(until)
    told.case = replace_fields(told.case, timers=())
    amend(told, 3, ship_by=day(9).isoformat())
    assert [(one.trigger, one.due_at) for one in told.case.timers] == [(clock, day(due))]


def test_no_clock_of_the_supplier_starts_again_for_an_order_that_was_cancelled():
    told = placed()
    told.case = replace_fields(told.case, timers=(), cancelled=True)
    amend(told, ship_by=day(9).isoformat())
    assert told.case.timers == ()


def test_a_reason_names_neither_the_buyer_as_told_nor_the_one_before():
    told = placed(buyer_name="Ana Souza")
    written = amend(told, buyer_name="Bea Lima", reason="it is Bea Lima, not Ana Souza")
    assert written.reason is not None
    assert "Bea" not in written.reason
    assert "Ana" not in written.reason
    later = told.report("cancel", 2, "person:kim", reason="Ana Souza, now Bea Lima, called").step.history
    assert "Ana" not in later.reason
    assert "Bea" not in later.reason
    assert later.reason.endswith("called")


def test_a_report_that_amends_the_buyer_is_kept_with_who_it_was():
    told = placed(buyer_name="Ana")
    made = told.report("amend", 1, "person:kim", buyer_name="Bea")
    assert made.report.fields["was_buyer_name"] == "Ana"
    shipped = told.report("ship", 2, tracking_number="T1")
    assert "was_buyer_name" not in shipped.report.fields


def test_what_a_file_contradicts_says_who_may_change_it_and_how():
    told = placed()
    received = told.report("amend", 1, "import:orders.csv", paid="8.00 CNY", was="10.00 CNY")
    assert received.verdict is Verdict.exception
    assert (
        "paid is 10.00 CNY, and told as 8.00 CNY: a person may change that "
        "(`aftersales report ID amend`, then `exceptions retry`), or close this" in str(received.error)
    )
    received = told.report("amend", 2, "import:orders.csv", **{"was": "2", "quantity of line 1": "1"})
    assert "quantity of line 1 is 2, and told as 1: that stays: close this" in str(received.error)


def test_only_a_person_may_amend():
    received = placed().report("amend", 1, "carrier:post", paid=5)
    assert received.verdict is Verdict.exception
    assert "only a person may do that: `aftersales report ID amend`" in str(received.error)


def settled(side, attempt, amount=600):
    return LedgerRow(1, side, START, "CNY", amount, attempt, None, LedgerStatus.settled, amount)


def test_what_has_come_back_is_of_the_attempt_alone_whoever_has_paid_it():
    case = placed().until(4).case
    assert case.current == 2
    rows = [(LedgerSide.refund, 1), (LedgerSide.recovery, 1), (LedgerSide.recovery, None)]
    assert [has_come_back(replace_fields(case, ledger=(settled(*one),))) for one in rows] == [0, 0, 0]
    for side, mine in ((LedgerSide.refund, 2), (LedgerSide.refund, None), (LedgerSide.recovery, 2)):
        assert has_come_back(replace_fields(case, ledger=(settled(side, mine),))) == 600


def test_an_attempt_cannot_have_cost_less_than_what_has_come_back_of_it():
    told = placed().until(4)
    told.case = replace_fields(told.case, ledger=(settled(LedgerSide.refund, 1),))
    refused = told.report("amend", 5, "person:kim", paid=500, attempt=1)
    assert refused.verdict is Verdict.refused
    assert "more than that has come back already" in str(refused.error)
    amend(told, 5, paid=500, attempt=2)
    assert told.case.paid_for(2) == 500


@pytest.mark.parametrize(("actor", "leaves"), [("person:kim", False), ("supplier:yiwu", True)])
def test_the_reason_of_a_person_is_in_no_message(actor, leaves):
    told = placed(paid=1_000)
    step = told.report("report_no_stock", 1, actor, reason="they are cheats").step
    assert {"reason" in one.details for one in step.effects} == {leaves}


def test_what_is_to_be_told_is_not_told_to_the_supplier_who_comes_next():
    step = placed(paid=1_000).report("report_no_stock", 1, "person:kim", tell="It ran out.").step
    told = {one.kind: one.details.get("tell") for one in step.effects}
    assert told["place_supply"] is None
    assert told["recover_supply"] == "It ran out."


def test_a_decision_sleeps_until_its_instant_and_not_at_it():
    sleeping = Decision(1, "reroute", day(1), sleeps_until=day(3))
    assert [sleeping.sleeps(day(at)) for at in (2.9, 3, 3.1)] == [True, False, False]
    assert not Decision(1, "reroute", day(1)).sleeps(day(2))


def said(at=1.0, trigger="ship", nth=1, **fields):
    return Report(trigger, day(at), "file", "key", "carrier:post", fields, nth)


def test_further_reports_under_a_key_are_counted():
    first, other = said(tracking_number="T1"), said(tracking_number="T2", nth=2)
    second = to_judge(said(tracking_number="T2"), [Told(first, Verdict.refused)])
    assert second == other
    third = to_judge(said(tracking_number="T3"), [Told(first, Verdict.refused), Told(other, Verdict.refused)])
    assert third.nth == 3


def test_a_report_of_another_kind_or_instant_is_another_report():
    told = [Told(said(tracking_number="T1"), Verdict.applied)]
    assert to_judge(said(tracking_number="T1"), told) is None
    assert to_judge(said(2, tracking_number="T1"), told).corrects == told[0].report
    assert to_judge(said(1, "deliver", tracking_number="T1"), told).corrects == told[0].report


def test_fields_that_an_erasure_may_have_changed_are_not_compared():
    told = [Told(said(reason="[erased]", tracking_number="T1"), Verdict.applied)]
    again = said(reason="Ana called", tracking_number="T1")
    assert to_judge(again, told) is not None
    assert to_judge(again, told, {"reason"}) is None
    assert to_judge(said(reason="Ana called", tracking_number="T2"), told, {"reason"}) is not None


def test_a_report_dated_ahead_of_now_is_kept():
    _, received = receive(placed().case, report("ship", 9, tracking_number="T1"), day(1), RULES)
    assert received[0].verdict is Verdict.exception


def test_the_clocks_of_a_moved_order_count_from_a_ship_date_that_is_amended():
    told = placed()
    told.report("override", 1, "person:kim", to="placed", reason="asked again")
    assert told.case.attempt.counts_from == day(1)
    amend(told, 2, ship_by=day(9).isoformat())
    assert told.case.attempt.counts_from is None
    assert told.timer("urge").due_at == day(11)


def test_an_amended_supplier_is_told_with_the_attempt_whose_letters_are_his():
    told = placed()
    assert told.report("amend", 1, "person:kim", supplier="Yiwu Lamps").step.suppliers == {1: "Yiwu Lamps"}
    assert told.report("amend", 2, "person:kim", paid=900).step.suppliers == {}


def test_a_sum_that_is_told_otherwise_is_shown_as_money():
    told = placed()
    first = Report("report_closed", day(1), "file", "key", "carrier:post", {"amount": 500})
    told.case, _ = receive(told.case, first, day(1), told.rules)
    other = to_judge(replace_fields(first, fields={"amount": 1_250}), [Told(first, Verdict.applied)])
    _, (received, *_) = receive(told.case, other, day(2), told.rules)
    assert received.verdict is Verdict.exception
    assert "amount was 5.00 CNY and is 12.50 CNY" in str(received.error)


def test_exceptions_about_money_and_goods_let_the_order_need_a_person_and_others_do_not():
    told = placed()
    lost, held = told.report("lose", 1), told.report("hold", 1)
    assert (lost.verdict, lost.flag) == (Verdict.exception, "report_unplaced")
    assert (held.verdict, held.flag) == (Verdict.exception, None)
    refunding = placed()
    refunding.report("report_oversized", 1, "carrier:post")
    assert refunding.report("hold", 2).flag == "report_unplaced"


def test_a_settled_sum_that_was_nothing_after_all_can_be_corrected_again():
    told = placed()
    told.report("settle_refund", 1, "person:kim", amount=600)
    for at, amount in ((2, 0), (3, 500)):
        assert told.report("correct_settlement", at, "person:kim", row=1, amount=amount, reason="typo").step
    assert [row.amount for row in told.case.ledger] == [600, -600, 500]
    assert told.steps[-1].history.details.get("was_amount", 0) == 0


def test_two_things_that_are_told_otherwise_are_both_shown():
    told = placed()
    first = Report("deliver", day(1), "file", "key", "carrier:post", {"supplier": "Yiwu", "attempt": 1})
    told.case, _ = receive(told.case, first, day(1), told.rules)
    other = to_judge(replace_fields(first, fields={"supplier": "Ningbo", "attempt": 2}), [Told(first, Verdict.applied)])
    _, (received, *_) = receive(told.case, other, day(2), told.rules)
    assert "supplier was Yiwu and is Ningbo; attempt was 1 and is 2 (another one" in str(received.error)


def test_money_of_a_supplier_that_was_left_has_a_sum_when_it_is_known_what_was_paid():
    told = placed(paid=None)
    told.report("report_no_stock", 1)
    assert [row.amount for row in told.case.ledger] == [None]
    amend(told, 2, paid=900, attempt=1)
    assert [(row.side, row.amount) for row in told.case.ledger] == [("recovery", 900)]


def test_what_has_shipped_at_the_instant_of_the_request_has_shipped_before_it():
    told = placed()
    told.report("report_oversized", 1, "carrier:post")
    told.case = replace_fields(told.case, unsent_request="report_oversized")
    assert told.report("ship", 1).step.case.state == "shipped"


def test_a_timer_that_an_interception_has_stopped_does_not_fire_by_hand():
    told = placed(route="domestic")
    told.report("correct_address", 1)
    timer = told.timer("urge")
    assert (timer.paused_by, timer.paused_at) == (None, day(1))
    with pytest.raises(Refused, match="it is paused: resume it first"):
        act(told.case, "fire", timer.number, day(1.5), "person:kim", told.rules, {})
