import stat
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from admin.commands.claims import OF_ONE_ORDER
from admin.commands.effects import DECISIONS
from admin.commands.timers import CHANGES
from admin.main import COMMANDS
from storage.database import Database
from workflow.reports import FIELDS, MEANINGS


@pytest.fixture
def shop(run):
    assert run("import", "orders.csv", "--urge-historical").code == 3
    return run


def test_every_command_explains_itself(run):
    assert all(name in run("--help").out for name in COMMANDS)
    for name in COMMANDS:
        assert run(name, "--help").code == 0


@pytest.mark.parametrize(("group", "commands"), [("timers", CHANGES), ("effects", DECISIONS), ("claims", OF_ONE_ORDER)])
def test_every_command_of_a_group_explains_itself(run, group, commands):
    listed = " ".join(run(group, "--help").out.split())
    for name, what in commands.items():
        assert name in listed
        assert what in listed
        assert run(group, name, "--help").code == 0


@pytest.mark.parametrize(("typed", "meant"), [(("ordrs",), "orders"), (("timers", "pospone"), "postpone")])
def test_a_mistyped_command_gets_a_suggestion(run, typed, meant):
    said = run(*typed)
    assert said.code == 2
    assert f"did you mean {meant}?" in said.out


def test_an_import_lists_what_it_did_not_take_and_a_second_one_changes_nothing(run):
    said = run("import", "orders.csv")
    assert said.code == 3
    assert "3 orders are historical: nobody is urged, chased or asked for money" in said.out
    assert "is not an ISO 4217 currency code" in said.out
    assert "'yesterday' is not a time" in said.out
    again = run("import", "orders.csv", "--json")
    assert again.code == 3
    assert (again.json["new"], again.json["unchanged"], again.json["reported"]) == (0, 3, {})
    assert [one["line"] for one in again.json["rejections"]] == [4, 6]


def test_what_an_import_did_not_take_is_written_to_a_file_that_is_mended_and_imported_alone(run, tmp_path):
    said = run("import", "orders.csv", "--rejected", "mend.csv")
    assert said.code == 3
    assert "2 rows written to mend.csv: mend them there, and import that file" in " ".join(said.out.split())
    assert "is there already" in run("import", "orders.csv", "--rejected", "mend.csv").out
    mended = (tmp_path / "mend.csv").read_text("utf-8-sig").replace("QQQ", "CNY").replace("yesterday", "2025-03-03T09:00:00Z")
    (tmp_path / "mend.csv").write_text(mended)
    said = run("import", "mend.csv", "--rejected", "again.csv", "--json")
    assert (said.code, said.json["new"], said.json["rejected"]) == (0, 2, 0)
    assert not (tmp_path / "again.csv").exists()


def test_an_order_whose_shipping_date_cannot_be_read_needs_a_person(run, tmp_path):
    (tmp_path / "f.csv").write_text("id,placed_at,ship_at\n1,2026-11-20T09:00Z,31.02.2026\n")
    said = run("import", "f.csv")
    assert "1 order with reports that cannot be read: neither urged nor ordered elsewhere" in " ".join(said.out.split())
    assert "--rejected FILE writes these orders' rows" in " ".join(said.out.split())
    assert "Needs a person: a report of it in a file cannot be read" in run("explain", "1").out
    assert "report_unread" in run("orders", "--attention").out
    assert "urge" not in run("once", "--json").out
    assert run("resolve", "1", "it was not shipped").out == "1 flag resolved: report_unread.\n"


def test_the_database_is_readable_by_its_owner_alone(shop, tmp_path):
    assert stat.S_IMODE((tmp_path / "aftersales.db").stat().st_mode) == 0o600


def test_orders_show_and_explain_tell_the_story(shop):
    assert {row["number"] for row in shop("orders", "--json").json["orders"]} == {"1001", "1002", "1004"}
    assert "customs_hold" in shop("orders", "--state", "customs_hold").out
    assert shop("show", "main/1002", "--json").json["history"][-1]["trigger"] == "hold"
    assert "Not shown: attempts 1, " in shop("show", "1002").out
    assert "Attempts" in shop("show", "1002", "--all").out
    told = shop("explain", "1002")
    for words in ("is customs_hold: held by customs", "Next:", "remind_customs", "counts from", "You may report", "release"):
        assert words in told.out
    for words in ("settle_recovery",):  # nothing is owed
        assert words not in told.out
    assert shop("explain", "1002", "--json").json["timers"][0]["trigger"] == "remind_customs"
    missing = shop("explain", "9")
    assert (missing.code, "there is no order '9'" in missing.out) == (1, True)


def test_a_person_reports_and_is_told_why_not(shop):
    said = shop("report", "1001", "ship", "--carrier", "Yanwen", "--at", "2025-03-05T09:00:00Z")
    assert (said.code, "is shipped after ship" in said.out) == (0, True)
    assert "reported before" in shop("report", "1001", "ship", "--at", "2025-03-05T09:00:00Z").out
    refused = shop("report", "1001", "release")
    assert refused.code == 1
    assert "Order main/1001 is shipped; release was not applied" in refused.out
    assert shop("report", "1001", "shipp").code == 2
    assert shop("report", "1001", "override", "--to", "shiped", "--reason", "x").code == 2
    assert "did you mean" in shop("report", "1001", "override", "--to", "shiped", "--reason", "x").out
    cancelled = shop("report", "1002", "cancel", "--reason", "too late")
    assert (cancelled.code, "it is not allowed" in cancelled.out) == (1, True)
    reports = shop("show", "1001", "--json").json["reports"]
    assert [(row["trigger"], row["verdict"]) for row in reports][-1] == ("release", "refused")


def test_a_person_is_told_what_waits_what_was_cut_and_what_was_taken_otherwise(shop):
    assert "1 row shown: --limit 10 shows more, the next page is:\n  --after " in shop("orders", "--limit", "1").out
    mistyped = shop("report", "1004", "ship", "--at", "2025-01-01")
    assert (mistyped.code, "add `--anyway` if that is right" in mistyped.out) == (1, True)
    assert "is before it was placed" in shop("report", "1004", "ship", "--at", "2025-01-01", "--anyway").out


@pytest.fixture
def undecided(shop, asking, tmp_path):
    """The shop, after a file has told that there is no stock for an order, of which a person is asked."""
    (tmp_path / "out.csv").write_text(
        "id,placed_at,supplier,alternatives,route,currency,paid,report_no_stock_at\n"
        "7,2025-03-03T09:00:00Z,Yiwu,Ningbo;Canton,domestic,CNY,25.90,2025-03-04T09:00:00Z\n"
    )
    imported = shop("import", "out.csv", "--urge-historical", "--json").json
    assert (imported["waiting"], imported["reported"]) == (1, {})
    return shop


