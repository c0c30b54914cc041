"""The inbox as a person sees it: what waits, what was taken in, what was rejected, and what to do."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

HEADER = "id,placed_at,supplier,currency,paid,sku,quantity\n"
GOOD = f"{HEADER}1001,2025-03-03T09:00:00Z,Yiwu,CNY,25.90,LAMP,1\n"
PARTLY = f"{GOOD}1002,yesterday,Yiwu,CNY,25.90,LAMP,1\n"


@pytest.fixture
def settings(run):
    """Write settings with an inbox, whose files need no rest; return what adds to them."""
    Path("inbox").mkdir()

    def write(more=""):
        Path("aftersales.toml").write_text(f'time_zone = "UTC"\n[inbox]\nfolder = "inbox"\nat_rest_seconds = 0\n{more}')

    write()
    run("db", "upgrade")
    return write


def put(name, text):
    Path("inbox", name).write_text(text)


def test_a_pass_takes_in_what_waits_and_says_so(run, settings):
    put("orders.csv", GOOD)
    put("bad.csv", PARTLY.replace("1001", "1003"))
    assert f"2 files wait in {Path('inbox').resolve()}." in run("inbox").out
    assert "No file was taken in yet." in run("inbox").out
    once = run("once")
    said = once.out
    assert once.code == 3
    assert "Took in 2 files (1 rejected, whole or in part: aftersales inbox)." in said
    listed = run("inbox").out
    assert f"Nothing waits in {Path('inbox').resolve()}." in listed
    assert "orders 1, new 1, historical 1, rejected 0" in listed
    assert "bad.csv" not in run("inbox", "--status", "done").out
    assert len(run("inbox", "--json").json["files"]) == 2
    assert "Took in" not in run("once").out


def test_a_rejected_file_is_shown_with_what_to_do_and_closed(run, settings):
    put("orders.csv", PARTLY)
    run("once")
    shown = run("inbox", "show", "1").out
    assert "orders.csv: rejected" in shown
    assert "by the program's own column names" in shown
    assert "'yesterday' is not a time" in shown
    assert "It lies in inbox/rejected/orders.csv, with its report." in shown
    assert "aftersales inbox close 1 NOTE" in shown
    assert run("inbox", "show", "1", "--json").json["counts"]["orders"] == 1
    assert "orders.csv: was not taken in whole: 1 row rejected" in run("today").out
    assert "A030" in run("check").out
    assert run("inbox", "close", "1", "entered by hand").out == "Closed.\n"
    assert "Settled by person:" in run("inbox", "show", "1").out
    assert "settled" in run("inbox").out
    assert "A030" not in run("check").out
    assert "orders.csv is settled" in run("inbox", "close", "1", "again").out
    assert "no file of the inbox has the id 7" in run("inbox", "show", "7").out


def test_a_file_that_could_not_be_read_is_to_be_mended_itself(run, settings):
    put("strange.txt", "hello\n")
    run("once")
    assert "Mend it, or the mapping of its pattern, and move it from there into inbox" in run("inbox", "show", "1").out


def test_files_are_read_by_the_mapping_of_their_pattern(run, settings):
    Path("shop.toml").write_text('time_zone = "UTC"\n[order]\nid = "No"\nplaced_at = "Date"\ncurrency = { value = "CNY" }\n')
    settings('[[inbox.files]]\npattern = "shop-*.csv"\nmapping = "shop.toml"\n')
    put("shop-1.csv", "No,Date\n1001,2025-03-03\n")
    run("once")
    assert "by shop.toml" in run("inbox", "show", "1").out


def test_a_ready_mapping_is_taken_by_name(run, settings):
    settings('[[inbox.files]]\npattern = "*.csv"\nmapping = "shopify-csv"\n')
    assert run("inbox").code == 0
    settings('[[inbox.files]]\npattern = "*.csv"\nmapping = "shopify-cvs"\n')
    assert "did you mean shopify-csv" in run("once").out
    assert "A029" in run("check").out


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[[inbox.files]]\npatern = "*.csv"\n', "inbox.files.0.patern .*did you mean pattern"),
        ("[[inbox.files]]\nmapping = 'x.toml'\n", "inbox.files.0.pattern .*Field required"),
        ("files = 3\n", r"inbox\.files"),
        ("folde = 'x'\n", r"inbox\.folde .*did you mean folder"),
    ],
)
def test_settings_of_the_inbox_that_are_wrong_are_named(run, settings, more, why):
    settings(more)
    assert re.search(why, run("inbox").out)


def test_what_keeps_files_from_being_taken_in_is_said(run, settings):
    Path("shop.toml").write_text("[order\n")
    settings('[[inbox.files]]\npattern = "*.csv"\nmapping = "shop.toml"\n')
    put("orders.csv", GOOD)
    assert "files that fit *.csv wait until their mapping can be read" in run("inbox").out
    assert "A029" in run("check").out
    assert run("inbox", "--json").json["problems"]
    said = run("today").out
    assert ": the inbox needs you.\n" in said
    assert "The inbox: files that fit *.csv wait until their mapping can be read" in said
    assert run("today", "--json").json["inbox"]
    said = run("once")
    assert (said.code, "Took in" in said.out) == (1, False)
    assert "The inbox: orders.csv waits" in said.out


@pytest.mark.parametrize("folder", [".", ""])
def test_an_inbox_that_holds_the_programs_own_files_is_refused(run, settings, folder):
    Path("aftersales.toml").write_text(f'[inbox]\nfolder = "{folder}"\n')
    for command in ("once", "inbox"):
        assert re.search("lies in the inbox .*: give .inbox. a folder of its own", run(command).out)
    assert "A029" in run("check").out
    Path("mapping.toml").write_text("[order]\n")
    os.rename("mapping.toml", "inbox/mapping.toml")
    settings('[[inbox.files]]\npattern = "*.csv"\nmapping = "inbox/mapping.toml"\n')
    assert "mapping.toml lies in the inbox" in run("once").out


def test_what_a_price_list_has_changed_is_shown(run, settings):
    put("orders.csv", GOOD)
    put("prices.csv", "supplier,sku,price,currency\nYiwu,LAMP,10.00,CNY\nYivu,MUG,1.00,CNY\n")
    run("once")
    assert "(look twice)" in run("inbox").out
    shown = run("inbox", "show", "2").out
    assert "added: Yiwu LAMP 10.00 CNY" in shown
    assert "the supplier Yivu is new here: is it Yiwu?" in shown
    put("prices.csv", "supplier,sku,price,currency\nYiwu,LAMP,cheap,CNY\n")
    run("once")
    assert "Mend the whole list" in run("inbox", "show", "3").out


def test_a_buyer_who_is_erased_is_not_quoted_any_more(run, settings):
    header = "id,placed_at,currency,buyer_email,buyer_name,paid\n"
    put("orders.csv", f"{header}1001,2025-03-03T09:00:00Z,CNY,jane@example.com,Jane Doe,1\n1002,Jane Doe,CNY,,,1\n")
    run("once")
    assert "Jane Doe" in run("inbox", "show", "1").out
    said = run("erase", "--buyer", "jane@example.com", "--yes").out
    assert "Files in inbox, and their reports, are not touched" in said
    assert "Jane Doe" not in run("inbox", "show", "1").out


def test_files_that_wait_for_long_are_said_to(run, settings, monkeypatch):
    put("orders.csv", GOOD)
    monkeypatch.setattr("admin.commands.check.WAITS_LONG", -timedelta(days=1))
    assert "1 file has been waiting in inbox for more than ten minutes" in run("check").out


def test_an_inbox_that_is_missing_is_said_to_be(run, settings):
    os.rename("inbox", "elsewhere")
    assert "the inbox inbox is missing: make the folder" in run("check").out
    assert "the inbox inbox is missing" in run("inbox").out


def test_without_an_inbox_its_list_says_how_to_have_one(run):
    run("db", "upgrade")
    assert "[inbox] folder in the settings names the folder" in run("inbox").out
    assert json.loads(run("inbox", "--json").out) == {"problems": [], "waiting": [], "files": []}
