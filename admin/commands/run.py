"""run: the daemon."""

import logging
import os
import signal
from types import FrameType
from typing import TYPE_CHECKING

import click

from admin.app import App

if TYPE_CHECKING:
    from jobs.daemon import Daemon

from admin.log import log_to_stderr

_LOG = logging.getLogger("aftersales.jobs")


STATEMENT_SECONDS = 60
"""Statement timeout of a daemon, in seconds; the server cancels longer ones, and they are retried."""


def run_until_told(daemon: "Daemon") -> int:
    """Run a daemon until SIGTERM or SIGINT; return the exit code."""

    def end(number: int, _frame: FrameType | None) -> None:
        _LOG.info("%s: ending", signal.Signals(number).name)
        daemon.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    code = daemon.run()
    if daemon.abandoned_threads:  # a thread that hangs outside would keep the process from ending
        logging.shutdown()
        os._exit(code)
    return code


@click.command("run")
@click.option("--verbose", is_flag=True, help="Log the scheduler's own words too")
@click.pass_context
def run_command(ctx: click.Context, verbose: bool) -> None:
    """Run as a daemon: fire due timers, send effects, run maintenance; stop on SIGTERM or Ctrl-C."""
    from jobs.daemon import Daemon

    log_to_stderr(verbose)
    app = App(ctx)
    app.made()
    runtime = app.runtime()
    runtime.database.limit_statements(STATEMENT_SECONDS)
    ctx.exit(run_until_told(Daemon(runtime)))
