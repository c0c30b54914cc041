"""Rows of CSV, JSON and JSON Lines files and of workbooks, as text cells with their line numbers."""

import csv
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO
from zipfile import BadZipFile

from inbound.containers import WORKBOOKS, opened, sheet_records
from inbound.json_files import json_lines, json_rows
from inbound.rows import PLAIN, Cell, Layout, Row
from language import tr
from workflow.errors import UsageError

csv.field_size_limit(1 << 24)  # a longer cell than ours is rejected with its row, not with its file


def read_rows(path: Path, layout: Layout = PLAIN, only: Set[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file; its name says whether it is CSV, JSON (.json), JSON Lines (.jsonl, .ndjson) or a workbook.

    Rows have the numbers that a spreadsheet gives them, blank ones counted; blank rows are left out. With `only`, rows have
    no other cells than those of these columns.

    Raises:
        UsageError: the file is missing, is not text in its encoding, or is not of its format.

    """
    with opened_file(path, layout) as file:
        reader = _READERS.get(file.ending)
        rows = _with_these(reader(file.text, layout), only) if reader else _table_rows(file, layout, only)
        yield from _filled(rows, layout.fill) if layout.fill else rows


def _with_these(rows: Iterator[Row], columns: Set[str] | None) -> Iterator[Row]:
    """Yield rows with the cells of some columns alone."""
    if columns is None:
        return rows
    return (Row(row.line, {name: row.cells[name] for name in columns if name in row.cells}, row.problem) for row in rows)


def _filled(rows: Iterator[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Yield rows with the empty cells of some columns as in the row above."""
    above: dict[str, Cell] = {}
    for row in rows:
        taken = {name: above[name] for name in columns if not row.cells.get(name) and name in above}
        above |= {name: cell for name in columns if (cell := row.cells.get(name))}
        yield Row(row.line, row.cells | taken, row.problem, follows=True) if taken else row


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open: the ending of its name, its bytes, and the same as text."""

    ending: str
    raw: BinaryIO
    text: TextIO


@contextmanager
def opened_file(path: Path, layout: Layout) -> Iterator[Opened]:
    """Open a file; whatever is wrong with it is said as a usage error that names it."""
    if path.exists() and not path.is_file():
        raise UsageError(tr("{path} is not a file that can be read twice: save it as one first", path=path))
    encoding = layout.encoding
    try:
        with opened(path) as (ending, raw), TextIOWrapper(raw, encoding=encoding, newline="") as text:
            yield Opened(ending, raw, text)
    except (BadGzipFile, BadZipFile, EOFError, zlib.error) as error:
        raise UsageError(tr("{path} is damaged, or not what its name says ({error})", path=path, error=error)) from None
    except RecursionError:
        raise UsageError(tr("{path}: its JSON is nested too deeply to be orders", path=path)) from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeError as error:
        raise UsageError(
            tr(
                "{path} is not {encoding} text ({error}): name its encoding in the mapping",
                path=path,
                encoding=encoding,
                error=error,
            )
        ) from None
    except (csv.Error, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    except LookupError:
        raise UsageError(
            tr("{path}: {encoding!r} is not an encoding: correct it in the mapping", path=path, encoding=encoding)
        ) from None


def header_of(path: Path, layout: Layout = PLAIN) -> Counter[str] | None:
    """Return the columns that the header of a file names, and how often; None: it is JSON, which has no header.

    Raises:
        UsageError: the file cannot be read.

    """
    with opened_file(path, layout) as file:
        if file.ending in _READERS:
            return None
        return Counter(name for name in header_of_records(records_of(file, layout), layout)[1] if name)


def columns_of(path: Path, layout: Layout = PLAIN) -> Counter[str]:
    """Return the columns of a file, and how often each is there: those of its header, or those that any of its objects has.

    Of JSON, an object or list that is empty somewhere is a column too: what would stand in it is not missed.

    Raises:
        UsageError: the file cannot be read.

    """
    header = header_of(path, layout)
    return Counter({name for row in read_rows(path, layout) for name in row.cells}) if header is None else header


Records = Iterator[tuple[int, list[str]]]
"""The rows of a table with their numbers."""


def records_of(file: Opened, layout: Layout) -> Records:
    """Yield the rows of a CSV file or a workbook, numbered as a spreadsheet numbers them."""
    if file.ending in WORKBOOKS:
        yield from sheet_records(file.raw, layout.sheet)
        return
    number = 0
    if layout.quote:
        reader = csv.reader(file.text, delimiter=layout.delimiter, quotechar=layout.quote, strict=True)
    else:
        reader = csv.reader(file.text, delimiter=layout.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    try:
        for number, values in enumerate(reader, 1):
            yield number, values
    except csv.Error as error:
        raise ValueError(_unreadable(number + 1, layout, error)) from None


def _unreadable(number: int, layout: Layout, error: csv.Error) -> str:
    why = str(error)
    if "expected after" in why:
        mark = {"\t": tr("a tab"), ";": "';'", "|": "'|'"}.get(layout.delimiter, repr(layout.delimiter))
        why = tr("{mark} is expected after a quotation mark; where cells are not quoted at all, write quote = ''", mark=mark)
    return tr("row {number} cannot be read: {why}", number=number, why=why)


def header_of_records(records: Records, layout: Layout) -> tuple[int, list[str]]:
    """Return the number of the row that names the columns, and the names."""
    for number, values in records:
        names = [value.strip() for value in values]
        is_mark = names[:1] != [] and names[0].lower().startswith("sep=") and not any(names[1:])
        if layout.header is None and any(names) and not is_mark:
            return number, names
        if number == layout.header:
            if not any(names):
                raise ValueError(tr("row {number} is blank, and the mapping says that it names the columns", number=number))
            return number, names
    raise ValueError(tr("the file is empty: its first line must name the columns"))


def _table_rows(file: Opened, layout: Layout, only: Set[str] | None) -> Iterator[Row]:
    records = records_of(file, layout)
    _, header = header_of_records(records, layout)
    wanted = [(at, name) for at, name in enumerate(header) if only is None or name in only]
    width = len(header)
    for number, values in records:
        if any(values) and not "".join(values).isspace():
            if len(values) == width:
                yield Row(number, {name: values[at].strip() for at, name in wanted})
            else:
                cells: dict[str, Cell] = {name: values[at].strip() if at < len(values) else "" for at, name in wanted}
                problem = tr("has {count} cells where the header has {wanted}", count=len(values), wanted=width)
                yield Row(number, cells, problem)


JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
_READERS: dict[str, Callable[[TextIO, Layout], Iterator[Row]]] = {
    ".json": json_rows,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
}
"""By the ending of the file's name; every other one is CSV."""
