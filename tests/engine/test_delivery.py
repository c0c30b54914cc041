import errno
import json
import os
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from unittest.mock import ANY
from zoneinfo import ZoneInfo

import pytest

from effects import letters
from effects.channel import NotSent, OutcomeUnknown, Outgoing
from effects.email import EmailChannel
from effects.file import FileChannel
from effects.letters import BadTemplate, Letters
from effects.log import LogChannel
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.sending import Sent, back_off, deliver_due, recover
from storage import outbox, queries
from tests.factories import (
    START,
    all_effects,
    all_flags,
    arrival,
    day,
    decide,
    letter_about,
    order,
    report,
    rules_of,
    send_due,
    statuses,
    take,
)
from workflow.addresses import email_address
from workflow.process import EFFECTS
from workflow.vocabulary import Effect, Party

ASKS_NOTHING = """
[effects]
default_channels = ["file"]
tries = 3
[effects.modes]
place_supply = "auto"
[contacts]
escalation = "me@example.com"
merchant = "shop@example.com"
[contacts.suppliers]
Yiwu = "yiwu@example.com"
"""
RULES = rules_of(ASKS_NOTHING)


class Broken:
    """A channel that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        self.error, self.keys = error, []

    def send(self, message: Outgoing) -> None:
        self.keys.append(message.key)
        raise self.error


@pytest.fixture
def messenger(tmp_path):
    return Messenger({"file": FileChannel(tmp_path / "out.jsonl"), "log": LogChannel()}, Letters())


def sent(tmp_path):
    file = tmp_path / "out.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_channel_that_is_not_set_up_leaves_its_message_waiting_and_the_others_go_on(database, tmp_path):
    rules = rules_of(ASKS_NOTHING.replace('["file"]', '["email", "file"]'))
    take(database, arrival("1", supplier="Yiwu"), rules=rules)
    fire_due(database, day(2), rules)
    sent_now = deliver_due(database, day(2), rules, Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters()))
    assert (sent_now.sent, sent_now.failed) == (1, 1)
    with database.read() as connection:
        found = {row["channel"]: (row["status"], row["error"]) for row in queries.messages(connection, 1)}
    assert found == {"file": ("sent", None), "email": ("waiting", "the channel 'email' is not set up")}


def test_every_effect_has_a_text_in_both_languages_and_one_that_has_none_is_named(monkeypatch):
    assert [*Letters().problems()] == []
    monkeypatch.setattr(letters, "EFFECTS", (*EFFECTS, Effect("sing", Party.merchant)))
    assert [*Letters().problems()] == ["there is no text en/sing.txt", "there is no text zh/sing.txt"]


@pytest.mark.parametrize("kind", ["request_refund", "chase_refund"])
def test_a_chinese_letter_about_an_unknown_sum_has_no_english_in_it(kind):
    about = letter_about({"about": "report_no_stock"}, order(paid=None))
    letter = Letters().write(kind, "zh", [about])
    assert "已付全款" in letter.body
    assert "amount" not in letter.body
    assert "the full amount paid" in Letters().write(kind, "en", [about]).body


def test_letters_name_the_goods_and_the_day_of_the_place_where_they_are_read(database, messenger, tmp_path):
    take(database, arrival("1", report("report_no_stock", 1), supplier="Yiwu", paid=1_000), now=1, rules=RULES)
    told = arrival("2", supplier="Yiwu")
    take(database, replace(told, order=replace(told.order, placed_at=day(-0.5))), now=1, rules=RULES)
    fire_due(database, day(2), RULES)
    deliver_due(database, day(2), RULES, messenger)
    bodies = {one["kind"]: one["body"] for one in sent(tmp_path)}
    assert "- order main/2, placed 2025-03-03: 2 x sku (Lamp)" in bodies["urge_supplier"], "21:00 UTC is the next day there"
    assert "Items: 2 x sku (Lamp)." in bodies["recover_supply"]


@pytest.mark.parametrize(
    ("zone", "told"),
    [("UTC", "2025-03-04 09:00 (UTC)"), ("Asia/Kolkata", "2025-03-04 14:30 (UTC+5:30)"), ("US/Eastern", "04:00 (UTC-5)")],
)
def test_an_instant_is_written_in_the_readers_zone_with_its_offset(zone, told):
    about = letter_about({"about": "approve", "window_ends": day(1).isoformat()})
    assert told in Letters().write("notify_merchant", "en", [about], ZoneInfo(zone)).body


def test_a_merchant_reads_times_of_their_own_zone(database, tmp_path):
    messenger = Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters(), ZoneInfo("America/Sao_Paulo"))
    sold = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    take(database, arrival("1", *sold, supplier="Yiwu"), now=4, rules=RULES)
    deliver_due(database, day(4), RULES, messenger)
    (asked,) = [one["body"] for one in sent(tmp_path) if one["kind"] == "ask_evidence"]
    assert "(UTC-3)" in asked


@pytest.mark.parametrize("kind", ["request_verification", "place_reissue", "ask_evidence"])
def test_what_is_wrong_is_said_in_chinese_too(kind):
    about = letter_about({"kind": "not_received", "about": "choose_reissue"})
    assert "未收到" in Letters().write(kind, "zh", [about]).body
    assert "not received" in Letters().write(kind, "en", [about]).body


def test_urges_that_wait_for_one_supplier_become_one_digest(database, messenger, tmp_path):
    take(database, *(arrival(str(n), supplier="Yiwu") for n in range(100)), arrival("x", supplier="Ningbo"), rules=RULES)
    fire_due(database, day(2), RULES)
    deliver_due(database, day(2), RULES, messenger)
    messages = sent(tmp_path)
    assert [message["recipient"] for message in messages] == ["yiwu@example.com", None]
    assert "100 overdue orders" in messages[0]["subject"]
    assert messages[0]["body"].count("- order main/") == 100
    assert statuses(database) == {"urge_supplier": "sent"}
    assert deliver_due(database, day(2), RULES, messenger).sent == 0


def test_a_supplier_gets_one_digest_however_many_batches_its_urges_would_fill(database, messenger, tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "ROOM", 20)
    take(database, *(arrival(str(n), supplier=("Yiwu", "Ningbo")[n % 2]) for n in range(50)), rules=RULES)
    fire_due(database, day(2), RULES)
    assert [compose_due(database, day(2), RULES, messenger, batch=10) for _ in range(3)] == [25, 25, 0], (
        "one supplier at a time"
    )
    assert send_due(database, day(2), RULES, messenger).sent == 2
    assert [message["body"].count("- order main/") for message in sent(tmp_path)] == [25, 25]


def test_a_mail_that_nobody_has_an_address_for_waits_for_one(database, mailbox, tmp_path):
    by_mail = rules_of(ASKS_NOTHING.replace('["file"]', '["email"]'))
    unknown = rules_of("[effects]\ndefault_channels = ['email']\n")
    messenger = Messenger({"email": EmailChannel(mailbox.server, monotonic)}, Letters())
    take(database, arrival("1", supplier="Yiwu"), rules=unknown)
    fire_due(database, day(2), unknown)
    assert deliver_due(database, day(2), unknown, messenger).sent == 0
    with database.write() as connection:
        (flag,) = all_flags(connection)
        assert "set [contacts.suppliers] 'Yiwu' in the policy" in flag["detail"]
        decide(connection, "retry", all_effects(connection), "person:kim", day(2))
    assert deliver_due(database, day(2), by_mail, messenger).sent == 1
    assert mailbox.mails[0].rcpt_tos == ["yiwu@example.com"]


def test_as_many_effects_as_a_first_import_holds_are_decided_at_once(database):
    take(database, *(arrival(str(n)) for n in range(1_200)), observed=True)
    while fire_due(database, day(2), RULES).count:
        pass
    with database.write() as connection:
        held = all_effects(connection, "held")
        assert decide(connection, "approve", held, "person:kim", day(2)) == 1_200
    assert statuses(database) == {"urge_supplier": "ready"}


def test_what_waits_for_a_word_leaves_when_it_is_approved_and_never_when_it_is_dropped(database, messenger, tmp_path):
    rules = rules_of()
    oversized = report("report_oversized", 1)
    take(database, arrival("1", oversized), arrival("2", oversized), now=1, rules=rules, observed=True)
    deliver_due(database, day(1), rules, messenger)
    with database.write() as connection:
        first, second = all_effects(connection, "held")
        decide(connection, "approve", [first], "person:kim", day(1))
        decide(connection, "drop", [second], "person:kim", day(1))
    assert deliver_due(database, day(1), rules, messenger).sent == 1
    with database.read() as connection:
        assert {row["status"] for row in all_effects(connection)} == {"sent", "dropped"}


def test_a_message_that_cannot_leave_is_tried_later_and_later_and_then_is_a_dead_letter(database, tmp_path):
    broken = Broken(NotSent("no route", try_again=True))
    messenger = Messenger({"file": broken}, Letters())
    take(database, arrival("1"), rules=RULES)
    fire_due(database, day(2), RULES)
    at = day(2)
    for minutes in (0, 1, 2):
        at += timedelta(minutes=minutes)
        assert deliver_due(database, at, RULES, messenger).failed == 1
        assert deliver_due(database, at, RULES, messenger).failed == 0
    assert broken.keys == ["main/1:2:urge_supplier:file"] * 3
    assert statuses(database) == {"urge_supplier": "dead"}
    with database.write() as connection:
        (flag,) = all_flags(connection)
        assert flag["flag"] == "effect_stuck"
        assert decide(connection, "retry", all_effects(connection), "person:kim", at) == 1
    fixed = Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters())
    assert deliver_due(database, at, RULES, fixed).sent == 1
    assert sent(tmp_path)[0]["key"] == broken.keys[0]


def test_what_moves_goods_is_parked_when_its_outcome_is_unknown_and_all_else_is_sent_again(database):
    messenger = Messenger({"file": Broken(OutcomeUnknown("cut off"))}, Letters())
    take(database, arrival("1", report("report_no_stock", 1)), arrival("2"), now=1, rules=RULES)
    fire_due(database, day(2), RULES)
    deliver_due(database, day(2), RULES, messenger)
    assert statuses(database) == {"place_supply": "parked", "recover_supply": "parked", "urge_supplier": "leaving"}
    with database.write() as connection:
        parked = [row for row in all_effects(connection) if row["status"] == "parked"]
        assert decide(connection, "drop", parked, "person:kim", day(2)) == 2
    assert statuses(database)["place_supply"] == "dropped"


def test_messages_whose_sender_was_killed_are_taken_over(database, messenger, tmp_path):
    take(database, arrival("1", report("report_no_stock", 1)), arrival("2"), now=1, rules=RULES)
    fire_due(database, day(2), RULES)
    killed = Messenger({"file": Broken(KeyboardInterrupt())}, Letters())
    with pytest.raises(KeyboardInterrupt):
        deliver_due(database, day(2), RULES, killed)
    assert recover(database, day(2)) == 1, "the one whose sending had begun; the others wait"
    assert statuses(database) == {"place_supply": "parked", "recover_supply": "written", "urge_supplier": "written"}
    assert deliver_due(database, day(2), RULES, messenger).sent == 2


def test_a_template_that_cannot_be_filled_in_stops_nobody_else(database, tmp_path):
    own = tmp_path / "texts"
    (own / "en").mkdir(parents=True)
    (own / "en" / "place_supply.txt").write_text("{{ 1 / 0 }}")
    messenger = Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters(own))
    take(database, arrival("1", report("report_no_stock", 1)), now=1, rules=RULES)
    assert deliver_due(database, day(1), RULES, messenger).sent == 1
    assert statuses(database) == {"place_supply": "dead", "recover_supply": "sent"}
    (own / "en" / "place_supply.txt").write_text("Mine\n\nOwn words")
    with database.write() as connection:
        decide(connection, "retry", all_effects(connection, "dead"), "person:kim", day(1))
    messenger = Messenger(messenger.channels, Letters(own))
    assert deliver_due(database, day(1), RULES, messenger).sent == 1
    assert sent(tmp_path)[-1]["subject"] == "Mine"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("kind", [effect.kind for effect in EFFECTS])
def test_every_kind_has_a_text_in_both_languages(kind, language):
    details = {"about": "cancel", "address": "12 Long Lane", "wants": "payment", "nth": 1, "called_off": 2, "to": "x"}
    letter = Letters().write(kind, language, [letter_about(details, order(paid=1250))])
    assert "main/1" in letter.subject + letter.body
    assert letter.body.strip()


def test_a_template_of_no_kind_is_named():
    with pytest.raises(BadTemplate, match=r"en/shout\.txt"):
        Letters().write("shout", "en", [letter_about({})])


def mail(**values):
    usual = {"key": "k", "kind": "escalate", "recipient": "a@b.example", "subject": "你好", "body": "text\n"}
    return Outgoing(**{**usual, "written_at": START, **values})


def lines(path):
    return [json.loads(line)["key"] for line in path.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def test_a_message_behind_a_torn_line_stands_on_a_line_of_its_own(tmp_path):
    file = tmp_path / "out.jsonl"
    FileChannel(file).send(mail(key="first"))
    with file.open("a") as torn:
        torn.write('{"key": "torn", "subject": "half a li')
    FileChannel(file).send(mail(key="second"))
    assert lines(file) == ["first", "second"]
    assert file.read_text().endswith("\n")


def test_a_line_that_is_written_in_pieces_is_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr("effects.file.os.write", lambda handle, data: write(handle, data[:7]))
    FileChannel(tmp_path / "out.jsonl").send(mail(key="whole"))
    assert lines(tmp_path / "out.jsonl") == ["whole"]


def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_nothing_of_it(tmp_path, monkeypatch):
    file, write = tmp_path / "out.jsonl", os.write
    FileChannel(file).send(mail(key="first"))
    pieces = iter([20])

    def full(handle, data):
        for room in pieces:
            return write(handle, data[:room])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("effects.file.os.write", full)
        with pytest.raises(NotSent, match="No space left") as caught:
            FileChannel(file).send(mail(key="second"))
    assert caught.value.try_again
    assert lines(file) == ["first"]
    assert file.read_text().count("\n") == 1


def test_a_line_that_may_not_have_reached_the_disk_has_an_unknown_outcome(tmp_path, monkeypatch):
    def failing(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("effects.file.os.fsync", failing)
    with pytest.raises(OutcomeUnknown, match="may not have reached the disk"):
        FileChannel(tmp_path / "out.jsonl").send(mail())


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path):
    with pytest.raises(NotSent) as caught:
        FileChannel(tmp_path).send(mail())
    assert caught.value.try_again


def test_a_channel_that_fails_as_nobody_foresaw_holds_up_nobody_else(database, tmp_path):
    class Surprising(FileChannel):
        def send(self, message):
            if "main/1" in message.key:
                raise AttributeError("a mistake")
            super().send(message)

    take(database, arrival("1", supplier="A"), arrival("2", supplier="B"), rules=RULES)
    fire_due(database, day(2), RULES)
    messenger = Messenger({"file": Surprising(tmp_path / "out.jsonl")}, Letters())
    assert deliver_due(database, day(2), RULES, messenger) == Sent(1, 1, ANY)
    assert [one["key"] for one in sent(tmp_path)] == ["main/2:2:urge_supplier:file"]


def test_a_message_is_tried_for_about_three_days():
    policy = rules_of().policy
    waits = sum((back_off(tries, policy) for tries in range(1, policy.effects.tries)), timedelta(0))
    assert timedelta(days=2.5) < waits < timedelta(days=3.5)


def test_the_longest_back_off_is_never_exceeded_however_many_tries():
    patient = rules_of("[effects]\ntries = 100\nfirst_retry_after = '9999d'\nlongest_retry_after = '9999d'\n").policy
    assert back_off(100, patient) == timedelta(days=9999)
    assert back_off(100, RULES.policy) == timedelta(hours=6)
    assert back_off(3, RULES.policy) == timedelta(minutes=4)
    slow = rules_of("[effects]\nfirst_retry_after = '5000d'\nlongest_retry_after = '9999d'\n").policy
    assert back_off(90, slow) == timedelta(days=9999)


@pytest.mark.parametrize("address", ["供应商@例子.中国", "=@[?.c", "a@b", "a b@c.de", "@c.de", "a@" + "b" * 70 + ".de"])
def test_what_a_mail_server_would_not_take_is_no_address(address):
    with pytest.raises(ValueError, match="is not an email address"):
        email_address(address)
