"""Sixty daily exports of a shop, imported one after another: what comes of them, and what they cost.

`python -m drills.exports 5000 60` lets a shop of 5,000 orders export everything it knows each day: cells that are filled
late, lines that are added, pieces that grow, items that are cancelled (0 pieces), promises that are put off. At the end
each order must stand as if the last export alone had been imported (rule 9.6); where a fact was edited, an exception must
say so.
"""

import csv
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.importing import Imported, import_orders
from engine.known_orders import StoredOrders
from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from storage import cases, queries
from storage.database import Database
from storage.schema import upgrade
from workflow.case.case import Case
from workflow.policy.policy import Orders, Policy, Rules, calendar_of
from workflow.vocabulary import Verdict

START = datetime(2026, 9, 1, tzinfo=UTC)
POLICY = Policy()
RULES = Rules(1, POLICY, calendar_of(POLICY))
COLUMNS = (
    *("id", "placed_at", "route", "currency", "supplier", "paid", "ship_by", "buyer_name", "buyer_email", "sku", "quantity"),
    *("price", "ship_at", "ship_carrier", "ship_tracking_number", "deliver_at"),
)


@dataclass
class Line:
    """A row of the export: its cells, each with the day from which it is known and its value then."""

    cells: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def know(self, name: str, since: float, value: object) -> None:
        """Let a cell have a value from a day on."""
        self.cells.setdefault(name, []).append((since, str(value)))

    def on(self, day: float) -> dict[str, str]:
        """Return what the row says on a day; nothing, if it is not there yet."""
        found = {
            name: next((value for since, value in reversed(told) if since <= day), "") for name, told in self.cells.items()
        }
        return found if any(found.values()) else {}


def _at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat(timespec="seconds")


def shop(orders: int, days: int, seed: int) -> tuple[list[list[Line]], set[str]]:
    """Return the orders of a shop as their rows, and the numbers of those whose facts are edited."""
    dice, made, edited = random.Random(seed), list[list[Line]](), set[str]()
    for number in range(orders):
        placed = dice.uniform(0, days - 2)
        first = _first(dice, number, placed)
        _ship(dice, first, number, placed)
        made.append([first, *_further(dice, number, placed)])
        if dice.random() < 0.02:
            first.know("paid", placed + 5, "31.00")
            edited.update([str(number)] if placed + 5 <= days else [])
    return made, edited


def _first(dice: random.Random, number: int, placed: float) -> Line:
    """Return the first row of an order; what was paid may come later, and the ship date is put off."""
    first = Line()
    facts = {
        "id": number,
        "placed_at": _at(placed),
        "route": "domestic",
        "currency": "CNY",
        "supplier": f"Yiwu {number % 40}",
        "buyer_name": f"Buyer {number}",
        "buyer_email": f"b{number}@example.com",
        "sku": "CUP",
        "price": "10.00",
    }
    for name, value in facts.items():
        first.know(name, placed, value)
    first.know("quantity", placed, dice.choice((1, 2)))
    first.know("paid", placed + dice.choice((0, 0, 3)), "30.00")
    for put_off in range(dice.choice((0, 0, 1, 2))):
        first.know("ship_by", placed + put_off, _at(placed + 3 + put_off))
    return first


def _ship(dice: random.Random, first: Line, number: int, placed: float) -> None:
    """Let most orders be shipped and arrive; the cells may be filled days after that."""
    if dice.random() < 0.85:
        sent = placed + dice.uniform(0.5, 4)
        first.know("ship_at", sent + dice.choice((0, 0, 2)), _at(sent))
        first.know("ship_tracking_number", sent + dice.choice((0, 2, 3)), f"LP{number:09}")
        if dice.random() < 0.8:
            first.know("deliver_at", sent + 8, _at(sent + 8))


