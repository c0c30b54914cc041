"""show: one order's story, in short, whole, or as a timeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from typing import Any

import click

from admin.app import App
from admin.options import JSON, Instant
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import Cell, amount, print_rows
from admin.text import safe, span
from engine.story import Story, story, story_as_of
from engine.timeline import Moment, timeline
from language import tr
from workflow.arguments import argument
from workflow.vocabulary import ClaimStatus, EffectStatus, LedgerStatus, TimerStatus, Verdict


@click.command("show")
@click.argument("identity", metavar="ID")
@click.option("--all", "everything", is_flag=True, help="All that is known, and not only what is recent or open")
@click.option("--timeline", "as_timeline", is_flag=True, help="What happened, in turn, with what was late or out of order")
@click.option("--as-of", type=Instant(), help="As it was known at this instant")
@click.option("--occurred", is_flag=True, help="With --as-of: by what had occurred by then, whenever it became known")
@JSON
@click.pass_context
def show_command(
    ctx: click.Context,
    identity: str,
    everything: bool,
    as_timeline: bool,
    as_of: datetime | None,
    occurred: bool,
    as_json: bool,
) -> None:
    """Show one order: what it is, its last steps, and what is open. ID is NUMBER or SHOP/NUMBER.

    --json prints all that is known.
    """
    if occurred and as_of is None:
        raise click.UsageError(tr("--occurred needs --as-of: at which instant?"))
    if as_timeline and (everything or as_of):
        raise click.UsageError(tr("--timeline goes with neither --all nor --as-of: it is a story of its own."))
    app = App(ctx)
    database = app.ready()
    if as_timeline:
        _print_timeline(app, *timeline(database, identity), as_json)
        return
    if as_of is None:
        told = story(database, identity)
    else:
        told = story_as_of(database, identity, as_of, app.rules_for_reading(), by_occurrence=occurred)
    parts = _parts(told)
    if as_json:
        print_json(parts)
        return
    _print_story(app, parts, whole=everything or as_of is not None)


def _parts(told: Story) -> dict[str, Any]:
    """Return the parts of a story that are known, as --json prints them."""
    return {name: _plain(value) for name, value in fields_of(told).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return fields_of(value) if is_dataclass(value) else value


PARTS = {
    "history": ("occurred", "trigger", "moved", "actor", "reason"),
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


LAST_STEPS = 5
"""So many steps of the history are shown in short."""
_IS_OPEN: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "timers": lambda one: one["status"] not in (TimerStatus.fired, TimerStatus.cancelled),
    "claims": lambda one: one["status"] == ClaimStatus.open,
    "ledger": lambda one: one["status"] == LedgerStatus.requested,
    "effects": lambda one: one["status"] not in (EffectStatus.sent, EffectStatus.dropped, EffectStatus.off),
    "attention": lambda one: True,
}
"""The parts of which what is open is shown in short, and what is open of them."""
_WHOLE = ("parcels", "group", "replacements")
"""The parts of which all is shown in short; of the attempts too, if there is more than one."""


def _in_short(part: str, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a part that are shown in short."""
    if part == "history":
        return rows[-LAST_STEPS:]
    if part in _WHOLE or (part == "attempts" and len(rows) > 1):
        return rows
    return [one for one in rows if _IS_OPEN[part](one)] if part in _IS_OPEN else ()


