"""What commands print and write: JSON, tables, wrapped text and new files."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import click

from admin.text import safe
from workflow.errors import UsageError


def print_wrapped(line: str) -> None:
    """Print a sentence, broken between words where the terminal ends."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    start = "" if not line.startswith(" ") else " " * (len(line) - len(line.lstrip()))
    click.echo(textwrap.fill(line, max(width, 40), subsequent_indent=f"{start}  ") if width else line)


def print_json(value: Any) -> None:
    """Print JSON with instants as ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or a sentence when there is nothing to show."""
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console  # --json does without
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("-" if value is None else escape(safe(str(value))) for value in row))
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False).print(table)


def refuse_existing(target: Path) -> None:
    """Refuse to write over a file.

    Raises:
        UsageError: there is one by that name.

    """
    if target.exists():
        raise UsageError(f"{target} exists already: name a file that does not")


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file that does not exist yet for writing; its owner alone can read it.

    Raises:
        UsageError: it cannot be made or written.

    """
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None


def fields_of(value: object) -> dict[str, object]:
    """Return the fields of a value."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, StrEnum):
        return str(value)
    raise TypeError(type(value))


def iso(at: datetime) -> str:
    """Write an instant as 2019-01-01T00:00:00Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
