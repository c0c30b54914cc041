"""What a person did by mistake is taken back: the order, its clocks, money, effects, flags and reports (rule 2.19)."""

import json

import pytest
from sqlalchemy import delete, select, update

from effects.letters import Letters
from engine.answering import decide
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.rebuild import as_known, as_occurred
from engine.sending import deliver_due
from engine.undoing import undo_last
from storage import audits, queries
from storage.tables import UndoableRow, table_of
from tests.factories import RULES, all_effects, all_flags, arrival, day, report, rules_of, state, take
from workflow.case.case import replace_fields
from workflow.decisions import Answer
from workflow.errors import Refused
from workflow.rules.choosing import next_supplier
from workflow.undoing import RESTORED
from workflow.vocabulary import State, Way

KIM = "person:kim"
ASKING = rules_of("[effects.modes]\nplace_supply = 'ask'\n")


@pytest.fixture
def placed(database):
    take(database, arrival("1", paid=5_000))
    return database


def person(trigger, at, **fields):
    return replace_fields(report(trigger, at, **fields), actor=KIM, source=KIM)


def told(database, *reports, now):
    (outcome,) = take(database, arrival("1", *reports, placing=False), now=now)
    return [str(one.verdict) for one in outcome.received]


def undone(database, now, rules=RULES, **options):
    return undo_last(database, "1", KIM, day(now), rules, **options)


def case_of(database):
    with database.read() as connection:
        return queries.stored_case(connection, "1").case


def kept(database):
    with database.read() as connection:
        rows = queries.reports(connection, queries.resolve_id(connection, "1"))
    return [(row["trigger"], row["verdict"]) for row in rows if row["trigger"] != "place"]


def effects(database):
    with database.read() as connection:
        return {row["kind"]: row["status"] for row in all_effects(connection)}


def flags(database):
    with database.read() as connection:
        return [row["flag"] for row in all_flags(connection)]


def whole(database, rules=RULES):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), rules).exact for key in queries.order_ids(connection))


def is_as(before, after):
    return {name: getattr(after, name) for name in RESTORED} == {name: getattr(before, name) for name in RESTORED}


def compose(database, at):
    return compose_due(database, day(at), RULES, Messenger({}, Letters()))


def test_a_refund_that_was_asked_for_by_mistake_never_leaves(placed):
    before = case_of(placed)
    assert told(placed, person("report_oversized", 1), now=1) == ["applied"]
    assert effects(placed)["request_refund"] == "ready"
    assert compose(placed, 1) == 0, "it leaves when the time for taking it back is over"
    made = undone(placed, 1.0001, reason="the wrong order")
    assert (made.trigger, made.by, made.recorded, made.case.state) == ("report_oversized", KIM, day(1), State.placed)
    after = case_of(placed)
    assert is_as(replace_fields(before, ledger=after.ledger), after)
    assert [row.status for row in after.ledger] == ["undone"]
    assert effects(placed)["request_refund"] == "dropped"
    assert kept(placed) == [("report_oversized", "undone")]
    assert whole(placed)
    assert fire_due(placed, day(2), RULES).count == 1, "its clock runs on"


def test_what_was_taken_back_may_be_reported_again(placed):
    told(placed, person("report_oversized", 1), now=1)
    undone(placed, 1.0001)
    assert told(placed, person("report_oversized", 1), now=2) == ["applied"]
    assert state(placed) == "refunding"
    assert kept(placed) == [("report_oversized", "applied")]
    assert whole(placed)


def test_what_has_left_cannot_be_taken_back(placed):
    told(placed, person("report_oversized", 1), now=1)
    deliver_due(placed, day(1.001), RULES, Messenger({}, Letters()))
    with pytest.raises(Refused, match="undo was not applied: request_refund has left: what it caused cannot be taken back"):
        undone(placed, 1.002)
    assert state(placed) == "refunding"


def test_what_leaves_at_once_is_said_so(placed):
    told(placed, person("report_oversized", 1, now=True), now=1)
    assert compose(placed, 1) == 1


