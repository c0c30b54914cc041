import gzip
import json
import os
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inbound import json_files
from inbound.files import read_rows
from inbound.mapping import own_mapping
from inbound.mapping_document import load_mapping, parse_mapping
from inbound.order_rows import Known
from inbound.orders import OrderFile
from inbound.rows import Layout
from inbound.sources import number_in
from tests.unit.workbooks import write_workbook
from workflow.case.case import Order
from workflow.errors import UsageError
from workflow.policy.policy import Orders

BASE = {"time_zone": "America/Sao_Paulo", "order": {"id": "id", "placed_at": "at"}}


def read(tmp_path, content, mapping=None, name="f.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    found = list(OrderFile(path, parse_mapping(mapping or BASE), Orders()))
    return [one for one, _, _ in found if one], [r for _, rejected, _ in found for r in rejected]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2018-01-02 03:04:05", datetime(2018, 1, 2, 5, 4, 5, tzinfo=UTC)),
        ("2018-01-02", datetime(2018, 1, 2, 2, tzinfo=UTC)),
        ("2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # that midnight was skipped
        ("2018-02-17 23:30", datetime(2018, 2, 18, 1, 30, tzinfo=UTC)),  # that hour came twice
        ("2018-01-02T03:04:05+08:00", datetime(2018, 1, 1, 19, 4, 5, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_the_mapping_says(tmp_path, text, instant):
    (incoming,), rejected = read(tmp_path, f"id,at\n1,{text}\n")
    assert incoming.order.placed_at == instant
    assert rejected == []


@pytest.mark.parametrize("text", ["2026-02-30", "23:59:60", "9999-01-01", "soon", "２０２６-01-01", "2026-01-01T23:59:60"])
def test_what_is_not_a_time_rejects_its_row_with_line_and_reason(tmp_path, text):
    orders, (rejection,) = read(tmp_path, f"id,at\n1,{text}\n")
    assert orders == []
    assert (rejection.line, rejection.column, rejection.order) == (2, "at", "1")


def test_a_naive_time_needs_a_declared_zone(tmp_path):
    _, (rejection,) = read(tmp_path, "id,at\n1,2026-01-01\n", {"order": BASE["order"]})
    assert "names no time zone" in rejection.reason


def test_another_time_format_and_delimiter_and_encoding(tmp_path):
    mapping = {**BASE, "time_format": "%d-%b-%y", "delimiter": ";", "encoding": "gbk"}
    mapping["order"] = {**BASE["order"], "supplier": "who"}
    (incoming,), _ = read(tmp_path, "id;at;who\n1;03-Mar-25;义乌\n", mapping, encoding="gbk")
    assert incoming.order.placed_at == datetime(2025, 3, 3, 3, tzinfo=UTC)
    assert incoming.order.supplier == "义乌"


LINES = {**BASE, "order": {**BASE["order"], "paid": "paid"}, "line": {"sku": "sku", "quantity": "n", "price": "price"}}
LINES["reports"] = {"ship": {"at": "shipped"}}


def test_rows_of_one_order_are_its_lines_wherever_they_stand(tmp_path):
    content = (
        "id,at,paid,sku,n,price,shipped\n"
        "1,2026-01-01,10,a,1,5,2026-01-02\n"
        "2,2026-01-01,10,z,1,5,\n"
        "1,,,b,2,2.50,\n"
        "1,2026-01-01,11,c,1,1,\n"
        "1,2026-01-01,,d,1,1,2026-01-03\n"
        "1,,,e,0,1,\n"
    )
    orders, rejected = read(tmp_path, content, LINES)
    by_number = {one.order.number: one for one in orders}
    assert [line.sku for line in by_number["1"].lines] == ["a", "b", "d"]
    assert by_number["1"].lines[1].price == 250
    assert [(r.line, r.column) for r in rejected] == [(5, "paid"), (6, None)]


def test_a_bad_cell_of_a_report_is_listed_in_every_row_that_has_it(tmp_path):
    content = "id,at,paid,sku,n,price,shipped\n1,2026-01-01,10,a,1,5,never\n1,2026-01-01,10,b,1,5,never\n1,,,c,1,5,soon\n"
    (incoming,), rejected = read(tmp_path, content, LINES)
    assert [line.sku for line in incoming.lines] == ["a", "b", "c"]
    assert [(one.line, one.column) for one in rejected] == [(2, "shipped"), (3, "shipped"), (4, "shipped")]


def test_a_rejection_says_since_when_what_it_names_exists(tmp_path):
    mapping = {**BASE, "reports": {"promise": {"at": "told", "ship_by": "by"}}}
    _, (promise,) = read(tmp_path, "id,at,told,by\n1,2026-01-01,2026-02-01,never\n", mapping)
    assert promise.since == datetime(2026, 2, 1, 3, tzinfo=UTC)
    _, (line,) = read(tmp_path, "id,at,paid,sku,n,price,shipped\n1,2026-01-01,10,a,1,5,\n1,,,b,none,5,\n", LINES)
    assert line.since == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_chinese_dates_are_read(tmp_path):
    mapping = {**BASE, "time_zone": "Asia/Shanghai", "time_format": "%Y年%m月%d日 %H:%M"}
    (incoming,), _ = read(tmp_path, "id,at\n1,2025年03月04日 09:30\n", mapping)
    assert incoming.order.placed_at == datetime(2025, 3, 4, 1, 30, tzinfo=UTC)
    _, (rejection,) = read(tmp_path, "id,at\n1,２０２５年03月04日 09:30\n", mapping)
    assert "digits other than 0-9" in rejection.reason


def test_a_bad_cell_of_a_report_rejects_that_report_alone(tmp_path):
    (incoming,), (rejection,) = read(tmp_path, "id,at,paid,sku,n,price,shipped\n1,2026-01-01,10,a,1,5,never\n", LINES)
    assert incoming.reports == ()
    assert (rejection.line, rejection.column) == (2, "shipped")


def test_when_and_constants_and_keys_and_several_reports_of_one_kind(tmp_path):
    mapping = {
        **BASE,
        "order": {**BASE["order"], "route": {"value": "Domestic"}, "alternatives": "who"},
        "reports": {
            "cancel": {"at": "c", "when": {"status": "canceled"}, "key": "key"},
            "note_transit": [{"at": "t1", "status": {"value": "out"}}, {"at": "t2"}],
            "promise": {"at": "c", "ship_by": "t2"},
        },
    }
    content = "id,at,who,c,status,key,t1,t2\n1,2026-01-01,x;y,2026-01-02,canceled,k7,2026-01-03,2026-01-04\n"
    (incoming,), rejected = read(tmp_path, content + "2,2026-01-01,,2026-01-02,open,,,\n", mapping)[0][:1], None
    assert rejected is None
    assert incoming.order.route == "domestic"
    assert incoming.order.alternatives == ("x", "y")
    assert [report.trigger for report in incoming.reports] == ["cancel", "note_transit", "note_transit", "promise"]
    assert incoming.reports[0].key == "k7"
    assert incoming.reports[3].fields == {"ship_by": "2026-01-04T03:00:00+00:00"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("id,id,at\n1,1,2026-01-01\n", "has the column 'id' twice, and the mapping names it"),
        ("id,wrong\n1,2026-01-01\n", "has no column 'at'"),
        ('id,at\n1,2026-01-01\n2,"2026-01-01\n3,', "row 3 cannot be read: unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(tmp_path, content, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, content)


def test_a_file_that_is_no_file_or_nested_without_end_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a file that can be read twice"):
        read_pipe(tmp_path / "pipe.csv")
    with pytest.raises(UsageError, match="nested too deeply"):
        read(tmp_path, "[" * 100_000, name="f.json")


def read_pipe(path):
    os.mkfifo(path)
    OrderFile(path, parse_mapping(BASE), Orders())


def test_an_object_that_names_a_key_twice_and_a_cell_of_megabytes_reject_their_rows(tmp_path):
    orders, (rejection,) = read(
        tmp_path, '{"id": 1, "id": 2, "at": "2026-01-01"}\n{"id": 3, "at": "2026-01-01"}\n', name="f.jsonl"
    )
    assert [one.order.number for one in orders] == ["3"]
    assert "names 'id' twice" in rejection.reason
    orders, (rejection,) = read(tmp_path, f"id,at\n{'x' * 3_000_000},2026-01-01\n3,2026-01-01\n")
    assert [one.order.number for one in orders] == ["3"]
    assert "is 3000000 characters long" in rejection.reason


def test_a_file_in_another_encoding_is_named(tmp_path):
    with pytest.raises(UsageError, match="name its encoding in the mapping"):
        read(tmp_path, "id,at\n义乌,2026-01-01\n", encoding="gbk")
    with pytest.raises(UsageError, match="is not an encoding"):
        read(tmp_path, "id,at\n1,2026-01-01\n", {**BASE, "encoding": "klingon"})


def test_ragged_and_empty_rows(tmp_path):
    orders, rejected = read(tmp_path, "\ufeffid,at\n1,2026-01-01,x\n\n2,2026-01-01\n,2026-01-01\n3\n")
    assert [one.order.number for one in orders] == ["2"]
    assert [r.line for r in rejected] == [2, 5, 6]
    mapping = {**BASE, "reports": {"ship": {"at": "shipped"}}}
    _, (short,) = read(tmp_path, "id,at,shipped\n1,2026-01-01\n", mapping)
    assert short.reason == "has 2 cells where the header has 3"


@pytest.mark.parametrize(("name", "content"), [("f.csv", "id,at\n"), ("f.json", "[]"), ("f.jsonl", "")])
def test_a_day_without_orders_is_nothing_wrong(tmp_path, name, content):
    assert read(tmp_path, content, name=name) == ([], [])


def test_a_later_row_may_leave_out_what_the_first_reported(tmp_path):
    mapping = {**BASE, "reports": {"ship": {"at": "s", "carrier": "c", "key": "k"}}}
    content = "id,at,s,c,k\n1,2026-01-01,2026-01-02,DHL,7\n1,2026-01-01,2026-01-02,,\n1,,2026-01-02,DHL,7\n"
    assert read(tmp_path, content, mapping)[1] == []
    _, (other,) = read(tmp_path, content + "1,,2026-01-02,UPS,7\n", mapping)
    assert "reports ship otherwise than line 2" in other.reason


def test_a_later_row_with_another_tracking_number_is_another_parcel(tmp_path):
    mapping = {**BASE, "reports": {"ship": {"at": "s", "tracking_number": "t"}, "deliver": {"at": "d"}}}
    content = "id,at,s,t,d\n1,2026-01-01,2026-01-02,T1,2026-01-09\n1,,2026-01-02,T2,\n1,,2026-01-03,T3,2026-01-08\n"
    (order,), rejected = read(tmp_path, content, mapping)
    assert rejected == []
    told = [(one.trigger, one.at.day, one.fields["tracking_number"]) for one in order.reports]
    assert told == [("ship", 2, "T1"), ("deliver", 9, "T1"), ("ship", 2, "T2"), ("ship", 3, "T3"), ("deliver", 8, "T3")]
    assert len({one.key for one in order.reports}) == 5


def test_a_later_row_that_reports_otherwise_of_the_same_parcel_keeps_its_line(tmp_path):
    mapping = {**BASE, "line": {"sku": "sku"}, "reports": {"ship": {"at": "s", "tracking_number": "t"}}}
    content = "id,at,sku,s,t\n1,2026-01-01,a,2026-01-02,T1\n1,,b,2026-01-03,T1\n1,,c,2026-01-03,\n"
    (order,), rejected = read(tmp_path, content, mapping)
    assert [one.sku for one in order.lines] == ["a", "b", "c"]
    assert [one.line for one in rejected] == [3, 4]
    assert "the line of this row is kept, and its report left out" in rejected[0].reason
    assert len(order.reports) == 1


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("route", "overseas", "is not a route"),
        ("currency", "QQQ", "ISO 4217"),
        ("buyer_email", "nobody", "is not an email address"),
        ("shop", "a/b", "has a slash"),
        ("buyer_name", "x" * 1001, "1001 characters"),
        ("supplier", "a\x00b", "control character"),
        ("id", "9" * 101, "at most 100"),
        ("paid", "1e400", "is not an amount"),
    ],
)
def test_a_cell_that_no_order_needs_is_left_out_and_one_that_makes_it_an_order_rejects_it(tmp_path, column, cell, words):
    mapping = {**BASE, "order": {**BASE["order"], column: "cell"}}
    orders, (rejection,) = read(tmp_path, f"id,at,cell\n1,2026-01-01,{cell}\n", mapping)
    assert words in rejection.reason
    assert rejection.is_cell is (column not in ("id", "shop"))
    assert len(orders) == rejection.is_cell
    if orders and column not in ("route", "currency"):
        assert getattr(orders[0].order, column) is None


def test_a_currency_is_needed_where_there_is_money(tmp_path):
    for money, taken in (({"order": {"paid": "paid"}}, 0), ({"line": {"price": "paid"}}, 0), ({}, 1)):
        order = {**BASE["order"], "currency": "code", **money.get("order", {})}
        orders, (rejection,) = read(tmp_path, "id,at,code,paid\n1,2026-01-01,QQQ,1\n", {**BASE, **money, "order": order})
        assert (len(orders), rejection.is_cell) == (taken, bool(taken))


def test_a_first_row_that_is_rejected_rejects_its_order(tmp_path):
    content = "id,at,sku\n1,soon,a\n2,2026-01-01,z\n1,2026-01-01,b\n1,,c\n"
    orders, rejected = read(tmp_path, content, {**BASE, "line": {"sku": "sku"}})
    assert [one.order.number for one in orders] == ["2"]
    assert [(one.line, one.order) for one in rejected] == [(2, "1"), (4, "1"), (5, "1")]
    assert all("the first row of its order, line 2, was rejected" in one.reason for one in rejected[1:])


@pytest.mark.parametrize(
    ("cell", "quantities", "left_out"),
    [
        ("2", [2], 0),
        ("2.0", [2], 0),
        ("0", [], 0),
        ("0.0", [], 0),
        ("", [1], 0),
        ("2.5", [1], 1),
        ("many", [1], 1),
        ("-1", [1], 1),
    ],
)
def test_a_quantity_may_have_a_point_none_is_no_line_and_one_that_cannot_be_read_is_one(tmp_path, cell, quantities, left_out):
    told = {**BASE, "line": {"sku": "sku", "quantity": "n"}}
    (order,), rejected = read(tmp_path, f"id,at,sku,n\n1,2026-01-01,a,{cell}\n", told)
    assert [one.quantity for one in order.lines] == quantities
    assert [one.is_cell for one in rejected] == [True] * left_out


@pytest.mark.parametrize("cell", ["2.90122E+18", "8.13E+15", "1E+10", '"2,9E+18"'])
def test_a_number_that_a_spreadsheet_has_shortened_is_refused_and_never_merged(tmp_path, cell):
    orders, (rejection,) = read(tmp_path, f"id,at\n{cell},2026-01-01\n")
    assert (orders, "was shortened by a spreadsheet" in rejection.reason) == ([], True)


def test_a_number_to_which_a_spreadsheet_has_added_a_point_is_the_number(tmp_path):
    orders, rejected = read(tmp_path, "id,at\n8130000000000003.0,2026-01-01\nSO-1.0,2026-01-01\n2.0,2026-01-01\n")
    assert ([one.order.number for one in orders], rejected) == (["8130000000000003", "SO-1.0", "2"], [])


def test_alternatives_are_separated_by_semicolons_alone(tmp_path):
    order = order_of(tmp_path, "who", '"Ningbo Home Co., Ltd;Shenzhen Cup Co., Ltd"', {"alternatives": "who"})
    assert order.alternatives == ("Ningbo Home Co., Ltd", "Shenzhen Cup Co., Ltd")


def test_the_name_of_a_shop_may_have_wide_marks(tmp_path):
    assert order_of(tmp_path, "shop", "小明家居（官方店）", {"shop": "shop"}).shop == "小明家居（官方店）"
    orders, (rejection,) = read(
        tmp_path, "id,at,shop\n1,2026-01-01,ｍain\n", {**BASE, "order": {**BASE["order"], "shop": "shop"}}
    )
    assert (orders, rejection.is_cell) == ([], False)


def test_words_of_a_report_that_cannot_be_read_are_left_out_and_what_it_means_rejects_it(tmp_path):
    told = {**BASE, "reports": {"settle_refund": {"at": "s", "amount": "sum"}, "ship": {"at": "s", "carrier": "who"}}}
    (order,), rejected = read(tmp_path, "id,at,s,sum,who\n1,2026-01-01,2026-01-02,much,a\x00b\n", told)
    assert [(one.trigger, one.fields) for one in order.reports] == [("ship", {})]
    assert [(one.column, one.is_cell) for one in rejected] == [("sum", False), ("who", True)]


def test_json_and_json_lines_are_read_with_every_digit(tmp_path):
    mapping = {**BASE, "order": {**BASE["order"], "paid": "money.paid", "alternatives": "who"}}
    row = '{"id": 1, "at": "2026-01-01", "money": {"paid": 12.50, "open": true}, "who": ["a", "b"], "none": null}'
    (incoming,), _ = read(tmp_path, f"[{row}]", mapping, "f.json")
    assert (incoming.order.paid, incoming.order.alternatives) == (1250, ("a", "b"))
    orders, rejected = read(tmp_path, f"{row}\n\n[1]\n{{broken\n", mapping, "f.jsonl")
    assert len(orders) == 1
    assert [r.line for r in rejected] == [3, 4]
    with pytest.raises(UsageError, match="one JSON array"):
        read(tmp_path, "{}", mapping, "f.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": {"placed_at": "at"}}, "must say which column is 'id'"),
        ({"order": {"tracking_number": "t", "placed_at": "at"}}, "leave out placed_at"),
        ({"line": {"price": "p", "total": "t"}}, "must say one of price"),
        ({"line": {"price": {"column": "p", "sum": True}}}, "sum = true is for paid and sale"),
        ({"order": {"id": "id", "placed_at": "at", "route": {"value": "domestc"}}}, "'domestc' is not a route"),
        ({"order": {"id": "id", "placed_at": "at", "route": {"column": "c", "map": {"CN": "inland"}}}}, "map: 'inland'"),
        ({"ordr": {}}, "did you mean order"),
        ({"order": {"id": "id", "placed_at": "at", "piad": "x"}}, "did you mean paid"),
        ({"order": 3}, "must be a table"),
        ({"order": {"id": 3, "placed_at": "at"}}, "must be a column, several, or a table"),
        ({"reports": {"shipp": {"at": "x"}}}, "did you mean ship"),
        ({"reports": {"ship": {"carrier": "x"}}}, "which column is 'at'"),
        ({"reports": {"ship": {"at": "x", "carier": "y"}}}, "did you mean carrier"),
        ({"reports": {"promise": {"at": "x"}}}, "must say which column is 'ship_by'"),
        ({"reports": {"ship": {"at": "x", "when": "y"}}}, "when\\] must be a table"),
        ({"time_zone": "Mars"}, "is not a time zone"),
        ({"delimiter": ";;"}, "one character"),
        ({"encoding": 3}, "must be a text"),
    ],
)
def test_a_wrong_mapping_is_refused_with_a_suggestion(change, words):
    with pytest.raises(UsageError, match=words):
        parse_mapping({**BASE, **change})


def test_a_mapping_file_that_is_not_there_or_not_toml_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"m\.toml"):
        load_mapping(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text("= 3")
    with pytest.raises(UsageError, match=r"m\.toml"):
        load_mapping(tmp_path / "m.toml")


def test_a_file_without_a_mapping_uses_our_own_names():
    mapping = own_mapping({"id", "placed_at", "ship_at", "ship_carrier", "sku"})
    assert mapping.columns() == {"id", "placed_at", "ship_at", "ship_carrier", "sku"}


@pytest.mark.parametrize("header", ['"id,at', '"id"x,at'])
def test_a_header_that_cannot_be_read_is_named(tmp_path, header):
    with pytest.raises(UsageError, match=r"f\.csv"):
        read(tmp_path, f"{header}\n1,2026-01-01\n")


def test_a_time_format_that_is_none_and_a_file_of_one_column_are_named(tmp_path):
    _, (rejection,) = read(tmp_path, "id,at\n1,01.01.2026\n", {**BASE, "time_format": "%d%d"})
    assert "write the format '%d%d' or ISO 8601" in rejection.reason
    with pytest.raises(UsageError, match="say in the mapping by what it is separated"):
        read(tmp_path, "id;at\n1;2026-01-01\n")


def test_what_the_buyer_paid_and_the_suppliers_number_are_read_of_orders_and_lines(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(
        "id,placed_at,currency,paid,sale,supplier_number,sku,price,line_sale\n1,2026-01-01,JPY,700,1200,TB1,MUG,350,600\n"
    )
    columns = {"id": "id", "placed_at": "placed_at", "currency": "currency", "paid": "paid", "sale": "sale"}
    order = {**columns, "supplier_number": "supplier_number"}
    line = {"sku": "sku", "price": "price", "sale": "line_sale"}
    mapping = parse_mapping({"time_zone": "UTC", "order": order, "line": line})
    ((incoming, rejected, _),) = OrderFile(path, mapping, Orders())
    assert rejected == []
    assert (incoming.order.sale, incoming.order.supplier_number, incoming.lines[0].sale) == (1_200, "TB1", 600)
    assert incoming.given == frozenset(order)


@pytest.mark.parametrize("trigger", ["amend", "correct_settlement", "override"])
def test_a_mapping_names_nothing_that_only_a_person_may_report(trigger):
    with pytest.raises(UsageError, match=f"only a person may report that .`aftersales report ID {trigger}`"):
        parse_mapping({**BASE, "reports": {trigger: {"at": "at"}}})


def order_of(tmp_path, header, row, order=None, **mapping):
    """Read one order of a file with one row."""
    told = {"time_zone": "Asia/Shanghai", **mapping, "order": {"id": "id", "placed_at": "at", **(order or {})}}
    (incoming,), rejected = read(tmp_path, f"id,at,{header}\n1,2026-01-01,{row}\n", told)
    assert rejected == []
    return incoming.order


@pytest.mark.parametrize(
    ("source", "row", "expected"),
    [
        (["a", "b"], "Yiwu,Canton", "Yiwu"),
        (["a", "b"], ",Canton", "Canton"),
        ({"column": ["a", "b"], "empty": ["n/a", "-"]}, "N/A,Canton", "Canton"),
        ({"template": "{a}/{b}"}, "Yiwu,7", "Yiwu/7"),
        ({"template": "{a} {b}"}, "Yiwu,", "Yiwu"),
        ({"template": "{a}/{b}"}, ",", None),
        ({"column": "a", "strip": "No:"}, "no: 17,", "17"),
        ({"column": "a", "strip": ["A-", "AB-"]}, "AB-17,", "17"),
        ({"column": "a", "map": {"YW": "Yiwu"}}, "yw,", "Yiwu"),
        ({"column": "a", "map": {"YW": "Yiwu"}}, "Canton,", "Canton"),
        ({"column": "a", "map": {"YW": "Yiwu"}, "else": "others"}, "Canton,", "others"),
        ({"column": "a", "map": {"YW": "Yiwu"}, "else": "others"}, ",", None),
        ({"value": "Yiwu"}, "Canton,", "Yiwu"),
    ],
)
def test_a_value_is_a_column_the_first_filled_one_a_template_or_a_constant_and_is_cleaned(tmp_path, source, row, expected):
    assert order_of(tmp_path, "a,b", row, {"supplier": source}).supplier == expected


@pytest.mark.parametrize(("cell", "expected"), [('"=""0012"""', "0012"), ("'0012", "0012"), ("0012", "0012")])
def test_what_spreadsheets_put_around_a_number_is_no_part_of_it(tmp_path, cell, expected):
    assert order_of(tmp_path, "no", cell, {"supplier_number": "no"}).supplier_number == expected


def test_words_for_empty_count_in_the_whole_file_unless_a_value_has_its_own(tmp_path):
    order = order_of(tmp_path, "a,b", "-,-", {"supplier": "a", "group": {"column": "b", "empty": []}}, empty=["-", "NA"])
    assert (order.supplier, order.group) == (None, "-")


@pytest.mark.parametrize(
    ("decimal", "cell", "paid"),
    [
        (".", "1234.5", 123_450),
        (".", '"1,234.50"', 123_450),
        (".", "$900", 90_000),
        (".", "US $12.30", 1_230),
        (".", "12.30 USD", 1_230),
        (".", "1 234.50", 123_450),
        (".", "1'234'567.00", 123_456_700),
        (",", '"1.234,50"', 123_450),
        (",", '"4,99 €"', 499),
        (",", '"R$ 1.234.567,00"', 123_456_700),
        (",", "12", 1_200),
        (",", '"12,50 kr"', 1_250),
        (",", '"12,50 Euro"', 1_250),
        (".", "usd12.30", 1_230),
        (".", "12.30元", 1_230),
        (".", "NT$12.30", 1_230),
    ],
)
def test_sums_are_read_as_people_write_them_where_the_mark_of_decimals_is_told(tmp_path, decimal, cell, paid):
    order = order_of(tmp_path, "paid", cell, {"paid": {"column": "paid", "decimal": decimal}, "currency": {"value": "USD"}})
    assert order.paid == paid
    assert order_of(tmp_path, "paid", cell, {"paid": "paid", "currency": {"value": "USD"}}, decimal=decimal).paid == paid


@pytest.mark.parametrize(
    "cell",
    [
        "-5",
        "(5)",
        "12.30 EUR",
        "12.34.56",
        "12 34",
        "free",
        "1,2.3",
        "$-",
        "l2.50",
        "7.2x",
        "12.5O",
        "about 5",
        "5*",
        "4.99 2",
    ],
)
def test_what_is_no_sum_in_that_writing_is_left_out(tmp_path, cell):
    told = {"time_zone": "UTC", "decimal": ".", "order": {**BASE["order"], "paid": "paid", "currency": {"value": "USD"}}}
    (order,), (rejection,) = read(tmp_path, f'id,at,paid\n1,2026-01-01,"{cell}"\n', told)
    assert (order.order.paid, rejection.column, rejection.is_cell) == (None, "paid", True)
    assert cell in rejection.reason


@pytest.mark.parametrize(
    ("source", "row", "instant"),
    [
        ({"column": "a", "format": "%d/%m/%Y"}, "03/04/2026,", datetime(2026, 4, 2, 16, tzinfo=UTC)),
        ({"column": "a", "format": ["%d/%m/%Y", "%d/%m/%Y %H:%M"]}, "03/04/2026 09:00,", datetime(2026, 4, 3, 1, tzinfo=UTC)),
        ({"column": "a", "zone": "UTC"}, "2026-04-03 09:00,", datetime(2026, 4, 3, 9, tzinfo=UTC)),
        ({"template": "{a} {b}", "format": "%d.%m.%y %H:%M"}, "03.04.26,09:30", datetime(2026, 4, 3, 1, 30, tzinfo=UTC)),
        ({"column": "a", "format": "epoch"}, "1775178000,", datetime(2026, 4, 3, 1, tzinfo=UTC)),
        ({"column": "a", "format": "epoch_ms"}, "1775178000500,", datetime(2026, 4, 3, 1, 0, 0, 500_000, tzinfo=UTC)),
        ("a", "2026-04-03 09:00:00 UTC,", datetime(2026, 4, 3, 9, tzinfo=UTC)),
        ("a", "2026-04-03 09:00:00 GMT+8,", datetime(2026, 4, 3, 1, tzinfo=UTC)),
        ("a", "2026-04-03 09:00 -0300,", datetime(2026, 4, 3, 12, tzinfo=UTC)),
        ("a", "2026-04-03 09:00 America/Sao_Paulo,", datetime(2026, 4, 3, 12, tzinfo=UTC)),
        ({"column": "a", "format": "%d/%m/%Y %H:%M"}, "03/04/2026 09:00 UTC,", datetime(2026, 4, 3, 9, tzinfo=UTC)),
        ({"column": "a", "format": "%d/%m/%Y %H:%M CST"}, "03/04/2026 09:00 CST,", datetime(2026, 4, 3, 1, tzinfo=UTC)),
    ],
)
def test_instants_have_formats_and_zones_of_their_own_and_a_zone_that_the_text_names_counts(tmp_path, source, row, instant):
    assert order_of(tmp_path, "a,b", row, {"ship_by": source}).ship_by == instant


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("2026-04-03 09:00 CST", "names the zone CST, which is one of several"),
        ("2026-04-03 09:00 Europe/Nowhere", "names no zone that is known"),
        ("2026-04-03 09:00 UTC+22:00", "names no zone that is known"),
        ("99999999999999999", "is not a time"),
    ],
)
def test_a_zone_that_is_not_known_is_told(tmp_path, cell, why):
    _, (rejection,) = read(tmp_path, f"id,at\n1,{cell}\n", {**BASE, "time_format": "%d/%m/%Y %H:%M"})
    assert why in rejection.reason


