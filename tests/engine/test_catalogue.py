"""The catalogue of a database: who is turned to, what is kept of it, and how it changes (rules 2.20 and 7.12)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.answering import decide
from engine.auditing import Deep, audit
from engine.catalogue import chooser_of, import_offers, last_change, undo_last, with_current_catalogue
from engine.firing import fire_due
from engine.rebuild import as_known, as_occurred
from engine.undoing import undo_last as undo_step
from evidence.vault import S3Access, Vault
from storage import offers, queries, scorecards
from storage.tables import AttemptRow, LineRow, table_of
from tests.factories import RULES, arrival, day, report, rules_of, state, take
from workflow.catalogue import Offer
from workflow.decisions import Answer, Shown
from workflow.errors import Refused, UsageError
from workflow.policy.policy import read_policy
from workflow.rules.choosing import next_choice
from workflow.vocabulary import State, Way

KIM = "person:kim"
ASKING = rules_of("[effects.modes]\nplace_supply = 'ask'\n")
YIWU = Offer("Yiwu", "sku", price=600, currency="CNY", rank=1, supplier_sku="Y-1")
NINGBO = Offer("Ningbo", "sku", price=700, currency="CNY", rank=2)


def bring(database, *told, now=0.0, **options):
    return import_offers(database, told, "prices.csv", KIM, day(now), **options)


def rules(database, of=RULES):
    return with_current_catalogue(database, of)


def place(database, number="1", **values):
    take(database, arrival(number, alternatives=(), supplier="First", paid=1_200, **values), rules=rules(database))


def fire(database, *days, of=RULES):
    for at in days:
        fired = fire_due(database, day(at), rules(database, of))
        assert not fired.failures


def case_of(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number).case


def history_of(database, number="1"):
    with database.read() as connection:
        return queries.history(connection, queries.resolve_id(connection, number))


def assert_exact(database, number="1", of=RULES):
    with database.read() as connection:
        order_id = queries.resolve_id(connection, number)
        rebuilt = as_known(connection, order_id, day(99), rules(database, of))
        assert rebuilt.exact
        assert rebuilt.case.attempts == case_of(database, number).attempts


def test_an_order_is_ordered_again_as_the_catalogue_stands_then(database, tmp_path):
    bring(database, YIWU, NINGBO)
    place(database)
    bring(database, replace(YIWU, price=650), now=3)
    fire(database, 2, 4)
    attempt = case_of(database).attempt
    assert (attempt.supplier, attempt.paid) == ("Yiwu", 1_300)
    assert json.loads(history_of(database)[-1].details["goods"]) == [["sku", "Y-1", None, 2, 650, "CNY"]]
    bring(database, replace(NINGBO, supplier="Yiwu", price=1), now=5)
    assert_exact(database)
    found = audit(database, Deep(rules(database), Vault(str(tmp_path), S3Access())))
    assert found.broken == []


def test_what_had_occurred_is_told_under_the_catalogue_in_force(database):
    bring(database, YIWU)
    place(database)
    fire(database, 2, 4)
    with database.read() as connection:
        told = as_occurred(connection, 1, day(5), rules(database))
    assert told.case.attempt.supplier == "Yiwu"


def test_an_order_of_the_same_file_as_its_report_is_turned_to_the_catalogue_too(database):
    bring(database, YIWU)
    take(
        database,
        arrival("1", report("report_no_stock", 0.5), alternatives=(), supplier="First"),
        now=1,
        rules=rules(database),
    )
    assert case_of(database).attempt.supplier == "Yiwu"
    assert_exact(database)


def test_a_report_that_comes_late_finds_the_catalogue_as_it_stands_when_it_comes(database):
    bring(database, replace(YIWU, until=day(2)), replace(NINGBO, since=day(3)))
    place(database)
    take(database, arrival("1", report("report_no_stock", 1), placing=False, alternatives=()), now=3, rules=rules(database))
    assert case_of(database).attempt.supplier == "Ningbo"


def test_suppliers_are_turned_to_one_after_the_other_until_none_is_left(database):
    bring(database, YIWU, NINGBO)
    place(database)
    fire(database, 2, 4, 6, 8, 10, 12)
    assert [one.supplier for one in case_of(database).attempts] == ["First", "Yiwu", "Ningbo"]
    assert state(database) is State.refunding
    assert_exact(database)


@pytest.mark.parametrize(
    ("way", "supplier"), [(Way.yes, "Yiwu"), (Way.next, "Ningbo"), (Way.refund, "First"), (Way.stay, "First")]
)
def test_decisions_are_told_again_as_they_were_taken(database, way, supplier):
    bring(database, YIWU, NINGBO)
    place(database)
    fire(database, 2, 4, of=ASKING)
    assert history_of(database)[-1].details["next"] == "Yiwu"
    decide(database, "1", Answer(way, KIM), day(5), rules(database, ASKING))
    assert case_of(database).attempt.supplier == supplier
    bring(database, Offer("Ningbo", "sku"), Offer("Yiwu", "sku", countries=("FR",)), now=6)
    assert_exact(database, of=ASKING)


def test_a_decision_is_answered_as_the_catalogue_stands_then(database):
    bring(database, YIWU)
    place(database)
    fire(database, 2, 4, of=ASKING)
    bring(database, replace(NINGBO, rank=None), replace(YIWU, rank=3), replace(NINGBO, supplier="Best", rank=1), now=5)
    decide(database, "1", Answer(Way.yes, KIM, shown=Shown("Best")), day(6), rules(database, ASKING))
    assert case_of(database).attempt.supplier == "Best"
    assert_exact(database, of=ASKING)


def test_a_choice_is_taken_back_with_its_step(database):
    bring(database, YIWU)
    place(database)
    take(
        database,
        arrival("1", replace(report("report_no_stock", 1), actor=KIM), placing=False, alternatives=()),
        now=1,
        rules=rules(database),
    )
    assert case_of(database).attempt.paid == 1_200
    undo_step(database, "1", KIM, day(1.0001), rules(database))
    assert case_of(database).attempt.supplier == "First"
    assert_exact(database)


def test_the_most_reliable_is_known_from_what_became_of_its_orders(database):
    of = rules_of('[supply]\nchoose = "most_reliable"\nreliable_from = 2')
    bring(database, YIWU, NINGBO)
    for number in range(4):
        supplier = "ningbo" if number % 2 else "YIWU"
        shipped = [report("ship", 1)] if number % 2 else []
        take(database, arrival(f"before-{number}", *shipped, supplier=supplier), now=1, rules=of)
    fire(database, 2, of=of)
    take(database, arrival("1", alternatives=(), supplier="First"), now=2, rules=rules(database, of))
    with database.write() as connection:
        connection.execute(table_of(AttemptRow).update().where(table_of(AttemptRow).c.order_id == 5).values(ship_by=day(1)))
    fire(database, 5, 7.5, of=of)
    assert case_of(database).attempt.supplier == "Ningbo"


def test_a_file_that_says_what_is_known_changes_nothing(database):
    assert (bring(database, YIWU, NINGBO).version, bring(database, NINGBO, replace(YIWU, supplier="YIWU")).version) == (1, None)
    assert len(changes(database)) == 1


def changes(database):
    with database.read() as connection:
        return offers.changes(connection)


def kept(database):
    with database.read() as connection:
        return {(one.offer.supplier, one.offer.sku, one.offer.price) for one in offers.all_offers(connection)}


def test_a_file_changes_ends_and_adds_what_its_suppliers_offer_and_leaves_others_alone(database):
    other = Offer("Yiwu", "other", price=5, currency="CNY")
    bring(database, YIWU, other, NINGBO)
    done = bring(database, replace(YIWU, price=601), Offer("Yiwu", "new"), now=1)
    assert (len(done.added), len(done.ended), len(done.changed), done.same) == (2, 2, 1, 0)
    assert kept(database) == {("Yiwu", "sku", 601), ("Yiwu", "new", None), ("Ningbo", "sku", 700)}


def test_a_file_may_leave_what_it_does_not_name(database):
    other = Offer("Yiwu", "other", price=5, currency="CNY")
    bring(database, YIWU, other)
    bring(database, replace(YIWU, price=601), now=1, keep=True)
    assert kept(database) == {("Yiwu", "sku", 601), ("Yiwu", "other", 5)}


def test_a_dry_run_counts_and_stores_nothing(database):
    assert len(bring(database, YIWU, dry_run=True).added) == 1
    assert kept(database) == set()
    assert chooser_of(database) is None


def test_the_last_change_is_taken_back_and_the_one_before_it_too(database):
    bring(database, YIWU, NINGBO)
    bring(database, replace(YIWU, price=601), now=1)
    assert undo_last(database, last_change(database).version, KIM, day(2)).version == 2
    assert kept(database) == {("Yiwu", "sku", 600), ("Ningbo", "sku", 700)}
    assert undo_last(database, last_change(database).version, KIM, day(2)).version == 1
    assert kept(database) == set()
    with pytest.raises(UsageError, match="no change of the catalogue is left"):
        undo_last(database, last_change(database).version, KIM, day(2))


def test_rules_stay_the_same_while_the_catalogue_does(database):
    first = rules(database)
    assert first is RULES
    bring(database, YIWU)
    second = rules(database, first)
    assert second is not first
    assert rules(database, second) is second


def test_yes_to_a_refund_orders_nothing_and_yes_to_an_order_asks_for_no_refund(database):
    asking = rules_of('[effects.modes]\nplace_supply = "ask"\nrequest_refund = "ask"\n')
    place(database, "1")
    bring(database, Offer("Other", "other"))
    fire(database, 2, 4, of=asking)
    assert "next" not in history_of(database)[-1].details
    bring(database, replace(YIWU, price=90_000), now=5)
    yes = Answer(Way.yes, KIM)
    with pytest.raises(Refused, match=r"would order from Yiwu for 1800\.00 CNY"):
        decide(database, "1", yes, day(6), rules(database, asking))
    assert state(database) is State.overdue_urged
    decide(database, "1", replace(yes, anyway=True), day(6), rules(database, asking))
    assert case_of(database).attempt.supplier == "Yiwu"


def test_yes_to_an_order_is_refused_when_nobody_is_left_or_it_has_become_dearer(database):
    bring(database, YIWU)
    place(database)
    fire(database, 2, 4, of=ASKING)
    bring(database, replace(YIWU, price=700), now=5)
    yes = Answer(Way.yes, KIM)
    with pytest.raises(Refused, match="look at it again"):
        decide(database, "1", yes, day(6), rules(database, ASKING))
    bring(database, replace(YIWU, price=500), now=7)
    assert decide(database, "1", yes, day(8), rules(database, ASKING), dry_run=True).case.attempt.paid == 1_000
    undo_last(database, last_change(database).version, KIM, day(9))
    undo_last(database, last_change(database).version, KIM, day(9))
    undo_last(database, last_change(database).version, KIM, day(9))
    with pytest.raises(Refused, match="nobody is left to order from"):
        decide(database, "1", yes, day(10), rules(database, ASKING))


def test_next_passes_over_whom_the_person_was_asked_about_and_nobody_else(database):
    bring(database, YIWU, NINGBO)
    place(database)
    fire(database, 2, 4, of=ASKING)
    bring(database, replace(NINGBO, rank=1), replace(YIWU, rank=2), Offer("Third", "sku", rank=3), now=5)
    following = Answer(Way.next, KIM)
    with pytest.raises(Refused, match="look at it again"):
        decide(database, "1", following, day(6), rules(database, ASKING))
    decide(database, "1", replace(following, shown=Shown("Yiwu")), day(6), rules(database, ASKING))
    assert_exact(database, of=ASKING)


def test_what_waits_behind_a_decision_is_told_again_as_it_was(database):
    bring(database, YIWU)
    place(database)
    said = report("report_no_stock", 1), report("promise", 1.5, ship_by=day(1.6).isoformat())
    take(database, arrival("1", said[0], placing=False, alternatives=()), now=1, rules=rules(database, ASKING))
    take(database, arrival("1", said[1], placing=False, alternatives=()), now=1.5, rules=rules(database, ASKING))
    fire(database, 4, 6, 8, of=ASKING)
    bring(database, replace(YIWU, price=1), now=9)
    assert_exact(database, of=ASKING)


@pytest.mark.parametrize("trigger", ["report_no_stock", "report_closed"])
def test_what_is_noted_on_an_old_order_is_told_again_as_it_was(database, trigger):
    bring(database, YIWU)
    old = arrival("1", alternatives=(), supplier="First", paid=1_200)
    take(database, old, now=100, rules=rules(database), older_than=timedelta(days=60))
    take(database, arrival("1", report(trigger, 101), placing=False, alternatives=()), now=101, rules=rules(database))
    assert history_of(database)[-1].details["noted"] is True
    with database.read() as connection:
        assert as_known(connection, 1, day(200), rules(database)).exact


def test_a_sum_that_cannot_be_kept_is_not_known(database):
    bring(database, replace(YIWU, price=10**14))
    take(database, arrival("1", alternatives=(), supplier="First"), rules=rules(database))
    with database.write() as connection:
        connection.execute(update(table_of(LineRow)).values(quantity=999_999_999))
    fire(database, 2, 4)
    assert case_of(database).attempt.paid is None


def test_of_two_prices_of_a_supplier_the_one_in_the_currency_of_the_order_counts(database):
    bring(database, YIWU, replace(YIWU, price=90, currency="USD"))
    place(database)
    fire(database, 2, 4)
    assert case_of(database).attempt.paid == 1_200


def test_rules_read_the_catalogue_of_their_own_version(database):
    bring(database, YIWU)
    place(database)
    before = rules(database)
    bring(database, replace(YIWU, price=1), now=1)
    assert next_choice(case_of(database), before, day(2)).cost == 1_200


def test_old_orders_say_nothing_of_how_reliable_a_supplier_is(database):
    for number in range(3):
        told = arrival(str(number), report("ship", 40), supplier="Yiwu")
        take(database, told, now=100, older_than=timedelta(days=60))
    with database.read() as connection:
        assert scorecards.records(connection, day(0), day(200)) == {}


def test_a_letter_is_addressed_however_its_supplier_is_written():
    policy = read_policy('[contacts.suppliers]\n"yiwu  HOME" = "a@example.com"\n')
    assert policy.contacts.of_supplier("Yiwu Home") == "a@example.com"
    assert policy.contacts.of_supplier("Ningbo") is None
    assert policy.contacts.of_supplier(None) is None
