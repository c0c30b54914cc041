"""Reports of a file that cannot be read: nobody is urged or left for them (rule 7.10), on both databases."""

from engine.deciding import resolve
from engine.firing import fire_due
from engine.importing import import_orders
from engine.rebuild import as_known
from engine.reporting import report as tell
from engine.timer_commands import TimerCommand, apply_command
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from storage import audits, queries
from storage.attention import flagged
from storage.timers import Selection
from tests.factories import RULES, START, day, report, state
from workflow.policy.policy import Orders
from workflow.vocabulary import State

MAPPING = {
    "order": {"id": "id", "placed_at": "at"},
    "reports": {"ship": {"at": "shipped", "tracking_number": "t"}, "deliver": {"at": "arrived"}},
}


def bring(database, tmp_path, *rows, now, table=MAPPING):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(("id,at,shipped,t,arrived", *rows)))
    return import_orders(database, OrderFile(path, parse_mapping(table), Orders()), day(now), RULES)


def row(number="1", shipped="", arrived=""):
    return f"{number},{START.isoformat()},{shipped},,{arrived}"


def flags(database):
    with database.read() as connection:
        return flagged(connection, "report_unread")


def urges(database):
    with database.read() as connection:
        return [(timer["status"], timer["due_at"]) for timer in queries.timers(connection, 1) if timer["trigger"] == "urge"]


def whole(database):
    with database.read() as connection:
        return [*audits.broken_orders(connection)] == [] and all(
            as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection)
        )


def test_an_order_is_not_urged_while_its_shipping_date_cannot_be_read_and_goes_on_when_it_can(database, tmp_path):
    done = bring(database, tmp_path, row(shipped="31.02.2026"), row("2"), now=1)
    assert [(one.line, one.trigger) for one in done.rejected] == [(2, "ship")]
    assert flags(database)["main", "1"].startswith("ship: '31.02.2026' is not a time")
    fire_due(database, day(3), RULES)
    assert (state(database), state(database, "2")) == (State.placed, State.overdue_urged)
    bring(database, tmp_path, row(shipped=day(1).isoformat()), now=4)
    assert state(database) == State.shipped
    assert flags(database) == {}
    assert whole(database)


def test_a_cell_that_is_emptied_lets_the_clock_run_on_as_it_was_due(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), now=1)
    assert [status for status, _ in urges(database)] == ["paused"]
    bring(database, tmp_path, row(), now=4)
    assert urges(database) == [("pending", day(2))]
    assert flags(database) == {}
    fire_due(database, day(4), RULES)
    assert state(database) == State.overdue_urged
    assert whole(database)


def test_a_person_lets_the_clock_run_on(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), now=1)
    assert resolve(database, "1", None, "person:kim", "it was not shipped", day(4), RULES) == ["report_unread"]
    assert urges(database) == [("pending", day(2))]
    assert whole(database)


def test_a_clock_that_a_person_has_paused_stays_so(database, tmp_path):
    bring(database, tmp_path, row(), now=1)
    apply_command(database, Selection(), TimerCommand("pause", "person:kim"), day(1), RULES)
    bring(database, tmp_path, row(shipped="soon"), now=1.5)
    bring(database, tmp_path, row(), now=4)
    assert [status for status, _ in urges(database)] == ["paused"]


def test_a_file_that_does_not_tell_of_it_lets_nothing_go_on(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), now=1)
    others = {**MAPPING, "reports": {"deliver": {"at": "arrived"}}}
    bring(database, tmp_path, row(shipped="soon"), now=2, table=others)
    assert [status for status, _ in urges(database)] == ["paused"]
    assert len(flags(database)) == 1


def test_a_report_of_a_person_moves_the_order_all_the_same(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), now=1)
    tell(database, "1", report("ship", 1), day(2), RULES)
    assert state(database) == State.shipped
    assert [status for status, _ in urges(database)] == ["cancelled"]


def test_the_same_file_again_changes_nothing_more(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), now=1)
    with database.read() as connection:
        steps = queries.stored_case(connection, "1").case.steps
    bring(database, tmp_path, row(shipped="soon"), now=2)
    with database.read() as connection:
        assert queries.stored_case(connection, "1").case.steps == steps
    assert len(flags(database)) == 1


def test_what_was_mended_or_resolved_is_not_held_again_by_the_file_as_it_was(database, tmp_path):
    bring(database, tmp_path, row(shipped="soon"), row("2", shipped="later"), now=1)
    bring(database, tmp_path, row(shipped=day(0.5).isoformat()), now=1.5)
    resolve(database, "2", None, "person:kim", "it was not shipped", day(1.6), RULES)
    for now in (2, 3):
        again = bring(database, tmp_path, row(shipped="soon"), row("2", shipped="later"), now=now)
        assert len(again.rejected) == 2
        assert flags(database) == {}
    bring(database, tmp_path, row("2", shipped="never"), now=4)
    assert flags(database)["main", "2"].startswith("ship: 'never'")
