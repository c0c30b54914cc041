"""The webhook channel: messages as JSON over HTTPS, signed as Standard Webhooks has it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from effects.channel import Later, NotSent, OutcomeUnknown, Outgoing
from effects.webhook.addresses import Resolve, address_of, resolved
from language import tr

SECRET = "whsec_"  # noqa: S105  (what secrets begin with)
FAILURES = 5
"""After so many failures one after the other an endpoint is left alone for a while."""
REST_SECONDS, LONGEST_REST_SECONDS = 60.0, 900.0
ANSWER_BYTES = 300
"""So much of an answer is read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a webhook is sent. `secrets` sign it, each by itself; `allow` are hosts and addresses that need not be public."""

    url: str
    secrets: Sequence[str]
    allow: Sequence[str] = ()
    timeout_seconds: float = 10.0


class BadEndpoint(ValueError):
    """The address or a secret of a webhook cannot be used; the message says why."""


class WebhookChannel:
    """Posts each message to one endpoint, and leaves it alone for a while after it has failed again and again.

    `now` returns seconds since 1970, `monotonic` those of a clock that is never set back.
    """

    def __init__(
        self, endpoint: Endpoint, now: Callable[[], float], monotonic: Callable[[], float], resolve: Resolve = resolved
    ) -> None:
        """Take an endpoint.

        Raises:
            BadEndpoint: its address or a secret cannot be used.

        """
        self._endpoint, self._now, self._monotonic, self._resolve = endpoint, now, monotonic, resolve
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
            raise BadEndpoint(tr("{url!r} is not an address such as https://example.com/hook", url=endpoint.url))
        if parts.scheme == "http" and parts.hostname not in endpoint.allow:
            raise BadEndpoint(tr("{url!r} is not encrypted: use https, or name its host under allow", url=endpoint.url))
        self._is_encrypted, self._host = parts.scheme == "https", parts.hostname
        self._port = parts.port or (443 if self._is_encrypted else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._keys = [_key(one) for one in endpoint.secrets]
        if not self._keys:
            raise BadEndpoint(tr("it has no secret to sign with: give it secrets"))
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self._failures, self._rests_until = 0, 0.0

    def send(self, message: Outgoing) -> None:
        """Post one message. The address that its host is found at is the one that is connected to.

        Raises:
            NotSent: the endpoint cannot be reached or may not be, or has refused it.
            Later: it has failed again and again, and is left alone for a while.
            OutcomeUnknown: it did not answer whether it has taken it.

        """
        if (rest := self._rests_until - self._monotonic()) > 0:
            raise Later(rest)
        try:
            self._post(message)
        except Exception:
            self._failures += 1
            if self._failures >= FAILURES:
                longer = 2 ** min(self._failures - FAILURES, 10)
                self._rests_until = self._monotonic() + min(REST_SECONDS * longer, LONGEST_REST_SECONDS)
            raise
        self._failures = 0

    def rest(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()
        self._pools = {}

    def _post(self, message: Outgoing) -> None:
        body = content(message)
        heads = {
            "Host": self._host if self._port in (80, 443) else f"{self._host}:{self._port}",
            "Content-Type": "application/json",
            **signed(body, identity(message.key), int(self._now()), self._keys),
        }
        address = address_of(self._host, self._port, self._endpoint.allow, self._resolve)
        try:
            answer = self._pool(address).urlopen(
                "POST", self._target, body=body, headers=heads, redirect=False, retries=False, preload_content=False
            )
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            raise NotSent(
                tr("{host} cannot be reached: {error}", host=self._host, error=_said(error)), try_again=True
            ) from None
        except (ReadTimeoutError, ProtocolError, HTTPError) as error:
            raise OutcomeUnknown(tr("{host} did not answer: {error}", host=self._host, error=_said(error))) from None
        try:
            said = answer.read1(ANSWER_BYTES)
            if answer.length_remaining:
                answer.close()
            else:
                answer.drain_conn()
        except HTTPError:
            said = b""
            answer.close()
        if 200 <= answer.status < 300:
            return
        words = said.decode(errors="replace")
        why = tr("{host} answered {status}: {words}", host=self._host, status=answer.status, words=" ".join(words.split()))
        if 300 <= answer.status < 400:
            why = tr("{host} sends elsewhere ({status}), and that is not followed", host=self._host, status=answer.status)
        raise NotSent(why[:300], try_again=answer.status != 410)

    def _pool(self, address: str) -> urllib3.HTTPConnectionPool:
        if address not in self._pools:
            self.rest()
            timeout = urllib3.Timeout(self._endpoint.timeout_seconds)
            self._pools[address] = (
                urllib3.HTTPSConnectionPool(
                    address, self._port, timeout=timeout, server_hostname=self._host, assert_hostname=self._host
                )
                if self._is_encrypted
                else urllib3.HTTPConnectionPool(address, self._port, timeout=timeout)
            )
        return self._pools[address]


def content(message: Outgoing) -> bytes:
    """Return the JSON of a message: the same on every try."""
    data: dict[str, Any] = {
        name: getattr(message, name) for name in ("key", "kind", "recipient", "language", "subject", "body")
    }
    data["order"] = message.thread
    data["attachments"] = [{"name": one.name, "sha256": one.sha256} for one in message.attachments]
    at = message.written_at.isoformat() if message.written_at else None
    return json.dumps({"type": f"message.{message.kind}", "timestamp": at, "data": data}, ensure_ascii=False).encode()


def identity(key: str) -> str:
    """Return the id under which a receiver knows a message, on every try."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signed(body: bytes, message_id: str, at: int, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of a signed message; each key signs, so that a receiver may know the old one or the new one.

    >>> signed(b"{}", "msg_1", 1700000000, [b"key"])["webhook-signature"]
    'v1,XaXLFEFQ69Q4+demDWPEv5ydXczDW2mM5crCUEFcFBA='
    """
    told = f"{message_id}.{at}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def _key(secret: str) -> bytes:
    """Read a secret: whsec_ and base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET) or not 24 <= len(key) <= 64:
        raise BadEndpoint(tr("a secret is whsec_ and base64 of 24 to 64 random bytes"))
    return key


def _said(error: Exception) -> str:
    """Return an error of the library without the words that are of the program: the pool, the object."""
    return " ".join(str(error).split())[:200]
