"""check, audit, policy, diagram, db."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from admin.diagram import mermaid
from admin.office import Office, iso, now, print_json
from admin.plain import counted, safe
from admin.timing import retime_command
from effects.letters import Letters
from jobs.lock import AlreadyRunning, DaemonLock
from storage import heartbeats, queries, sizes, timers
from storage.database import Database
from workflow.errors import AftersalesError, UsageError
from workflow.policy import calendar_of

Finding = tuple[str, str, str]
"""Stable id, "error", "warning" or "info", and the sentence."""


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.pass_context
def check_command(ctx: click.Context, as_json: bool) -> None:
    """Check settings, policy, calendar, database and daemon; an error makes the exit code 1."""
    found = [*_findings(ctx)]
    if as_json:
        print_json([{"id": key, "level": level, "message": text} for key, level, text in found])
    else:
        for key, level, text in found:
            click.echo(f"{level:>7} {key}  {safe(text)}")
        click.echo(
            f"{counted(sum(level == 'error' for _, level, _ in found), 'error')}, "
            f"{counted(sum(level == 'warning' for _, level, _ in found), 'warning')}"
        )
    ctx.exit(1 if any(level == "error" for _, level, _ in found) else 0)


def _findings(ctx: click.Context) -> Iterator[Finding]:
    try:
        office = Office(ctx)
        office.zone()
    except AftersalesError as error:
        yield "A001", "error", str(error)
        return
    yield from (("A005", "error", problem) for problem in Letters(office.settings.templates).problems())
    yield from _policy_findings(office)
    try:
        office.ready()
    except AftersalesError as error:
        yield "A003", "error", str(error)
        return
    yield from _daemon_findings(office)
    yield from _work_findings(office)
    yield _size_finding(office)


def _policy_findings(office: Office) -> Iterator[Finding]:
    try:
        policy = office.settings.read_policy()
    except AftersalesError as error:
        yield "A002", "error", str(error)
        return
    soon = now() + timedelta(days=60)
    if calendar_of(policy).is_provisional(now(), soon):
        yield (
            "A011",
            "warning",
            f"the working days of {soon.year} are not announced yet: deadlines there are provisional",
        )
    used = {channel for effect in policy.effects.channels.values() for channel in effect} | {*policy.effects.default_channels}
    if used == {"log"}:
        yield "A012", "warning", "no message leaves this machine: all channels of the policy are 'log'"
    if "email" in used and office.settings.smtp.host is None:
        yield "A013", "error", "the policy sends email and no SMTP server is set up: set [smtp] host"


def _daemon_findings(office: Office) -> Iterator[Finding]:
    with office.database.read() as connection:
        sign = heartbeats.last(connection)
        due = timers.backlog(connection, now() - timedelta(seconds=30))
    if sign is None or sign["stopped_at"]:
        yield "A014", "warning", "no daemon is at work: `aftersales run`, or `aftersales once` from cron"
    elif now() - sign["last_tick"] > timedelta(seconds=60):
        yield "A004", "error", f"daemon {sign['daemon']} has shown no sign of life since {iso(sign['last_tick'])}"
    if due:
        yield "A015", "warning", f"{due} timers are due for more than 30 seconds"


def _work_findings(office: Office) -> Iterator[Finding]:
    with office.database.read() as connection:
        counted = queries.counts(connection)
    if counted["timers"].get("failed"):
        yield (
            "A016",
            "warning",
            f"{counted['timers']['failed']} timers were set aside: aftersales timers --status failed",
        )
    for status in ("dead", "parked"):
        if counted["effects"].get(status):
            yield (
                "A017",
                "warning",
                f"{counted['effects'][status]} effects are {status}: aftersales effects --status {status}",
            )
    for status in ("held", "asked"):
        if counted["effects"].get(status):
            count = counted["effects"][status]
            yield "A018", "warning", f"{count} effects wait for your word: aftersales effects --status {status}"
    if counted["attention"]:
        yield (
            "A019",
            "warning",
            f"{sum(counted['attention'].values())} flags ask for a person: aftersales orders --attention",
        )


def _size_finding(office: Office) -> Finding:
    with office.database.read() as connection:
        rows, size = sizes.rows(connection), sizes.bytes_used(connection)
    about = "" if office.database.is_sqlite else "about "
    told = ", ".join(f"{name} {count:,}" for name, count in rows.items())
    return "A020", "info", f"{size / 1_000_000:,.1f} MB; {about}so many rows: {told}"


@click.command("audit")
@click.pass_context
def audit_command(ctx: click.Context) -> None:
    """Check every order's history: an edited, deleted, reordered or cut-off row is found."""
    with Office(ctx).ready().read() as connection:
        broken = [*queries.broken_chains(connection)]
        orders = sum(queries.counts(connection)["orders"].values())
    for name, wrong in broken:
        click.echo(f"{safe(name)}: {wrong}")
    click.echo(f"{orders} histories checked, {len(broken)} broken.")
    ctx.exit(1 if broken else 0)


