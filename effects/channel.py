"""The interface that all channels share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a message carries. `read` returns its content, or raises `NotSent`."""

    name: str
    media_type: str
    sha256: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as a channel gets it. The key is the same on every try; receivers may use it to drop repeats."""

    key: str
    kind: str
    recipient: str | None
    subject: str
    body: str
    language: str = "en"
    written_at: datetime | None = None
    """When it was written: the same on every try, as all else of it."""
    attachments: tuple[Attachment, ...] = ()
    thread: str | None = None
    """The order that it is about, if it is about one alone: messages of one thread are shown together."""


class Channel(Protocol):
    """Carries messages out of the engine."""

    def send(self, message: Outgoing) -> None:
        """Send one message; returning means that it has left for good.

        Raises:
            NotSent: it has certainly not left.
            Later: it has not left, for the channel takes no more for now.
            OutcomeUnknown: it may or may not have left.

        """


class NotSent(Exception):
    """The message has certainly not left; `try_again` says whether a later try can help."""

    def __init__(self, why: str, *, try_again: bool) -> None:
        super().__init__(why)
        self.try_again = try_again


class Later(Exception):
    """The channel takes nothing more for so many `seconds`: it has sent as much as it may. The message has not left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds:.0f} seconds")
        self.seconds = seconds


@runtime_checkable
class Keeps(Protocol):
    """A channel that keeps something between messages, such as a connection."""

    def rest(self) -> None:
        """Let go of it: nothing is to be sent for now."""


class OutcomeUnknown(Exception):
    """The connection broke when the message may already have been taken."""
