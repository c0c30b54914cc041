"""claims, timers, simulate, export, erase, previews and the past, as a person types them."""

import json
import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint

import pytest

from tests.pictures import photo, video

NOW = datetime.now(UTC)


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


@pytest.fixture
def shop(run, tmp_path):
    head = "id,placed_at,supplier,route,currency,paid,sku,title,quantity,price,buyer_name,buyer_email,ship_at,deliver_at"
    rows = [
        f"1001,{ago(20)},Yiwu,domestic,CNY,55.60,LAMP,Desk lamp,1,25.90,Kim Lee,kim@example.com,{ago(19)},{ago(5)}",
        "1001,,,,,,MUG,Enamel mug,3,9.90,,,,",
        f"1002,{ago(1)},Hangzhou,domestic,CNY,25.90,LAMP,Desk lamp,1,25.90,Lee,lee@example.com,,",
        f"1003,{ago(1)},Yiwu,international,USD,25.90,LAMP,Desk lamp,1,25.90,Kim Lee,kim@example.com,,",
    ]
    (tmp_path / "shop.csv").write_text("\n".join((head, *rows)))
    assert run("import", "shop.csv").code == 0
    return run


@pytest.fixture
def claimed(shop, tmp_path):
    assert shop("report", "1001", "open_claim", "--kind", "damaged", "--lines", "MUG:2").code == 0
    photo(tmp_path / "photo.jpg", with_location=True)
    video(tmp_path / "clip.mp4")
    return shop


def test_a_claim_is_worked_from_its_opening_to_the_money(claimed, tmp_path):
    said = claimed("claims")
    assert "2 × Enamel mug" in said.out
    assert "evidence is awaited" in said.out
    assert "The customer has until" in claimed("explain", "1001").out
    said = claimed("claims", "evidence", "add", "1001", "photo.jpg", "clip.mp4", "--reason", "shards")
    assert "claim 1 has 2 more files" in said.out
    assert "the platform's verdict is awaited" in claimed("claims").out
    assert "The platform has until" in claimed("explain", "1001").out
    assert claimed("report", "1001", "approve").code == 0
    told = claimed("explain", "1001").out
    assert "You have until" in told
    assert "If nothing happens: a refund of 19.80 CNY is requested." in told
    assert "refund would ask for: 19.80 CNY" in claimed("claims", "preview", "1001").out
    tried = claimed("report", "1001", "choose_refund", "--dry-run").out
    assert "would be refunding" in tried
    assert "request_refund: 19.80 CNY" in tried
    assert claimed("claims", "show", "1001", "--json").json["state"] == "disputed"
    assert claimed("report", "1001", "choose_refund").code == 0
    assert "The platform has until" in claimed("explain", "1001").out
    assert claimed("report", "1001", "settle_refund").code == 0
    assert "refunded" in claimed("claims", "--status", "all").out
    assert claimed("claims", "--json").json["claims"] == []


def test_a_replacement_is_shown_with_its_family(claimed):
    claimed("claims", "evidence", "add", "1001", "photo.jpg")
    for words in (("approve",), ("choose_reissue",)):
        assert claimed("report", "1001", *words).code == 0
    assert "the replacement is awaited" in claimed("claims").out
    said = claimed("report", "1001", "confirm_reissue", "--new-order", "1001-R")
    assert "order main/1001-R is placed, with clocks of its own" in said.out
    assert "replaces 1001" in claimed("show", "1001-R").out
    assert "1001-R" in claimed("show", "1001").out
    assert "order main/1001-R" in claimed("claims", "show", "1001").out
    asked = claimed("undo", "1001", "--dry-run").out
    assert "Order main/1001-R would be closed, and no replacement of it." in asked
    assert "Order main/1001-R is closed, and no replacement of it." in claimed("undo", "1001").out
    assert "replaces" not in claimed("show", "1001-R").out
    assert "It was called off: the step that had placed it" in claimed("explain", "1001-R").out
    assert "by choose_reissue" not in claimed("explain", "1001").out.splitlines()[1], "it is disputed since the claim"
    assert "by undo" not in claimed("explain", "1001").out
    assert claimed("report", "1001", "confirm_reissue", "--new-order", "1001-S").code == 0


