"""orders, show, explain, timers."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from sqlalchemy import Connection

from admin.office import Ahead, Instant, Office, iso, print_json, print_rows, say, say_if_cut, vars_of
from admin.plain import counted, safe
from engine.explain import WHAT_FIRES, Explanation, explain
from engine.rebuild import as_known, as_occurred
from storage import cases, evidence, queries
from storage.queries import OrderFilter
from workflow import claims
from workflow.errors import AftersalesError
from workflow.history import HistoryRow
from workflow.money import show_amount
from workflow.order import Case, Timer
from workflow.policy import Rules, calendar_of
from workflow.reports import STATE_NAMES

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON")
LIMIT = click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="List at most so many")


@click.command("orders")
@click.option("--state", type=click.Choice(STATE_NAMES), help="Only those in this state")
@click.option("--due-before", type=Ahead(), help="Only those with a deadline before this instant, or within 2d, 36h, …")
@click.option("--attention", is_flag=True, help="Only those that need a person")
@click.option("--supplier", help="Only those of this supplier")
@click.option("--text", help="Only those whose number, supplier, group or buyer holds this")
@LIMIT
@JSON
@click.pass_context
def orders_command(
    ctx: click.Context,
    state: str | None,
    due_before: datetime | None,
    attention: bool,
    supplier: str | None,
    text: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find orders; those with the nearest deadline come first."""
    office = Office(ctx)
    with office.ready().read() as connection:
        found = queries.orders(connection, OrderFilter(state, due_before, attention, supplier, text, limit))
        waiting = len(queries.reports(connection, verdict="exception"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{row['shop']}/{row['number']}",
            row["state"],
            office.brief(row["next_due"]),
            row["supplier"],
            row["attention"],
        )
        for row in found
    ]
    print_rows("Orders", ("order", "state", "next deadline", "supplier", "needs a person"), rows, "No such orders.")
    say_if_cut(found, limit)
    if attention and waiting:
        click.echo(f"{waiting} reports wait as exceptions: aftersales exceptions")


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
    office = Office(ctx)
    with office.ready().read() as connection:
        key = queries.resolve_id(connection, identity)
        story = _story(connection, key) if as_of is None else _story_of(office, connection, key, as_of, occurred)
    if as_json:
        print_json(story)
        return
    _print_story(office, story)


def _story(connection: Connection, key: int) -> dict[str, Any]:
    case = cases.load(connection, [key])[key].case
    return {
        **_case(case),
        "history": [vars_of(row) for row in queries.history(connection, key)],
        "timers": queries.timers(connection, key, (), limit=1_000),
        "evidence": [vars_of(one) for one in evidence.of_order(connection, key)],
        "reports": queries.reports(connection, key),
        "effects": [dict(row) for row in queries.effects(connection, key)],
        "messages": queries.messages(connection, key),
        "attention": queries.attention(connection, key),
        "group": queries.family(connection, key),
        "replacements": [one for one in queries.relatives(connection, key) if one["number"] != case.order.number],
    }