WHEN = "id,at,status,sum\n1,2026-01-01,Shipped,3\n2,2026-01-01,Delivered,0\n3,2026-01-01,Open,\n4,2026-01-01,,-1\n"


@pytest.mark.parametrize(
    ("when", "numbers"),
    [
        ({"status": "shipped"}, "1"),
        ({"status": ["Shipped", "Delivered"]}, "12"),
        ({"status": {"not": "Open"}}, "124"),
        ({"status": {"not": ["Open", ""]}}, "12"),
        ({"status": {"filled": True}}, "123"),
        ({"status": {"filled": False}}, "4"),
        ({"sum": {"above": 0}}, "1"),
        ({"sum": {"above": -2}}, "124"),
        ({"status": {"filled": True, "not": "Open"}, "sum": {"above": 0}}, "1"),
    ],
)
def test_conditions_choose_rows_reports_and_lines(tmp_path, when, numbers):
    rows, rejected = read(tmp_path, WHEN, {**BASE, "when": when})
    assert ("".join(one.order.number for one in rows), rejected) == (numbers, [])
    reporting = {**BASE, "reports": {"ship": {"at": "at", "when": when}}}
    shipped, _ = read(tmp_path, WHEN, reporting)
    assert "".join(one.order.number for one in shipped if one.reports) == numbers
    lines, _ = read(tmp_path, WHEN, {**BASE, "line": {"sku": "id", "when": when}})
    assert "".join(one.order.number for one in lines if one.lines) == numbers


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"order": {"id": "id", "placed_at": []}}, r"\[order.placed_at\] must name a column"),
        ({"order": {"id": "id", "placed_at": {"colum": "at"}}}, r"\[order.placed_at\] 'colum' .*did you mean column"),
        ({"order": {"id": "id", "placed_at": {"column": "at", "value": "x"}}}, "must say one of column, template and value"),
        ({"order": {"id": "id", "placed_at": {"value": "x", "zone": "UTC"}}}, "value is a constant: zone has no meaning"),
        ({"order": {"id": {"template": "x"}, "placed_at": "at"}}, "template names no column"),
        ({"order": {"id": "id", "placed_at": {"column": "at", "format": "DD/MM/YYYY"}}}, "is no format of times"),
        ({"order": {"id": "id", "placed_at": {"column": "at", "format": "%d %Z"}}}, "leave %Z out"),
        (
            {"order": {"id": "id", "placed_at": {"column": "at", "zone": "CST6"}}},
            "order.placed_at.zone 'CST6' is not a time zone",
        ),
        ({"order": {"id": {"column": "id", "map": "x"}, "placed_at": "at"}}, "map must be a table of words"),
        ({"order": {"id": {"column": "id", "else": "x"}, "placed_at": "at"}}, "else goes with map"),
        ({"order": {"id": {"column": "id", "strip": 7}, "placed_at": "at"}}, "strip must be a text or a list of texts"),
        ({"decimal": ";"}, r"\[decimal\] must be"),
        ({"when": ["status"]}, r"\[when\] must be a table of columns"),
        ({"when": {"status": {}}}, "write a word, a list of words"),
        ({"when": {"status": {"above": "much"}}}, "write a word, a list of words"),
        ({"when": {"status": {"nott": "Open"}}}, "did you mean not"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_told_with_its_place_and_what_may_stand_there(change, why):
    with pytest.raises(UsageError, match=why):
        parse_mapping({**BASE, **change})


def numbers(path, **mapping):
    """Return the numbers of the orders of a file, and what was rejected."""
    found = list(OrderFile(path, parse_mapping({**BASE, **mapping}), Orders()))
    return [one.order.number for one, _, _ in found if one], [r for _, rejected, _ in found for r in rejected]


def test_blank_rows_a_preamble_and_the_mark_of_separators_are_no_orders(tmp_path):
    content = "\nsep=,\n\nid,at\n1,2026-01-01\n\n,,\n  ,\n2,2026-01-01\n3,soon\n"
    (tmp_path / "f.csv").write_text(content.replace("sep=,\n", ""))
    read_, (rejection,) = numbers(tmp_path / "f.csv")
    assert (read_, rejection.line) == (["1", "2"], 9)
    (tmp_path / "g.csv").write_text("sep=;\nid;at\n1;2026-01-01\n")
    assert numbers(tmp_path / "g.csv", delimiter=";") == (["1"], [])
    (tmp_path / "h.csv").write_text("Orders of 2026\nof the shop\nid,at\n1,2026-01-01\n")
    assert numbers(tmp_path / "h.csv", header=3) == (["1"], [])
    (tmp_path / "i.csv").write_text("id,at\n\n1,2026-01-01\n")
    with pytest.raises(UsageError, match="row 2 is blank, and the mapping says that it names the columns"):
        numbers(tmp_path / "i.csv", header=2)


def test_rows_have_the_numbers_that_a_spreadsheet_gives_them(tmp_path):
    (tmp_path / "f.csv").write_text('id,at,address\n1,2026-01-01,"a\nb\nc"\n2,soon,x\n')
    _, (rejection,) = numbers(tmp_path / "f.csv")
    assert rejection.line == 3


def test_cells_without_quotation_marks(tmp_path):
    (tmp_path / "f.txt").write_text('id\tat\ttitle\n1\t2026-01-01\t"12 inch pan\n2\t2026-01-01\tx\n')
    assert numbers(tmp_path / "f.txt", delimiter="\t", quote="") == (["1", "2"], [])
    (tmp_path / "g.txt").write_text('id\tat\ttitle\n1\t2026-01-01\t"12" pan\n')
    with pytest.raises(UsageError, match=r"row 2 cannot be read: a tab is expected after a quotation mark.* write quote = ''"):
        numbers(tmp_path / "g.txt", delimiter="\t")


def test_an_empty_cell_may_be_that_of_the_row_above(tmp_path):
    content = "id,at,sku\n1,2026-01-01,a\n,,b\n2,2026-01-02,c\n"
    orders, rejected = read(tmp_path, content, {**BASE, "line": {"sku": "sku"}, "fill": ["id"]})
    assert ([[line.sku for line in one.lines] for one in orders], rejected) == ([["a", "b"], ["c"]], [])


def test_a_column_that_is_there_twice_matters_only_where_the_mapping_names_it(tmp_path):
    orders, rejected = read(tmp_path, "id,at,note,note\n1,2026-01-01,x,y\n")
    assert (len(orders), rejected) == (1, [])


def test_line_breaks_in_texts_are_spaces_and_in_numbers_they_are_refused(tmp_path):
    order = order_of(
        tmp_path, "who,where", '"Kim\r\nLee","1 Main St\n\tSpringfield"', {"buyer_name": "who", "buyer_address": "where"}
    )
    assert (order.buyer_name, order.buyer_address) == ("Kim Lee", "1 Main St Springfield")
    orders, (rejection,) = read(tmp_path, 'id,at\n"1\n2",2026-01-01\n')
    assert (orders, rejection.column) == ([], "id")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "gbk", "gb2312"])
