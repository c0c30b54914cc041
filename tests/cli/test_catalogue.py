"""catalogue: who can deliver what, as a person fills, checks and takes it back."""

import csv
import io

import pytest

ORDERS = """id,placed_at,supplier,country,currency,paid,sku,title,quantity,price,buyer_name,buyer_address
1,2025-03-03T09:00Z,First,US,USD,20.00,MUG,Mug,2,10.00,Kim Lee,12 Long Lane
2,2025-03-03T09:00Z,First,FR,USD,50.00,MUG,Mug,2,10.00,Ada Byron,1 Rue
2,2025-03-03T09:00Z,First,FR,USD,50.00,LAMP,Lamp,1,30.00,,
3,2025-03-03T09:00Z,First,US,USD,5.00,,Vase,1,5.00,Bo,3 Short Street
"""
OFFERS = """supplier,sku,supplier_sku,address,price,currency,handling_time,countries,rank
Yiwu Home,MUG,YH-1,https://example.com/yh1,9.00,USD,2d,US;BR,2
Ningbo,MUG,N-7,https://example.com/n7,12.00,USD,1d,,1
Ningbo,LAMP,N-8,,31.00,USD,,,1
"""


@pytest.fixture
def shop(run, tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "offers.csv").write_text(OFFERS)
    assert run("import", "orders.csv", "--urge-historical").code == 0
    return run


@pytest.fixture
def filled(shop):
    assert shop("catalogue", "import", "offers.csv").code == 0
    return shop


def test_a_file_of_offers_is_tried_imported_and_taken_back(shop):
    tried = shop("catalogue", "import", "offers.csv", "--dry-run")
    assert "Nothing was stored" in tried.out
    assert shop("catalogue", "list", "--json").json == {"offers": []}
    done = shop("catalogue", "import", "offers.csv", "--json").json
    assert (done["added"], done["ended"], done["version"]) == (3, 0, 1)
    assert shop("catalogue", "import", "offers.csv", "--json").json["same"] == 3
    assert "3 offers begun and 0 offers ended" in shop("catalogue", "undo", "--dry-run").out
    assert "It is taken back" in shop("catalogue", "undo").out
    assert "takes 1 back" in shop("catalogue", "changes").out
    assert shop("catalogue", "undo").code == 2


def test_a_row_that_cannot_be_read_ends_nothing(filled, tmp_path):
    (tmp_path / "bad.csv").write_text("supplier,sku,price\nNingbo,MUG,cheap\nNingbo,VASE,1\n")
    said = filled("catalogue", "import", "bad.csv")
    assert said.code == 3
    assert "'cheap' is not an amount" in said.out
    assert "2 offers that the file does not name stay: rows of it could not be read" in said.out
    assert len(filled("catalogue", "list", "--supplier", "ningbo", "--json").json["offers"]) == 3


def test_a_list_of_one_supplier_is_imported_with_its_name(shop, tmp_path):
    (tmp_path / "list.csv").write_text("sku,price\nMUG,1\n")
    said = shop("catalogue", "import", "list.csv")
    assert said.code == 2
    assert "--supplier NAME" in said.out
    assert shop("catalogue", "import", "list.csv", "--supplier", "Yiwu", "--shop", "main").code == 0
    (offer,) = shop("catalogue", "list", "--json").json["offers"]
    assert (offer["supplier"], offer["shop"]) == ("Yiwu", "main")


def test_a_file_of_orders_is_no_catalogue(shop):
    said = shop("catalogue", "import", "orders.csv")
    assert said.code == 2
    assert "it has orders, not offers" in said.out


def test_names_that_the_catalogue_does_not_have_are_told_the_nearest(filled):
    said = filled("catalogue", "list", "--supplier", "Yiwu Hom")
    assert (said.code, "Yiwu Home" in said.out) == (2, True)
    assert "MUG" in filled("catalogue", "list", "--sku", "MUGG").out


