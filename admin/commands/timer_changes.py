"""What `timers` and `policy retime` change: the timers that options choose, previewed or changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any

import click

from admin.app import App, now, on_terminal, person
from admin.commands.timers import CHANGES, TRIGGER
from admin.options import Choice, InstantOrDuration
from admin.output import print_wrapped
from admin.plans import check_plan, plan_of, planned, shown_at
from admin.tables import print_rows
from admin.text import safe
from engine import views
from engine.deciding import retry_timers
from engine.timer_commands import Due, Selection, TimerCommand, TimerResult, apply_as_shown, apply_command, selected_timers
from language import counted, tr
from workflow.errors import UsageError
from workflow.policy.durations import Duration

SHOWN = 20
NOTHING_TO_CHANGE = "No running timers are meant, or none would change."


@dataclass(frozen=True, slots=True)
class How:
    """How timers are changed: for which reason, only as a preview, under which name, without asking, and as it was shown."""

    reason: str | None
    dry_run: bool
    operation: str | None
    agreed: bool
    plan: str | None


def changing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that changes timers; it gets the timers as `wanted`, and the rest as `how`."""

    @click.option("--reason", help="Why; it is kept in the history")
    @click.option("--dry-run", is_flag=True, help="Only say what would become of them")
    @click.option(
        "--operation", metavar="NAME", help="A name for this change: repeated under it, what was done is not done again"
    )
    @click.option("--yes", "agreed", is_flag=True, help="Do not ask; on a terminal more than one is shown first")
    @planned
    @selecting
    @wraps(command)
    def changed(*args: Any, **options: Any) -> None:
        how = How(**{one.name: options.pop(one.name) for one in fields(How)})
        if how.operation is not None and not how.operation.strip():
            raise click.UsageError(tr("--operation is empty: give the change a name, or leave the option out."))
        if how.plan and (how.dry_run or how.operation):
            raise click.UsageError(tr("--plan is done at once or not at all: it goes with neither --dry-run nor --operation."))
        command(*args, how=how, **options)

    return changed


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options by which timers are chosen; the command gets them as one Selection."""

    @click.argument("timers", nargs=-1, metavar="[TIMER]...")
    @click.option("--order", "identities", multiple=True, help="Those of this order (may be repeated)")
    @TRIGGER
    @click.option("--shop", "shops", multiple=True, help="Those of this shop's orders (repeatable)")
    @click.option(
        "--supplier",
        "suppliers",
        multiple=True,
        help="Those about this supplier (a recovery's chase: the one that was left; repeatable)",
    )
    @click.option(
        "--route",
        "routes",
        type=Choice(("domestic", "international")),
        multiple=True,
        help="Those of orders of this route (repeatable)",
    )
    @click.option("--due-before", type=InstantOrDuration(), help="Those due before this instant, or within 2d, 36h, …")
    @click.option("--due-after", type=InstantOrDuration(), help="Those due at this instant or later, or not within 2d, 36h, …")
    @click.option("--all", "everything", is_flag=True, help="Every running timer")
    @wraps(command)
    def chosen(*args: Any, timers: tuple[str, ...], identities: tuple[str, ...], everything: bool, **options: Any) -> None:
        names = ("triggers", "shops", "suppliers", "routes", "due_before", "due_after")
        narrowed = {name: options.pop(name) for name in names}
        app = App(click.get_current_context())
        wanted = _selection(app, timers, identities, narrowed)
        if wanted.everything and not everything:
            raise click.UsageError(tr("Name timers as ORDER#NUMBER, choose them by options, or say --all."))
        command(*args, app=app, wanted=wanted, **options)

    return chosen


def _selection(app: App, timers: Sequence[str], identities: Sequence[str], narrowed: dict[str, Any]) -> Selection:
    database = app.ready()
    named = tuple(_timer(database, text) for text in timers)
    running = set(selected_timers(database, Selection(timers=named))) if named else set[Due]()
    running |= set(selected_timers(database, Selection(timers=named, status="failed"))) if named else set[Due]()
    for text, timer in zip(timers, named, strict=True):
        if timer not in running:
            raise UsageError(
                tr(
                    "{given} does not run: `aftersales timers --order {value}` lists what does",
                    given=text,
                    value=text.rpartition("#")[0],
                )
            )
    return Selection(order_ids=tuple(views.order_id(database, one) for one in identities), timers=named, **narrowed)


def _timer(source: views.Source, text: str) -> Due:
    order, mark, number = text.rpartition("#")
    if not mark or not (number.isascii() and number.isdigit()):
        raise UsageError(
            tr("{given!r} is not a timer: write ORDER#NUMBER as `aftersales timers` lists them, such as 1003#2", given=text)
        )
    return views.order_id(source, order), int(number[:9])


@click.command("postpone")
@click.option("--until", type=InstantOrDuration(), required=True, help="The new due instant, or how far ahead: 2d, 36h, …")
@changing
def postpone_command(app: App, wanted: Selection, until: datetime, how: How) -> None:
    """Give timers another due instant, which must lie ahead."""
    if until <= now():
        raise UsageError(tr("that instant is past: `aftersales timers fire` lets a timer fire now"))
    run_timer_command(app, wanted, TimerCommand("postpone", person(), how.reason, to=until), how)


@click.command("shift")
@click.option("--by", "span", required=True, help="How far: 3d, 12h, or -1d for earlier")
@changing
def shift_command(app: App, wanted: Selection, span: str, how: How) -> None:
    """Move timers by a span, each from where it is."""
    run_timer_command(app, wanted, TimerCommand("shift", person(), how.reason, by=_span(span)), how)


def _span(text: str) -> timedelta:
    try:
        span = Duration.parse(text.removeprefix("-").removeprefix("+")).span()
    except ValueError as error:
        raise UsageError(
            tr("--by: {given!r} is not a span of time: write 3d, 12h or 30m, and -3d for earlier", given=text)
        ) from error
    return -span if text.startswith("-") else span


def _plain_action(name: str) -> click.Command:
    """Return the command of an action that needs nothing but the timers."""

    @changing
    def command(app: App, wanted: Selection, how: How) -> None:
        run_timer_command(app, wanted, TimerCommand(name, person(), how.reason), how)

    return click.command(name, help=CHANGES[name])(command)


pause_command = _plain_action("pause")
resume_command = _plain_action("resume")
fire_command = _plain_action("fire")
cancel_command = _plain_action("cancel")


@click.command("retry")
@selecting
def retry_command(app: App, wanted: Selection) -> None:
    """Try timers again that could not be fired and were set aside."""
    database = app.ready()
    retried = retry_timers(database, selected_timers(database, replace(wanted, status="failed")))
    click.echo(
        tr("{timers} will be tried again.", timers=counted(len(retried), "timer"))
        if retried
        else tr("No such timers were set aside.")
    )


def run_timer_command(app: App, wanted: Selection, command: TimerCommand, how: How) -> None:
    """Carry out a command on timers, or preview it, and print what became of each.

    On a terminal, what changes more than one timer, or lets one fire, is previewed first, and asked about.
    """
    moment, rules = now(), app.rules_for_reading() if how.dry_run else app.rules()
    if how.plan:
        agree = partial(_check_plan, how.plan, command)
        _print_results(app, apply_as_shown(app.ready(), wanted, command, moment, rules, agree), command, how, moment)
        return
    if on_terminal() and not (how.dry_run or how.agreed):
        would = apply_command(app.ready(), wanted, command, moment, rules, dry_run=True, operation_id=how.operation)
        changes = [one for one in would if one.refused is None]
        if len(changes) > 1 or (changes and command.action == "fire"):
            _print_results(app, would, command, replace(how, dry_run=True), moment)
            click.confirm(tr("Go on?"), abort=True)
    done = apply_command(app.ready(), wanted, command, moment, rules, dry_run=how.dry_run, operation_id=how.operation)
    _print_results(app, done, command, how, moment)
    if done and all(one.refused is not None for one in done):
        click.get_current_context().exit(1)


def _check_plan(plan: str, command: TimerCommand, results: Sequence[TimerResult]) -> None:
    check_plan(plan, _what(command, results))


def _what(command: TimerCommand, results: Sequence[TimerResult]) -> Any:
    """Return what a plan names: the command, and the timers with the versions of their orders."""
    is_by_rule = command.action == "retime"  # elsewhere it follows from the command, or from when that is given
    told = sorted((one.order, one.number, one.version, one.refused or "", is_by_rule and str(one.due_at)) for one in results)
    return [command.action, command.to, command.by and command.by.total_seconds(), told]


def _print_results(app: App, done: Sequence[TimerResult], command: TimerCommand, how: How, moment: datetime) -> None:
    changed = [one for one in done if one.refused is None]
    refused = [one for one in done if one.refused is not None]
    in_turn = sorted(done, key=lambda one: (one.was_due, one.order))
    rows = [
        (f"{one.order}#{one.number}", one.trigger, app.brief(one.was_due), _becomes(app, one, command))
        for one in in_turn[:SHOWN]
    ]
    nothing = (
        tr("Nothing is left to do under the name {operation}.", operation=safe(how.operation))
        if how.operation
        else NOTHING_TO_CHANGE
    )
    print_rows("Timers", ("timer", "trigger", "due", "becomes"), rows, nothing)
    if len(done) > SHOWN:
        print_wrapped(tr("… and {count} more", count=len(done) - SHOWN))
    left = tr("; {count} left alone", count=len(refused)) if refused else ""
    print_wrapped(
        tr(
            "{timers} {word}{past_tense}{left}.",
            timers=counted(len(changed), "timer"),
            word=tr("would be ") if how.dry_run else "",
            past_tense=tr(PAST_TENSE[command.action]),
            left=left,
        )
    )
    at_once = sum(one.due_at is not None and one.stands == "pending" and one.due_at <= moment for one in changed)
    if at_once:
        print_wrapped(
            tr("Of these {word}due at once: {at_once}.", word=tr("would be ") if how.dry_run else "", at_once=at_once)
        )
    if how.dry_run and changed:
        plan = plan_of(_what(command, done), shown_at(click.get_current_context()))
        print_wrapped(tr("Plan {plan}: with --plan exactly this is done, or nothing.", plan=plan))


PAST_TENSE = {
    "postpone": "postponed",
    "shift": "shifted",
    "pause": "paused",
    "resume": "resumed",
    "fire": "fired",
    "cancel": "cancelled",
    "retime": "retimed",
}


def _becomes(app: App, one: TimerResult, command: TimerCommand) -> str:
    if one.refused is not None:
        return tr("left alone: {refused}", refused=safe(one.refused))
    if one.due_at is None:
        return tr("fires now") if command.action == "fire" else tr("ends")
    if one.stands == "waiting":
        return tr("waits for a decision, which sleeps until {to}", to=app.brief(command.to))
    return f"{'' if one.stands == 'pending' else f'{one.stands}, '}{app.brief(one.due_at)}"