def test_an_encoding_holds_what_a_program_writes_in_its_name(tmp_path, encoding):
    written = "gb18030" if encoding.startswith("gb") else "utf-8-sig"
    (tmp_path / "f.csv").write_bytes("id,at,who\n1,2026-01-01,㐀😀\n".encode(written))
    assert numbers(tmp_path / "f.csv", encoding=encoding) == (["1"], [])


def test_compressed_files_are_read_as_they_come(tmp_path):
    content = b"id,at\n1,2026-01-01\n"
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(content))
    assert numbers(tmp_path / "f.csv.gz") == (["1"], [])
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("orders.jsonl", '{"id": "7", "at": "2026-01-01"}\n')
        archive.writestr("__MACOSX/._orders.jsonl", "x")
    assert numbers(tmp_path / "f.zip") == (["7"], [])


def test_compressed_files_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "f.csv.gz").write_bytes(b"id,at\n1,2026-01-01\n")
    with pytest.raises(UsageError, match="is damaged, or not what its name says"):
        numbers(tmp_path / "f.csv.gz")
    (tmp_path / "g.csv.gz").write_bytes(gzip.compress(b"id,at\n1,2026-01-01\n")[:-12])
    with pytest.raises(UsageError, match="is damaged, or not what its name says"):
        numbers(tmp_path / "g.csv.gz")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("a.csv", "id,at\n")
        archive.writestr("b.csv", "id,at\n")
    with pytest.raises(UsageError, match=r"it holds 2 files \(a.csv, b.csv\): unpack it, and name one"):
        numbers(tmp_path / "f.zip")
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"id,at\n" + b"\n" * 5_000_000))
    with pytest.raises(UsageError, match="grows far beyond its size"):
        numbers(tmp_path / "bomb.csv.gz")