def test_explain_says_when_the_supplier_is_closed_while_a_clock_runs(shop, tmp_path, monkeypatch):
    closed = "[[closures]]\nsupplier = 'Yiwu'\nfrom = 2199-01-02\nto = 2199-01-04\n"
    (tmp_path / "closed.toml").write_text(closed)
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "closed.toml"))
    header = "id,placed_at,supplier,route,currency,paid,ship_by\n"
    (tmp_path / "late.csv").write_text(f"{header}77,2025-03-03T09:00:00Z,Yiwu,domestic,CNY,25.90,2199-01-01T09:00:00Z\n")
    assert shop("import", "late.csv", "--urge-historical").code == 0
    told = shop("explain", "77").out
    assert "2199-01-06 09:00:00 UTC" in told
    assert "its supplier is closed from 2199-01-02 to 2199-01-04: these days do not count" in told


def test_today_says_what_needs_you_each_with_the_command_that_answers_it(undecided):
    said = undecided("today").out
    assert "main/7: report_no_stock waits for your decision: order from Ningbo\n" in said
    assert "  aftersales decide main/7\n" in said
    assert "\nDeadlines\n" in said
    told = undecided("today", "--json").json
    assert told.keys() == {"items", "count", "more", "days", "provisional", "held", "daemon", "inbox"}
    (one,) = [item for item in told["items"] if item["kind"] == "decision"]
    assert one.keys() == {"kind", "order", "what", "command", "since", "until", "amount", "currency"}
    assert undecided("today", "--shop", "MAIN").out == said
    assert "no order has the shop 'nobody'" in undecided("today", "--shop", "nobody").out
    undecided("report", "1004", "override", "--to", "disputed", "--reason", "they say so")
    assert "\n… and 1 more: aftersales today --limit 2\n" in undecided("today", "--limit", "1").out
    assert undecided("today", "--limit", "0").code == 2


def test_money_says_what_is_owed_and_what_was_lost_and_adds_no_two_currencies(shop):
    assert "Nothing is owed to you.\nNothing was lost since " in shop("money").out
    assert shop("report", "1004", "report_oversized").code == 0
    said = shop("money").out
    assert "Outstanding: " in said
    assert "the platform" in said
    (one,) = shop("money", "--json").json["outstanding"]
    assert (one["party"], one["count"]) == ("the platform", 1)
    assert shop("report", "1004", "decline_refund").code == 0
    said = shop("money").out
    assert "Nothing is owed to you.\n" in said
    assert "who declined it" in said
    assert shop("money", "--since", "2190-01-01").out.endswith("Nothing was lost since 2190-01-01.\n")
    assert shop("money", "--since", "soon").code == 2


def test_a_policy_that_is_not_in_force_is_tried_without_touching_anything(shop, tmp_path):
    (tmp_path / "tried.toml").write_text("[overdue]\nurge_after = '1d'\n")
    before = shop("timers", "--json").json
    said = shop("policy", "what-if", "tried.toml", "--days", "3").out
    assert "running orders until " in said
    assert "What would come of it" in said
    found = shop("policy", "what-if", "tried.toml", "--limit", "1", "--json").json
    assert found["running"] == len({one["order"] for one in before["timers"]})
    assert len(found["moved"]) <= 1
    assert (
        {"orders", "effects", "messages", "decisions", "money", "unknown"} == found["in_force"].keys() == found["tried"].keys()
    )
    assert shop("timers", "--json").json == before
    assert shop("policy", "show").out == shop("policy", "show", "--defaults").out
    (tmp_path / "wrong.toml").write_text("[overdue]\nurge_after = 'soon'\n")
    assert "[overdue.urge_after]: 'soon' is not a duration" in shop("policy", "what-if", "wrong.toml").out
    assert "no order has the shop 'nobody'" in shop("policy", "what-if", "tried.toml", "--shop", "nobody").out
    (tmp_path / "same.toml").write_text(shop("policy", "show").out)
    assert "same.toml says what the policy in force says" in shop("policy", "what-if", "same.toml").out
    assert shop("policy", "what-if", "missing.toml").code == 2


def test_money_of_one_supplier_leaves_out_what_others_owe(shop):
    assert shop("report", "1004", "report_oversized").code == 0
    assert shop("money", "--supplier", "YIWU", "--json").json["outstanding"] == []
    assert "no order has the supplier 'nobody'" in shop("money", "--supplier", "nobody").out


def test_show_is_short_and_names_what_it_leaves_out(shop):
    for number in range(6):
        shop("report", "1002", "note_transit", "--at", f"2025-03-{10 + number}T09:00:00Z", "--status", f"hub {number}")
    short, whole = shop("show", "1002").out, shop("show", "1002", "--all").out
    assert "History, the last 5 of " in short
    assert "\nReports" not in short
    assert "Not shown: " in short
    assert "aftersales show main/1002 --all, or --timeline" in short
    assert "\nReports" in whole
    assert "Not shown" not in whole
    assert len(shop("show", "1002", "--json").json["history"]) > 5


def test_a_timeline_marks_what_was_late_and_what_came_out_of_order(shop):
    shop("report", "1004", "deliver", "--at", "2025-03-08T10:00:00Z")
    shop("report", "1004", "ship", "--at", "2025-03-06T10:00:00Z", "--anyway")
    shop("report", "1004", "approve", "--at", "2025-03-09T10:00:00Z")
    told = shop("show", "1004", "--timeline", "--json").json["timeline"]
    marked = [(one["trigger"], one["verdict"], one["out_of_order"]) for one in told]
    assert marked == [
        ("place", "applied", False),
        ("ship", "applied", True),
        ("deliver", "applied", False),
        ("approve", "refused", False),
    ]
    shop("once")
    *_, close = shop("show", "1004", "--timeline", "--json").json["timeline"]
    assert (close["trigger"], close["actor"]) == ("close", "timer")
    assert close["late_by"] > 86_400
    said = shop("show", "1004", "--timeline").out
    assert " days late" in said
    assert "out of order: known since " in said
    assert "--timeline goes with neither" in shop("show", "1002", "--timeline", "--all").out


def test_deadlines_are_counted_by_day_in_the_display_time_zone(shop):
    days = shop("timers", "--by", "day", "--json").json["days"]
    timers = shop("timers", "--status", "pending", "--json").json["timers"]
    assert sum(sum(one["deadlines"].values()) for one in days) == len(timers)
    assert [one["date"] for one in days] == sorted({one["due_at"][:10] for one in timers})
    said = shop("timers", "--by", "day", "--limit", "1").out
    assert "(overdue)" in said
    assert f"1 day shown: --since {days[1]['date']} shows the next ones.\n" in said
    later = shop("timers", "--by", "day", "--since", days[1]["date"], "--json").json["days"]
    assert later == days[1:]
    mine = shop("timers", "--by", "day", "--order", "1004", "--json").json["days"]
    assert sum(sum(one["deadlines"].values()) for one in mine) == 1
    assert "No such timers." in shop("timers", "--by", "day", "--trigger", "lapse_window").out
    assert "no order has the shop 'nobody'" in shop("timers", "--by", "day", "--shop", "nobody").out
    assert "it goes with neither --status nor --after" in shop("timers", "--by", "day", "--status", "fired").out


