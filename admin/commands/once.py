"""once: a single pass of the daemon's jobs."""

import click

from admin.app import App, now
from admin.commands.run import CLOCK_IS_RIGHT
from admin.log import log_to_stderr
from jobs.ownership import AlreadyRunning, owned
from jobs.passes import plausible_clock, single_pass
from workflow.errors import AftersalesError
from workflow.plurals import counted


@click.command("once")
@CLOCK_IS_RIGHT
@click.pass_context
def once_command(ctx: click.Context, clock_is_right: bool) -> None:
    """Run the daemon's jobs once and exit; while a daemon runs on the same SQLite file, do nothing."""
    log_to_stderr()
    runtime = App(ctx).runtime()
    if why := plausible_clock(runtime, clock_is_right=clock_is_right).why_not(now()):
        raise AftersalesError(why)
    try:
        with owned(runtime.database, "once", now()) as owner:
            fired, sent = single_pass(runtime, owner, now)
    except AlreadyRunning as error:
        click.echo(f"Nothing was done: {error.args[0].removesuffix(': stop it first')}.")
        return
    click.echo(f"Fired {counted(fired.count, 'timer')}, sent {counted(sent.sent, 'message')}, {sent.failed} could not be sent.")
    if fired.failures:
        ctx.exit(1)