SHEET = (
    ("id", "at", "paid", "n", "sku", "gift"),
    ("1001", datetime(2026, 1, 2, 3, 4, 5), 12.5, 2, 17, True),
    (None, None, None, None, None, None),
    (1002, "2026-01-03", 7, 1.0, "B-1", False),
)


def test_a_workbook_is_read_with_its_dates_and_whole_numbers(tmp_path):
    path = tmp_path / "orders.xlsx"
    write_workbook(path, Notes=(), Orders=SHEET)
    told = {**BASE, "order": {**BASE["order"], "paid": "paid", "group": "gift"}, "line": {"sku": "sku", "quantity": "n"}}
    first, second = (one for one, _, _ in OrderFile(path, parse_mapping(told), Orders()))
    assert (first.order.number, first.order.placed_at) == ("1001", datetime(2026, 1, 2, 6, 4, 5, tzinfo=UTC))
    assert (first.order.paid, first.lines[0].sku, first.lines[0].quantity, first.order.group) == (1_250, "17", 2, "true")
    assert (second.order.number, second.lines[0].quantity, second.line) == ("1002", 1, 4)
    assert numbers(path, sheet="Orders") == (["1001", "1002"], [])
    with pytest.raises(UsageError, match="it has no sheet 'Oders': there are Notes, Orders"):
        numbers(path, sheet="Oders")
    (tmp_path / "text.xlsx").write_text("id,at\n")
    with pytest.raises(UsageError, match="it is not a workbook that can be read"):
        numbers(tmp_path / "text.xlsx")


