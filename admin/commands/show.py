"""show: one order's whole story."""

from dataclasses import is_dataclass
from datetime import datetime
from typing import Any

import click

from admin.app import App
from admin.options import JSON, Instant
from admin.output import fields_of, print_json, print_rows
from admin.text import safe
from engine.story import Story, story, story_as_of
from workflow.case.money import show_amount


@click.command("show")
@click.argument("identity", metavar="ID")
@click.option("--as-of", type=Instant(), help="As it was known at this instant")
@click.option("--occurred", is_flag=True, help="With --as-of: by what had occurred by then, whenever it became known")
@JSON
@click.pass_context
def show_command(ctx: click.Context, identity: str, as_of: datetime | None, occurred: bool, as_json: bool) -> None:
    """Show one order's whole story. ID is NUMBER or SHOP/NUMBER."""
    if occurred and as_of is None:
        raise click.UsageError("--occurred needs --as-of: at which instant?")
    app = App(ctx)
    database = app.ready()
    if as_of is None:
        told = story(database, identity)
    else:
        told = story_as_of(database, identity, as_of, app.rules_for_reading(), by_occurrence=occurred)
    parts = _parts(told)
    if as_json:
        print_json(parts)
        return
    _print_story(app, parts)


def _parts(told: Story) -> dict[str, Any]:
    """Return the parts of a story that are known, as --json prints them."""
    return {name: _plain(value) for name, value in fields_of(told).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return fields_of(value) if is_dataclass(value) else value


_PARTS = {
    "history": ("occurred", "trigger", "source", "target", "actor", "reason"),
    "attempts": (
        "number",
        "supplier",
        "supplier_number",
        "paid",
        "placed_at",
        "urged_at",
        "shipped_at",
        "delivered_at",
    ),
    "parcels": ("number", "attempt", "tracking_number", "carrier", "where", "last_news"),
    "timers": ("number", "due_at", "trigger", "status", "nth", "provisional"),
    "claims": ("number", "kind", "pieces", "status", "verdict", "chosen", "replacement"),
    "evidence": ("claim", "name", "kind", "sha256", "elsewhere"),
    "ledger": ("number", "side", "amount", "status", "requested_at", "settled_amount"),
    "reports": ("occurred", "trigger", "actor", "verdict", "reason"),
    "effects": ("id", "kind", "status", "caused_at"),
    "messages": ("key", "channel", "status", "subject", "error"),
    "lines": ("number", "sku", "title", "quantity", "price", "sale"),
    "attention": ("flag", "raised_at", "detail"),
    "group": ("shop", "number", "state"),
    "replacements": ("number", "state", "generation", "replaces"),
}


_FACTS = (
    "replaces",
    "placed_at",
    "supplier",
    "alternatives",
    "route",
    "country",
    "paid",
    "sale",
    "supplier_number",
    "ship_by",
    "group",
    "buyer_name",
    "buyer_email",
)


AMOUNTS = ("price", "sale", "amount", "settled_amount", "paid")


def _print_story(app: App, story: dict[str, Any]) -> None:
    """Print the facts that are known, then each part that has rows."""
    if "as_of" in story:
        click.echo(f"As of {app.when(story['as_of'], how_far=False)}:")
        click.echo(f"{safe(story['order'])} was {story['state']} since {app.when(story['since'], how_far=False)}")
        if not story["exact"]:
            click.echo(
                "Reconstructed from the history only: a replayed step differs from the stored one, or the buyer was erased."
            )
    else:
        click.echo(f"{safe(story['order'])} is {story['state']} since {app.when(story['since'])}")
    facts, currency = story["facts"], story["facts"]["currency"]
    for one in story.get("attempts", ())[:1]:
        one["paid"] = facts["paid"]  # what was paid for the order is what its first supplier got
    titles = {name: "first supplier" if name == "supplier" else _title(name) for name in _FACTS}
    known = [(titles[name], _cell(app, name, facts[name], currency)) for name in _FACTS if facts[name]]
    click.echo(f"  {', '.join(f'{name} {safe(str(value))}' for name, value in known)}")
    for part, columns in _PARTS.items():
        rows = [[_cell(app, column, value[column], currency) for column in columns] for value in story.get(part, ())]
        if rows:
            print_rows(_title(part).capitalize(), [_title(column) for column in columns], rows, "")


def _title(name: str) -> str:
    return _TITLES.get(name, name.removesuffix("_at").replace("_", " "))


_TITLES = {
    "sale": "the buyer paid",
    "supplier_number": "its number there",
    "tracking_number": "tracking",
    "occurred": "when",
    "source": "from",
    "target": "to",
}


def _cell(app: App, column: str, value: object, currency: str) -> object:
    if isinstance(value, datetime):
        return app.when(value, how_far=False)
    if isinstance(value, int) and column in AMOUNTS:
        return show_amount(value, currency)
    if isinstance(value, bool):
        return "yes" if value else None
    if column == "sha256":
        return str(value)[:12]
    return ", ".join(value) if isinstance(value, tuple) else value