@pytest.mark.parametrize("words", [("effects",), ("exceptions",), ("decisions",), ("claims",), ("orders",), ("timers",)])
def test_every_list_takes_the_same_filters(shop, words):
    filters = ("--shop", "MAIN", "--state", "placed", "--since", "2025-01-01", "--due-before", "2d")
    assert shop(*words, *filters).code == 0
    assert "no order has the supplier 'nobody'" in shop(*words, "--supplier", "nobody").out


def test_an_amendment_says_what_it_has_changed_and_of_the_buyer_only_that(shop):
    said = shop("report", "1004", "amend", "--paid", "12.50", "--supplier", "Canton", "--buyer-name", "Kim Lee").out
    assert "  paid: 1.00 CNY → 12.50 CNY\n" in said
    assert "  supplier: Yiwu → Canton\n" in said
    assert "  buyer_name was changed\n" in said
    assert "Kim" not in said


def test_a_tracking_number_that_another_order_has_is_pointed_out(shop):
    assert "is also" not in shop("report", "1004", "ship", "--tracking-number", "LP7").out
    said = shop("report", "1001", "ship", "--at", "2025-03-06", "--tracking-number", "LP7").out
    assert "  LP7 is also a parcel of main/1004\n" in said


def test_a_parcel_of_a_former_supplier_says_that_its_money_is_not_asked_for_any_more(shop):
    shop("report", "1001", "amend", "--alternatives", "Canton", "--paid", "9.00")
    shop("report", "1001", "report_no_stock")
    said = shop("report", "1001", "ship", "--attempt", "1").out
    assert "  no longer asked for: 9.00 " in said
    assert " of Yiwu\n" in said


def test_explain_tells_the_refusals_since_the_order_is_in_its_state(shop):
    shop("report", "1004", "approve")
    assert "Refused: approve" in shop("explain", "1004").out
    shop("report", "1004", "ship", "--at", "2190-01-01")
    shop("report", "1004", "ship")
    assert "Refused: approve" not in shop("explain", "1004").out


def test_an_option_without_its_value_is_refused(shop):
    for words in (("ship", "--tracking-number"), ("amend", "--paid"), ("ship", "--tracking-number", "LP1", "--carrier")):
        said = shop("report", "1004", *words)
        assert (said.code, "requires an argument" in said.out) == (2, True)
    assert shop("show", "1004", "--json").json["state"] == "placed"


def test_the_name_of_an_order_of_another_shop_makes_no_order_of_its_own(shop, tmp_path):
    (tmp_path / "more.csv").write_text("id,placed_at\nMAIN/1001,2025-03-03T09:00:00Z\nSO/7,2025-03-03T09:00:00Z\n")
    said = shop("import", "more.csv", "--json")
    assert (said.code, said.json["new"]) == (3, 1)
    assert "MAIN/1001 is how screens name an order of the shop main" in said.json["rejections"][0]["reason"]
    assert shop("show", "main/1001", "--json").json["order"] == "main/1001"
    (tmp_path / "named.csv").write_text("id,placed_at,shop\nmain/1001,2025-03-03T09:00:00Z,other\n")
    assert shop("import", "named.csv").code == 0
    assert shop("show", "main/1001", "--json").json["order"] == "main/1001"
    assert shop("show", "other/main/1001", "--json").json["order"] == "other/main/1001"


def test_a_part_of_a_sum_that_is_not_known_is_said_to_count_for_all_of_it(shop):
    shop("report", "1004", "amend", "--alternatives", "Canton;Ningbo")
    for day in ("04", "05"):  # nobody has said what the second one cost
        shop("report", "1004", "report_no_stock", "--at", f"2025-03-{day}T10:00:00Z")
    said = shop("report", "1004", "settle_recovery", "--recovery", "2", "--amount", "3").out
    assert "taken for all that was asked for, whose sum is not known (correct_settlement --row 2)" in said


def test_stats_write_long_lateness_in_days(shop):
    shop("once")
    assert " days" in shop("stats").out


def test_a_decision_says_until_when_the_platform_gives_time_for_it(shop, asking, tmp_path):
    told = {"ship": 4, "deliver": 5, "open_claim": 6, "submit_evidence": 7, "approve": 8, "choose_refund": 9}
    (tmp_path / "out.csv").write_text(
        "id,placed_at,supplier,route,currency,paid,open_claim_kind," + ",".join(f"{one}_at" for one in told) + "\n"
        "7,2025-03-03T09:00:00Z,Yiwu,domestic,CNY,25.90,damaged,"
        + ",".join(f"2025-03-{on:02}T09:00:00Z" for on in told.values())
        + "\n"
    )
    imported = shop("import", "out.csv", "--urge-historical", "--json").json
    assert imported["waiting"] == 1, imported
    (one,) = shop("decisions", "--json").json["decisions"]
    assert (one["trigger"], one["ends"][:10]) == ("choose_refund", "2025-03-28")
    assert "The time for it ends 2025-03-28 16:00" in shop("decide", "7").out
    assert "the time for it ends 2025-03-28 16:00" in shop("explain", "7").out


def test_what_waits_for_a_decision_is_listed_with_the_supplier_it_would_go_to(undecided):
    (one,) = undecided("decisions", "--json").json["decisions"]
    assert (one["order"], one["trigger"], one["next"]) == ("main/7", "report_no_stock", "Ningbo")
    assert "Ningbo" in undecided("decisions").out
    assert "to decide: report_no_stock" in undecided("orders", "--attention").out
    assert "aftersales decide main/7 yes (or next, refund, stay)" in undecided("explain", "7").out
    said = undecided("decide", "7").out
    assert "Order main/7 is placed. Decision 1: report_no_stock waits" in said
    assert "take the step: order from Ningbo" in said
    for way in ("yes", "next", "refund", "stay"):
        assert f"aftersales decide 7 {way}" in said


def test_a_decision_is_looked_at_before_it_is_made(undecided):
    shown = undecided("decide", "7", "next", "--dry-run").out
    assert "would be rerouted after report_no_stock" in shown
    assert "Canton" in shown
    assert undecided("decisions", "--json").json["decisions"], "it was only looked at"
    assert "Canton" in undecided("decide", "7", "next").out
    assert undecided("show", "7", "--json").json["attempts"][-1]["supplier"] == "Canton"
    assert undecided("decisions").out == "Nothing waits for a decision.\n"
    assert undecided("decide", "7").out == "Nothing waits for a decision.\n"