def test_the_page_of_a_claim_needs_no_other_file_and_shows_no_place(claimed, tmp_path):
    claimed("claims", "evidence", "add", "1001", "photo.jpg", "clip.mp4")
    assert "Wrote page.html: 2 files" in claimed("claims", "show", "1001", "--images", "page.html").out
    page = (tmp_path / "page.html").read_text()
    assert 'src="data:image/jpeg;base64,' in page
    assert "video/mp4" in page
    assert "http" not in page.replace("http-equiv", "")
    assert (tmp_path / "page.html").stat().st_mode & 0o077 == 0
    assert "exists already" in claimed("claims", "show", "1001", "--images", "page.html").out
    assert "cannot be written" in claimed("claims", "show", "1001", "--images", "no/page.html").out
    for path in (tmp_path / "evidence" / "shown").rglob("*"):
        if path.is_file():
            path.unlink()
    claimed("claims", "show", "1001", "--images", "again.html")
    assert "is missing from" in (tmp_path / "again.html").read_text()


def test_a_file_of_a_claim_is_saved_as_shown_or_as_it_came(claimed, tmp_path):
    claimed("claims", "evidence", "add", "1001", "photo.jpg")
    digest = claimed("claims", "show", "1001", "--json").json["claims"][0]["files"][0]["sha256"]
    assert "Saved shown.jpg" in claimed("claims", "evidence", "save", "1001", digest[:8], "shown.jpg").out
    assert claimed("claims", "evidence", "save", "1001", digest[:8], "original.jpg", "--original").code == 0
    assert (tmp_path / "original.jpg").read_bytes() == (tmp_path / "photo.jpg").read_bytes()
    assert (tmp_path / "shown.jpg").read_bytes() != (tmp_path / "photo.jpg").read_bytes()
    assert "exists already" in claimed("claims", "evidence", "save", "1001", digest[:8], "shown.jpg").out
    assert "no file of that order begins" in claimed("claims", "evidence", "save", "1001", "zz", "x.jpg").out
    assert "cannot be written" in claimed("claims", "evidence", "save", "1001", digest[:8], "no/x.jpg").out


def test_what_cannot_be_done_with_claims_is_said(shop, tmp_path):
    assert "has no claims" in shop("claims", "show", "1002").out
    assert "has no open claim" in shop("claims", "preview", "1001").out
    assert "does not exist" in shop("claims", "evidence", "add", "1001", "none.jpg").out
    assert "was not applied" in shop("claims", "evidence", "add", "1001", str(photo(tmp_path / "a.jpg"))).out
    assert "fewer pieces are left" in shop("report", "1001", "open_claim", "--kind", "wrong", "--lines", "MUG:9").out
    assert "has no such line" in shop("report", "1001", "open_claim", "--kind", "wrong", "--lines", "VASE:1").out
    assert "is not a line and a quantity" in shop("report", "1001", "open_claim", "--kind", "wrong", "--lines", "MUG").out
    assert "did you mean damaged" in shop("report", "1001", "open_claim", "--kind", "damagd").out


def test_a_preview_of_an_order_without_prices_says_that_a_person_names_the_sum(shop, tmp_path):
    (tmp_path / "bare.csv").write_text(f"id,placed_at,paid,sku,quantity,ship_at\n2001,{ago(9)},30,A,2,{ago(8)}\n2001,,,B,1,\n")
    assert shop("import", "bare.csv").code == 0
    shop("report", "2001", "deliver")
    shop("report", "2001", "open_claim", "--kind", "missing", "--lines", "B:1")
    assert "a person names the sum" in shop("claims", "preview", "2001").out
    assert shop("claims", "preview", "2001", "--json").json["worth"] == "not known"


# --- timers ---


