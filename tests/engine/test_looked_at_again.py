"""A message that nothing has tried to send yet: it leaves only as long as all that it tells is so."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from effects.channel import NotSent
from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.deciding import close_exception
from engine.firing import fire_due
from engine.sending import Sent, deliver_due
from engine.undoing import undo_last
from storage import attention
from storage.tables import MessageRow, table_of
from tests.factories import all_effects, arrival, day, decide, report, rules_of, send_due, statuses, take
from workflow.case.case import Report
from workflow.errors import Refused

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
TWO_CHANNELS = rules_of("[effects]\ndefault_channels = ['file', 'log']\n")


class Told:
    """A channel that keeps what it sends, or fails as long as it is told to."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.error: Exception | None = None

    def send(self, message):
        if self.error:
            raise self.error
        self.bodies.append(message.body)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def messenger(told):
    return Messenger({"file": told, "log": told}, Letters())


def urged(database, messenger, *numbers, rules=RULES, **values):
    """Let the urges of orders be written, and not be sent."""
    take(database, *(arrival(number, supplier="Yiwu", **values) for number in numbers), rules=rules)
    fire_due(database, day(2), rules)
    compose_due(database, day(2), rules, messenger)
    assert statuses(database)["urge_supplier"] == "written"


def ships(database, number, at=2.0, rules=RULES):
    take(database, arrival(number, report("ship", at), placing=False), now=at, rules=rules)


def amends(database, number, **fields):
    told = Report("amend", day(2), "test", "amend", "person:kim", fields)
    take(database, arrival(number, told, placing=False), now=2, rules=RULES)


def messages(database):
    m = table_of(MessageRow)
    with database.read() as connection:
        return [*connection.execute(select(m.c.status, m.c.key).order_by(m.c.id)).all()]


def test_an_urge_of_an_order_that_has_shipped_meanwhile_does_not_leave(database, messenger, told):
    urged(database, messenger, "1")
    ships(database, "1")
    assert statuses(database)["urge_supplier"] == "dropped"
    assert deliver_due(database, day(2), RULES, messenger).sent == 0
    assert told.bodies == []
    assert [status for status, _ in messages(database)] == ["dropped"]


def test_a_digest_that_loses_a_member_is_written_anew_and_leaves_once(database, messenger, told):
    urged(database, messenger, "1", "2", "3")
    ships(database, "2")
    assert deliver_due(database, day(2), RULES, messenger) == Sent(sent=1, anew=1)
    assert [("main/1" in body, "main/2" in body, "main/3" in body) for body in told.bodies] == [(True, False, True)]
    assert [status for status, _ in messages(database)] == ["dropped", "sent"]
    with database.read() as connection:
        assert sorted(row["status"] for row in all_effects(connection)) == ["dropped", "sent", "sent"]


def test_a_letter_is_written_anew_from_an_order_whose_facts_have_changed(database, messenger, told):
    urged(database, messenger, "1")
    amends(database, "1", supplier_number="YW-77")
    assert "YW-77" not in messages(database)[0].key
    assert deliver_due(database, day(2), RULES, messenger) == Sent(sent=1, anew=1)
    assert "YW-77" in told.bodies[0]
    assert [key for _, key in messages(database)] == ["main/1:2:urge_supplier:file:1", "main/1:2:urge_supplier:file"]


def test_a_letter_of_which_a_person_drops_the_effect_does_not_leave(database, messenger, told):
    urged(database, messenger, "1", "2")
    with database.write() as connection:
        assert decide(connection, "drop", all_effects(connection)[:1], "person:kim", day(2)) == 1
    deliver_due(database, day(2), RULES, messenger)
    assert len(told.bodies) == 1
    assert "main/2" not in told.bodies[0]


def test_what_a_person_takes_back_does_not_leave_although_it_is_written(database, messenger, told):
    take(database, arrival("1"), now=1, rules=RULES)
    mine = Report("report_oversized", day(1), "cli", "o", "person:kim")
    take(database, arrival("1", mine, placing=False), now=1, rules=RULES)
    compose_due(database, day(1.1), RULES, messenger)
    assert statuses(database)["request_refund"] == "written"
    undo_last(database, "1", "person:kim", day(1.1), RULES)
    deliver_due(database, day(1.1), RULES, messenger)
    assert [body for body in told.bodies if "refund" in body.lower()] == []
    assert statuses(database)["request_refund"] == "dropped"


def test_what_moves_goods_and_is_written_waits_while_an_exception_is_open(database, messenger, told):
    take(database, arrival("1", report("report_no_stock", 1), paid=5_000), now=1, rules=RULES)
    compose_due(database, day(1), RULES, messenger)
    assert statuses(database)["place_supply"] == "written"
    take(database, arrival("1", report("confirm_interception", 1.5), placing=False), now=1.5, rules=RULES)
    deliver_due(database, day(2), RULES, messenger)
    assert statuses(database)["place_supply"] == "waits"
    with database.read() as connection:
        (kept,) = attention.open_exceptions(connection, None)
    close_exception(database, kept["id"], "person:kim", "it was another order", day(3))
    deliver_due(database, day(3), RULES, messenger)
    assert statuses(database)["place_supply"] == "sent"


