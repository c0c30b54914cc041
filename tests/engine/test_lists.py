"""Lists go on page by page: every row once, in order, with a cursor wherever there is more."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from engine import views
from engine.firing import fire_due
from engine.reporting import apply
from engine.views import Count
from storage import lists, queries
from storage.lists import Filter
from storage.tables import EffectRow, ReportRow, TimerRow, table_of
from tests.factories import START, arrival, day, report, rules_of, take
from workflow.errors import UnknownOrder, UsageError

RULES = rules_of()


@pytest.fixture
def shop(database):
    """Orders with many deadlines in common, of two shops, some without any deadline."""
    arrivals = [arrival(str(number), shop="one" if number % 3 else "two", supplier=f"s{number % 4}") for number in range(25)]
    take(database, *arrivals)
    take(database, *(arrival(str(number), report("release", 1), placing=False, shop="one") for number in (1, 2, 4, 5)), now=1)
    fire_due(database, day(2), RULES, 10)
    take(database, arrival("7", report("ship", 3), report("deliver", 5), placing=False, shop="one"), now=5)
    fire_due(database, day(60), RULES)
    return database


def walk(listed, database, wanted, limit):
    """Return all rows of a list, page by page."""
    rows, cursor = [], None
    while True:
        page = listed(database, wanted, limit, cursor)
        assert len(page.rows) <= limit
        rows += page.rows
        cursor = page.next
        if cursor is None:
            return rows


LISTS = (views.list_orders, views.list_timers, views.list_effects, views.list_claims, views.list_exceptions)


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.__name__)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 9))
def test_the_pages_of_a_list_are_the_list(shop, listed, limit):
    whole = listed(shop, Filter(), 1_000)
    assert whole.next is None
    assert walk(listed, shop, Filter(), limit) == [*whole.rows]


def test_every_row_is_on_a_list(shop):
    with shop.read() as connection:
        counts = [len(connection.execute(select(table_of(model))).all()) for model in (TimerRow, EffectRow)]
        exceptions = connection.execute(select(table_of(ReportRow)).where(table_of(ReportRow).c.verdict == "exception")).all()
    assert [len(walk(listed, shop, Filter(), 7)) for listed in (views.list_timers, views.list_effects)] == counts
    assert len(walk(views.list_exceptions, shop, Filter(), 3)) == len(exceptions) == 4
    assert views.count_exceptions(shop) == Count(4)


def test_lists_are_narrowed_by_shop_supplier_state_and_time(shop):
    orders = walk(views.list_orders, shop, Filter(shops=("ONE",), suppliers=("S1",)), 100)
    assert {one.shop for one in orders} == {"one"}
    assert {one.supplier for one in orders} <= {"s1", "S1"}
    states = {one.state for one in walk(views.list_orders, shop, Filter(), 100)}
    assert len(states) > 1
    for state in states:
        assert {one.state for one in walk(views.list_orders, shop, Filter(states=(state,)), 100)} == {state}
    timers = walk(views.list_timers, shop, Filter(since=day(2), due_before=day(30)), 100)
    assert timers
    assert all(day(2) <= one.due_at <= day(30) for one in timers)
    effects = walk(views.list_effects, shop, Filter(since=day(50), shops=("two",)), 100)
    assert effects
    assert all(one.caused_at >= day(50) and one.order.startswith("two/") for one in effects)


def test_what_comes_in_between_two_pages_shifts_no_row(database):
    take(database, *(arrival(str(number)) for number in range(4)))
    first = views.list_orders(database, Filter(), 2)
    apply(database, [arrival("new", placing=True)], START + timedelta(hours=1), RULES)
    second = views.list_orders(database, Filter(), 2, first.next)
    assert [one.number for one in (*first.rows, *second.rows)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WzFd", "ÄÖ", "WyJhIiwgImIiLCAiYyIsICJkIl0=" * 3])
def test_a_cursor_that_is_none_is_refused(database, cursor):
    with pytest.raises(UsageError, match="is not a cursor of this list"):
        views.list_timers(database, Filter(), 5, cursor)


def test_a_count_for_people_stops_and_says_so(shop, monkeypatch):
    monkeypatch.setattr(lists, "COUNTED_AT_MOST", 3)
    monkeypatch.setattr(views, "COUNTED_AT_MOST", 3)
    assert str(views.count_exceptions(shop)) == "3+"
    assert str(Count(10_000, capped=True)) == "10,000+"


def test_an_order_is_found_by_its_number_with_or_without_a_hash_sign_and_a_near_one_is_named(database):
    take(database, arrival("#1001"), arrival("1001", shop="other"), arrival("2002", shop="Lumo"), arrival("#1007"))
    with database.read() as connection:
        assert queries.resolve_id(connection, "#1001") == queries.resolve_id(connection, "main/1001")
        assert queries.resolve_id(connection, "1001") == queries.resolve_id(connection, "other/#1001")
        assert queries.resolve_id(connection, "lumo/#2002") == queries.resolve_id(connection, "2002")
        with pytest.raises(UnknownOrder, match="there is no order '1008': did you mean 1001 or #1007 or #1001"):
            queries.resolve_id(connection, "1008")
        with pytest.raises(UnknownOrder, match="there is no order '9': `aftersales orders` lists them"):
            queries.resolve_id(connection, "9")
