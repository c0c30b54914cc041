"""The webhook channel: signed, never sent into a private network, and left alone where it fails."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from effects.channel import Attachment, Later, NotSent, OutcomeUnknown
from effects.webhook import FAILURES, BadEndpoint, Endpoint, WebhookChannel
from effects.webhook.addresses import is_open
from tests.effects.receiver import message
from tests.factories import START

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
SECRET, NEW_SECRET = f"whsec_{KEY}", f"whsec_{OTHER}"


class Clock:
    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self):
        return self.seconds


@contextmanager
def channel_to(port, host="127.0.0.1", *, secrets=(SECRET,), allow=("127.0.0.1",), resolve=None, clock=None, timeout=2.0):
    clock = clock or Clock()
    options = {"resolve": resolve} if resolve else {}
    made = WebhookChannel(Endpoint(f"http://{host}:{port}/hook?a=1", secrets, allow, timeout), clock, clock, **options)
    try:
        yield made
    finally:
        made.rest()


def test_a_message_is_posted_as_json_and_signed_as_standard_webhooks_has_it(receiver):
    with channel_to(receiver.port, secrets=(SECRET, NEW_SECRET)) as channel:
        channel.send(message(attachments=(Attachment("a.jpeg", "image/jpeg", "ab", lambda: b""),)))
    ((path, heads, body),) = receiver.posts
    told = json.loads(body)
    assert path == "/hook?a=1"
    assert (told["type"], told["timestamp"]) == ("message.escalate", START.isoformat())
    assert told["data"]["subject"] == "Hi 你好"
    assert told["data"]["order"] == "main/1"
    assert told["data"]["attachments"] == [{"name": "a.jpeg", "sha256": "ab"}]
    signed = f"{heads['webhook-id']}.1700000000.".encode() + body
    for number, secret in enumerate((KEY, OTHER)):
        expected = base64.b64encode(hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()).decode()
        assert heads["webhook-signature"].split(" ")[number] == f"v1,{expected}"


def test_a_repeat_has_the_same_id_and_content_and_the_time_of_its_try(receiver):
    clock = Clock()
    with channel_to(receiver.port, clock=clock) as channel:
        channel.send(message())
        clock.seconds += 60
        channel.send(message())
    (_, first, body), (_, again, other) = receiver.posts
    assert (first["webhook-id"], body) == (again["webhook-id"], other)
    assert int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60


@pytest.mark.parametrize(("status", "again"), [(400, True), (404, True), (410, False), (429, True), (500, True), (503, True)])
def test_an_endpoint_that_refuses_is_tried_again_unless_it_is_gone(receiver, status, again):
    receiver.status, receiver.body = status, b"no\nway"
    with channel_to(receiver.port) as channel, pytest.raises(NotSent, match=f"answered {status}: no way") as refused:
        channel.send(message())
    assert refused.value.try_again is again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver, status):
    receiver.status, receiver.heads = status, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
    with channel_to(receiver.port) as channel, pytest.raises(NotSent, match="is not followed"):
        channel.send(message())
    assert [path for path, _, _ in receiver.posts] == ["/hook?a=1"]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fd00::1", "ff02::1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "what"),
    ],
)
def test_a_host_at_an_address_that_is_not_of_the_open_internet_is_not_called(receiver, address):
    assert not is_open(address)
    with _https(lambda *_: ["93.184.216.34", address]) as channel, pytest.raises(NotSent, match="not of the open internet"):
        channel.send(message())
    assert receiver.posts == []


@contextmanager
def _https(resolve):
    clock = Clock()
    made = WebhookChannel(Endpoint("https://hooks.example.com/hook", (SECRET,)), clock, clock, resolve)
    yield made
    made.rest()


def test_open_addresses_are_open():
    assert all(is_open(one) for one in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"))


def test_what_is_allowed_by_name_may_be_private(receiver):
    with channel_to(receiver.port, "hooks.internal", allow=("hooks.internal",), resolve=lambda *_: ["127.0.0.1"]) as channel:
        channel.send(message())
    assert receiver.posts[0][1]["Host"] == f"hooks.internal:{receiver.port}"


def test_a_name_is_looked_up_once_and_the_address_that_was_looked_at_is_the_one_that_is_called(receiver):
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    asked = []

    def resolve(host, port):
        asked.append(host)
        return next(answers)

    with channel_to(receiver.port, "rebinds.example", allow=("rebinds.example",), resolve=resolve) as channel:
        channel.send(message())
        assert asked == ["rebinds.example"]
    assert len(receiver.posts) == 1


def test_a_name_that_is_not_found_is_tried_again():
    def resolve(host, port):
        raise socket.gaierror("no such host")

    with _https(resolve) as channel, pytest.raises(NotSent, match="is not found") as failed:
        channel.send(message())
    assert failed.value.try_again


def test_an_endpoint_that_fails_again_and_again_is_left_alone_for_a_while(receiver):
    receiver.status, clock = 500, Clock()
    with channel_to(receiver.port, clock=clock) as channel:
        for _ in range(FAILURES):
            with pytest.raises(NotSent):
                channel.send(message())
        with pytest.raises(Later) as later:
            channel.send(message())
        assert (later.value.seconds, len(receiver.posts)) == (60.0, FAILURES)
        clock.seconds += 61
        with pytest.raises(NotSent):
            channel.send(message())
        with pytest.raises(Later) as later:
            channel.send(message())
        assert later.value.seconds == 120.0
        clock.seconds += 121
        receiver.status = 200
        channel.send(message())
        channel.send(message())
    assert len(receiver.posts) == FAILURES + 3


@contextmanager
def listening(talk):
    """Serve one connection on loopback by a function of its socket."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_an_endpoint_that_hangs_or_breaks_off_after_the_message_leaves_the_outcome_unknown():
    let_go = threading.Event()

    def hang(connection):
        connection.recv(65_536)
        let_go.wait(10)

    with listening(hang) as port, channel_to(port, timeout=0.2) as channel, pytest.raises(OutcomeUnknown):
        channel.send(message())
    let_go.set()
    for answer in (b"", b"garbage\r\n\r\n", b"HTTP/1.1 2"):
        with (
            listening(lambda connection, answer=answer: (connection.recv(65_536), connection.sendall(answer))) as port,
            channel_to(port) as channel,
            pytest.raises(OutcomeUnknown),
        ):
            channel.send(message())


