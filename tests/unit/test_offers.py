"""Files of what suppliers offer, read into a catalogue (rule 7.12)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from inbound.files import columns_of
from inbound.mapping import own_mapping
from inbound.mapping_document import MappingError, load_mapping, parse_mapping
from inbound.offers import Usual, own_offer_mapping, read_offers
from inbound.orders import OrderFile
from inbound.proposing_offers import propose
from tests.unit.workbooks import write_workbook
from workflow.catalogue import Offer
from workflow.errors import UsageError
from workflow.policy.policy import Orders
from workflow.toml import parse

USUAL = Usual("CNY")


def written(tmp_path, text, name="offers.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(path, mapping=None, usual=USUAL):
    return read_offers(path, parse_mapping(parse(mapping)) if mapping else own_offer_mapping(columns_of(path)), usual)


def test_a_file_with_our_own_names_needs_no_mapping(tmp_path):
    path = written(
        tmp_path,
        "supplier,sku,shop,supplier_sku,address,price,currency,handling_time,countries,rank,from,until\n"
        "Yiwu Home,MUG,main,Y-1,https://example.com/1,12.50,usd,3,US; BR,1,2026-01-01T00:00Z,2026-12-31T00:00Z\n",
    )
    assert read(path).offers == [
        Offer(
            *("Yiwu Home", "MUG", "main", "Y-1", "https://example.com/1", 1_250, "USD", "3d", ("US", "BR"), 1),
            since=datetime(2026, 1, 1, tzinfo=UTC),
            until=datetime(2026, 12, 31, tzinfo=UTC),
        )
    ]


def test_what_a_row_does_not_say_is_as_a_person_has_said(tmp_path):
    path = written(tmp_path, "sku,price,supplier\nMUG,12.5,\nLAMP,,Ningbo\n")
    first, second = read(path, usual=Usual("EUR", "Yiwu", "berlin")).offers
    assert (first.supplier, first.shop, first.price, first.currency) == ("Yiwu", "berlin", 1_250, "EUR")
    assert (second.supplier, second.price, second.currency) == ("Ningbo", None, None)


def test_a_mapping_says_what_the_columns_of_a_price_list_mean(tmp_path):
    path = written(tmp_path, "Item;Our code;Preis;Gültig bis\nA-1;MUG;1.234,50 €;31.12.2026\n", encoding="cp1252")
    mapping = """
