"""Money in parts, unasked, corrected (rules 4.3 to 4.8), on both databases."""

import pytest

from engine.firing import fire_due
from engine.rebuild import as_known
from storage import audits, queries
from tests.factories import RULES, all_effects, all_flags, arrival, day, report, statuses, take
from workflow.case.case import Report
from workflow.vocabulary import State


def case_of(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number, with_chain=True).case


def whole(database):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), RULES).exact for key in queries.order_ids(connection))


def tell(database, trigger, at, actor="person:kim", **fields):
    told = Report(trigger, day(at), actor, f"{trigger}@{at}", actor, fields)
    (outcome, *_) = take(database, arrival("1", told, placing=False), now=at)
    return outcome.received[0].verdict


def ledger(database):
    return [(row.side, row.amount, row.settled_amount, row.status) for row in case_of(database).ledger]


@pytest.fixture
def refunding(database):
    take(database, arrival("1", report("report_oversized", 1), paid=5_000), now=1)
    return database


def test_a_refund_that_comes_in_parts_is_chased_for_the_rest(refunding):
    assert tell(refunding, "settle_refund", 2, amount=1_000) == "applied"
    assert (case_of(refunding).state, ledger(refunding)) == (State.refunding, [("refund", 5_000, 1_000, "requested")])
    fire_due(refunding, day(23), RULES)
    with refunding.read() as connection:
        (chase,) = [row for row in all_effects(connection) if row["kind"] == "chase_refund"]
    assert '"amount":4000' in chase["details"]
    assert tell(refunding, "settle_refund", 24, amount=3_000, final=True) == "applied"
    assert ledger(refunding) == [("refund", 4_000, 4_000, "settled"), ("refund", 1_000, None, "declined")]
    assert case_of(refunding).state is State.refunded
    assert whole(refunding)


def test_a_mistyped_sum_is_corrected_and_what_is_missing_asked_for_again(refunding):
    tell(refunding, "settle_refund", 2)
    assert tell(refunding, "correct_settlement", 3, actor="import:late.csv", row=1, amount=500, reason="x") == "exception"
    assert tell(refunding, "correct_settlement", 3, row=1, amount=500, reason="a nought too many") == "applied"
    case = case_of(refunding)
    assert (case.state, [timer.trigger for timer in case.timers]) == (State.refunding, ["chase_refund"])
    assert ledger(refunding) == [("refund", 5_000, 500, "requested"), ("refund", -4_500, None, "corrected")]
    tell(refunding, "settle_refund", 4)
    assert (case_of(refunding).state, ledger(refunding)[0]) == (State.refunded, ("refund", 5_000, 5_000, "settled"))
    assert whole(refunding)


def test_money_that_comes_before_anything_was_sent_ends_the_order_and_any_other_is_told(database):
    take(database, arrival("1", paid=5_000))
    assert tell(database, "settle_refund", 1, actor="import:statement.csv", amount=1_000) == "applied"
    assert case_of(database).state is State.placed
    with database.read() as connection:
        assert [row["flag"] for row in all_flags(connection)] == ["money_unasked"]
    assert tell(database, "settle_refund", 2, actor="import:statement.csv", amount=4_000) == "applied"
    assert (case_of(database).state, case_of(database).timers) == (State.refunded, ())
    assert whole(database)


def test_money_of_a_file_that_cannot_be_entered_is_kept_for_a_person(refunding):
    assert tell(refunding, "settle_refund", 2, actor="import:statement.csv", amount=6_000) == "exception"
    with refunding.read() as connection:
        assert [row["flag"] for row in all_flags(connection)] == ["report_unplaced"]
    assert tell(refunding, "settle_refund", 2, amount=6_000) == "refused"


def test_what_was_paid_is_amended_while_its_refund_is_awaited(refunding):
    assert tell(refunding, "amend", 2, paid=4_000) == "applied"
    assert tell(refunding, "settle_refund", 3, amount=4_000) == "applied"
    assert case_of(refunding).state is State.refunded
    assert whole(refunding)


def test_what_a_part_of_a_refund_leaves_open_counts_along_the_chain_of_replacements(database):
    steps = ("ship", "deliver", "open_claim", "submit_evidence", "approve", "choose_reissue", "confirm_reissue")
    given = {"open_claim": {"kind": "damaged", "lines": "1:1"}, "confirm_reissue": {"new_order": "r1"}}
    told = [report(trigger, n, **given.get(trigger, {})) for n, trigger in enumerate(steps, 1)]
    take(database, arrival("1", *told, paid=1_000), now=8)
    for trigger, fields in (("open_claim", {"kind": "missing", "lines": "1:1"}), ("submit_evidence", {}), ("approve", {})):
        assert tell(database, trigger, 9, **fields) == "applied"
    tell(database, "choose_refund", 9)
    tell(database, "settle_refund", 10, amount=200)
    case = case_of(database, "r1")
    assert (case.chain_paid, case.settled_elsewhere, case.requested_elsewhere) == (1_000, 200, 300)


def test_what_a_later_supplier_cost_is_not_what_the_first_one_did(database):
    take(
        database, arrival("1", report("report_no_stock", 1), report("report_oversized", 2), supplier="Yiwu", paid=5_000), now=2
    )
    assert ledger(database) == [("recovery", 5_000, None, "requested"), ("refund", None, None, "requested")]
    assert tell(database, "settle_refund", 3) == "refused"
    assert tell(database, "amend", 3, paid=6_000) == "applied"
    case = case_of(database)
    assert (case.order.paid, case.attempts[1].paid, ledger(database)[1]) == (5_000, 6_000, ("refund", 6_000, None, "requested"))
    assert tell(database, "amend", 4, paid=5_500, attempt=1) == "applied"
    assert (case_of(database).order.paid, case_of(database).attempts[0].paid) == (5_500, None)
    assert tell(database, "settle_refund", 5) == "applied"
    assert ledger(database)[1] == ("refund", 6_000, 6_000, "settled")
    assert tell(database, "amend", 6, paid=5_999) == "refused"
    assert whole(database)


def test_an_order_that_was_closed_elsewhere_is_awaited_and_no_letter_asks_for_its_money(database):
    take(database, arrival("1", report("report_closed", 1, amount=2_000), alternatives=(), paid=5_000), now=1)
    assert (case_of(database).state, ledger(database)) == (State.refunding, [("refund", 5_000, 2_000, "requested")])
    assert statuses(database) == {}
    fire_due(database, day(23), RULES)
    assert statuses(database) == {"chase_refund": "ready"}
    assert whole(database)


def test_no_letter_repeats_a_persons_reason(database):
    take(database, arrival("1", paid=5_000))
    tell(database, "report_oversized", 1, reason="that crook again", tell="It weighs 31 kg.")
    with database.read() as connection:
        (row,) = all_effects(connection)
        (history,) = [one for one in queries.history(connection, 1) if one.trigger == "report_oversized"]
    assert ("crook" in row["details"], "31 kg" in row["details"]) == (False, True)
    assert history.reason == "that crook again"
    assert whole(database)
