"""Exports of whole random shops, imported day by day: the last one alone must give the same (rule 9.6)."""

import csv
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from engine.firing import fire_due
from engine.importing import import_orders
from engine.known_orders import StoredOrders
from engine.replay import arrival_of
from engine.reporting import apply
from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from storage import cases, queries, timers
from tests.factories import all_flags, day, rules_of
from workflow.policy.policy import Orders
from workflow.vocabulary import LedgerStatus, Verdict

RULES = rules_of()
DAYS = 12
QUIET = day(DAYS + 150)
"""When every clock that runs in these shops has fired."""
PARCEL = ("ship", "hold", "release", "deliver")
COLUMNS = (
    *("id", "placed_at", "route", "currency", "supplier", "alternatives", "paid", "ship_by", "sku", "quantity", "price"),
    *("report_no_stock_at", "report_no_stock_supplier", "cancel_at"),
    *(f"{trigger}_at" for trigger in PARCEL),
    *("ship_supplier", "deliver_supplier", "hold_wants"),
    *(f"{trigger}_tracking_number" for trigger in PARCEL),
)
MADE: Counter[str] = Counter()
"""How many exports of each kind were imported."""


@dataclass
class Row:
    """One line of an order in the shop: its cells as they become known, each by the day from which it has a value."""

    cells: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def know(self, name: str, since: float, value: object) -> None:
        self.cells.setdefault(name, []).append((since, str(value)))

    def on(self, now: float) -> dict[str, str]:
        return {
            name: [value for since, value in told if since <= now][-1] for name, told in self.cells.items() if told[0][0] <= now
        }


def at(days: float) -> str:
    return day(days).isoformat()


HOURS = st.integers(0, 23).map(lambda hour: hour / 24)


@st.composite
def orders(draw, number: str) -> list[Row]:
    """An order as it goes: what is reported of its parcel comes into the export up to three days later, in any order."""
    placed = draw(st.integers(0, 3)) + draw(HOURS)
    first = Row()
    facts = {"id": number, "placed_at": at(placed), "route": "domestic", "currency": "CNY", "supplier": "Yiwu"}
    for name, value in facts.items():
        first.know(name, placed, value)
    if draw(st.booleans()):
        first.know("alternatives", placed, draw(st.sampled_from(["Ningbo", "Ningbo;Foshan"])))
    if draw(st.booleans()):
        first.know("paid", placed + draw(st.integers(0, 8)), "50.00")
    known, promised = placed, placed
    for _ in range(draw(st.integers(0, 3))):
        first.know("ship_by", known, at(promised := promised + draw(st.integers(1, 3))))
        known += draw(st.integers(1, 3))
    moment, supplier = placed, "Yiwu"
    if draw(st.booleans()):
        moment, supplier = moment + draw(st.integers(1, 3)) + draw(HOURS), "Ningbo"
        first.know("report_no_stock_at", moment, at(moment))
        first.know("report_no_stock_supplier", moment, "Yiwu")
    if draw(st.integers(0, 3)) == 0:
        moment += draw(HOURS)
        first.know("cancel_at", moment, at(moment))
    rows = draw(lines(first, number, placed))
    others = rows[1 : 1 + draw(st.integers(0, 2))]
    draw(parcels(first, f"RR{number}", moment, supplier, of_several=bool(others)))
    for row in others:
        (since, sku), *_ = row.cells["sku"]
        draw(parcels(row, f"RR{number}-{sku}", max(moment, since), supplier, of_several=True))
    return rows


@st.composite
def parcels(draw, row: Row, number: str, moment: float, supplier: str, *, of_several: bool) -> None:
    """What happens to a parcel of the order from a moment on; the number of one of several is known when it leaves."""
    for trigger in PARCEL[: draw(st.integers(0, 4))]:
        if trigger in ("hold", "release") and draw(st.booleans()):
            continue
        moment += 0.5 + draw(HOURS)
        since = moment + draw(st.integers(0, 3))
        row.know(f"{trigger}_at", since, at(moment))
        if trigger in ("ship", "deliver"):
            row.know(f"{trigger}_supplier", since, supplier)
        later = {"ship": ("ship_tracking_number", number), "hold": ("hold_wants", "payment")}.get(trigger)
        if of_several and trigger == "ship":
            row.know("ship_tracking_number", since, number)
        elif later and draw(st.booleans()):
            row.know(later[0], since + draw(st.integers(0, 3)), later[1])
        if of_several and trigger != "ship":
            row.know(f"{trigger}_tracking_number", since, number)


@st.composite
def lines(draw, first: Row, number: str, placed: float) -> list[Row]:
    """The order's rows: its lines become known, and more of their pieces."""
    rows = [first, *(Row() for _ in range(draw(st.integers(0, 2))))]
    for line, row in enumerate(rows):
        since = placed if row is first else placed + draw(st.integers(0, 6))
        for name, value in {"id": number, "sku": f"SKU-{line}", "price": "5.00", "quantity": 1}.items():
            if row is not first or name != "id":
                row.know(name, since, value)
        if draw(st.booleans()):
            row.know("quantity", since + draw(st.integers(1, 4)), 2)
    return rows


@st.composite
def shops(draw) -> list[Row]:
    count = draw(st.integers(1, 3))
    return [row for number in range(count) for row in draw(orders(str(1000 + number)))]


def export(folder: Path, rows: list[Row], now: float, database=None) -> OrderFile:
    path = folder / f"export-{now}.csv"
    with path.open("w", newline="") as file:
        written = csv.DictWriter(file, COLUMNS)
        written.writeheader()
        written.writerows(told for row in rows if (told := row.on(now)))
    return OrderFile(path, own_mapping(columns_of(path)), Orders(), marks=database and StoredOrders(database))


