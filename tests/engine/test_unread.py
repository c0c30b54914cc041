"""Reports of a file that cannot be read: nobody is urged or left for them (rule 7.10), on both databases."""

import pytest

from engine.answering import decide
from engine.deciding import resolve
from engine.firing import fire_due
from engine.importing import import_orders
from engine.known_orders import StoredOrders
from engine.rebuild import as_known
from engine.reporting import report as tell
from engine.timer_commands import TimerCommand, apply_command
from engine.undoing import undo_last
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from storage import audits, queries
from storage.timers import Selection
from tests.factories import RULES, START, day, report, rules_of, state
from workflow.case.case import Report
from workflow.decisions import Answer
from workflow.errors import Refused
from workflow.policy.policy import Orders
from workflow.vocabulary import State, Way

KIM = "person:kim"
MAPPING = {
    "order": {"id": "id", "placed_at": "at", "route": {"value": "domestic"}, "alternatives": {"value": ["alt-1"]}},
    "reports": {
        "ship": {"at": "shipped", "tracking_number": "t"},
        "deliver": {"at": "arrived"},
        "promise": {"at": "told", "ship_by": "by"},
    },
}
EVENTS = {"order": {"id": "id"}, "reports": {"ship": {"at": "at", "when": {"what": "Shipped"}}, "note_transit": {"at": "at"}}}
PARCELS = {"order": {"tracking_number": "t"}, "reports": {"deliver": {"at": "at", "when": {"what": "Delivered"}}}}
HEAD = "id,at,shipped,t,arrived,told,by"


@pytest.fixture
def bring(database, tmp_path):
    def call(*rows, now, table=MAPPING, head=HEAD, rules=RULES):
        path = tmp_path / "orders.csv"
        path.write_text("\n".join((head, *rows)))
        file = OrderFile(path, parse_mapping(table), Orders(), StoredOrders(database))
        return import_orders(database, file, day(now), rules)

    return call


def row(number="1", shipped="", t="", arrived="", told="", by=""):
    return f"{number},{START.isoformat()},{shipped},{t},{arrived},{told},{by}"


def on(days):
    return day(days).isoformat()


def flags(database):
    with database.read() as connection:
        ids = queries.order_ids(connection)
        return {
            key: one["detail"] for key in ids for one in queries.attention(connection, key) if one["flag"] == "report_unread"
        }


def clocks(database, trigger="urge", order=1):
    with database.read() as connection:
        return [(one["status"], one["due_at"]) for one in queries.timers(connection, order) if one["trigger"] == trigger]


def whole(database):
    with database.read() as connection:
        return [*audits.broken_orders(connection)] == [] and all(
            as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection)
        )


def test_an_order_is_not_urged_while_its_shipping_date_cannot_be_read_and_goes_on_when_it_can(database, bring):
    done = bring(row(shipped="31.02.2026"), row("2"), now=1)
    assert [(one.line, one.trigger) for one in done.rejected] == [(2, "ship")]
    assert done.tally.held == 1
    assert flags(database)[1].startswith("ship: '31.02.2026' is not a time")
    fire_due(database, day(3), RULES)
    assert (state(database), state(database, "2")) == (State.placed, State.overdue_urged)
    bring(row(shipped=on(1)), now=4)
    assert state(database) == State.shipped
    assert flags(database) == {}
    assert whole(database)


def test_a_cell_that_is_emptied_lets_the_clock_run_on_as_it_was_due(database, bring):
    bring(row(shipped="soon"), now=1)
    assert [status for status, _ in clocks(database)] == ["paused"]
    bring(row(), now=4)
    assert clocks(database) == [("pending", day(2))]
    assert flags(database) == {}
    fire_due(database, day(4), RULES)
    assert state(database) == State.overdue_urged
    assert whole(database)


def test_a_person_lets_the_clock_run_on(database, bring):
    bring(row(shipped="soon"), now=1)
    assert resolve(database, "1", None, KIM, "it was not shipped", day(4), RULES) == ["report_unread"]
    assert clocks(database) == [("pending", day(2))]
    assert whole(database)


def test_rows_that_do_not_speak_of_it_let_nothing_go_on(database, bring):
    bring(row(), now=0.5)
    bring("1,12/99,Shipped", now=1, table=EVENTS, head="id,at,what")
    assert len(flags(database)) == 1
    bring(f"1,{on(1)},Label scanned", now=1.2, table=EVENTS, head="id,at,what")
    bring(row(), now=1.3, table={**MAPPING, "reports": {"deliver": {"at": "arrived"}}})
    assert [status for status, _ in clocks(database)] == ["paused"]
    bring(f"1,{on(1)},Shipped", now=1.5, table=EVENTS, head="id,at,what")
    assert (state(database), flags(database)) == (State.shipped, {})
    assert whole(database)


def test_a_report_of_another_parcel_is_not_the_one_that_could_not_be_read(database, bring):
    bring(row(shipped=on(0.5), t="T1"), now=0.6)
    bring(row(shipped=on(0.5), t="T1").replace(",T1,", ",T1,", 1), f"1,,{on(0.6)},T2,,,", now=0.7)
    bring("T1,12/99,Delivered", now=1, table=PARCELS, head="t,at,what")
    assert len(flags(database)) == 1
    bring(f"T2,{on(1)},Delivered", now=1.5, table=PARCELS, head="t,at,what")
    assert len(flags(database)) == 1
    bring(f"T1,{on(1.6)},Delivered", now=2, table=PARCELS, head="t,at,what")
    assert flags(database) == {}
    assert whole(database)


def test_rows_that_were_rejected_themselves_let_nothing_go_on(database, bring):
    bring(row(shipped="12/99"), now=1)
    bring(row(), f"1,{on(9)},,,,,", now=1.5)
    bring(row(), "1,,,,,,,too much", now=1.6)
    assert [status for status, _ in clocks(database)] == ["paused"]


