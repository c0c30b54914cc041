"""observe: go live after `import --observe`, and after a restore."""

import click

from admin.app import App, now, person
from admin.output import print_wrapped
from engine.backups import Held, go_live, held, is_held
from engine.observing import Observation, end_observation, observation
from language import counted, tr
from workflow.vocabulary import Mode

BECOMES = {Mode.auto: "will leave", Mode.ask: "will wait for `effects approve`", Mode.off: "are left to you by the policy"}


@click.group("observe")
def observe_command() -> None:
    """Go live after `import --observe`, and after `db restore`."""


@observe_command.command("end")
@click.option("--shop", help="Only the observed orders of this shop")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.option("--dry-run", is_flag=True, help="Only say what would leave")
@click.pass_context
def end_command(ctx: click.Context, shop: str | None, yes: bool, dry_run: bool) -> None:
    """Go live, after showing what will leave.

    The held effects of observed orders go on as the policy says; after a restore timers fire and messages leave again.
    """
    app = App(ctx)
    database, policy = app.ready(), app.rules_for_reading().policy
    restored, waits = is_held(database), observation(database, shop, policy)
    if restored and shop is not None:
        raise click.UsageError(tr("The database was restored, and is held whole: end that without --shop."))
    if not restored and not waits.orders:
        print_wrapped(tr("Nothing is held: no order is observed, and the database was not restored, or went live before."))
        return
    if restored:
        _print_restored(held(database, now()))
    if waits.orders:
        _print_observed(waits)
    if dry_run:
        return
    if not yes:
        click.confirm(tr("Go live?"), abort=True)
    ended = end_observation(database, shop, policy, person(), now())
    go_live(database, now())
    live = tr("{orders} observed no more. ", orders=counted(ended.orders, "order")) if ended.orders else ""
    print_wrapped(tr("{live}Live: a daemon, or `aftersales once`, fires and sends from now on.", live=live))


def _print_restored(waits: Held) -> None:
    print_wrapped(
        tr(
            "At once {timers} would fire, and {effects} and {messages} would leave, besides what those timers cause.",
            timers=counted(waits.timers, "timer"),
            effects=counted(waits.effects, "effect"),
            messages=counted(waits.messages, "message"),
        )
    )
    if waits.timers or waits.effects or waits.messages:
        print_wrapped(tr("First drop what left after the backup: aftersales effects drop ID, timers cancel ORDER#NUMBER"))


def _print_observed(waits: Observation) -> None:
    print_wrapped(tr("{orders} observed. Of their held effects", orders=counted(waits.orders, "order")))
    for mode, kinds in waits.held.items():
        if kinds:
            click.echo(f"  {tr(BECOMES[mode])}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    if not any(waits.held.values()):
        print_wrapped(tr("  none is there; what they cause from now on leaves as the policy says"))
    if waits.decisions:
        print_wrapped(
            tr("{steps} of theirs to be decided by you: aftersales decisions", steps=counted(waits.decisions, "step"))
        )
    print_wrapped(
        tr("To read them first: aftersales effects --status held, effects show ID; to leave one out: effects drop ID")
    )
