"""report, resolve, exceptions, effects."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection, RowMapping

from admin.office import Instant, Office, Word, now, person, print_json, print_rows, say_if_cut, vars_of
from admin.plain import counted, safe
from engine.apply import Arrival, Outcome, apply
from engine.delivery import preview
from inbound.cells import BadCell, report_field
from inbound.times import read_instant
from storage import outbox, persons, queries
from workflow.errors import UsageError
from workflow.intake import Verdict
from workflow.money import show_amount
from workflow.order import Detail, Report, own_key
from workflow.policy import Rules
from workflow.process import EFFECTS, FLAGS
from workflow.reports import FIELDS, MEANINGS, Field
from workflow.suggestions import did_you_mean
from workflow.table import EFFECT_OF
from workflow.words import Party

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON")
ROW = click.IntRange(1, 2**63 - 1)
TRIGGERS = tuple(trigger for trigger in FIELDS if trigger != "place")


class Triggers(click.Group):
    """One subcommand per trigger, made from the fields that it may carry."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the triggers in the order of the table."""
        return [*TRIGGERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the trigger's command; `report ID --help` is a question about `report`."""
        if cmd_name in ctx.help_option_names:
            click.echo(ctx.get_help())
            ctx.exit()
        if cmd_name not in TRIGGERS:
            ctx.fail(f"{cmd_name!r} is not a report{did_you_mean(cmd_name, TRIGGERS)}")
        at = click.Option(["--at"], type=Instant(), help="When it occurred (default: now)")
        fields = [_option(name, field) for name, field in FIELDS[cmd_name].items()]
        dry = click.Option(["--dry-run", "dry_run"], is_flag=True, help="Only say what would come of it")
        return click.Command(cmd_name, params=[at, *fields, dry], callback=partial(_report, cmd_name), help=MEANINGS[cmd_name])


def _option(name: str, field: Field) -> click.Option:
    return click.Option([f"--{name.replace('_', '-')}", name], required=field.required, help=field.help)


@click.command("report", cls=Triggers)
@click.argument("identity", metavar="ID")
@click.pass_context
def report_command(ctx: click.Context, identity: str) -> None:
    """Report something about the order ID; each TRIGGER has fields of its own (see its --help)."""
    ctx.meta["identity"] = identity


class _DryRun(Exception):
    """Undoes what was only tried."""


def _report(trigger: str, at: datetime | None, dry_run: bool, **given: str | None) -> None:
    ctx = click.get_current_context()
    office = Office(ctx)
    database, moment = office.ready(), now()
    rules = office.rules()
    outcomes: list[Outcome] = []
    when = at or moment
    with suppress(_DryRun), database.write() as connection:
        order = queries.stored_case(connection, ctx.meta["identity"]).case.order
        fields = _fields(trigger, given, order.currency, office.zone())
        report = Report(trigger, when, person(), own_key(trigger, when), person(), fields)
        outcomes += apply(connection, [Arrival(order, (report,))], moment, rules)
        if dry_run:
            raise _DryRun
    outcome = outcomes[0]
    first = outcome.received[0]
    if first.verdict is Verdict.duplicate:
        click.echo("That was reported before: nothing changed.")
    elif first.error is not None:
        raise first.error
    else:
        click.echo(f"Order {safe(order.name)} {'would be' if dry_run else 'is'} {outcome.case.state} after {trigger}.")
        if when < order.placed_at:
            click.echo(f"  {office.when(when, how_far=False)} is before it was placed: taken as the instant of placing")
        _say_what_comes_of_it(office, outcome, rules)
        for other in outcomes[1:]:
            click.echo(
                f"  order {safe(other.case.name)} {'would be' if dry_run else 'is'} {other.case.state}, with clocks of its own"
            )


def _say_what_comes_of_it(office: Office, outcome: Outcome, rules: Rules) -> None:
    currency = outcome.case.order.currency
    for effect in outcome.steps[0].effects:
        mode = {"ask": ", which waits for your word (aftersales effects)", "off": ", which the policy keeps"}
        about = what_about(effect.kind, effect.details, currency)
        click.echo(f"  causes {effect.kind}{f': {safe(about)}' if about else ''}{mode.get(rules.policy.mode(effect.kind), '')}")
    for row in outcome.case.ledger:
        more = (row.settled_amount or 0) - (row.amount or 0) if row.amount is not None else 0
        if row.decided_at == outcome.steps[0].history.occurred and row.status == "settled" and more:
            click.echo(f"  {show_amount(abs(more), currency)} {'more' if more > 0 else 'less'} than was asked for")
    for flag in outcome.steps[0].flags:
        click.echo(f"  needs a person: {FLAGS[flag]}")
    for timer in sorted(outcome.case.timers, key=lambda one: one.due_at)[:3]:
        if timer.status == "pending":
            click.echo(f"  next: {timer.trigger}, {office.when(timer.due_at)}")


def what_about(kind: str, details: Mapping[str, Any], currency: str) -> str:
    """Say what an effect speaks of: the sum, the pieces, the supplier or the reason."""
    said = []
    if kind in ("request_refund", "chase_refund"):
        amount = details.get("amount")
        said.append("the full amount paid; a person names the sum" if amount is None else show_amount(int(amount), currency))
    names = ("pieces", "supplier", "reason") if EFFECT_OF[kind].party is Party.supplier else ("pieces", "reason")
    said += [str(details[name]) for name in names if details.get(name)]
    return ", ".join(said)


def _fields(trigger: str, given: dict[str, str | None], currency: str, zone: ZoneInfo) -> dict[str, Detail]:
    fields: dict[str, Detail] = {}
    instants = partial(read_instant, zone=zone)
    for name, value in given.items():
        if FIELDS[trigger][name].required and not (value or "").strip():
            raise UsageError(f"--{name.replace('_', '-')} is empty: {FIELDS[trigger][name].help}")
        if value is not None and value.strip():
            try:
                fields[name] = report_field(FIELDS[trigger][name], value.strip(), currency, instants)
            except BadCell as bad:
                raise UsageError(f"--{name.replace('_', '-')}: {bad}") from None
    return fields


@click.command("resolve")
@click.argument("identity", metavar="ID")
@click.argument("word", type=Word())
@click.option("--flag", help="Only this flag (default: every one that stands)")
@click.pass_context
def resolve_command(ctx: click.Context, identity: str, word: str, flag: str | None) -> None:
    """Clear what makes the order ID need a person, with a WORD on what was done."""
    office = Office(ctx)
    with office.ready().write() as connection:
        key = queries.resolve_id(connection, identity)
        standing = [row["flag"] for row in queries.attention(connection, key)]
        if flag and flag not in standing:
            raise UsageError(f"{flag!r} does not stand on that order{did_you_mean(flag, standing or ['none'])}")
        count = persons.resolve_flags(connection, key, flag, person(), word, now())
    click.echo(f"{count} resolved." if count else "That order needs nobody.")


@click.group("exceptions", invoke_without_command=True)
@JSON
@click.pass_context
def exceptions_command(ctx: click.Context, as_json: bool) -> None:
    """List the reports that had no place and wait for a person."""
    if ctx.invoked_subcommand:
        return
    office = Office(ctx)
    with office.ready().read() as connection:
        found = queries.reports(connection, verdict="exception")
    if as_json:
        print_json(found)
        return
    rows = [(r["id"], r["order"], r["trigger"], office.when(r["occurred"]), r["actor"], r["reason"]) for r in found]
    print_rows("Exceptions", ("id", "order", "trigger", "occurred", "from", "why"), rows, "No exceptions wait.")


@exceptions_command.command("close")
@click.argument("report_id", type=ROW, metavar="ID")
@click.argument("word", type=Word())
@click.pass_context
def close_exception(ctx: click.Context, report_id: int, word: str) -> None:
    """Close the exception ID with a WORD on what was done."""
    with Office(ctx).ready().write() as connection:
        if not persons.resolve_exception(connection, report_id, person(), word, now()):
            raise UsageError(f"there is no open exception {report_id}: `aftersales exceptions` lists them")
    click.echo("Closed.")


@click.group("effects", invoke_without_command=True)
@click.option("--order", "identity", help="Only those of this order")
@click.option("--status", help="Only those that are held, asked, ready, leaving, sent, dead, parked, dropped or off")
@click.option("--kind", help="Only this kind")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="List at most so many")
@JSON
@click.pass_context
def effects_command(
    ctx: click.Context, identity: str | None, status: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List what leaves the engine, newest first."""
    if ctx.invoked_subcommand:
        return
    office = Office(ctx)
    found = _chosen(office, identity, status, kind, limit)
    if as_json:
        print_json([dict(row) for row in found])
        return
    rows = [(r["id"], r["order"], r["kind"], _what(r), r["status"], office.brief(r["caused_at"])) for r in found]
    print_rows("Effects", ("id", "order", "kind", "what", "status", "caused"), rows, "No such effects.")
    say_if_cut(found, limit)


def _chosen(office: Office, identity: str | None, status: str | None, kind: str | None, limit: int) -> list[RowMapping]:
    statuses = ("held", "asked", "ready", "leaving", "sent", "dead", "parked", "dropped", "off")
    kinds = [effect.kind for effect in EFFECTS]
    if status and status not in statuses:
        raise UsageError(f"{status!r} is not a status of effects{did_you_mean(status, statuses)}")
    if kind and kind not in kinds:
        raise UsageError(f"{kind!r} is not a kind of effect{did_you_mean(kind, kinds)}")
    with office.ready().read() as connection:
        key = queries.resolve_id(connection, identity) if identity else None
        return queries.effects(connection, key, status, kind, limit)


def _what(row: RowMapping) -> str | None:
    return what_about(row["kind"], json.loads(row["details"]), row["currency"]) or None


@effects_command.command("show")
@click.argument("effect_id", type=ROW, metavar="ID")
@click.pass_context
def show_effect(ctx: click.Context, effect_id: int) -> None:
    """Show the effect ID with its messages, as they left or as they would be written now."""
    office = Office(ctx)
    place = office.workplace()
    with place.database.read() as connection:
        (row,) = _by_id(connection, [effect_id])
        stored = queries.messages_of(connection, effect_id)
        effect = outbox.effect(connection, effect_id)
    by = f" by {safe(row['decided_by'])}, {office.when(row['decided_at'])}" if row["decided_by"] else ""
    click.echo(
        f"Effect {effect_id} of order {safe(row['order'])}: {row['kind']}, {row['status']}{by}; {_what(row) or 'no details'}"
    )
    messages: Sequence[Mapping[str, Any]] = stored or [
        vars_of(one) for one in preview(effect, place.rules.policy, place.office)
    ]
    for one in messages:
        left = one.get("status") or "not written yet"
        click.echo(f"\nby {one['channel']} to {safe(one['recipient'] or '-')} ({left})\n{safe(one['subject'])}\n")
        click.echo(safe(one["body"]))


def _by_id(connection: Connection, ids: Sequence[int]) -> list[RowMapping]:
    found = queries.effects_by_id(connection, ids)
    if missing := set(ids) - {row["id"] for row in found}:
        raise UsageError(f"there is no effect {min(missing)}: `aftersales effects` lists them")
    return found


def _decision(name: str, words: str, from_statuses: tuple[str, ...]) -> click.Command:
    """Make the command of one decision on effects."""

    @click.argument("ids", nargs=-1, type=ROW)
    @click.option("--all", "everything", is_flag=True, help="Every effect that waits for this decision")
    @click.option("--order", "identity", help="Those of this order")
    @click.option("--kind", help="Those of this kind")
    @click.option("--dry-run", is_flag=True, help="Only say which")
    @click.pass_context
    def decide(
        ctx: click.Context,
        ids: tuple[int, ...],
        everything: bool,
        identity: str | None,
        kind: str | None,
        dry_run: bool,
    ) -> None:
        if not (ids or everything or identity or kind):
            raise click.UsageError("Name effects by id, --order or --kind, or say --all.")
        office = Office(ctx)
        with office.ready().write() as connection:
            found = _by_id(connection, ids) if ids else _chosen(office, identity, None, kind, 100_000)
            fitting = [row for row in found if row["status"] in from_statuses]
            if not dry_run:
                getattr(outbox, name)(connection, fitting, person(), now())
        for row in fitting if dry_run else ():
            click.echo(f"{row['id']}  {safe(row['order'])}  {row['kind']}  {row['status']}")
        left = (
            f"; {counted(len(found) - len(fitting), 'other')} in no status for that"
            if ids and len(found) > len(fitting)
            else ""
        )
        click.echo(f"{len(fitting)} {'would be ' if dry_run else ''}{words}{left}.")

    return click.command(name, help=f"{name.capitalize()} effects: those that are {', '.join(from_statuses)}.")(decide)


effects_command.add_command(_decision("approve", "approved", ("held", "asked")))
effects_command.add_command(_decision("drop", "dropped", ("held", "asked", "ready", "dead", "parked")))
effects_command.add_command(_decision("retry", "sent again", ("dead", "parked")))
