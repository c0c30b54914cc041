"""exceptions: reports that were kept for a person."""

from collections.abc import Sequence
from typing import Any

import click

from admin.app import App
from admin.lazy import LazyGroup
from admin.lists import Paging, list_options, print_page
from engine import views
from engine.views import ExceptionSummary, Filter

DECISIONS: dict[str, str] = {
    "retry": "Judge exceptions again: what had no place when it came may have one now.",
    "close": "Close the exception ID with a NOTE on what was done.",
}


@click.group(
    "exceptions",
    cls=LazyGroup,
    module="admin.commands.exception_decisions",
    described=DECISIONS,
    invoke_without_command=True,
)
@list_options("the report came in")
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
