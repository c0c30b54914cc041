"""What comes again: judged anew, a correction, or nothing (rules 2.9 and 2.14), on both databases."""

from dataclasses import replace

import pytest

from engine.deciding import close_exception
from engine.judging_again import judge_again
from engine.rebuild import as_known
from storage import audits, queries
from tests.factories import RULES, all_flags, arrival, day, report, state, take
from workflow.errors import UsageError
from workflow.vocabulary import State


def told(database, *reports, now):
    (outcome,) = take(database, arrival("1", *reports, placing=False), now=now)
    return [one.verdict for one in outcome.received]


def kept(database):
    with database.read() as connection:
        rows = queries.reports(connection, queries.resolve_id(connection, "1"))
    return [(row["trigger"], row["nth"], row["verdict"]) for row in rows if row["trigger"] != "place"]


def case_of(database):
    with database.read() as connection:
        return queries.stored_case(connection, "1").case


def flags(database):
    with database.read() as connection:
        return [row["flag"] for row in all_flags(connection)]


def whole(database):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection))


@pytest.fixture
def placed(database):
    take(database, arrival("1", paid=5_000))
    return database


def test_what_was_dated_ahead_of_now_is_applied_when_it_comes_again(placed):
    assert told(placed, report("ship", 3), now=1) == ["exception"]
    assert told(placed, report("ship", 3), now=2) == ["duplicate"]
    assert told(placed, report("ship", 3), now=3) == ["applied"]
    assert told(placed, report("ship", 3), now=4) == ["duplicate"]
    assert (state(placed), kept(placed)) == (State.shipped, [("ship", 1, "applied")])
    assert whole(placed)


def test_what_had_no_place_yet_is_applied_when_it_comes_again(placed):
    lost = report("lose", 2)
    assert told(placed, lost, now=2) == ["exception"]
    told(placed, report("ship", 1), now=3)
    assert flags(placed) == ["report_unplaced"]
    assert told(placed, lost, now=3) == ["applied"]
    assert (state(placed), flags(placed)) == (State.disputed, [])
    assert whole(placed)


def test_what_a_guard_refused_is_applied_when_it_comes_again(placed):
    claim = report("open_claim", 2, kind="damaged")
    told(placed, report("ship", 1), now=1)
    assert told(placed, claim, now=2) == ["refused"]
    assert told(placed, claim, now=2.5) == ["duplicate"]
    told(placed, report("deliver", 1.5), now=3)
    assert told(placed, claim, now=3) == ["applied"]
    assert kept(placed)[-2:] == [("open_claim", 1, "applied"), ("deliver", 1, "applied")]
    assert whole(placed)


def test_a_tracking_number_that_comes_later_is_kept_and_a_wrong_one_corrected(placed):
    told(placed, report("ship", 1), now=1)
    assert told(placed, report("ship", 1, tracking_number="RR1"), now=2) == ["applied"]
    assert told(placed, report("ship", 1, tracking_number="RR2", carrier="Post"), now=3) == ["applied"]
    assert told(placed, report("ship", 1, tracking_number="RR1"), now=4) == ["duplicate"]
    (parcel,) = case_of(placed).parcels
    assert (parcel.tracking_number, parcel.carrier) == ("RR2", "Post")
    assert kept(placed) == [("ship", 1, "applied"), ("ship", 2, "applied"), ("ship", 3, "applied")]
    assert whole(placed)


def test_what_contradicts_is_one_exception_that_shows_both_and_stays_closed(placed):
    told(placed, report("report_oversized", 1), now=1)
    told(placed, report("settle_refund", 2, amount=5_000), now=2)
    other = report("settle_refund", 2, amount=500)
    assert told(placed, other, now=3) == ["exception"]
    assert told(placed, other, now=4) == ["duplicate"]
    with placed.read() as connection:
        (row,) = [row for row in queries.reports(connection, 1) if row["verdict"] == "exception"]
    assert "amount was 50.00 CNY and is 5.00 CNY" in row["reason"]
    assert flags(placed) == ["report_unplaced"]
    close_exception(placed, row["id"], "kim", "a typing error of the bank", day(4))
    assert told(placed, other, now=5) == ["duplicate"]
    assert (kept(placed)[-1], flags(placed)) == (("settle_refund", 2, "exception"), [])
    assert whole(placed)


def test_a_correction_that_was_kept_is_not_taken_for_a_report_of_its_own(placed):
    ship = replace(report("ship", 1), key="one")
    told(placed, ship, now=1)
    assert told(placed, replace(ship, at=day(1.5)), now=2) == ["exception"]
    told(placed, report("hold", 2), now=3)
    assert told(placed, report("release", 2.5), now=3) == ["applied"]
    assert kept(placed)[-3:] == [("ship", 2, "exception"), ("hold", 1, "applied"), ("release", 1, "applied")]


def test_a_persons_retry_applies_what_has_a_place_now_and_says_why_the_rest_has_none(placed):
    told(placed, report("lose", 2), report("confirm_interception", 2), now=2)
    told(placed, report("ship", 1), now=3)
    with placed.read() as connection:
        lost, confirmed = [row["id"] for row in queries.reports(connection, 1) if row["verdict"] == "exception"]
    with pytest.raises(UsageError, match="no open exception has the number 999"):
        judge_again(placed, {lost, 999}, day(4), RULES)
    judged = {one.id: one for one in judge_again(placed, None, day(4), RULES)}
    assert (judged[lost].verdict, judged[lost].why) == ("applied", None)
    assert judged[confirmed].verdict == "exception"
    assert "not allowed in disputed" in judged[confirmed].why
    assert state(placed) is State.disputed
    assert whole(placed)


def test_a_parcel_that_is_told_before_another_one_of_its_instant_is_another_parcel(placed):
    first, second = report("ship", 1, tracking_number="T1"), report("ship", 1, tracking_number="T2")
    assert told(placed, first, now=1) == ["applied"]
    assert told(placed, second, replace(first, key="ship@1/T1"), now=2) == ["applied", "refused"]
    assert sorted(one.tracking_number for one in case_of(placed).parcels) == ["T1", "T2"]
    told(placed, first, replace(second, key="ship@1/T2"), now=3)
    assert sorted(one.tracking_number for one in case_of(placed).parcels) == ["T1", "T2"]
    assert told(placed, report("ship", 1, tracking_number="T9"), now=4) == ["applied"], "alone it corrects the number"
    assert sorted(one.tracking_number for one in case_of(placed).parcels) == ["T2", "T9"]
    assert whole(placed)
