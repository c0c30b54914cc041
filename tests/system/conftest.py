"""What tests of whole processes share."""

import logging

import pytest

from tests.system.daemons import Listening


@pytest.fixture
def log():
    handler, logger = Listening(), logging.getLogger("aftersales.jobs")
    level, logger.level = logger.level, logging.INFO
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
