"""Mappings that are proposed for files which nobody has mapped: what is proved, what is asked, and what is left alone."""

import csv
import json
import tomllib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from inbound.header_names import likeness
from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from inbound.proposing import propose
from tests.unit.workbooks import write_workbook
from workflow.errors import UsageError
from workflow.policy.policy import Orders

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


def proposed(tmp_path, content, name="orders.csv", zone=MADRID, encoding="utf-8"):
    path = tmp_path / name
    if isinstance(content, str):
        path.write_bytes(content.encode(encoding))
    else:
        path.write_text(json.dumps(content))
    found = propose(path, zone, NOW)
    return found, tomllib.loads(found.text)


def orders_of(tmp_path, table, name="orders.csv"):
    found = list(OrderFile(tmp_path / name, parse_mapping(table), Orders()))
    return {one.order.number: one for one, _, _ in found if one}, [r for _, rejected, _ in found for r in rejected]


@pytest.mark.parametrize(
    "name",
    [
        *("Order Number", "Order #", "order-id", "Nº pedido", "N.º de pedido", "Num. pedido", "Pedido nº", "Ref. pedido"),
        *("Número do pedido", "Nº da encomenda", "Bestell-Nr.", "Bestellnr.", "N° commande", "Numéro de commande", "订单编号"),
    ],
)
def test_numbers_of_orders_are_known_by_many_names(name):
    assert likeness("order.id", name)


@pytest.mark.parametrize(
    ("fact", "name"),
    [
        ("order.id", "Phone number"),
        ("deliver.at", "Estimated delivery date"),
        ("deliver.at", "Voraussichtliches Lieferdatum"),
        ("order.sale", "Tax total"),
    ],
)
def test_what_only_sounds_like_it_is_something_else(fact, name):
    assert likeness(fact, name) == 0


SPANISH = (
    "Exportación de pedidos;;;;;;\r\n\r\n"
    "Nº pedido;Fecha;Hora;Estado;Referencia;Cantidad;Total pedido;Fecha de envío;Nº de seguimiento\r\n"
    "P-1;13/11/2026;09:15;Enviado;TAZA;2;25,00 €;14/11/2026;ES1\r\n"
    ";;;;PLATO;1;;;\r\n"
    "P-2;14/11/2026;10:00;Cancelado;TAZA;1;1.234,50 €;32/13/2026;ES2\r\n"
    "P-3;15/11/2026;10:00;Pendiente;TAZA;1;12,50 €;;\r\n"
    "P-4;15/11/2026;11:00;Enviado;TAZA;1;12,50 €;16/11/2026;ES4\r\n"
    "P-5;15/11/2026;11:00;Enviado;TAZA;1;12,50 €;16/11/2026;ES5\r\n"
    "P-6;15/11/2026;11:00;Enviado;TAZA;1;12,50 €;16/11/2026;ES6\r\n"
    "Total;;;;;;99,00 €;;\r\n"
)


def test_a_file_with_a_title_two_columns_of_time_rows_that_follow_and_a_footer(tmp_path):
    found, table = proposed(tmp_path, SPANISH, encoding="cp1252")
    orders, rejected = orders_of(tmp_path, table)
    assert [*orders] == ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6"]
    first = orders["P-1"]
    assert first.order.placed_at == datetime(2026, 11, 13, 8, 15, tzinfo=UTC)
    assert (first.order.sale, first.order.currency) == (2500, "EUR")
    assert [(line.sku, line.quantity) for line in first.lines] == [("TAZA", 2), ("PLATO", 1)]
    assert first.reports[0].fields == {"tracking_number": "ES1"}
    assert [(one.line, one.column) for one in rejected] == [(6, "Fecha de envío")]
    assert found.questions == ["Estado says Cancelado: when were these orders cancelled? See [reports.cancel] there"]


def test_what_a_file_does_not_prove_is_asked_and_not_read(tmp_path):
    content = "Order no,Date,Total,Ship date\n1,03/04/2026 09:00,$5.00,05/04/2026 10:00\n2,05/04/2026 09:00,$6.00,\n"
    found, table = proposed(tmp_path, content, zone=None)
    assert len(found.questions) == 3
    assert "time_format" not in table
    assert "time_zone" not in table
    assert "currency" not in table["order"]
    assert table["decimal"] == "."


