"""orders: find orders."""

from datetime import datetime

import click

from admin.app import App
from admin.options import JSON, LIMIT, InstantOrDuration
from admin.output import print_json, print_rows, say_if_cut
from storage import queries
from storage.queries import OrderFilter
from workflow.plurals import counted
from workflow.reports import STATE_NAMES


@click.command("orders")
@click.option("--state", type=click.Choice(STATE_NAMES), help="Only those in this state")
@click.option(
    "--due-before", type=InstantOrDuration(), help="Only those with a deadline before this instant, or within 2d, 36h, …"
)
@click.option("--attention", is_flag=True, help="Only those that need a person")
@click.option("--supplier", help="Only those of this supplier")
@click.option("--text", help="Only those whose number, supplier, group or buyer holds this")
@LIMIT
@JSON
@click.pass_context
def orders_command(
    ctx: click.Context,
    state: str | None,
    due_before: datetime | None,
    attention: bool,
    supplier: str | None,
    text: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find orders; those with the nearest deadline come first."""
    app = App(ctx)
    with app.ready().read() as connection:
        found = queries.orders(connection, OrderFilter(state, due_before, attention, supplier, text, limit))
        waiting = len(queries.reports(connection, verdict="exception"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{row['shop']}/{row['number']}",
            row["state"],
            app.brief(row["next_due"]),
            row["supplier"],
            row["attention"],
        )
        for row in found
    ]
    print_rows("Orders", ("order", "state", "next deadline", "supplier", "needs a person"), rows, "No such orders.")
    say_if_cut(found, limit)
    if attention and waiting:
        click.echo(f"{counted(waiting, 'report')} kept as exceptions: aftersales exceptions")
