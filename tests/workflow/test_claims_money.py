"""What refunds come to, in any currency and whatever is reported: never more than was paid, never more than was ordered."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import START, Story, day, rules_of
from workflow.case import claims
from workflow.case.case import Case, Line, Order
from workflow.case.money import exponent, minor_units, show_amount
from workflow.vocabulary import State, Verdict

RULES = rules_of()
LINES = st.lists(
    st.builds(Line, st.just(""), st.just(""), st.integers(1, 5), st.one_of(st.none(), st.integers(0, 10_000))),
    min_size=1,
    max_size=4,
)
PAID = st.one_of(st.none(), st.integers(0, 40_000))


def case_of(lines, paid) -> Case:
    return Case(Order("main", "1", START, "CNY", "domestic", paid=paid), lines=tuple(lines))


@given(LINES, PAID, st.data())
def test_the_parts_of_an_order_are_never_worth_more_than_the_whole(lines, paid, data):
    case = case_of(lines, paid)
    left = dict(claims.ordered(case))
    total = 0
    while left:
        pieces = data.draw(st.fixed_dictionaries({n: st.integers(0, quantity) for n, quantity in left.items()}))
        pieces = {n: quantity for n, quantity in pieces.items() if quantity} or dict(left)
        value = claims.worth(case, pieces)
        if value is None:
            return
        total += value
        left = {n: quantity - pieces.get(n, 0) for n, quantity in left.items() if quantity > pieces.get(n, 0)}
        if pieces == claims.ordered(case):
            break
    if paid is not None and sum((line.price or 0) * line.quantity for line in lines) <= paid:
        assert total <= paid
    full = sum((line.price or 0) * line.quantity for line in lines)
    assert total <= max(full, paid or 0)


@given(st.sampled_from(["JPY", "CNY", "KWD", "BRL"]), st.integers(0, 10**12))
def test_an_amount_is_read_back_as_it_is_written_with_0_2_and_3_decimals(currency, minor):
    written = show_amount(minor, currency).removesuffix(f" {currency}")
    assert minor_units(written, currency) == minor
    assert len(written.partition(".")[2]) == exponent(currency)


@pytest.mark.parametrize(
    ("currency", "paid", "asked"), [("JPY", 1_000, 333), ("CNY", 100_000, 33_333), ("KWD", 1_000_000, 333_333)]
)
def test_a_share_of_a_discount_is_rounded_down_to_the_minor_unit(currency, paid, asked):
    case = case_of([Line(quantity=3, price=paid)], paid)
    case = replace(case, order=replace(case.order, currency=currency))
    assert claims.worth(case, {1: 1}) == asked


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["1:1", "2:1", "1:2", None]),
        st.sampled_from(["choose_refund", "reject", "withdraw", "lapse"]),
        st.one_of(st.none(), st.integers(0, 3_000)),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(ANSWERS, st.sampled_from([None, 0, 1_000, 2_500]))
def test_no_sequence_of_claims_refunds_more_than_was_paid_or_claims_more_than_was_ordered(answers, paid):
    told = Story(RULES, (Line("A", "", 2, 700), Line("B", "", 1, None)), paid=paid)
    told.report("ship", 0.1)
    told.report("deliver", 0.2)
    at = 0.3
    for lines, answer, amount in answers:
        told.report("open_claim", at, kind="damaged", lines=lines)
        told.report("submit_evidence", at + 0.01)
        told.report("reject" if answer == "reject" else "approve", at + 0.02)
        told.report(answer, at + 0.03)
        told.report("settle_refund", at + 0.04, amount=amount)
        told.report("decline_refund", at + 0.05)
        told.report("withdraw", at + 0.06)
        at += 0.1
        settled = sum(row.settled_amount or 0 for row in told.case.ledger if row.side == "refund")
        assert paid is None or settled <= paid
        good = [claim for claim in told.case.claims if claim.status in claims.REMEDIED]
        for number, quantity in claims.ordered(told.case).items():
            assert sum(dict(claim.pieces).get(number, 0) for claim in good) <= quantity
    assert told.case.state in (State.delivered, State.refunded, State.disputed)


def test_what_was_refunded_elsewhere_in_the_chain_is_not_refunded_again(story):
    told = story(lines=(Line("A", "", 1, 900),), paid=900, generation=1, replaces="0", chain="0")
    told.case = replace(told.case, chain_paid=1_000, settled_elsewhere=400)
    told.report("report_oversized", 1)
    assert told.case.ledger[0].amount == 600
    assert "cannot exceed" in str(told.report("settle_refund", 2, amount=601).error)
    told.report("settle_refund", 3, amount=600)
    assert told.case.state is State.refunded
    assert day(3) == told.case.since


def claimed(*prices, paid=None, policy="", quantity=1):
    lines = tuple(Line(f"sku:{number}", "", quantity, price) for number, price in enumerate(prices, 1))
    told = Story(rules_of(policy), lines, paid=paid)
    told.report("ship", 1)
    return told


def test_a_line_whose_sku_has_a_colon_is_named_by_it():
    case = claimed(100, 200).case
    assert claims.named(case, "sku:2:1") == {2: 1}
    assert claims.names_lines(case, "sku:2:1;1:1")
    assert not claims.names_lines(case, "sku:3:1")
    assert claims.named(claimed(100, quantity=2).case, "1:1;sku:1:1") == {1: 2}
    assert claims.named(claimed(100, quantity=2).case, "1:1;sku:1:2") is None


def test_a_part_is_worth_its_price_where_another_line_has_none():
    case = claimed(1_000, None, paid=2_000, quantity=3).case
    assert claims.worth(case, {1: 1}) == 1_000
    assert claims.worth(case, {1: 3}) == 2_000
    assert claims.worth(case, {2: 1}) is None


def test_what_has_come_back_whole_leaves_nothing():
    told = claimed(5_000, paid=5_000)
    told.report("lose", 2)
    told.report("approve", 3)
    told.report("choose_refund", 4)
    told.report("settle_refund", 5)
    assert claims.unsettled(told.case) == 0
    assert claims.to_ask_for(told.case, None) == 0
    open_elsewhere = replace(told.case, ledger=(), requested_elsewhere=5_000)
    assert claims.to_ask_for(open_elsewhere, None) == 0


def test_the_window_is_open_from_the_instant_of_the_shipping_to_the_end_of_the_policys_time():
    told = claimed(100, policy='[[overrides]]\nshop = "main"\ndelivery = {close_after = "2wd"}')
    assert not claims.window_is_open(told.case, day(0.99), told.rules)
    assert claims.window_is_open(told.case, day(1), told.rules)
    told.report("deliver", 2)
    ends = told.timer("close").due_at
    assert ends == day(2).replace(hour=16) + timedelta(days=2)
    assert claims.window_is_open(told.case, ends, told.rules)
    assert not claims.window_is_open(told.case, ends + timedelta(microseconds=1), told.rules)


def test_an_order_that_is_closed_with_a_sum_is_refunded_where_nobody_knows_what_was_paid(story):
    told = story(alternatives=(), paid=None)
    told.report("report_closed", 1, amount=500)
    assert told.case.state is State.refunded
    assert [(row.status, row.settled_amount) for row in told.case.ledger] == [("settled", 500)]


def test_an_order_that_is_closed_with_nothing_paid_back_awaits_its_money(story):
    told = story(alternatives=(), paid=None)
    told.report("report_closed", 1, amount=0)
    assert told.case.state is State.refunding
    assert told.case.open_refund is not None


def test_money_of_a_supplier_that_was_left_is_corrected_within_what_that_one_was_paid(story):
    told = story(alternatives=("alt-1",), paid=900)
    told.report("settle_refund", 1, "person:kim", amount=1)
    told.report("report_no_stock", 2)
    assert told.report("correct_settlement", 3, "person:kim", row=1, amount=901, reason="a slip").verdict is Verdict.refused
    assert told.report("correct_settlement", 3, "person:kim", row=1, amount=900, reason="a slip").verdict is Verdict.applied
