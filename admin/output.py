"""What commands print and write: JSON, wrapped text and new files."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import click

from admin.tables import GAP, terminal_width, wrapped
from language import tr
from workflow.errors import UsageError


def print_wrapped(line: str) -> None:
    """Print a sentence, broken between words where the terminal ends; what goes on is set in."""
    width, text = terminal_width(), line.lstrip()
    start = line[: len(line) - len(text)]
    first, *others = wrapped(text, width and width - len(start) - GAP)
    click.echo(start + first)
    for other in others:
        click.echo(f"{start}{' ' * GAP}{other}")


def print_json(value: Any) -> None:
    """Print JSON with instants as ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def refuse_existing(target: Path) -> None:
    """Refuse to write over a file.

    Raises:
        UsageError: there is one by that name.

    """
    if target.exists():
        raise UsageError(tr("{target} exists already: name a file that does not", target=target))


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
        raise UsageError(tr("{target} cannot be written: {strerror}", target=target, strerror=error.strerror)) from None


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


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell


_FORMULA = re.compile(r"(^\s*|[;|\t]\s*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet, whatever it takes for a separator, would begin to run a cell."""
