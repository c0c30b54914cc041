"""The interface that all channels share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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


class Channel(Protocol):
    """Carries messages out of the engine."""

    def send(self, message: Outgoing) -> None:
        """Send one message; returning means that it has left for good.

        Raises:
            NotSent: it has certainly not left.
            OutcomeUnknown: it may or may not have left.

        """


class NotSent(Exception):
    """The message has certainly not left; `try_again` says whether a later try can help."""

    def __init__(self, why: str, *, try_again: bool) -> None:
        super().__init__(why)
        self.try_again = try_again


class OutcomeUnknown(Exception):
    """The connection broke when the message may already have been taken."""
