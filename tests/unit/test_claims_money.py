"""What refunds come to, in any currency and whatever is reported: never more than was paid, never more than was ordered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import START, Story, day, rules_of
from workflow.case import claims
from workflow.case.case import Case, Line, Order
from workflow.case.money import exponent, minor_units, show_amount
from workflow.vocabulary import State

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