def test_two_parcels_of_an_order_are_shown_explained_and_found_by_their_numbers(shop):
    for number in ("LP1", "LP2"):
        assert shop("report", "1004", "ship", "--tracking-number", number).code == 0
    assert "Order main/1004 is shipped after deliver." in shop("report", "1004", "deliver", "--tracking-number", "LP1").out
    assert "It was sent in 2 parcels: LP1 is delivered, LP2 is shipped." in shop("explain", "1004").out
    shown = shop("show", "1004", "--json").json["parcels"]
    assert [(one["tracking_number"], one["where"]) for one in shown] == [("LP1", "delivered"), ("LP2", "shipped")]
    for words in (("--tracking-number", "lp2"), ("--text", "P2"), ("--tracking-number", "LP9", "--tracking-number", "LP1")):
        assert [one["number"] for one in shop("orders", *words, "--json").json["orders"]] == ["1004"]
    assert shop("orders", "--tracking-number", "LP9").out == "No such orders.\n"
    wrong = shop("report", "1004", "hold", "--tracking-number", "LP9")
    assert (wrong.code, "no parcel of the order has that tracking number (`show` lists them)" in wrong.out) == (1, True)
    assert "is delivered after amend" in shop("report", "1004", "amend", "--parcel", "2", "--same-as", "1").out
    assert "it is parcel 1" in shop("show", "1004").out


def test_what_was_reported_by_mistake_is_taken_back(shop):
    said = shop("report", "1004", "report_oversized").out
    assert "until then `aftersales undo` takes it back" in said
    shown = shop("undo", "1004", "--dry-run").out
    assert shown.startswith("report_oversized of person:")
    assert "would be taken back.\nOrder main/1004 would be placed." in shown
    assert shop("show", "1004", "--json").json["state"] == "refunding"
    assert "Order main/1004 is placed.\n  next: urge" in shop("undo", "1004", "--reason", "the wrong one").out
    again = shop("undo", "1004")
    assert (again.code, "only what a person has reported or decided last can be taken back" in again.out) == (1, True)
    assert shop("report", "1004", "report_oversized", "--now").code == 0
    assert "until then" not in shop("show", "1004").out
    shop("once")
    left = shop("undo", "1004")
    assert (left.code, "request_refund has left: what it caused cannot be taken back" in left.out) == (1, True)
    assert (shop("undo", "999").code, shop("undo").code) == (1, 2)


def test_what_has_told_the_merchant_already_is_said_when_it_is_taken_back(shop):
    shop("report", "1004", "override", "--to", "delivered", "--reason", "seen")
    assert "you have been told" not in shop("undo", "1004", "--dry-run").out
    shop("once")
    said = shop("undo", "1004").out
    assert "you have been told of that step already (notify_merchant): it counts no more" in said


def test_a_decision_is_taken_back_and_stands_again(undecided):
    assert undecided("decide", "7", "yes").code == 0
    said = undecided("undo", "7").out
    assert "report_no_stock waits for your decision" in said
    assert "to decide: report_no_stock" in undecided("orders", "--attention").out
    assert "until then" not in undecided("decide", "7", "yes", "--now").out


def test_what_a_person_wants_to_decide_later_sleeps(undecided):
    said = undecided("decide", "7", "stay", "--until", "2199-01-01T09:00:00Z", "--reason", "I call them").out
    assert said == "Order main/7 stays placed: report_no_stock sleeps until 2199-01-01 09:00:00 UTC.\n"
    assert undecided("decisions").out == "Nothing waits for a decision.\n"
    assert "main/7" in undecided("decisions", "--sleeping").out
    assert "report_no_stock" not in undecided("orders", "--attention").out
    assert "sleeps until 2199-01-01" in undecided("explain", "7").out
    assert "sleeps until 2199-01-01" in undecided("decide", "7").out
    assert "would sleep is past" in undecided("decide", "7", "stay", "--until", "2025-03-05").out
    assert "until then the decision sleeps" in undecided("decide", "7", "yes", "--until", "3d").out


def test_a_decision_that_has_slept_is_said_to_wait_everywhere(undecided):
    undecided("decide", "7", "stay", "--until", "2199-01-01T09:00:00Z")
    with freeze_time("2199-01-02"):
        assert "main/7" in undecided("decisions").out
        assert "to decide: report_no_stock" in undecided("orders", "--attention").out
        for words in (("explain", "7"), ("decide", "7")):
            assert "sleeps until" not in undecided(*words).out


def test_what_a_decision_is_not_is_said_before_it_is_taken(undecided):
    assert "these options go with an answer" in undecided("decide", "7", "--until", "2d").out
    would = undecided("decide", "7", "stay", "--dry-run").out
    assert "Order main/7 would stay placed: report_no_stock would not be taken, and not asked about again" in would
    assert undecided("decisions", "--json").json["decisions"]
    assert "is not taken, and not asked about again" in undecided("decide", "7", "stay").out
    assert undecided("decisions", "--json").json["decisions"] == []


def test_timers_that_wait_for_a_decision_are_listed_and_say_what_moves_them(shop, tmp_path, monkeypatch):
    (tmp_path / "p.toml").write_text("[effects.modes]\nurge_supplier = 'ask'\n")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "p.toml"))
    shop("once")
    assert {row["status"] for row in shop("timers", "--order", "1001", "--trigger", "urge", "--json").json["timers"]} == {
        "waiting"
    }
    assert len(shop("timers", "--status", "waiting", "--json").json["timers"]) == 2
    shifted = shop("timers", "shift", "1001#1", "--by", "2d")
    assert (shifted.code, "it waits for a decision: decide yes" in shifted.out) == (1, True)
    assert "which sleeps until 2199-01-01" in shop("timers", "postpone", "1001#1", "--until", "2199-01-01T09:00:00Z").out


def test_effects_are_named_or_chosen_and_not_both(shop):
    shop("once")
    refused = shop("effects", "drop", "1", "--order", "1004")
    assert (refused.code, "by id, or choose them by --order, --kind or --all: not both" in refused.out) == (2, True)


def test_a_pass_says_how_many_timers_only_ask(shop, tmp_path, monkeypatch):
    (tmp_path / "p.toml").write_text("[effects.modes]\nurge_supplier = 'ask'\n")
    monkeypatch.setenv("AFTERSALES_POLICY", str(tmp_path / "p.toml"))
    assert "Fired 3 timers (2 to be decided by you: aftersales decisions), sent" in shop("once").out


def test_a_decision_that_is_not_there_or_is_another_one_is_refused_in_words(undecided):
    other = undecided("decide", "7", "yes", "--decision", "2")
    assert other.code != 0
    assert undecided("decisions", "--json").json["decisions"], "nothing was decided"
    assert undecided("decide", "1001", "yes").code != 0
    assert undecided("decide", "9", "yes").code == 1
    assert undecided("decide", "7", "perhaps").code == 2


