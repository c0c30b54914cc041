"""run and once."""

import logging
import os
import signal
from types import FrameType
from typing import TYPE_CHECKING

import click

from admin.office import Office, now
from jobs.lock import AlreadyRunning, DaemonLock
from jobs.tick import single_pass

if TYPE_CHECKING:
    from jobs.daemon import Daemon

_LOG = logging.getLogger("aftersales.jobs")
STATEMENT_SECONDS = 60
"""No statement of a daemon takes so long; what does is ended by the server and done again."""


def log_to_stderr(verbose: bool = False) -> None:
    """Write the log to standard error; the scheduler's own words only when they are asked for or are errors."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.INFO if verbose else logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def run_until_told(daemon: "Daemon") -> int:
    """Run a daemon until SIGTERM or SIGINT; return the exit code."""

    def end(number: int, _frame: FrameType | None) -> None:
        _LOG.info("%s: ending", signal.Signals(number).name)
        daemon.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    code = daemon.run()
    if daemon.left_behind:  # a thread that hangs outside would keep the process from ending
        logging.shutdown()
        os._exit(code)
    return code


@click.command("run")
@click.option("--verbose", is_flag=True, help="Log the scheduler's own words too")
@click.pass_context
def run_command(ctx: click.Context, verbose: bool) -> None:
    """Work as a daemon: fire timers when they are due, send effects, keep house; end on SIGTERM or Ctrl-C."""
    from jobs.daemon import Daemon

    log_to_stderr(verbose)
    office = Office(ctx)
    office.made()
    place = office.workplace()
    place.database.limit_statements(STATEMENT_SECONDS)
    ctx.exit(run_until_told(Daemon(place)))


@click.command("once")
@click.pass_context
def once_command(ctx: click.Context) -> None:
    """Make one pass of what the daemon does, and exit; beside a working daemon there is nothing to do."""
    log_to_stderr()
    office = Office(ctx)
    place = office.workplace()
    lock = DaemonLock(place.database)
    try:
        lock.take()
    except AlreadyRunning:
        click.echo(f"A daemon is at work on {place.database.place}: nothing to do.")
        return
    try:
        fired, sent = single_pass(place, now())
    finally:
        lock.free()
    click.echo(f"Fired {fired.count} timers, sent {sent.sent} messages, {sent.failed} could not be sent.")
    if fired.failures:
        ctx.exit(1)
