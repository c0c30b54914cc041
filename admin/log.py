"""The log of the daemon and of a single pass."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def log_to_stderr(verbose: bool = False) -> None:
    """Write the log to standard error; the scheduler's own words only when they are asked for or are errors."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.INFO if verbose else logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
