"""Which supplier of the catalogue an order without alternatives of its own turns to (rule 2.20)."""

import json

import pytest

from tests.factories import Story, day, rules_of
from workflow.case.case import Line
from workflow.catalogue import (
    MOST_NAMED,
    Catalogue,
    Choose,
    Goods,
    Offer,
    Preference,
    Record,
    Wanted,
    Why,
    goods_in,
    passed_over_in,
    why_words,
)
from workflow.policy.policy import PolicyError
from workflow.vocabulary import State, Way

MUG, LAMP = Line("MUG", "Mug", 2, 1000), Line("LAMP", "Lamp", 1, 3000)


def offer(supplier, sku="MUG", price=1000, **values):
    return Offer(supplier, sku, **{"price": price, "currency": "CNY", "supplier_sku": f"{supplier}-{sku}", **values})


def catalogue(*offers, records=None):
    return Catalogue(lambda skus: [one for one in offers if one.sku in skus], lambda at: records or {})


def told(*offers, toml="", records=None, lines=(MUG,), **order):
    values = {"alternatives": (), "supplier": "First", "paid": 2000, "country": "US", **order}
    return Story(rules_of(toml).with_chooser(catalogue(*offers, records=records)), lines, **values)


def left(story):
    story.until(4)
    return story.case.attempt.supplier if story.case.state is State.rerouted else None


def passed_over(story):
    return {name: str(why) for name, why in passed_over_in(story.steps[-1].history.details["passed_over"])}


def test_an_order_without_alternatives_is_ordered_again_from_who_offers_its_goods():
    story = told(offer("Yiwu", price=900, address="https://example.com/mug"))
    assert left(story) == "Yiwu"
    assert story.case.attempt.paid == 1800
    details = story.steps[-1].history.details
    assert json.loads(details["goods"]) == [["MUG", "Yiwu-MUG", "https://example.com/mug", 2, 900, "CNY"]]


def test_alternatives_of_its_own_go_before_the_catalogue():
    assert left(told(offer("Yiwu"), alternatives=("Own",))) == "Own"


def test_without_anybody_who_offers_its_goods_an_order_is_refunded():
    story = told(offer("Yiwu", "OTHER"))
    assert left(story) is None
    assert story.case.state is State.refunding


def test_a_supplier_must_offer_every_line():
    story = told(offer("Yiwu"), offer("Ningbo"), offer("Ningbo", "LAMP", 3000), lines=(MUG, LAMP))
    assert left(story) == "Ningbo"
    assert passed_over(story) == {"Yiwu": "lines"}
    assert story.case.attempt.paid == 2 * 1000 + 3000


def test_of_many_who_were_passed_over_the_first_are_named():
    story = told(*(offer(f"Supplier {n:03}") for n in range(MOST_NAMED + 5)), lines=(MUG, LAMP)).until(4)
    written = story.steps[-1].history.details["passed_over"]
    assert json.loads(written)["more"] == {"lines": 5}
    assert len(passed_over_in(written)) == MOST_NAMED


def test_a_refund_says_who_was_passed_over_in_vain():
    story = told(offer("Yiwu"), lines=(MUG, LAMP)).until(4)
    assert story.case.state is State.refunding
    assert passed_over(story) == {"Yiwu": "lines"}


def test_a_line_without_a_sku_is_offered_by_nobody():
    assert left(told(offer("Yiwu"), offer("Yiwu", ""), lines=(MUG, Line(title="Lamp")))) is None


def test_an_order_without_lines_turns_to_nobody():
    assert left(told(offer("Yiwu"), lines=())) is None


@pytest.mark.parametrize(
    ("countries", "country", "expected"),
    [
        ((), None, "Yiwu"),
        ((), "BR", "Yiwu"),
        (("US", "BR"), "br", "Yiwu"),
        (("US",), "BR", None),
        (("US",), None, None),
    ],
)
def test_a_supplier_must_deliver_to_the_country_of_the_order(countries, country, expected):
    assert left(told(offer("Yiwu", countries=countries), country=country)) == expected


