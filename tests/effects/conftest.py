"""Servers on loopback that channels send to."""

from time import monotonic

import pytest

from effects.email import EmailChannel
from tests.effects.receiver import Receiver


@pytest.fixture
def channel(mailbox):
    made = EmailChannel(mailbox.server, monotonic)
    yield made
    made.rest()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()
