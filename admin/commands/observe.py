"""observe: go live after `import --observe`, and after a restore."""

import click

from admin.app import App, now, person
from engine.backups import Held, go_live, held, is_held
from engine.observing import Observation, end_observation, observation
from workflow.plurals import counted
from workflow.vocabulary import Mode

_BECOMES = {Mode.auto: "will leave", Mode.ask: "will wait for `effects approve`", Mode.off: "are left to you by the policy"}


@click.group("observe")
def observe_command() -> None:
    """Go live after `import --observe`, and after `db restore`."""


@observe_command.command("end")
@click.option("--shop", help="Only the observed orders of this shop")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.pass_context
def end_command(ctx: click.Context, shop: str | None, yes: bool) -> None:
    """Go live, after showing what will leave.

    The held effects of observed orders go on as the policy says; after a restore timers fire and messages leave again.
    """
    app = App(ctx)
    database, policy = app.ready(), app.rules_for_reading().policy
    restored, waits = is_held(database), observation(database, shop, policy)
    if restored and shop is not None:
        raise click.UsageError("The database was restored, and is held whole: end that without --shop.")
    if not restored and not waits.orders:
        click.echo("Nothing is held: no order is observed, and the database was not restored, or went live before.")
        return
    if restored:
        _print_restored(held(database, now()))
    if waits.orders:
        _print_observed(waits)
    if not yes:
        click.confirm("Go live?", abort=True)
    ended = end_observation(database, shop, policy, person(), now())
    go_live(database, now())
    live = f"{counted(ended.orders, 'order')} observed no more. " if ended.orders else ""
    click.echo(f"{live}Live: a daemon, or `aftersales once`, fires and sends from now on.")


def _print_restored(waits: Held) -> None:
    click.echo(
        f"At once {counted(waits.timers, 'timer')} would fire, and {counted(waits.effects, 'effect')} and "
        f"{counted(waits.messages, 'message')} would leave, besides what those timers cause."
    )
    if waits.timers or waits.effects or waits.messages:
        click.echo("First drop what left after the backup: aftersales effects drop ID, timers cancel ORDER#NUMBER")


def _print_observed(waits: Observation) -> None:
    click.echo(f"{counted(waits.orders, 'order')} observed. Of their held effects")
    for mode, kinds in waits.held.items():
        if kinds:
            click.echo(f"  {_BECOMES[mode]}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    if not any(waits.held.values()):
        click.echo("  none is there; what they cause from now on leaves as the policy says")
    if waits.decisions:
        click.echo(f"{counted(waits.decisions, 'step')} of theirs to be decided by you: aftersales decisions")
    click.echo("To read them first: aftersales effects --status held, effects show ID; to leave one out: effects drop ID")
