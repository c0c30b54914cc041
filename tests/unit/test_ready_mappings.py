"""The mappings that come with the program, each on a file of the form that it is for (tests/foreign_files)."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbound import ready
from inbound.mapping_document import load_mapping, parse_mapping
from inbound.order_rows import Known
from inbound.orders import OrderFile
from workflow.case.case import Order
from workflow.policy.policy import Orders

FOLDER = Path(__file__).parents[1] / "foreign_files"
FIRST_OF_NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


class Everything:
    """Whatever a file adds to is known."""

    def numbered(self, names):
        return {(shop, number): [Known(Order(shop, number, FIRST_OF_NOVEMBER, "CNY"))] for shop, number in names}

    def of_parcels(self, names):
        return {name: [Known(Order("main", "1003", FIRST_OF_NOVEMBER, "CNY"), name[1])] for name in names}


def read(name, file, **more):
    mapping = parse_mapping({**tomllib.loads(ready.path_of(name).read_text()), **more})
    found = list(OrderFile(FOLDER / file, mapping, Orders(), Everything()))
    assert [one for _, rejections, _ in found for one in rejections] == []
    return [one for one, _, _ in found if one]


def told(incoming):
    return [(one.trigger, one.at.isoformat()[:16], one.fields) for one in incoming.reports]


def test_every_ready_mapping_is_read_and_says_what_it_is_for_and_where_its_columns_were_found():
    assert {path.stem for path in ready.FOLDER.glob("*.toml")} == set(ready.described())
    for name in ready.described():
        path = ready.path_of(name)
        load_mapping(path)
        said = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert any("Columns: " in line or "Fields" in line for line in said), f"{name} names no source"


@pytest.mark.parametrize(
    ("name", "file", "number", "placed", "sale"),
    [
        ("shopify-csv", "shopify_orders_export.csv", "#1003", "2026-11-01T08:00", 4940),
        ("shopify-json", "shopify_orders_create.json", "#1003", "2026-11-01T08:00", 4940),
        ("woocommerce-json", "woo_order_updated.json", "456", "2026-11-01T08:00", 4940),
    ],
)
def test_orders_of_shops_come_with_their_lines(name, file, number, placed, sale):
    (incoming,) = read(name, file)
    order = incoming.order
    assert (order.number, order.placed_at.isoformat()[:16], order.sale, order.currency) == (number, placed, sale, "EUR")
    assert [(line.sku, line.quantity, line.sale) for line in incoming.lines] == [("MUG-22", 2, 1225), ("LAMP-1", 1, 2000)]
    assert (order.country, order.buyer_name, order.buyer_email) == ("DE", "Kim Example", "kim@example.com")
    assert order.buyer_address.endswith("10115 Berlin, Germany") or order.buyer_address.endswith("10115 Berlin, DE")
    assert not order.buyer_address.startswith(",")


def test_a_plugins_tracking_number_is_found_in_the_metadata_of_an_order():
    (incoming,) = read("woocommerce-json", "woo_order_updated.json")
    parcel = {"carrier": "Cainiao", "tracking_number": "LP00990011223"}
    assert told(incoming) == [("ship", "2026-11-02T00:00", parcel)]


@pytest.mark.parametrize(
    ("name", "file", "lines"),
    [
        ("woocommerce-advanced", "woo_advanced_order_export.csv", [("MUG-22", 2), ("LAMP-1", 1)]),
        ("dsers-csv", "dsers_place_csv_orders.csv", [("14:10#White", 2)]),
    ],
)
def test_where_no_zone_is_named_a_copy_names_one(name, file, lines):
    (incoming,) = read(name, file, time_zone="Europe/Berlin")
    assert incoming.order.placed_at.isoformat()[:10] in ("2026-11-01", "2026-10-31")
    assert [(line.sku, line.quantity) for line in incoming.lines] == lines
    assert "# time_zone = " in ready.path_of(name).read_text()


def test_the_two_reports_of_a_seller_centre_make_orders_with_their_lines():
    (incoming,) = read("taobao-orders", "taobao_export_order_list.csv")
    assert (incoming.order.number, incoming.order.sale, incoming.order.currency) == ("3000000000000000011", 3980, "CNY")
    parcel = {"carrier": "示例快递", "tracking_number": "SF0000000000001"}
    assert told(incoming) == [("ship", "2026-11-01T01:00", parcel)]
    (more,) = read("taobao-lines", "taobao_export_order_detail_list.csv")
    assert more.known is not None
    assert [(line.sku, line.title, line.sale) for line in more.lines] == [("MUG-22", "杯子", 1990), ("LAMP-1", "台灯", 1990)]


@pytest.mark.parametrize(
    ("name", "file", "reports"),
    [
        (
            "17track",
            "17track_updated.json",
            [
                ("hold", "2026-11-10T13:20", {"tracking_number": "LP00990011223CN", "wants": "documents"}),
                ("note_transit", "2026-11-02T01:15", {"tracking_number": "LP00990011223CN", "status": "Accepted"}),
            ],
        ),
        ("17track", "17track_stopped.json", []),
        (
            "aftership",
            "aftership_tracking_update.json",
            [
                ("note_transit", "2026-11-02T02:00", {"tracking_number": "LP00990011223", "status": "Accepted"}),
                ("hold", "2026-11-10T11:58", {"tracking_number": "LP00990011223", "wants": "processing"}),
            ],
        ),
        (
            "easypost",
            "easypost_tracker_updated.json",
            [("deliver", "2026-11-20T09:31", {"tracking_number": "EZ1000000001"})],
        ),
        (
            "parcelpanel",
            "parcelpanel_v2.json",
            [("note_transit", "2026-11-10T10:20", {"tracking_number": "LP00990011223", "status": "Held by customs"})],
        ),
        ("ship24", "ship24.json", [("hold", "2026-11-10T10:20", {"tracking_number": "LP00990011223", "wants": "processing"})]),
        (
            "trackingmore",
            "trackingmore_v4.json",
            [("hold", "2026-11-10T10:20", {"tracking_number": "LP00990011223", "wants": "processing"})],
        ),
        (
            "aliexpress-tracking",
            "aliexpress_tracking_get_response.json",
            [("note_transit", "2026-11-02T09:15", {"tracking_number": "LP00990011223", "status": "Shipping update"})],
        ),
    ],
)
def test_events_of_carriers_are_reports_of_the_orders_that_have_the_parcel(name, file, reports):
    zone = {"time_zone": "Europe/Berlin"} if "# time_zone = " in ready.path_of(name).read_text() else {}
    (incoming,) = read(name, file, **zone)
    assert told(incoming) == reports


def test_an_order_that_was_not_paid_is_not_placed_with_any_of_its_rows(tmp_path):
    paid = (FOLDER / "shopify_orders_export.csv").read_text()
    path = tmp_path / "f.csv"
    path.write_text(paid.replace(",paid,", ",voided,"))
    assert list(OrderFile(path, load_mapping(ready.path_of("shopify-csv")), Orders())) == []
