"""Facts as reports tell them, and as the history writes and reads them."""

import pytest

from tests.factories import Story, day, order, report, rules_of
from workflow.case.case import Case, Line
from workflow.case.facts import FACTS, as_detail, as_fact, before, known, read_lines, told, with_former_buyer, written_lines

LINES = (Line("lamp", "Lámpa", 2, 500, 900), Line("", "Shade"))


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("alternatives", ("a", "b"), "a;b"),
        ("alternatives", (), ""),
        ("ship_by", day(1), "2025-03-04T09:00:00+00:00"),
        ("placed_at", day(1), "2025-03-04T09:00:00+00:00"),
        ("paid", 700, 700),
        ("ship_by", None, None),
        ("supplier", "Yiwu", "Yiwu"),
    ],
)
def test_a_fact_is_read_as_it_was_written(name, value, written):
    assert as_detail(value) == written
    assert as_fact(name, written) == value


def test_names_that_were_not_known_are_none():
    assert as_fact("alternatives", None) == ()


def test_a_report_tells_the_facts_that_it_names_and_knows():
    assert dict(told({"paid": 4, "ship_by": day(2).isoformat(), "supplier": None, "reason": "x"})) == {
        "paid": 4,
        "ship_by": day(2),
    }


def test_facts_of_an_attempt_are_those_of_the_current_one_unless_another_is_named():
    case = Story(rules_of(), supplier="Yiwu", paid=700).until(4).case
    assert case.current == 2
    assert (known(case, "supplier", {}), known(case, "paid", {})) == ("alt-1", None)
    assert (known(case, "supplier", {"attempt": 1}), known(case, "paid", {"attempt": 1})) == ("Yiwu", 700)
    assert known(case, "route", {"attempt": 1}) == "domestic"


def test_lines_are_read_as_they_were_written():
    assert written_lines(LINES) == '[["lamp", "Lámpa", 2, 500, 900], ["", "Shade", 1, null, null]]'
    assert read_lines(written_lines(LINES)) == LINES


def test_a_report_that_amends_the_buyer_says_who_it_was():
    case = Case(order(buyer_name="Ana", buyer_email=None, buyer_address="Rua 1"))
    amended = with_former_buyer(case, report("amend", 1, buyer_name="Bo", buyer_email="bo@example.org", paid=4))
    assert amended.fields == {"buyer_name": "Bo", "buyer_email": "bo@example.org", "paid": 4, "was_buyer_name": "Ana"}
    assert with_former_buyer(case, report("amend", 1, paid=4)).fields == {"paid": 4}


def test_an_amendment_is_taken_back_by_what_it_has_written():
    now = order(paid=800, supplier="Ningbo", buyer_name="Bo", alternatives=("c",), country="BR")
    details = {
        "amended": "paid;supplier;buyer_name;alternatives;lines",
        "was_paid": 700,
        "was_alternatives": "a;b",
        "was_buyer_name": "a digest",
        "was_lines": written_lines(LINES),
    }
    was, lines = before(now, (Line("other"),), details, {"was_buyer_name": "Ana"})
    assert was == order(paid=700, supplier=None, buyer_name="Ana", alternatives=("a", "b"), country="BR")
    assert lines == LINES


def test_an_amendment_of_a_later_attempt_leaves_the_facts_of_the_order():
    now = order(paid=800, supplier="Yiwu", supplier_number="7", ship_by=day(2), country="BR")
    details = {"amended": "paid;supplier;supplier_number;ship_by;country", "attempt": 2, "was_paid": 7}
    assert before(now, LINES, details, {}) == (order(paid=800, supplier="Yiwu", supplier_number="7", ship_by=day(2)), LINES)
    first = before(now, LINES, {**details, "attempt": 1, "was_country": "PT"}, {})[0]
    assert first == order(paid=7, country="PT")


def test_facts_are_all_but_identity_and_chain():
    assert FACTS[0] == "placed_at"
    assert not {"shop", "number", "replaces", "generation", "chain"} & {*FACTS}