def _further(dice: random.Random, number: int, placed: float) -> Iterator[Line]:
    """Yield a line that comes later, with more pieces later still, and one that was cancelled."""
    if dice.random() < 0.3:
        later, since = Line(), placed + dice.uniform(0, 4)
        for name, value in {"id": number, "sku": "MUG", "price": "5.00", "quantity": 1}.items():
            later.know(name, since, value)
        if dice.random() < 0.3:
            later.know("quantity", since + 1, 3)
        yield later
    if dice.random() < 0.05:
        gone = Line()
        for name, value in {"id": number, "sku": "LAMP", "quantity": 0}.items():
            gone.know(name, placed, value)
        yield gone


def export(orders: list[list[Line]], day: float, path: Path) -> int:
    """Write what a shop knows on a day; return how many rows that is."""
    rows = [told for lines in orders for line in lines if (told := line.on(day))]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def bring_in(database: Database, path: Path, day: float) -> Imported:
    """Import a file on a day."""
    stored = StoredOrders(database)
    file = OrderFile(path, own_mapping(columns_of(path)), Orders(), stored, stored)
    return import_orders(database, file, START + timedelta(days=day), RULES)


def standing(case: Case) -> dict[str, Any]:
    """Return what must be the same of an order, however its exports came."""
    return {
        "state": case.state,
        "lines": sorted((line.sku, line.quantity, line.price) for line in case.lines),
        "timers": sorted((timer.trigger, timer.due_at, timer.status) for timer in case.timers),
        "ledger": [(row.side, row.status, row.amount) for row in case.ledger],
        "parcels": sorted((str(one.tracking_number), one.news) for one in case.parcels),
        "attempts": [(one.supplier, one.shipped_at, one.delivered_at) for one in case.attempts],
        "paid": case.paid,
    }


def cases_of(database: Database) -> Iterator[tuple[int, Case]]:
    """Yield every order with its row id."""
    with database.read() as connection:
        for key, one in cases.load(connection, queries.order_ids(connection), lock=False).items():
            yield key, one.case


def differences(daily: Database, alone: Database, edited: set[str]) -> list[str]:
    """Return the orders that do not stand as the last export alone leaves them, and of edited ones say nothing of it."""
    wanted = {case.order.number: case for _, case in cases_of(alone)}
    wrong = []
    for key, case in cases_of(daily):
        number = case.order.number
        found, other = standing(case), standing(wanted[number])
        if number in edited:
            with daily.read() as connection:
                kept = queries.reports(connection, key, Verdict.exception)
            if not kept:
                wrong.append(f"{number}: an edited sum is not named")
            other = {**other, "paid": found["paid"]}
        wrong += [f"{number}: {name} {found[name]} is not {other[name]}" for name in found if found[name] != other[name]]
    return [*wrong, *(f"{number} is missing" for number in wanted.keys() - {case.order.number for _, case in cases_of(daily)})]


def run(orders: int, days: int, seed: int, folder: Path) -> list[str]:
    """Import the exports of a shop, print what each tenth costs, and return what is wrong at the end."""
    made, edited = shop(orders, days, seed)
    daily, alone = (Database(f"sqlite:///{folder / name}.db") for name in ("daily", "alone"))
    upgrade(daily)
    upgrade(alone)
    path, total = folder / "export.csv", 0.0
    for day in range(1, days + 1):
        rows = export(made, day, path)
        begun = time.process_time()
        done = bring_in(daily, path, day)
        spent = time.process_time() - begun
        total += spent
        if day % 10 == 0 or day == days:
            print(f"day {day}: {rows:,} rows, {done.tally.orders:,} orders, {done.unchanged:,} unchanged, {spent:.2f} s")
    begun = time.process_time()
    bring_in(alone, path, days)
    print(f"{days} exports: {total:.1f} s of CPU; the last one alone: {time.process_time() - begun:.1f} s")
    print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    wrong = differences(daily, alone, edited)
    daily.close()
    alone.close()
    print(f"{len(edited)} orders were edited; {len(wrong)} differences")
    return wrong


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        found = run(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1, Path(name))
    print("\n".join(found[:20]))
    sys.exit(1 if found else 0)
