"""decisions: what waits for a person's decision."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App, now
from admin.lists import Paging, list_options, print_page
from admin.tables import amount, overdue
from engine.answering import DecisionSummary, list_decisions
from engine.views import Filter
from language import tr
from workflow.case.money import show_amount


@click.command("decisions")
@click.option("--sleeping", is_flag=True, help="Those too that sleep until later (`decide ID stay --until`)")
@list_options("the decision stands")
@click.pass_context
def decisions_command(ctx: click.Context, sleeping: bool, wanted: Filter, paging: Paging) -> None:
    """List what waits for a decision of yours, oldest first: answer with `aftersales decide ID WAY`."""
    app = App(ctx)
    database, at = app.ready(), now()
    wanted = replace(wanted, awake_at=None if sleeping else at)
    page = list_decisions(database, wanted, paging.limit, paging.after, at, app.rules_for_reading())

    def cells(one: DecisionSummary) -> Sequence[Any]:
        supplier = one.next if one.cost is None else f"{one.next} ({show_amount(one.cost, one.currency)})"
        unknown = "? " + one.currency if "request_refund" in one.would else None
        wanted = supplier or amount(one.amount, one.currency) or unknown
        ends = overdue(app.brief(one.ends), one.ends, now())
        return one.order, one.number, one.state, one.trigger, wanted, app.brief(one.since), ends

    columns = ("order", "decision", "state", "step", tr("supplier or sum"), "since", "ends")
    print_page("decisions", page, paging, columns, cells, "Nothing waits for a decision.")
