"""Files of the forms in which real shops' exports failed, and what becomes of each (tests/foreign_files)."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.mapping_document import MappingError, parse_mapping
from inbound.order_rows import Known
from inbound.orders import OrderFile
from workflow.case.case import Order
from workflow.errors import UsageError
from workflow.policy.policy import Orders

FOLDER = Path(__file__).parents[1] / "foreign_files"


def table_of(name):
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def read(name, table=None, known=None):
    """Read a file by its mapping (by its own column names, where there is none): orders, and what was not taken."""
    path = next(one for one in FOLDER.glob(f"{name}.*") if one.suffix != ".toml")
    mapping = own_mapping(columns_of(path)) if table is None else parse_mapping(table)
    found = list(OrderFile(path, mapping, Orders(), known))
    left = [one for _, rejections, _ in found for one in rejections]
    return {one.order.number: one for one, _, _ in found if one}, left


def lines_of(order):
    return [(line.sku or line.title, line.quantity, line.price) for line in order.lines]


def reports_of(order):
    return [(report.trigger, report.at.day) for report in order.reports]


def test_a_line_break_in_the_first_row_of_an_order_costs_nothing():
    orders, left = read("f01", table_of("f01"))
    assert left == []
    assert lines_of(orders["#1"]) == [("A", 1, 1000), ("B", 2, 1000)]
    assert (orders["#1"].order.currency, orders["#1"].order.paid) == ("BDT", 3000)
    assert orders["#1"].order.buyer_address == "1 Main St Floor 2"
    assert reports_of(orders["#1"]) == [("ship", 11)]


def test_what_an_order_has_a_day_later_is_all_read():
    (first, _), (later, left) = read("f02_day1", table_of("f02")), read("f02_day2", table_of("f02"))
    assert lines_of(first["2"]) == [("A", 1, 500)]
    assert (lines_of(later["2"]), left) == ([("A", 2, 500), ("C", 1, 900)], [])


def test_names_of_suppliers_have_commas():
    orders, _ = read("f03", table_of("f03"))
    assert orders["1"].order.alternatives == ("Ningbo Home Co., Ltd", "Shenzhen Cup Co., Ltd")


def test_a_zone_that_a_time_names_counts_and_letters_of_several_zones_are_refused():
    with pytest.raises(MappingError, match="leave %Z out"):
        parse_mapping(table_of("f04"))
    orders, left = read("f04", {**table_of("f04"), "time_format": "%Y-%m-%d %H:%M:%S"})
    assert {one.order.placed_at for one in orders.values()} == {datetime(2026, 11, 5, 9, tzinfo=UTC)}
    assert [*orders] == ["1", "2"]
    assert ["which is one of several" in one.reason for one in left] == [True, True]


def test_a_condition_with_a_list_is_met_by_any_of_its_words():
    orders, _ = read("f05", table_of("f05"))
    assert {number: reports_of(one) for number, one in orders.items()} == {
        **{number: [("ship", 2)] for number in "123"},
        "4": [],
    }


def test_formulas_and_quotes_of_spreadsheets_are_unwrapped():
    orders, left = read("f06", table_of("f06"))
    ship = orders["2901000000000000101"].reports[0]
    assert ship.fields == {"carrier": "圆通速递", "tracking_number": "YT1000000001"}
    assert left == []


def test_totals_of_lines_are_said_to_be_totals():
    table = table_of("f07")
    table["line"]["total"] = table["line"].pop("price")
    orders, left = read("f07", table)
    assert lines_of(orders["111-0000001-0000002"]) == [("A1", 2, 645), ("B2", 3, 1000)]
    assert left == []


def test_line_breaks_in_an_address_are_spaces():
    orders, left = read("f08", table_of("f08"))
    assert (orders["1"].order.buyer_address, left) == ("1 Main St Town", [])


def test_a_cell_that_no_order_needs_is_left_out_and_listed():
    orders, left = read("f09", table_of("f09"))
    assert [one.order.shop for one in orders.values()] == [
        "小明家居（官方店）",
        *["小明家居"] * 4,
        "Müller & Söhne™",
        "Shop№1",
        "ok",
    ]
    assert [(one.line, one.column, one.is_cell) for one in left] == [
        *((line, "mail", True) for line in (3, 4, 6)),
        (9, "title", True),
    ]


def test_each_row_may_tell_of_a_parcel_of_its_own():
    orders, left = read("f10", table_of("f10"))
    assert reports_of(orders["1"]) == [("ship", 21), ("ship", 23)]
    assert reports_of(orders["4"]) == [("ship", 23)]
    assert lines_of(orders["4"]) == [("A", 1, 500), ("B", 1, 700)]
    assert lines_of(orders["3"]) == [("A", 1, 500)]
    assert [(one.line, one.is_cell) for one in left] == [(7, False)]


def test_old_orders_have_their_reports():
    orders, left = read("f11")
    assert [reports_of(one) for one in orders.values()] == [
        [("cancel", 2)],
        [("ship", 2), ("lose", 20)],
        [("ship", 2)],
        [("ship", 2), ("open_claim", 9)],
    ]
    assert left == []


def test_quotation_marks_that_quote_nothing_are_read_when_the_mapping_says_so():
    with pytest.raises(UsageError, match=r"row 3 .* write quote = ''"):
        read("f12", table_of("f12"))
    orders, left = read("f12", {**table_of("f12"), "quote": ""})
    assert [line.sku for one in orders.values() for line in one.lines] == ['Frame 5" x 7"', '"Best" mug', "ok"]
    assert left == []


def test_quantities_have_points_and_zeros():
    orders, left = read("f13", table_of("f13"))
    assert [lines_of(one) for one in orders.values()] == [[("", 2, None)], [], [("", 1, None)]]
    assert left == []


def test_numbers_that_a_spreadsheet_has_spoiled_are_refused_or_read_and_merge_nothing():
    orders, left = read("f14", table_of("f14"))
    assert [*orders] == ["1001"]
    assert [one.line for one in left] == [2, 3]
    assert "was shortened by a spreadsheet" in left[0].reason


def test_what_is_null_in_every_object_is_not_missed():
    orders, left = read("f15", table_of("f15"))
    assert ([*orders], left) == (["1", "2"], [])


def test_a_column_that_is_there_twice_is_missed_only_if_it_is_named():
    orders, left = read("f16", {"time_zone": "UTC", "order": {"id": "id", "placed_at": "at"}})
    assert ([*orders], left) == (["1"], [])
    with pytest.raises(UsageError, match="has the column 'note' twice"):
        read("f16", {"time_zone": "UTC", "order": {"id": "id", "placed_at": "at", "group": "note"}})


@pytest.mark.parametrize("name", ["f17", "f17b"])
def test_blank_rows_footers_and_summaries_are_no_orders_and_no_lines(name):
    table = {**table_of(name), "when": {"Buyer Username": {"filled": True}}, "decimal": "."}
    table["order"].pop("ship_by")
    table["line"]["when"] = {"Item Title": {"filled": True}}
    orders, left = read(name, table)
    assert [line[:2] for line in lines_of(orders["02-11111-22222"])] == [("C-2", 1), ("C-3", 2)]
    assert [one.is_cell for one in left] == ([True] if name == "f17" else [])  # the sum in euros, in an order in dollars


def test_money_is_read_as_it_was_written():
    plain, left = read("f18", table_of("f18"))
    assert {number: one.order.paid for number, one in plain.items() if one.order.paid} == {
        "7": 11_999,
        "8": 1_500,
        "9": 1_200,
        "11": 1_234,  # 12.345, a share of a cent rounded half-even
    }
    assert [one.order for one in left if not one.is_cell] == ["10"]  # `$` is the sign of several currencies
    with_points, _ = read("f18", {**table_of("f18"), "decimal": "."})
    assert {number: with_points[number].order.paid for number in ("1", "3", "4", "5")} == {
        "1": 123_450,
        "3": 49_900,
        "4": 1_230,
        "5": 1_230,
    }
    with_commas, _ = read("f18", {**table_of("f18"), "decimal": ","})
    assert (with_commas["2"].order.paid, with_commas["12"].order.paid) == (123_450, 499)


def test_an_empty_number_may_mean_the_one_above():
    orders, left = read("f19", {**table_of("f19"), "fill": ["Order Reference"]})
    assert lines_of(orders["S00042"]) == [("[CUP] Cup", 2, 2000), ("[MUG] Mug", 1, 4500)]
    assert left == []


def test_the_orders_of_a_platform_come_with_their_lines():
    table = {
        "lines": "line_items",
        "time_zone": "UTC",
        "order": {"id": "number", "placed_at": "date_created_gmt", "currency": "currency", "paid": "total"},
        "line": {"sku": "line_items.sku", "quantity": "line_items.quantity", "total": "line_items.total"},
    }
    orders, left = read("f20", table)
    assert lines_of(orders["1"]) == [("SKU0", 1, 500), ("SKU1", 2, 250)]
    assert (len(orders), left) == (3, [])


class TwoOrders:
    def numbered(self, names):
        placed = datetime(2026, 11, 10, 8, tzinfo=UTC)
        return {(shop, number): [Known(Order(shop, number, placed, "EUR"))] for shop, number in names if number in ("A1", "A2")}


def test_a_file_of_tracking_adds_to_the_orders_that_are_known_and_names_the_others():
    table = table_of("t")
    table["order"].pop("placed_at")
    orders, left = read("t", table, TwoOrders())
    assert reports_of(orders["A1"]) == [("ship", 11), ("deliver", 13)]
    assert [(one.line, one.order) for one in left] == [(3, "A3")]
    placed, _ = read("orders", table_of("orders"))
    assert [*placed] == ["A1", "A2"]
