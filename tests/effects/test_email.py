"""The email channel against real servers on loopback, well-behaved and not."""

import socket
from dataclasses import replace
from email import message_from_bytes, policy
from time import monotonic

import pytest

from effects.channel import Later, NotSent, OutcomeUnknown, Outgoing
from effects.email import MOST_OVER_ONE, EmailChannel, SmtpServer, compose
from effects.letters import Letters
from engine.composing import Messenger
from engine.sending import deliver_due
from tests.effects.misbehaving import STAGES, WAYS, Misbehaving
from tests.factories import START, arrival, day, report, rules_of, statuses, take


def mail(**values):
    usual = {"key": "k", "kind": "escalate", "recipient": "a@b.example", "subject": "你好", "body": "text\n"}
    return Outgoing(**{**usual, "written_at": START, **values})


def test_a_mail_arrives_with_the_same_message_id_on_every_try(mailbox, channel):
    channel.send(mail())
    channel.send(mail())
    first, second = (envelope.content.decode() for envelope in mailbox.mails)
    assert mailbox.mails[0].rcpt_tos == ["a@b.example"]
    assert first == second
    assert f"@{mailbox.server.sender.rpartition('@')[2]}>" in first
    assert "Date: Mon, 03 Mar 2025 09:00:00 +0000" in first.splitlines()
    ids = [line for text in (first, second) for line in text.splitlines() if line.startswith("Message-ID")]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("554 spam", False)])
def test_a_server_that_says_no_is_believed(mailbox, channel, answer, again):
    mailbox.answer = answer
    with pytest.raises(NotSent, match=answer) as caught:
        channel.send(mail())
    assert caught.value.try_again is again


def test_a_server_that_is_not_there_is_tried_again():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = SmtpServer("127.0.0.1", unused.getsockname()[1], security="none")
        with pytest.raises(NotSent, match="cannot be reached") as caught:
            EmailChannel(server, monotonic).send(mail())
    assert caught.value.try_again
    with pytest.raises(NotSent, match="no SMTP server is set up"):
        EmailChannel(None, monotonic).send(mail())


@pytest.mark.parametrize("bad", [{"recipient": None}, {"subject": "hi\r\nBcc: x@y.example"}, {"recipient": "a@b\n.example"}])
def test_a_mail_without_an_address_or_with_a_smuggled_header_is_not_sent(bad):
    with pytest.raises(NotSent) as caught:
        compose(mail(**bad), "me@example.com")
    assert not caught.value.try_again


@pytest.mark.parametrize("answer", ["354 go on", "199 wait", "600 what", "no reply at all"])
def test_an_answer_to_the_text_that_is_neither_yes_nor_no_leaves_the_outcome_unknown(mailbox, channel, answer):
    mailbox.answer = answer
    with pytest.raises(OutcomeUnknown):
        channel.send(mail())


def test_mails_go_over_one_connection_until_nothing_is_left(mailbox, channel):
    for number in range(5):
        channel.send(mail(key=str(number)))
    assert (len(mailbox.mails), mailbox.connections) == (5, 1)
    channel.rest()
    channel.send(mail())
    assert mailbox.connections == 2


def test_a_connection_is_given_up_after_many_mails(mailbox, channel):
    for number in range(MOST_OVER_ONE + 1):
        channel.send(mail(key=str(number)))
    assert (len(mailbox.mails), mailbox.connections) == (MOST_OVER_ONE + 1, 2)


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_anew(mailbox, channel):
    channel.send(mail(key="1"))
    mailbox.drops_the_next = True
    channel.send(mail(key="2"))
    assert (len(mailbox.mails), mailbox.connections) == (2, 2)


def test_after_a_refusal_the_next_mail_goes_over_a_new_connection(mailbox, channel):
    mailbox.answer = "554 spam"
    with pytest.raises(NotSent):
        channel.send(mail(key="1"))
    mailbox.answer = "250 OK"
    channel.send(mail(key="2"))
    assert mailbox.connections == 2


def test_no_more_mails_leave_within_a_minute_than_may(mailbox):
    now = [0.0]
    channel = EmailChannel(replace(mailbox.server, most_per_minute=2), lambda: now[0])
    channel.send(mail(key="1"))
    now[0] = 20.0
    channel.send(mail(key="2"))
    with pytest.raises(Later) as later:
        channel.send(mail(key="3"))
    assert later.value.seconds == 40.0
    now[0] = 60.0
    channel.send(mail(key="3"))
    channel.rest()
    assert len(mailbox.mails) == 3


