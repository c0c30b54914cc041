"""orders: find orders."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App, now
from admin.lists import Paging, list_options, print_page
from admin.output import print_wrapped
from admin.tables import Cell, overdue
from engine import views
from engine.views import Filter, OrderSummary
from language import counted, tr


@click.command("orders")
@click.option("--attention", is_flag=True, help="Only those that need a person, or wait for a decision")
@click.option("--text", help="Only those whose number, supplier, group, buyer or a tracking number contains this")
@click.option("--tracking-number", "tracking_numbers", multiple=True, help="Only those with this parcel (repeatable)")
@list_options("the order entered its state")
@click.pass_context
def orders_command(
    ctx: click.Context,
    attention: bool,
    text: str | None,
    tracking_numbers: tuple[str, ...],
    wanted: Filter,
    paging: Paging,
) -> None:
    """Find orders; those with the nearest deadline come first."""
    app = App(ctx)
    database = app.ready()
    wanted = replace(wanted, text=text, tracking_numbers=tracking_numbers, attention=attention)
    page = views.list_orders(database, replace(wanted, awake_at=now()), paging.limit, paging.after)
    columns = ("order", "state", tr("next deadline"), "supplier", tr("needs a person"))

    def cells(one: OrderSummary) -> Sequence[Any]:
        person = (
            ", ".join(
                word
                for word in (
                    one.decision and tr("to decide: {decision}", decision=one.decision),
                    (one.attention or "").replace(",", ", "),
                )
                if word
            )
            or None
        )
        due = overdue(app.brief(one.next_due), one.next_due, now())
        return f"{one.shop}/{one.number}", one.state, due, one.supplier, Cell(person or "", "yellow")

    print_page("orders", page, paging, columns, cells, "No such orders.")
    if paging.as_json or wanted != Filter(attention=True):
        return
    waiting = views.count_exceptions(database)  # of all orders, so that no other filter may be set
    if waiting.value:
        reports = counted(waiting.value, "report") if not waiting.capped else tr("{count} reports", count=waiting)
        print_wrapped(tr("{reports} kept as exceptions: aftersales exceptions", reports=reports))