def test_timers_are_moved_one_by_one_and_in_bulk(shop):
    assert "1002#1" in shop("timers", "--trigger", "urge").out
    assert "would be shifted" in shop("timers", "shift", "--by", "3d", "--trigger", "urge", "--dry-run").out
    assert "2 timers shifted" in shop("timers", "shift", "--by", "3d", "--trigger", "urge", "--reason", "holiday").out
    assert "1 timer paused" in shop("timers", "pause", "1002#1").out
    assert "paused by person:" in shop("timers", "--order", "1002").out
    assert "paused by person:" in shop("explain", "1002").out
    assert "left alone" in shop("timers", "pause", "1002#1").out
    assert "1 timer resumed" in shop("timers", "resume", "1002#1").out
    assert "1 timer postponed" in shop("timers", "postpone", "1002#1", "--until", "9d").out
    assert "moved from" in shop("explain", "1002").out
    assert "1 timer fired" in shop("timers", "fire", "1002#1").out
    assert "overdue_urged" in shop("orders", "--text", "1002").out
    assert "1 timer cancelled" in shop("timers", "cancel", "--order", "1003").out
    assert "nothing fires by itself" in shop("explain", "1003").out
    assert "due at once: 1" in shop("timers", "shift", "--by", "-99d", "--order", "1002").out


def test_mistakes_with_timers_are_said(shop):
    assert "Name timers as ORDER#NUMBER" in shop("timers", "pause").out
    assert "is not a timer" in shop("timers", "pause", "1002").out
    assert "there is no order" in shop("timers", "pause", "9#1").out
    assert "that instant is past" in shop("timers", "postpone", "1002#1", "--until", "2020-01-01").out
    assert "is not a span of time" in shop("timers", "shift", "--all", "--by", "soon").out
    assert "is not a span of time" in shop("timers", "shift", "--all", "--by", "15wd").out
    assert "1002#99 does not run" in shop("timers", "pause", "1002#99").out
    assert "No running timers are meant" in shop("timers", "pause", "--trigger", "close", "--order", "1002").out


def test_a_changed_policy_is_shown_tried_and_taken(shop, tmp_path):
    (tmp_path / "policy.toml").write_text('[[overrides]]\nsupplier = "Hangzhou"\noverdue.urge_after = "5d"\n')
    (tmp_path / "aftersales.toml").write_text("policy = 'policy.toml'\n")
    assert "no errors" in shop("policy", "check").out
    assert "would be retimed" in shop("policy", "retime", "--all", "--dry-run").out
    assert "1 timer retimed" in shop("policy", "retime", "--supplier", "Hangzhou").out
    assert "overdue.urge_after = 5d (overrides 1: supplier Hangzhou)" in shop("explain", "1002").out
    assert "overdue.urge_after = 2d" in shop("explain", "1003").out


# --- simulate, the past, previews, export, erase ---


def test_a_simulation_is_printed_as_a_timeline(run, tmp_path):
    said = run(
        "simulate", "--route", "domestic", "--alternatives", "B;C", "--placed-at", "2025-03-03T09:00:00Z", "--days", "10"
    )
    assert "⏰ reroute" in said.out
    assert "place_supply (B), recover_supply" in said.out
    assert "then: 2025-03-15 09:00:00" in said.out
    (tmp_path / "s.toml").write_text('days = 9\n[order]\nroute = "domestic"\n[[report]]\ntrigger = "cancel"\nafter = "1d"\n')
    told = run("simulate", "s.toml", "--report", "ship@2d", "--json").json
    assert [one["trigger"] for one in told["timeline"]] == ["place", "cancel", "ship", "fail_interception"]
    assert run("simulate", "s.toml", "--report", "shp@2d").code == 2
    refused = run("simulate", "--route", "international", "--report", "cancel@1d", "--days", "1")
    assert "cancel is not taken: only a domestic order" in refused.out
    steps = "ship@1d deliver@2d open_claim@3d,kind=damaged submit_evidence@4d approve@5d"
    steps += " choose_reissue@6d confirm_reissue@7d,new_order=9"
    words = [word for step in steps.split() for word in ("--report", step.replace(",", " "))]
    assert "Order main/9 is placed" in run("simulate", *words, "--days", "8", "--paid", "5").out


def test_an_order_is_shown_as_it_was(shop):
    assert "1001 was delivered" in shop("show", "1001", "--as-of", ago(4), "--occurred").out
    assert "1001 was shipped" in shop("show", "1001", "--as-of", ago(9), "--occurred").out
    assert "was not known" in shop("show", "1001", "--as-of", ago(4)).out
    assert "had not been placed" in shop("show", "1001", "--as-of", ago(30), "--occurred").out
    assert "--occurred needs --as-of" in shop("show", "1001", "--occurred").out
    ahead = (NOW + timedelta(hours=1)).isoformat()
    assert shop("show", "1001", "--as-of", ahead, "--json").json["exact"] is True