def test_what_has_to_wait_for_the_limit_is_not_a_failed_try(database, mailbox):
    now = [0.0]
    channel = EmailChannel(replace(mailbox.server, most_per_minute=1), lambda: now[0])
    messenger = Messenger({"email": channel}, Letters())
    asking = rules_of(
        "[effects]\ndefault_channels = ['email']\ntries = 1\n[contacts]\nplatform = 'p@x.example'\nmerchant = 'm@x.example'\n"
    )
    take(database, *(arrival(str(n), report("report_oversized", 1), paid=100) for n in range(3)), now=1, rules=asking)
    for at in range(3):
        now[0] = 60.0 * at
        assert deliver_due(database, day(1 + at / 1440), asking, messenger).sent == 1
    assert len(mailbox.mails) == 3
    assert statuses(database) == {"request_refund": "sent"}


def test_mails_about_one_order_are_one_thread(mailbox, channel):
    channel.send(mail(key="1", thread="main/1"))
    channel.send(mail(key="2", thread="main/1"))
    channel.send(mail(key="3", thread="main/2"))
    channel.send(mail(key="4"))
    heads = [dict(compose(one, "me@shop.example").items()) for one in (mail(thread="main/1"), mail(thread="main/1"), mail())]
    assert heads[0]["References"] == heads[1]["In-Reply-To"]
    assert heads[0]["References"].endswith("@shop.example>")
    assert "References" not in heads[2]
    sent = [envelope.content.decode() for envelope in mailbox.mails]
    roots = [[line for line in text.splitlines() if line.startswith("References")] for text in sent]
    assert roots[0] == roots[1] != roots[2]
    assert roots[3] == []


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        ("=?utf-8?q?x=0D=0ABcc:_a@b.example?= main/1", "= ?utf-8?q?x=0D=0ABcc:_a@b.example?= main/1"),
        ("=?utf-8?b?SGk=?= you", "= ?utf-8?b?SGk= ?= you"),
        ("订单 =?utf-8?q?=3Cb=3E?=", "订单 = ?utf-8?q?=3Cb=3E?="),
        ("{{ 7*7 }} <b>", "{{ 7*7 }} <b>"),
    ],
)
def test_what_stands_in_a_subject_is_read_as_it_was_written(subject, read):
    sent = message_from_bytes(compose(mail(subject=subject), "me@shop.example").as_bytes(), policy=policy.SMTP)
    assert sent["Subject"] == read
    assert "Bcc" not in sent


OUTCOMES = {
    ("mail", "554 no"): "dead",
    ("rcpt", "554 no"): "dead",
    ("data", "554 no"): "dead",
    ("text", "554 no"): "dead",
    ("text", "drop"): "unknown",
    ("text", "hang"): "unknown",
    ("text", "garbage"): "unknown",
}
"""What becomes of a mail, of which it is not tried again later: the server says never, or may have taken it."""


@pytest.mark.parametrize(("stage", "way"), [*((stage, way) for stage in STAGES for way in WAYS), ("starttls", "refused")])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_mail_ends_as_the_server_has_left_it(database, stage, way):
    rules = rules_of(
        "[effects]\ndefault_channels = ['email']\n[contacts]\nplatform = 'p@x.example'\nmerchant = 'm@x.example'\n"
    )
    server = Misbehaving(stage, way)
    security = "starttls" if stage == "starttls" else "none"
    channel = EmailChannel(SmtpServer("127.0.0.1", server.port, security=security, timeout_seconds=0.2), monotonic)
    sold = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    take(database, arrival("1", report("report_oversized", 1), paid=100), arrival("2", *sold), now=3, rules=rules)
    try:
        deliver_due(database, day(3), rules, Messenger({"email": channel}, Letters()))
    finally:
        channel.rest()
        server.stop()
    ends = OUTCOMES.get((stage, way), "waits")
    moves_money = {"dead": "dead", "unknown": "parked", "waits": "leaving"}[ends]
    harmless = {"dead": "dead", "unknown": "leaving", "waits": "leaving"}[ends]
    assert statuses(database) == {"request_refund": moves_money, "ask_evidence": harmless}
