"""erase: a buyer removed from everywhere they are kept."""

from collections.abc import Sequence

import click

from admin.app import App, now, person
from admin.output import print_wrapped
from admin.tables import print_rows
from engine.erasing import BuyerSelection, Erased, erase, find, finish_interrupted
from language import counted, tr


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
    files that you imported are not touched; nor are files of the inbox in `done` and `rejected`, and their reports.
    """
    if not (buyer or identities or finish):
        raise click.UsageError(tr("Name the buyer by --buyer EMAIL_OR_NAME, or by --order ID."))
    if finish and (buyer or identities):
        raise click.UsageError(tr("--finish finishes what was begun: give it alone."))
    app = App(ctx)
    database = app.ready()
    done = [] if dry_run else finish_interrupted(database, app.places(), now(), app.rules())
    for one in done:
        _print(database.erased_rows_stay, one, tr("Finished an erasure that was interrupted: the buyer of"))
    if buyer or identities:
        found = find(database, BuyerSelection(buyer, identities))
        rows = [(one.name, one.buyer, one.state) for one in found]
        print_rows("Orders", ("order", "buyer", "state"), rows, "No order has that buyer.")
        if found and dry_run:
            print_wrapped(tr("Nothing was erased. It would be the buyer of {orders}.", orders=counted(len(found), "order")))
        elif found:
            if not yes:
                click.confirm(tr("Erase the buyer of {orders} for good?", orders=counted(len(found), "order")), abort=True)
            done.append(erase(database, app.places(), found, person(), now(), app.rules()))
            _print(database.erased_rows_stay, done[-1], tr("Erased the buyer of"))
    elif not done:
        print_wrapped(tr("No erasure is open."))
    _say_what_stays(ctx, app, done)


def _say_what_stays(ctx: click.Context, app: App, done: Sequence[Erased]) -> None:
    if done and (folder := app.settings.inbox.folder):
        told = tr("Files in {folder}, and their reports, are not touched: remove there what speaks of them.", folder=folder)
        print_wrapped(told)
    if any(one.remains for one in done):
        ctx.exit(1)


def _print(rows_stay: str | None, done: Erased, what: str) -> None:
    print_wrapped(
        tr(
            "{what} {orders}: {messages}, {reports}, {files}, {lines} of the outbox file.",
            what=what,
            orders=counted(done.orders, "order"),
            messages=counted(done.messages, "message"),
            reports=counted(done.reports, "report"),
            files=counted(done.files, "file"),
            lines=counted(done.lines, "line"),
        )
    )
    if done.shared:
        print_wrapped(
            tr("Kept without a name here: {files}; another buyer's claim has the same.", files=counted(done.shared, "file"))
        )
    if done.remains:
        click.echo(
            tr("Not yet: {remains}. The daemon finishes it, or `aftersales erase --finish`.", remains=done.remains), err=True
        )
    elif rows_stay:
        print_wrapped(tr("Note: {rows_stay}.", rows_stay=rows_stay))