def bring_in(database, folder: Path, rows: list[Row], now: float, kind: str) -> None:
    MADE[kind] += 1
    done = import_orders(database, export(folder, rows, now, database), day(now), RULES)
    assert done.rejected == []


def whole_shop(database):
    with database.read() as connection:
        return {
            one.case.order.number: one.case
            for one in cases.load(connection, queries.order_ids(connection), lock=False).values()
        }


def standing(case, *, with_clocks=True):
    """What must be the same: state, lines, money, parcels, and the clocks that run."""
    clocks = sorted((one.trigger, one.due_at, one.status, one.paused_at) for one in case.timers) if with_clocks else None
    withdrawn = LedgerStatus.withdrawn
    money = [(one.side, one.status, one.amount, one.attempt) for one in case.ledger if with_clocks or one.status != withdrawn]
    parcels = [(one.supplier, one.shipped_at, one.delivered_at) for one in case.attempts]
    parcels += sorted((str(one.tracking_number), one.news) for one in case.parcels)
    lines = sorted(case.lines, key=lambda one: one.sku)  # they are numbered as they came
    return case.state, lines, money, parcels if with_clocks else None, clocks


def needs_a_person(database) -> set[str]:
    """The orders with a flag, or with an exception that is open."""
    with database.read() as connection:
        flagged = {row["order_id"] for row in all_flags(connection)}
        numbers = {
            key: one.case.order.number for key, one in cases.load(connection, queries.order_ids(connection), lock=False).items()
        }
        kept = {key for key in numbers if queries.reports(connection, key, Verdict.exception)}
    return {numbers[key] for key in flagged | kept}


def exceptions(database, number: str) -> list[str]:
    with database.read() as connection:
        kept = queries.reports(connection, queries.resolve_id(connection, number), Verdict.exception)
    return [row["reason"] for row in kept]


def let_clocks_run(database, until) -> None:
    """Fire every timer at its own instant."""
    while True:
        with database.read() as connection:
            due = timers.next_wake(connection)
        if due is None or due > until:
            return
        fire_due(database, due, RULES)


HURRY = settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])


@contextmanager
def closed_after(*databases):
    """Every example has databases of its own: a server lets in only so many at a time."""
    yield databases
    for database in databases:
        database.close()


def days_of(database, folder: Path, rows: list[Row], kind: str, *, with_clocks: bool = False) -> None:
    for now in range(1, DAYS + 1):
        if with_clocks:
            let_clocks_run(database, day(now))
        bring_in(database, folder, rows, now, kind)


@HURRY
@given(rows=shops())
def test_exports_that_grow_give_what_the_last_one_alone_gives(make_database, rows):
    with closed_after(make_database(), make_database()) as (one_by_one, alone), TemporaryDirectory() as name:
        days_of(one_by_one, Path(name), rows, "growing, no clocks between")
        bring_in(alone, Path(name), rows, DAYS, "alone")
        found, wanted = whole_shop(one_by_one), whole_shop(alone)
    for number, case in wanted.items():
        event(f"{case.state}")
        assert standing(found[number]) == standing(case)


@HURRY
@given(rows=shops())
def test_with_clocks_between_an_order_ends_where_it_would_have_or_needs_a_person(make_database, rows):
    with closed_after(make_database(), make_database()) as (one_by_one, lived), TemporaryDirectory() as name:
        days_of(one_by_one, Path(name), rows, "growing, with clocks between", with_clocks=True)
        let_clocks_run(one_by_one, QUIET)
        arrivals = [arrival_of(incoming) for incoming, _, _ in export(Path(name), rows, DAYS) if incoming]
        with lived.write() as connection:
            apply(connection, arrivals, QUIET, RULES, until=QUIET)
        found, wanted, told = whole_shop(one_by_one), whole_shop(lived), needs_a_person(one_by_one)
    for number, case in wanted.items():
        is_same = standing(found[number], with_clocks=False) == standing(case, with_clocks=False)
        event(f"the same: {is_same}")
        assert is_same or number in told


CHANGES = {
    "route": "international",
    "supplier": "Foshan Goods",
    "placed_at": at(-1),
    "paid": "60.00",
    "price": "6.00",
    "quantity": "1",
    "ship_tracking_number": "RR9",
}


@HURRY
@given(rows=shops(), name=st.sampled_from([*CHANGES]))
def test_where_a_fact_changes_all_else_is_the_same_and_an_exception_names_it(make_database, rows, name):
    last = rows[0].on(DAYS)
    assume(rows[0].on(DAYS - 1).get(name) == last.get(name) not in (None, CHANGES[name]))
    with closed_after(make_database(), make_database()) as (one_by_one, alone), TemporaryDirectory() as folder:
        bring_in(alone, Path(folder), rows, DAYS, "alone")
        rows[0].know(name, DAYS, CHANGES[name])
        days_of(one_by_one, Path(folder), rows, "changing")
        found, wanted, told = whole_shop(one_by_one), whole_shop(alone), exceptions(one_by_one, last["id"])
    event(name)
    if name == "ship_tracking_number":  # a number is corrected
        numbers = [[one.tracking_number for one in shop[last["id"]].parcels] for shop in (found, wanted)]
        assert {*numbers[0]} == {CHANGES[name] if one == last[name] else one for one in numbers[1]}
        return
    assert {number: standing(case) for number, case in found.items()} == {
        number: standing(case) for number, case in wanted.items()
    }
    assert [one for one in told if one.startswith(f"{name} ")], told


def test_exports_of_all_three_kinds_were_made(capsys):
    """Runs last in this file, and prints how many exports were imported."""
    with capsys.disabled():
        print("\n" + "\n".join(f"{count:6} exports {kind}" for kind, count in sorted(MADE.items())))
