"""A file that comes again: orders whose rows and fate are as before are passed over (rule 7.11), on both databases."""

import pytest

from engine.firing import fire_due
from engine.importing import import_orders
from engine.known_orders import StoredOrders
from engine.reporting import report as tell
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from storage import imports, queries
from storage.erasing import erase_notes
from tests.factories import RULES, START, day, report
from workflow.policy.policy import Orders

MAPPING = {
    "order": {"id": "id", "placed_at": "at", "supplier": "who", "paid": "paid"},
    "reports": {"ship": {"at": "shipped"}, "deliver": {"at": "arrived"}, "settle_refund": {"at": "back", "amount": "paid"}},
}


@pytest.fixture
def bring(database, tmp_path):
    def call(*rows, now=1.0, table=MAPPING, defaults=None, text="m"):
        path = tmp_path / "orders.csv"
        path.write_text("\n".join(("id,at,who,paid,shipped,arrived,back,note", *rows)))
        stored = StoredOrders(database)
        file = OrderFile(path, parse_mapping(table), defaults or Orders(), stored, stored, text)
        return import_orders(database, file, day(now), RULES)

    return call


def row(number="1", who="Yiwu", paid="10", shipped="", arrived="", back="", note=""):
    return f"{number},{START.isoformat()},{who},{paid},{shipped},{arrived},{back},{note}"


def test_orders_whose_rows_are_as_before_are_passed_over_and_counted(bring):
    first = bring(row(), row("2", shipped=day(0.5).isoformat()))
    assert (first.tally.new, first.unchanged) == (2, 0)
    again = bring(row(), row("2", shipped=day(0.5).isoformat()), row("3"))
    assert (again.tally.orders, again.tally.new, again.unchanged, again.tally.duplicates) == (3, 1, 2, 0)
    changed = bring(row(), row("2", shipped=day(0.5).isoformat(), arrived=day(0.9).isoformat()), row("3"))
    assert (changed.unchanged, changed.tally.reported) == (2, {"deliver": 1})


def test_a_column_that_the_mapping_does_not_name_changes_nothing(bring):
    bring(row())
    assert bring(row(note="packed on Monday")).unchanged == 1


@pytest.mark.parametrize(
    "otherwise",
    [
        {"text": "other"},
        {"defaults": Orders(currency="EUR")},
        {"table": {**MAPPING, "order": {**MAPPING["order"], "group": "note"}}},
    ],
)
def test_rows_that_are_read_otherwise_are_read_again(bring, otherwise):
    bring(row())
    assert bring(row(), **otherwise).unchanged == 0
    assert bring(row(), **otherwise).unchanged == 1


def test_an_order_that_has_moved_since_is_read_again_once(bring, database):
    bring(row(), row("2"))
    fire_due(database, day(2), RULES)
    assert [bring(row(), row("2"), now=now).unchanged for now in (3, 4)] == [0, 2]
    tell(database, "1", report("ship", 4), day(5), RULES)
    assert [bring(row(), row("2"), now=now).unchanged for now in (6, 7)] == [1, 2]


def test_what_is_kept_as_an_exception_or_was_refused_is_judged_again_each_time(bring, database):
    bring(row(), row("2"))
    bring(row(who="Another"), row("2", arrived=day(0.5).isoformat()))
    with database.read() as connection:
        assert {one["verdict"] for one in queries.reports(connection, 1)} == {"applied", "exception"}
        of_the_other = {one["verdict"] for one in queries.reports(connection, 2)}
    again = bring(row(who="Another"), row("2", arrived=day(0.5).isoformat()))
    assert again.unchanged == (1 if of_the_other == {"applied"} else 0)


def test_a_row_of_which_something_was_rejected_or_left_out_is_listed_every_time(bring):
    for _ in range(2):
        done = bring(row(paid="ten"), row("2", shipped="never"))
        assert ([one.line for one in done.left_out], [one.line for one in done.rejected], done.unchanged) == ([2], [3], 0)


def test_nothing_of_a_buyer_who_was_erased_is_kept_of_rows(bring, database):
    bring(row())
    with database.write() as connection:
        assert list(imports.marked(connection, [("main", "1")])) == [("main", "1")]
        erase_notes(connection, [1], ["Kim"])
        assert imports.marked(connection, [("main", "1")]) == {}


def test_without_anybody_who_keeps_digests_all_is_read(database, tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(f"id,at,who,paid,shipped,arrived,back,note\n{row(shipped=day(0.5).isoformat())}\n")
    for new, repeated in ((1, 0), (0, 1)):
        done = import_orders(database, OrderFile(path, parse_mapping(MAPPING), Orders()), day(1), RULES)
        assert (done.tally.new, done.unchanged, done.tally.duplicates) == (new, 0, repeated)
