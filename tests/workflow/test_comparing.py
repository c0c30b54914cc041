"""What an order that comes again changes, and what it contradicts (rule 7.8)."""

from dataclasses import fields

import pytest

from tests.factories import Story, day, order, report, rules_of
from workflow.case.case import Case, Line, Order, replace_fields
from workflow.case.facts import FACTS
from workflow.comparing import Contradiction, contradicted, differences, is_as_told
from workflow.vocabulary import State

LAMPS = (Line("lamp", "", 2, 500), Line("", "Shade", 1))


def placed(**values):
    """Return the case of an order that was placed with its first supplier."""
    return Story(rules_of(), LAMPS, **{"supplier": "Yiwu", **values}).case


def told_again(case: Case, *lines: Line, given=None, erased=False, **facts):
    return differences(case, replace_fields(case.order, **facts), lines, given, erased=erased)


def claimed():
    told = Story(rules_of(), LAMPS, supplier="Yiwu")
    told.report("ship", 1, tracking_number="T1")
    told.report("deliver", 2)
    assert told.report("open_claim", 3, kind="damaged", lines="lamp:1").step
    return told.case


def test_an_order_that_says_the_same_changes_nothing():
    same = told_again(placed(), *LAMPS)
    assert (same.facts, same.lines, same.ship_by, same.contradictions) == ({}, None, None, ())


def test_what_was_not_known_is_filled_in():
    filled = told_again(placed(supplier=None, alternatives=()), supplier="Yiwu", paid=700, alternatives=("a", "b"))
    assert filled.facts == {"supplier": "Yiwu", "paid": 700, "alternatives": "a;b"}
    assert filled.contradictions == ()


def test_what_is_empty_takes_nothing_away():
    case = placed(paid=700)
    assert told_again(case, supplier=None, alternatives=(), paid=None).facts == {}


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("buyer_name", "Ana", "Ana"),
        ("buyer_email", "ana@example.org", "ana@example.org"),
        ("buyer_address", "Rua 1", "Rua 1"),
        ("merchant_email", "shop@example.org", "shop@example.org"),
        ("language", "pt", "pt"),
        ("group", "lamps", "lamps"),
        ("country", "BR", "BR"),
        ("alternatives", ("other",), "other"),
    ],
)
def test_facts_that_may_change_are_taken_as_they_are_told(name, value, written):
    known = {"buyer_name": "Bo", "buyer_email": "bo@example.org", "buyer_address": "Rua 2", "merchant_email": "old@example.org"}
    case = placed(**known, group="other", country="PT")
    assert told_again(case, **{name: value}).facts == {name: written}


@pytest.mark.parametrize(
    ("name", "was", "value", "shown"),
    [
        ("paid", 70_000, 800, ("700.00 CNY", "8.00 CNY")),
        ("sale", 900, 1_000, ("9.00 CNY", "10.00 CNY")),
        ("route", "domestic", "international", ("domestic", "international")),
        ("currency", "CNY", "EUR", ("CNY", "EUR")),
        ("supplier_number", "7", "8", ("7", "8")),
        ("supplier", "Yiwu", "Ningbo", ("Yiwu", "Ningbo")),
        ("placed_at", day(0), day(1), ("2025-03-03T09:00:00+00:00", "2025-03-04T09:00:00+00:00")),
    ],
)
def test_other_facts_contradict_what_is_known(name, was, value, shown):
    contradicting = told_again(placed(**{name: was}), **{name: value})
    assert contradicting.facts == {}
    assert contradicting.contradictions == (Contradiction(name, *shown),)


def test_every_fact_is_compared():
    assert {*FACTS} == {one.name for one in fields(Order)} - {"shop", "number", "replaces", "generation", "chain"}


def test_what_its_sender_has_not_told_contradicts_nothing_and_what_follows_is_still_compared():
    told = told_again(placed(paid=500), route="international", language="pt", paid=600, given={"paid"})
    assert [one.name for one in told.contradictions] == ["paid"]
    assert told.facts == {}


def test_what_is_told_of_an_erased_buyer_is_not_taken_and_the_rest_is():
    told = told_again(placed(), *LAMPS, Line("new"), erased=True, buyer_name="Ana", language="pt")
    assert (told.facts, told.lines) == ({"language": "pt"}, None)


def test_sums_in_another_currency_are_not_compared_and_the_rest_is():
    told = told_again(placed(paid=500), Line("lamp", "", 2, 9), currency="EUR", paid=600, sale=1, language="pt")
    assert (told.facts, told.lines) == ({"language": "pt"}, None)
    assert [one.name for one in told.contradictions] == ["currency"]


def test_a_supplier_that_has_had_its_turn_contradicts_nothing():
    told = Story(rules_of(), LAMPS, supplier="Yiwu").until(4)
    again = told_again(told.case, supplier="alt-1", paid=300)
    assert (again.facts, again.contradictions) == ({"paid": 300}, ())


