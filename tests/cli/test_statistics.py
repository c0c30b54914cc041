import re
from datetime import datetime
from pathlib import Path

import pytest

from engine.firing import fire_due
from storage import statistics
from tests.factories import arrival, day, rules_of, take

RULES = rules_of()


def test_how_late_timers_fired_is_told_by_clock(database):
    take(database, arrival("1"), arrival("2"), now=0)
    fire_due(database, day(2), RULES, limit=1)
    fire_due(database, day(2.5), RULES, limit=1)
    with database.read() as connection:
        (urge,) = statistics.lateness(connection)
    assert (urge.trigger, urge.fired, urge.mean_seconds, urge.most_seconds) == ("urge", 2, 21_600, 43_200)


def test_the_numbers_are_printed(run):
    assert run("import", "orders.csv", "--urge-historical").code == 3
    assert "No timer has fired yet" in run("stats").out
    assert "No supplier was given an order in this time." in run("stats").out
    run("once")
    said = run("stats", "--since", "2025-03-01", "--until", "2025-04-01")
    assert "late on average" in said.out
    assert "Suppliers, orders given from 2025-03-01 until before 2025-04-01" in said.out
    assert re.search(r"Yiwu +3 +3 +1 +33% +2", said.out)
    told = run("stats", "--since", "2025-03-01", "--until", "2025-04-01", "--json").json
    assert told["lateness"]
    yiwu = told["suppliers"][0]
    assert (yiwu["attempts"], yiwu["due"], yiwu["on_time"], yiwu["on_time_share"]) == (3, 3, 1, 0.333)


def test_the_money_that_suppliers_owe_is_printed(run):
    Path("orders.csv").write_text(
        "id,placed_at,supplier,alternatives,route,currency,paid\n1001,2025-03-03T09:00:00Z,Yiwu,Ningbo,domestic,CNY,25.90\n"
    )
    run("import", "orders.csv", "--urge-historical")
    run("report", "1001", "report_no_stock", "--at", "2025-03-04")
    words = ("stats", "--since", "2025-03-01", "--until", "2025-04-01")
    assert re.search(r"Yiwu +1 +25.90 CNY +25.90 CNY +0", run(*words).out)
    assert run(*words, "--json").json["suppliers"][0]["money"][0]["open"] == 2_590


@pytest.mark.parametrize(
    ("by", "periods"),
    [("week", ["2025-W10", "2025-W11"]), ("month", ["2025-03"]), ("quarter", ["2025-Q1"])],
)
def test_each_period_is_told_by_itself(run, by, periods):
    run("import", "orders.csv", "--urge-historical")
    later = re.sub("2025-03-03", "2025-03-10", Path("orders.csv").read_text()).replace("100", "200")
    Path("later.csv").write_text(later)
    run("import", "later.csv", "--urge-historical")
    said = run("stats", "--by", by, "--since", "2025-02-25", "--until", "2025-05-01").out
    assert re.findall(r"Yiwu +(\S+)", said.split("Suppliers")[1]) == periods


def test_without_a_date_periods_are_whole(run):
    run("import", "orders.csv", "--urge-historical")
    since = datetime.fromisoformat(run("stats", "--by", "month", "--json").json["since"])
    assert (since.day, since.hour) == (1, 0)


def test_a_time_that_cannot_be_told_is_refused(run):
    run("import", "orders.csv")
    assert "nothing lies between" in run("stats", "--since", "2025-03-01", "--until", "2025-03-01").out
    assert "more than 500 periods" in run("stats", "--by", "week", "--since", "1990-01-01").out
    assert "did you mean Yiwu" in run("stats", "--supplier", "Yivu").out
    assert "month" in run("stats", "--by", "monht").out
