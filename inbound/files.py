"""Rows of CSV, JSON and JSON Lines files, as text cells with their line numbers."""

import csv
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from zipfile import BadZipFile

from inbound.containers import WORKBOOKS, opened, sheet_records
from language import tr
from workflow.errors import UsageError
from workflow.values import value_class

Cell = str | list[str]

csv.field_size_limit(1 << 24)  # a longer cell than ours is rejected with its row, not with its file


@value_class(frozen=True, slots=True)
class Row:
    """One row of a file. `problem` says why it cannot be read as a row at all."""

    line: int
    cells: dict[str, Cell]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written.

    `header` is the row that names the columns (None: the first that is not blank); of rows before it nothing is read.
    `quote` is empty where cells stand without quotation marks. An empty cell of a column in `fill` is that of the row above.
    `sheet` is that of a workbook (None: the first that is not empty). Of JSON, `records` is where the list of orders stands
    in a wrapper (`data.orders`), and `lines` the list in each of them that has its lines.
    """

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'
    header: int | None = None
    fill: tuple[str, ...] = ()
    sheet: str | None = None
    records: str | None = None
    lines: str | None = None


PLAIN = Layout()


def read_rows(path: Path, layout: Layout = PLAIN) -> Iterator[Row]:
    """Yield the rows of a file; its name says whether it is CSV, JSON (.json), JSON Lines (.jsonl, .ndjson) or a workbook.

    Rows have the numbers that a spreadsheet gives them, blank ones counted; blank rows are left out.

    Raises:
        UsageError: the file is missing, is not text in its encoding, or is not of its format.

    """
    with _opened(path, layout) as file:
        reader = _READERS.get(file.ending)
        rows = reader(file.text, layout) if reader else _table_rows(file, layout)
        yield from _filled(rows, layout.fill) if layout.fill else rows


def _filled(rows: Iterator[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Yield rows with the empty cells of some columns as in the row above."""
    above: dict[str, Cell] = {}
    for row in rows:
        for name in columns:
            if cell := row.cells.get(name):
                above[name] = cell
            elif name in above:
                row.cells[name] = above[name]
        yield row


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that is open: the ending of its name, its bytes, and the same as text."""

    ending: str
    raw: BinaryIO
    text: TextIO


@contextmanager
def _opened(path: Path, layout: Layout) -> Iterator[_Opened]:
    """Open a file; whatever is wrong with it is said as a usage error that names it."""
    if path.exists() and not path.is_file():
        raise UsageError(tr("{path} is not a file that can be read twice: save it as one first", path=path))
    encoding = layout.encoding
    try:
        with opened(path) as (ending, raw), TextIOWrapper(raw, encoding=encoding, newline="") as text:
            yield _Opened(ending, raw, text)
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


def columns_of(path: Path, layout: Layout = PLAIN) -> Counter[str]:
    """Return the columns of a file, and how often each is there: those of its header, or those that any of its objects has.

    Of JSON, an object or list that is empty somewhere is a column too: what would stand in it is not missed.

    Raises:
        UsageError: the file cannot be read.

    """
    with _opened(path, layout) as file:
        if file.ending not in _READERS:
            return Counter(name for name in _header(_records(file, layout), layout)[1] if name)
    return Counter({name for row in read_rows(path, layout) for name in row.cells})


Records = Iterator[tuple[int, list[str]]]
"""The rows of a table with their numbers."""


def _records(file: _Opened, layout: Layout) -> Records:
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


def _header(records: Records, layout: Layout) -> tuple[int, list[str]]:
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


def _table_rows(file: _Opened, layout: Layout) -> Iterator[Row]:
    records = _records(file, layout)
    _, header = _header(records, layout)
    for number, values in records:
        if any(values) and not "".join(values).isspace():
            yield _table_row(number, header, values)


def _table_row(line: int, header: list[str], values: list[str]) -> Row:
    cells: dict[str, Cell] = dict(zip(header, map(str.strip, values), strict=False))
    if len(values) == len(header):
        return Row(line, cells)
    empty: dict[str, Cell] = dict.fromkeys(header, "")
    return Row(
        line, empty | cells, tr("has {count} cells where the header has {wanted}", count=len(values), wanted=len(header))
    )


def _json_rows(file: TextIO, layout: Layout) -> Iterator[Row]:
    for number, value in enumerate(_unwrapped(_loads(file.read()), layout.records), 1):
        yield from _object_rows(number, value, layout)


def _unwrapped(value: Any, path: str | None) -> list[Any]:
    """Return the list of objects of a JSON document: itself, or what stands at a path of its wrapper."""
    for name in path.split(".") if path else ():
        if not isinstance(value, dict) or name not in value:
            there = ", ".join(value) if isinstance(value, dict) else tr("a list")
            raise ValueError(tr("its JSON has no {name!r} where records says so: there is {there}", name=name, there=there))
        value = value[name]
    if isinstance(value, list):
        return value
    lists = ", ".join(_lists_in(value)) if isinstance(value, dict) else ""
    if lists:
        raise ValueError(tr("its orders stand in a list of an object: say records = … ({lists})", lists=lists))
    raise ValueError(tr("the file must hold one JSON array of objects"))


def _lists_in(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield where lists of objects stand in a wrapper."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _lists_in(inner, f"{prefix}{name}.")
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            yield prefix + name


def _json_lines(file: TextIO, layout: Layout) -> Iterator[Row]:
    for number, text in enumerate(file, 1):
        if text.strip():
            try:
                yield from _object_rows(number, _loads(text), layout)
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, tr("is not JSON: {error}", error=error))


def _loads(text: str) -> Any:
    """Read JSON with every number as its own text, so that nothing is rounded."""
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(tr("an object names {doubled!r} twice", doubled=doubled))
    return made


def _object_rows(line: int, value: Any, layout: Layout) -> Iterator[Row]:
    """Yield the row of an object, or one for each of its lines."""
    if not isinstance(value, dict):
        yield Row(line, {}, tr("is not a JSON object"))
        return
    cells = dict(_flat("", value, layout.lines))
    lines = _at(value, layout.lines) if layout.lines else None
    for one in lines if isinstance(lines, list) and lines else [None]:
        yield Row(line, cells | dict(_flat(f"{layout.lines}.", one, None)) if isinstance(one, dict) else dict(cells))


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path of an object; None where there is nothing."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _flat(prefix: str, value: dict[str, Any], without: str | None) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of an object: of an object inside it as `outer.inner`, of a list of objects as `outer.0.inner`.

    `without` is the list that becomes rows of their own.
    """
    for name, inner in value.items():
        path = prefix + name
        if isinstance(inner, dict) and inner:
            yield from _flat(f"{path}.", inner, without)
        elif path == without:
            yield path, ""
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            for number, one in enumerate(inner[:MOST_INNER]):
                yield from _flat(f"{path}.{number}.", one, without) if isinstance(one, dict) else ()
        else:
            yield path, "" if isinstance(inner, dict) else _text(inner)


MOST_INNER = 100
"""So many objects of a list inside an object have cells."""


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    return str(value).strip()


_READERS: dict[str, Callable[[TextIO, Layout], Iterator[Row]]] = {
    ".json": _json_rows,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
"""By the ending of the file's name; every other one is CSV."""