def test_what_is_kept_for_good_must_say_something(shop):
    assert "--reason is empty: why" in shop("report", "1001", "override", "--to", "closed", "--reason", " ").out
    assert "say what was done" in shop("resolve", "1001", " ").out
    assert shop("effects", "approve", str(2**70)).code == 2
    assert "The parcel has arrived." in shop("report", "1001", "deliver", "--help").out
    assert "promise" in shop("report", "1001", "--help").out
    assert MEANINGS.keys() == FIELDS.keys()


def test_what_a_guard_turned_down_is_shown_and_is_not_offered(run, tmp_path):
    (tmp_path / "abroad.csv").write_text(
        "id,placed_at,route,cancel_at\n1,2025-03-03T09:00:00Z,international,2025-03-03T10:00:00Z\n"
    )
    assert run("import", "abroad.csv").code == 0
    told = run("explain", "1").out
    assert "Refused: cancel of 2025-03-03" in told
    assert "neither intercepts nor refunds an international one" in told
    assert "cancel" not in told.split("You may report")[1]


def test_times_are_read_and_written_in_peoples_time_zone(shop, tmp_path):
    (tmp_path / "aftersales.toml").write_text("time_zone = 'Asia/Shanghai'\n")
    assert shop("report", "1001", "ship", "--at", "2025-03-05T09:00").code == 0
    assert shop("show", "1001", "--json").json["history"][-1]["occurred"] == "2025-03-05T01:00:00Z"
    assert "Since 2025-03-05 09:00:00 CST" in shop("explain", "1001").out
    assert shop("report", "1004", "promise", "--ship-by", "2025-03-06").code == 0
    assert shop("show", "1004", "--json").json["attempts"][0]["ship_by"] == "2025-03-05T16:00:00Z"
    assert shop("report", "1004", "promise", "--ship-by", "soon").code == 2
    assert shop("report", "1004", "ship", "--at", "2025-02-30").code == 2


def test_orders_with_a_deadline_soon_are_found_by_how_far_it_lies_ahead(shop):
    assert {row["number"] for row in shop("orders", "--due-before", "2d", "--json").json["orders"]} == {"1001", "1002", "1004"}
    assert shop("orders", "--due-before", "2025-03-01").out == "No such orders.\n"
    assert "nor how far it lies ahead" in shop("orders", "--due-before", "xd").out


def test_paths_of_a_settings_file_are_seen_from_its_folder(run, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "aftersales.toml").write_text("database = 'sqlite:///own.db'\npolicy = 'mine.toml'\n")
    (tmp_path / "shop" / "mine.toml").write_text("[overdue]\nurge_after = '3d'\n")
    assert run("--config", "shop/aftersales.toml", "db", "upgrade").code == 0
    assert (tmp_path / "shop" / "own.db").exists()
    assert run("--config", "shop/aftersales.toml", "policy", "show", "--json").json["overdue"]["urge_after"] == "3d"


def test_once_fires_what_is_due_and_what_is_held_is_decided(run):
    run("db", "upgrade")
    run("import", "orders.csv", "--observe", "--urge-historical")
    said = run("once")
    assert said.code == 0
    assert "Fired 3 timers" in said.out
    assert run("report", "1001", "report_no_stock").code == 0
    (held,) = run("effects", "--status", "held", "--kind", "request_refund", "--json").json["effects"]
    assert "would be approved" in run("effects", "approve", "--all", "--dry-run").out
    assert "1 approved" in run("effects", "approve", str(held["id"])).out
    assert run("once").code == 0
    assert "0 dropped; 1 skipped (wrong status)" in run("effects", "drop", str(held["id"])).out
    assert run("effects", "drop", "999").code == 2
    assert run("effects", "retry").code == 2
    assert "request_refund" in run("effects", "--order", "1001").out
    assert run("effects", "--kind", "shout").code == 2


def test_exceptions_and_flags_are_closed_with_a_word(shop):
    assert shop("report", "1001", "report_oversized").code == 0
    assert shop("report", "1001", "decline_refund", "--reason", "no").code == 0
    assert "refund_declined" in shop("orders", "--attention").out
    assert shop("resolve", "1001", "called them", "--flag", "nonsense").code == 2
    assert shop("resolve", "1001", "called them").out == "1 flag resolved: refund_declined.\n"
    assert shop("resolve", "1001", "again").out == "Nothing to resolve.\n"
    late = "id,placed_at,supplier,route,currency,release_at\n1001,2025-03-03T09:00:00Z,Yiwu,domestic,CNY,2025-03-04T09:00:00Z\n"
    with open("late.csv", "w") as file:
        file.write(late)
    assert shop("import", "late.csv", "--urge-historical").code == 0
    (waiting,) = shop("exceptions", "--json").json["exceptions"]
    assert "release" in shop("exceptions").out
    assert "1 report kept as exceptions" in shop("orders", "--attention").out
    assert "kept as exceptions" not in shop("orders", "--attention", "--text", "zzz").out, "it counts those of all orders"
    assert shop("exceptions", "retry").code == 2
    assert shop("exceptions", "retry", "999").code == 2
    again = shop("exceptions", "retry", "--all")
    assert (again.code, "is still an exception: " in again.out) == (0, True)
    assert shop("exceptions", "close", str(waiting["id"]), "asked the carrier").code == 0
    assert shop("exceptions", "retry", "--all").out == "No exceptions wait.\n"
    assert shop("exceptions", "close", str(waiting["id"]), "again").code == 2
    assert shop("exceptions").out == "No exceptions wait.\n"


def test_replay_prints_one_object_and_keeps_the_scratch_database_when_asked(run):
    said = run("replay", "orders.csv", "--until", "2025-03-20T00:00:00Z", "--json", "--keep", "scratch.db")
    assert said.code == 3
    assert {**said.json, "seconds": 0} == {
        "orders": 3,
        "rejected": 2,
        "fired": {"remind_customs": 4, "reroute": 2, "urge": 2},
        "reported": {"hold": 1, "ship": 1},
        "refused": {},
        "exceptions": 0,
        "states": {"customs_hold": 1, "refunding": 2},
        "from": "2025-03-03T09:00:00Z",
        "until": "2025-03-20T00:00:00Z",
        "seconds": 0,
    }
    assert "refunding" in run("--database", "sqlite:///scratch.db", "orders").out
    assert run("replay", "orders.csv", "--keep", "scratch.db").code == 2
    assert "steps per second" in run("replay", "orders.csv").out


