"""How suppliers have done, by period (rule 2.20)."""

from dataclasses import replace

import pytest

from engine.answering import decide
from engine.firing import fire_due
from engine.scorecards import NO_NAME, scores_of
from engine.undoing import undo_last
from engine.views import Filter
from storage import scorecards
from tests.factories import RULES, arrival, day, report, rules_of, take
from workflow.catalogue import Record
from workflow.decisions import Answer
from workflow.errors import UsageError
from workflow.names import folded
from workflow.vocabulary import Way

KIM = "person:kim"
ALONE = {"supplier": "Yiwu", "alternatives": ()}


def scores(database, *bounds, at=100, **wanted):
    found = scores_of(database, [day(one) for one in bounds or (0, 100)], day(at), Filter(**wanted))
    return {one.supplier: one for one in found}


def fire(database, *days, rules=RULES):
    for at in days:
        assert not fire_due(database, day(at), rules).failures


def test_what_was_shipped_without_an_urge_was_on_time(database):
    take(database, arrival("1", report("ship", 1), **ALONE), arrival("2", **ALONE), arrival("3", **ALONE), now=1)
    fire(database, 2)
    take(database, arrival("2", report("ship", 3), placing=False, **ALONE), now=3)
    yiwu = scores(database, at=4)["Yiwu"]
    assert (yiwu.attempts, yiwu.due, yiwu.on_time, yiwu.on_time_share) == (3, 3, 1, 0.333)
    assert (yiwu.shipped, yiwu.urged, yiwu.days_to_ship) == (2, 2, 2.0)
    assert scores(database, at=1.5)["Yiwu"].due == 1, "what became later is not known then"


def test_what_came_in_as_shipped_was_on_time_if_it_left_before_its_supplier_had_to_be_urged(database):
    late, punctual = arrival("1", report("ship", 2.1), **ALONE), arrival("2", report("ship", 2), **ALONE)
    promised = arrival("3", report("promise", 1, ship_by=day(5).isoformat()), report("ship", 6.9), **ALONE)
    take(database, late, punctual, promised, now=9)
    yiwu = scores(database)["Yiwu"]
    assert (yiwu.urged, yiwu.shipped, yiwu.on_time) == (0, 3, 2)


def test_what_a_supplier_that_had_no_stock_sends_after_all_was_not_on_time(database):
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu"), now=1)
    take(database, arrival("1", report("ship", 1.5, attempt=1), placing=False, supplier="Yiwu"), now=2)
    yiwu = scores(database)["Yiwu"]
    assert (yiwu.due, yiwu.shipped, yiwu.on_time, yiwu.left) == (1, 1, 0, 1)


def test_what_is_not_due_yet_says_nothing(database):
    take(database, arrival("1", **ALONE), now=1)
    yiwu = scores(database, at=1)["Yiwu"]
    assert (yiwu.attempts, yiwu.due, yiwu.on_time_share, yiwu.days_to_ship) == (1, 0, None, None)


def test_an_order_that_goes_elsewhere_was_left(database):
    take(database, arrival("1", supplier="Yiwu"), arrival("2", report("report_no_stock", 1), supplier="Yiwu"), now=1)
    fire(database, 2, 4)
    yiwu = scores(database)["Yiwu"]
    assert (yiwu.left, yiwu.no_stock, yiwu.urged, yiwu.due) == (2, 1, 1, 2)
    assert scores(database)["alt-1"].left == 0


def test_an_order_that_nobody_else_has_was_left_too(database):
    take(database, arrival("1", **ALONE), arrival("2", report("report_no_stock", 1), **ALONE), now=1)
    fire(database, 2, 4)
    assert (scores(database)["Yiwu"].left, scores(database)["Yiwu"].no_stock) == (2, 1)


def test_what_the_merchant_decides_counts_for_the_supplier_that_was_left(database):
    asking = rules_of("[effects.modes]\nplace_supply = 'ask'\n")
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu"), now=1, rules=asking)
    assert scores(database)["Yiwu"].left == 0
    decide(database, "1", Answer(Way.refund, KIM), day(2), asking)
    assert (scores(database)["Yiwu"].left, scores(database)["Yiwu"].no_stock) == (1, 1)


def test_a_cancellation_of_the_customer_is_not_the_suppliers_fault(database):
    take(database, arrival("1", report("cancel", 1), report("confirm_interception", 1.5), **ALONE), now=2)
    yiwu = scores(database)["Yiwu"]
    assert (yiwu.attempts, yiwu.due, yiwu.left) == (1, 0, 0)


def test_what_was_taken_back_does_not_count(database):
    take(database, arrival("1", **ALONE), now=0)
    told = replace(report("report_no_stock", 1), actor=KIM)
    take(database, arrival("1", told, placing=False, **ALONE), now=1)
    assert scores(database)["Yiwu"].left == 1
    undo_last(database, "1", KIM, day(1.0001), RULES)
    assert (scores(database)["Yiwu"].left, scores(database)["Yiwu"].no_stock) == (0, 0)