def test_offers_of_another_shop_do_not_count_and_those_of_its_own_go_first():
    assert left(told(offer("Yiwu", shop="other"))) is None
    story = told(offer("Yiwu", price=500), offer("Yiwu", price=700, shop="main"))
    assert left(story) == "Yiwu"
    assert story.case.attempt.paid == 1400


def test_an_offer_counts_from_its_first_instant_until_before_its_last():
    assert left(told(offer("Yiwu", since=day(4)))) == "Yiwu"
    assert left(told(offer("Yiwu", since=day(4.1)))) is None
    assert left(told(offer("Yiwu", until=day(4)))) is None
    assert left(told(offer("Yiwu", until=day(4.1)))) == "Yiwu"


def test_the_best_rank_goes_first_and_then_what_costs_least():
    offers = offer("A", price=500), offer("B", price=900, rank=2), offer("C", price=990, rank=1), offer("D", price=980, rank=1)
    story = told(*offers)
    assert left(story) == "D"
    assert left(told(*offers, toml='[supply]\nchoose = "cheapest"')) == "A"
    story.report("report_no_stock", 5)
    story.report("report_no_stock", 6)
    story.report("report_no_stock", 7)
    assert [one.supplier for one in story.case.attempts] == ["First", "D", "C", "B", "A"]


def test_the_most_reliable_goes_first_once_its_record_rests_on_enough_orders():
    offers = offer("A", rank=1), offer("B", rank=2), offer("C", rank=3), offer("D", rank=4)
    records = {"b": Record(10, 8, 0), "c": Record(10, 9, 2), "d": Record(4, 4, 0)}
    toml = '[supply]\nchoose = "most_reliable"'
    assert left(told(*offers, toml=toml, records=records)) == "C"
    assert left(told(*offers, toml=f"{toml}\nreliable_from = 4", records=records)) == "D"
    assert left(told(*offers, toml=toml)) == "A"


def test_of_two_as_punctual_the_one_goes_first_that_owed_less_money_back():
    records = {"a": Record(10, 9, 2), "b": Record(10, 9, 1)}
    assert left(told(offer("A"), offer("B"), toml='[supply]\nchoose = "most_reliable"', records=records)) == "B"


@pytest.mark.parametrize(("price", "expected"), [(1150, "Yiwu"), (1151, None)])
def test_no_supplier_is_turned_to_that_costs_too_much_over_the_last_attempt(price, expected):
    story = told(offer("Yiwu", price=price), toml='[supply]\nmax_extra_cost = "15%"')
    assert left(story) == expected
    if expected is None:
        assert passed_over(story) == {"Yiwu": "costs_more"}


@pytest.mark.parametrize("values", [{"price": None}, {"currency": "USD"}])
def test_what_costs_an_unknown_sum_is_passed_over_only_within_a_limit(values):
    assert left(told(offer("Yiwu", **values))) == "Yiwu"
    assert left(told(offer("Yiwu", **values), toml='[supply]\nmax_extra_cost = "15%"')) is None


@pytest.mark.parametrize("values", [{"price": None}, {"currency": "USD"}])
def test_what_costs_an_unknown_sum_is_the_last_where_the_cheapest_goes_first(values):
    offers = offer("A", **values), offer("B", price=9_999)
    assert left(told(*offers, toml='[supply]\nchoose = "cheapest"')) == "B"
    assert left(told(offers[0], toml='[supply]\nchoose = "cheapest"')) == "A"


def test_nobody_is_turned_to_within_a_limit_where_nothing_says_what_was_paid():
    story = told(offer("Yiwu"), toml='[supply]\nmax_extra_cost = "15%"', paid=None)
    assert left(story) is None
    assert passed_over(story) == {"Yiwu": "paid_unknown"}


def test_a_supplier_that_has_had_its_turn_is_known_by_its_name_however_it_is_written():
    assert left(told(offer("FIRST"), offer("first "), offer("Yiwu", rank=9))) == "Yiwu"


