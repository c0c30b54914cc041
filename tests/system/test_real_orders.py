import csv
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from engine.importing import import_orders
from engine.known_orders import StoredOrders
from engine.replay import Replayed, replay
from inbound.mapping_document import load_mapping
from inbound.orders import OrderFile
from storage import cases, queries
from storage.database import Database
from storage.schema import upgrade
from tests.factories import rules_of
from tests.system.independent_reading import Reading
from workflow.policy.policy import Orders, Policy

UNTIL = datetime(2019, 1, 1, tzinfo=UTC)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
COLUMNS = (
    ("ship", "order_delivered_carrier_date", None),
    ("deliver", "order_delivered_customer_date", None),
    ("report_no_stock", "order_approved_at", "unavailable"),
    ("cancel", "order_approved_at", "canceled"),
)


def replayed(folder, until: datetime) -> Replayed:
    file = OrderFile(folder / "olist_orders_dataset.csv", load_mapping(folder / "mapping.toml"), Orders())
    return replay(file, until, Policy(), "")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SAO_PAULO).astimezone(UTC)


def readings(folder, until: datetime) -> list[Reading]:
    found = []
    with (folder / "olist_orders_dataset.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            placed_at = instant(row["order_purchase_timestamp"])
            if placed_at > until:
                continue
            told = [
                (instant(row[column]), trigger)
                for trigger, column, status in COLUMNS
                if row[column] and status in (None, row["order_status"])
            ]
            reading = Reading(placed_at, 2, domestic=True)
            for at, trigger in sorted(told, key=lambda one: one[0]):
                if at <= until:
                    reading.run(max(at, placed_at), including=False)
                    reading.report(trigger)
            reading.finish(until)
            found.append(reading)
    return found


@pytest.mark.parametrize("until", [UNTIL, datetime(2018, 2, 12, 14, 30, 7, tzinfo=UTC)])
def test_the_real_orders_go_where_an_independent_reading_says(real_orders, until):
    tally, read = replayed(real_orders, until).tally, readings(real_orders, until)
    assert tally.orders == len(read)
    assert tally.states == Counter(reading.state for reading in read)
    assert +tally.fired == +sum((reading.fired for reading in read), Counter())
    assert tally.reported == sum((reading.reported for reading in read), Counter())
    assert tally.refused == sum((reading.refused for reading in read), Counter())
    assert tally.exceptions == sum(reading.exceptions for reading in read)


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def mapped(folder, tmp_path, name, table):
    path = tmp_path / f"{name}.toml"
    path.write_text(table)
    return folder / f"olist_{name}_dataset.csv", load_mapping(path)


def test_the_files_of_a_real_shop_come_one_after_another_and_lines_and_sums_are_right_to_the_cent(real_orders, tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'olist.db'}")
    upgrade(database)
    stored, rules = StoredOrders(database), rules_of()
    files = [
        (real_orders / "olist_orders_dataset.csv", load_mapping(real_orders / "mapping.toml")),
        mapped(real_orders, tmp_path, "order_items", "[order]\nid = 'order_id'\n[line]\nsku = 'product_id'\nprice = 'price'\n"),
        mapped(
            real_orders,
            tmp_path,
            "order_payments",
            "[order]\nid = 'order_id'\npaid = { column = 'payment_value', sum = true }\n",
        ),
    ]
    for path, mapping in files:
        done = import_orders(database, OrderFile(path, mapping, Orders(), stored, stored), UNTIL, rules)
        assert done.rejected == []
    with database.read() as connection:
        found = {one.case.order.number: one.case for one in cases.load(connection, queries.order_ids(connection)).values()}
    lines, paid = Counter(), Counter()
    for row in rows_of(real_orders / "olist_order_items_dataset.csv"):
        lines[row["order_id"], row["product_id"], round(Decimal(row["price"]) * 100)] += 1
    for row in rows_of(real_orders / "olist_order_payments_dataset.csv"):
        paid[row["order_id"]] += round(Decimal(row["payment_value"]) * 100)
    assert Counter((number, line.sku, line.price) for number, case in found.items() for line in case.lines) == lines
    assert {number: case.paid for number, case in found.items() if case.paid is not None} == dict(paid)
    database.close()