@click.group("policy")
def policy_command() -> None:
    """Show or check the policy; move running timers to it."""


@policy_command.command("show")
@click.option("--defaults", is_flag=True, help="The one that comes with the program, with every number and its meaning")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every number in force")
@click.pass_context
def show_policy(ctx: click.Context, defaults: bool, as_json: bool) -> None:
    """Print the policy in force, as its file stands."""
    settings = Office(ctx).settings
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
    settings = Office(ctx).settings
    if file:
        settings = settings.model_copy(update={"policy": file})
    settings.read_policy()
    click.echo(f"{file or settings.policy or 'The policy that comes with the program'}: no errors")


policy_command.add_command(retime_command)


@click.command("diagram")
def diagram_command() -> None:
    """Print the state machine as Mermaid text, drawn from the process table."""
    click.echo(mermaid(), nl=False)


@click.group("db")
def db_command() -> None:
    """Make or upgrade the tables; back the database up; copy it to another."""


@db_command.command("upgrade")
@click.pass_context
def upgrade_command(ctx: click.Context) -> None:
    """Bring the tables to this program's version; a failure leaves everything as it was."""
    from storage.schema import upgrade

    database = Office(ctx).database
    lock = DaemonLock(database)
    if database.exists():
        try:
            lock.take()
        except AlreadyRunning as error:
            raise AlreadyRunning(f"{error}, then upgrade") from None
    try:
        before = upgrade(database)
    finally:
        lock.free()
    click.echo(f"{database.place}: version {before or 'none'} -> {database.schema()}")


@db_command.command("copy")
@click.argument("target")
@click.pass_context
def copy_command(ctx: click.Context, target: str) -> None:
    """Copy everything into the database TARGET, such as postgresql://… or sqlite:///new.db, and check it there.

    Its tables are made if there are none. Stop what works on either database first; a copy that was interrupted goes on.
    Evidence files are not in the database: they stay where they are.
    """
    from storage.copying import copy, verify
    from storage.schema import upgrade

    source, copied_to = Office(ctx).ready(), Database(target)
    ctx.call_on_close(copied_to.close)
    if copied_to.url == source.url or (copied_to.file and copied_to.file == source.file):
        raise UsageError("that is the same database")
    locks = [DaemonLock(database) for database in (source, copied_to) if database.exists()]
    try:
        for lock in locks:
            lock.take()
        upgrade(copied_to)
        for one in copy(source, copied_to):
            resumed = f", {one.before} were there" if one.before else ""
            click.echo(f"{one.table:>16}  {counted(one.rows, 'row')}{resumed}")
        orders = verify(source, copied_to)
    finally:
        for lock in locks:
            lock.free()
    click.echo(f"Copied to {copied_to.place}, and checked: {counted(orders, 'order')}, every history holds.")
    click.echo("To work with it, set `database` in the settings, or AFTERSALES_DATABASE.")


@db_command.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def backup_command(ctx: click.Context, target: Path) -> None:
    """Copy the SQLite database to TARGET while it is in use.

    To go back to it: stop the daemon, remove the database and the -wal and -shm files beside it, put TARGET in its place.
    """
    Office(ctx).ready().backup(target)
    click.echo(f"Backed up to {target}")