SHOP_JSON = """{"data": {"orders": [
  {"id": 1001, "at": "2026-01-02", "customer": {"name": "Kim"}, "paid": "12.50",
   "line_items": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
   "fulfillments": [{"created_at": "2026-01-03", "tracking_number": "LP1"}]},
  {"id": 1002, "at": "2026-01-02", "customer": null, "paid": null, "line_items": [], "fulfillments": []}
]}, "next": null}"""
SHOP_MAPPING = {
    **BASE,
    "records": "data.orders",
    "lines": "line_items",
    "order": {**BASE["order"], "buyer_name": "customer.name", "paid": "paid"},
    "line": {"sku": "line_items.sku", "quantity": "line_items.quantity"},
    "reports": {"ship": {"at": "fulfillments.0.created_at", "tracking_number": "fulfillments.0.tracking_number"}},
}


def test_orders_of_a_platform_are_read_from_their_wrapper_with_their_lines_and_parcels(tmp_path):
    (first, second), rejected = read(tmp_path, SHOP_JSON, SHOP_MAPPING, name="orders.json")
    assert rejected == []
    assert ([(one.sku, one.quantity) for one in first.lines], first.order.buyer_name) == ([("A", 2), ("B", 1)], "Kim")
    assert [(one.trigger, one.fields) for one in first.reports] == [("ship", {"tracking_number": "LP1"})]
    assert (second.lines, second.reports, second.order.buyer_name, second.order.paid) == ((), (), None, None)
    lines = "\n".join(map(json.dumps, json.loads(SHOP_JSON)["data"]["orders"]))
    told = {name: value for name, value in SHOP_MAPPING.items() if name != "records"}
    again, _ = read(tmp_path, lines, told, name="orders.jsonl")
    assert [one.order for one in again] == [first.order, second.order]


