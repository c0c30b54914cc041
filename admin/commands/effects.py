"""effects: list what leaves the engine; approve, drop or retry it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from sqlalchemy import Connection, RowMapping

from admin.app import App, now, person
from admin.effect_summary import effect_summary
from admin.options import JSON, ROW
from admin.output import fields_of, print_json, print_rows, say_if_cut
from admin.text import safe
from engine.delivery import preview
from storage import outbox, queries
from workflow.errors import UsageError
from workflow.plurals import counted
from workflow.process import EFFECTS
from workflow.suggestions import did_you_mean


@click.group("effects", invoke_without_command=True)
@click.option("--order", "identity", help="Only those of this order")
@click.option("--status", help="Only those that are held, asked, ready, leaving, sent, dead, parked, dropped or off")
@click.option("--kind", help="Only this kind")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Maximum number of rows")
@JSON
@click.pass_context
def effects_command(
    ctx: click.Context, identity: str | None, status: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List what leaves the engine, newest first."""
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    found = _chosen(app, identity, status, kind, limit)
    if as_json:
        print_json([dict(row) for row in found])
        return
    rows = [(r["id"], r["order"], r["kind"], _what(r), r["status"], app.brief(r["caused_at"])) for r in found]
    print_rows("Effects", ("id", "order", "kind", "what", "status", "caused"), rows, "No such effects.")
    say_if_cut(found, limit)


def _chosen(app: App, identity: str | None, status: str | None, kind: str | None, limit: int) -> list[RowMapping]:
    statuses = ("held", "asked", "ready", "leaving", "sent", "dead", "parked", "dropped", "off")
    kinds = [effect.kind for effect in EFFECTS]
    if status and status not in statuses:
        raise UsageError(f"{status!r} is not a status of effects{did_you_mean(status, statuses)}")
    if kind and kind not in kinds:
        raise UsageError(f"{kind!r} is not a kind of effect{did_you_mean(kind, kinds)}")
    with app.ready().read() as connection:
        key = queries.resolve_id(connection, identity) if identity else None
        return queries.effects(connection, key, status, kind, limit)


def _what(row: RowMapping) -> str | None:
    return effect_summary(row["kind"], json.loads(row["details"]), row["currency"]) or None


@effects_command.command("show")
@click.argument("effect_id", type=ROW, metavar="ID")
@click.pass_context
def show_effect(ctx: click.Context, effect_id: int) -> None:
    """Show the effect ID with its messages, as they left or as they would be written now."""
    app = App(ctx)
    runtime = app.runtime()
    with runtime.database.read() as connection:
        (row,) = _by_id(connection, [effect_id])
        stored = queries.messages_of(connection, effect_id)
        effect = outbox.effect(connection, effect_id)
    by = f" by {safe(row['decided_by'])}, {app.when(row['decided_at'])}" if row["decided_by"] else ""
    click.echo(
        f"Effect {effect_id} of order {safe(row['order'])}: {row['kind']}, {row['status']}{by}; {_what(row) or 'no details'}"
    )
    messages: Sequence[Mapping[str, Any]] = stored or [
        fields_of(one) for one in preview(effect, runtime.rules.policy, runtime.messenger)
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
        app = App(ctx)
        with app.ready().write() as connection:
            found = _by_id(connection, ids) if ids else _chosen(app, identity, None, kind, 100_000)
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
