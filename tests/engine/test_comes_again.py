"""Orders that come again with other facts, and facts that a person amends (rules 2.15 and 7.8), on both databases."""

from dataclasses import replace

from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.importing import import_orders
from engine.judging_again import judge_again
from engine.known_orders import StoredOrders
from engine.rebuild import as_known
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from storage import audits, queries
from storage.erasing import personal_texts
from tests.factories import RULES, all_effects, arrival, day, report, rules_of, state, take
from workflow.case.case import Line, Report
from workflow.policy.policy import Orders
from workflow.vocabulary import State


def case_of(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number).case


def exceptions(database):
    with database.read() as connection:
        return [row["reason"] for row in queries.reports(connection, 1) if row["verdict"] == "exception"]


def whole(database):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection))


def amend(database, at, **fields):
    told = Report("amend", day(at), "person:kim", f"amend@{at}", "person:kim", fields)
    (outcome,) = take(database, arrival("1", told, placing=False), now=at)
    return outcome.received[0].verdict


def test_what_was_not_known_is_filled_in_and_who_the_buyer_is_changes_as_told(database):
    take(database, arrival("1", buyer_name="Kim", buyer_address="Here 1"))
    facts = {"paid": 5_000, "supplier": "Yiwu", "group": "g", "buyer_name": "Lee", "buyer_address": "There 2", "language": "zh"}
    take(database, arrival("1", **facts), now=1)
    case = case_of(database)
    assert {name: getattr(case.order, name) for name in facts} == facts
    assert (case.attempt.supplier, case.steps) == ("Yiwu", 2)
    take(database, arrival("1", **facts), now=2)
    assert case_of(database).steps == 2
    assert exceptions(database) == []
    assert whole(database)