def test_an_endpoint_that_is_not_there_is_tried_again():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with channel_to(unused.getsockname()[1]) as channel, pytest.raises(NotSent, match="cannot be reached") as failed:
            channel.send(message())
    assert failed.value.try_again


def test_a_server_that_speaks_no_tls_is_not_given_the_message(receiver):
    clock = Clock()
    channel = WebhookChannel(Endpoint(f"https://127.0.0.1:{receiver.port}/", (SECRET,), ("127.0.0.1",)), clock, clock)
    with pytest.raises(NotSent, match="cannot be reached"):
        channel.send(message())
    channel.rest()
    assert receiver.posts == []


@pytest.mark.parametrize(
    ("url", "secrets", "why"),
    [
        ("ftp://example.com", (SECRET,), "is not an address"),
        ("https://kim:pw@example.com/", (SECRET,), "is not an address"),
        ("https:///hook", (SECRET,), "is not an address"),
        ("http://example.com/", (SECRET,), "is not encrypted"),
        ("https://example.com/", (), "no secret"),
        ("https://example.com/", ("secret",), "whsec_"),
        ("https://example.com/", ("whsec_c2hvcnQ=",), "24 to 64"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused_when_it_is_set_up(url, secrets, why):
    with pytest.raises(BadEndpoint, match=why):
        WebhookChannel(Endpoint(url, secrets), Clock(), Clock())
