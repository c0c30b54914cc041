"""Rows of a file written as a file of their own: the same mapping reads them."""

import json

import pytest

from inbound.files import read_rows
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from inbound.rows import Layout
from inbound.rows_to_mend import REASON, check_target, write_rows
from tests.unit.workbooks import write_workbook
from workflow.errors import UsageError
from workflow.policy.policy import Orders

ORDER = {"order": {"id": "id", "placed_at": "at"}, "line": {"sku": "sku"}, "time_zone": "UTC"}


def rewritten(source, table, rows, target):
    mapping = parse_mapping({**ORDER, **table})
    check_target(source, mapping.layout, target)
    write_rows(source, mapping.layout, rows, target)
    return OrderFile(target, mapping, Orders()), mapping.layout


@pytest.mark.parametrize(
    ("content", "table", "rows"),
    [
        ('id,at,sku\n1,2026-01-01,a\n2,never,"b\nB"\n2,,\'c\n', {}, (3, 4)),
        ("id;at;sku\n1;2026-01-01;a\n2;never;义\n", {"delimiter": ";", "encoding": "gbk"}, (3,)),
        (
            'made by us\n\nid\tat\tsku\n1\t2026-01-01\t5"\n2\tnever\t7" x 5\n',
            {"delimiter": "\t", "quote": "", "header": 3},
            (5,),
        ),
        ("id,at,sku\n1,2026-01-01,a\n2,never,b\n,,c\n", {"fill": ["id"]}, (3, 4)),
    ],
)
def test_rows_of_a_table_are_written_as_the_mapping_reads_them(tmp_path, content, table, rows):
    source, target = tmp_path / "f.csv", tmp_path / "mend.csv"
    source.write_bytes(content.encode("gbk" if "encoding" in table else "utf-8"))
    file, layout = rewritten(source, table, dict.fromkeys(rows, "at: 'never' is no time"), target)
    was = {row.line: row.cells for row in read_rows(source, layout)}
    now = [row.cells for row in read_rows(target, layout)]
    assert [{name: cell for name, cell in cells.items() if name != REASON} for cells in now] == [was[line] for line in rows]
    assert {cells[REASON] for cells in now} == {"at: 'never' is no time"}
    assert all(one is None for one, _, _ in file)
    target.write_bytes(target.read_bytes().replace(b"never", b"2026-01-02"))
    (order,) = (one for one, _, _ in OrderFile(target, parse_mapping({**ORDER, **table}), Orders()))
    assert order.order.number == "2"
    assert len(order.lines) == len(rows)


def test_a_file_that_was_written_so_is_written_again_with_one_reason(tmp_path):
    source, target = tmp_path / "f.csv", tmp_path / "mend.csv"
    source.write_text(f"id,at,{REASON}\n1,never,an old reason\n")
    write_rows(source, Layout(), {2: "a new one"}, target)
    assert target.read_text("utf-8-sig").splitlines() == [f"id,at,{REASON}", "1,never,a new one"]


def test_a_broken_row_stays_as_broken_as_it_was_and_says_why(tmp_path):
    source, target = tmp_path / "f.csv", tmp_path / "mend.csv"
    source.write_text("id,at,sku\n1,2026-01-01\n")
    write_rows(source, Layout(), {2: "has 2 cells"}, target)
    assert target.read_text("utf-8-sig").splitlines() == [f"id,at,sku,{REASON}", "1,2026-01-01,has 2 cells"]


def test_orders_of_json_stay_in_their_wrapper(tmp_path):
    orders = [{"id": n, "at": "never", "lines": [{"sku": "é"}], "sum": 1.50} for n in range(3)]
    source, target = tmp_path / "f.json", tmp_path / "mend.json"
    source.write_text(json.dumps({"data": {"orders": orders}}))
    rewritten(source, {"records": "data.orders", "lines": "lines", "line": {"sku": "lines.sku"}}, {1: "x", 3: "y"}, target)
    kept = json.loads(target.read_text("utf-8-sig"))["data"]["orders"]
    assert [(one["id"], one["sum"], one[REASON]) for one in kept] == [("0", "1.5", "x"), ("2", "1.5", "y")]
    source, target = tmp_path / "f.jsonl", tmp_path / "mend.jsonl"
    source.write_text("\n".join(map(json.dumps, orders)))
    rewritten(source, {"line": {}}, {2: "x", 3: "y"}, target)
    assert [json.loads(line)["id"] for line in target.read_text("utf-8-sig").splitlines()] == [1, 2]


def test_rows_of_a_workbook_become_a_table(tmp_path):
    source, target = tmp_path / "f.xlsx", tmp_path / "mend.csv"
    write_workbook(source, Orders=[["id", "at", "sku"], ["1", "2026-01-01", "a"], ["2", "never", "b"]])
    rewritten(source, {}, {3: "x"}, target)
    assert target.read_text("utf-8-sig").splitlines() == [f"id,at,sku,{REASON}", "2,never,b,x"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("f.csv", "is there already"),
        ("mend.json", "will hold what .csv files do"),
        ("nowhere/mend.csv", "there is no folder"),
    ],
)
def test_where_the_rows_cannot_go_is_said_before_the_import(tmp_path, target, words):
    source = tmp_path / "f.csv"
    source.write_text("id,at\n")
    with pytest.raises(UsageError, match=words):
        check_target(source, Layout(), tmp_path / target)


def test_a_name_that_does_not_fit_json_is_refused(tmp_path):
    source = tmp_path / "f.json"
    source.write_text("[]")
    with pytest.raises(UsageError, match=r"will hold what \.json files do"):
        check_target(source, Layout(), tmp_path / "mend.csv")


def test_a_row_with_too_many_cells_is_no_row_of_the_made_file_before_it_is_mended(tmp_path):
    source, target = tmp_path / "f.csv", tmp_path / "mend.csv"
    source.write_text("id,at,sku\nC1,2026-01-01,Acme, Inc\nC2,never,b\n")
    file, _ = rewritten(source, {}, {2: "has 4 cells", 3: "at: never"}, target)
    assert [(one, [rejection.line for rejection in rejected]) for one, rejected, _ in file] == [(None, [2]), (None, [3])]


def test_what_a_row_took_from_one_that_is_not_written_is_written_out(tmp_path):
    source, target = tmp_path / "f.csv", tmp_path / "mend.csv"
    source.write_text("at,id,sku\n2025-01-01,E1,never\n,E2,b\n2026-11-01,E3,c\n,E4,d\n,E5,e\n")
    rewritten(source, {"fill": ["at"]}, {2: "x", 5: "y", 6: "z"}, target)
    told = [line.rpartition(",")[0] for line in target.read_text("utf-8-sig").splitlines()[1:]]
    assert told == ["2025-01-01,E1,never", "2026-11-01,E4,d", ",E5,e"]


def test_lines_of_json_say_what_is_wrong_with_them(tmp_path):
    source, target = tmp_path / "f.jsonl", tmp_path / "mend.jsonl"
    source.write_text('{"id": 1, "at": "never"}\nnot json\n')
    rewritten(source, {"line": {}}, {1: "at: never", 2: "is not JSON"}, target)
    assert target.read_text("utf-8-sig").splitlines() == [
        '{"id": 1, "at": "never", "why it was rejected": "at: never"}',
        "not json",
    ]