def test_a_mapping_is_checked_without_storing_anything(run, tmp_path):
    (tmp_path / "m.toml").write_text('[order]\nid = "id"\nplaced_at = "placed"\n')
    said = run("mapping", "check", "orders.csv", "--mapping", "m.toml")
    assert said.code == 2
    assert "no column 'placed', which the mapping names" in said.out
    (tmp_path / "m.toml").write_text('[order]\nid = "id"\nplaced_at = "placed_at"\n')
    assert run("mapping", "check", "orders.csv", "--mapping", "m.toml").code == 3
    assert not (tmp_path / "aftersales.db").exists()


def test_a_checked_mapping_names_the_reports_that_no_row_has_told_and_what_may_be_wrong_with_them(run, tmp_path):
    (tmp_path / "few.csv").write_text("id,placed,status,sent,come\n1,2026-11-20T10:00:00Z,open,2026-11-21T10:00:00Z,\n")
    (tmp_path / "m.toml").write_text(
        "[order]\nid = 'id'\nplaced_at = 'placed'\n"
        "[reports.ship]\nat = 'sent'\nwhen = { status = 'sent' }\n"
        "[reports.deliver]\nat = 'come'\n[reports.cancel]\nat = 'sent'\n"
    )
    said = run("mapping", "check", "few.csv", "--mapping", "m.toml")
    assert "[reports.ship] was told by no row: are its `when` and its `at` right?" in said.out
    assert "[reports.deliver] was told by no row: is its `at` right?" in said.out
    assert "[reports.cancel] was told" not in said.out
    assert run("mapping", "check", "few.csv", "--mapping", "m.toml", "--json").json["never"] == ["ship", "deliver"]
    (tmp_path / "few.csv").write_text("id,placed,status,sent,come\n1,soon,open,2026-11-21T10:00:00Z,\n")
    said = run("mapping", "check", "few.csv", "--mapping", "m.toml")
    assert (said.code, "was told by no row" in said.out) == (3, False)


def test_timers_are_listed_by_status_and_order(shop):
    assert [row["trigger"] for row in shop("timers", "--order", "1001", "--json").json["timers"]] == ["urge"]
    assert "cancelled" in shop("timers", "--status", "all").out


def test_check_names_errors_and_warnings_with_stable_ids(run):
    said = run("check")
    assert (said.code, "A003" in said.out) == (1, True)
    run("db", "upgrade")
    said = run("check", "--json")
    assert said.code == 0
    assert {"A012", "A014"} <= {row["id"] for row in said.json}


def test_check_finds_a_wrong_policy_and_wrong_settings(run, tmp_path):
    (tmp_path / "aftersales.toml").write_text("policy = 'p.toml'\n")
    (tmp_path / "p.toml").write_text("[overdue]\nurge_aftr = '1d'\n")
    assert "A002" in run("check").out
    assert "did you mean urge_after" in run("policy", "check").out
    (tmp_path / "p.toml").write_text("[effects]\ndefault_channels = ['email']\n")
    assert "A013" in run("check").out
    (tmp_path / "aftersales.toml").write_text("databse = 'x'\n")
    assert "did you mean database" in run("check").out
    assert run("orders").code == 2


def test_check_finds_own_templates_that_cannot_be_used(run, tmp_path):
    (tmp_path / "aftersales.toml").write_text("templates = 'texts'\n")
    assert "are not a folder" in run("check").out
    (tmp_path / "texts" / "en").mkdir(parents=True)
    (tmp_path / "texts" / "en" / "urge_suplier.txt").write_text("x")
    (tmp_path / "texts" / "en" / "escalate.txt").write_text("{{ order.name")
    said = run("check").out
    assert "did you mean urge_supplier?" in said
    assert "escalate.txt cannot be used" in said


def test_settings_come_from_the_environment_too_and_unknown_ones_are_refused(run, monkeypatch, tmp_path):
    monkeypatch.setenv("AFTERSALES_SMTP__HOST", "mail.example")
    monkeypatch.setenv("AFTERSALES_DATABASE", "sqlite:///other.db")
    assert run("db", "upgrade").code == 0
    assert (tmp_path / "other.db").exists()
    monkeypatch.setenv("AFTERSALES_SMTP__HOTS", "x")
    assert "AFTERSALES_SMTP__HOTS is not a setting; did you mean host?" in run("check").out
    monkeypatch.delenv("AFTERSALES_SMTP__HOTS")
    monkeypatch.setenv("AFTERSALES_DATABASE", "mysql://x/y")
    assert "use sqlite or postgresql" in run("orders").out
    assert run("--config", "missing.toml", "orders").code == 2


def test_policy_and_diagram_are_printed(run):
    assert "urge_after" in run("policy", "show").out
    assert run("policy", "show", "--json").json["overdue"]["urge_after"] == "2d"
    assert "no errors" in run("policy", "check").out
    assert run("diagram").out.count("stateDiagram-v2") == 3


def test_a_backup_is_put_back_and_nothing_leaves_until_a_person_goes_live(shop, tmp_path):
    assert shop("observe", "end").out.startswith("Nothing is held")
    said = shop("db", "backup", "copy.db")
    assert said.out == "Backed up 3 orders to copy.db; checked.\n"
    assert shop("db", "restore", "copy.db").code == 2
    assert shop("db", "restore", "none.db", "--replace").code == 2
    said = shop("db", "restore", "copy.db", "--replace")
    assert said.code == 0
    assert "The database that was there is now " in said.out
    assert "Fired 0 timers" in shop("once").out
    assert "A024" in shop("check").out
    said = shop("observe", "end", "--yes")
    assert "At once 3 timers would fire" in said.out
    assert "A024" not in shop("check").out
    assert "Fired 3 timers" in shop("once").out


def test_a_backup_is_put_in_the_place_of_a_damaged_database(shop, tmp_path):
    shop("db", "backup", "copy.db")
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"aftersales.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "aftersales.db").write_bytes(b"not a database at all" * 1_000)
    assert shop("orders").code == 1
    assert shop("db", "restore", "copy.db", "--replace").code == 0
    assert shop("orders").code == 0


def test_an_import_makes_the_tables_of_a_file_whose_making_was_interrupted(run, tmp_path):
    (tmp_path / "aftersales.db").touch()
    assert run("import", "orders.csv").code == 3
    assert run("orders").code == 0


def test_a_shift_is_repeated_under_its_name_and_moves_nothing_twice(shop):
    first = shop("timers", "shift", "--by", "8d", "--all", "--operation", "spring")
    assert "3 timers shifted" in first.out
    again = shop("timers", "shift", "--by", "8d", "--all", "--operation", "spring")
    assert again.code == 0
    assert "Nothing is left to do under the name spring." in again.out
    assert "name of another operation" not in again.out


def test_a_clock_that_cannot_be_right_fires_nothing_until_a_person_says_that_it_is(shop):
    with freeze_time("2056-01-01", tz_offset=0):
        said = shop("once")
        assert said.code == 1
        assert "this machine's clock says 2056-01-01" in said.out
        assert "Fired 3 timers" in shop("once", "--clock-is-right").out
        assert shop("once").code == 0


