"""The email channel to a mail server on loopback."""

from time import monotonic

import pytest

from effects.email import EmailChannel


@pytest.fixture
def channel(mailbox):
    made = EmailChannel(mailbox.server, monotonic)
    yield made
    made.rest()
