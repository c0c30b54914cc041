"""A random shop, and the twenty dialects in which its orders are written."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.unit.workbooks import write_workbook


@dataclass(frozen=True)
class Item:
    sku: str
    quantity: int
    price: int


@dataclass(frozen=True)
class Sold:
    """An order of the shop; sums in cents, instants in UTC to the second."""

    number: str
    placed: datetime
    buyer: str
    items: tuple[Item, ...]
    shipped: datetime | None
    parcel: str | None

    @property
    def paid(self) -> int:
        return sum(item.price * item.quantity for item in self.items)


@st.composite
def shops(draw) -> list[Sold]:
    """Draw a shop of a few orders that follow each other, among them days after the twelfth of a month."""
    at, orders = datetime(2026, 3, 2, 8, tzinfo=UTC), []
    for n in range(draw(st.integers(4, 9))):
        at += timedelta(seconds=draw(st.integers(3_600, 400_000)))
        items = tuple(
            Item(f"{draw(st.sampled_from(('CUP', 'LAMP', 'MUG')))}-{k}", draw(st.integers(1, 4)), draw(st.integers(1, 250_000)))
            for k in range(draw(st.integers(1, 3)))
        )
        shipped = at + timedelta(seconds=draw(st.integers(3_600, 300_000))) if draw(st.booleans()) else None
        parcel = f"LP{draw(st.integers(10**8, 10**9 - 1))}" if shipped else None
        buyer = draw(st.sampled_from(("Kim Lee", "Ana Souza", "Zoe Wang")))
        orders.append(Sold(f"A-{1001 + n}", at, buyer, items, shipped, parcel))
    return orders


Format = Callable[[datetime], str]


def local(zone: str, pattern: str) -> Format:
    return lambda at: at.astimezone(ZoneInfo(zone)).strftime(pattern)


def point(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def comma(cents: int) -> str:
    return f"{cents // 100:,}".replace(",", ".") + f",{cents % 100:02}"


EN = """Order Number;Order Date;Total Cost;Currency;Customer;SKU;Quantity;Unit Cost;Ship Date;Tracking Number"""
ZH = """订单编号;下单时间;采购金额;币种;收货人;商家编码;数量;采购单价;发货时间;快递单号"""
ES = """Número de pedido;Fecha de pedido;Costo total;Moneda;Cliente;Referencia;Cantidad;Costo unitario;Fecha de envío;
Número de seguimiento"""
PT = """Número do pedido;Data do pedido;Custo total;Moeda;Cliente;SKU;Quantidade;Custo unitário;Data de envio;
Código de rastreio"""
DE = """Bestellnummer;Bestelldatum;Gesamtkosten;Währung;Kunde;Artikelnummer;Menge;Stückkosten;Versanddatum;Sendungsnummer"""
FR = """Numéro de commande;Date de commande;Coût total;Devise;Client;SKU;Quantité;Coût unitaire;Date d'expédition;
Numéro de suivi"""
KEYS = ("id", "placed_at", "paid", "currency", "buyer_name", "sku", "quantity", "price", "ship", "tracking_number")


@dataclass(frozen=True)
class Dialect:
    """How a shop's file is written: names of its columns, instants, sums, and the file itself.

    `repeats` says what later rows of an order say: everything again, its number alone, or nothing.
    `stated` is what a mapping must say of it besides the columns. `asks` says that the file cannot prove something.
    """

    name: str
    columns: tuple[str, ...]
    instant: Format
    money: Callable[[int], str]
    ending: str = ".csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    repeats: str = "all"
    before: tuple[str, ...] = ()
    totals: bool = False
    stated: dict[str, Any] = field(default_factory=dict)
    zone: str | None = None
    asks: bool = False

    def write(self, shop: list[Sold], path: Path) -> None:
        rows = [row for order in shop for row in self._rows(order)]
        if self.ending == ".xlsx":
            write_workbook(path, Orders=[list(self.columns), *rows])
        elif self.ending in (".json", ".jsonl"):
            self._write_json(shop, path)
        else:
            text = io.StringIO()
            text.writelines(f"{line}\r\n" for line in self.before)
            csv.writer(text, delimiter=self.delimiter).writerows([self.columns, *rows])
            path.write_bytes(text.getvalue().encode(self.encoding))

    def _rows(self, order: Sold) -> list[list[str]]:
        rows = []
        for n, item in enumerate(order.items):
            whole = [order.number, self.instant(order.placed), self.money(order.paid), "EUR", order.buyer]
            sent = [self.instant(order.shipped), order.parcel] if order.shipped else ["", ""]
            if n and self.repeats != "all":
                whole = [order.number if self.repeats == "number" else "", "", "", "", ""]
                sent = ["", ""]
            price = self.money(item.price * item.quantity if self.totals else item.price)
            rows.append([*whole, item.sku, str(item.quantity), price, *sent])
        return rows

    def _write_json(self, shop: list[Sold], path: Path) -> None:
        c = dict(zip(KEYS, self.columns, strict=True))
        orders = [
            {
                c["id"]: order.number,
                c["placed_at"]: self.instant(order.placed),
                c["paid"]: self.money(order.paid),
                c["currency"]: "EUR",
                c["buyer_name"]: order.buyer,
                "items": [
                    {c["sku"]: item.sku, c["quantity"]: item.quantity, c["price"]: self.money(item.price)}
                    for item in order.items
                ],
                c["ship"]: self.instant(order.shipped) if order.shipped else None,
                c["tracking_number"]: order.parcel,
            }
            for order in shop
        ]
        if self.ending == ".jsonl":
            path.write_text("\n".join(map(json.dumps, orders)))
        else:
            path.write_text(json.dumps({"count": len(orders), "data": {"orders": orders}} if self.before else orders))

    def mapping(self) -> dict[str, Any]:
        """Return the mapping that says all of it."""
        inside = "items." if self.ending in (".json", ".jsonl") else ""
        c = dict(zip(KEYS, self.columns, strict=True))
        order = {key: c[key] for key in ("id", "placed_at", "paid", "currency", "buyer_name")}
        line = {key: inside + c[key] for key in ("sku", "quantity", "price")}
        if self.totals:
            line["total"] = line.pop("price")
        table = {"order": order, "line": line, "reports": {"ship": {"at": c["ship"], "tracking_number": c["tracking_number"]}}}
        stated = dict(self.stated)
        if inside:
            stated["lines"] = "items"
        if self.zone:
            stated["time_zone"] = self.zone
        return {**table, **stated}


BERLIN, SHANGHAI, NEW_YORK, SAO_PAULO, PARIS = (
    "Europe/Berlin",
    "Asia/Shanghai",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Paris",
)


def dialect(name, columns, instant, money=point, **more) -> Dialect:
    return Dialect(name, tuple(one.strip() for one in columns.split(";")), instant, money, **more)


def _iso(at: datetime) -> str:
    return at.isoformat()


DIALECTS = (
    dialect("plain", EN, _iso),
    dialect("an offset without a colon", EN, local(BERLIN, "%Y-%m-%d %H:%M:%S %z"), repeats="number"),
    dialect("zulu", EN, lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"), encoding="utf-8-sig"),
    dialect("chinese in gbk", ZH, local(SHANGHAI, "%Y/%m/%d %H:%M:%S"), encoding="gbk", zone=SHANGHAI,
            stated={"encoding": "gbk", "time_format": "%Y/%m/%d %H:%M:%S"}),
    dialect("chinese dates", ZH, local(SHANGHAI, "%Y年%m月%d日 %H:%M:%S"), zone=SHANGHAI,
            stated={"time_format": "%Y年%m月%d日 %H:%M:%S"}),
    dialect("german", DE, local(BERLIN, "%d.%m.%Y %H:%M:%S"), comma, delimiter=";", zone=BERLIN,
            stated={"delimiter": ";", "decimal": ",", "time_format": "%d.%m.%Y %H:%M:%S"}),
    dialect("german with signs, in cp1252", DE, local(BERLIN, "%d.%m.%Y %H:%M:%S"), lambda cents: f"{comma(cents)} €",
            delimiter=";", encoding="cp1252", zone=BERLIN,
            stated={"delimiter": ";", "decimal": ",", "encoding": "cp1252", "time_format": "%d.%m.%Y %H:%M:%S"}),
    dialect("french with tabs", FR, local(PARIS, "%d/%m/%Y %H:%M:%S"), comma, delimiter="\t", zone=PARIS, repeats="number",
            stated={"delimiter": "\t", "decimal": ",", "time_format": "%d/%m/%Y %H:%M:%S"}, asks=True),
    dialect("brazilian", PT, local(SAO_PAULO, "%d/%m/%Y %H:%M:%S"), lambda cents: f"R$ {comma(cents)}", delimiter=";",
            zone=SAO_PAULO, stated={"delimiter": ";", "decimal": ",", "time_format": "%d/%m/%Y %H:%M:%S"}, asks=True),
    dialect("spanish with bars", ES, local("Europe/Madrid", "%d-%m-%Y %H:%M:%S"), comma, delimiter="|", zone="Europe/Madrid",
            stated={"delimiter": "|", "decimal": ",", "time_format": "%d-%m-%Y %H:%M:%S"}, asks=True),
    dialect("american", EN, local(NEW_YORK, "%m/%d/%Y %I:%M:%S %p"), lambda cents: f"${cents // 100:,}.{cents % 100:02}",
            zone=NEW_YORK, stated={"decimal": ".", "time_format": "%m/%d/%Y %I:%M:%S %p"}, asks=True),
    dialect("months by name", EN, local(NEW_YORK, "%d-%b-%Y %H:%M:%S"), zone=NEW_YORK,
            stated={"time_format": "%d-%b-%Y %H:%M:%S"}),
    dialect("epoch seconds", EN, lambda at: str(int(at.timestamp())), stated={"time_format": "epoch"}),
    dialect("epoch milliseconds", EN, lambda at: f"{int(at.timestamp())}000", stated={"time_format": "epoch_ms"}),
    dialect("rows before the header", EN, _iso, before=("Export of 30 November", "", "made by us"), stated={"header": 4}),
    dialect("numbers on the first row alone", EN, _iso, repeats="nothing", stated={"fill": ["Order Number"]}),
    dialect("totals of lines", EN, _iso, totals=True),
    dialect("a workbook", EN, _iso, ending=".xlsx"),
    dialect("json in a wrapper", EN, _iso, ending=".json", before=("wrapped",), stated={"records": "data.orders"}),
    dialect("json lines", EN, _iso, ending=".jsonl"),
)  # fmt: skip