def test_a_wrapper_that_the_mapping_does_not_open_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"stand in a list of an object: say records = … \(data.orders\)"):
        read(tmp_path, SHOP_JSON, BASE, name="orders.json")
    with pytest.raises(UsageError, match="its JSON has no 'orders' where records says so: there is data, next"):
        read(tmp_path, SHOP_JSON, {**BASE, "records": "orders"}, name="orders.json")
    with pytest.raises(UsageError, match="must hold one JSON array"):
        read(tmp_path, '{"a": 1}', BASE, name="orders.json")


def test_what_is_empty_in_every_order_of_a_file_is_not_missed_and_what_is_unknown_is(tmp_path):
    only_open = '[{"id": 1, "at": "2026-01-02", "shipment": null}]'
    told = {**BASE, "reports": {"ship": {"at": "shipment.at"}}}
    orders, rejected = read(tmp_path, only_open, told, name="f.json")
    assert (len(orders), rejected) == (1, [])
    with pytest.raises(UsageError, match=r"has no column 'shipmen\.at'"):
        read(tmp_path, only_open, {**BASE, "reports": {"ship": {"at": "shipmen.at"}}}, name="f.json")


def test_sums_with_a_share_of_a_cent_are_rounded_half_even_and_counted(tmp_path):
    mapping = {**BASE, "order": {**BASE["order"], "paid": "paid", "currency": {"value": "USD"}}, "line": {"price": "price"}}
    path = tmp_path / "f.csv"
    path.write_text("id,at,paid,price\n1,2026-01-01,12.345,9.99000168\n2,2026-01-01,12.355,5\n3,2026-01-01,12.50,5.500\n")
    file = OrderFile(path, parse_mapping(mapping), Orders())
    for _ in range(2):
        orders = [one for one, _, _ in file]
        assert [(one.order.paid, one.lines[0].price) for one in orders] == [(1234, 999), (1236, 500), (1250, 550)]
        assert file.rounded == 3


def test_the_total_of_a_line_gives_the_price_of_a_piece(tmp_path):
    mapping = {**BASE, "line": {"sku": "sku", "quantity": "n", "total": "total"}}
    content = "id,at,sku,n,total\n1,2026-01-01,a,3,30.00\n1,,b,3,10.00\n1,,c,0,0.00\n1,,d,,7\n"
    (order,), rejected = read(tmp_path, content, mapping)
    assert [(line.sku, line.quantity, line.price) for line in order.lines] == [("a", 3, 1000), ("b", 3, 333), ("d", 1, 700)]
    assert rejected == []


def test_an_amount_may_be_the_sum_of_the_rows_of_its_order(tmp_path):
    mapping = {**BASE, "order": {**BASE["order"], "paid": {"column": "paid", "sum": True}}}
    content = "id,at,paid\n1,2026-01-01,10.10\n2,2026-01-01,\n1,,0.20\n3,2026-01-01,5\n3,,five\n"
    orders, rejected = read(tmp_path, content, mapping)
    assert {one.order.number: one.order.paid for one in orders} == {"1": 1030, "2": None, "3": None}
    assert [(one.line, one.column, one.is_cell) for one in rejected] == [(6, "paid", True)]


class Kept:
    """Orders that are known, as a database would tell them."""

    def __init__(self, *orders, parcels=None):
        self.orders, self.parcels = orders, parcels or {}

    def numbered(self, names):
        return {(one.shop, one.number): [Known(one)] for one in self.orders if (one.shop, one.number) in names}

    def of_parcels(self, names):
        return {name: self.parcels[name[1]] for name in names if name[1] in self.parcels}


PLACED = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Order("main", "1", PLACED, "JPY", paid=500)


