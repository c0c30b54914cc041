"""today: what needs a person, most urgent first, and the deadlines of the next days."""

from datetime import timedelta

import click

from admin.app import App, now
from admin.options import JSON
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import padded, terminal_width, wrapped
from admin.text import safe
from engine.today import Item, Today, in_words, today
from language import counted, tr
from workflow.case.money import show_amount


@click.command("today")
@click.option("--shop", "shops", multiple=True, help="Only of this shop (repeatable)")
@click.option("--limit", type=click.IntRange(1, 1_000), default=10, show_default=True, help="How many things are shown")
@JSON
@click.pass_context
def today_command(ctx: click.Context, shops: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Say what needs you now, most urgent first, each with the command that answers it, and which deadlines come."""
    app = App(ctx)
    found = today(app.ready(), now(), app.rules_for_reading(), app.zone(), shops)
    not_taken = [] if shops else app.inbox_problems(app.inbox())
    if as_json:
        days = [{"date": f"{one.date:%Y-%m-%d}" if one.date else None, "deadlines": one.deadlines} for one in found.days]
        items = [fields_of(one) for one in found.items[:limit]]
        print_json(
            {"items": items, "count": len(found.items), "more": found.has_more, "days": days}
            | {"provisional": found.provisional, "held": found.held, "daemon": found.watched, "inbox": not_taken}
        )
        return
    _print_items(app, found, limit, tr("the inbox needs you") if not_taken else tr("nothing needs you"))
    for problem in not_taken:
        print_wrapped(tr("\nThe inbox: {why}", why=safe(problem)))
    _print_days(app, found)


def _print_items(app: App, found: Today, limit: int, of_none: str) -> None:
    day, many = now().astimezone(app.zone()), counted(len(found.items), "thing needs", "things need")
    more = tr(" (and there are more)") if found.has_more else ""
    told = tr("{many} you{more}", many=many, more=more) if found.items else of_none
    click.secho(tr("{day:%A %Y-%m-%d}: {told}.", day=day, told=told), bold=True)
    for item in found.items[:limit]:
        _print_item(app, item)
    if (left := len(found.items) - limit) > 0:
        print_wrapped(
            tr("\n… and {left} more: aftersales today --limit {count}", left=left, count=min(len(found.items), 1_000))
        )


def _print_item(app: App, item: Item) -> None:
    amount = show_amount(item.amount, item.currency or "") if item.amount is not None else None
    until = tr("by {until}", until=app.brief(item.until)) if item.until else None
    urgent = item.until is not None and item.until - now() < _SOON
    order, *rest = _wrapped(f"{item.order}: {item.what}")
    click.echo()
    click.echo("\n  ".join((click.style(item.order, bold=True) + order.removeprefix(item.order), *rest)))
    if amount or until:
        click.secho(f"  {', '.join(filter(None, (amount, until)))}", fg="red" if urgent else None)
    click.secho(f"  {safe(item.command)}", fg="cyan")


_SOON = timedelta(days=2)
"""What ends so soon is shown in red."""


def _print_days(app: App, found: Today) -> None:
    if found.days:
        click.secho(tr("\nDeadlines"), bold=True)
    for day in found.days:
        name = tr("{day:%a %d %b}", day=day.date.astimezone(app.zone())) if day.date else tr("overdue")
        for number, line in enumerate(_wrapped(in_words(day.deadlines), 14)):
            click.echo(f"  {padded(name if number == 0 else '', 12)}{line}")
    if found.provisional:
        what = counted(found.provisional, "deadline")
        print_wrapped(tr("{what} in a year whose working days are not announced yet: aftersales timers", what=what))
    if found.held:
        effects = counted(found.held, "effect is", "effects are")
        print_wrapped(tr("\n{effects} held until you go live: aftersales observe end", effects=effects))
    if not found.watched and any(day.date is None for day in found.days):
        print_wrapped(tr("\nNo daemon runs: what is overdue fires with aftersales run, or once with aftersales once"))


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """Break a sentence between words where the terminal ends."""
    width = terminal_width()
    return wrapped(safe(text), width and width - indent)
