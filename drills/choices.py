"""Orders that turn to the suppliers of a catalogue for a quarter, each choice held against an independent reading.

`python -m drills.choices 5000 90` lets 5,000 orders of 400 products live for 90 days, while 60 suppliers change their price
lists every week; some ship late or never. At the end every choice in the histories is made again from the price lists of that
instant, by loops that share nothing with the program; and what a reroute costs is held against a plain urge.
"""

import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text

from engine.catalogue import import_offers, with_current_catalogue
from engine.firing import fire_due
from engine.firing_grouped import Traces
from engine.outcomes import Arrival
from engine.reporting import apply
from storage import cases, queries
from storage.database import Database
from storage.schema import upgrade
from workflow.case.case import Case, Line, Order, Report
from workflow.case.history import HistoryRow
from workflow.catalogue import Catalogue, Offer, Wanted
from workflow.policy.policy import Rules, calendar_of, read_policy
from workflow.rules.choosing import preference_of
from workflow.vocabulary import State

START = datetime(2026, 3, 2, tzinfo=UTC)
PRODUCTS, SUPPLIERS, TICK = 400, 60, timedelta(hours=6)
COUNTRIES = ("US", "FR", "BR", "DE")
POLICIES = {
    "rank": "",
    "cheapest": '[supply]\nchoose = "cheapest"\nmax_extra_cost = "25%"\n',
    "most_reliable": '[supply]\nchoose = "most_reliable"\nreliable_from = 10\n',
}