def test_a_supplier_that_has_sent_the_goods_after_all_was_left_once(database):
    take(database, arrival("1", supplier="Yiwu"), now=0)
    fire(database, 2, 4)
    take(database, arrival("1", report("ship", 3.5, attempt=1), placing=False, supplier="Yiwu"), now=5)
    yiwu = scores(database)["Yiwu"]
    assert (yiwu.left, yiwu.shipped, yiwu.on_time) == (1, 1, 0)


def test_names_are_one_supplier_however_they_are_written(database):
    take(database, *(arrival(str(n), supplier=name) for n, name in enumerate(("Yiwu", "YIWU", " yiwu", "YIWU"))))
    assert {one: found.attempts for one, found in scores(database).items()} == {"YIWU": 4}


def test_a_supplier_is_asked_for_however_its_name_is_written(database):
    take(database, *(arrival(str(n), supplier=name) for n, name in enumerate(("Éclair", "éclair", "ＹＩＷＵ", "Yiwu"))))
    assert scores(database, suppliers=("ÉCLAIR",)).popitem()[1].attempts == 2
    assert scores(database, suppliers=("yiwu",)).popitem()[1].attempts == 2


def test_orders_without_a_supplier_are_told_as_such(database):
    take(database, arrival("1"))
    assert scores(database)[NO_NAME].attempts == 1


def test_claims_count_for_the_supplier_that_has_sent_the_goods(database):
    sent = (report("ship", 1), report("deliver", 2))
    claimed = (*sent, report("open_claim", 3, kind="damaged"))
    withdrawn = (*claimed, report("withdraw", 4))
    take(database, arrival("1", *claimed, **ALONE), arrival("2", *sent, **ALONE), arrival("3", *withdrawn, **ALONE), now=5)
    assert (scores(database)["Yiwu"].claims, scores(database)["Yiwu"].shipped) == (1, 3)


def test_periods_are_told_apart_by_when_the_order_was_placed_there(database):
    take(database, arrival("1", report("report_no_stock", 3), supplier="Yiwu"), now=3)
    found = scores_of(database, [day(0), day(2), day(4)], day(100))
    assert [(one.supplier, one.since, one.until, one.left) for one in found] == [
        ("Yiwu", day(0), day(2), 1),
        ("alt-1", day(2), day(4), 0),
    ]
    assert scores(database, 2, 4).keys() == {"alt-1"}
    assert scores(database, 4, 5) == {}


def test_money_that_was_asked_back_is_told_by_currency(database):
    first = arrival("1", report("report_no_stock", 1), supplier="Yiwu", paid=1_000)
    second = arrival("2", report("report_no_stock", 1), supplier="yiwu", paid=500)
    third = arrival("3", report("report_no_stock", 1), supplier="Yiwu", paid=None)
    third = replace(third, order=replace(third.order, currency="USD"))
    take(database, first, second, third, now=1)
    came = report("settle_recovery", 5, row=1, amount=400, final=True)
    take(database, arrival("1", came, placing=False, supplier="Yiwu", paid=1_000), now=5)
    cny, usd = scores(database)["Yiwu"].money
    assert (cny.currency, cny.orders, cny.amount, cny.back, cny.declined, cny.open) == ("CNY", 2, 1_500, 400, 600, 500)
    assert (cny.settled, cny.days) == (1, 4.0)
    assert (usd.currency, usd.orders, usd.amount, usd.unknown, usd.days) == ("USD", 1, 0, 1, None)


def test_old_orders_say_nothing_of_a_supplier(database):
    take(database, arrival("1", report("ship", 40), **ALONE), now=100, older_than=day(60) - day(0))
    assert scores(database) == {}


def test_the_supplier_with_the_most_that_was_not_on_time_comes_first(database):
    take(database, *(arrival(str(n), report("ship", 1), supplier="Good", alternatives=()) for n in range(3)), now=1)
    take(database, *(arrival(f"b{n}", supplier="Bad", alternatives=()) for n in range(2)), now=1)
    fire(database, 2)
    assert [*scores(database)] == ["Bad", "Good"]


def test_the_choice_of_the_most_reliable_stands_on_the_same_figures(database):
    kinds = ((), (report("ship", 1),), (report("report_no_stock", 1),))
    named = ("Yiwu", "Ningbo", "YIWU")
    take(database, *(arrival(f"{n}", *kinds[n % 3], supplier=named[n // 3 % 3]) for n in range(18)), now=1)
    fire(database, 2, 4)
    with database.read() as connection:
        records = scorecards.records(connection, day(0), day(10))
    shown = {folded(one.supplier): Record(one.due, one.on_time, one.left) for one in scores(database, 0, 10, at=10).values()}
    assert records == {name: record for name, record in shown.items() if record.orders}
    assert records["yiwu"] == Record(12, 4, 8)


def test_shops_and_suppliers_are_chosen_by_name(database):
    take(database, arrival("1", shop="tea", supplier="Yiwu"), arrival("2", shop="mugs", supplier="Yiwu"), now=0)
    assert scores(database, shops=("Tea",), suppliers=("yiwu",))["Yiwu"].attempts == 1
    with pytest.raises(UsageError, match="did you mean Yiwu"):
        scores(database, suppliers=("Yivu",))
