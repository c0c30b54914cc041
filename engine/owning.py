"""Ownership: a process that fires and sends holds a row with a lease in the database (rules 5.3 and 9.8)."""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping

from engine.processes import Process, counts_as_ended, this_process
from language import tr
from storage import heartbeats
from storage.database import Database, repeated
from workflow.errors import AftersalesError

LEASE = timedelta(minutes=2)
"""An owner on another machine counts as dead when its row was not renewed for this long."""
_NAMED = {heartbeats.DAEMON: "a daemon"}
_PROCESS = tuple(field.name for field in fields(Process))


class AlreadyRunning(AftersalesError):
    """Another process owns the database."""


class OwnershipLost(AftersalesError):
    """The owner was taken for dead, because its row was not renewed in time; others may send what it has not begun."""

    def __init__(self, owner: str) -> None:
        super().__init__(tr("{owner} does not own the database any more: its row was not renewed in time", owner=owner))
        self.owner = owner


def new_name() -> str:
    """Return a name for an owner that no owner before it has had: one process takes and frees a database many times."""
    process = this_process()
    return f"{process.host}:{process.pid}:{secrets.token_hex(8)}"


@repeated
def take(database: Database, work: str, at: datetime, name: str | None = None, instead_of: Collection[str] = ()) -> str:
    """Become an owner of the database; return the owner's name. Owners that have ended lose their rows.

    Of an SQLite file there is one owner, whatever name or link it is reached by; a PostgreSQL database has many.
    `instead_of` are names under which the same owner may have rows, as it does not know whether they were stored.

    Raises:
        AlreadyRunning: the SQLite file has a living owner.

    """
    owner = name or new_name()
    with database.write() as connection:
        heartbeats.end(connection, instead_of, at)
        if database.is_shared:
            end_dead(database, connection, at)
        else:
            refuse_owned(database, connection, at)
        heartbeats.add(connection, owner, work, asdict(this_process()), at)
    return owner


def refuse_owned(database: Database, connection: Connection, at: datetime) -> None:
    """Refuse a database that has a living owner.

    Raises:
        AlreadyRunning: names the owner.

    """
    for other in living(database, connection, at):
        what = _NAMED.get(other["work"], tr("`aftersales {work}`", work=other["work"]))
        where = tr("process {pid} on {host}", pid=other["pid"], host=other["host"])
        raise AlreadyRunning(
            tr(
                "{what} is already running on {location} ({where}): stop it first",
                what=what,
                location=database.location,
                where=where,
            )
        )


def renew(connection: Connection, owner: str, at: datetime) -> None:
    """Renew an owner's lease.

    Raises:
        OwnershipLost: it has ended.

    """
    if not heartbeats.renew(connection, owner, at):
        raise OwnershipLost(owner)


@repeated
def free(database: Database, owner: str, at: datetime) -> None:
    """Give ownership back."""
    with database.write() as connection:
        heartbeats.end(connection, [owner], at)


@contextmanager
def owned(database: Database, work: str, at: datetime) -> Iterator[str]:
    """Own the database for a while; yield the owner's name.

    Raises:
        AlreadyRunning: the SQLite file has a living owner.

    """
    owner = take(database, work, at)
    try:
        yield owner
    finally:
        free(database, owner, at)


def end_dead(database: Database, connection: Connection, at: datetime) -> None:
    """End the owners whose process has ended, and those of other machines whose lease has run out."""
    dead = [row["daemon"] for row in heartbeats.alive(connection) if _is_dead(row, at, shared=database.is_shared)]
    if dead:
        heartbeats.end(connection, dead, at)


def living(database: Database, connection: Connection, at: datetime) -> list[RowMapping]:
    """Return the owners that live; those that do not are ended."""
    end_dead(database, connection, at)
    return heartbeats.alive(connection)


def _is_dead(row: RowMapping, at: datetime, *, shared: bool) -> bool:
    process = Process(*(row[name] for name in _PROCESS))
    return counts_as_ended(process, at - row["renewed_at"], LEASE, shared=shared)