def add(tmp_path, content, mapping, known, name="f.csv"):
    path = tmp_path / name
    path.write_text(content)
    found = list(OrderFile(path, mapping, Orders(), known))
    return [one for one, _, _ in found if one], [r for _, rejected, _ in found for r in rejected], sum(n for _, _, n in found)


def test_a_file_of_lines_and_payments_adds_to_orders_that_are_known_in_their_own_currency(tmp_path):
    mapping = parse_mapping(
        {"order": {"id": "id", "paid": {"column": "paid", "sum": True}}, "line": {"sku": "sku", "price": "price"}}
    )
    content = "id,sku,price,paid\n1,a,100,70\n2,x,5,5\n1,b,400,80\n2,y,5,5\n"
    (order,), rejected, rows = add(tmp_path, content, mapping, Kept(FIRST))
    assert (order.order, order.given, order.known) == (replace(FIRST, paid=150), {"paid"}, Known(FIRST))
    assert [(line.sku, line.price) for line in order.lines] == [("a", 100), ("b", 400)]
    assert [(one.line, one.order) for one in rejected] == [(3, "2"), (5, "2")]
    assert "order main/2 is not known: import the file that places it first" in rejected[0].reason
    assert rows == 4


def test_a_file_of_reports_alone_needs_no_date_of_the_order_and_its_rows_are_events(tmp_path):
    mapping = own_mapping(["id", "note_transit_at", "note_transit_status"])
    content = (
        "id,note_transit_at,note_transit_status\n1,2026-01-02T00:00Z,left\n1,2026-01-03T00:00Z,arrived\n,2026-01-03T00:00Z,x\n"
    )
    (order,), (rejected,), _ = add(tmp_path, content, mapping, Kept(FIRST))
    assert [report.fields["status"] for report in order.reports] == ["left", "arrived"]
    assert (rejected.line, rejected.reason) == (4, "is empty: it says which order the row adds to")


def test_a_file_of_parcels_reports_of_every_order_that_is_in_them(tmp_path):
    mapping = own_mapping(["tracking_number", "deliver_at"])
    second = Order("other", "9", PLACED, "EUR")
    content = "tracking_number,deliver_at\nT1,2026-01-09T00:00Z\nT2,2026-01-09T00:00Z\n"
    orders, (rejected,), rows = add(tmp_path, content, mapping, Kept(parcels={"T1": [Known(FIRST, "t1"), Known(second, "T1")]}))
    assert [(one.order.name, one.reports[0].fields) for one in orders] == [
        ("main/1", {"tracking_number": "t1"}),
        ("other/9", {"tracking_number": "T1"}),
    ]
    assert (rejected.line, rejected.column, rejected.reason) == (3, "tracking_number", "no order has a parcel T2")
    assert rows == 2


def test_a_file_that_adds_to_orders_is_refused_where_none_are_known(tmp_path):
    with pytest.raises(UsageError, match="adds to orders that are known"):
        read(tmp_path, "id,s\n1,x\n", {"order": {"id": "id"}, "line": {"sku": "s"}})


def test_a_mapping_that_is_wrong_is_told_with_its_line(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('time_zone = "UTC"\n\n[order]\nid = "a"\nplaced_at = "b"\npaid = { column = "c", decimals = "," }\n')
    with pytest.raises(UsageError, match=r"m\.toml, line 6: \[order\.paid\] 'decimals' is not a name.*did you mean decimal"):
        load_mapping(path)
    path.write_text('[order]\nid = "a"\nplaced_at = "b"\n[[reports.ship]]\nat = "x"\n[[reports.ship]]\nat = 3\n')
    with pytest.raises(UsageError, match=r"m\.toml: \[reports\.ship\.at\] must be a column"):
        load_mapping(path)


def test_json_is_read_order_by_order_wherever_a_read_of_the_file_ends(tmp_path, monkeypatch):
    orders = [{"id": str(n), "at": "2026-01-02", "note": "é" * n, "paid": 12.5} for n in range(50)]
    wrapped = json.dumps({"count": 50, "data": {"page": [1], "orders": orders}, "next": None}, ensure_ascii=False)
    for size in (1, 2, 7, 64, 1 << 16):
        monkeypatch.setattr(json_files, "_AT_ONCE", size)
        (tmp_path / "f.json").write_text(wrapped)
        layout = Layout(records=("data.orders",))
        assert [row.cells["note"] for row in read_rows(tmp_path / "f.json", layout)] == ["é" * n for n in range(50)]
        assert {row.cells["paid"] for row in read_rows(tmp_path / "f.json", layout)} == {"12.5"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2", "',' is expected at its character 6"),
        ("[{}] []", "something follows its end"),
        ('{"data": [}', "at its character 11"),
        ('{"date": []}', "has no 'data' where records says so: there is date"),
        ("", "at its character 1"),
    ],
)
def test_json_that_is_broken_says_where(tmp_path, content, words):
    (tmp_path / "f.json").write_text(content)
    records = ("data",) if "{" in content[:2] and "dat" in content else ()
    with pytest.raises(UsageError, match=words):
        list(read_rows(tmp_path / "f.json", Layout(records=records)))


def test_one_object_in_a_wrapper_is_a_list_of_one_and_lines_may_stand_in_lists_of_lists(tmp_path):
    parcel = {"number": "T1", "sent": [{"events": [{"at": "a"}, {"at": "b"}]}, {"events": [{"at": "c"}]}]}
    (tmp_path / "f.jsonl").write_text(json.dumps({"data": parcel}) + "\n" + json.dumps({"accepted": {"list": [parcel]}}) + "\n")
    layout = Layout(records=("accepted.list", "data"), lines="sent.events")
    assert [
        (row.line, row.cells["number"], row.cells["sent.events.at"]) for row in read_rows(tmp_path / "f.jsonl", layout)
    ] == [
        *((1, "T1", at) for at in "abc"),
        *((2, "T1", at) for at in "abc"),
    ]


def test_of_several_columns_one_is_enough(tmp_path):
    told = {**BASE, "reports": {"ship": {"at": ["sent", "left"]}}}
    (order,), rejected = read(tmp_path, "id,at,left\n1,2026-01-01,2026-01-02\n", told)
    assert ([one.trigger for one in order.reports], rejected) == (["ship"], [])
    with pytest.raises(UsageError, match="has no column 'left'"):
        read(tmp_path, "id,at\n1,2026-01-01\n", told)
    with pytest.raises(UsageError, match="has no column 'b'"):
        read(tmp_path, "id,at,a\n1,2026-01-01,x\n", {**BASE, "order": {**BASE["order"], "group": {"template": "{a}{b}"}}})


def test_rows_that_follow_a_rejected_one_are_not_taken_for_the_order_above(tmp_path):
    content = "id,at,sku\n1,2026-01-01,a\n,,b\n,2026-01-05,c\n,,d\n2,2026-01-06,e\n,,f\n"
    orders, rejected = read(tmp_path, content, {**BASE, "line": {"sku": "sku"}, "fill": ["id"]})
    assert {one.order.number: [line.sku for line in one.lines] for one in orders} == {"1": ["a", "b"], "2": ["e", "f"]}
    assert [one.line for one in rejected] == [4, 5]
    assert "its number is empty, so that it was taken for a row of that order" in rejected[0].reason
    assert rejected[1].reason == "follows line 4, which was rejected"


