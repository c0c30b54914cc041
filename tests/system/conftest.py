"""What tests of whole processes share."""

import logging

import pytest

from tests.system.daemons import Listening


@pytest.fixture
def log():
    handler, logger = Listening(), logging.getLogger("aftersales.jobs")
    level = logger.level
    logger.setLevel(logging.INFO)  # which forgets, unlike an assignment, that it was off before
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
