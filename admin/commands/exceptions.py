"""exceptions: reports that were kept for a person."""

from datetime import datetime

import click

from admin.app import App, now, person
from admin.options import AFTER, JSON, LIMIT, ROW, SHOP, SINCE, STATE, SUPPLIER, Note
from admin.output import fields_of, print_json, print_page_end, print_rows
from engine import deciding, views
from engine.views import Filter


@click.group("exceptions", invoke_without_command=True)
@SHOP
@SUPPLIER
@STATE
@SINCE
@LIMIT
@AFTER
@JSON
@click.pass_context
def exceptions_command(
    ctx: click.Context,
    shop: str | None,
    supplier: str | None,
    states: tuple[str, ...],
    since: datetime | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List the reports that could not be applied and wait for a person, oldest first."""
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    wanted = Filter(shop=shop, supplier=supplier, states=states, since=since)
    page = views.list_exceptions(app.ready(), wanted, limit, after)
    if as_json:
        print_json({"exceptions": [fields_of(one) for one in page.rows], "next": page.next})
        return
    rows = [(one.id, one.order, one.trigger, app.when(one.occurred), one.actor, one.reason) for one in page.rows]
    print_rows("Exceptions", ("id", "order", "trigger", "occurred", "from", "why"), rows, "No exceptions wait.")
    print_page_end(page, limit)


@exceptions_command.command("close")
@click.argument("report_id", type=ROW, metavar="ID")
@click.argument("note", type=Note())
@click.pass_context
def close_exception(ctx: click.Context, report_id: int, note: str) -> None:
    """Close the exception ID with a NOTE on what was done."""
    deciding.close_exception(App(ctx).ready(), report_id, person(), note, now())
    click.echo("Closed.")