def test_a_message_is_read_before_it_leaves(shop):
    shop("report", "1002", "report_oversized", "--reason", "over 30 kg", "--now")
    effects = shop("effects", "--json").json["effects"]
    assert "25.90 CNY" in shop("effects").out
    said = shop("effects", "show", str(effects[0]["id"]))
    assert "please refund order main/1002: 25.90 CNY" in said.out
    assert "not written yet" in said.out
    shop("effects", "approve", "--all")
    shop("once")
    assert "(sent)" in shop("effects", "show", str(effects[0]["id"])).out
    assert "there is no effect 99" in shop("effects", "show", "99").out


def test_a_dropped_message_is_not_said_to_be_written_still(shop):
    shop("report", "1002", "report_oversized", "--reason", "over 30 kg")
    number = str(shop("effects", "--json").json["effects"][0]["id"])
    shop("effects", "drop", number)
    said = shop("effects", "show", number).out
    assert "never written" in said
    assert "not written yet" not in said
    again = shop("effects", "drop", number).out
    assert f"Effect {number} is dropped; drop takes those that are held, asked, waits, ready, written, dead, parked." in again
    assert "0 dropped; 1 skipped (wrong status)." in again


def test_a_timer_that_was_moved_and_moved_back_is_not_said_to_be_moved(shop):
    timer = shop("timers", "--order", "1001", "--json").json["timers"][0]
    name, due = f"1001#{timer['number']}", timer["due_at"]
    later = (NOW + timedelta(days=30)).isoformat()
    shop("timers", "postpone", name, "--until", later)
    assert "moved from" in shop("explain", "1001").out
    as_shown = datetime.fromisoformat(due).replace(microsecond=0).isoformat()
    shop("timers", "postpone", name, "--until", as_shown)
    assert "moved from" not in shop("explain", "1001").out


def test_a_message_without_an_address_cannot_be_shown_and_says_why(shop, tmp_path):
    (tmp_path / "policy.toml").write_text("[effects]\ndefault_channels = ['email']\n")
    (tmp_path / "aftersales.toml").write_text("policy = 'policy.toml'\n")
    shop("report", "1002", "report_oversized")
    assert "no email address of the platform" in shop("effects", "show", "1").out


def test_histories_are_exported_as_csv_and_as_an_event_log(shop, tmp_path):
    assert "Wrote 5 rows to h.csv" in shop("export", "h.csv").out
    assert (tmp_path / "h.csv").read_text().startswith("order,sequence,trigger,source,target,occurred,")
    assert "case,activity,timestamp,resource" in shop("export", "--format", "events", "--order", "1001").out
    assert "exists already" in shop("export", "h.csv").out
    assert "cannot be written" in shop("export", "no/h.csv").out


def test_a_buyer_is_erased_after_a_question(claimed):
    claimed("claims", "evidence", "add", "1001", "photo.jpg")
    assert "Name the buyer" in claimed("erase").out
    assert "No order has that buyer" in claimed("erase", "--buyer", "nobody").out
    assert "kim@example.com" in claimed("erase", "--buyer", "kim@example.com", "--dry-run").out
    assert "Aborted" in claimed("erase", "--buyer", "kim@example.com").out
    said = claimed("erase", "--order", "1001", "--yes")
    assert "Erased the buyer of 2 orders" in said.out
    assert "Kim Lee" not in claimed("show", "1001").out + claimed("show", "1003").out
    digest = claimed("claims", "show", "1001", "--json").json["claims"][0]["files"][0]["sha256"]
    assert "erased with its buyer" in claimed("claims", "evidence", "save", "1001", digest, "x.jpg").out
    assert "erased" in claimed("claims", "show", "1001").out
    assert claimed("audit").code == 0
    assert claimed("import", "shop.csv").code == 0


def test_an_erasure_that_leaves_traces_behind_says_so(claimed, tmp_path):
    from storage.database import Database

    reader = Database("sqlite:///aftersales.db")
    with reader.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM orders").one()
        claimed("report", "1002", "note_transit")
        said = claimed("erase", "--buyer", "lee@example.com", "--yes")
    reader.close()
    assert said.code == 1
    assert "Not yet:" in said.out
    assert json.loads(claimed("orders", "--json").out)
    assert claimed("erase", "--order", "1002", "--yes").code == 0


