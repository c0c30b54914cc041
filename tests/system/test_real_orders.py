import csv
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.replay import Replayed, replay
from inbound.mapping_document import load_mapping
from inbound.orders import OrderFile
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
