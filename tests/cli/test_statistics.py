from engine.firing import fire_due
from storage import statistics
from storage.statistics import NO_NAME, Score
from tests.factories import arrival, day, report, rules_of, take

RULES = rules_of()


def test_each_supplier_has_a_scorecard(database):
    claimed = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    take(database, arrival("1", *claimed, supplier="Yiwu"), arrival("2", report("ship", 3), supplier="Yiwu"), now=4)
    take(database, arrival("3", report("report_no_stock", 1), supplier="Yiwu"), arrival("4"), now=1)
    fire_due(database, day(2), RULES)
    with database.read() as connection:
        yiwu, *others = statistics.scores(connection)
    assert yiwu == Score("Yiwu", attempts=3, shipped=2, urged=0, left=1, claims=1, days_to_ship=2.0)
    assert {one.supplier: one.urged for one in others} == {"alt-1": 0, NO_NAME: 1}


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
    run("once")
    said = run("stats")
    assert "late on average" in said.out
    assert "Yiwu" in said.out
    told = run("stats", "--json").json
    assert told["suppliers"][0]["attempts"] == 3
    assert told["lateness"]
