"""export: histories as CSV, and as an event log for process mining."""

import csv
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

from admin.app import App
from admin.options import Choice
from admin.output import harmless, iso, new_file, print_wrapped, refuse_existing
from engine.health import histories
from language import counted, tr

HISTORY = (
    "order",
    "sequence",
    "trigger",
    "source",
    "target",
    "occurred",
    "due",
    "recorded",
    "actor",
    "reason",
    "policy",
    "hash",
)
EVENTS = ("case", "activity", "timestamp", "resource")
FORMATS = ("csv", "events")


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--order", "identity", help="Only this order's history")
@click.option(
    "--format",
    "form",
    type=Choice(FORMATS),
    default="csv",
    show_default=True,
    help="csv: every column; events: case, activity, timestamp, resource",
)
@click.pass_context
def export_command(ctx: click.Context, target: Path | None, identity: str | None, form: str) -> None:
    """Write histories to the new file TARGET, or to standard output.

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    app = App(ctx)
    if target:
        refuse_existing(target)
    rows = histories(app.ready(), identity)
    if target is None:
        _write(sys.stdout, rows, form)
        return
    with new_file(target) as file, TextIOWrapper(file, "utf-8", newline="") as text:
        count = _write(text, rows, form)
    print_wrapped(tr("Wrote {rows} to {target}.", rows=counted(count, "row"), target=target))


def _write(file: TextIO, rows: Iterator[dict[str, Any]], form: str) -> int:
    writer, count = csv.writer(file), 0
    writer.writerow(EVENTS if form == "events" else HISTORY)
    for row in rows:
        plain = {name: iso(value) if hasattr(value, "isoformat") else value for name, value in row.items()}
        names = ("order", "trigger", "occurred", "actor") if form == "events" else HISTORY
        writer.writerow([harmless(plain[name]) for name in names])
        count += 1
    return count
