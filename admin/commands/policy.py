"""policy: show, check or try a policy; move running timers to it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from admin.app import App, now, person
from admin.commands.timer_changes import How, changing, run_timer_command
from admin.options import JSON
from admin.output import fields_of, print_json, print_wrapped
from admin.progress import progress
from admin.tables import Cell, amount, print_rows
from admin.text import span
from engine.timer_commands import Selection, TimerCommand
from engine.what_if import MovedDeadline, Outlook, Shift, WhatIf, what_if
from language import counted, tr
from workflow.case.money import show_amount
from workflow.policy.policy import Rules, calendar_of
from workflow.process import EFFECTS
from workflow.table import CLOCK_OF


@click.group("policy")
def policy_command() -> None:
    """Show, check or try a policy; move running timers to it."""


@policy_command.command("show")
@click.option("--defaults", is_flag=True, help="The one that comes with the program, with every number and its meaning")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every number in force")
@click.pass_context
def show_policy(ctx: click.Context, defaults: bool, as_json: bool) -> None:
    """Print the policy in force, as its file stands."""
    settings = App(ctx).settings
    settings = settings.model_copy(update={"policy": None}) if defaults else settings
    policy = settings.read_policy()
    if as_json:
        print_json(policy.model_dump(mode="json"))
    else:
        click.echo(settings.policy_text(), nl=False)


@policy_command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_context
def check_policy(ctx: click.Context, file: Path | None) -> None:
    """Check the policy in force, or the one in FILE."""
    settings = App(ctx).settings
    if file:
        settings = settings.model_copy(update={"policy": file})
    settings.read_policy()
    print_wrapped(tr("{file}: no errors", file=file or settings.policy or tr("The policy that comes with the program")))


@policy_command.command("what-if")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--days", type=click.IntRange(1, 3_650), default=30, show_default=True, help="Over how many days from now")
@click.option("--shop", "shops", multiple=True, help="Only the orders of this shop (repeatable)")
@click.option("--supplier", "suppliers", multiple=True, help="Only the timers about this supplier's orders (repeatable)")
@click.option("--limit", type=click.IntRange(0, 100_000), default=10, show_default=True, help="How many examples are shown")
@JSON
@click.pass_context
def what_if_command(
    ctx: click.Context,
    file: Path,
    days: int,
    shops: tuple[str, ...],
    suppliers: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Try the policy in FILE on all running orders, beside the one in force. Nothing is stored, sent or moved.

    Every order lives on for some days as if nothing more were reported of it, once under each policy: which deadlines move,
    which orders are urged, rerouted and refunded, how many messages leave, and how much money is asked for. Steps about
    which you are asked are taken at once.
    """
    app, at = App(ctx), now()
    policy = app.settings.model_copy(update={"policy": file}).read_policy()
    in_force = app.rules_for_reading()
    tried = Rules(in_force.version + 1, policy, calendar_of(policy), chooser=in_force.chooser)
    wanted = Selection(shops=shops, suppliers=suppliers)
    with progress(tr("orders"), quiet=as_json) as bar:
        found = what_if(app.ready(), wanted, at, days, in_force, tried, shown=limit, progress=bar.reach)
    if as_json:
        print_json(_what_if_json(found))
    else:
        _print_what_if(app, found, file)
        if policy == in_force.policy:
            print_wrapped(tr("{file} says what the policy in force says: change a copy of it, and try that", file=file))


def _what_if_json(found: WhatIf) -> Mapping[str, Any]:
    def outlook(one: Outlook) -> Mapping[str, Any]:
        money = [{"side": side, "currency": currency, "amount": total} for (side, currency), total in one.money.items()]
        return fields_of(one) | {"money": money}

    def seconds(one: Shift) -> Mapping[str, Any]:
        spans = {name: getattr(one, name).total_seconds() for name in ("most_earlier", "most_later")}
        return {"earlier": one.earlier, "later": one.later, "ended": one.ended} | spans

    return {
        "until": found.until,
        "running": found.running,
        "orders_moved": found.orders_moved,
        "shifts": {trigger: seconds(one) for trigger, one in found.shifts.items()},
        "fare_otherwise": found.fare_otherwise,
        "in_force": outlook(found.in_force),
        "tried": outlook(found.tried),
        "moved": [fields_of(one) for one in found.moved],
        "otherwise": [fields_of(one) for one in found.otherwise],
    }