def _story_of(office: Office, connection: Connection, key: int, at: datetime, occurred: bool) -> dict[str, Any]:
    """Return the story as it was at an instant; what came later is left out."""
    policy = office.settings.read_policy()
    rebuild = as_occurred if occurred else as_known
    was = rebuild(connection, key, at, Rules(0, policy, calendar_of(policy)))
    if was is None:
        raise AftersalesError(f"that order {'had not been placed' if occurred else 'was not known'} at {iso(at)}")
    return {
        **_case(was.case),
        "as_of": at,
        "exact": was.exact,
        "history": [vars_of(row) for row in was.history],
        "timers": [vars_of(one) for one in was.case.timers],
        "evidence": [vars_of(one) for one in evidence.of_order(connection, key) if one.added_at <= at],
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "order": case.name,
        "state": str(case.state),
        "since": case.since,
        "facts": vars_of(case.order),
        "lines": [{"number": number, **vars_of(one)} for number, one in enumerate(case.lines, 1)],
        "attempts": [vars_of(one) for one in case.attempts],
        "ledger": [vars_of(one) for one in case.ledger],
        "claims": [{**vars_of(one), "pieces": claims.written(case, dict(one.pieces))} for one in case.claims],
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


SHOWN_REFUSED = 3
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


def _print_story(office: Office, story: dict[str, Any]) -> None:
    """Print the facts that are known, then each part that has rows."""
    if "as_of" in story:
        click.echo(f"As of {office.when(story['as_of'], how_far=False)}:")
        click.echo(f"{safe(story['order'])} was {story['state']} since {office.when(story['since'], how_far=False)}")
        if not story["exact"]:
            click.echo(
                "Told by its history alone: this program would take one of its steps otherwise, or its buyer was erased."
            )
    else:
        click.echo(f"{safe(story['order'])} is {story['state']} since {office.when(story['since'])}")
    facts, currency = story["facts"], story["facts"]["currency"]
    known = [(_title(name), _cell(office, name, facts[name], currency)) for name in _FACTS if facts[name]]
    click.echo(f"  {', '.join(f'{name} {safe(str(value))}' for name, value in known)}")
    for part, columns in _PARTS.items():
        rows = [[_cell(office, column, value[column], currency) for column in columns] for value in story.get(part, ())]
        if rows:
            print_rows(_title(part).capitalize(), [_title(column) for column in columns], rows, "")


def _title(name: str) -> str:
    return {"occurred": "when", "source": "from", "target": "to"}.get(name, name.removesuffix("_at").replace("_", " "))


def _cell(office: Office, column: str, value: object, currency: str) -> object:
    if isinstance(value, datetime):
        return office.when(value, how_far=False)
    if isinstance(value, int) and column in AMOUNTS:
        return show_amount(value, currency)
    if isinstance(value, bool):
        return "yes" if value else None
    if column == "sha256":
        return str(value)[:12]
    return ", ".join(value) if isinstance(value, tuple) else value


@click.command("explain")
@click.argument("identity", metavar="ID")
@JSON
@click.pass_context
def explain_command(ctx: click.Context, identity: str, as_json: bool) -> None:
    """Say why an order is where it is, what fires next and when, and what you may do now."""
    office = Office(ctx)
    told = explain(office.ready(), identity, office.rules())
    if as_json:
        print_json(_explanation_json(told))
        return
    for line in (*_why(office, told), *_claim(office, told), *_next(office, told), *_your_turn(office, told)):
        say(line)


def _explanation_json(told: Explanation) -> dict[str, Any]:
    timers = ("trigger", "due_at", "status", "counts_from", "policy", "provisional")
    why = ("trigger", "occurred", "due", "actor", "reason")
    return {
        "order": told.case.name,
        "state": str(told.case.state),
        "why": {name: getattr(told.why, name) for name in why},
        "timers": [{name: getattr(timer, name) for name in timers} for timer in told.timers],
        "allowed": told.allowed,
        "attention": [flag for flag, _, _ in told.attention],
        "refused": [{"trigger": trigger, "occurred": at, "reason": reason} for trigger, at, reason in told.refused],
        "observed": told.observed,
        "claim": vars_of(told.case.claim) if told.case.claim else None,
        "decided_by": told.decided_by,
    }


def _why(office: Office, told: Explanation) -> Iterator[str]:
    case = told.case
    yield f"Order {safe(case.name)} is {case.state}: {told.meaning}."
    cause, supplier = safe(_cause(office, told.why)), safe(told.supplier)
    yield f"Since {office.when(told.why.occurred)}, by {cause}; current supplier: {supplier}."
    for claim in case.claims:
        if claim.replacement:
            yield f"It was replaced by order {safe(case.order.shop)}/{safe(claim.replacement)} (claim {claim.number})."
    if case.order.replaces:
        yield f"It replaces order {safe(case.order.shop)}/{safe(case.order.replaces)}."
    if case.returns_to:
        yield f"It goes back to {case.returns_to} if that comes to nothing."


def _cause(office: Office, step: HistoryRow) -> str:
    late = f", due {office.when(step.due, how_far=False)}" if step.due and step.due != step.occurred else ""
    reason = f" ({step.reason})" if step.reason else ""
    return f"{step.trigger} by {'its timer' if step.actor == 'timer' else step.actor}{late}{reason}"


def _claim(office: Office, told: Explanation) -> Iterator[str]:
    """Say who has until when in a dispute, and what happens if nobody does anything."""
    case, claim = told.case, told.case.claim
    if claim is None:
        return
    pieces = safe(claims.written(case, dict(claim.pieces)))
    asked = f"the customer asks for {claim.remedy}; {counted(len(claim.evidence), 'piece')} of evidence"
    yield f"Claim {claim.number} ({claim.kind}): {pieces}; {asked}."
    for line in told.dispute:
        moment = f" until {office.when(line.until)}" if line.until else ""
        yield f"{line.party}{moment} {line.what}{f' If nothing happens: {line.otherwise}.' if line.otherwise else ''}"
    for moment_of, trigger in told.meanwhile:
        yield f"Meanwhile the parcel: {trigger} of {office.when(moment_of, how_far=False)}."
    for place in told.seen_elsewhere:
        yield f"Look twice: {safe(place)}."


def _next(office: Office, told: Explanation) -> Iterator[str]:
    for timer in told.timers:
        provisional = "; provisional: that year's working days are not announced yet" if timer.provisional else ""
        moment = office.when(timer.due_at) if timer.status == "pending" else _stopped(office, timer)
        by = f" by {safe(told.moved_by[timer.number])}" if timer.number in told.moved_by else ""
        moved = f"; moved from {office.when(timer.planned_at, how_far=False)}{by}" if timer.planned_at != timer.due_at else ""
        counts = f"counts from {office.when(timer.counts_from, how_far=False)}"
        lines = "; ".join(told.decided_by[timer.number])
        yield f"Next: {moment}: {WHAT_FIRES[timer.trigger]}"
        yield f"      [{timer.trigger}#{timer.number}; {counts}; policy {timer.policy}: {safe(lines)}{moved}{provisional}]"
    if not told.timers:
        yield "Next: nothing fires by itself any more."


def _stopped(office: Office, timer: Timer) -> str:
    if timer.paused_by:
        return f"paused by {safe(timer.paused_by)}"
    return "paused" if timer.paused_at else f"waits (due {office.when(timer.due_at, how_far=False)})"


def _your_turn(office: Office, told: Explanation) -> Iterator[str]:
    name = safe(told.case.name)
    for effect_id, kind in told.waiting:
        yield f"Waits for your word: {kind} (aftersales effects approve {effect_id}, or drop {effect_id})"
    for _, meaning, detail in told.attention:
        why = f" ({safe(detail)})" if detail else ""
        yield f"Needs a person: {meaning}{why}. When it is dealt with: aftersales resolve {name} WORD"
    if told.exceptions:
        yield f"{told.exceptions} reports had no place: aftersales exceptions"
    if len(told.refused) > SHOWN_REFUSED:
        yield f"{len(told.refused)} reports were refused; the last ones:"
    for trigger, at, reason in told.refused[-SHOWN_REFUSED:]:
        yield f"Refused: {trigger} of {office.when(at, how_far=False)}: {safe(reason)}."
    if told.observed:
        yield "It is observed: its effects are held until you approve or drop them (aftersales effects)."
    yield f"You may report (aftersales report {name} …): {', '.join(told.allowed)}."