def test_the_template_has_the_products_of_the_orders_and_is_imported_once_it_is_filled(shop, tmp_path):
    text = shop("catalogue", "template").out
    rows = [*csv.DictReader(io.StringIO(text))]
    assert [(row["sku"], row["title"], row["currency"]) for row in rows] == [("MUG", "Mug", "USD"), ("LAMP", "Lamp", "USD")]
    rows[0] |= {"supplier": "Yiwu", "price": "9.00"}
    with (tmp_path / "filled.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    done = shop("catalogue", "import", "filled.csv", "--json").json
    assert (done["added"], done["unfilled"], done["rejected"]) == (1, 1, 0)


def test_what_is_amiss_is_named(filled, tmp_path):
    said = filled("catalogue", "check").out
    assert "Suppliers that the policy has no address of ([contacts.suppliers]): Yiwu Home, Ningbo" in said
    assert "main/3" in said
    assert "a line without an SKU" in said
    found = filled("catalogue", "check", "--json").json
    assert [(one["sku"], one["suppliers"], one["orders"]) for one in found["products"]] == [("LAMP", ["Ningbo"], 1)]
    assert found["left_alone"] == [{"order": "main/3", "skus": [""], "passed_over": []}]
    (tmp_path / "cny.csv").write_text("supplier,sku,price,currency\nChengdu,LAMP,200,CNY\nFoshan,LAMP,,\n")
    assert filled("catalogue", "import", "cny.csv").code == 0
    said = filled("catalogue", "check").out
    assert "Prices in another currency" in said
    assert "Offers without a price" in said


def test_explain_says_who_is_next_and_who_is_passed_over(filled):
    assert "Ningbo is next, of the catalogue (rank 1; it costs 24.00 USD; supply.choose = rank)" in filled("explain", "1").out
    assert "then: Yiwu Home" in filled("explain", "1").out
    assert "passed over: Yiwu Home: it does not offer LAMP" in filled("explain", "2").out
    assert "1 line without an SKU, which nobody offers" in filled("explain", "3").out
    found = filled("explain", "2", "--json").json["supply"]
    assert found["next"] == "Ningbo"
    assert found["candidates"][1] == {"supplier": "Yiwu Home", "cost": None, "why_not": "lines"}


def test_the_chosen_supplier_is_told_what_to_order_and_where_to_ship_and_nobody_elses_name(filled):
    assert filled("report", "2", "report_no_stock", "--yes").code == 0
    assert "When Ningbo was chosen, others were passed over: Yiwu Home" in filled("explain", "2").out
    effect = next(one for one in filled("effects", "--json").json["effects"] if one["kind"] == "place_supply")
    letter = filled("effects", "show", str(effect["id"])).out
    for said in (
        "2 x N-7, Mug (at most 12.00 USD each)",
        "https://example.com/n7",
        "1 x N-8, Lamp",
        "must not exceed 55.00 USD",
        "1 Rue",
    ):
        assert said in letter, said
    assert "First" not in letter
    assert "Yiwu" not in letter


def test_without_a_catalogue_an_order_has_nobody_to_turn_to(shop):
    assert "the money is asked for: the order names no other" in shop("explain", "1").out


def test_replay_and_simulate_take_a_catalogue(shop):
    until = ("--until", "2025-03-08T00:00Z")
    assert shop("replay", "orders.csv", *until, "--json").json["states"] == {"refunding": 3}
    told = shop("replay", "orders.csv", *until, "--catalogue", "offers.csv", "--json").json
    assert told["states"] == {"refunding": 1, "rerouted": 2}
    words = ("simulate", "--line", "MUG:2", "--country", "US", "--days", "5")
    assert "placed → overdue_urged" in shop(*words).out
    assert "overdue_urged → refunding" in shop(*words).out
    assert "overdue_urged → rerouted" in shop(*words, "--catalogue", "offers.csv").out
    assert shop("simulate", "--line", "MUG:none").code == 2
    assert "goes with --catalogue" in shop("replay", "orders.csv", "--catalogue-mapping", "offers.toml").out


def test_a_mapping_for_a_price_list_is_proposed(shop, tmp_path):
    (tmp_path / "list.csv").write_text("Item No,Your code,Unit price USD\nA-1,MUG,9.00\n")
    proposed = shop("catalogue", "new", "list.csv")
    assert 'sku = "Your code"' in proposed.out
    (tmp_path / "list.toml").write_text(proposed.out)
    done = shop("catalogue", "import", "list.csv", "--mapping", "list.toml", "--supplier", "Yiwu", "--json").json
    assert (done["added"], done["rejected"]) == (1, 0)


def test_what_looks_mistyped_is_asked_about(filled, tmp_path):
    (tmp_path / "more.csv").write_text("supplier,sku,price\nYiwu Hom,MUGG,1.00\nYiwu Hom,MUGG,2.00\n")
    said = filled("catalogue", "import", "more.csv", "--dry-run").out
    assert "the supplier Yiwu Hom is new here: is it Yiwu Home?" in said
    assert "no order has had these SKUs: MUGG (is it MUG?)" in said
    assert "2 prices without a currency, taken as CNY" in said
    assert "1 row of a product that its supplier has in an earlier row" in said
    said = filled("catalogue", "import", "more.csv", "--shop", "mian")
    assert (said.code, "did you mean main?" in said.out) == (2, True)
    assert filled("catalogue", "import", "more.csv", "--supplier", " ").code == 2


def test_what_an_import_changes_is_shown_as_it_was_and_is(filled, tmp_path):
    (tmp_path / "new.csv").write_text(OFFERS.replace("9.00", "8.50").replace("2d,US;BR", "3d,US"))
    said = filled("catalogue", "import", "new.csv").out
    assert "price, ships in, countries" in said
    assert "9.00 USD, 2d, US, BR" in said
    assert "8.50 USD, 3d, US" in said


def test_offers_whose_time_is_over_are_marked(filled, tmp_path):
    (tmp_path / "old.csv").write_text("supplier,sku,price,currency,from,until\nFoshan,MUG,1,USD,2025-01-01,2025-02-01\n")
    assert filled("catalogue", "import", "old.csv").code == 0
    assert "2025-01-01 – 2025-02-01 (over)" in filled("catalogue", "list", "--supplier", "Foshan").out
    assert "time is over, or has not come: Foshan: 1" in filled("catalogue", "check").out


def test_a_supplier_that_costs_too_much_is_named_with_the_sums(filled, tmp_path, monkeypatch):
    (tmp_path / "policy.toml").write_text('[supply]\nmax_extra_cost = "5%"\n')
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "policy.toml"))
    assert "passed over: Ningbo: it costs 24.00 USD, and 20.00 USD was paid" in filled("explain", "1").out
    assert "all others of the catalogue are passed over" in filled("explain", "2").out