@dataclass
class Shop:
    """A shop that lives on a clock: its price lists by the instants from which they count, and what it is told."""

    dice: random.Random
    lists: list[tuple[datetime, dict[str, list[Offer]]]] = field(default_factory=list)

    def offer(self, supplier: str, product: int) -> Offer:
        """Return what a supplier asks for a product now."""
        dice, price = self.dice, 500 + 37 * product % 4_000
        return Offer(
            supplier,
            f"P{product}",
            supplier_sku=f"{supplier}-{product}",
            price=None if dice.random() < 0.03 else round(price * dice.uniform(0.8, 1.4)),
            currency="USD" if dice.random() < 0.03 else "CNY",
            handling_time=dice.choice((None, None, "1d", "2wd")),
            countries=tuple(dice.sample(COUNTRIES, 2)) if dice.random() < 0.3 else (),
            rank=dice.choice((None, 1, 2, 3)),
        )

    def price_list(self, supplier: str) -> list[Offer]:
        """Return a price list: a tenth of all products."""
        return [self.offer(supplier, product) for product in sorted(self.dice.sample(range(PRODUCTS), PRODUCTS // 6))]

    def change(self, database: Database, suppliers: Sequence[str], at: datetime) -> None:
        """Bring new price lists of some suppliers."""
        told = {name: self.price_list(name) for name in suppliers}
        import_offers(database, [one for offers in told.values() for one in offers], "lists.csv", "person:drill", at)
        self.lists.append((at, {**(self.lists[-1][1] if self.lists else {}), **told}))

    def as_of(self, at: datetime) -> Mapping[str, Sequence[Offer]]:
        """Return the price lists that counted at an instant; those of the very instant came after the timers."""
        return next(lists for since, lists in reversed(self.lists) if since < at)


def suppliers() -> list[str]:
    """Return the names of all suppliers."""
    return [f"Supplier {number}" for number in range(SUPPLIERS)]


def orders(dice: random.Random, count: int, days: float) -> Iterator[Arrival]:
    """Yield orders in the order of their dates."""
    for number, at in enumerate(sorted(dice.uniform(0, days) for _ in range(count))):
        chosen = dice.sample(range(PRODUCTS), dice.choice((1, 1, 1, 1, 2)))
        lines = tuple(Line(f"P{product}", f"Product {product}", dice.randint(1, 3)) for product in chosen)
        paid = sum((500 + 37 * product % 4_000) * line.quantity for product, line in zip(chosen, lines, strict=True))
        order = Order(
            *("main", str(number), START + timedelta(days=at), "CNY", "domestic"),
            supplier=dice.choice(suppliers()),
            country=dice.choice((*COUNTRIES, None)),
            paid=None if dice.random() < 0.1 else paid,
        )
        yield Arrival(order, (), lines, Report("place", order.placed_at, "drill", "place", "import:drill"))


def live(database: Database, shop: Shop, rules: Rules, count: int, days: int) -> None:
    """Let a quarter pass: price lists change each week, orders come, suppliers ship two thirds of them, and timers fire."""
    coming, traces, dice = [*orders(shop.dice, count, days - 30)], Traces(), shop.dice
    shipping: list[tuple[datetime, str, str]] = []
    now, seen = START, dict[str, int]()
    while now < START + timedelta(days=days):
        if (now - START) % timedelta(days=7) == timedelta(0):
            shop.change(database, suppliers() if now == START else dice.sample(suppliers(), 10), now)
        now += TICK
        rules = with_current_catalogue(database, rules)
        new = [one for one in coming if one.order.placed_at <= now]
        coming = coming[len(new) :]
        sent = [(at, number, name) for at, number, name in shipping if at <= now]
        shipping = [one for one in shipping if one[0] > now]
        told = [Report("ship", at, "drill", f"ship {name}", "carrier:drill", {"supplier": name}) for at, _, name in sent]
        known = [Arrival(Order("main", one[1], START, "CNY"), (by,)) for one, by in zip(sent, told, strict=True)]
        with database.write() as connection:
            apply(connection, [*new, *known], now, rules)
        while fire_due(database, now, rules, traces=traces).count:
            pass
        for number, attempt, supplier in _attempts(database, seen):
            if dice.random() < (0.5 if attempt == 1 else 0.7):
                shipping.append((now + timedelta(days=dice.uniform(0.2, 5)), number, supplier))


def _attempts(database: Database, seen: dict[str, int]) -> list[tuple[str, int, str]]:
    """Return the attempts that are new since the last call: order, number and supplier."""
    query = "SELECT o.number, a.number, a.supplier FROM attempts a JOIN orders o ON o.id = a.order_id WHERE a.number > :known"
    with database.read() as connection:
        found = connection.execute(text(f"{query} OR o.id > :last"), {"known": 1, "last": seen.get("", 0)}).all()
        seen[""] = connection.execute(text("SELECT coalesce(max(id), 0) FROM orders")).scalar() or 0
    new = [(number, attempt, supplier) for number, attempt, supplier in found if attempt > seen.get(number, 0)]
    seen.update({number: attempt for number, attempt, _ in new})
    return new


# --- the independent reading ---


@dataclass(frozen=True)
class Score:
    """How a supplier stood at the beginning of a day."""

    orders: int
    on_time: int
    owed: int

    @property
    def place(self) -> tuple[float, float]:
        """What suppliers are ordered by; those with few orders come last."""
        return (-self.on_time / self.orders, self.owed / self.orders) if self.orders >= 10 else (1.0, 0.0)


def wrong_choices(database: Database, shop: Shop, toml: str) -> Iterator[str]:
    """Yield each choice of a history that the price lists of its instant do not give."""
    with database.read() as connection:
        stored = {key: one.case for key, one in cases.load(connection, queries.order_ids(connection), lock=False).items()}
        histories = {key: queries.history(connection, key) for key in stored}
    for key, case in stored.items():
        for row in histories[key]:
            leaves = row.trigger in ("reroute", "report_no_stock") and row.target in (State.rerouted, State.refunding)
            if leaves and (told := said(row)) != (expected := _expected(case, row, shop, toml, stored)):
                yield f"{case.name}, step {row.sequence}: {told} and not {expected}"


def said(row: HistoryRow) -> tuple[Any, ...]:
    """Return whom a step has chosen, at which cost, and whom it has passed over."""
    told = row.details
    over = {(name, why) for why, names in json.loads(str(told.get("passed_over") or "{}")).items() for name in names}
    if row.target is State.refunding:
        return None, None, over
    return told["supplier"], told.get("cost"), over


def _expected(case: Case, row: HistoryRow, shop: Shop, toml: str, stored: Mapping[int, Case]) -> tuple[Any, ...]:
    before = [one for one in case.attempts if one.placed_at < row.occurred]
    paid = before[-1].paid if len(before) > 1 else case.order.paid
    tried, open_to, over = {one.supplier for one in before}, list[tuple[Any, ...]](), set[tuple[str, str]]()
    for supplier, offers in shop.as_of(row.recorded).items():
        mine = [[one for one in offers if one.sku == line.sku] for line in case.lines]
        if supplier in tried or not any(mine):
            continue
        why, cost = _judged(case, [one[0] for one in mine if one], paid, is_cheapest="cheapest" in toml)
        if why is not None:
            over.add((supplier, why))
            continue
        rank = max(one[0].rank or 10**12 for one in mine)
        dear = 10**12 if cost is None else cost
        reliable = _score(supplier, row.recorded, stored).place if "most_reliable" in toml else (1.0, 0.0)
        first = (dear,) if "cheapest" in toml else ()
        open_to.append((*first, *reliable, rank, dear, supplier.lower(), supplier, cost))
    if not open_to:
        return None, None, over
    *_, supplier, cost = min(open_to)
    return supplier, cost, over


def _judged(case: Case, chosen: Sequence[Offer], paid: int | None, *, is_cheapest: bool) -> tuple[str | None, int | None]:
    """Return why a supplier is passed over, and what the order costs there."""
    if len(chosen) < len(case.lines):
        return "lines", None
    if any(one.countries and case.order.country not in one.countries for one in chosen):
        return "country", None
    cost = None
    if all(one.price is not None and one.currency == "CNY" for one in chosen):
        cost = sum((one.price or 0) * line.quantity for one, line in zip(chosen, case.lines, strict=True))
    if is_cheapest and (cost is None or paid is None):
        return "cost_unknown" if cost is None else "paid_unknown", cost
    if is_cheapest and cost is not None and paid is not None and cost > paid * 1.25:
        return "costs_more", cost
    return None, cost


_SCORES: dict[tuple[str, datetime], Score] = {}


def _score(supplier: str, at: datetime, stored: Mapping[int, Case]) -> Score:
    """Return how a supplier had done by the beginning of a day."""
    day = datetime(at.year, at.month, at.day, tzinfo=UTC)
    if (supplier, day) not in _SCORES:
        orders = on_time = owed = 0
        for case in stored.values():
            for one in case.attempts:
                if one.supplier != supplier or not day - timedelta(days=90) <= one.placed_at < day:
                    continue
                shipped = one.shipped_at is not None and one.shipped_at < day
                urged = one.urged_at is not None and one.urged_at < day
                asked = [row for row in case.ledger if row.attempt == one.number]  # here nobody cancels, and nothing is claimed
                is_owed = any(row.requested_at < day for row in asked)
                due = (one.ship_by or one.placed_at) + timedelta(days=2)
                orders += shipped or urged or is_owed
                on_time += shipped and not urged and not is_owed and one.shipped_at is not None and one.shipped_at <= due
                owed += is_owed
        _SCORES[supplier, day] = Score(orders, on_time, owed)
    return _SCORES[supplier, day]


# --- what it costs ---


def costs(folder: Path, count: int, seed: int, *, is_warm: bool) -> tuple[float, float]:
    """Return how long an urge and a reroute take, in microseconds of CPU, each order with a next supplier of its own.

    With `is_warm`, each basket of products was asked for before, as in a daemon that has run for a while.
    """
    database = Database(f"sqlite:///{folder / f'costs {is_warm}.db'}")
    upgrade(database)
    shop, policy = Shop(random.Random(seed)), read_policy("")
    shop.change(database, suppliers(), START)
    rules = with_current_catalogue(database, Rules(1, policy, calendar_of(policy)))
    made = [*orders(shop.dice, count, 0.1)]
    with database.write() as connection:
        apply(connection, made, START + timedelta(days=1), rules)
    taken, traces, chooser = list[float](), Traces(), rules.chooser
    for one in made if is_warm and isinstance(chooser, Catalogue) else ():
        order = one.order
        wanted = Wanted(order.shop, order.country, order.currency, tuple(replace(line, title="") for line in one.lines))
        chooser.candidates(wanted, preference_of(policy), order.paid, START)
    for days in (3, 5):
        with database.write() as connection:  # what the urges have caused has left by then
            connection.execute(text("UPDATE effects SET status = 'sent'"))
        begin, fired = time.process_time(), 0
        while some := fire_due(database, START + timedelta(days=days), rules, traces=traces).count:
            fired += some
        taken.append((time.process_time() - begin) / fired * 1e6)
    database.close()
    return taken[0], taken[1]


def run(count: int, days: int, seed: int, folder: Path, names: Sequence[str] = tuple(POLICIES)) -> list[str]:
    """Let a shop live under each policy; return what is wrong."""
    wrong = []
    for name in names:
        _SCORES.clear()
        database = Database(f"sqlite:///{folder / name}.db")
        upgrade(database)
        shop, policy = Shop(random.Random(seed)), read_policy(POLICIES[name])
        begin = time.process_time()
        live(database, shop, Rules(1, policy, calendar_of(policy)), count, days)
        lived = time.process_time() - begin
        found = [*wrong_choices(database, shop, POLICIES[name])]
        with database.read() as connection:
            chosen = [row for key in queries.order_ids(connection) for row in queries.history(connection, key)]
        rerouted = [row for row in chosen if row.target is State.rerouted and row.trigger == "reroute"]
        refunded = [row for row in chosen if row.target is State.refunding]
        kinds = len({row.details["supplier"] for row in rerouted})
        print(
            f"{name}: {len(rerouted):,} choices among {kinds} suppliers, {len(refunded):,} refunds, "
            f"{len(found)} wrong; {lived:.1f} s of CPU"
        )
        wrong += [f"{name}: {one}" for one in found]
        database.close()
    return wrong


def main() -> None:
    """Run it as its arguments say, and print what it costs."""
    count, days = (int(one) for one in (*sys.argv[1:3], *("5000", "90")[len(sys.argv) - 1 :]))
    with TemporaryDirectory() as folder:
        wrong = run(count, days, 1, Path(folder))
        for is_warm in (False, True):
            urge, reroute = costs(Path(folder), count, 1, is_warm=is_warm)
            asked = "asked for before" if is_warm else "asked for the first time"
            print(f"an urge takes {urge:.0f} µs, a reroute to a supplier {asked} {reroute:.0f} µs: {reroute / urge:.2f} times")
    for one in wrong[:20]:
        print(one)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
