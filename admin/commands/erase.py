"""erase: a buyer removed from everywhere they are kept."""

import click

from admin.app import App, now, person
from admin.tables import print_rows
from engine.erasing import BuyerSelection, Erased, erase, find, finish_interrupted
from workflow.plurals import counted


@click.command("erase")
@click.option("--buyer", help="The buyer's email address or name, as the orders have it")
@click.option("--order", "identities", multiple=True, help="The buyer of this order (may be repeated)")
@click.option("--finish", is_flag=True, help="Finish erasures that were interrupted, as the daemon does by itself")
@click.option("--dry-run", is_flag=True, help="Only say which orders are meant")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.pass_context
def erase_command(
    ctx: click.Context, buyer: str | None, identities: tuple[str, ...], finish: bool, dry_run: bool, yes: bool
) -> None:
    """Remove a buyer's name, addresses, messages and evidence wherever they are kept.

    History and ledger stay, and `audit` still finds every chain whole. Backups, databases that a restore has replaced, and
    files that you imported are not touched.
    """
    if not (buyer or identities or finish):
        raise click.UsageError("Name the buyer by --buyer EMAIL_OR_NAME, or by --order ID.")
    if finish and (buyer or identities):
        raise click.UsageError("--finish finishes what was begun: give it alone.")
    app = App(ctx)
    database = app.ready()
    done = [] if dry_run else finish_interrupted(database, app.places(), now(), app.rules())
    for one in done:
        _print(database.erased_rows_stay, one, "Finished an erasure that was interrupted: the buyer of")
    if buyer or identities:
        found = find(database, BuyerSelection(buyer, identities))
        rows = [(one.name, one.buyer, one.state) for one in found]
        print_rows("Orders", ("order", "buyer", "state"), rows, "No order has that buyer.")
        if found and dry_run:
            click.echo(f"Nothing was erased. It would be the buyer of {counted(len(found), 'order')}.")
        elif found:
            if not yes:
                click.confirm(f"Erase the buyer of {counted(len(found), 'order')} for good?", abort=True)
            done.append(erase(database, app.places(), found, person(), now(), app.rules()))
            _print(database.erased_rows_stay, done[-1], "Erased the buyer of")
    elif not done:
        click.echo("No erasure is open.")
    if any(one.remains for one in done):
        ctx.exit(1)


def _print(rows_stay: str | None, done: Erased, what: str) -> None:
    click.echo(
        f"{what} {counted(done.orders, 'order')}: {counted(done.messages, 'message')}, "
        f"{counted(done.reports, 'report')}, {counted(done.files, 'file')}, {counted(done.lines, 'line')} of the outbox file."
    )
    if done.shared:
        click.echo(f"Kept without a name here: {counted(done.shared, 'file')}; another buyer's claim has the same.")
    if done.remains:
        click.echo(f"Not yet: {done.remains}. The daemon finishes it, or `aftersales erase --finish`.", err=True)
    elif rows_stay:
        click.echo(f"Note: {rows_stay}.")
