"""db: make or upgrade the tables; back the database up and restore it; copy it to another."""

from contextlib import ExitStack, nullcontext
from pathlib import Path

import click

from admin.app import App, now, person
from admin.output import iso, print_wrapped
from admin.progress import progress
from jobs.ownership import AlreadyRunning, unowned
from language import counted, tr
from storage.database import Database
from workflow.errors import UsageError


@click.group("db")
def db_command() -> None:
    """Make or upgrade the tables; back the database up and restore it; copy it to another."""


@db_command.command("upgrade")
@click.option("--test-clock", is_flag=True, help="Give a new database a clock of its own, for ever: to try things out")
@click.pass_context
def upgrade_command(ctx: click.Context, test_clock: bool) -> None:
    """Bring the tables to this program's version; a failure leaves everything as it was.

    With a test clock, time stands still until `aftersales once --until INSTANT` moves it, through every due instant.
    """
    from engine import trying
    from storage.schema import upgrade

    database = App(ctx).database
    if database.exists():
        try:
            with unowned(database, now()):
                before = upgrade(database)
        except AlreadyRunning as error:
            raise AlreadyRunning(tr("{error}, then upgrade", error=error)) from None
    else:
        before = upgrade(database)
    if test_clock:
        trying.give_clock(database, now())
    print_wrapped(
        tr(
            "{location}: version {before} -> {database}",
            location=database.location,
            before=before or tr("none"),
            database=database.schema(),
        )
    )
    if test_clock:
        print_wrapped(tr("Its test clock stands at {value}; `aftersales once --until 2d` moves it.", value=iso(now())))


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

    source, copied_to = App(ctx).ready(), Database(target)
    ctx.call_on_close(copied_to.close)
    if copied_to.url == source.url or (copied_to.file and copied_to.file == source.file):
        raise UsageError(tr("that is the same database"))
    with ExitStack() as both:
        for database in (source, copied_to):
            if database.exists():
                both.enter_context(unowned(database, now()))
        upgrade(copied_to)
        with progress(tr("rows")) as bar:
            copied = copy(source, copied_to, lambda _, rows: bar.advance(rows))
        for one in copied:
            resumed = tr(", {before} were there", before=one.before) if one.before else ""
            print_wrapped(f"{one.table:>16}  {counted(one.rows, 'row')}{resumed}")
        orders = verify(source, copied_to)
    print_wrapped(
        tr(
            "Copied to {location}, and checked: {orders}, every history holds.",
            location=copied_to.location,
            orders=counted(orders, "order"),
        )
    )
    print_wrapped(tr("To work with it, set `database` in the settings, or AFTERSALES_DATABASE."))


@db_command.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def backup_command(ctx: click.Context, target: Path) -> None:
    """Copy the SQLite database to TARGET while it is in use, and its evidence to the folder TARGET.evidence.

    TARGET has its name when it is complete and checked. `aftersales db restore TARGET` puts it back.
    """
    from engine.backups import back_up, evidence_beside

    if not target.parent.is_dir():
        raise UsageError(tr("there is no folder {parent}", parent=target.parent))
    app = App(ctx)
    done = back_up(app.ready(), app.vault(), target)
    files = (
        tr(" and {files} of evidence to {target}", files=counted(done.files, "file"), target=evidence_beside(target))
        if done.files
        else ""
    )
    print_wrapped(
        tr("Backed up {orders} to {target}{files}; checked.", orders=counted(done.orders, "order"), target=target, files=files)
    )
    if done.missing:
        click.echo(
            tr(
                "Missing from the store before: {files} of evidence (aftersales check)",
                files=counted(len(done.missing), "file"),
            ),
            err=True,
        )


@db_command.command("restore")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Replace the database that is there; it is kept under another name")
@click.pass_context
def restore_command(ctx: click.Context, source: Path, replace: bool) -> None:
    """Put the backup SOURCE, with its evidence, in the place of the SQLite database.

    Nothing fires and nothing leaves after it until `aftersales observe end`: the backup does not know what has left since.
    """
    from engine.backups import restore

    app = App(ctx)
    database = app.database
    if database.file is None:
        raise UsageError(tr("`db restore` restores SQLite; use pg_restore for a PostgreSQL database"))
    if not source.is_file():
        raise UsageError(
            tr("{source} is a folder", source=source) if source.is_dir() else tr("there is no file {source}", source=source)
        )
    if database.file.exists() and source.samefile(database.file):
        raise UsageError(tr("that is the database itself: name a backup of it"))
    if database.exists() and not replace:
        raise UsageError(
            tr("there is a database at {location}: --replace keeps it under another name", location=database.location)
        )
    with unowned(database, now()) if database.exists() else nullcontext():
        aside = restore(source, database, app.vault(), person(), now())
    print_wrapped(tr("Restored {source} to {location}.", source=source, location=database.location))
    if aside:
        print_wrapped(tr("The database that was there is now {aside}.", aside=aside))
    print_wrapped(tr("Buyers that were erased since the backup was made are in it again: erase them once more."))
    print_wrapped(tr("Timers and effects are held: look, then go live with `aftersales observe end`."))
