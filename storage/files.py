"""Files of the inbox that were taken, and what became of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, TextClause, and_, delete, or_, select, text, update

from storage import dialect
from storage.tables import FileRow, table_of


class FileStatus(StrEnum):
    """What has become of a file."""

    taking = "taking"
    """It is being taken in."""
    done = "done"
    """All of it was taken in."""
    rejected = "rejected"
    """It could not be read, or some of its rows were rejected."""
    repeated = "repeated"
    """The same content was taken in before."""
    settled = "settled"
    """It was rejected, and what was rejected was taken in since, or a person has closed it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its name, the digests of its content and of that with how it is read, and the mapping's name."""

    name: str
    content: str
    digest: str
    mapping: str | None


def take(connection: Connection, content: Content, owner: str, at: datetime) -> int | None:
    """Note that an owner takes a file in; return its id, or None while somebody else takes the same content in."""
    f = table_of(FileRow)
    values = {**asdict(content), "owner": owner, "taken_at": at, "status": FileStatus.taking, "lies_there": False}
    insertion = dialect.at(connection).insert_missing(f).values(**values)
    made = connection.execute(insertion.returning(f.c.id)).scalar()
    return None if made is None else int(made)


def taking(connection: Connection, digest: str) -> RowMapping | None:
    """Return the file of a content that is being taken in."""
    f = table_of(FileRow)
    is_it = and_(f.c.digest == digest, text("files.status = 'taking'"))
    return connection.execute(select(f).where(is_it)).mappings().first()


def take_over(connection: Connection, file_id: int, was: str, name: str, owner: str) -> bool:
    """Go on with what an owner that has ended took in; return whether nobody else was sooner."""
    return _change(connection, _is_taken(file_id, by=was), owner=owner, name=name) == 1


def let_go(connection: Connection, file_id: int) -> None:
    """Forget that a file was taken: it has changed while it was read."""
    connection.execute(delete(table_of(FileRow)).where(_is_taken(file_id)))


def plan(connection: Connection, file_id: int, place: str) -> None:
    """Note where a file will be moved: its report is written there first."""
    _change(connection, table_of(FileRow).c.id == file_id, place=place)


def note(connection: Connection, file_id: int, summary: Mapping[str, Any]) -> None:
    """Keep what was found out of a file that is still being taken in."""
    _change(connection, _is_taken(file_id), summary=json.dumps(summary, ensure_ascii=False))


def end(connection: Connection, file_id: int, owner: str, status: FileStatus, summary: Mapping[str, Any], at: datetime) -> bool:
    """Note what has become of a file; return whether it was still this owner's."""
    told = json.dumps(summary, ensure_ascii=False)
    return _change(connection, _is_taken(file_id, by=owner), status=status, summary=told, ended_at=at) == 1


def moved(connection: Connection, file_ids: Sequence[int]) -> None:
    """Note that files lie where they were to be moved."""
    _change(connection, table_of(FileRow).c.id.in_(file_ids), lies_there=True)


def to_be_moved(connection: Connection) -> list[RowMapping]:
    """Return the files that have ended and were not seen to lie where they belong."""
    f = table_of(FileRow)
    moving = text("NOT files.lies_there AND files.status <> 'taking'")  # as its index has it
    return [*connection.execute(select(f).where(moving).order_by(f.c.id)).mappings()]


def taken_before(connection: Connection, content: Content) -> RowMapping | None:
    """Return the last file of the same content, read in the same way, that was taken in whole."""
    f = table_of(FileRow)
    is_it = (f.c.digest == content.digest) & (f.c.status == FileStatus.done)
    return connection.execute(select(f).where(is_it).order_by(f.c.id.desc()).limit(1)).mappings().first()


def settle(connection: Connection, file_ids: Sequence[int], by: str, note: str | None, at: datetime) -> int:
    """Note who or what has settled rejected files; return how many were still open."""
    these = and_(table_of(FileRow).c.id.in_(file_ids), _is_open())
    return _change(connection, these, status=FileStatus.settled, resolved_at=at, resolved_by=by, note=note)


def find(connection: Connection, file_id: int) -> RowMapping | None:
    """Return a file by its id."""
    f = table_of(FileRow)
    return connection.execute(select(f).where(f.c.id == file_id)).mappings().first()


def last(connection: Connection, limit: int, statuses: Sequence[str] = ()) -> list[RowMapping]:
    """Return the files that were taken last, the newest first."""
    f = table_of(FileRow)
    query = select(f).order_by(f.c.id.desc()).limit(limit)
    return [*connection.execute(query.where(f.c.status.in_(statuses)) if statuses else query).mappings()]


def open_ones(connection: Connection, limit: int) -> list[RowMapping]:
    """Return the rejected files that nobody has mended or closed, the oldest first."""
    f = table_of(FileRow)
    return [*connection.execute(select(f).where(_is_open()).order_by(f.c.id).limit(limit)).mappings()]


def open_like(connection: Connection, content: str, name: str, place: str) -> list[RowMapping]:
    """Return the rejected files that nobody has mended or closed: of a content, of a name, at a place, or its rows to mend."""
    f = table_of(FileRow)
    lies = or_(f.c.place == place, f.c.place.startswith(f"{place}.", autoescape=True))
    is_it = or_(f.c.content == content, f.c.name == name, lies)
    return [*connection.execute(select(f).where(_is_open(), is_it).order_by(f.c.id)).mappings()]


def _change(connection: Connection, which: ColumnElement[bool], **values: Any) -> int:
    """Change the files that a condition is true of; return how many."""
    return connection.execute(update(table_of(FileRow)).where(which).values(**values)).rowcount


def _is_taken(file_id: int, by: str | None = None) -> ColumnElement[bool]:
    """Say whether a file is it, and is being taken in, by an owner if one is named."""
    f = table_of(FileRow)
    is_it = and_(f.c.id == file_id, f.c.status == FileStatus.taking)
    return is_it if by is None else and_(is_it, f.c.owner == by)


def _is_open() -> TextClause:
    return text("files.status = 'rejected'")  # as its index has it
