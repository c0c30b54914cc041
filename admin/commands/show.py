"""show: one order's whole story."""

from datetime import datetime
from typing import Any

import click
from sqlalchemy import Connection

from admin.app import App
from admin.options import JSON, Instant
from admin.output import fields_of, iso, print_json, print_rows
from admin.text import safe
from engine.rebuild import as_known, as_occurred
from storage import cases, evidence_files, queries
from workflow.case import claims
from workflow.case.case import Case
from workflow.case.money import show_amount
from workflow.errors import AftersalesError
from workflow.policy.policy import Rules, calendar_of


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
    with app.ready().read() as connection:
        key = queries.resolve_id(connection, identity)
        story = _story(connection, key) if as_of is None else _story_of(app, connection, key, as_of, occurred)
    if as_json:
        print_json(story)
        return
    _print_story(app, story)


def _story(connection: Connection, key: int) -> dict[str, Any]:
    case = cases.load(connection, [key], lock=False)[key].case
    return {
        **_case(case),
        "history": [fields_of(row) for row in queries.history(connection, key)],
        "timers": queries.timers(connection, key),
        "evidence": [fields_of(one) for one in evidence_files.of_order(connection, key)],
        "reports": queries.reports(connection, key),
        "effects": queries.effects(connection, key),
        "messages": queries.messages(connection, key),
        "attention": queries.attention(connection, key),
        "group": queries.family(connection, key),
        "replacements": [one for one in queries.relatives(connection, key) if one["number"] != case.order.number],
    }


def _story_of(app: App, connection: Connection, key: int, at: datetime, occurred: bool) -> dict[str, Any]:
    """Return the story as it was at an instant; what came later is left out."""
    policy = app.settings.read_policy()
    rebuild = as_occurred if occurred else as_known
    was = rebuild(connection, key, at, Rules(0, policy, calendar_of(policy)))
    if was is None:
        raise AftersalesError(f"that order {'had not been placed' if occurred else 'was not known'} at {iso(at)}")
    return {
        **_case(was.case),
        "as_of": at,
        "exact": was.exact,
        "history": [fields_of(row) for row in was.history],
        "timers": [fields_of(one) for one in was.case.timers],
        "evidence": [fields_of(one) for one in evidence_files.of_order(connection, key) if one.added_at <= at],
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "order": case.name,
        "state": str(case.state),
        "since": case.since,
        "facts": fields_of(case.order),
        "lines": [{"number": number, **fields_of(one)} for number, one in enumerate(case.lines, 1)],
        "attempts": [fields_of(one) for one in case.attempts],
        "ledger": [fields_of(one) for one in case.ledger],
        "claims": [{**fields_of(one), "pieces": claims.written(case, dict(one.pieces))} for one in case.claims],
    }


_PARTS = {
    "history": ("occurred", "trigger", "source", "target", "actor", "reason"),
    "attempts": ("number", "supplier", "placed_at", "urged_at", "shipped_at", "carrier", "tracking_number"),
    "timers": ("number", "due_at", "trigger", "status", "nth", "provisional"),
    "claims": ("number", "kind", "pieces", "status", "verdict", "chosen", "replacement"),
    "evidence": ("claim", "name", "kind", "sha256", "elsewhere"),
    "ledger": ("number", "side", "amount", "status", "requested_at", "settled_amount"),
    "reports": ("occurred", "trigger", "actor", "verdict", "reason"),
    "effects": ("id", "kind", "status", "caused_at"),
    "messages": ("key", "channel", "status", "subject", "error"),
    "lines": ("number", "sku", "title", "quantity", "price"),
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
    "ship_by",
    "group",
    "buyer_name",
    "buyer_email",
)


AMOUNTS = ("price", "amount", "settled_amount", "paid")


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
    known = [(_title(name), _cell(app, name, facts[name], currency)) for name in _FACTS if facts[name]]
    click.echo(f"  {', '.join(f'{name} {safe(str(value))}' for name, value in known)}")
    for part, columns in _PARTS.items():
        rows = [[_cell(app, column, value[column], currency) for column in columns] for value in story.get(part, ())]
        if rows:
            print_rows(_title(part).capitalize(), [_title(column) for column in columns], rows, "")


def _title(name: str) -> str:
    return {"occurred": "when", "source": "from", "target": "to"}.get(name, name.removesuffix("_at").replace("_", " "))


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
