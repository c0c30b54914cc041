"""What a file comes in: as it is, compressed (.gz, or .zip with one file in it), or as a workbook of a spreadsheet."""

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

from language import tr
from workflow.errors import UsageError

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
LARGEST_BYTES = 4 * 1024**3
"""A compressed file may grow to that; a larger one is refused before it is read."""
MOST_GROWTH = 200
"""Texts grow tenfold; what grows more than so many times is no file of orders."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Open a file, or the one inside it; yields the ending of its name, in small letters, and its bytes.

    Raises:
        ValueError: a .zip has no file or several, or what is inside would grow beyond what is read.

    """
    with ExitStack() as stack:
        match path.suffix.lower():
            case ".gz":
                raw: Any = stack.enter_context(gzip.open(path))
                yield Path(path.stem).suffix.lower(), _unpacked(raw, path.stat().st_size)
            case ".zip":
                archive = stack.enter_context(zipfile.ZipFile(path))
                member = _only_file(archive)
                raw = stack.enter_context(archive.open(member))
                yield Path(member.filename).suffix.lower(), _unpacked(raw, member.compress_size)
            case ending:
                yield ending, stack.enter_context(path.open("rb"))


def _unpacked(raw: Any, packed: int) -> BinaryIO:
    return BufferedReader(_Limited(raw, packed))


def _only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the one file of an archive, those that systems add to it left aside."""
    files = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        names = ", ".join(one.filename for one in files[:5])
        raise ValueError(tr("it holds {count} files ({names}): unpack it, and name one", count=len(files), names=names))
    if files[0].flag_bits & 0x1:
        raise ValueError(tr("it is encrypted: unpack it first"))
    return files[0]


class _Limited(RawIOBase):
    """Bytes that are unpacked, refused once they grow beyond what a file of orders may."""

    def __init__(self, raw: Any, packed: int) -> None:
        self._raw, self._left = raw, min(LARGEST_BYTES, max(packed, 1_000) * MOST_GROWTH)

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, into: Any) -> int:
        """Read on.

        Raises:
            ValueError: more was unpacked than is read.

        """
        found = self._raw.read(len(into))
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(tr("it grows far beyond its size when it is unpacked: no file of orders does"))
        into[: len(found)] = found
        return len(found)


def sheets_of(raw: BinaryIO) -> list[str]:
    """Return the names of a workbook's sheets.

    Raises:
        UsageError: it is no workbook.

    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return list(CalamineWorkbook.from_filelike(cast(Any, raw)).sheet_names)
    except CalamineError as error:
        raise UsageError(tr("it is not a workbook that can be read ({error})", error=error)) from None


def sheet_records(raw: BinaryIO, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a workbook's sheet as texts, with their numbers; the first sheet that is not empty, if none is named.

    Dates are ISO 8601 without a zone, as the sheet shows them.

    Raises:
        ValueError: it is no workbook, is locked by a password, or has no such sheet.

    """
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, WorksheetNotFound

    try:
        book = CalamineWorkbook.from_filelike(cast(Any, raw))
        names = [sheet] if sheet is not None else book.sheet_names
        found = next((one for one in map(book.get_sheet_by_name, names) if one.height), None)
        for number, values in enumerate(found.iter_rows() if found is not None else (), 1):
            yield number, [_as_text(value) for value in values]
    except PasswordError:
        raise ValueError(tr("it is locked by a password: save it without one")) from None
    except WorksheetNotFound:
        raise ValueError(
            tr("it has no sheet {sheet!r}: there are {names}", sheet=sheet, names=", ".join(book.sheet_names))
        ) from None
    except CalamineError as error:
        raise ValueError(tr("it is not a workbook that can be read ({error})", error=error)) from None


def _as_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)
