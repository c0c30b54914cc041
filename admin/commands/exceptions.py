"""exceptions: reports that were kept for a person."""

import click

from admin.app import App, now, person
from admin.options import JSON, ROW, Note
from admin.output import print_json, print_rows
from storage import attention, queries
from workflow.errors import UsageError


@click.group("exceptions", invoke_without_command=True)
@JSON
@click.pass_context
def exceptions_command(ctx: click.Context, as_json: bool) -> None:
    """List the reports that could not be applied and wait for a person."""
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    with app.ready().read() as connection:
        found = queries.reports(connection, verdict="exception")
    if as_json:
        print_json(found)
        return
    rows = [(r["id"], r["order"], r["trigger"], app.when(r["occurred"]), r["actor"], r["reason"]) for r in found]
    print_rows("Exceptions", ("id", "order", "trigger", "occurred", "from", "why"), rows, "No exceptions wait.")


@exceptions_command.command("close")
@click.argument("report_id", type=ROW, metavar="ID")
@click.argument("word", type=Note())
@click.pass_context
def close_exception(ctx: click.Context, report_id: int, word: str) -> None:
    """Close the exception ID with a NOTE on what was done."""
    with App(ctx).ready().write() as connection:
        if not attention.resolve_exception(connection, report_id, person(), word, now()):
            raise UsageError(f"there is no open exception {report_id}: `aftersales exceptions` lists them")
    click.echo("Closed.")
