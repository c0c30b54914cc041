"""Orders that are alike are fired together: what they leave behind is what each would have left behind alone."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from engine.firing import fire_due
from engine.firing_grouped import Traces, fire_grouped
from engine.outcomes import Arrival
from engine.reporting import apply
from storage import timers
from storage.row_sets import Constant, Operation, RowSet, Shape
from storage.staging import together
from storage.tables import AttemptRow, LineRow, table_of
from tests.factories import START, left_behind, rules_of
from workflow.case.case import Line, Order, Report
from workflow.catalogue import Catalogue, Offer, Record

POLICIES = (
    "",
    '[overdue]\nhandling_time = "1d"\nreroute_after_urge = "2wd"\n[delivery]\nclose_after = "3wd"\n',
    '[money]\nchase_recovery_at = ["1d", "3d"]\n[effects.modes]\nurge_supplier = "off"\n',
    '[[overrides]]\nsupplier = "s1"\noverdue.urge_after = "1d"\n',
    '[[closures]]\nsupplier = "s1"\nfrom = 2025-03-05\nto = 2025-03-09\n\n[[closures]]\nfrom = 2025-03-14\nto = 2025-03-15\n',
)
CHOICES = (
    "",
    '[supply]\nchoose = "cheapest"\nunresponsive = "reroute"\n',
    '[supply]\nchoose = "most_reliable"\nmax_extra_cost = "20%"\n[[overrides]]\nsupplier = "s1"\nsupply.choose = "rank"\n',
)
REPORTS = ("ship", "deliver", "cancel", "report_no_stock", "hold", "note_transit", "fail_interception", "settle_recovery")
NAMES = ("s1", "s2", 'quoted "s3"', "供应商 %s", "back\\slash")
kinds = st.fixed_dictionaries(
    {
        "count": st.integers(1, 6),
        "route": st.sampled_from(("domestic", "international")),
        "suppliers": st.lists(st.sampled_from(NAMES), min_size=1, max_size=2),
        "alternatives": st.lists(st.sampled_from(("a", "b", "c")), unique=True, max_size=2).map(tuple),
        "paid": st.none() | st.integers(0, 5_000),
        "country": st.sampled_from((None, "US", "BR")),
        "skus": st.lists(st.sampled_from(("x", "z", "")), max_size=2),
        "ship_by": st.none() | st.integers(0, 5),
        "reports": st.lists(st.tuples(st.floats(0, 30), st.sampled_from(REPORTS)), max_size=4),
    }
)

offers = st.builds(
    Offer,
    supplier=st.sampled_from((*NAMES, "S1", "d")),
    sku=st.sampled_from(("x", "z")),
    shop=st.sampled_from((None, "main", "other")),
    supplier_sku=st.none() | st.sampled_from(("X-1", '"x"')),
    price=st.none() | st.integers(0, 3_000),
    currency=st.sampled_from(("CNY", "CNY", "USD")),
    handling_time=st.sampled_from((None, "1d", "2wd")),
    countries=st.sampled_from(((), ("us",), ("US", "BR"))),
    rank=st.none() | st.integers(1, 2),
    since=st.none() | st.integers(0, 10).map(lambda days: START + timedelta(days=days)),
    until=st.none() | st.integers(3, 30).map(lambda days: START + timedelta(days=days)),
)
RECORDS = {"s1": Record(9, 8, 1), "s2": Record(9, 9, 0), "d": Record(1, 1, 0)}


def orders_of(kinds):
    for k, kind in enumerate(kinds):
        for n in range(kind["count"]):
            at = START + timedelta(minutes=7 * n + k)
            facts = {
                "route": kind["route"],
                "supplier": kind["suppliers"][n % len(kind["suppliers"])],
                "alternatives": kind["alternatives"],
                "country": kind["country"],
                "paid": kind["paid"] and kind["paid"] + n,
                "ship_by": None if kind["ship_by"] is None else at + timedelta(days=kind["ship_by"], seconds=n),
            }
            lines = tuple(Line(sku, "y", 1 + n % 2, 100) for sku in kind["skus"])
            yield Order("main", f'{k}-"{n}"', at, "CNY", **facts), kind["reports"], n % 5 == 4, lines


def told(orders, begin, end):
    """Yield what is reported of the orders between two days."""
    for order, reports, *_ in orders:
        due = [(day, trigger) for day, trigger in reports if begin <= day < end]
        for day, trigger in sorted(due):
            at = order.placed_at + timedelta(days=day)
            yield Arrival(order, (Report(trigger, at, "test", f"{trigger}@{day}", "carrier:test"),))


def live(database, rules, orders, ticks, limit, traces):
    """Let orders live on a clock that jumps from tick to tick."""
    with database.write() as connection:
        for order, _, observed, lines in orders:
            placed = Report("place", order.placed_at, "test", "place", "import:test")
            apply(
                connection,
                [Arrival(order, (), lines, placed)],
                START + timedelta(hours=12),
                rules,
                observed=observed,
            )
    day = 0.5
    for tick in ticks:
        at = START + timedelta(days=day + tick)
        with database.write() as connection:
            apply(connection, [*told(orders, day, day + tick)], at, rules)
        while fired := fire_due(database, at, rules, limit, traces=traces, grouped=traces is not None):
            assert fired.failures == []
            if not fired.count:
                break
        day += tick


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(kinds, min_size=1, max_size=4),
    policy=st.sampled_from(POLICIES),
    ticks=st.lists(st.floats(0.1, 9), min_size=2, max_size=8),
    limit=st.sampled_from((3, 1_000)),
)
def test_orders_fired_together_leave_behind_what_each_would_have_alone(make_database, kinds, policy, ticks, limit):
    orders, rows = [*orders_of(kinds)], []
    for traces in (None, Traces()):
        database = make_database()
        live(database, rules_of(policy), orders, ticks, limit, traces)
        rows.append(left_behind(database))
        database.close()
    alone, grouped = rows
    for table, found in alone.items():
        assert grouped[table] == found, table


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(kinds, min_size=1, max_size=3),
    policy=st.sampled_from(CHOICES),
    catalogue=st.lists(offers, min_size=1, max_size=6),
    ticks=st.lists(st.floats(0.1, 9), min_size=2, max_size=8),
)
def test_orders_fired_together_turn_to_the_supplier_of_the_catalogue_that_each_would_have_alone(
    make_database, kinds, policy, catalogue, ticks
):
    orders, rows = [*orders_of([{**kind, "alternatives": ()} for kind in kinds])], []
    chooser = Catalogue(lambda skus: [one for one in catalogue if one.sku in skus], lambda at: RECORDS)
    for traces in (None, Traces()):
        database = make_database()
        live(database, rules_of(policy).with_chooser(chooser), orders, ticks, 1_000, traces)
        rows.append(left_behind(database))
        database.close()
    alone, grouped = rows
    for table, found in alone.items():
        assert grouped[table] == found, table


def test_orders_with_a_next_supplier_each_are_not_fired_one_by_one(make_database):
    database, traces = make_database(), Traces()
    kind = {"count": 40, "route": "domestic", "suppliers": NAMES, "alternatives": (), "paid": 100, "ship_by": None}
    offered = [Offer(f"s{n}", "x", price=90 + n, currency="CNY") for n in range(6)]
    chooser = Catalogue(lambda skus: offered)
    orders = [*orders_of([{**kind, "country": "US", "skus": ("x",), "reports": ()}])]
    live(database, rules_of().with_chooser(chooser), orders, (3, 2), 1_000, traces)
    assert not traces.given_up
    with database.read() as connection:
        left = connection.execute(text("SELECT count(*) FROM attempts WHERE number = 2")).scalar()
    assert left == 40


def test_most_timers_need_no_order_of_their_own(make_database):
    database, traces = make_database(), Traces()
    kind = {"count": 40, "route": "domestic", "suppliers": NAMES, "alternatives": ("a",), "paid": 100, "ship_by": None}
    kind |= {"country": None, "skus": ("x",)}
    live(database, rules_of(), [*orders_of([{**kind, "reports": ()}])], (3, 3, 10, 30), 1_000, traces)
    assert traces.signatures
    assert not traces.given_up
    with database.read() as connection:
        fired = connection.execute(text("SELECT trigger, count(*) FROM timers WHERE status = 'fired' GROUP BY trigger"))
        assert dict(fired.all())["urge"] >= 40


def fired_in_groups(database, at, rules):
    """Fire what is due, and return how many timers could not be fired in groups."""
    with database.write() as connection:
        due = timers.due(connection, at, 10_000)
        in_groups, left, _ = fire_grouped(connection, due, at, rules, Traces())
        assert len(in_groups) + len(left) == len(due) > 0
    return len(left)


def placed(database, count, rules, **facts):
    """Place orders of as many suppliers, each with alternatives of its own."""
    with database.write() as connection:
        for n in range(count):
            order = Order(
                "main", str(n), START, "CNY", supplier=f"s{n}", alternatives=(f"a{n}", f"b{n}"), paid=100 + n, **facts
            )
            apply(connection, [Arrival(order, (), (), Report("place", START, "test", "place", "import:test"))], START, rules)


def test_an_override_for_one_supplier_leaves_the_orders_of_all_others_in_one_group(make_database):
    database, rules = make_database(), rules_of('[[overrides]]\nsupplier = "s7"\noverdue.urge_after = "1d"\n')
    placed(database, 300, rules)
    assert fired_in_groups(database, START + timedelta(days=2), rules) == 0
    with database.read() as connection:
        instants = connection.execute(text("SELECT count(DISTINCT due_at) FROM timers WHERE trigger = 'urge'")).scalar()
    assert instants == 2, "the one supplier is urged a day earlier"


def test_orders_with_alternatives_of_their_own_are_rerouted_in_groups(make_database):
    database, rules = make_database(), rules_of()
    placed(database, 300, rules)
    for day in (2, 4):
        assert fired_in_groups(database, START + timedelta(days=day), rules) == 0
    with database.read() as connection:
        suppliers = connection.execute(text("SELECT supplier FROM attempts WHERE number = 2")).scalars()
        assert {*suppliers} == {f"a{n}" for n in range(300)}


def test_orders_whose_claims_have_ended_are_fired_in_groups_again(make_database):
    database, rules = make_database(), rules_of()
    placed(database, 40, rules)
    told = (("ship", 1, {}), ("deliver", 2, {}), ("open_claim", 3, {"kind": "damaged"}), ("withdraw", 4, {}))
    with database.write() as connection:
        for n in range(40):
            for trigger, day, fields in told:
                at = START + timedelta(days=day, seconds=n)
                report = Report(trigger, at, "test", trigger, "person:test", fields)
                apply(connection, [Arrival(Order("main", str(n), START, "CNY"), (report,))], at, rules)
    assert fired_in_groups(database, START + timedelta(days=90), rules) == 0
    with database.read() as connection:
        assert connection.execute(text("SELECT DISTINCT state FROM orders")).scalars().all() == ["closed"]


@pytest.mark.parametrize("count", [60, 250])
def test_many_alike_steps_that_were_not_traced_leave_behind_what_a_trace_does(make_database, count):
    rules, rows = rules_of(), []
    for traces in (None, Traces()):
        database = make_database()
        placed(database, count, rules)
        for day in (2, 4):
            at = START + timedelta(days=day)
            assert fire_due(database, at, rules, traces=traces, grouped=traces is not None).count == count
        rows.append(left_behind(database))
    assert rows[0] == rows[1]


def test_sets_of_rows_are_written_together_only_if_most_of_their_values_are_the_same():
    ids = tuple(range(100))
    urged = Shape(Operation.change, table_of(AttemptRow), ("order_id", "number", "urged_at"))
    alike = RowSet(urged, (ids, (1,) * 100, (START,) * 100))
    own = RowSet(Shape(Operation.add, table_of(LineRow), ("order_id", "sku", "title")), (ids, ids, ids[::-1]))
    others = RowSet(alike.shape, (ids[1:], (1,) * 99, (START,) * 99))
    assert [len(group) for group in together([alike, alike])] == [2]
    assert [len(group) for group in together([own, own])] == [1, 1]
    assert [len(group) for group in together([alike, others, alike])] == [1, 1, 1]
    ((first, _),) = together([alike, alike])
    assert first.columns[1:] == (Constant(1), Constant(START))