def _print_what_if(app: App, found: WhatIf, file: Path) -> None:
    until, orders = app.when(found.until, how_far=False), counted(found.running, "running order")
    print_wrapped(
        tr(
            "{orders} until {until}, as if nothing more were reported; `now` is the policy in force, `then` is {file}.",
            orders=orders,
            until=until,
            file=file,
        )
    )
    click.echo()
    shifts = [(trigger, *_shift(found.shifts[trigger])) for trigger in CLOCK_OF if trigger in found.shifts]
    title = tr("Deadlines that would move, of {orders}", orders=counted(found.orders_moved, "order"))
    print_rows(title, ("clock", "earlier", "by up to", "later", "by up to", "end"), shifts, "No deadline would move.")
    moved = [(f"{one.order}#{one.number}", one.trigger, app.stamp(one.was_due), _then_due(app, one)) for one in found.moved]
    if moved:
        click.echo()
        print_rows(tr("The first {count} of them", count=len(moved)), ("timer", "clock", "due", "would be due"), moved, "")
    click.echo()
    print_rows("What would come of it", ("", "now", "then", "change"), [*_outlooks(found.in_force, found.tried)], "")
    if found.otherwise:
        click.echo()
        title = tr("{orders} would fare otherwise", orders=counted(found.fare_otherwise, "order"))
        rows = [(one.order, _listed(one.in_force), _listed(one.tried)) for one in found.otherwise]
        print_rows(title, ("order", "now", "then"), rows, "")
        if found.fare_otherwise > len(rows):
            print_wrapped(
                tr(
                    "… and {fare_otherwise} more: --limit {fare_otherwise_2}",
                    fare_otherwise=found.fare_otherwise - len(rows),
                    fare_otherwise_2=found.fare_otherwise,
                )
            )


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds) or tr("none")


def _shift(one: Shift) -> tuple[Any, ...]:
    earlier = span(one.most_earlier) if one.earlier else None
    return one.earlier or None, earlier, one.later or None, span(one.most_later) if one.later else None, one.ended or None


def _then_due(app: App, one: MovedDeadline) -> str:
    return tr("it would end") if one.due_at is None else app.stamp(one.due_at)


def _outlooks(in_force: Outlook, tried: Outlook) -> Iterator[tuple[Any, ...]]:
    """Yield what is counted under both policies, line by line; what is nothing under both is left out."""
    lines: list[tuple[str, int, int]] = [
        (tr("orders with {kind}", kind=kind), in_force.orders[kind], tried.orders[kind]) for kind in KINDS
    ]
    lines += [
        (tr("messages"), in_force.messages, tried.messages),
        (tr("decisions of yours"), in_force.decisions, tried.decisions),
    ]
    lines += [(tr("sums that are not known"), in_force.unknown, tried.unknown)]
    for what, one, other in lines:
        if one or other:
            yield what, one, other, Cell(f"{other - one:+}" if one != other else "", right=True)
    for side, currency in sorted(in_force.money | tried.money):
        one, other = in_force.money[side, currency], tried.money[side, currency]
        change = f"{'+' if other > one else '-'}{show_amount(abs(other - one), currency)}" if one != other else ""
        yield (
            tr("{sides} asked for", sides=tr(SIDES[side])),
            amount(one, currency),
            amount(other, currency),
            Cell(change, right=True, whole=True),
        )


SIDES = {"refund": "refunds", "recovery": "recoveries"}
KINDS = tuple(effect.kind for effect in EFFECTS)


@click.command("retime")
@changing
def retime_command(app: App, wanted: Selection, how: How) -> None:
    """Recompute running timers under the policy in force.

    What a person or a pause has moved stays moved by as much. Timers that come out the same are left alone.
    """
    run_timer_command(app, wanted, TimerCommand("retime", person(), how.reason), how)


policy_command.add_command(retime_command)