def test_dates_are_read_in_the_one_way_that_puts_them_in_the_past_and_in_turn(tmp_path):
    placed = "Order no,Order date,Ship date\n" + "".join(f"{n},{n:02}/12/2026,\n" for n in range(1, 6))
    assert proposed(tmp_path, placed)[1]["time_format"] == "%m/%d/%Y"  # December has not come
    in_turn = "Order no,Order date,Ship date\n" + "".join(f"{n},0{n}/02/2026,0{n}/03/2026\n" for n in range(4, 8))
    found, _ = proposed(tmp_path, in_turn)
    assert len(found.questions) == 1  # a day or a month later: both may be
    turned = "Order no,Order date,Ship date\n" + "".join(f"{n},0{n}/02/2026,0{n}/01/2026\n" for n in range(4, 8))
    assert proposed(tmp_path, turned)[1]["time_format"] == "%m/%d/%Y"  # the other way all are shipped a month before


def test_a_single_order_that_is_dated_ahead_proves_nothing(tmp_path):
    content = "Order no,Order date\n1,05/11/2026\n2,09/11/2026\n3,10/11/2026\n4,01/12/2026\n"
    found, table = proposed(tmp_path, content)
    assert "time_format" not in table
    assert "written with the day first, or the month first?" in found.questions[0]


@pytest.mark.parametrize(
    "name",
    ['Note\n[reports.cancel]\nat = "Order date"\n#', "Remark\n(internal)", 'a "b" \\ c', "\x7f\x07 bell", "{x} 😀 \x01"],
)
def test_no_name_and_no_cell_of_a_file_becomes_part_of_the_mapping(tmp_path, name):
    path = tmp_path / "f.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["Order no", "Order date", name], ["1", "2026-11-05T09:00Z", f"cell {name}"]])
    table = tomllib.loads(propose(path, None, NOW).text)
    assert table.keys() == {"order"}
    parse_mapping(table)
    as_sku = tmp_path / "g.csv"
    with as_sku.open("w", newline="") as file:
        csv.writer(file).writerows([["Order no", "Order date", f"{name} SKU"], ["1", "2026-11-05T09:00Z", f"cell {name}"]])
    (order,), _ = zip(*orders_of(tmp_path, tomllib.loads(propose(as_sku, None, NOW).text), "g.csv")[0].items(), strict=True)
    assert order == "1"


def test_an_unreadable_cell_does_not_hide_its_column_and_words_for_nothing_are_found(tmp_path):
    rows = "".join(f"{n},2026-11-2{n}T09:00Z,2026-11-2{n}T10:00Z,0,-\n" for n in range(1, 6))
    content = f"订单号,下单时间,发货时间,物流单号,收货人\n{rows}6,2026-11-26T09:00Z,昨天下午,SF6,王小明\n"
    _, table = proposed(tmp_path, content)
    assert table["reports"]["ship"]["at"] == "发货时间"
    assert table["reports"]["ship"]["tracking_number"] == {"column": "物流单号", "empty": ["0"]}
    assert table["empty"] == ["-"]


def test_what_a_list_of_json_tells_of_each_parcel_is_told_together(tmp_path):
    parcels = [{"code": f"T{n}", "shippedAt": f"2026-11-1{n}T00:00:00Z", "trackingCode": f"T{n}"} for n in (1, 2)]
    order = {"orderNumber": "1", "createdAt": "2026-11-10T00:00:00Z", "items": [{"sku": "a", "qty": 1}], "parcels": parcels}
    _, table = proposed(tmp_path, {"page": {"orders": [order, {**order, "orderNumber": "2", "parcels": []}]}}, "f.json")
    assert table["records"] == "page.orders"
    orders, rejected = orders_of(tmp_path, table, "f.json")
    assert [(one.at.day, one.fields["tracking_number"]) for one in orders["1"].reports] == [(11, "T1"), (12, "T2")]
    assert (orders["2"].reports, rejected) == ((), [])


