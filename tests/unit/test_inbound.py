import os
from datetime import UTC, datetime

import pytest

from inbound.mapping import load_mapping, own_mapping, parse_mapping
from inbound.orders import OrderFile
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
    assert [(r.line, r.column) for r in rejected] == [(5, "paid"), (6, None), (7, "n")]


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
        ("id,id,at\n1,1,2026-01-01\n", "names the column 'id' twice"),
        ("id,wrong\n1,2026-01-01\n", "has no column 'at'"),
        ('id,at\n1,2026-01-01\n2,"2026-01-01\n3,', "begins in line 3 cannot be read: unexpected end of data"),
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
def test_a_bad_cell_of_an_order_rejects_its_row(tmp_path, column, cell, words):
    mapping = {**BASE, "order": {**BASE["order"], column: "cell"}}
    orders, (rejection,) = read(tmp_path, f"id,at,cell\n1,2026-01-01,{cell}\n", mapping)
    assert orders == []
    assert words in rejection.reason


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
        ({"order": {"id": "id"}}, "must say which column is 'placed_at'"),
        ({"ordr": {}}, "did you mean order"),
        ({"order": {"id": "id", "placed_at": "at", "piad": "x"}}, "did you mean paid"),
        ({"order": 3}, "must be a table"),
        ({"order": {"id": 3, "placed_at": "at"}}, "must be a column's name"),
        ({"reports": {"shipp": {"at": "x"}}}, "did you mean ship"),
        ({"reports": {"ship": {"carrier": "x"}}}, "which column is 'at'"),
        ({"reports": {"ship": {"at": "x", "carier": "y"}}}, "did you mean carrier"),
        ({"reports": {"promise": {"at": "x"}}}, "must say which column is 'ship_by'"),
        ({"reports": {"ship": {"at": "x", "when": "y"}}}, "when must be a table"),
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
