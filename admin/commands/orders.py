"""orders: find orders."""

from datetime import datetime

import click

from admin.app import App
from admin.options import AFTER, DUE_BEFORE, JSON, LIMIT, SHOP, SINCE, STATE, SUPPLIER
from admin.output import fields_of, print_json, print_page_end, print_rows
from engine import views
from engine.views import Filter


@click.command("orders")
@STATE
@DUE_BEFORE
@click.option("--attention", is_flag=True, help="Only those that need a person")
@SHOP
@SUPPLIER
@SINCE
@click.option("--text", help="Only those whose number, supplier, group or buyer contains this")
@LIMIT
@AFTER
@JSON
@click.pass_context
def orders_command(
    ctx: click.Context,
    states: tuple[str, ...],
    due_before: datetime | None,
    attention: bool,
    shop: str | None,
    supplier: str | None,
    since: datetime | None,
    text: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """Find orders; those with the nearest deadline come first."""
    app = App(ctx)
    wanted = Filter(
        shop=shop, supplier=supplier, states=states, since=since, due_before=due_before, text=text, attention=attention
    )
    database = app.ready()
    page = views.list_orders(database, wanted, limit, after)
    if as_json:
        print_json({"orders": [fields_of(one) for one in page.rows], "next": page.next})
        return
    rows = [(f"{one.shop}/{one.number}", one.state, app.brief(one.next_due), one.supplier, one.attention) for one in page.rows]
    print_rows("Orders", ("order", "state", "next deadline", "supplier", "needs a person"), rows, "No such orders.")
    print_page_end(page, limit)
    waiting = views.count_exceptions(database) if attention else None
    if waiting and waiting.value:
        click.echo(f"{waiting} {'report' if waiting.value == 1 else 'reports'} kept as exceptions: aftersales exceptions")