def test_the_clocks_of_the_new_attempt_count_from_its_handling_time():
    story = told(offer("Yiwu", handling_time="3d"), offer("Yiwu", "LAMP", handling_time="1d"), lines=(MUG, LAMP))
    assert left(story) == "Yiwu"
    assert story.case.attempt.ship_by == day(7)
    assert story.timer("urge").due_at == day(9)


def test_what_is_asked_names_the_supplier_its_cost_and_those_passed_over():
    story = told(
        offer("Yiwu", price=900),
        offer("Ningbo", price=5000),
        toml="""
[supply]
max_extra_cost = "10%"
[effects.modes]
place_supply = "ask"
""",
    ).until(4)
    details = story.steps[-1].history.details
    assert (details["next"], details["cost"]) == ("Yiwu", 1800)
    assert passed_over(story) == {"Ningbo": "costs_more"}


def test_next_passes_over_the_supplier_that_the_catalogue_names():
    story = told(offer("Yiwu", rank=1), offer("Ningbo", rank=2), toml='[effects.modes]\nplace_supply = "ask"').until(4)
    story.answer(Way.next, 5)
    assert story.case.attempt.supplier == "Ningbo"


def test_only_the_supplier_that_is_turned_to_is_told_what_is_to_be_ordered():
    story = told(offer("Yiwu"), offer("Ningbo", "LAMP")).until(4)
    told_to = {one.kind: one.details for one in story.steps[-1].effects}
    assert told_to["place_supply"]["goods"]
    assert told_to["recover_supply"].keys().isdisjoint({"goods", "cost"})
    assert all("passed_over" not in details for details in told_to.values())


def test_a_limit_of_costs_is_written_in_percent():
    with pytest.raises(PolicyError, match="write percent"):
        rules_of("[supply]\nmax_extra_cost = 15")


def test_every_supplier_of_some_of_the_goods_is_a_candidate_the_best_first():
    offers = (
        *(offer("A", rank=2), offer("A", "LAMP"), offer("B", rank=1), offer("B", "LAMP", 9_000, rank=1), offer("C")),
        *(offer("D", countries=("FR",)), offer("D", "LAMP", countries=("FR",))),
    )
    wanted = Wanted("main", "US", "CNY", (MUG, LAMP))
    found = catalogue(*offers).candidates(wanted, Preference(Choose.rank, 10, 5), 5_000, day(1))
    assert [(one.supplier, one.cost, one.why_not) for one in found] == [
        ("A", 3_000, None),
        ("B", 11_000, Why.costs_more),
        ("C", None, Why.lines),
        ("D", None, Why.country),
    ]


def test_there_are_words_for_each_reason_to_pass_a_supplier_over():
    assert len({why_words(why) for why in Why}) == len(Why)


def test_what_a_choice_says_is_read_again_as_it_was():
    story = told(offer("Yiwu"), offer("Ningbo", "LAMP"), lines=(MUG,)).until(4)
    (goods,) = goods_in(story.steps[-1].history.details["goods"])
    assert goods == Goods("MUG", "Yiwu-MUG", None, 2, 1_000, "CNY")
    assert passed_over_in("") == []


@pytest.mark.parametrize("country", ["US", "us", "United States", "Vereinigte Staaten", "美国", "USA"])
def test_the_country_of_an_order_is_known_by_its_code_or_its_name(country):
    assert left(told(offer("Yiwu", countries=("US",)), country=country)) == "Yiwu"
    assert left(told(offer("Yiwu", countries=("FR",)), country=country)) is None


def test_a_country_that_nobody_knows_is_none_that_is_delivered_to():
    assert left(told(offer("Yiwu", countries=("US",)), country="Atlantis")) is None


def test_the_best_of_several_offers_of_one_supplier_counts():
    offers = offer("Yiwu", price=900, countries=("FR",)), offer("Yiwu", price=1_100), offer("Yiwu", price=1_000)
    story = told(*offers)
    assert left(story) == "Yiwu"
    assert story.case.attempt.paid == 2_000