def test_quantities_are_written_as_sums_are(tmp_path):
    mapping = {**BASE, "line": {"sku": "sku", "quantity": "n"}, "decimal": ",", "delimiter": ";"}
    (order,), rejected = read(tmp_path, "id;at;sku;n\n1;2026-01-01;a;3,00\n1;;b;1.000\n", mapping)
    assert [(line.sku, line.quantity) for line in order.lines] == [("a", 3), ("b", 1)]
    assert [(one.line, one.column, one.is_cell) for one in rejected] == [(3, "n", True)]


def test_an_object_that_contradicts_is_rejected_once_for_all_its_lines(tmp_path):
    orders = [{"id": 1, "at": at, "items": [{"sku": "a"}, {"sku": "b"}]} for at in ("2026-01-01", "2026-01-02")]
    mapping = {**BASE, "lines": "items", "line": {"sku": "items.sku"}}
    (order,), rejected = read(tmp_path, json.dumps(orders), mapping, name="f.json")
    assert len(order.lines) == 2
    assert [one.line for one in rejected] == [2]


def test_a_sum_of_which_a_row_was_rejected_is_not_known(tmp_path):
    mapping = {**BASE, "order": {**BASE["order"], "currency": "cur", "paid": {"column": "paid", "sum": True}}}
    content = "id,at,cur,paid\n1,2026-01-01,USD,10.00\n1,,JPY,2000\n2,2026-01-01,USD,10\n2,,USD,9,99\n3,2026-01-01,USD,1\n"
    orders, rejected = read(tmp_path, content, mapping)
    assert {one.order.number: one.order.paid for one in orders} == {"1": None, "2": None, "3": 100}
    assert [one.line for one in rejected] == [3, 5]


@pytest.mark.parametrize(
    ("said", "decimal", "number"),
    [
        ("1,250.00", None, 1250.0),
        ("1.250,00", None, 1250.0),
        ("1,250", None, 1250.0),
        ("1,250", ",", 1.25),
        ("$1,999.00", ".", 1999.0),
        ("R$ 1.234,56", ",", 1234.56),
        ("-5.00", None, -5.0),
        ("12", None, 12.0),
        ("4,99 €", None, 4.99),
        ("", None, float("-inf")),
        ("none", None, float("-inf")),
    ],
)
def test_numbers_of_conditions_are_read_as_people_write_them(said, decimal, number):
    assert number_in(said, decimal) == number


def test_rows_that_follow_a_row_that_is_not_read_are_not_read(tmp_path):
    content = "id,at,status,sku\nV1,2026-01-01,voided,a\n,,,b\nV2,2026-01-02,paid,c\n,,,d\n"
    mapping = {**BASE, "line": {"sku": "sku"}, "fill": ["id", "at"], "when": {"status": {"not": "voided"}}}
    orders, rejected = read(tmp_path, content, mapping)
    assert ({one.order.number: len(one.lines) for one in orders}, rejected) == ({"V2": 2}, [])


@pytest.mark.parametrize("named", ["items.prise", "fulfillment.shiped_at"])
def test_a_misspelt_path_of_json_is_missed_though_some_object_has_nothing_there(tmp_path, named):
    orders = [
        {"id": 1, "at": "2026-01-01", "items": [{"sku": "a", "price": 1}], "fulfillment": {"shipped_at": "2026-01-02"}},
        {"id": 2, "at": "2026-01-01", "items": [], "fulfillment": None},
    ]
    with pytest.raises(UsageError, match="has no column"):
        read(
            tmp_path, json.dumps(orders), {**BASE, "lines": "items", "order": {**BASE["order"], "group": named}}, name="f.json"
        )


def test_a_second_list_of_the_same_name_is_refused(tmp_path):
    content = '{"orders": [{"id": 1}], "orders": [{"id": 2}]}'
    with pytest.raises(UsageError, match="names 'orders' twice"):
        read(tmp_path, content, {**BASE, "records": "orders"}, name="f.json")


def test_a_number_at_the_end_of_what_was_read_is_read_on(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "_AT_ONCE", 1)
    content = '{"total": 12.50e+1, "orders": [{"id": 1, "at": "2026-01-01", "n": -1.5e3}], "more": 7}'
    (order,), _ = read(tmp_path, content, {**BASE, "records": "orders"}, name="f.json")
    assert order.order.number == "1"


def test_rows_of_a_table_that_begins_lower_have_the_numbers_of_the_sheet(tmp_path):
    write_workbook(tmp_path / "f.xlsx", Orders=[[""], [""], ["id", "at"], ["1", "never"], ["2", "2026-01-01"]])
    found = list(OrderFile(tmp_path / "f.xlsx", parse_mapping({**BASE, "header": 3}), Orders()))
    assert [one.line for _, rejected, _ in found for one in rejected] == [4]
    assert [one.line for one, _, _ in found if one] == [5]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-01 01:30:05 PDT", datetime(2026, 11, 1, 8, 30, 5, tzinfo=UTC)),
        ("2026-11-01 01:30:05 PST", datetime(2026, 11, 1, 9, 30, 5, tzinfo=UTC)),
        ("2026-07-01 12:00:00 PDT", datetime(2026, 7, 1, 19, tzinfo=UTC)),
    ],
)
def test_letters_of_the_zone_that_is_set_tell_the_hours_of_a_clock_change_apart(tmp_path, text, instant):
    (order,), rejected = read(tmp_path, f"id,at\n1,{text}\n", {**BASE, "time_zone": "America/Los_Angeles"})
    assert (order.order.placed_at, rejected) == (instant, [])


@pytest.mark.parametrize("text", ["2026-07-01 12:00:00 PST", "2026-07-01 12:00:00 CST"])
def test_letters_that_the_zone_does_not_have_then_are_refused(tmp_path, text):
    _, (rejection,) = read(tmp_path, f"id,at\n1,{text}\n", {**BASE, "time_zone": "America/Los_Angeles"})
    assert "which is one of several: set time_zone to it" in rejection.reason


def test_what_the_first_row_does_not_say_or_nobody_can_read_there_a_later_one_may_say(tmp_path):
    mapping = {**BASE, "order": {**BASE["order"], "paid": "paid", "supplier": "who"}, "line": {"sku": "sku"}}
    content = "id,at,paid,who,sku\n1,2026-01-01,12x,,a\n1,,71.82,Yiwu,b\n1,,71.82,Yiwu,c\n1,,5,,d\n"
    (order,), rejected = read(tmp_path, content, mapping)
    assert (order.order.paid, order.order.supplier, len(order.lines)) == (7182, "Yiwu", 3)
    assert [(one.line, one.is_cell) for one in rejected] == [(2, True), (5, False)]
    assert {"paid", "supplier"} <= order.given


def test_lines_may_be_a_list_of_texts(tmp_path):
    orders = [{"id": 1, "at": "2026-01-01", "articles": ["Cup", "Mug"]}]
    mapping = {**BASE, "lines": "articles", "line": {"title": "articles"}}
    (order,), rejected = read(tmp_path, json.dumps(orders), mapping, name="f.json")
    assert ([line.title for line in order.lines], rejected) == (["Cup", "Mug"], [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": {"id": "id", "placed_at": "at", "when": {"a": "b"}}}, "it belongs to the top, above"),
        ({"reports": {"hold": {"at": "x", "wants": {"value": "papers"}}}}, "value: 'papers' is not one of the known words"),
        ({"reports": {"hold": {"at": "x", "wants": {"column": "w", "map": {"a": "dokuments"}}}}}, "did you mean documents"),
        ({"time_zone": "Berlin"}, "write one such as Europe/Berlin"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_told_with_what_would_be_right(tmp_path, change, words):
    with pytest.raises(UsageError, match=words):
        parse_mapping({**BASE, **change})