def test_a_message_that_was_tried_keeps_its_text_whatever_becomes_of_its_order(database, messenger, told):
    urged(database, messenger, "1")
    told.error = NotSent("no route", try_again=True)
    deliver_due(database, day(2), RULES, messenger)
    assert statuses(database)["urge_supplier"] == "leaving"
    ships(database, "1")
    with database.write() as connection:
        assert decide(connection, "drop", all_effects(connection), "person:kim", day(2)) == 0
    told.error = None
    assert deliver_due(database, day(2) + timedelta(hours=1), RULES, messenger).sent == 1


def test_a_letter_leaves_by_both_of_its_channels_or_by_none(database, messenger, told):
    urged(database, messenger, "1", "2", rules=TWO_CHANNELS)
    ships(database, "1", rules=TWO_CHANNELS)
    assert deliver_due(database, day(2), TWO_CHANNELS, messenger).sent == 2
    assert [("main/1" in body, "main/2" in body) for body in told.bodies] == [(False, True)] * 2
    assert [status for status, _ in messages(database)] == ["dropped"] * 2 + ["sent"] * 2


def test_a_letter_that_has_left_by_one_channel_leaves_by_the_other_with_the_same_text(database, messenger, told):
    urged(database, messenger, "1", rules=TWO_CHANNELS)
    messenger.channels["log"] = broken = Told()
    broken.error = NotSent("no route", try_again=True)
    deliver_due(database, day(2), TWO_CHANNELS, messenger)
    ships(database, "1", rules=TWO_CHANNELS)
    broken.error = None
    assert deliver_due(database, day(2) + timedelta(hours=1), TWO_CHANNELS, messenger).sent == 1
    assert broken.bodies == told.bodies


def test_an_effect_whose_message_was_given_up_and_that_no_other_one_carries_is_written_when_it_is_retried(database, messenger):
    by_mail = rules_of("[effects]\ndefault_channels = ['email']\n")
    urged(database, messenger, "1")
    amends(database, "1", supplier_number="YW-77")
    send_due(database, day(2), RULES, messenger)
    compose_due(database, day(2), by_mail, messenger)
    assert statuses(database)["urge_supplier"] == "dead", "no address is known"
    with database.write() as connection:
        assert decide(connection, "retry", all_effects(connection), "person:kim", day(2)) == 1
    assert deliver_due(database, day(2), RULES, messenger).sent == 1


def test_what_is_left_of_a_dead_digest_is_written_anew_when_it_is_retried(database, messenger, told):
    urged(database, messenger, "1", "2")
    told.error = NotSent("no such mailbox", try_again=False)
    deliver_due(database, day(2), RULES, messenger)
    with database.write() as connection:
        second, first = all_effects(connection)
        assert decide(connection, "drop", [second], "person:kim", day(2)) == 1
        assert decide(connection, "retry", [first], "person:kim", day(2)) == 1
    told.error = None
    assert deliver_due(database, day(2), RULES, messenger).sent == 1
    assert "main/2" not in told.bodies[0]


def test_what_has_left_by_one_channel_cannot_be_taken_back_although_the_other_could_not_deliver_it(database, messenger, told):
    messenger.channels["log"] = broken = Told()
    broken.error = NotSent("no such mailbox", try_again=False)
    take(database, arrival("1"), now=1, rules=TWO_CHANNELS)
    mine = Report("report_oversized", day(1), "cli", "o", "person:kim")
    take(database, arrival("1", mine, placing=False), now=1, rules=TWO_CHANNELS)
    deliver_due(database, day(1.1), TWO_CHANNELS, messenger)
    assert statuses(database)["request_refund"] == "dead"
    with pytest.raises(Refused, match="request_refund has left"):
        undo_last(database, "1", "person:kim", day(1.2), TWO_CHANNELS)


def test_a_letter_that_a_step_had_dropped_and_that_is_wanted_again_leaves_once(database, messenger, told):
    urged(database, messenger, "1")
    mine = Report("ship", day(2.1), "cli", "s", "person:kim")
    take(database, arrival("1", mine, placing=False), now=2.1, rules=RULES)
    undo_last(database, "1", "person:kim", day(2.2), RULES)
    assert statuses(database)["urge_supplier"] == "written"
    assert compose_due(database, day(2.2), RULES, messenger) == 0
    assert deliver_due(database, day(2.2), RULES, messenger) == Sent(sent=1, anew=1)
    assert len(told.bodies) == 1
