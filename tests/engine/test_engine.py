from datetime import timedelta

import pytest
from sqlalchemy import event, text

from engine.explain import explain
from engine.firing import fire_due
from engine.outcomes import Tally
from engine.reporting import apply
from storage import audits, case_writer, lists, queries, timers
from storage.case_changes import CaseChange
from storage.lists import Filter
from tests.factories import RULES, all_effects, all_flags, arrival, day, decide, report, state, take
from workflow.errors import OrderChanged, UnknownOrder
from workflow.vocabulary import Verdict


def test_what_is_stored_comes_back_as_it_was(database):
    (outcome,) = take(database, arrival("1", report("ship", 1, carrier="X"), paid=1000), now=2)
    with database.read() as connection:
        stored = queries.stored_case(connection, "1")
        assert stored.case == outcome.case
        assert len(queries.history(connection, stored.order_id)) == 2
        assert queries.lines(connection, stored.order_id)[0]["quantity"] == 2
        assert [*audits.broken_orders(connection)] == []


def test_reports_are_applied_in_order_of_occurrence_and_repeats_change_nothing(database):
    (first,) = take(database, arrival("1", report("deliver", 5), report("ship", 1)), now=6)
    assert [one.verdict for one in first.received] == [Verdict.applied] * 3
    (second,) = take(database, arrival("1", report("deliver", 5), report("ship", 1)), now=7)
    assert [one.verdict for one in second.received] == [Verdict.duplicate] * 3
    assert second.steps == []
    tally = Tally()
    tally.add(second)
    assert (tally.duplicates, tally.new) == (2, 0)


def test_due_timers_fire_in_due_order_each_once(database):
    take(database, *(arrival(str(n)) for n in range(50)))
    assert fire_due(database, day(1.99), RULES).count == 0
    assert fire_due(database, day(2), RULES, limit=30).count == 30
    assert fire_due(database, day(2), RULES, limit=30).count == 20
    assert fire_due(database, day(2), RULES).count == 0
    with database.read() as connection:
        assert timers.next_wake(connection) == day(4)


def test_after_a_week_of_downtime_urge_and_reroute_do_not_fire_in_one_sweep(database):
    take(database, arrival("1"))
    while fired := fire_due(database, day(9), RULES).count:
        assert fired == 1
    assert state(database) == "overdue_urged"
    with database.read() as connection:
        assert timers.next_wake(connection) == day(11)
        row = queries.history(connection, 1)[-1]
    assert (row.due, row.occurred) == (day(2), day(9))


def test_a_row_that_fails_is_set_aside_after_five_tries_and_the_others_go_on(database):
    take(database, arrival("1"), arrival("2"))
    with database.write() as connection:
        connection.execute(text("UPDATE orders SET returns_to = 'nonsense' WHERE id = 1"))
    at, failures = day(2), []
    for _ in range(6):
        failures += fire_due(database, at, RULES).failures
        at += timedelta(minutes=5)
    assert len(failures) == 5
    assert "set aside" in failures[-1]
    assert state(database, "2") == "overdue_urged"
    with database.read() as connection:
        assert [row["flag"] for row in all_flags(connection)] == ["timer_failed"]
        assert lists.timers(connection, Filter(statuses=("failed",)), 10).rows[0]["order"] == "main/1"


def test_one_failing_timer_of_a_batch_costs_a_transaction_for_each_half_and_not_for_each_timer(database):
    take(database, *(arrival(str(number)) for number in range(64)))
    with database.write() as connection:
        connection.execute(text("UPDATE orders SET returns_to = 'nonsense' WHERE number = '40'"))
    begun = []
    event.listen(database.engine, "begin", begun.append)
    fired = fire_due(database, day(2), RULES)
    assert (fired.count, len(fired.failures)) == (63, 1)
    assert len(begun) < 20
    assert state(database, "39") == "overdue_urged"


def test_what_a_driver_says_of_a_rows_values_is_not_kept(database):
    take(database, arrival("1", supplier="Kim Lee's own"))
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO history SELECT order_id, 2, trigger, source, 'Kim', occurred, due, recorded, "
                "actor, reason, details, policy, wrote, hash FROM history"
            )
        )
    (failure,) = fire_due(database, day(2), RULES).failures
    assert "could not be fired and will be tried again (" in failure
    assert "Kim" not in failure
    assert "(1, 2)" not in failure


def test_a_lost_race_is_a_named_error_and_nothing_is_stored(database):
    take(database, arrival("1"))
    with database.write() as connection:
        connection.execute(text("UPDATE orders SET version = 7"))
    with database.read() as connection:
        stored = queries.stored_case(connection, "1")
    before = stored.case
    with pytest.raises(OrderChanged, match="another writer changed the order first"):
        _lose_the_race(database, before)
    with database.read() as connection:
        assert queries.stored_case(connection, "1").case == before


def _lose_the_race(database, before):
    with database.write() as connection:
        (outcome,) = apply(connection, [arrival("1", report("ship", 1), placing=False)], day(1), RULES)
        connection.execute(text("UPDATE orders SET version = 9"))
        change = CaseChange(outcome.case, outcome.steps, (), day(1), 1, before)
        case_writer.store(connection, [change])


def test_a_virtual_clock_interleaves_reports_and_timers(database):
    (outcome,) = take(database, arrival("1", report("ship", 5), report("deliver", 30)), until=day(100))
    fired = [s.history.trigger for s in outcome.steps]
    assert fired == ["place", "urge", "reroute", "ship", "stall", "stall", "chase_recovery", "deliver", *fired[8:]]
    assert outcome.case.state == "closed"


