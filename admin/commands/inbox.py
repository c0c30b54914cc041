"""inbox: the files that were taken in by themselves, and what became of them."""

from datetime import UTC, datetime
from pathlib import Path

import click

from admin.app import App, now, person
from admin.options import JSON, ROW, Choice, Note
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import print_rows, wrong
from admin.text import safe
from engine.inbox import Inbox, Waiting
from engine.inbox_files import STATUSES, TakenFile, close_file, file_of, list_files
from engine.summaries import in_words
from jobs.clock import file_time
from language import counted, tr


@click.group("inbox", invoke_without_command=True)
@click.option("--status", "statuses", multiple=True, type=Choice(STATUSES), help="Only files of which this became (repeatable)")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many files are shown")
@JSON
@click.pass_context
def inbox_command(ctx: click.Context, statuses: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Say what waits in the inbox, and what became of the files that were taken in last.

    A file that is put into the folder ([inbox] folder of the settings) is taken in by `run`, or by the next `once`, when it has
    not changed for some seconds: by the mapping of the first pattern that fits its name, orders as `import` does it and price
    lists as `catalogue import`. It goes to `done`, or to `rejected` if a row of it was rejected, with a report beside it, and
    with those rows to mend. What was taken in whole is not taken in again.
    """
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    database, inbox = app.ready(), app.inbox()
    taken = list_files(database, limit, statuses)
    waiting = _waiting(inbox) if inbox else []
    if as_json:
        waits = [{"name": one.path.name, "at_rest": one.at_rest, "changed_at": _changed_at(one)} for one in waiting]
        print_json({"problems": app.inbox_problems(inbox), "waiting": waits, "files": [*map(fields_of, taken)]})
        return
    if inbox is None:
        print_wrapped(tr("There is no inbox: [inbox] folder in the settings names the folder whose files are taken in."))
    else:
        _print_waiting(app, inbox, waiting)
    click.echo()
    rows = [
        (one.id, app.when(one.taken_at), one.name, wrong(one.status) if one.is_open else one.status, _brief(one))
        for one in taken
    ]
    print_rows("Files", ("id", "taken in", "file", "status", "what it brought"), rows, "No file was taken in yet.")


@inbox_command.command("show")
@click.argument("file_id", type=ROW, metavar="ID")
@JSON
@click.pass_context
def show_command(ctx: click.Context, file_id: int, as_json: bool) -> None:
    """Show what became of the file ID, and what to do about it."""
    app = App(ctx)
    one = file_of(app.ready(), file_id)
    if as_json:
        print_json(fields_of(one))
        return
    click.secho(safe(f"{one.name}: {one.status}"), bold=True)
    by = one.mapping or tr("the program's own column names")
    print_wrapped(tr("taken in {at} by {by}", at=app.when(one.taken_at), by=by))
    if one.error:
        print_wrapped(one.error)
    for label, value in in_words(one.counts):
        print_wrapped(f"{label}: {value}")
    _print_lists(one)
    folder = app.settings.inbox.folder
    if one.place and folder:
        click.echo()
        print_wrapped(tr("It lies in {place}, with its report.", place=folder / one.place))
    if one.is_open:
        print_wrapped(_what_to_do(one, folder))
    elif one.resolved_by:
        print_wrapped(tr("Settled by {by}{note}", by=one.resolved_by, note=f": {one.note}" if one.note else "."))


@inbox_command.command("close")
@click.argument("file_id", type=ROW, metavar="ID")
@click.argument("note", type=Note())
@click.pass_context
def close_command(ctx: click.Context, file_id: int, note: str) -> None:
    """Close the rejected file ID with a NOTE on what was done."""
    close_file(App(ctx).ready(), file_id, person(), note, now())
    print_wrapped(tr("Closed."))


def _print_lists(one: TakenFile) -> None:
    for title, lines in ((tr("Look twice"), one.notes), (tr("Changes of the catalogue"), one.changes)):
        if lines:
            click.secho(f"\n{title}", bold=True)
        for line in lines:
            print_wrapped(safe(line))
    for title, some in ((tr("Rejected rows"), one.rejections), (tr("Left out"), one.left_out)):
        if some:
            click.echo()
            columns = ("line", "column", "order", "reason")
            print_rows(title, columns, [[row[name] for name in columns] for row in some], "")


def _brief(one: TakenFile) -> str:
    """Return in one line what became of a file, and that its report says more."""
    return f"{one.words} ({tr('look twice')})" if one.notes else one.words


def _what_to_do(one: TakenFile, folder: Path | None) -> str:
    inbox = folder or tr("the inbox")
    close = f"aftersales inbox close {one.id} NOTE"
    if one.counts.get("orders") is not None:
        return tr(
            "Mend the rows in the .to-mend file beside it, and move that into {inbox}; or say that it is settled: {close}",
            inbox=inbox,
            close=close,
        )
    if one.counts.get("offers") is not None:
        return tr(
            "Mend the whole list, and move it into {inbox} under the same name (a list of these rows alone would end all other"
            " offers of its suppliers); or say that it is settled: {close}",
            inbox=inbox,
            close=close,
        )
    return tr(
        "Mend it, or the mapping of its pattern, and move it from there into {inbox}; when it is settled, say so: {close}",
        inbox=inbox,
        close=close,
    )


def _waiting(inbox: Inbox) -> list[Waiting]:
    return inbox.waiting(file_time()) if inbox.folder.is_dir() else []


def _print_waiting(app: App, inbox: Inbox, waiting: list[Waiting]) -> None:
    for problem in app.inbox_problems(inbox):
        print_wrapped(tr("Attention: {problem}", problem=problem))
    if not waiting:
        print_wrapped(tr("Nothing waits in {folder}.", folder=inbox.folder.resolve()))
        return
    files = counted(len(waiting), "file waits", "files wait")
    written = sum(not one.at_rest for one in waiting)
    told = tr("; {count} of them has changed a moment ago, or is being written", count=written) if written else ""
    print_wrapped(tr("{files} in {folder}{written}.", files=files, folder=inbox.folder.resolve(), written=told))


def _changed_at(one: Waiting) -> datetime:
    return datetime.fromtimestamp(one.changed_at, UTC)