def test_an_erasure_can_be_finished_by_hand(shop):
    assert shop("erase", "--finish").out == "No erasure is open.\n"
    assert shop("erase").code == 2


def test_a_backup_is_a_whole_database_and_never_replaces_a_file(shop):
    assert shop("db", "backup", "copy.db").code == 0
    assert shop("db", "backup", "copy.db").code == 2
    assert len(shop("--database", "sqlite:///copy.db", "orders", "--json").json["orders"]) == 3


def test_an_anchor_proves_that_nothing_before_it_was_changed(shop):
    with freeze_time(datetime.now(UTC) + timedelta(minutes=5)):
        kept, covers = shop("audit", "--anchor").out.splitlines()
    assert covers.startswith("It covers 3 histories as recorded by ")
    said = shop("audit", "--since", kept)
    assert said.code == 0
    assert "nothing recorded before it was changed" in said.out
    assert shop("audit", "--since", kept[:-1] + ("0" if kept[-1] != "0" else "1")).code == 1
    assert shop("audit", "--since", "yesterday").code == 2
    assert shop("audit", "--deep").out == "3 histories checked, 0 broken.\n"


REFUSED = {
    ("audit", "--since", ""): "that is not an anchor",
    ("audit", "--anchor", "--deep"): "--anchor prints a digest and checks nothing: give it alone.",
    ("audit", "--anchor", "--since", "x"): "--anchor prints a digest and checks nothing: give it alone.",
    ("erase", "--finish", "--order", "1001"): "--finish finishes what was begun: give it alone.",
    ("timers", "shift", "--by", "1d", "--all", "--operation", ""): "--operation is empty",
    ("db", "backup", "none/copy.db"): "there is no folder none",
    ("db", "restore", "none.db", "--replace"): "there is no file none.db",
    ("db", "restore", "aftersales.db", "--replace"): "that is the database itself",
    ("db", "restore", ".", "--replace"): ". is a folder",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(shop, words):
    before = shop("audit", "--anchor").out.splitlines()[0][-64:], shop("timers", "--json").out
    said = shop(*words)
    assert (said.code, REFUSED[words] in said.out) == (2, True), said.out
    assert (shop("audit", "--anchor").out.splitlines()[0][-64:], shop("timers", "--json").out) == before


def test_check_names_a_damaged_file_first_and_once(shop, tmp_path):
    shop("db", "backup", "copy.db")
    page = (tmp_path / "copy.db").read_bytes()
    half = len(page) // 8192 * 4096
    (tmp_path / "torn.db").write_bytes(page[:half] + b"\xff" * (len(page) - half))
    said = shop("--database", "sqlite:///torn.db", "check", "--json")
    errors = [row["id"] for row in said.json if row["level"] == "error"]
    assert (said.code, errors) == (1, ["A025"])


def test_check_names_a_clock_that_does_not_fit_what_was_recorded(shop):
    with freeze_time("2056-01-01", tz_offset=0):
        clock = [row for row in shop("check", "--json").json if row["id"] == "A027"]
        assert [row["level"] for row in clock] == ["error"]
        shop("once", "--clock-is-right")
    clock = [row for row in shop("check", "--json").json if row["id"] == "A027"]
    assert [(row["level"], "ahead of this machine's clock" in row["message"]) for row in clock] == [("warning", True)]


def test_audit_finds_what_was_changed(shop):
    assert "3 histories checked, 0 broken." in shop("audit").out
    database = Database("sqlite:///aftersales.db")
    with database.write() as connection:
        connection.execute(text("UPDATE history SET actor = 'person:eve' WHERE order_id = 2 AND sequence = 2"))
    database.close()
    said = shop("audit")
    assert (said.code, "main/1002: row 2 was changed" in said.out) == (1, True)


def test_a_database_that_is_not_ours_or_of_another_version_is_refused(run, tmp_path):
    assert "there is no database" in run("orders").out
    (tmp_path / "aftersales.db").write_text("this is not a database, but long enough to look like a file with content")
    assert "is not an aftersales database" in run("orders").out
    (tmp_path / "aftersales.db").unlink()
    run("db", "upgrade")
    database = Database("sqlite:///aftersales.db")
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    assert "are of version 9999" in run("orders").out


def test_the_commands_work_on_postgresql_as_on_sqlite(run, postgres, monkeypatch):
    url = postgres.new_database()
    monkeypatch.setenv("AFTERSALES_DATABASE", url)
    assert "has no tables: run `aftersales db upgrade`" in run("orders").out
    assert run("db", "upgrade").code == 0
    assert run("import", "orders.csv", "--urge-historical").code == 3
    assert "Fired 3 timers" in run("once").out
    assert {row["number"] for row in run("orders", "--json").json["orders"]} == {"1001", "1002", "1004"}
    assert run("report", "1001", "report_no_stock").code == 0
    assert "request_refund" in run("effects", "--status", "ready").out
    assert "refunding" in run("explain", "1001").out
    assert run("show", "1001").code == 0
    assert run("check").code == 0
    assert "3 histories checked, 0 broken." in run("audit").out
    assert "use pg_dump" in run("db", "backup", "x.db").out
    postgres.drop(url)


def test_foreign_text_is_harmless_on_a_terminal(run, tmp_path):
    (tmp_path / "evil.csv").write_text("id,placed_at,supplier\n[red]7,2025-03-03T09:00:00Z,=cmd|'x'\n")
    run("import", "evil.csv")
    assert "[red]7" in run("orders").out


def test_words_that_are_no_text_and_a_disk_that_is_full_are_said_in_one_line(run, tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-c", "from admin.main import main; main()"]
    odd = subprocess.run([*command, "show", b"10\xff"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (odd.returncode, odd.stderr) == (2, "aftersales: '10\\udcff' is not UTF-8 text\n")
    with open("/dev/full", "w") as full:
        lost = subprocess.run([*command, "diagram"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert lost.returncode != 0
    assert "Traceback" not in lost.stderr
    long = subprocess.run([*command, "import", "x" * 5_000], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "File name too long" in long.stderr


def test_a_report_that_adds_nothing_is_noted_and_a_tracking_number_that_comes_later_is_kept(shop):
    assert shop("report", "1001", "ship", "--at", "2025-03-05T09:00:00Z").code == 0
    said = shop("report", "1001", "ship", "--at", "2025-03-05T09:00:00Z", "--reason", "by phone")
    assert "it adds nothing to what was reported before" in said.out
    later = shop("report", "1001", "ship", "--at", "2025-03-05T09:00:00Z", "--tracking-number", "RR1")
    assert (later.code, shop("show", "1001", "--json").json["parcels"][0]["tracking_number"]) == (0, "RR1")


def test_on_a_terminal_what_moves_money_or_claims_everything_is_shown_and_asked(shop, monkeypatch):
    monkeypatch.setattr("admin.commands.report.on_terminal", lambda: True)
    refused = shop("report", "1001", "report_oversized", typed="n\n")
    assert (refused.code, "causes request_refund" in refused.out, "Report it?" in refused.out) == (1, True, True)
    assert shop("show", "1001", "--json").json["state"] == "placed"
    assert shop("report", "1001", "report_oversized", typed="y\n").code == 0
    assert "Report it?" not in shop("report", "1002", "note_transit").out


def test_on_a_terminal_changing_many_timers_or_effects_is_shown_and_asked(shop, monkeypatch):
    for module in ("timer_changes", "effect_decisions"):
        monkeypatch.setattr(f"admin.commands.{module}.on_terminal", lambda: True)
    asked = shop("timers", "shift", "--all", "--by", "1d", typed="n\n")
    assert (asked.code, "would be shifted" in asked.out, "Go on?" in asked.out) == (1, True, True)
    assert shop("timers", "shift", "--all", "--by", "1d", typed="y\n").code == 0
    both = shop("timers", "pause", "--trigger", "urge", "--trigger", "close", "--dry-run").out
    assert both.count("urge") > 0
    fired = shop("timers", "fire", "--trigger", "urge", "--yes")
    assert (fired.code, "Go on?" in fired.out) == (0, False)
    dropped = shop("effects", "drop", "--kind", "urge_supplier", "--kind", "place_supply", typed="n\n")
    assert (dropped.code, "would be dropped. Go on?" in dropped.out) == (1, True)
    assert shop("effects", "drop", "--all", "--yes").code == 0


def test_what_is_told_of_an_old_order_is_explained(shop, tmp_path):
    (tmp_path / "old.csv").write_text(
        "id,placed_at,supplier,alternatives,currency,report_no_stock_at\n"
        "8,2025-03-03T09:00:00Z,Yiwu,Ningbo,CNY,2025-03-04T09:00:00Z\n"
    )
    assert "1 order is historical" in shop("import", "old.csv").out
    said = shop("explain", "8").out
    assert "It was old when it was imported: until you move it, nobody but you is written to" in said
    assert "report_no_stock of 2025-03-04 09:00:00 UTC was noted, and the order stays" in said
    assert [one["trigger"] for one in shop("explain", "8", "--json").json["noted"]] == ["report_no_stock"]
    assert shop("report", "8", "report_no_stock").code == 0
    assert "It was old" not in shop("explain", "8").out


def test_ready_mappings_are_listed_shown_and_taken_by_name(run, tmp_path):
    listed = run("mapping", "list")
    assert (listed.code, "shopify-csv" in listed.out, "17track" in listed.out) == (0, True, True)
    assert {one["name"] for one in run("mapping", "list", "--json").json["mappings"]} >= {"taobao-orders", "aftership"}
    shown = run("mapping", "show", "shopify-csv").out
    assert "[reports.ship]" in shown
    assert "did you mean shopify-csv?" in run("mapping", "show", "shopify-cvs").out
    head = "Name,Financial Status,Fulfilled at,Currency,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    more = "Lineitem sku,Shipping Name,Shipping Street,Shipping City,Shipping Zip,Shipping Country,Email,Cancelled at\n"
    row = "#1,paid,2026-11-02 10:00:00 +0100,EUR,20,2026-11-01 10:00:00 +0100,1,Mug,20,MUG,Kim,,Berlin,,DE,kim@example.com,\n"
    (tmp_path / "f.csv").write_text(head + more + row)
    assert "ship 1" in run("mapping", "check", "f.csv", "--mapping", "shopify-csv").out
    assert run("import", "f.csv", "--mapping", "shopify-csv").code == 0
    assert "shipped" in run("show", "#1").out
    assert "did you mean shopify-csv?" in run("import", "f.csv", "--mapping", "shopify-cvs").out
    assert "cannot be read" in run("import", "f.csv", "--mapping", "mine.toml").out


def test_a_mistyped_word_of_an_option_is_told_the_nearest(shop):
    assert "Did you mean shipped?" in shop("orders", "--state", "shiped").out
    assert "Did you mean urge?" in shop("timers", "--trigger", "urg").out
    assert "Did you mean" not in shop("orders", "--state", "xyz").out


def test_a_number_is_found_in_small_letters_too(run, tmp_path):
    (tmp_path / "f.csv").write_text("id,placed_at\nDE-1,2026-11-20T09:00Z\nDE-2,2026-11-20T09:00Z\nde-2,2026-11-20T09:00Z\n")
    run("import", "f.csv")
    assert "Order main/DE-1 is placed" in run("explain", "de-1").out
    assert "Order main/DE-1 is placed" in run("explain", "MAIN/de-1").out
    assert "Order main/de-2 is placed" in run("explain", "de-2").out
    assert "is the number of several orders" in run("explain", "De-2").out


def test_today_says_what_is_held_and_that_no_daemon_runs(run, tmp_path):
    (tmp_path / "f.csv").write_text("id,placed_at\n1,2026-11-20T09:00Z\n")
    run("import", "f.csv", "--observe")
    assert "No daemon runs: what is overdue fires with aftersales run" in run("today").out
    run("once")
    said = run("today", "--json").json
    assert (said["daemon"], said["held"] > 0) == (False, True)
    assert "held until you go live: aftersales observe end" in run("today").out
    assert "Nobody has been told so far: urge_supplier is held" in run("explain", "1").out
    shown = run("observe", "end", "--dry-run")
    assert (shown.code, "1 order observed" in shown.out) == (0, True)
    assert run("today", "--json").json["held"] == said["held"]


def test_a_check_foretells_what_an_import_would_not_take(run, tmp_path):
    run("import", "orders.csv")
    (tmp_path / "f.csv").write_text(
        "id,placed_at,supplier,currency,paid,price,ship_at,settle_refund_at,settle_refund_amount\n"
        "main/5,2026-11-20T09:00Z,Yiwu,CNY,5.00,7.00,2026-11-19T09:00Z,,\n"
        "7,2099-01-01T09:00Z,Yi-wu,CNY,5.00,5.00,,2099-01-02T09:00Z,2.50\n"
    )
    said = " ".join(run("mapping", "check", "f.csv").out.split())
    assert "main/main/5: their lines come to more than was paid" in said
    assert "main/5: screens name orders of another shop so: an import rejects them" in said
    assert "main/7: dated ahead of now" in said
    assert "main/main/5: a report is dated before its order was placed" in said
    assert "supplier 'Yiwu' is nearly 'Yi-wu'" in said or "supplier 'Yi-wu' is nearly 'Yiwu'" in said
    assert "2 suppliers without an address" in said
    assert "amount 2.50 CNY" in said
    assert run("mapping", "check", "f.csv", "--json").json["warnings"]
