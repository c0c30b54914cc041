"""A person names a wrong new order, and takes that back: the order that was placed for it is one of nobody's (rule 2.19)."""

import pytest

from engine.auditing import audit
from engine.firing import fire_due
from engine.rebuild import as_known, as_occurred
from engine.undoing import undo_last
from storage import queries
from storage.tables import LineRow, TimerRow, table_of
from tests.factories import RULES, arrival, day, order, report, state, statuses, take
from workflow.case.case import Line, Report
from workflow.errors import Refused
from workflow.vocabulary import Verdict

CLAIM = (
    *(report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged")),
    *(report("submit_evidence", 4), report("approve", 5), report("choose_reissue", 6)),
)


def named(number, at=7.0):
    return Report("confirm_reissue", day(at), "cli", f"c@{at}", "person:kim", {"new_order": number})


@pytest.fixture
def claimed(database):
    """An order whose replacement is asked for."""
    take(database, arrival("1", *CLAIM, supplier="Yiwu", buyer_name="Anna Bell", paid=1_000, country="PL"), now=6.5)
    return database


@pytest.fixture
def reissued(claimed):
    """The same, and a person has named a wrong number."""
    (outcome, *_) = take(claimed, arrival("1", named("1022"), placing=False), now=7)
    assert [one.verdict for one in outcome.received] == [Verdict.applied]
    assert (state(claimed), state(claimed, "1022")) == ("reissued", "placed")
    return claimed


def undone(database, at=7.5):
    return undo_last(database, "1", "person:kim", day(at), RULES)


def case_of(database, number):
    with database.read() as connection:
        return queries.stored_case(connection, number).case


def retold(database, number, at=100):
    """Say whether the history of an order is told again exactly."""
    with database.read() as connection:
        return as_known(connection, queries.resolve_id(connection, number), day(at), RULES).exact


def test_the_claim_is_open_again_and_the_wrong_order_is_closed_and_no_replacement(reissued):
    made = undone(reissued)
    assert (made.trigger, made.case.state, made.replacement.name) == ("confirm_reissue", "disputed", "main/1022")
    wrong = case_of(reissued, "1022")
    assert (wrong.state, wrong.order.replaces, wrong.order.generation, wrong.order.chain) == ("closed", None, 0, None)
    assert wrong.timers == ()
    assert fire_due(reissued, day(9.5), RULES).count == 0, "its clocks have ended"
    assert audit(reissued).broken == []
    assert retold(reissued, "1")
    assert retold(reissued, "1022")
    with reissued.read() as connection:
        assert as_occurred(connection, queries.resolve_id(connection, "1022"), day(8), RULES).case.state == "closed"


def test_the_right_number_is_named_then(reissued):
    undone(reissued)
    assert statuses(reissued)["place_reissue"] == "ready"
    take(reissued, arrival("1", named("1022-R", 8), placing=False), now=8)
    assert (state(reissued), state(reissued, "1022-R"), state(reissued, "1022")) == ("reissued", "placed", "closed")
    assert case_of(reissued, "1022-R").order.replaces == "1"
    assert audit(reissued).broken == []


def test_the_same_number_is_named_again_and_is_the_replacement_once_more(reissued):
    undone(reissued)
    take(reissued, arrival("1", named("1022", 8), placing=False), now=8)
    again = case_of(reissued, "1022")
    assert (state(reissued), again.state, again.order.replaces, again.order.chain) == ("reissued", "placed", "1", "1")
    assert again.attempt.placed_at == day(8)
    assert fire_due(reissued, day(10), RULES).count == 1, "it is urged"
    assert audit(reissued).broken == []
    assert retold(reissued, "1022")


def test_a_replacement_that_was_named_again_can_be_taken_back_again(reissued):
    undone(reissued)
    take(reissued, arrival("1", named("1022", 8), placing=False), now=8)
    assert undone(reissued, 8.5).case.state == "disputed"
    assert state(reissued, "1022") == "closed"
    assert audit(reissued).broken == []
    assert retold(reissued, "1022")


@pytest.mark.parametrize("historical", [False, True])
def test_a_file_that_brings_the_wrong_number_takes_it_up_as_an_order_of_its_own(reissued, historical):
    undone(reissued)
    theirs = arrival("1022", report("ship", 8), supplier="Foshan", alternatives=("Canton",), buyer_email="x@example.com")
    told = theirs.__class__(
        order("1022", supplier="Foshan", alternatives=("Canton",), buyer_email="x@example.com"),
        theirs.reports,
        (Line("MUG", "Mug", 1, 900), Line("CUP", "Cup", 3, None)),
        theirs.placing,
    )
    options = {"older_than": day(1) - day(0)} if historical else {}
    (outcome,) = take(reissued, told, now=8, **options)
    assert (outcome.was, outcome.case.state) == (None, "shipped")
    case = case_of(reissued, "1022")
    assert (case.order.supplier, case.order.buyer_name, case.order.buyer_email) == ("Foshan", None, "x@example.com")
    assert (case.order.paid, case.order.country, case.order.placed_at) == (None, None, day(0))
    assert (case.attempt.supplier, case.attempt.placed_at) == ("Foshan", day(0))
    assert [line.sku for line in case.lines] == ["MUG", "CUP"]
    assert case.historical is historical
    assert audit(reissued).broken == []
    assert retold(reissued, "1022")
    (again,) = take(reissued, told, now=9)
    assert {one.verdict for one in again.received} == {Verdict.duplicate}


def test_lines_that_the_order_of_a_file_does_not_have_are_gone(claimed):
    lines = (Line("sku", "Lamp", 2, 500), Line("two", "Lamp 2", 1, 500))
    bigger = arrival("7", *CLAIM)
    take(claimed, bigger.__class__(bigger.order, bigger.reports, lines, bigger.placing), now=6.5)
    take(claimed, arrival("7", named("1023"), placing=False), now=7)
    undo_last(claimed, "7", "person:kim", day(7.5), RULES)
    take(claimed, arrival("1023"), now=8)
    with claimed.read() as connection:
        key = queries.resolve_id(connection, "1023")
        stored = connection.execute(table_of(LineRow).select().where(table_of(LineRow).c.order_id == key)).mappings().all()
    assert [(row["number"], row["sku"], row["quantity"]) for row in stored] == [(1, "sku", 2)]
    assert retold(claimed, "1023")


def test_it_is_not_taken_back_when_something_has_happened_to_the_new_order(reissued):
    fire_due(reissued, day(9), RULES)
    with pytest.raises(Refused, match=r"something has happened to main/1022 since, which it had placed \(urge\)"):
        undone(reissued, 9.5)
    assert (state(reissued), state(reissued, "1022")) == ("reissued", "overdue_urged")


def test_an_order_that_was_there_before_goes_on_and_is_no_replacement(claimed):
    take(claimed, arrival("1022", supplier="Foshan"), now=6.8)
    take(claimed, arrival("1", named("1022"), placing=False), now=7)
    assert case_of(claimed, "1022").order.replaces == "1"
    undone(claimed)
    known = case_of(claimed, "1022")
    assert (known.state, known.order.replaces, known.order.chain) == ("placed", None, None)
    with claimed.read() as connection:
        t = table_of(TimerRow)
        key = queries.resolve_id(connection, "1022")
        assert [row.status for row in connection.execute(t.select().where(t.c.order_id == key))] == ["pending"]
    assert audit(claimed).broken == []
    assert retold(claimed, "1022")
    with pytest.raises(Refused, match="goes with the order that it replaces"):
        undo_last(claimed, "1022", "person:kim", day(8), RULES)


def test_the_number_of_the_order_itself_is_no_new_order_with_or_without_a_hash_sign(claimed):
    (outcome, *_) = take(claimed, arrival("1", named("#1"), placing=False), now=7)
    assert [one.verdict for one in outcome.received] == [Verdict.refused]


def test_what_was_taken_up_again_is_not_taken_back_by_itself(reissued):
    undone(reissued)
    take(reissued, arrival("1", named("1022", 8), placing=False), now=8)
    with pytest.raises(Refused, match="goes with the order that it replaces"):
        undo_last(reissued, "1022", "person:kim", day(8.5), RULES)
    assert undone(reissued, 9).case.state == "disputed"


@pytest.mark.parametrize(
    "then",
    [
        Report("amend", day(7.7), "cli", "a", "person:kim", {"country": "DE"}),
        Report("note_transit", day(7.7), "file", "n", "import:x", {"status": "sorted"}),
    ],
    ids=["amend", "note_transit"],
)
def test_a_called_off_order_is_taken_up_whatever_was_said_of_it_since(reissued, then):
    undone(reissued)
    take(reissued, arrival("1022", then, placing=False), now=7.7)
    (outcome,) = take(reissued, arrival("1022", supplier="Foshan"), now=8)
    assert (outcome.was, outcome.case.state, outcome.case.order.supplier) == (None, "placed", "Foshan")
    assert audit(reissued).broken == []


def test_an_order_that_was_closed_before_it_was_taken_for_a_replacement_stays_closed(claimed):
    mine = Report("override", day(6.7), "cli", "o", "person:kim", {"to": "closed", "reason": "x"})
    take(claimed, arrival("1022", supplier="Foshan"), now=6.6)
    take(claimed, arrival("1022", mine, placing=False), now=6.7)
    take(claimed, arrival("1", named("1022"), placing=False), now=7)
    undone(claimed)
    take(claimed, arrival("1022", supplier="Foshan"), now=8)
    assert state(claimed, "1022") == "closed"


@pytest.mark.parametrize("observed", [False, True])
def test_a_file_says_whether_the_order_that_it_takes_up_is_observed(reissued, observed):
    undone(reissued)
    told = arrival("1022", report("report_no_stock", 8), supplier="Foshan")
    take(reissued, told, now=8, observed=observed)
    with reissued.read() as connection:
        stored = queries.stored_case(connection, "1022")
        found = {row["status"] for row in queries.effects(connection, stored.order_id) if row["kind"] == "place_supply"}
    assert (stored.observed, found) == (observed, {"held" if observed else "ready"})


def test_an_order_that_is_taken_up_without_a_supplier_has_none(reissued):
    undone(reissued)
    take(reissued, arrival("1022", report("report_no_stock", 8)), now=8)
    with reissued.read() as connection:
        effects = queries.effects(connection, queries.resolve_id(connection, "1022"))
    assert {row["supplier"] for row in effects if row["kind"] == "recover_supply"} == {None}


def test_two_numbers_named_at_one_instant_of_which_one_was_taken_back_are_told_apart(claimed):
    for number in ("1022", "1023"):
        told = Report("confirm_reissue", day(7), "cli", f"c {number}", "person:kim", {"new_order": number})
        take(claimed, arrival("1", told, placing=False), now=7)
        if number == "1022":
            undone(claimed, 7)
    assert (state(claimed, "1022"), state(claimed, "1023")) == ("closed", "placed")
    assert retold(claimed, "1")
    assert retold(claimed, "1", at=7)
