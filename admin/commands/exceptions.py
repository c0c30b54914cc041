"""exceptions: reports that were kept for a person."""

from collections.abc import Sequence
from typing import Any

import click

from admin.app import App, now, person
from admin.lists import Paging, list_options, print_page
from admin.options import ROW, Note
from engine import deciding, views
from engine.views import ExceptionSummary, Filter


@click.group("exceptions", invoke_without_command=True)
@list_options("the report came in", deadlines=False)
@click.pass_context
def exceptions_command(
    ctx: click.Context,
    wanted: Filter,
    paging: Paging,
) -> None:
    """List the reports that could not be applied and wait for a person, oldest first."""
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    page = views.list_exceptions(app.ready(), wanted, paging.limit, paging.after)

    def cells(one: ExceptionSummary) -> Sequence[Any]:
        return one.id, one.order, one.trigger, app.when(one.occurred), one.actor, one.reason

    columns = ("id", "order", "trigger", "occurred", "from", "why")
    print_page("exceptions", page, paging, columns, cells, "No exceptions wait.")


@exceptions_command.command("close")
@click.argument("report_id", type=ROW, metavar="ID")
@click.argument("note", type=Note())
@click.pass_context
def close_exception(ctx: click.Context, report_id: int, note: str) -> None:
    """Close the exception ID with a NOTE on what was done."""
    deciding.close_exception(App(ctx).ready(), report_id, person(), note, now())
    click.echo("Closed.")