def test_letters_to_the_merchant_are_in_nobodys_way(placed):
    told(placed, person("override", 1, to="delivered", reason="seen"), now=1)
    assert compose(placed, 1) == 1
    assert undone(placed, 1.1).case.state == "placed"
    assert whole(placed)


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (lambda database: told(database, report("note_transit", 2), now=2), "its last step is note_transit, by import:test"),
        (lambda database: fire_due(database, day(40), RULES), "its last step is close, by timer"),
        (lambda database: undone(database, 2), "its last step is place, by import:test: only what a person has reported"),
    ],
)
def test_only_the_last_step_is_taken_back(placed, then, why):
    told(placed, person("deliver", 1), now=1)
    then(placed)
    with pytest.raises(Refused, match=why):
        undone(placed, 41)


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ([], "its last step is place, by import:test: only what a person has reported or decided last"),
        ([report("ship", 1)], "its last step is ship, by import:test: only what a person"),
        (
            [person("deliver", 1), person("open_claim", 2, kind="missing"), person("submit_evidence", 3, evidence="photo")],
            "its last step is submit_evidence, by person:kim: that stays",
        ),
    ],
)
def test_what_cannot_be_taken_back_says_why(placed, reports, why):
    for one in reports:
        told(placed, one, now=4)
    with pytest.raises(Refused, match=why):
        undone(placed, 5)


def test_a_step_of_an_older_program_cannot_be_taken_back(placed):
    told(placed, person("deliver", 1), now=1)
    with placed.write() as connection:
        connection.execute(delete(table_of(UndoableRow)))
    with pytest.raises(Refused, match="it was taken by an older version of the program, or its buyer was erased"):
        undone(placed, 2)


def test_a_preview_changes_nothing(placed):
    told(placed, person("report_oversized", 1), now=1)
    assert undone(placed, 1.0001, dry_run=True).case.state == "placed"
    assert (state(placed), effects(placed)["request_refund"]) == ("refunding", "ready")
    undone(placed, 1.0002)
    assert state(placed) == "placed"


def test_effects_that_it_had_dropped_wait_again_and_flags_are_as_before(placed):
    fire_due(placed, day(2), RULES)
    assert effects(placed) == {"urge_supplier": "ready"}
    told(placed, person("report_oversized", 2.5), now=2.5)
    assert effects(placed) == {"urge_supplier": "dropped", "request_refund": "ready"}
    undone(placed, 2.6)
    assert effects(placed) == {"urge_supplier": "ready", "request_refund": "dropped"}
    told(placed, person("settle_refund", 3, amount=100), now=3)
    assert flags(placed) == ["money_unasked"]
    undone(placed, 3.1)
    assert flags(placed) == []
    assert whole(placed)


def test_another_supplier_is_gone_with_the_step_that_turned_to_it(placed):
    before = case_of(placed)
    told(placed, person("report_no_stock", 1), now=1)
    assert [one.supplier for one in case_of(placed).attempts] == [None, "alt-1"]
    undone(placed, 1.0001)
    assert case_of(placed).attempts == before.attempts
    assert next_supplier(case_of(placed), RULES, day(1.01)) == "alt-1"
    told(placed, person("report_no_stock", 2), now=2)
    assert [one.supplier for one in case_of(placed).attempts] == [None, "alt-1"]
    assert [(row.number, row.status) for row in case_of(placed).ledger] == [(1, "undone"), (2, "requested")]
    assert whole(placed)


def test_a_deadline_that_has_passed_meanwhile_fires_late(placed):
    told(placed, person("ship", 1), now=1)
    assert fire_due(placed, day(3), RULES).count == 0
    undone(placed, 3)
    assert fire_due(placed, day(3), RULES).count == 1
    assert state(placed) == "overdue_urged"


def test_a_decision_that_is_taken_back_stands_again(database):
    take(database, arrival("1", paid=5_000), rules=ASKING)
    for at in (2, 4):
        fire_due(database, day(at), ASKING)
    before = case_of(database)
    for at, way in ((4.5, Way.yes), (4.6, Way.stay)):
        decide(database, "1", Answer(way, KIM), day(at), ASKING)
        assert case_of(database).decision is None
        undone(database, at + 0.0001, ASKING)
        after = case_of(database)
        assert is_as(replace_fields(before, ledger=after.ledger), after)
        assert after.decision.trigger == "reroute"
    decide(database, "1", Answer(Way.refund, KIM), day(5), ASKING)
    assert state(database) == "refunding"
    assert whole(database, ASKING)