def test_each_report_that_cannot_be_read_is_waited_for(database, bring):
    bring(row(shipped="12/99"), now=1)
    bring(row(shipped="12/99", arrived="31/31"), now=1.1)
    assert flags(database)[1].count("is not a time") == 2
    bring(row(shipped=on(0.9), arrived="31/31"), now=1.2)
    assert len(flags(database)) == 1
    bring(row(shipped=on(0.9), arrived=on(1.1)), now=1.3)
    assert flags(database) == {}
    assert whole(database)


def test_a_report_of_that_kind_that_was_read_before_is_another_one(database, bring):
    bring(row(told=on(0.2), by=on(1.5)), now=0.5)
    bring(row(told=on(0.2), by="31/12/2026 5pm"), now=1)
    assert [status for status, _ in clocks(database)] == ["cancelled", "paused"]


def test_what_is_undone_does_not_let_a_clock_run_that_rests(database, bring):
    bring(row(shipped="never"), now=0.5)
    told = Report("ship", day(0.6), KIM, "ship", KIM)
    tell(database, "1", told, day(0.7), RULES)
    undo_last(database, "1", KIM, day(0.8), RULES)
    assert state(database) == State.placed
    assert clocks(database) == [("paused", day(2))]
    resolve(database, "1", None, KIM, "it was not shipped", day(0.9), RULES)
    with pytest.raises(Refused, match="that stays"):
        undo_last(database, "1", KIM, day(1), RULES)
    assert whole(database)


@pytest.mark.parametrize("by", ["person", "file"])
def test_the_clocks_of_the_next_supplier_rest_too(database, bring, by):
    bring(row(shipped="never"), now=1)
    if by == "person":
        tell(database, "1", report("report_no_stock", 1.2), day(1.3), RULES)
    else:
        table = {**MAPPING, "reports": {**MAPPING["reports"], "report_no_stock": {"at": "arrived"}}}
        table["reports"].pop("deliver")
        bring(row(shipped="never", arrived=on(1.2)), now=1.3, table=table)
    assert state(database) == State.rerouted
    assert [status for status, _ in clocks(database)][-1] == "paused"
    fire_due(database, day(9), RULES)
    assert state(database) == State.rerouted
    assert whole(database)


def test_an_interception_that_fails_leaves_the_clock_at_rest(database, bring):
    bring(row(), now=0.5)
    tell(database, "1", report("correct_address", 0.6, buyer_address="There 2"), day(0.6), RULES)
    bring(row(shipped="never"), now=0.8)
    fire_due(database, day(4), RULES)
    assert state(database) == State.placed
    assert [status for status, _ in clocks(database)] == ["paused"]
    assert whole(database)


def test_a_promise_moves_the_instant_of_a_clock_that_rests_and_nothing_else(database, bring):
    bring(row(shipped="never"), now=1)
    tell(database, "1", report("promise", 1.1, ship_by=on(3)), day(1.2), RULES)
    (was,) = [due for status, due in clocks(database) if status == "paused"]
    bring(row(), now=9)
    assert [(status, due) for status, due in clocks(database) if status == "pending"] == [("pending", was)]
    assert whole(database)


def test_a_person_cannot_let_a_clock_run_that_rests_and_what_they_have_paused_rests_when_they_resume_it(database, bring):
    bring(row(), row("2", shipped="soon"), now=0.5)
    apply_command(database, Selection(order_ids=(1,)), TimerCommand("pause", KIM), day(0.6), RULES)
    bring(row(shipped="soon"), now=0.8)
    (refused,) = apply_command(database, Selection(order_ids=(2,)), TimerCommand("resume", KIM), day(0.9), RULES)
    assert "rests until a report of a file can be read" in refused.refused
    apply_command(database, Selection(order_ids=(1,)), TimerCommand("resume", KIM), day(0.9), RULES)
    assert [status for status, _ in clocks(database)] == ["paused"]
    bring(row(), now=1)
    assert [status for status, _ in clocks(database)] == ["pending"]
    assert whole(database)


def test_a_decision_that_lets_an_order_stay_leaves_its_clocks_at_rest(database, bring):
    asking = rules_of("[effects.modes]\nplace_supply = 'ask'\n")
    bring(row(), now=0.5, rules=asking)
    tell(database, "1", report("report_no_stock", 0.6), day(0.6), asking)
    bring(row(shipped="never"), now=0.8, rules=asking)
    decide(database, "1", Answer(Way.stay, KIM), day(0.9), asking)
    assert [status for status, _ in clocks(database)] == ["paused"]


def test_the_same_file_again_changes_nothing_more(database, bring):
    bring(row(shipped="soon"), now=1)
    with database.read() as connection:
        steps = queries.stored_case(connection, "1").case.steps
    again = bring(row(shipped="soon"), now=2)
    with database.read() as connection:
        assert queries.stored_case(connection, "1").case.steps == steps
    assert (len(flags(database)), again.tally.held) == (1, 1)


def test_what_was_mended_or_resolved_is_not_held_again_by_the_file_as_it_was(database, bring):
    bring(row(shipped="soon"), row("2", shipped="later"), now=1)
    bring(row(shipped=on(0.5)), now=1.5)
    resolve(database, "2", None, KIM, "it was not shipped", day(1.6), RULES)
    for now in (1.7, 1.8):
        again = bring(row(shipped="soon"), row("2", shipped="later"), now=now)
        assert (len(again.rejected), again.tally.held, flags(database)) == (2, 0, {})
    bring(row("2", shipped="never"), now=1.9)
    assert flags(database)[2].startswith("ship: 'never'")
    assert whole(database)
