"""Which attempt a report is about, and what left before the refund was asked for (rules 2.12 and 2.13), on both databases."""

import pytest

from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.rebuild import as_known
from engine.sending import Sent, deliver_due
from storage import audits, queries
from tests.factories import RULES, all_effects, all_flags, arrival, day, decide, report, rules_of, statuses, take
from workflow.vocabulary import State

WITHOUT_ALTERNATIVE = {"alternatives": (), "supplier": "Yiwu", "paid": 5_000}


def case_of(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number).case


def whole(database):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection))


def verdict_of_late(database, trigger, at, now=5.0, **fields):
    (outcome,) = take(database, arrival("1", report(trigger, at, **fields), placing=False), now=now)
    return outcome.received[0].verdict


@pytest.fixture
def refunding(database):
    """An order that was late, and whose refund was asked for on the fourth day; nothing has been sent yet."""
    take(database, arrival("1", **WITHOUT_ALTERNATIVE))
    for at in (2, 4):
        fire_due(database, day(at), RULES)
    assert case_of(database).state is State.refunding
    return database


@pytest.mark.parametrize(("trigger", "state"), [("ship", State.shipped), ("deliver", State.delivered)])
def test_what_left_before_the_refund_was_asked_for_takes_the_request_back(refunding, trigger, state):
    assert verdict_of_late(refunding, trigger, 3) == "applied"
    case = case_of(refunding)
    assert (case.state, [row.status for row in case.ledger]) == (state, ["withdrawn"])
    assert statuses(refunding)["request_refund"] == "dropped"
    assert whole(refunding)


def test_once_the_request_is_on_its_way_a_late_parcel_needs_a_person(refunding):
    deliver_due(refunding, day(4.5), RULES, Messenger({}, Letters()))
    assert verdict_of_late(refunding, "ship", 3) == "exception"
    assert case_of(refunding).state is State.refunding
    assert whole(refunding)


def test_a_request_that_is_written_and_not_tried_is_taken_back(refunding):
    compose_due(refunding, day(4.5), RULES, Messenger({}, Letters()))
    assert verdict_of_late(refunding, "ship", 3) == "applied"
    assert statuses(refunding)["request_refund"] == "dropped"
    assert deliver_due(refunding, day(4.5), RULES, Messenger({}, Letters())) == Sent(anew=1)
    assert whole(refunding)


def test_what_left_after_the_refund_was_asked_for_needs_a_person(refunding):
    assert verdict_of_late(refunding, "ship", 4.5) == "exception"
    assert statuses(refunding)["request_refund"] == "ready"


def test_a_request_that_the_merchant_makes_by_hand_counts_as_made(database):
    by_hand = rules_of("[effects.modes]\nrequest_refund = 'off'\n")
    take(database, arrival("1", **WITHOUT_ALTERNATIVE), rules=by_hand)
    for at in (2, 4):
        fire_due(database, day(at), by_hand)
    assert verdict_of_late(database, "ship", 3) == "exception"


def test_a_request_that_a_person_has_dropped_is_not_taken_back(refunding):
    with refunding.read() as connection:
        effects = [row for row in all_effects(connection) if row["kind"] == "request_refund"]
    decide(refunding, "drop", effects, "kim", day(4.5))
    assert verdict_of_late(refunding, "ship", 3) == "exception"


def test_what_is_said_of_a_supplier_that_was_left_moves_nothing(database):
    take(database, arrival("1", supplier="Yiwu", paid=5_000))
    for at in (2, 4):
        fire_due(database, day(at), RULES)
    before = case_of(database)
    late = (report("report_no_stock", 3), report("promise", 3.5, ship_by=day(9).isoformat()))
    take(database, arrival("1", *late, placing=False), now=5)
    after = case_of(database)
    assert (after.state, after.current, after.timers, after.ledger) == (State.rerouted, 2, before.timers, before.ledger)
    assert (after.attempts[0].ship_by, after.attempts[1]) == (day(9), before.attempts[1])
    with database.read() as connection:
        told = [(row.trigger, row.details["attempt"]) for row in queries.history(connection, 1)[-2:]]
    assert told == [("report_no_stock", 1), ("promise", 1)]
    assert whole(database)


def test_a_parcel_that_left_before_the_reroute_calls_the_later_order_off_before_it_was_placed(database):
    take(database, arrival("1", supplier="Yiwu", paid=5_000))
    for at in (2, 4):
        fire_due(database, day(at), RULES)
    assert verdict_of_late(database, "ship", 3) == "applied"
    case = case_of(database)
    assert (case.state, case.current, case.attempt.returned_at) == (State.shipped, 1, day(4))
    compose_due(database, day(5), RULES, Messenger({}, Letters()))
    assert {kind for kind, status in statuses(database).items() if status != "dropped"} == set()
    with database.read() as connection:
        assert [row["flag"] for row in all_flags(connection)] == ["earlier_attempt_shipped"]
    assert verdict_of_late(database, "deliver", 6, now=7.0) == "applied"
    assert case_of(database).attempts[0].delivered_at == day(6)
    assert whole(database)