def test_a_report_that_waited_for_a_decision_waits_again(database):
    take(database, arrival("1", report("report_no_stock", 1), paid=5_000), now=1, rules=ASKING)
    decide(database, "1", Answer(Way.yes, KIM), day(2), ASKING)
    assert (state(database), kept(database)) == ("rerouted", [("report_no_stock", "applied")])
    undone(database, 2.0001, ASKING)
    assert (state(database), kept(database)) == ("placed", [("report_no_stock", "waiting")])
    decide(database, "1", Answer(Way.yes, KIM), day(3), ASKING)
    assert state(database) == "rerouted"
    assert whole(database, ASKING)


def test_reports_that_it_had_given_a_place_are_exceptions_again(placed):
    assert told(placed, report("hold", 2), now=2) == ["exception"]
    assert told(placed, person("ship", 1, anyway=True), now=3) == ["applied", "applied"]
    assert state(placed) == "customs_hold"
    undone(placed, 3.1)
    assert kept(placed) == [("hold", "exception"), ("ship", "undone")]
    assert state(placed) == "placed"
    assert told(placed, person("ship", 1, anyway=True), now=4) == ["applied", "applied"]
    assert state(placed) == "customs_hold"


def test_amended_facts_are_taken_back_in_the_order_and_its_letters(placed):
    before = case_of(placed)
    told(placed, person("amend", 1, supplier="Ningbo", paid=9_000, ship_by=day(9).isoformat(), buyer_name="Ana"), now=1)
    assert case_of(placed).order.buyer_name == "Ana"
    undone(placed, 1.1)
    assert is_as(before, case_of(placed))
    assert whole(placed)


def test_what_was_taken_back_has_not_occurred(placed):
    told(placed, person("deliver", 1), now=1)
    undone(placed, 2)
    with placed.read() as connection:
        lived = as_occurred(connection, queries.resolve_id(connection, "1"), day(1.5), RULES)
    assert lived.case.state == "placed"


def test_steps_are_taken_back_one_after_the_other_the_last_one_first(placed):
    before = case_of(placed)
    told(placed, person("report_oversized", 1), now=1)
    told(placed, person("settle_refund", 1.0001, amount=500), now=1.0001)
    assert undone(placed, 1.0002).trigger == "settle_refund"
    assert undone(placed, 1.0003).trigger == "report_oversized"
    after = case_of(placed)
    assert is_as(replace_fields(before, ledger=after.ledger), after)
    assert effects(placed)["request_refund"] == "dropped"
    told(placed, person("ship", 2), now=2)
    assert undone(placed, 2.1).trigger == "ship"
    with pytest.raises(Refused, match="its last step is place"):
        undone(placed, 2.2)
    assert whole(placed)


def test_nothing_is_kept_of_what_cannot_be_taken_back(placed):
    told(placed, report("ship", 1), now=1)
    told(placed, person("deliver", 2), now=2)
    undone(placed, 3)
    with placed.read() as connection:
        assert connection.execute(select(UndoableRow)).all() == []


def test_two_steps_of_one_instant_are_told_apart_with_the_flags_that_each_has_cleared(placed):
    told(placed, report("ship", 1, tracking_number="LP1"), report("ship", 1.1, tracking_number="LP2"), now=2)
    told(placed, report("lose", 3, tracking_number="LP1"), now=3)
    assert flags(placed) == ["parcel_lost"]
    told(placed, person("deliver", 4, tracking_number="LP1"), now=5)
    told(placed, person("amend", 4.5, paid=6_000), now=5)
    assert flags(placed) == []
    undone(placed, 5)
    assert flags(placed) == []
    undone(placed, 5)
    assert flags(placed) == ["parcel_lost"]
    assert whole(placed)


def test_what_an_older_program_kept_of_a_step_can_still_be_taken_back(placed):
    told(placed, report("ship", 1, tracking_number="LP1"), report("ship", 1.1, tracking_number="LP2"), now=2)
    told(placed, report("lose", 3, tracking_number="LP1"), now=3)
    told(placed, person("deliver", 4, tracking_number="LP1"), now=5)
    u = table_of(UndoableRow)
    with placed.write() as connection:
        for row in connection.execute(select(u)).mappings().all():
            reports = json.dumps(json.loads(row["reports"])["reports"])
            connection.execute(update(u).where(u.c.first == row["first"]).values(reports=reports))
    undone(placed, 5)
    assert flags(placed) == ["parcel_lost"]
