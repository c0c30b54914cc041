"""db: make or upgrade the tables; back the database up and restore it; copy it to another."""

from contextlib import ExitStack, nullcontext
from pathlib import Path

import click

from admin.app import App, now, person
from admin.output import iso
from jobs.ownership import AlreadyRunning, unowned
from storage.database import Database
from workflow.errors import UsageError
from workflow.plurals import counted


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
            raise AlreadyRunning(f"{error}, then upgrade") from None
    else:
        before = upgrade(database)
    if test_clock:
        trying.give_clock(database, now())
    click.echo(f"{database.location}: version {before or 'none'} -> {database.schema()}")
    if test_clock:
        click.echo(f"Its test clock stands at {iso(now())}; `aftersales once --until 2d` moves it.")


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
        raise UsageError("that is the same database")
    with ExitStack() as both:
        for database in (source, copied_to):
            if database.exists():
                both.enter_context(unowned(database, now()))
        upgrade(copied_to)
        for one in copy(source, copied_to):
            resumed = f", {one.before} were there" if one.before else ""
            click.echo(f"{one.table:>16}  {counted(one.rows, 'row')}{resumed}")
        orders = verify(source, copied_to)
    click.echo(f"Copied to {copied_to.location}, and checked: {counted(orders, 'order')}, every history holds.")
    click.echo("To work with it, set `database` in the settings, or AFTERSALES_DATABASE.")


@db_command.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def backup_command(ctx: click.Context, target: Path) -> None:
    """Copy the SQLite database to TARGET while it is in use, and its evidence to the folder TARGET.evidence.

    TARGET has its name when it is complete and checked. `aftersales db restore TARGET` puts it back.
    """
    from engine.backups import back_up, evidence_beside

    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    app = App(ctx)
    done = back_up(app.ready(), app.vault(), target)
    files = f" and {counted(done.files, 'file')} of evidence to {evidence_beside(target)}" if done.files else ""
    click.echo(f"Backed up {counted(done.orders, 'order')} to {target}{files}; checked.")
    if done.missing:
        click.echo(
            f"Missing from the store before: {counted(len(done.missing), 'file')} of evidence (aftersales check)", err=True
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
        raise UsageError("`db restore` restores SQLite; use pg_restore for a PostgreSQL database")
    if not source.is_file():
        raise UsageError(f"{source} is a folder" if source.is_dir() else f"there is no file {source}")
    if database.file.exists() and source.samefile(database.file):
        raise UsageError("that is the database itself: name a backup of it")
    if database.exists() and not replace:
        raise UsageError(f"there is a database at {database.location}: --replace keeps it under another name")
    with unowned(database, now()) if database.exists() else nullcontext():
        aside = restore(source, database, app.vault(), person(), now())
    click.echo(f"Restored {source} to {database.location}.")
    if aside:
        click.echo(f"The database that was there is now {aside}.")
    click.echo("Buyers that were erased since the backup was made are in it again: erase them once more.")
    click.echo("Timers and effects are held: look, then go live with `aftersales observe end`.")
