"""Orders that are alike are fired together: what they leave behind is what each would have left behind alone."""

import json
from datetime import UTC, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlmodel import SQLModel

from engine.firing import fire_due
from engine.outcomes import Arrival
from engine.reporting import apply
from storage import queries, timers
from tests.conftest import START, rules_of
from workflow.case.case import Line, Order, Report
from workflow.columns import Columns
from workflow.symbols import Opaque, Untraceable, digest, plain
from workflow.trace_cache import TraceCache

POLICIES = (
    "",
    '[overdue]\nhandling_time = "1d"\nreroute_after_urge = "2wd"\n[delivery]\nclose_after = "3wd"\n',
    '[money]\nchase_recovery_at = ["1d", "3d"]\n[effects.modes]\nurge_supplier = "off"\n',
    '[[overrides]]\nsupplier = "s1"\noverdue.urge_after = "1d"\n',
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
        "ship_by": st.none() | st.integers(0, 5),
        "reports": st.lists(st.tuples(st.floats(0, 30), st.sampled_from(REPORTS)), max_size=4),
    }
)


def orders_of(kinds):
    for k, kind in enumerate(kinds):
        for n in range(kind["count"]):
            at = START + timedelta(minutes=7 * n + k)
            facts = {
                "route": kind["route"],
                "supplier": kind["suppliers"][n % len(kind["suppliers"])],
                "alternatives": kind["alternatives"],
                "paid": kind["paid"] and kind["paid"] + n,
                "ship_by": None if kind["ship_by"] is None else at + timedelta(days=kind["ship_by"], seconds=n),
            }
            yield Order("main", f'{k}-"{n}"', at, "CNY", **facts), kind["reports"], n % 5 == 4


def told(orders, begin, end):
    """Yield what is reported of the orders between two days."""
    for order, reports, _ in orders:
        due = [(day, trigger) for day, trigger in reports if begin <= day < end]
        for day, trigger in sorted(due):
            at = order.placed_at + timedelta(days=day)
            yield Arrival(order, (Report(trigger, at, "test", f"{trigger}@{day}", "carrier:test"),))


def live(database, rules, orders, ticks, limit, grouped=True):
    """Let orders live on a clock that jumps from tick to tick."""
    with database.write() as connection:
        for order, _, observed in orders:
            placed = Report("place", order.placed_at, "test", "place", "import:test")
            apply(
                connection,
                [Arrival(order, (), (Line("x", "y", 1, 100),), placed)],
                START + timedelta(hours=12),
                rules,
                observed=observed,
            )
    day = 0.5
    for tick in ticks:
        at = START + timedelta(days=day + tick)
        with database.write() as connection:
            apply(connection, [*told(orders, day, day + tick)], at, rules)
        while fired := fire_due(database, at, rules, limit, grouped=grouped):
            assert fired.failures == []
            if not fired.count:
                break
        day += tick


def left_behind(database):
    """Return every row of every table, without what is drawn by lot and without the ids of effects."""
    rows = {}
    with database.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            hidden = {"orders": {"salt"}, "effects": {"id"}, "attention": {"id"}}.get(table.name, set())
            found = connection.execute(select(table)).mappings()
            rows[table.name] = sorted(json.dumps({k: str(v) for k, v in row.items() if k not in hidden}) for row in found)
        assert [*queries.broken_chains(connection)] == []
        assert timers.backlog(connection, START) == 0
    return rows


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(kinds, min_size=1, max_size=4),
    policy=st.sampled_from(POLICIES),
    ticks=st.lists(st.floats(0.1, 9), min_size=2, max_size=8),
    limit=st.sampled_from((3, 1_000)),
)
def test_orders_fired_together_leave_behind_what_each_would_have_alone(make_database, kinds, policy, ticks, limit):
    orders, rows = [*orders_of(kinds)], []
    for together in (False, True):
        database = make_database()
        live(database, rules_of(policy), orders, ticks, limit, grouped=together)
        rows.append(left_behind(database))
        database.close()
    alone, together = rows
    for table, found in alone.items():
        assert together[table] == found, table


def test_most_timers_need_no_order_of_their_own(make_database):
    database, rules = make_database(), rules_of()
    kind = {"count": 40, "route": "domestic", "suppliers": NAMES, "alternatives": ("a",), "paid": 100, "ship_by": None}
    live(database, rules, [*orders_of([{**kind, "reports": ()}])], (3, 3, 10, 30), 1_000)
    assert rules.traces
    assert not any(cache.given_up for cache in rules.traces.values())
    with database.read() as connection:
        fired = connection.execute(text("SELECT trigger, count(*) FROM timers WHERE status = 'fired' GROUP BY trigger"))
        assert dict(fired.all())["urge"] >= 40


# --- symbols and path conditions ---


def sorted_by(cache, rows, made):
    columns = Columns([*zip(*rows, strict=True)], len(rows), {})
    return {leaf.result: orders for leaf, orders in cache.group(columns, made)}


def test_what_is_only_passed_on_is_worked_out_once():
    seen = []

    def made(trace, order):
        seen.append(order)
        assert trace.symbol(0).is_same_symbol(trace.symbol(0))
        return "passed on"

    assert sorted_by(TraceCache(), [(n,) for n in range(9)], made) == {"passed on": [*range(9)]}
    assert seen == [0]


