"""The log of the daemon and of a single pass."""

import logging


def log_to_stderr(verbose: bool = False) -> None:
    """Write the log to standard error; the scheduler's own words only when they are asked for or are errors."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.INFO if verbose else logging.ERROR)
    for library in ("alembic", "transitions"):  # `transitions` logs every callback
        logging.getLogger(library).setLevel(logging.WARNING)