def test_a_refund_that_comes_in_parts_says_what_is_missing_and_more_than_was_asked_for_is_asked_about(claimed):
    claimed("claims", "evidence", "add", "1001", "photo.jpg")
    for trigger in ("approve", "choose_refund"):
        assert claimed("report", "1001", trigger).code == 0
    more = claimed("report", "1001", "settle_refund", "--amount", "25")
    assert (more.code, "that is more than was asked for: say `more`" in more.out) == (1, True)
    assert "15.80 CNY are still missing" in claimed("report", "1001", "settle_refund", "--amount", "4").out
    last = claimed("report", "1001", "settle_refund", "--amount", "15", "--final")
    assert (last.code, "0.80 CNY are declined" in last.out) == (0, True)
    wrong = claimed("report", "1001", "correct_settlement", "--row", "1", "--amount", "9", "--reason", "mistyped")
    assert "is refunding after correct_settlement" in wrong.out


def test_explain_says_how_an_order_has_ended_who_decided_and_what_came(claimed):
    claimed("claims", "evidence", "add", "1001", "photo.jpg")
    assert claimed("report", "1001", "reject").code == 0
    assert claimed("undo", "1001").code == 0
    for words in (("approve",), ("choose_refund",), ("settle_refund", "--amount", "9.00", "--final")):
        assert claimed("report", "1001", *words).code == 0
    told = claimed("explain", "1001").out
    led = told[told.index("How it came to this:") : told.index("Money of")]
    assert [line.split("UTC  ")[1].split(":")[0] for line in led.splitlines()[1:]] == [
        *("placed", "shipped", "delivered", "disputed", "refunding", "refunded")
    ]
    assert "disputed: open_claim by person:" in led
    assert "reject" not in led, "it was taken back"
    assert "Money of the platform: 9.00 CNY has come, 10.80 CNY was declined." in told
    as_json = claimed("explain", "1001", "--json").json
    assert [row["target"] for row in as_json["led"]][-1] == "refunded"
    assert as_json["money"] == [{"party": "the platform", "came": 900, "missing": 0, "declined": 1080}]


def test_explain_of_an_order_that_goes_on_says_what_is_asked_for(claimed):
    assert "How it came to this" not in claimed("explain", "1001").out
    assert claimed("report", "1003", "report_no_stock").code == 0
    assert " is asked for." in claimed("explain", "1003").out


def test_a_timer_that_waits_for_a_dispute_is_not_said_to_be_due_at_once(claimed):
    said = claimed("timers", "shift", "--by", "-40d", "--trigger", "close")
    assert "waits, " in said.out
    assert "due at once" not in said.out


@pytest.mark.parametrize("word", ["abc", "0", "-1", "9" * 5000, "9223372036854775808"])
def test_what_is_no_id_is_said_in_words_of_ours(shop, word):
    said = shop("effects", "approve", "--", word)
    assert said.code == 2
    assert "is not an id: write a number, as the list shows it" in said.out


def test_who_goes_live_is_told_of_what_waits_for_a_decision(run, asking, tmp_path):
    (tmp_path / "out.csv").write_text(
        "id,placed_at,supplier,alternatives,route,currency,report_no_stock_at\n"
        "7,2025-03-03T09:00:00Z,Yiwu,Ningbo,domestic,CNY,2025-03-04T09:00:00Z\n"
    )
    run("db", "upgrade")
    assert (
        "1 report to be decided by you: aftersales decisions" in run("import", "out.csv", "--observe", "--urge-historical").out
    )
    assert "1 step of theirs to be decided by you: aftersales decisions" in run("observe", "end").out


def test_a_shop_goes_live_after_it_was_shown_what_will_leave(run, asking):
    run("db", "upgrade")
    assert "Nothing is held" in run("observe", "end").out
    run("import", "orders.csv", "--observe", "--urge-historical")
    assert run("once").code == 0
    assert "aftersales observe end" in run("check").out
    assert "It is observed" in run("explain", "1001").out
    shown = run("observe", "end")
    assert (shown.code, "3 orders observed. Of their held effects" in shown.out) == (1, True), "nobody has answered"
    assert "will leave: 2 customs_reminder, 2 urge_supplier" in shown.out
    assert run("effects", "--status", "ready", "--json").json["effects"] == []
    assert "no order is of the shop 'man'; did you mean main?" in run("observe", "end", "--shop", "man").out
    assert "3 orders observed no more." in run("observe", "end", "--yes").out
    assert "Nothing is held" in run("observe", "end").out
    assert run("effects", "--status", "held", "--json").json["effects"] == []
    assert "will leave" not in run("check").out