def test_a_carriers_file_adds_to_the_orders_that_have_the_parcel(tmp_path):
    content = "Tracking number,Event time,Status\nT1,2026-11-10 09:00,In transit\nT1,2026-11-12 09:00,Delivered\n"
    found, table = proposed(tmp_path, content)
    assert table["order"] == {"tracking_number": "Tracking number"}
    assert table["reports"]["deliver"] == {"at": "Event time", "when": {"Status": ["Delivered"]}}
    assert table["reports"]["note_transit"]["status"] == "Status"
    assert found.questions == []
    parse_mapping(table)


def test_the_largest_table_of_a_workbook_is_taken(tmp_path):
    write_workbook(
        tmp_path / "f.xlsx",
        Title=[["made by the shop"]],
        Orders=[["Order number", "Order date"], ["1", "2026-11-10T09:00Z"], ["2", "2026-11-11T09:00Z"]],
    )
    table = tomllib.loads(propose(tmp_path / "f.xlsx", None, NOW).text)
    assert (table["sheet"], table["order"]["id"]) == ("Orders", "Order number")


def test_where_no_column_is_called_so_the_number_is_asked(tmp_path):
    found, table = proposed(tmp_path, "Vorgang,Datum\nA,2026-11-10T09:00Z\n")
    assert "id" not in table["order"]
    assert found.questions == ["Which column is the number of the order? Write it at id"]
    assert "#   Vorgang: A" in found.text


def test_a_file_of_a_known_form_gets_its_ready_mapping(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("订单编号,标题,购买数量,商家编码,价格\n1,杯子,1,CUP,5\n", "gbk")
    assert propose(path, None, NOW).ready == "taobao-lines"


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError):
        proposed(tmp_path, "[1,", "f.json")


def test_one_forgotten_number_is_no_row_of_the_order_above(tmp_path):
    payments = "N° commande,Montant,Date du paiement\nC1,10.00,x\nC1,5.00,x\n,7.00,x\nC2,8.00,x\n"
    _, table = proposed(tmp_path, payments)
    assert "fill" not in table
    assert table["order"]["sale"] == {"column": "Montant", "sum": True}


def test_lists_of_lines_are_found_in_any_of_the_languages(tmp_path):
    order = {"numero_commande": "1", "date_commande": "2026-11-03T14:05:00+01:00"}
    order["articles"] = [{"reference_article": "A", "designation": "Tasse", "quantite": 2, "prix_unitaire": "5.00"}] * 2
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, (order, {**order, "numero_commande": "2"}))))
    table = tomllib.loads(propose(tmp_path / "f.jsonl", None, NOW).text)
    assert table["lines"] == "articles"
    orders, _ = orders_of(tmp_path, table, "f.jsonl")
    assert [len(one.lines) for one in orders.values()] == [2, 2]


def test_a_quotation_mark_that_quotes_nothing_does_not_hide_the_separator(tmp_path):
    content = 'order-id\tproduct-name\tdate\n1\tStand\tNov 3, 2026\n2\t"Best" Mug\tNov 3, 2026\n3\tStand\tNov 4, 2026\n'
    _, table = proposed(tmp_path, content, name="orders.txt")
    assert (table["delimiter"], table["quote"], table["order"]["id"]) == ("\t", "", "order-id")


@pytest.mark.parametrize(
    ("text", "time_format"),
    [
        ("Nov 3, 2026 2:05:00 PM PST", "%b %d, %Y %I:%M:%S %p"),
        ("23/11/2026 14h05", "%d/%m/%Y %Hh%M"),
        ("2026-11-03 14:05:00 CST", None),
    ],
)
def test_times_with_letters_of_a_zone_or_an_h_are_times(tmp_path, text, time_format):
    path = tmp_path / "orders.csv"
    path.write_text(f'Order no,Order date\n1,"{text}"\n')
    found = propose(path, None, NOW)
    assert "In which time zone are the times of the file? Write it at time_zone" in found.questions
    table = tomllib.loads(found.text)
    assert (table.get("time_format"), table["order"]["placed_at"]) == (time_format, "Order date")


def test_where_orders_are_cancelled_it_is_asked_which_can_be_stopped(tmp_path):
    content = "Order no,Order date,Cancelled at,Country\n1,2026-11-03T09:00Z,2026-11-04T09:00Z,DE\n"
    assert "which are domestic" in proposed(tmp_path, content)[0].questions[0]
