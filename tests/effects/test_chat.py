"""The chat channel, to a service of one's own on loopback (Apprise's `json://`)."""

import json

import pytest

from effects.channel import NotSent, OutcomeUnknown
from effects.chat import BadService, ChatChannel
from tests.effects.receiver import message


def test_a_message_is_told_as_it_was_written(receiver):
    ChatChannel(f"json://127.0.0.1:{receiver.port}/").send(message(body="- one <b>\n- two\n"))
    ((_, _, body),) = receiver.posts
    told = json.loads(body)
    assert (told["title"], told["message"]) == ("Hi 你好", "- one <b>\n- two")


def test_what_a_service_does_not_take_may_have_arrived(receiver):
    receiver.status = 500
    with pytest.raises(OutcomeUnknown, match="did not take it"):
        ChatChannel(f"json://127.0.0.1:{receiver.port}/").send(message())


def test_a_service_that_is_not_known_is_named_without_its_secret():
    with pytest.raises(BadService, match="no address of a service") as refused:
        ChatChannel("slck://secret/secret")
    assert "secret" not in str(refused.value)


def test_an_empty_message_is_not_sent(receiver):
    with pytest.raises(NotSent):
        ChatChannel(f"json://127.0.0.1:{receiver.port}/").send(message(body=" \n"))
    assert receiver.posts == []
