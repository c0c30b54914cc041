"""Rows of a file written as a file of their own, to be mended and imported alone."""

import csv
import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from inbound.containers import WORKBOOKS
from inbound.files import JSON_ENDINGS, Opened, header_of_records, opened_file, records_of
from inbound.json_files import ITSELF, elements_of
from inbound.rows import Layout
from language import tr
from workflow.errors import UsageError

NO_TABLES = (*JSON_ENDINGS, *WORKBOOKS, ".gz", ".zip")
REASON = "why it was rejected"
"""The column that says what is wrong with a row; no mapping names it."""


def check_target(source: Path, layout: Layout, target: Path) -> None:
    """Check that rows of a file can be written to another one, before anything is done with them.

    Raises:
        UsageError: the other one is there already, or its name does not say what will be in it.

    """
    if target.exists():
        raise UsageError(tr("{path} is there already: name another file, or move it away", path=target))
    if not target.parent.is_dir():
        raise UsageError(tr("there is no folder {parent}", parent=target.parent))
    wanted = ending_of(source, layout)
    if target.suffix.lower() != wanted and (wanted != ".csv" or target.suffix.lower() in NO_TABLES):
        raise UsageError(tr("{path} will hold what {ending} files do: name it so", path=target, ending=wanted))


def ending_of(source: Path, layout: Layout) -> str:
    """Return how the name of a file must end that rows of another one are written to."""
    with opened_file(source, layout) as file:
        return file.ending if file.ending in JSON_ENDINGS else ".csv"


def write_rows(source: Path, layout: Layout, rows: Mapping[int, str], target: Path) -> None:
    """Write rows of a file, given by their numbers with what is wrong with each, as a file that the same mapping reads.

    Raises:
        UsageError: the file cannot be written.

    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(opened_file(source, layout))
            partial = target.with_name(f".{target.name}.partial")
            stack.callback(partial.unlink, missing_ok=True)
            raw = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # buyers' addresses are for its owner alone
            with os.fdopen(raw, "w", encoding=layout.encoding, errors="replace", newline="") as made:
                _WRITERS.get(file.ending, _write_table)(file, layout, rows, made)
            os.replace(partial, target)
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from None


def _write_table(file: Opened, layout: Layout, rows: Mapping[int, str], made: TextIO) -> None:
    writer = (
        csv.writer(made, delimiter=layout.delimiter, quotechar=layout.quote)
        if layout.quote
        else csv.writer(made, delimiter=layout.delimiter, quoting=csv.QUOTE_NONE, quotechar=None)
    )
    records = records_of(file, layout)
    number, header = header_of_records(records, layout)
    if layout.header is not None:
        made.write("\r\n" * (number - 1))
    known = header[:-1] if header[-1] == REASON else header
    writer.writerow([*known, REASON])
    fill = [at for at, name in enumerate(header) if name in layout.fill]
    above, is_beside = dict[int, str](), False
    for line, values in records:
        if not any(values):
            continue
        taken = {at: above.get(at, "") for at in fill if at < len(values) and not values[at].strip()}
        above |= {at: values[at] for at in fill if at < len(values) and at not in taken}
        if line in rows:
            if not is_beside:  # the row that it took cells from is not written
                values = [taken.get(at, cell) for at, cell in enumerate(values)]
            told = values[: len(known)] if len(values) == len(header) else values
            if file.ending in WORKBOOKS:
                told = [f'="{cell}"' if _LONG_NUMBER.fullmatch(cell) else cell for cell in told]
            writer.writerow([*told, _in_a_cell(rows[line], layout)])  # a broken row stays as broken as it was
        is_beside = line in rows


_LONG_NUMBER = re.compile(r"\d{12,}", re.ASCII)
"""What a spreadsheet would spoil if it stood alone in a table."""


def _in_a_cell(text: str, layout: Layout) -> str:
    """Return a text as it can stand in a cell that is not quoted."""
    return text if layout.quote else " ".join(text.replace(layout.delimiter, " ").split())


def _write_json(file: Opened, layout: Layout, rows: Mapping[int, str], made: TextIO) -> None:
    before, after = "", ""
    for name in layout.records[0].split(".") if layout.records and ITSELF not in layout.records else ():
        before, after = f"{before}{{{json.dumps(name)}: ", after + "}"
    made.write(f"{before}[")
    separator = "\n"
    for line, value in enumerate(elements_of(file.text, layout), 1):
        if line in rows:
            told = {**value, REASON: rows[line]} if isinstance(value, dict) else value
            made.write(separator + json.dumps(told, ensure_ascii=False))
            separator = ",\n"
    made.write(f"\n]{after}\n")


def _write_json_lines(file: Opened, layout: Layout, rows: Mapping[int, str], made: TextIO) -> None:
    for line, written in enumerate(file.text, 1):
        if line in rows:
            made.write(_with_reason(written, rows[line]) + "\n")


def _with_reason(written: str, reason: str) -> str:
    """Return a line with what is wrong with it, if it is an object that can be read."""
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return written.rstrip("\r\n")
    return json.dumps({**value, REASON: reason}, ensure_ascii=False) if isinstance(value, dict) else written.rstrip("\r\n")


_WRITERS = {".json": _write_json, ".jsonl": _write_json_lines, ".ndjson": _write_json_lines}
