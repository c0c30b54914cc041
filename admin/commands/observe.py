"""observe: go live after a restore."""

import click

from admin.app import App, now
from engine.backups import go_live, held, is_held
from workflow.plurals import counted


@click.group("observe")
def observe_command() -> None:
    """Go live after `db restore`, which holds timers and effects."""


@observe_command.command("end")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.pass_context
def end_command(ctx: click.Context, yes: bool) -> None:
    """Let timers fire and messages leave again, after showing how many that are at once."""
    database = App(ctx).ready()
    if not is_held(database):
        click.echo("Nothing is held: the database was not restored, or went live before.")
        return
    waits = held(database, now())
    click.echo(
        f"At once {counted(waits.timers, 'timer')} would fire, and {counted(waits.effects, 'effect')} and "
        f"{counted(waits.messages, 'message')} would leave, besides what those timers cause."
    )
    if waits.timers or waits.effects or waits.messages:
        click.echo("First drop what left after the backup: aftersales effects drop ID, timers cancel ORDER#NUMBER")
    if not yes:
        click.confirm("Go live?", abort=True)
    go_live(database, now())
    click.echo("Live: a daemon, or `aftersales once`, fires and sends from now on.")