def plan_in(said):
    return re.search(r"Plan (\S+):", said.out)[1]


@pytest.mark.parametrize(
    "words",
    [("shift", "--by", "1d"), ("postpone", "--until", "900d"), ("pause",), ("fire",)],
)
def test_what_a_preview_has_shown_is_done(shop, words):
    plan = plan_in(shop("timers", *words, "--trigger", "urge", "--dry-run"))
    done = shop("timers", *words, "--trigger", "urge", "--plan", plan)
    assert done.code == 0, done.out
    assert "would" not in done.out


def test_what_a_preview_has_shown_is_done_or_nothing(shop):
    plan = plan_in(shop("timers", "shift", "--by", "1d", "--trigger", "urge", "--dry-run"))
    before = shop("timers", "--trigger", "urge", "--json").json
    other = shop("timers", "shift", "--by", "2d", "--trigger", "urge", "--plan", plan)
    assert (other.code, "does not fit any more, and nothing was changed: look again with --dry-run" in other.out) == (2, True)
    assert shop("timers", "--trigger", "urge", "--json").json == before
    shop("report", "1002", "ship")
    gone = shop("timers", "shift", "--by", "1d", "--trigger", "urge", "--plan", plan)
    assert (gone.code, "nothing was changed" in gone.out) == (2, True)
    wrong = shop("timers", "shift", "--by", "1d", "--all", "--plan", "nonsense")
    assert (wrong.code, "'nonsense' is not the name of a plan: --dry-run prints one" in wrong.out) == (2, True)
    both = shop("timers", "shift", "--by", "1d", "--all", "--plan", plan, "--dry-run")
    assert (both.code, "it goes with neither --dry-run nor --operation" in both.out) == (2, True)


def test_the_effects_that_a_preview_has_shown_are_decided_on_or_none(shop):
    assert shop("report", "1002", "report_oversized").code == 0
    plan = plan_in(shop("effects", "drop", "--kind", "request_refund", "--dry-run"))
    assert shop("effects", "drop", "--kind", "request_refund", "--plan", plan).out == "1 dropped.\n"
    again = shop("effects", "drop", "--kind", "request_refund", "--plan", plan)
    assert (again.code, "does not fit any more" in again.out) == (2, True)


def test_letters_are_looked_at_before_one_leaves(run, tmp_path, monkeypatch):
    said = run("effects", "preview", "notify_merchant", "--about", "approve").out
    assert said.startswith("notify_merchant, after approve\nNews of order main/1003\n")
    assert "aftersales report main/1003 choose_refund" in said
    assert "<pre" in run("effects", "preview", "escalate", "--html").out
    assert "2 orders" in run("effects", "preview", "recover_supply", "--about", "reroute", "--orders", "2").out
    assert "请" in run("effects", "preview", "urge_supplier", "--language", "zh").out
    wrong = run("effects", "preview", "urge_supplier", "--about", "ship")
    assert (wrong.code, "ship brings no urge_supplier about: urge do" in wrong.out) == (2, True)
    (tmp_path / "texts" / "en").mkdir(parents=True)
    (tmp_path / "texts" / "en" / "urge_supplier.txt").write_text("Mine\n\n{{ numbr }}")
    monkeypatch.setenv("AFTERSALES_TEMPLATES", str(tmp_path / "texts"))
    assert "Mine" in run("effects", "preview", "urge_supplier").out
    found = run("check").out
    assert "speaks of numbr, which no letter has; did you mean number?" in " ".join(found.split())
    assert "A031" in found


class Pigeon:
    """A channel of a package."""

    def __init__(self, values):
        self.to = values["to"]

    def send(self, message):
        raise AssertionError("nothing is sent here")


