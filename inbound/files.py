"""Rows of CSV, JSON and JSON Lines files, as text cells with their line numbers."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

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


def read_rows(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> Iterator[Row]:
    """Yield the rows of a file; its name says whether it is CSV, JSON (.json) or JSON Lines (.jsonl, .ndjson).

    Raises:
        UsageError: the file is missing, is not text in `encoding`, or is not of its format.

    """
    with _opened(path, encoding) as file:
        reader = _READERS.get(path.suffix.lower())
        yield from reader(file) if reader else _csv_rows(file, delimiter)


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a file of text; whatever is wrong with it is said as a usage error that names it."""
    if path.exists() and not path.is_file():
        raise UsageError(tr("{path} is not a file that can be read twice: save it as one first", path=path))
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield file
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


def columns_of(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> set[str]:
    """Return the columns that the file has: those of its header, or those that any of its objects has.

    Raises:
        UsageError: the file cannot be read.

    """
    if path.suffix.lower() not in _READERS:
        with _opened(path, encoding) as file:
            return {name for name in _header(csv.reader(file, delimiter=delimiter, strict=True)) if name}
    return {name for row in read_rows(path, encoding, delimiter) for name in row.cells}


def _header(reader: Iterator[list[str]]) -> list[str]:
    header = [name.strip() for name in next(reader, [])]
    if not any(header):
        raise ValueError(tr("the file is empty: its first line must name the columns"))
    doubled = [name for name, count in Counter(header).items() if name and count > 1]
    if doubled:
        raise ValueError(tr("line 1 names the column {doubled!r} twice: rename one", doubled=doubled[0]))
    return header


def _csv_rows(file: TextIO, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header = _header(reader)
    line = reader.line_num
    try:
        for values in reader:
            start, line = line + 1, reader.line_num
            if values:
                yield _csv_row(start, header, values)
    except csv.Error as error:
        raise ValueError(tr("the row that begins in line {line} cannot be read: {error}", line=line + 1, error=error)) from None


def _csv_row(line: int, header: list[str], values: list[str]) -> Row:
    cells: dict[str, Cell] = dict(zip(header, map(str.strip, values), strict=False))
    if len(values) == len(header):
        return Row(line, cells)
    empty: dict[str, Cell] = dict.fromkeys(header, "")
    return Row(line, empty | cells, f"has {len(values)} cells where the header has {len(header)}")


def _json_rows(file: TextIO) -> Iterator[Row]:
    rows = _loads(file.read())
    if not isinstance(rows, list):
        raise ValueError(tr("the file must hold one JSON array of objects"))
    for number, value in enumerate(rows, 1):
        yield _object_row(number, value)


def _json_lines(file: TextIO) -> Iterator[Row]:
    for number, text in enumerate(file, 1):
        if text.strip():
            try:
                yield _object_row(number, _loads(text))
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, f"is not JSON: {error}")


def _loads(text: str) -> Any:
    """Read JSON with every number as its own text, so that nothing is rounded."""
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(tr("an object names {doubled!r} twice", doubled=doubled))
    return made


def _object_row(line: int, value: Any) -> Row:
    if not isinstance(value, dict):
        return Row(line, {}, "is not a JSON object")
    return Row(line, dict(_flat("", value)))


def _flat(prefix: str, value: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of an object; those of an object inside it as `outer.inner`."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(f"{prefix}{name}.", inner)
        else:
            yield prefix + name, _text(inner)


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    return str(value).strip()


_READERS: dict[str, Callable[[TextIO], Iterator[Row]]] = {
    ".json": _json_rows,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
"""By the ending of the file's name; every other one is CSV."""
