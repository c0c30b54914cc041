"""run and once."""

import logging

import click

from admin.office import Office, now
from jobs.lock import AlreadyRunning, DaemonLock
from jobs.tick import single_pass


def _log_to_stderr(verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


@click.command("run")
@click.option("--verbose", is_flag=True, help="Log the scheduler's own words too")
@click.pass_context
def run_command(ctx: click.Context, verbose: bool) -> None:
    """Work as a daemon: fire timers when they are due, send effects, keep house; end on SIGTERM or Ctrl-C."""
    from jobs.daemon import Daemon

    _log_to_stderr(verbose)
    office = Office(ctx)
    office.made()
    ctx.exit(Daemon(office.workplace()).run())


@click.command("once")
@click.pass_context
def once_command(ctx: click.Context) -> None:
    """Make one pass of what the daemon does, and exit; beside a working daemon there is nothing to do."""
    _log_to_stderr(False)
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