def test_a_ship_date_is_a_promise_of_the_supplier_whose_turn_it_is():
    case = placed()
    assert told_again(case, ship_by=day(5)).ship_by == day(5)
    assert told_again(case, ship_by=day(5), supplier=None).ship_by == day(5)
    assert told_again(case, ship_by=day(5)).facts == {}
    promised = placed(ship_by=day(5))
    assert told_again(promised, ship_by=day(6)).ship_by == day(6)
    assert told_again(promised, ship_by=day(5)).ship_by is None
    assert told_again(promised, ship_by=day(4)).ship_by is None
    later = Story(rules_of(), LAMPS, supplier="Yiwu").until(4).case
    assert told_again(later, ship_by=day(9)).ship_by is None
    assert told_again(later, ship_by=day(9), supplier="alt-1").ship_by == day(9)
    assert told_again(later, ship_by=day(9), supplier="unknown").ship_by is None


def test_no_ship_date_is_promised_of_what_has_been_shipped():
    told = Story(rules_of(), LAMPS, supplier="Yiwu")
    told.report("ship", 1, tracking_number="T1")
    assert told_again(told.case, ship_by=day(5)).ship_by is None


def test_while_the_order_is_being_stopped_a_ship_date_is_a_fact_of_the_first_supplier():
    told = Story(rules_of(), LAMPS, supplier="Yiwu")
    told.report("cancel", 1)
    assert told.case.state is State.intercepting
    stopped = told_again(told.case, ship_by=day(5))
    assert (stopped.facts, stopped.ship_by) == ({"ship_by": day(5).isoformat()}, None)
    rerouted = Story(rules_of(), LAMPS, supplier="Yiwu").until(4)
    rerouted.report("cancel", 5)
    assert rerouted.case.state is State.intercepting
    second = told_again(rerouted.case, ship_by=day(9), supplier="alt-1")
    assert (second.facts, second.ship_by) == ({}, None)
    shipped = Story(rules_of(), LAMPS, supplier="Yiwu")
    shipped.report("ship", 1, tracking_number="T1")
    shipped.report("cancel", 2)
    assert told_again(shipped.case, ship_by=day(5)).facts == {}


def test_further_lines_pieces_titles_and_prices_come_in():
    told = told_again(placed(), Line("lamp", "Lamp", 3, 500, 900), Line("", "Shade", 1, 200), Line("cable", "", 1))
    assert told.lines == (Line("lamp", "Lamp", 3, 500, 900), Line("", "Shade", 1, 200), Line("cable", "", 1))
    assert told.contradictions == ()


def test_lines_that_are_left_out_stay():
    assert told_again(placed(), Line("", "Shade", 1)).lines is None
    assert told_again(placed()).lines is None


def test_lines_of_one_name_are_told_apart_by_their_turn():
    case = Story(rules_of(), (Line("lamp", "", 1, 100), Line("lamp", "", 1, 200)), supplier="Yiwu").case
    told = told_again(case, Line("lamp", "", 1, 100), Line("lamp", "", 4, 200), Line("lamp", "", 1, 300))
    assert told.lines == (Line("lamp", "", 1, 100), Line("lamp", "", 4, 200), Line("lamp", "", 1, 300))


def test_a_title_that_is_known_stays():
    told = told_again(Story(rules_of(), (Line("lamp", "Lamp", 1),)).case, Line("lamp", "Lampe", 1, 200))
    assert told.lines == (Line("lamp", "Lamp", 1, 200),)
    assert told.contradictions == ()


def test_fewer_pieces_and_other_prices_contradict_what_is_known():
    case = Story(rules_of(), (Line("lamp", "", 2, 500, 900), Line("", "Shade", 3)), supplier="Yiwu").case
    told = told_again(case, Line("lamp", "", 1, 400, 800), Line("", "Shade", 2))
    assert told.lines is None
    assert told.contradictions == (
        Contradiction("quantity of line 1", "2", "1"),
        Contradiction("price of line 1", "5.00 CNY", "4.00 CNY"),
        Contradiction("sale of line 1", "9.00 CNY", "8.00 CNY"),
        Contradiction("quantity of line 2", "3", "2"),
    )


def test_while_something_is_claimed_no_line_and_no_piece_comes_in():
    told = told_again(claimed(), Line("lamp", "", 3, 500), Line("", "Shade", 1, 200), Line("cable"))
    assert told.lines == (Line("lamp", "", 2, 500), Line("", "Shade", 1, 200))
    assert told.contradictions == (
        Contradiction("quantity of line 1", "2", "3"),
        Contradiction("lines", "without 'cable'", "with 'cable', while something is claimed"),
    )


def test_a_contradiction_is_none_any_more_when_the_fact_is_as_told():
    kept = report("amend", 1, was="7.00 CNY", paid="8.00 CNY")
    assert contradicted(kept) == ("paid", "8.00 CNY")
    assert contradicted(report("amend", 1, paid="8.00 CNY", was="7.00 CNY")) == ("paid", "8.00 CNY")
    assert not is_as_told(placed(paid=700), kept)
    assert is_as_told(placed(paid=800), kept)
    assert not is_as_told(placed(paid=800), report("amend", 1, paid="8.00 CNY"))
    assert not is_as_told(placed(), report("amend", 1, **{"was": "2", "quantity of line 1": "1"}))


def test_an_order_is_compared_with_its_own_facts():
    assert told_again(Case(order(paid=None, supplier=None), attempts=placed().attempts), paid=4).facts == {"paid": 4}
