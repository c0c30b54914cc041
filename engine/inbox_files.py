"""The files of the inbox as screens see them: what was taken in, what was rejected, and what a person closes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from engine import summaries
from engine.views import Source
from language import counted, tr
from storage import files
from storage.database import Database, reading, repeated
from storage.files import FileStatus
from workflow.errors import AftersalesError

STATUSES = tuple(map(str, FileStatus))


class NoSuchFile(AftersalesError):
    """No file of the inbox has that id, or it is not one that waits for a person."""


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that was taken from the inbox: when, by which mapping, what became of it, and where it lies.

    `place` is seen from the inbox. `counts` are those of an import; `error` says why it could not be read at all. `rejections`
    and `left_out` are the first hundred.
    """

    id: int
    name: str
    mapping: str | None
    taken_at: datetime
    status: str
    place: str | None
    error: str | None
    counts: Mapping[str, Any]
    rejections: Sequence[Mapping[str, Any]]
    left_out: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    """What a person should look at twice."""
    changes: Sequence[str]
    """What it has changed of the catalogue: the first hundred."""
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None

    @property
    def words(self) -> str:
        """Return in one line what became of it."""
        return summaries.in_a_line(self.error, self.counts)

    @property
    def is_open(self) -> bool:
        """Say whether it waits for a person."""
        return self.status == FileStatus.rejected


def list_files(source: Source, limit: int, statuses: Sequence[str] = ()) -> list[TakenFile]:
    """Return the files that were taken last, the newest first."""
    with reading(source) as connection:
        return [_read(row) for row in files.last(connection, limit, statuses)]


def open_files(source: Source, limit: int) -> list[TakenFile]:
    """Return the rejected files that wait for a person, the oldest first."""
    with reading(source) as connection:
        return [_read(row) for row in files.open_ones(connection, limit)]


def file_of(source: Source, file_id: int) -> TakenFile:
    """Return a file.

    Raises:
        NoSuchFile: none has that id.

    """
    with reading(source) as connection:
        row = files.find(connection, file_id)
    if row is None:
        raise NoSuchFile(tr("no file of the inbox has the id {id}: `aftersales inbox` lists them", id=file_id))
    return _read(row)


@repeated
def close_file(database: Database, file_id: int, by: str, note: str, at: datetime) -> None:
    """Close a rejected file with a note on what was done.

    Raises:
        NoSuchFile: none has that id, or it is not open.

    """
    with database.write() as connection:
        closed = files.settle(connection, [file_id], by, note, at)
    if not closed:
        one = file_of(database, file_id)
        raise NoSuchFile(tr("{name} is {status}: only a rejected file is closed", name=one.name, status=one.status))


def what_is_wrong(one: TakenFile) -> str:
    """Say what keeps a rejected file from being done."""
    return one.error or tr("{rows} rejected", rows=counted(int(one.counts.get("rejected", 0)), "row"))


def _read(row: RowMapping) -> TakenFile:
    told = json.loads(row["summary"] or "{}")
    return TakenFile(
        row["id"],
        row["name"],
        row["mapping"],
        row["taken_at"],
        row["status"],
        row["place"],
        told.get("error"),
        told.get("counts") or {},
        told.get("rejections") or [],
        told.get("left_out") or [],
        told.get("notes") or [],
        told.get("changes") or [],
        row["resolved_at"],
        row["resolved_by"],
        row["note"],
    )
