"""decisions: what waits for a person's decision."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App, now
from admin.lists import Paging, list_options, print_page
from engine.answering import DecisionSummary, list_decisions
from engine.views import Filter
from workflow.case.money import show_amount


@click.command("decisions")
@click.option("--sleeping", is_flag=True, help="Those too that sleep until later (`decide ID stay --until`)")
@list_options("the decision stands", deadlines=False)
@click.pass_context
def decisions_command(ctx: click.Context, sleeping: bool, wanted: Filter, paging: Paging) -> None:
    """List what waits for a decision of yours, oldest first: answer with `aftersales decide ID WAY`."""
    app = App(ctx)
    database, at = app.ready(), now()
    wanted = replace(wanted, awake_at=None if sleeping else at)
    page = list_decisions(database, wanted, paging.limit, paging.after, at, app.rules_for_reading())

    def cells(one: DecisionSummary) -> Sequence[Any]:
        amount = None if one.amount is None else show_amount(one.amount, one.currency)
        return one.order, one.number, one.state, one.trigger, one.next or amount, app.brief(one.since), app.brief(one.ends)

    columns = ("order", "decision", "state", "step", "supplier or sum", "since", "ends")
    print_page("decisions", page, paging, columns, cells, "Nothing waits for a decision.")