def test_orders_that_answer_otherwise_end_elsewhere():
    cache = TraceCache()

    def made(trace, order):
        symbol = trace.symbol(0)
        return "late" if symbol + timedelta(days=1) > START else "early"

    rows = [(START - timedelta(days=day),) for day in range(4)]
    assert sorted_by(cache, rows, made) == {"late": [0], "early": [1, 2, 3]}
    assert sorted_by(cache, rows, None) == {"late": [0], "early": [1, 2, 3]}, "the process is not traced again"


def test_what_is_looked_at_counts_for_orders_with_that_value_alone():
    assert sorted_by(TraceCache(), [("a",), ("b",), ("a",)], lambda trace, order: str(trace.symbol(0))) == {
        "a": [0, 2],
        "b": [1],
    }


def test_a_tree_that_every_order_answers_in_its_own_way_is_given_up():
    cache = TraceCache()
    assert len(sorted_by(cache, [(n,) for n in range(100)], lambda trace, order: int(trace.symbol(0)))) <= 31
    assert cache.given_up


@pytest.mark.parametrize("look", [str, bool, hash, iter, len, lambda it: it + 1, lambda it: it == 1, lambda it: it.year, plain])
def test_what_was_not_read_cannot_be_looked_at(look):
    with pytest.raises(Untraceable):
        look(Opaque())


LOOKS = {
    "added": lambda number, at, name: (number + number, 5 + number, sum([number, number])),
    "taken away": lambda number, at, name: (10 - number, at - at, at - START),
    "moved": lambda number, at, name: (number - 2 < number, number + 1 < number + 2, at + timedelta(days=1) > START),
    "compared": lambda number, at, name: (number < 4, number > 4, number >= 3, number <= 3, number == 3, number != name),
    "apart": lambda number, at, name: ((at + timedelta(days=1)) - at, at - at, (number + 2) - number, number - number),
    "the same": lambda number, at, name: (at == START, at != START, at == at + timedelta(days=1), at == name, at == at),
    "read in a zone": lambda number, at, name: (at.astimezone(UTC).date(), at.astimezone(UTC).year, at.astimezone(UTC).hour),
    "measured": lambda number, at, name: (len(name), int(number), str(name), [*name], name.upper(), f"{name:>5}"),
    "true": lambda number, at, name: (bool(number), bool(at), bool(name), not name),
    "joined": lambda number, at, name: (name + "!", {name: 1}[name]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_symbol_answers_as_its_value_would(look):
    rows = [(3, START, "a"), (0, START + timedelta(hours=20), ""), (7, START - timedelta(days=400), "long")]
    ends = sorted_by(TraceCache(), rows, lambda trace, order: repr(LOOKS[look](*(trace.symbol(slot) for slot in range(3)))))
    for made, orders in ends.items():
        assert {repr(LOOKS[look](*rows[order])) for order in orders} == {made}


def test_what_a_function_makes_of_a_value_is_worked_out_for_each_order():
    padded = lambda trace, order: trace.symbol(0).map(str.rjust, 3, "-")  # noqa: E731
    columns = Columns([["a", "bb"]], 2, {})
    ((end, orders),) = TraceCache().group(columns, padded)
    assert (orders, columns.of(end.result.slot, end.result.offset)) == ([0, 1], ["--a", "-bb"])
    looked_at = sorted_by(TraceCache(), [("a",), ("bb",)], lambda trace, order: str(padded(trace, order)))
    assert looked_at == {"--a": [0], "-bb": [1]}


def test_where_a_value_is_looked_at_that_no_other_order_has_each_goes_by_itself():
    worked_out = []

    def made(trace, order):
        worked_out.append(order)
        at = trace.symbol(0)
        return "early" if at < START else f"{at:%d}"

    cache, rows = TraceCache(unique_slots={0}), [(START + timedelta(days=day),) for day in (-1, 1, -2, 2, 3)]
    assert sorted_by(cache, rows, made) == {"early": [0, 2]}
    assert worked_out == [0, 1], "of the others nothing is worked out any more"
    assert not cache.given_up


def test_what_is_made_later_cannot_be_looked_at():
    cache = TraceCache()
    made = lambda trace, order: str(digest(trace.symbol(0), f"{trace.symbol(0)}"))  # noqa: E731
    assert sorted_by(cache, [("before",)], made) == {}
    assert cache.given_up


def test_a_digest_of_symbols_is_that_of_the_text_with_their_values():
    rows = [("before", 'a "quoted" 名', START, 5), ("other", "%s \\ %d", START + timedelta(days=1), 7)]

    def made(trace, order):
        previous, name, at, sum_ = (trace.symbol(slot) for slot in range(4))
        text = json.dumps([previous, f"main/{name}", at, sum_, sum_ + 1, None], default=plain)
        assert trace.is_marked(text)
        following = json.dumps([digest(previous, text), START], default=plain)
        digest(previous, following)
        return tuple(trace.digests)

    columns = Columns([*zip(*rows, strict=True)], 2, {})
    ((end, _),) = TraceCache().group(columns, made)
    columns.compute_digests(end.digests)
    for order, (previous, name, at, sum_) in enumerate(rows):
        text = json.dumps([previous, f"main/{name}", at.isoformat(), sum_, sum_ + 1, None])
        assert columns.stored(4)[order] == digest("", text)
        assert columns.stored(5)[order] == digest("", json.dumps([digest("", text), START.isoformat()]))
