"""A step that is taken back leaves the order as it was before (rule 2.19)."""

import json

from tests.factories import START, Story, day, rules_of
from tests.workflow.book import BOOK, Telling, stories
from workflow.case.case import replace_fields
from workflow.case.claims import has_come_back, unsettled
from workflow.process import STAYS_DONE
from workflow.reports import FIELDS
from workflow.undoing import RESTORED, Taken, as_kept, as_read, can_be_undone, taken, undo
from workflow.vocabulary import LedgerStatus, Way

STORIES = stories(BOOK.read_text())


class Doubting(Telling):
    """A story in which everything that is reported or decided is taken back, beside the story, and looked at."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__()
        self.seen = seen

    def _undoable(self, happens):
        before, count = self._case, len(self.steps)
        yield from happens
        if steps := self.steps[count:]:
            self.last = taken(before, self._case, steps)
            self.seen.add(str(Way.stay) if steps[0].history.details.get("way") else steps[0].history.trigger)
            look_at(before, self._case, self.last, self.rules)


def look_at(before, after, what, rules):
    kept = json.loads(json.dumps(as_kept(what.was)))
    read = Taken(what.trigger, what.first, what.last, as_read(kept))
    assert read == what
    made = undo(after, read, day(99), "person:kim", "a slip", rules)
    for name in RESTORED:
        if name != "ledger":
            assert getattr(made.case, name) == getattr(before, name), name
    count = len(before.ledger)
    assert made.case.ledger[:count] == before.ledger
    assert {row.status for row in made.case.ledger[count:]} <= {LedgerStatus.undone}
    assert has_come_back(made.case) == has_come_back(before)
    assert unsettled(made.case) == unsettled(before)
    assert (made.case.steps, made.history.target) == (after.steps + 1, before.state)
    assert {number: one for number, one in made.timers.items() if one in before.timers}.keys() <= {
        one.number for one in before.timers
    }
    known = {one.number for one in before.timers}
    assert all(one.status in ("cancelled",) for number, one in made.timers.items() if number not in known)


def test_whatever_a_person_reports_or_decides_can_be_taken_back_and_leaves_nothing():
    seen = set[str]()
    for title, lines in STORIES.items():
        assert "\n".join((f"# {title}", *Doubting(seen).all_of(lines)))
    assert seen >= {*FIELDS, "stay"} - {"place"}


def test_what_stays_done_is_not_offered():
    told = Story(rules_of())
    for trigger, actor, offered in (
        ("ship", "carrier:post", False),
        ("deliver", "person:kim", True),
        ("open_claim", "person:kim", True),
        ("submit_evidence", "person:kim", False),
    ):
        count = len(told.steps)
        told.report(trigger, 1 + count, actor, kind="missing", evidence="photo")
        assert can_be_undone(told.steps[count:]) is offered, trigger
    assert STAYS_DONE == ("place", "submit_evidence", "unread")


def test_what_is_as_it_was_is_not_sealed_again():
    told = Story(rules_of(), supplier="Yiwu")
    before = told.case
    told.report("ship", 1, "person:kim", tracking_number="T1")
    what = taken(before, told.case, told.steps[-1:])
    read = Taken(what.trigger, what.first, what.last, as_read(json.loads(json.dumps(as_kept(what.was)))))
    made = undo(told.case, read, day(2), "person:kim", None, told.rules)
    wrote = json.loads(made.history.wrote)
    assert wrote["attempts"] == {"1": {"shipped_at": None}}
    assert wrote["parcels"] == {"1": None}
    assert wrote["timers"] == {"2": "cancelled", "1": ["urge", "2025-03-05T09:00:00+00:00"]}


def test_what_was_not_changed_is_not_kept():
    told = Story(rules_of(), supplier="Yiwu")
    before = told.case
    told.report("note_transit", 1, "carrier:post")
    told.report("ship", 2, "person:kim")
    assert taken(before, told.case, told.steps[-1:]).was.keys() == {
        "attempts",
        "parcels",
        "state",
        "since",
        "timers",
        "waiting",
    }
    assert replace_fields(before, since=START) == before
