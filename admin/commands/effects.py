"""effects: list what leaves the engine; approve, drop or retry it, or say that it is done."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App
from admin.effect_summary import effect_summary
from admin.lazy import LazyGroup
from admin.lists import Paging, list_options, print_page
from admin.options import Choice
from admin.tables import wrong
from engine import views
from engine.views import EffectSummary, Filter
from workflow.process import EFFECTS
from workflow.vocabulary import EffectStatus

DECISIONS: dict[str, str] = {
    "show": "Show the effect ID with its messages, as they left or as they would be written now.",
    "preview": "Show the letters of a KIND as your templates write them, of an invented order.",
    "approve": "Let effects leave that are held or asked.",
    "drop": "Drop effects that have not left.",
    "retry": "Send effects again that could not be sent.",
    "done": "Say that effects have left, or were done by hand.",
}
KIND = click.option(
    "--kind",
    "kinds",
    type=Choice([effect.kind for effect in EFFECTS]),
    multiple=True,
    metavar="KIND",
    help="Only this kind (repeatable)",
)


@click.group(
    "effects", cls=LazyGroup, module="admin.commands.effect_decisions", described=DECISIONS, invoke_without_command=True
)
@click.option("--order", "identity", help="Only those of this order")
@click.option(
    "--status", "statuses", type=Choice([*EffectStatus]), multiple=True, help="Only those in this status (repeatable)"
)
@KIND
@list_options("the effect was caused")
@click.pass_context
def effects_command(
    ctx: click.Context,
    identity: str | None,
    statuses: tuple[str, ...],
    kinds: tuple[str, ...],
    wanted: Filter,
    paging: Paging,
) -> None:
    """List what leaves the engine, newest first."""
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    database = app.ready()
    order_id = views.order_id(database, identity) if identity else None
    wanted = replace(wanted, order_id=order_id, statuses=statuses, kinds=kinds)
    page = views.list_effects(database, wanted, paging.limit, paging.after)

    def cells(one: EffectSummary) -> Sequence[Any]:
        about = effect_summary(one.kind, one.details, one.currency) or None
        status = wrong(one.status) if one.status in (EffectStatus.dead, EffectStatus.parked) else one.status
        return one.id, one.order, one.kind, about, status, app.brief(one.caused_at)

    print_page("effects", page, paging, ("id", "order", "kind", "what", "status", "caused"), cells, "No such effects.")
