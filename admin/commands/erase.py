"""erase: a buyer removed from everywhere they are kept."""

import click

from admin.app import App, now, person
from admin.output import print_rows
from engine.erasing import BuyerSelection, erase, find
from workflow.plurals import counted


@click.command("erase")
@click.option("--buyer", help="The buyer's email address or name, as the orders have it")
@click.option("--order", "identities", multiple=True, help="The buyer of this order (may be repeated)")
@click.option("--dry-run", is_flag=True, help="Only say which orders are meant")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.pass_context
def erase_command(ctx: click.Context, buyer: str | None, identities: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Remove a buyer's name, addresses, messages and evidence wherever they are kept.

    History and ledger stay, and `audit` still finds every chain whole. Backups and files that you imported are not touched.
    """
    if not (buyer or identities):
        raise click.UsageError("Name the buyer by --buyer EMAIL_OR_NAME, or by --order ID.")
    app = App(ctx)
    database, who = app.ready(), BuyerSelection(buyer, identities)
    found = find(database, who)
    print_rows(
        "Orders", ("order", "buyer", "state"), [(one.name, one.buyer, one.state) for one in found], "No order has that buyer."
    )
    if found and dry_run:
        click.echo(f"Nothing was erased. It would be the buyer of {counted(len(found), 'order')}.")
    if not found or dry_run:
        return
    if not yes:
        click.confirm(f"Erase the buyer of {counted(len(found), 'order')} for good?", abort=True)
    done = erase(database, app.vault(), app.settings.outbox_file, found, person(), now(), app.rules())
    click.echo(
        f"Erased the buyer of {counted(done.orders, 'order')}: {counted(done.messages, 'message')}, "
        f"{counted(done.reports, 'report')}, {counted(done.files, 'file')}, {counted(done.lines, 'line')} of the outbox file."
    )
    if done.shared:
        click.echo(f"{counted(done.shared, 'file')} stay, without a name here: another buyer's claim has them too.")
    if done.remains:
        click.echo(f"Not yet: {done.remains}", err=True)
        ctx.exit(1)
