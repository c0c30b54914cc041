"""What a step seals of its order, and what the sealed steps of an order tell of it (rules 6.1 and 6.2)."""

import json

import pytest

from tests.factories import Story, day, rules_of
from workflow.case.case import Line
from workflow.case.sealing import KINDS, SEALED, WHOLE, Sealed, as_sealed, meaning
from workflow.vocabulary import Way

PHOTO = "ab" * 32


def wrote(told: Story, number: int = -1):
    return json.loads(told.steps[number].history.wrote)


def sealed_of(told: Story) -> Sealed:
    sealed = Sealed()
    for step in told.steps:
        sealed.take(step.history.wrote)
    return sealed


def rows_of(told: Story, part: str):
    """Return the parts of the case that run or stand, as they would be read back."""
    parts = {"": {"order": told.case.order, "case": told.case}[part]} if part in WHOLE else None
    parts = parts or {str(one.number): one for one in getattr(told.case, part)}
    values = {number: {name: getattr(one, name) for name in SEALED[KINDS[part]]} for number, one in parts.items()}
    told_again = {number: {name: as_sealed(name, value) for name, value in one.items()} for number, one in values.items()}
    return json.loads(json.dumps(told_again))


@pytest.fixture
def lived():
    asking = rules_of("[effects.modes]\nurge_supplier = 'ask'")
    told = Story(asking, (Line("MUG", "Mug", 3, 990),), paid=2_970, supplier="Yiwu").until(2)
    told.answer(Way.yes, 3)
    told.report("ship", 3.5)
    told.report("deliver", 4)
    told.report("open_claim", 5, kind="damaged", lines="MUG:2")
    told.report("submit_evidence", 6, evidence=f"{PHOTO} a-word-of-the-buyer")
    told.report("approve", 7)
    told.report("choose_refund", 8)
    return told


def test_a_placed_order_seals_its_sum_its_first_attempt_and_its_timer():
    told = Story(rules_of(), paid=500, supplier="Yiwu")
    due = (day(2)).isoformat()
    assert wrote(told) == {"order": ["CNY", 500], "case": [], "attempts": {"1": ["Yiwu"]}, "timers": {"1": ["urge", due]}}


def test_a_timer_that_fired_is_told_by_its_status_and_the_next_one_by_clock_and_instant():
    told = Story(rules_of()).until(2)
    assert wrote(told) == {"timers": {"1": "fired", "2": ["reroute", day(4).isoformat()]}}


def test_a_step_that_changes_nothing_of_an_order_seals_that():
    told = Story(rules_of())
    told.report("ship", 1)
    told.report("note_transit", 2, status="in Rotterdam")
    assert "Rotterdam" not in told.steps[-1].history.wrote
    assert wrote(told).keys() <= {"timers", "parcels"}


def test_of_evidence_digests_alone_are_sealed_for_words_may_name_the_buyer(lived):
    assert sealed_of(lived).parts["claims"]["1"]["evidence"] == [PHOTO]
    assert all("a-word-of-the-buyer" not in step.history.wrote for step in lived.steps)


@pytest.mark.parametrize("part", KINDS)
def test_the_parts_of_an_order_are_those_that_its_steps_have_sealed(lived, part):
    sealed, rows = sealed_of(lived), rows_of(lived, part)
    assert rows
    if part == "timers":  # those that ended are not with the case any more
        rows |= {number: told for number, told in sealed.parts[part].items() if told["status"] in ("fired", "cancelled")}
    assert sealed.difference(part, rows) is None
    assert sealed.is_whole


def test_what_differs_is_named_by_part_number_and_field(lived):
    sealed, rows = sealed_of(lived), rows_of(lived, "ledger")
    assert sealed.difference("ledger", {}) == "ledger row 1 is gone"
    changed = {"1": {**rows["1"], "amount": 1}}
    assert sealed.difference("ledger", changed) == "ledger row 1: amount is 1, and its history wrote 1980"
    assert sealed.difference("ledger", {**rows, "9": rows["1"]}) == "ledger row 9 is not in its history"


def test_an_order_whose_first_steps_sealed_nothing_is_told_from_then_on():
    sealed = Sealed()
    sealed.take(None)
    sealed.take('{"timers":{"3":"cancelled","4":["stall","2025-04-01T00:00:00+00:00"]}}')
    assert not sealed.is_whole
    assert sealed.parts["timers"]["3"] == {"status": "cancelled"}
    assert (
        sealed.difference("timers", {"3": {"status": "fired"}}) == "timer 3: status is fired, and its history wrote cancelled"
    )
    assert sealed.difference("claims", {"1": {}}) is None


def test_what_is_left_out_as_a_default_makes_no_difference():
    assert meaning('{"attempts":{"1":["Yiwu"]}}') == meaning('{"attempts":{"1":["Yiwu",null,null]}}')
    assert meaning('{"attempts":{"1":["Yiwu"]}}') != meaning('{"attempts":{"1":["Ningbo"]}}')


def test_what_differs_of_the_order_itself_is_named_without_a_number(lived):
    sealed, rows = sealed_of(lived), rows_of(lived, "order")
    changed = {"": {**rows[""], "paid": 1}}
    assert sealed.difference("order", changed) == "order: paid is 1, and its history wrote 2970"


def test_an_older_step_makes_an_order_not_wholly_told():
    sealed = Sealed()
    assert sealed.is_whole is True
    sealed.take(None)
    assert sealed.is_whole is False


def test_of_an_attempt_of_which_nothing_is_known_nothing_is_sealed():
    assert wrote(Story(rules_of(), supplier=None))["attempts"] == {"1": []}