def test_a_country_that_is_not_delivered_to_is_named(shop, tmp_path):
    (tmp_path / "us.csv").write_text("supplier,sku,countries\nYiwu,MUG,United States\nYiwu,LAMP,\n")
    assert shop("catalogue", "import", "us.csv").code == 0
    assert "passed over: Yiwu: it does not deliver MUG to FR" in shop("explain", "2").out
    assert "Yiwu: it does not deliver to its country" in shop("catalogue", "check").out


@pytest.fixture
def asked(filled, tmp_path, monkeypatch):
    """The shop with its catalogue, after a person was asked whether to order from Yiwu Home for 18.00 USD."""
    (tmp_path / "ask.toml").write_text('[effects.modes]\nplace_supply = "ask"\n[supply]\nchoose = "cheapest"\n')
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "ask.toml"))
    (tmp_path / "out.csv").write_text("id,placed_at,report_no_stock_at\n1,2025-03-03T09:00Z,2025-03-04T09:00Z\n")
    assert filled("import", "out.csv", "--urge-historical").code == 0
    return filled


def test_what_is_to_be_decided_is_said_with_its_price(asked):
    assert "order from Yiwu Home for 18.00 USD" in asked("today").out
    assert "Yiwu Home (18.00 USD)" in asked("decisions").out
    assert asked("decisions", "--json").json["decisions"][0]["cost"] == 1800
    assert ": order from Yiwu Home for 18.00 USD" in asked("decide", "1").out
    assert "causes place_supply: 18.00 USD, Yiwu Home" in asked("decide", "1", "yes", "--dry-run").out
    effect = next(one for one in asked("effects", "--json").json["effects"] if one["kind"] == "notify_merchant")
    assert "order from Yiwu Home for 18.00 USD" in asked("effects", "show", str(effect["id"])).out


def test_a_decision_on_a_catalogue_that_has_changed_says_so_before_it_is_made(asked, tmp_path, monkeypatch):
    (tmp_path / "dearer.csv").write_text("supplier,sku,price,currency\nYiwu Home,MUG,90.00,USD\n")
    assert asked("catalogue", "import", "dearer.csv", "--keep").code == 0
    changed = "the catalogue has changed: it would order from Ningbo for 24.00 USD (before: Yiwu Home for 18.00 USD)"
    tried = asked("decide", "1", "yes", "--dry-run").out
    assert f"{changed}: without --anyway it is refused" in tried
    refused = asked("decide", "1", "yes")
    assert (refused.code, f"{changed}; look at it again" in refused.out) == (1, True)
    monkeypatch.setattr("admin.commands.decide.on_terminal", lambda: True)
    seen = asked("decide", "1", "yes", typed="n\n").out
    assert changed in seen
    assert "refused" not in seen
    assert asked("decide", "1", "yes", typed="y\n").code == 0
    assert asked("show", "1", "--json").json["attempts"][-1]["supplier"] == "Ningbo"


def test_what_cannot_be_read_of_an_offer_leaves_what_is_known_of_it(filled, tmp_path):
    (tmp_path / "bad.csv").write_text(OFFERS.replace("USD,2d,", "USD,soon,").replace("https://example.com/yh1", "a b"))
    said = filled("catalogue", "import", "bad.csv", "--json").json
    assert (said["same"], said["changed"], len(said["left_out"])) == (3, 0, 2)
    (tmp_path / "bad.csv").write_text(OFFERS.replace("9.00,USD,2d,", "9.50,USD,soon,"))
    assert filled("catalogue", "import", "bad.csv", "--json").json["changed"] == 1
    offer = next(one for one in filled("catalogue", "list", "--json").json["offers"] if one["supplier"] == "Yiwu Home")
    assert (offer["price"], offer["handling_time"]) == (950, "2d")


def test_a_price_that_is_many_times_as_high_or_low_is_to_be_looked_at_twice(filled, tmp_path):
    (tmp_path / "slips.csv").write_text(OFFERS.replace("9.00", "0.90").replace("12.00", "36.00").replace("31.00", "62.00"))
    said = filled("catalogue", "import", "slips.csv", "--dry-run").out
    assert "Yiwu Home MUG (9.00 USD → 0.90 USD), Ningbo MUG (12.00 USD → 36.00 USD): is the new price meant?" in said
    jumps = filled("catalogue", "import", "slips.csv", "--dry-run", "--json").json["jumps"]
    assert {(one["sku"], one["was"], one["price"]) for one in jumps} == {("MUG", 1200, 3600), ("MUG", 900, 90)}
