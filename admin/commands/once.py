"""once: a single pass of the daemon's jobs."""

from typing import TYPE_CHECKING

import click

from admin.app import App, now
from jobs.lock import AlreadyRunning, DaemonLock
from jobs.passes import single_pass
from workflow.plurals import counted

if TYPE_CHECKING:
    pass

from admin.log import log_to_stderr


@click.command("once")
@click.pass_context
def once_command(ctx: click.Context) -> None:
    """Run the daemon's jobs once and exit; while a daemon runs on the same database, do nothing."""
    log_to_stderr()
    app = App(ctx)
    runtime = app.runtime()
    lock = DaemonLock(runtime.database)
    try:
        lock.take()
    except AlreadyRunning:
        click.echo(f"A daemon is running on {runtime.database.location}: nothing to do.")
        return
    try:
        fired, sent = single_pass(runtime, now())
    finally:
        lock.free()
    click.echo(f"Fired {counted(fired.count, 'timer')}, sent {counted(sent.sent, 'message')}, {sent.failed} could not be sent.")
    if fired.failures:
        ctx.exit(1)