encoding = "cp1252"
delimiter = ";"
decimal = ","
time_zone = "Europe/Berlin"
time_format = "%d.%m.%Y"
[offer]
supplier = { value = "Yiwu" }
sku = "Our code"
supplier_sku = "Item"
price = "Preis"
currency = { value = "EUR" }
until = "Gültig bis"
"""
    (offer,) = read(path, mapping).offers
    assert (offer.sku, offer.supplier_sku, offer.price, offer.currency) == ("MUG", "A-1", 123_450, "EUR")
    assert offer.until == datetime(2026, 12, 31, 23, tzinfo=UTC), "a day alone counts whole"


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        (",MUG,1", "supplier", "must have its supplier"),
        ("Yiwu,MUG,one", "price", "one"),
        ("Yiwu,MUG,-1", "price", "-1"),
    ],
)
def test_a_row_that_is_no_offer_is_rejected_with_its_line(tmp_path, row, column, why):
    found = read(written(tmp_path, f"supplier,sku,price\nNingbo,MUG,1\n{row}\n"))
    assert len(found.offers) == 1
    (rejected,) = found.rejected
    assert (rejected.line, rejected.column) == (3, column)
    assert why in rejected.reason


def test_what_cannot_be_an_offer_is_rejected(tmp_path):
    found = read(
        written(
            tmp_path,
            "supplier,sku,countries,price,currency,from,until\n"
            "A,MUG,Atlantis,,,,\nB,MUG,,0,,,\nC,MUG,,,money,,\nD,MUG,,,,2026-02-01T00:00Z,2026-01-01T00:00Z\nE,MUG,,,,2026-02-01,\n",
        )
    )
    assert [one.column for one in found.rejected] == ["countries", "price", "currency", "until", "from"]


def test_cells_that_no_offer_needs_are_left_out_and_listed(tmp_path):
    found = read(written(tmp_path, "supplier,sku,handling_time,rank,address\nA,MUG,soon,best,javascript:alert(1)\n"))
    assert found.offers == [Offer("A", "MUG")]
    assert [one.column for one in found.left_out] == ["address", "handling_time", "rank"]


@pytest.mark.parametrize(
    ("said", "countries"),
    [
        ("us, fr;BR", ("US", "FR", "BR")),
        ("美国、法国", ("US", "FR")),
        ("US FR", ("US", "FR")),
        ("Brasil/Deutschland", ("BR", "DE")),
        ("USA; UK", ("US", "GB")),
        ("worldwide", ()),
        ("全球", ()),
        ("", ()),
    ],
)
def test_countries_are_known_by_their_codes_and_names(tmp_path, said, countries):
    (offer,) = read(written(tmp_path, f'supplier,sku,countries\nA,MUG,"{said}"\n')).offers
    assert offer.countries == countries


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("3", "3d"),
        ("2-3 days", "3d"),
        ("3天", "3d"),
        ("48小时", "48h"),
        ("3 working days", "3wd"),
        ("2 Tage", "2d"),
        ("1 w", "7d"),
    ],
)
def test_times_are_read_as_suppliers_write_them(tmp_path, said, time):
    (offer,) = read(written(tmp_path, f"supplier,sku,handling_time\nA,MUG,{said}\n")).offers
    assert offer.handling_time == time


def test_rows_of_products_that_are_not_ours_are_passed_over(tmp_path):
    found = read(written(tmp_path, "sku,supplier_sku,price\nMUG,Y-1,1\n,Y-2,1\n,Total: 2,\n"), usual=Usual("CNY", "Yiwu"))
    assert (len(found.offers), found.unfilled, found.rejected) == (1, 2, [])


def test_an_unfilled_template_says_nothing_of_the_supplier_that_is_named(tmp_path):
    found = read(written(tmp_path, "supplier,sku,title,price,currency\n,MUG,Mug,,USD\n"), usual=Usual("CNY", "Yiwu"))
    assert (found.offers, found.unfilled) == ([], 1)


def test_what_is_said_twice_or_not_at_all_is_counted(tmp_path):
    found = read(written(tmp_path, "supplier,sku,price\nYiwu,MUG,1\nyiwu,MUG,2\n"))
    assert (len(found.offers), found.repeated, found.assumed) == (2, 1, 2)


def test_a_day_alone_is_one_of_the_display_zone(tmp_path):
    usual = Usual("CNY", zone=ZoneInfo("Asia/Shanghai"))
    (offer,) = read(written(tmp_path, "supplier,sku,until\nA,MUG,2026-12-31\n"), usual=usual).offers
    assert offer.until == datetime(2026, 12, 31, 16, tzinfo=UTC)


def test_columns_that_nobody_knows_are_refused(tmp_path):
    with pytest.raises(UsageError, match="none of its columns"):
        read(written(tmp_path, "Item No,Preis\nA,1\n"))


def test_products_that_nobody_is_named_for_are_passed_over(tmp_path):
    found = read(written(tmp_path, "supplier,sku,title,price\nYiwu,MUG,Mug,1\n,LAMP,Lamp,\n"))
    assert (len(found.offers), found.unfilled, found.rejected) == (1, 1, [])


def test_prices_with_a_share_of_a_cent_are_rounded_and_counted(tmp_path):
    found = read(written(tmp_path, "supplier,sku,price\nYiwu,MUG,1.005\n"))
    assert (found.offers[0].price, found.rounded) == (100, 1)


def test_a_workbook_is_read_as_it_comes(tmp_path):
    path = tmp_path / "offers.xlsx"
    write_workbook(path, offers=[["supplier", "sku", "price", "rank"], ["Yiwu", "MUG", 12.5, 1]])
    assert read(path).offers == [Offer("Yiwu", "MUG", price=1_250, currency="CNY", rank=1)]


def test_a_file_that_says_nothing_of_who_or_what_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"which column of .* is the supplier, or say --supplier NAME"):
        read(written(tmp_path, "sku,price\nMUG,1\n"))
    with pytest.raises(UsageError, match=r"which column of .* is the sku"):
        read(written(tmp_path, "supplier,price\nYiwu,1\n"))


def test_a_mapping_is_of_orders_or_of_a_catalogue(tmp_path):
    path = written(tmp_path, "supplier,sku\nYiwu,MUG\n")
    with pytest.raises(MappingError, match="write two mappings"):
        parse_mapping(parse('[offer]\nsku = "sku"\n[order]\nid = "id"\n'))
    with pytest.raises(MappingError, match="'their_sku' is not a name"):
        parse_mapping(parse('[offer]\ntheir_sku = "sku"\n'))
    with pytest.raises(UsageError, match="the mapping is of orders"):
        read_offers(path, own_mapping(["id", "placed_at"]), USUAL)
    with pytest.raises(UsageError, match="catalogue import"):
        OrderFile(path, parse_mapping(parse('[offer]\nsku = "sku"\nsupplier = "supplier"\n')), Orders())
    with pytest.raises(UsageError, match="has no column 'price'"):
        read(path, '[offer]\nsku = "sku"\nsupplier = "supplier"\nprice = "price"\n')


# --- proposals ---


def proposed(tmp_path, path, skus=frozenset(), zone=None):
    proposal = propose(path, zone, skus)
    mapping = tmp_path / "proposed.toml"
    mapping.write_text(proposal.text)
    return proposal, load_mapping(mapping)


def test_the_mapping_of_a_price_list_is_proposed(tmp_path):
    path = written(
        tmp_path,
        "Vendor;Your code;Item No;Product link;Unit price (EUR);Lead time;Ships to;Colour\n"
        "Yiwu;MUG;Y-1;https://example.com/1;12,50;3;US, BR;red\nYiwu;LAMP;Y-2;https://example.com/2;1.012,00;5;US;blue\n",
    )
    proposal, mapping = proposed(tmp_path, path, {"MUG", "LAMP"})
    assert proposal.questions == []
    first, second = read_offers(path, mapping, USUAL).offers
    assert first == Offer("Yiwu", "MUG", None, "Y-1", "https://example.com/1", 1_250, "EUR", "3d", ("US", "BR"))
    assert second.price == 101_200
    assert "# Not read: Colour" in proposal.text


def test_what_a_price_list_does_not_prove_is_asked(tmp_path):
    path = written(tmp_path, "SKU,Price,Valid until\nA-1,12.50,03/04/2027\n")
    proposal, _ = proposed(tmp_path, path, {"MUG"})
    asked = " ".join(proposal.questions)
    for what in ("day first", "time zone", "currency", "your own SKUs, or the supplier's"):
        assert what in asked, what
    assert "--supplier NAME" in proposal.text


def test_our_skus_are_known_by_those_of_the_orders_whatever_their_column_is_called(tmp_path):
    path = written(tmp_path, "SKU,Remark,Price\nA-1,MUG,12.50\nA-2,LAMP,9\n")
    _, mapping = proposed(tmp_path, path, {"MUG", "LAMP", "VASE"}, ZoneInfo("UTC"))
    assert (mapping.offer["sku"].columns, mapping.offer["supplier_sku"].columns) == (("Remark",), ("SKU",))


def test_a_chinese_price_list_is_understood(tmp_path):
    path = written(tmp_path, "供应商,商家编码,供应商货号,采购价,备货时间\n义乌小店,MUG,YW-1,12.50,3\n", encoding="gb18030")
    _, mapping = proposed(tmp_path, path, {"MUG"})
    (offer,) = read_offers(path, mapping, USUAL).offers
    assert offer == Offer("义乌小店", "MUG", None, "YW-1", None, 1_250, "CNY", "3d")


def test_a_french_price_list_is_understood(tmp_path):
    text = (
        "Réf.;Désignation;Votre SKU;Prix net €;Délai (jours);Livre vers;Valable jusqu'au\n"
        "A-1;Tasse;MUG;12,50;3;France, Allemagne;31/12/2026\n"
    )
    path = written(tmp_path, text, encoding="cp1252")
    proposal, mapping = proposed(tmp_path, path, {"MUG"}, ZoneInfo("Europe/Paris"))
    assert proposal.questions == []
    (offer,) = read_offers(path, mapping, Usual("USD", "Maison")).offers
    assert (offer.supplier_sku, offer.price, offer.currency, offer.handling_time) == ("A-1", 1_250, "EUR", "3d")
    assert (offer.countries, offer.until) == (("FR", "DE"), datetime(2026, 12, 31, 23, tzinfo=UTC))


def test_the_sign_of_a_currency_in_the_name_of_a_column_counts(tmp_path):
    path = written(tmp_path, "货号,品名,您的SKU,单价(元),发货时间,可发国家\nYW-1,杯子,MUG,12.50,3-5天,美国、法国\n")
    _, mapping = proposed(tmp_path, path)
    (offer,) = read_offers(path, mapping, Usual("USD", "义乌")).offers
    assert offer == Offer("义乌", "MUG", None, "YW-1", None, 1_250, "CNY", "5d", ("US", "FR"))


def test_a_file_of_orders_is_asked_about(tmp_path):
    path = written(tmp_path, "Order number,Order date,SKU,Price\n1,2026-01-01,MUG,1\n")
    proposal, _ = proposed(tmp_path, path)
    assert any("file of orders" in one for one in proposal.questions)