def test_an_observed_order_holds_its_effects_until_they_are_decided(database):

    take(database, arrival("1"), observed=True)
    fire_due(database, day(2), RULES)
    with database.write() as connection:
        held = all_effects(connection, "held")
        assert [row["kind"] for row in held] == ["urge_supplier"]
        assert decide(connection, "approve", held, "person:kim", day(2)) == 1
    fire_due(database, day(4), RULES)
    with database.read() as connection:
        assert {row["kind"]: row["status"] for row in all_effects(connection)} == {
            "urge_supplier": "dropped",
            "place_supply": "ready",
            "recover_supply": "ready",
        }


def test_a_withdrawn_recovery_takes_back_what_has_not_left(database):
    take(database, arrival("1", report("report_no_stock", 1)), now=1)
    take(database, arrival("1", report("ship", 2, attempt=1), placing=False), now=2)
    with database.read() as connection:
        assert {row["kind"]: row["status"] for row in all_effects(connection)} == {
            "place_supply": "dropped",
            "recover_supply": "dropped",
            "cancel_supply": "ready",
        }


def test_what_is_called_off_in_the_batch_that_asked_for_it_does_not_leave(database):
    take(database, arrival("1", report("report_no_stock", 1), report("ship", 2, attempt=1)), now=2)
    with database.read() as connection:
        assert {row["kind"]: row["status"] for row in all_effects(connection)} == {
            "place_supply": "dropped",
            "recover_supply": "dropped",
            "cancel_supply": "ready",
        }


def test_orders_are_listed_under_the_supplier_whose_turn_it_is(database):
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu", buyer_name="Ada 100%"), now=1)
    with database.read() as connection:
        assert lists.orders(connection, Filter(suppliers=("yiwu",)), 100).rows == []
        assert [row["supplier"] for row in lists.orders(connection, Filter(suppliers=("ALT-1",)), 100).rows] == ["alt-1"]
        assert len(lists.orders(connection, Filter(text="ada 100%"), 100).rows) == 1
        assert lists.orders(connection, Filter(text="a_a"), 100).rows == []


def test_orders_are_found_by_what_matters(database):
    take(database, arrival("1", supplier="Yiwu"), arrival("2", report("ship", 1)), arrival("2", shop="other"), now=1)
    with database.read() as connection:

        def found(**wanted):
            return [row["shop"] + "/" + row["number"] for row in lists.orders(connection, Filter(**wanted), 100).rows]

        assert found() == ["main/1", "other/2", "main/2"]
        assert found(states=("shipped",)) == ["main/2"]
        assert found(suppliers=("Yiwu", "nobody")) == ["main/1"]
        assert found(text="Yi") == ["main/1"]
        assert found(due_before=day(3)) == ["main/1", "other/2"]
        assert found(attention=True) == []
        with pytest.raises(UnknownOrder, match="main/2, other/2"):
            queries.resolve_id(connection, "2")
        with pytest.raises(UnknownOrder, match="there is no order"):
            queries.resolve_id(connection, "9")
        assert queries.resolve_id(connection, "other/2") == 3


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE history SET reason = 'x' WHERE sequence = 1", "row 1 was changed"),
        ("DELETE FROM history WHERE sequence = 1", "row 1 is missing"),
        ("DELETE FROM history WHERE sequence = 2", "counts 2 rows and the history has 1"),
        ("DELETE FROM history", "its history is gone"),
    ],
)
def test_an_edited_deleted_or_cut_off_history_is_found(database, damage, words):
    take(database, arrival("1", report("ship", 1)), now=1)
    with database.write() as connection:
        connection.execute(text(damage))
    with database.read() as connection:
        ((name, wrong),) = audits.broken_orders(connection)
    assert name == "main/1"
    assert words in wrong


def test_explain_says_why_what_next_and_what_may_be_done(database):
    take(database, arrival("1"))
    fire_due(database, day(2), RULES)
    told = explain(database, "1", RULES, day(9))
    assert told.why.trigger == "urge"
    assert [timer.trigger for timer in told.timers] == ["reroute"]
    assert "ship" in told.allowed
    assert "place" not in told.allowed
    assert told.meaning == "the supplier is late and has been urged"


def test_two_arrivals_of_one_order_in_one_batch_leave_each_report_one_verdict(database):
    told = take(database, arrival("1", report("hold", 2)), arrival("1", report("ship", 1), placing=False), now=3)
    assert told[-1].case.state == "customs_hold"
    with database.read() as connection:
        verdicts = [(row["trigger"], row["verdict"]) for row in queries.reports(connection, 1)]
    assert sorted(verdicts) == [("hold", "applied"), ("place", "applied"), ("ship", "applied")]


def test_one_new_order_makes_good_one_claim_only(database):
    def claim(start, lines):
        steps = ("open_claim", "submit_evidence", "approve", "choose_reissue", "confirm_reissue")
        fields = {"open_claim": {"kind": "damaged", "lines": lines}, "confirm_reissue": {"new_order": "x"}}
        return [report(trigger, start + n / 10, **fields.get(trigger, {})) for n, trigger in enumerate(steps)]

    said = [report("ship", 1), report("deliver", 2), *claim(3, "sku:1"), *claim(4, "sku:1")]
    (outcome, _) = take(database, arrival("1", *said), now=6)
    assert [claim.status for claim in outcome.case.claims] == ["reissued", "open"]
    assert state(database) == "disputed"