def test_new_lines_and_pieces_come_in_until_something_is_claimed(database):
    first = arrival("1", paid=5_000)
    take(database, first)
    more = (Line("sku", "Lamp", 3, 500), Line("MUG", "Mug", 1), Line("MUG", "Mug", 2))
    take(database, replace(first, lines=more), now=1)
    assert case_of(database).lines == more
    take(database, replace(first, lines=(Line("MUG", "Mug", 1, 700), Line("MUG", "Mug", 2))), now=2)
    assert case_of(database).lines == (more[0], Line("MUG", "Mug", 1, 700), more[2])
    told = [report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged")]
    take(database, arrival("1", *told, placing=False), now=4)
    take(database, replace(first, lines=(*more, Line("CUP", "Cup"))), now=5)
    assert len(case_of(database).lines) == 3
    assert [one.split(":")[0] for one in exceptions(database)] == [
        "lines is without 'CUP', and told as with 'CUP', while something is claimed"
    ]
    assert whole(database)


def test_a_title_is_filled_in_and_another_price_or_fewer_pieces_need_a_person(database):
    first = replace(arrival("1"), lines=(Line("sku", "", 2, 500),))
    take(database, first)
    take(database, replace(first, lines=(Line("sku", "Lamp", 1, 600),)), now=1)
    assert case_of(database).lines == (Line("sku", "Lamp", 2, 500),)
    assert [one.split(":")[0] for one in exceptions(database)] == [
        "quantity of line 1 is 2, and told as 1",
        "price of line 1 is 5.00 CNY, and told as 6.00 CNY",
    ]
    other_money = replace(first, order=replace(first.order, currency="JPY", paid=9), lines=(Line("sku", "Lamp", 2, 5),))
    take(database, other_money, now=2)
    assert [one.split(":")[0] for one in exceptions(database)][2:] == ["currency is CNY, and told as JPY"]
    assert whole(database)


def test_a_ship_date_that_is_put_off_while_the_order_is_being_stopped_counts_when_it_goes_on(database):
    take(database, arrival("1", report("cancel", 1), supplier="Yiwu"), now=1)
    take(database, arrival("1", supplier="Yiwu", ship_by=day(5)), now=1.5)
    case = case_of(database)
    assert (case.state, case.attempt.ship_by, case.order.ship_by) == (State.intercepting, day(5), day(5))
    assert whole(database)


def test_two_files_of_one_instant_may_both_tell_something_new(database):
    take(database, arrival("1"))
    take(database, arrival("1", group="g"), now=1)
    take(database, arrival("1", group="g", country="DE"), arrival("1", group="h", country="DE"), now=1)
    order = case_of(database).order
    assert (order.group, order.country, case_of(database).steps) == ("h", "DE", 4)
    assert whole(database)


def test_the_name_of_a_later_supplier_is_not_that_of_the_order(database):
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu"), now=1)
    assert amend(database, 2, supplier="Ningbo Trading") == "applied"
    case = case_of(database)
    assert [one.supplier for one in case.attempts] == ["Yiwu", "Ningbo Trading"]
    assert case.order.supplier == "Yiwu"
    assert whole(database)


def test_what_would_change_money_or_route_is_one_exception_for_each_told_value(database):
    first = arrival("1", paid=5_000, supplier="Yiwu")
    take(database, first)
    other = arrival("1", paid=6_000, supplier="Ningbo", route="international")
    (outcome,) = take(database, other, now=1)
    assert [one.verdict for one in outcome.received] == ["exception"] * 3 + ["duplicate"]
    (outcome,) = take(database, other, now=2)
    assert {one.verdict for one in outcome.received} == {"duplicate"}
    assert [one.split(":")[0] for one in exceptions(database)] == [
        "route is domestic, and told as international",
        "supplier is Yiwu, and told as Ningbo",
        "paid is 50.00 CNY, and told as 60.00 CNY",
    ]
    assert {one.verdict for one in judge_again(database, None, day(3), RULES)} == {"exception"}
    assert case_of(database).order == replace(first.order)
    assert amend(database, 3, paid=6_000, supplier="Ningbo", route="international") == "applied"
    (outcome,) = take(database, other, now=4)
    assert [one.verdict for one in outcome.received] == ["duplicate"]
    assert whole(database)


def test_a_default_contradicts_nothing_nor_does_a_supplier_that_has_an_attempt(database):
    take(database, arrival("1", supplier="Yiwu", language="zh"))
    told = arrival("1", supplier="Yiwu", language="en", country="DE", route="international")
    take(database, replace(told, given=frozenset({"supplier"})), now=1)
    take(database, arrival("1", report("report_no_stock", 2), placing=False), now=2)
    take(database, arrival("1", supplier="alt-1", language="zh"), now=3)
    order = case_of(database).order
    assert (exceptions(database), order.language, order.country) == ([], "zh", None)
    assert whole(database)


def test_a_later_ship_date_of_a_file_is_a_promise_for_the_attempt_of_its_supplier(database):
    take(database, arrival("1", supplier="Yiwu", ship_by=day(1)))
    fire_due(database, day(3), RULES)
    assert case_of(database).state is State.overdue_urged
    take(database, arrival("1", supplier="Yiwu", ship_by=day(5)), now=4)
    take(database, arrival("1", supplier="Yiwu", ship_by=day(2)), now=4.5)
    assert case_of(database).attempt.ship_by == day(5)
    fire_due(database, day(8), RULES)
    assert case_of(database).state is State.overdue_urged
    fire_due(database, day(9), RULES)
    take(database, arrival("1", supplier="Yiwu", ship_by=day(20)), now=9.5)
    case = case_of(database)
    assert (case.state, [one.ship_by for one in case.attempts]) == (State.rerouted, [day(5), None])
    take(database, arrival("1", supplier="alt-1", ship_by=day(15)), now=10)
    assert case_of(database).attempts[1].ship_by == day(15)
    assert exceptions(database) == []
    assert whole(database)


def test_what_waits_unsent_is_for_the_supplier_by_its_other_name(database):
    named = rules_of("[contacts.suppliers]\n'Yiwu Trading' = 'yiwu@example.com'\n[effects]\ndefault_channels = ['email']\n")
    take(database, arrival("1", supplier="Yiwu"), rules=named)
    fire_due(database, day(2), named)
    compose_due(database, day(2), named, Messenger({}, Letters()))
    with database.read() as connection:
        assert [row["status"] for row in all_effects(connection)] == ["dead"]
    assert amend(database, 3, supplier="Yiwu Trading") == "applied"
    with database.read() as connection:
        assert [row["supplier"] for row in all_effects(connection)] == ["Yiwu Trading"]
    assert whole(database)


def test_a_contradiction_that_a_person_has_amended_is_none_any_more(database):
    take(database, arrival("1", paid=5_000))
    take(database, arrival("1", paid=6_000), now=1)
    assert amend(database, 2, paid=6_000) == "applied"
    assert [one.verdict for one in judge_again(database, None, day(3), RULES)] == ["applied"]
    assert exceptions(database) == []
    assert whole(database)


def test_the_ship_date_of_an_order_with_another_supplier_promises_nothing(database):
    take(database, arrival("1", supplier="Yiwu"))
    take(database, arrival("1", supplier="Omega", ship_by=day(9)), now=1)
    assert case_of(database).attempt.ship_by is None


def test_a_former_buyer_is_not_named_in_what_is_said_later(database):
    take(database, arrival("1", buyer_name="Ann Former"))
    assert amend(database, 1, buyer_name="Zoe Latter") == "applied"
    take(database, arrival("1", report("cancel", 2, reason="Ann Former rang"), placing=False), now=2)
    with database.read() as connection:
        assert queries.history(connection, 1)[-1].reason == "(the buyer) rang"
    assert whole(database)


def test_an_erasure_looks_for_a_buyer_by_who_they_were_too(database):
    take(database, arrival("1", buyer_name="Kim Former", buyer_address="Old Street 5"))
    take(database, arrival("1", buyer_name="Lee Latter", buyer_address="New Street 6"), now=1)
    assert amend(database, 2, buyer_name="Lee Last") == "applied"
    with database.read() as connection:
        texts = personal_texts(connection, [1])
    assert {"Kim Former", "Old Street 5", "Lee Latter", "New Street 6", "Lee Last"} <= set(texts)
    assert whole(database)


def test_a_supplier_is_written_to_by_the_number_that_it_knows(database):
    take(database, arrival("1", supplier="Yiwu", supplier_number="TB-77", sale=9_000))
    fire_due(database, day(2), RULES)
    assert amend(database, 2.5, supplier_number="TB-78", sale=9_500) == "applied"
    compose_due(database, day(2.5), RULES, Messenger({}, Letters()))
    with database.read() as connection:
        (message,) = connection.exec_driver_sql("SELECT subject, body FROM messages WHERE kind = 'urge_supplier'").all()
    assert "TB-78 (main/1)" in message[0]
    case = case_of(database)
    assert (case.attempt.supplier_number, case.order.supplier_number, case.order.sale) == ("TB-78", "TB-78", 9_500)
    take(database, arrival("1", supplier="Yiwu", supplier_number="TB-79", sale=9_000), now=3)
    assert [one.split(":")[0] for one in exceptions(database)] == [
        "supplier_number is TB-78, and told as TB-79",
        "sale is 95.00 CNY, and told as 90.00 CNY",
    ]
    assert whole(database)


def test_why_an_exception_still_is_one_is_told_as_of_now(database):
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu", alternatives=(), paid=1_000), now=1)
    came = report("settle_refund", 3, amount=1_500)
    take(database, arrival("1", came, placing=False, supplier="Yiwu", alternatives=(), paid=1_000), now=2)
    assert "ahead of now" in exceptions(database)[0]
    (judged,) = judge_again(database, None, day(4), RULES)
    assert judged.why.startswith("a refund cannot exceed what was paid")
    assert exceptions(database) == [judged.why]


def test_a_later_suppliers_ship_date_waits_while_the_order_is_being_stopped(database):
    take(database, arrival("1", report("report_no_stock", 1), report("cancel", 2), supplier="Yiwu"), now=2)
    take(database, arrival("1", supplier="alt-1", ship_by=day(9)), now=3)
    assert (case_of(database).state, case_of(database).attempt.ship_by) == (State.intercepting, None)
    take(database, arrival("1", report("fail_interception", 4), placing=False), now=4)
    take(database, arrival("1", supplier="alt-1", ship_by=day(9)), now=5)
    assert case_of(database).attempt.ship_by == day(9)
    assert whole(database)


def add_from(database, tmp_path, content, table, now):
    path = tmp_path / "more.csv"
    path.write_text(content)
    file = OrderFile(path, parse_mapping(table), Orders(), StoredOrders(database))
    return import_orders(database, file, day(now), RULES)


def test_files_of_lines_payments_and_parcels_add_to_orders_of_an_earlier_file(database, tmp_path):
    take(database, replace(arrival("1"), lines=()), replace(arrival("2", buyer_name="Lee"), lines=()))
    lines = {"order": {"id": "id"}, "line": {"sku": "sku", "price": "price"}}
    done = add_from(database, tmp_path, "id,sku,price\n1,a,5\n1,b,7.50\n9,c,1\n", lines, 1)
    assert [(line.sku, line.price) for line in case_of(database).lines] == [("a", 500), ("b", 750)]
    assert [one.order for one in done.rejected] == ["9"]
    assert done.tally.orders == 1
    payments = {"order": {"id": "id", "paid": {"column": "paid", "sum": True}}}
    add_from(database, tmp_path, "id,paid\n1,10.20\n2,3\n1,2.30\n", payments, 2)
    assert (case_of(database).paid, case_of(database, "2").paid) == (1_250, 300)
    assert case_of(database, "2").order.buyer_name == "Lee"
    shipped = {"order": {"id": "id"}, "reports": {"ship": {"at": "at", "tracking_number": "t"}}}
    add_from(database, tmp_path, f"id,at,t\n1,{day(1.5).isoformat()},AB1\n2,{day(1.5).isoformat()},AB1\n", shipped, 3)
    assert state(database) == state(database, "2") == State.shipped
    carrier = {
        "order": {"tracking_number": "t"},
        "reports": {"note_transit": {"at": "at", "status": "s"}, "deliver": {"at": "d"}},
    }
    news = f"t,at,s,d\nab1,{day(2).isoformat()},left,\nab1,{day(3).isoformat()},arrived,\nab1,,,{day(4).isoformat()}\n"
    done = add_from(database, tmp_path, news, carrier, 5)
    assert state(database) == state(database, "2") == State.delivered
    assert done.tally.reported == {"note_transit": 4, "deliver": 2}
    again = add_from(database, tmp_path, news, carrier, 6)
    assert (again.tally.reported, again.tally.duplicates, again.rejected) == ({}, 6, [])
    assert exceptions(database) == []
    assert whole(database)


def test_a_quantity_that_cannot_be_read_contradicts_none(database, tmp_path):
    table = {"order": {"id": "id", "placed_at": "at"}, "line": {"sku": "sku", "quantity": "n"}}
    for n, cell in ((1, "zwei"), (2, "2"), (3, "zwei")):
        add_from(database, tmp_path, f"id,at,sku,n\n1,{day(0).isoformat()},a,{cell}\n", table, n)
    assert [line.quantity for line in case_of(database).lines] == [2]
    assert exceptions(database) == []