def test_a_package_adds_channels_that_the_settings_set_up(run, tmp_path, monkeypatch):
    found = EntryPoint("pigeon", f"{__name__}:Pigeon", "aftersales.channels")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [found] if group == "aftersales.channels" else [])
    (tmp_path / "policy.toml").write_text("[effects]\ndefault_channels = ['pigeon.home']\n")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "policy.toml"))
    assert "the settings have no [channels.pigeon.home]" in run("check").out
    (tmp_path / "aftersales.toml").write_text("[channels.pigeon.home]\nto = 'Yiwu'\n")
    assert "A032" not in run("check").out
    (tmp_path / "aftersales.toml").write_text("[channels.pigeon.home]\nfrom = 'Yiwu'\n")
    assert "[channels.pigeon.home] cannot be set up: KeyError: 'to'" in run("check").out
    (tmp_path / "aftersales.toml").write_text("[channels.pigon.home]\nto = 'Yiwu'\n")
    assert "[channels.pigon]: no installed package adds such channels; did you mean pigeon?" in run("check").out


def test_a_webhook_is_set_up_under_the_name_that_the_policy_has(run, tmp_path, monkeypatch):
    (tmp_path / "policy.toml").write_text("[effects]\ndefault_channels = ['webhook.erp']\n")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "policy.toml"))
    assert "the policy sends through webhook.erp, and the settings have no [webhooks.erp]" in run("check").out
    hook = '[webhooks.erp]\nurl = "https://hooks.example.com/a"\nsecrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]\n'
    (tmp_path / "aftersales.toml").write_text(hook)
    assert "A032" not in run("check").out
    (tmp_path / "aftersales.toml").write_text(hook.replace("https://", "http://"))
    assert "[webhooks.erp] of the settings: 'http://hooks.example.com/a' is not encrypted" in run("check").out
    (tmp_path / "aftersales.toml").write_text(hook.replace("secrets", "secret"))
    said = run("check").out
    assert "webhooks.erp.secret" in said
    assert "did you mean secrets?" in said


def test_a_test_mail_is_sent_step_by_step(run, tmp_path, mailbox):
    assert "no SMTP server is set up" in run("check", "--mail", "me@example.com").out
    smtp = f'[smtp]\nhost = "127.0.0.1"\nport = {mailbox.server.port}\n'
    (tmp_path / "aftersales.toml").write_text(smtp + 'security = "none"\n')
    said = run("check", "--mail", "me@example.com")
    assert said.code == 0
    assert said.out.endswith("hand over a mail from aftersales@localhost to me@example.com: done\n")
    assert mailbox.mails[0].rcpt_tos == ["me@example.com"]
    mailbox.answer = "554 spam"
    refused = run("check", "--mail", "me@example.com")
    assert (refused.code, "failed: the server refused it: 554 spam" in refused.out) == (1, True)
    (tmp_path / "aftersales.toml").write_text(smtp)
    steps = run("check", "--mail", "me@example.com", "--json").json
    assert [one["error"] is None for one in steps] == [True, True, False]
    assert "STARTTLS" in steps[-1]["error"]
    (tmp_path / "aftersales.toml").write_text('[smtp]\nhost = "mail.invalid"\n')
    assert run("check", "--mail", "me@example.com").out.startswith("look up mail.invalid: failed: ")
    assert "is not an email address" in run("check", "--mail", "me").out


def test_why_messages_fail_is_said_where_one_looks(run, tmp_path, monkeypatch):
    (tmp_path / "policy.toml").write_text(
        "[effects]\ndefault_channels = ['email']\n[contacts.suppliers]\nYiwu = 'y@example.com'\n"
        "[contacts]\nmerchant = 'm@example.com'\n"
    )
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "policy.toml"))
    (tmp_path / "aftersales.toml").write_text('[smtp]\nhost = "mail.invalid"\n')
    assert run("import", "orders.csv", "--urge-historical").code == 3
    said = run("once").out
    assert "mail.invalid:587 cannot be reached" in said
    for words in (("check",), ("today",)):
        assert "mail.invalid:587 cannot be reached" in run(*words).out, words
    effect = run("effects", "--kind", "urge_supplier", "--json").json["effects"][0]
    shown = run("effects", "show", str(effect["id"])).out
    assert "waiting after 1 try: mail.invalid:587 cannot be reached" in shown
    assert "; again 20" in shown
