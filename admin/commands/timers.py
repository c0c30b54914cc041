"""timers: list deadlines; postpone, pause, resume, fire, cancel or shift them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App
from admin.lazy import LazyGroup
from admin.lists import Paging, list_options, print_page
from engine import views
from engine.views import Filter, TimerSummary
from workflow.process import CLOCKS

CHANGES: dict[str, str] = {
    "postpone": "Give timers another due instant, which must lie ahead.",
    "shift": "Move timers by a span, each from where it is.",
    "pause": "Stop timers until they are resumed; an interception or a dispute does not end that.",
    "resume": "Let timers run on that a person paused; the paused span is added.",
    "fire": "Let timers fire now, due or not.",
    "cancel": "End timers for good: nothing happens by itself at that deadline any more.",
    "retry": "Try timers again that could not be fired and were set aside.",
}
TRIGGER = click.option(
    "--trigger",
    "triggers",
    type=click.Choice([clock.trigger for clock in CLOCKS]),
    multiple=True,
    metavar="CLOCK",
    help="Only those of this clock: urge, reroute, … (repeatable)",
)


@click.group("timers", cls=LazyGroup, module="admin.commands.timer_changes", described=CHANGES, invoke_without_command=True)
@click.option("--order", "identity", help="Only those of this order")
@TRIGGER
@click.option(
    "--status",
    type=click.Choice(("running", "pending", "paused", "waiting", "fired", "cancelled", "failed", "all")),
    default="running",
    show_default=True,
    help="running: pending, paused and waiting (for a decision)",
)
@list_options("the timer is due", deadlines=True)
@click.pass_context
def timers_command(
    ctx: click.Context,
    identity: str | None,
    triggers: tuple[str, ...],
    status: str,
    wanted: Filter,
    paging: Paging,
) -> None:
    """List deadlines in due order; postpone, pause, resume, fire, cancel or shift them.

    A timer is named ORDER#NUMBER, as the list shows.
    """
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    database = app.ready()
    order_id = views.order_id(database, identity) if identity else None
    wanted = replace(wanted, order_id=order_id, statuses=_STATUSES.get(status, (status,)), kinds=triggers)
    page = views.list_timers(database, wanted, paging.limit, paging.after)

    def cells(one: TimerSummary) -> Sequence[Any]:
        return f"{one.order}#{one.number}", one.trigger, app.brief(one.due_at), _status(one), one.error

    print_page("timers", page, paging, ("timer", "trigger", "due", "status", "error"), cells, "No such timers.")


_STATUSES: dict[str, tuple[str, ...]] = {"running": ("pending", "paused", "waiting"), "all": ()}


def _status(timer: TimerSummary) -> str:
    by = f" by {timer.paused_by}" if timer.paused_by else ""
    return f"{timer.status}{by}{', provisional' if timer.provisional else ''}"
