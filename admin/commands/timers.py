"""timers: list deadlines; postpone, pause, resume, fire, cancel or shift them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from admin.app import App, now
from admin.lazy import LazyGroup
from admin.lists import Paging, list_options, print_page
from admin.options import Choice
from admin.output import print_json, print_wrapped
from admin.tables import Cell, overdue, print_rows, wrong
from engine import views
from engine.views import Filter, TimerSummary
from language import counted, tr
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
    type=Choice([clock.trigger for clock in CLOCKS]),
    multiple=True,
    metavar="CLOCK",
    help="Only those of this clock: urge, reroute, … (repeatable)",
)


@click.group("timers", cls=LazyGroup, module="admin.commands.timer_changes", described=CHANGES, invoke_without_command=True)
@click.option("--order", "identity", help="Only those of this order")
@TRIGGER
@click.option(
    "--status",
    type=Choice(("running", "pending", "paused", "waiting", "fired", "cancelled", "failed", "all")),
    default="running",
    show_default=True,
    help="running: pending, paused and waiting (for a decision)",
)
@click.option("--by", type=Choice(("day",)), help="Count the deadlines of each day, instead of listing them")
@list_options("the timer is due")
@click.pass_context
def timers_command(
    ctx: click.Context,
    identity: str | None,
    triggers: tuple[str, ...],
    status: str,
    by: str | None,
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
    if by:
        if status not in ("running", "pending") or paging.after:
            raise click.UsageError(tr("--by day counts what is to fire: it goes with neither --status nor --after."))
        _print_days(app, *views.list_days(database, wanted, app.zone(), paging.limit), paging)
        return
    page = views.list_timers(database, wanted, paging.limit, paging.after)

    def cells(one: TimerSummary) -> Sequence[Any]:
        runs = one.status in _STATUSES["running"]
        due = overdue(app.brief(one.due_at), one.due_at, now() if runs else one.due_at)
        return f"{one.order}#{one.number}", one.trigger, due, _status(one), wrong(one.error)

    print_page("timers", page, paging, ("timer", "trigger", "due", "status", "error"), cells, "No such timers.")


def _print_days(app: App, days: Sequence[views.Day], following: datetime | None, paging: Paging) -> None:
    """Print how many deadlines each day has, by clock."""
    if paging.as_json:
        print_json(
            {
                "days": [{"date": f"{one.date:%Y-%m-%d}", "deadlines": one.deadlines} for one in days],
                "next": following,
            }
        )
        return
    today = now().astimezone(app.zone()).date()
    rows = []
    for day in days:
        past = day.date.date() < today
        name = Cell(
            tr("{date:%a %Y-%m-%d}{word}", date=day.date, word=tr(" (overdue)") if past else ""),
            "red" if past else None,
            whole=True,
        )
        clocks = sorted(day.deadlines.items(), key=lambda one: (-one[1], one[0]))
        rows.append((name, sum(day.deadlines.values()), ", ".join(f"{clock} {count}" for clock, count in clocks)))
    print_rows("Deadlines by day", ("day", "deadlines", "of which"), rows, "No such timers.")
    if following:
        since = following.astimezone(app.zone())
        print_wrapped(
            tr("{days} shown: --since {since:%Y-%m-%d} shows the next ones.", days=counted(len(days), "day"), since=since)
        )


_STATUSES: dict[str, tuple[str, ...]] = {"running": ("pending", "paused", "waiting"), "all": ()}


def _status(timer: TimerSummary) -> str:
    by = tr(" by {paused_by}", paused_by=timer.paused_by) if timer.paused_by else ""
    return f"{timer.status}{by}{tr(', provisional') if timer.provisional else ''}"
