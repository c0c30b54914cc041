"""A replay that only counts keeps no rows: what it counts in memory is what a database would have held."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.counting import Counting
from engine.outcomes import Arrival, Tally
from engine.replay import replay
from engine.reporting import apply
from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from storage.database import Database
from storage.scratch import create_tables
from tests.factories import START, day, rules_of
from workflow.case.case import Line, Order, Report
from workflow.policy.policy import Orders, Policy

UNTIL = day(60)
POLICIES = (
    "",
    '[overdue]\nhandling_time = "1wd"\nurge_after = "1wd"\nreroute_after_urge = "2wd"\n[delivery]\nclose_after = "3wd"\n',
    '[customs]\nremind_every = "36h"\n[interception]\nfail_after = "3wd"\n[money]\nchase_recovery_at = ["1d", "3d"]\n',
    '[[overrides]]\nsupplier = "s1"\noverdue.urge_after = "1d"\n',
)
NAMES = ("s1", "s2", 'quoted "s3"')
names = st.sampled_from(NAMES)


def saying(triggers, needed=(), **optional):
    """Return reports of these triggers, and what they may say."""
    fields = {name: optional.pop(name) for name in needed}
    return st.tuples(st.sampled_from(triggers), st.fixed_dictionaries(fields, optional=optional))


reports = st.one_of(
    saying(("ship",), carrier=names, supplier=names),
    saying(("ship",), tracking_number=st.text("0123456789", min_size=1, max_size=9)),
    saying(("promise",), needed=("ship_by",), ship_by=st.floats(0, 9).map(lambda at: day(at).isoformat())),
    saying(("note_transit",), status=names),
    saying(("open_claim",), needed=("kind",), kind=st.sampled_from(("damaged", "missing"))),
    saying(("correct_address",), needed=("address",), address=names),
    saying(("settle_refund",), amount=st.integers(0, 900)),
    saying(("cancel",), reason=names),
    saying(("deliver", "report_no_stock", "hold", "release", "cancel", "fail_interception", "settle_recovery")),
)
kinds = st.fixed_dictionaries(
    {
        "count": st.integers(1, 5),
        "route": st.sampled_from(("domestic", "international")),
        "supplier": st.none() | st.sampled_from(NAMES),
        "alternatives": st.lists(st.sampled_from(("a", "b")), unique=True).map(tuple),
        "paid": st.none() | st.integers(0, 5_000),
        "ship_by": st.none() | st.integers(-1, 5),
        "reports": st.lists(st.tuples(st.floats(-1, 40), reports), max_size=6),
        "spread": st.sampled_from((0.0, 0.3, 5.0)),
    }
)
LIKE = {"route": "domestic", "supplier": "s1", "alternatives": ("a",), "paid": 5, "ship_by": None, "spread": 0.1}
numbers = count()


def arrivals_of(kinds):
    """Yield orders, those of a kind with the same reports, at instants of their own."""
    for kind in kinds:
        for n in range(kind["count"]):
            at = START + timedelta(days=n * kind["spread"], minutes=n)
            ship_by = None if kind["ship_by"] is None else at + timedelta(days=kind["ship_by"])
            facts = {name: kind[name] for name in ("route", "supplier", "alternatives", "paid")}
            order = Order("main", f"{next(numbers)}", at, "CNY", **facts, ship_by=ship_by, buyer_name="Ana")
            told = [report(trigger, at + timedelta(days=d), fields) for d, (trigger, fields) in kind["reports"]]
            placing = Report("place", at, "test", "place", "import:x")
            yield Arrival(order, tuple(one for one in told if one.at <= UNTIL), (Line("x", "y", 2, 100),), placing)


def report(trigger, at, fields):
    return Report(trigger, at, "test", f"{trigger}@{at}", "carrier:x", fields)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('lives') / 'scratch.db'}", scratch=True)
    create_tables(made)
    yield made
    made.close()


def under_another_number(arrival: Arrival) -> Arrival:
    return replace(arrival, order=replace(arrival.order, number=f"{next(numbers)}"))


def one_by_one(database, arrivals, rules) -> Tally:
    tally = Tally()
    with database.write() as connection:
        for outcome in apply(connection, arrivals, UNTIL, rules, until=UNTIL):
            tally.add(outcome)
    return tally


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(kinds, min_size=1, max_size=4), policy=st.sampled_from(POLICIES))
def test_what_is_counted_in_memory_is_what_a_database_would_have_held(scratch, kinds, policy):
    arrivals, rules, tally = [*arrivals_of(kinds)], rules_of(policy), Tally()
    left = [*Counting(UNTIL, rules, tally).left_of(arrivals)]
    rest, stored = one_by_one(scratch, map(under_another_number, left), rules), one_by_one(scratch, arrivals, rules)
    for name in Tally.__dataclass_fields__:
        assert getattr(tally, name) + getattr(rest, name) == getattr(stored, name), name


def test_an_order_of_which_something_is_reported_twice_needs_a_database():
    ((arrival),) = arrivals_of([{**LIKE, "count": 1, "reports": [(1.0, ("deliver", {}))] * 2}])
    tally = Tally()
    assert [*Counting(UNTIL, rules_of(), tally).left_of([arrival])] == [arrival]
    assert tally.orders == 0


def test_a_file_that_links_orders_is_counted_as_one_that_is_kept(tmp_path):
    path_conditions = tmp_path / "orders.csv"
    path_conditions.write_text(
        "id,placed_at,supplier,alternatives,route,currency,paid,ship_at,deliver_at,open_claim_at,open_claim_kind,approve_at,"
        "choose_reissue_at,confirm_reissue_at,confirm_reissue_new_order\n"
        "1,2025-03-03T09:00Z,s,a,domestic,CNY,10,2025-03-04T09:00Z,2025-03-09T09:00Z,2025-03-10T09:00Z,damaged,"
        "2025-03-11T09:00Z,2025-03-12T09:00Z,2025-03-13T09:00Z,2\n"
        "2,2025-03-13T09:00Z,s,a,domestic,CNY,10,,,,,,,,\n"
    )
    file = OrderFile(path_conditions, own_mapping(columns_of(path_conditions)), Orders())
    assert file.links_orders
    counted, kept = (replay(file, UNTIL, Policy(), "", keep=keep).tally for keep in (None, tmp_path / "kept.db"))
    assert counted == kept
    assert counted.orders == 2