FACTS = (
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


def _print_story(app: App, story: dict[str, Any], *, whole: bool) -> None:
    """Print the facts that are known, then each part that has rows: all of them if `whole`, else what is recent or open."""
    if "as_of" in story:
        print_wrapped(tr("As of {as_of}:", as_of=app.when(story["as_of"], how_far=False)))
        print_wrapped(
            tr(
                "{order} was {state} since {since}",
                order=safe(story["order"]),
                state=story["state"],
                since=app.when(story["since"], how_far=False),
            )
        )
        if not story["exact"]:
            print_wrapped(
                tr("Reconstructed from the history only: a replayed step differs from the stored one, or the buyer was erased.")
            )
    else:
        print_wrapped(
            tr(
                "{order} is {state} since {since}",
                order=safe(story["order"]),
                state=story["state"],
                since=app.when(story["since"]),
            )
        )
    facts, currency = story["facts"], story["facts"]["currency"]
    for one in story.get("attempts", ())[:1]:
        one["paid"] = facts["paid"]  # what was paid for the order is what its first supplier got
    titles = {name: tr("first supplier") if name == "supplier" else title_of(name) for name in FACTS}
    known = [(titles[name], _cell(app, name, facts[name], currency)) for name in FACTS if facts[name]]
    print_wrapped(f"  {', '.join(f'{name} {safe(str(value))}' for name, value in known)}")
    left_out = []
    for part, columns in PARTS.items():
        known = story.get(part, ())
        shown = known if whole else _in_short(part, known)
        rows = [[_cell(app, column, _value(value, column), currency) for column in columns] for value in shown]
        if rows:
            last = (
                tr(", the last {count} of {count_2}", count=len(rows), count_2=len(known))
                if part == "history" and len(rows) < len(known)
                else ""
            )
            click.echo()
            print_rows(f"{tr(part.capitalize())}{last}", [title_of(column) for column in columns], rows, "")
        if len(shown) < len(known):
            left_out.append(f"{title_of(part)} {len(known) - len(shown)}")
    if left_out:
        name = argument(safe(story["order"]))
        click.echo()
        print_wrapped(
            tr("Not shown: {left_out}. aftersales show {name} --all, or --timeline", left_out=", ".join(left_out), name=name)
        )


def _print_timeline(app: App, order: str, moments: Sequence[Moment], as_json: bool) -> None:
    """Print what happened to an order, in turn."""
    if as_json:
        print_json({"timeline": [fields_of(one) | {"late_by": _seconds(one), "left": dict(one.left)} for one in moments]})
        return
    columns = ("when", "what", "by", "state", "leaves", "mark")
    rows = [
        (
            app.stamp(one.at),
            one.trigger,
            one.actor,
            _moved(one.source, one.target),
            ", ".join(f"{kind} ({status})" for kind, status in one.left) or None,
            Cell(_mark(app, one), "red" if one.late_by or one.out_of_order else None),
        )
        for one in moments
    ]
    print_rows(tr("Timeline of {order} (in {app} time)", order=order, app=app.zone()), columns, rows, "", heads=2)


def _seconds(moment: Moment) -> float | None:
    return moment.late_by.total_seconds() if moment.late_by else None


def _mark(app: App, moment: Moment) -> str:
    """Say what was not as it should be: late, out of order, taken back, or not applied."""
    marks = (
        tr("{late_by} late", late_by=span(moment.late_by)) if moment.late_by else None,
        tr("out of order: known since {recorded}", recorded=app.stamp(moment.recorded)) if moment.out_of_order else None,
        moment.verdict if moment.verdict != Verdict.applied else None,
        moment.reason,
    )
    return "; ".join(filter(None, marks))


def _value(row: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column; `moved` of a step is from which state to which."""
    return _moved(row["source"], row["target"]) if column == "moved" else row[column]


def _moved(source: str | None, target: str | None) -> str | None:
    """Write from which state to which a step has moved its order."""
    return target if source in (None, target) else f"{source} → {target}"


def title_of(name: str) -> str:
    """Return what a part or a column is called."""
    return tr(_TITLES.get(name, name.removesuffix("_at").replace("_", " ")))


_TITLES = {
    "sale": "the buyer paid",
    "supplier_number": "its number there",
    "tracking_number": "tracking",
    "occurred": "when",
    "moved": "state",
    "actor": "by",
    "due_at": "due",
}


def _cell(app: App, column: str, value: object, currency: str) -> object:
    if isinstance(value, datetime):
        return app.stamp(value)
    if isinstance(value, int) and column in AMOUNTS:
        return amount(value, currency)
    if isinstance(value, bool):
        return tr("yes") if value else None
    if column == "sha256":
        return str(value)[:12]
    return ", ".join(value) if isinstance(value, tuple) else value
