"""A whole installation copied away and put back: the SQLite file, and the evidence beside it.

A copy has another name until it is complete and checked. What was put back fires and sends nothing until a person goes
live: since the copy was made, messages have left that it knows nothing of.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from engine import operations
from evidence.vault import ORIGINALS, SHOWN, WORKSPACE, FileChanged, S3Access, Vault, VaultFailed
from language import tr
from storage import audits, evidence_files, outbox, queries, timers
from storage import operations as stored
from storage.database import Database, repeated
from storage.locks import Lock
from storage.notifications import notify_daemons
from storage.schema import upgrade
from storage.sqlite import sync
from workflow.errors import AftersalesError, UsageError

OURS = {ORIGINALS, SHOWN}
"""What a folder of evidence holds, and nothing else does."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds. `missing`: digests of files of evidence that the store has lost before."""

    orders: int
    files: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What leaves or fires when a person goes live on a database that was restored."""

    timers: int
    effects: int
    messages: int


def evidence_beside(backup: Path) -> Path:
    """Return the folder that holds the evidence of a backup."""
    return backup.with_name(f"{backup.name}.evidence")


def back_up(database: Database, vault: Vault, target: Path) -> BackedUp:
    """Copy an installation while it is in use: the database to `target`, its evidence to the folder beside it.

    Raises:
        UsageError: the target exists, or the database is not SQLite.
        AftersalesError: something could not be read or written, or is damaged; nothing has the target's name.

    """
    folder = evidence_beside(target)
    part, folder_part = (path.with_name(f"{path.name}.part") for path in (target, folder))
    _remove(part, folder_part)  # of a backup that was killed
    if not target.exists() and folder.is_dir() and {one.name for one in folder.iterdir()} <= OURS:
        _remove(folder)  # killed between its two names
    for taken in (target, folder):
        if taken.exists():
            raise UsageError(tr("{taken} exists already: name a file that does not", taken=taken))
    try:
        with database.exclusive(Lock.evidence_files):  # so that no file goes that the copy of the table names
            database.copy_file(part)
            digests, orders = _known_to(part)
            missing = _copy_evidence(vault, Vault(str(folder_part), S3Access()), digests)
        _remove(folder_part / WORKSPACE)
        if folder_part.exists():
            os.rename(folder_part, folder)
        os.rename(part, target)
        sync(target.parent.absolute())
    except OSError as error:
        raise AftersalesError(tr("the backup to {target} failed: {strerror}", target=target, strerror=error.strerror)) from None
    finally:
        _remove(part, folder_part)
    return BackedUp(orders, len(digests) - len(missing), missing)


def restore(source: Path, database: Database, vault: Vault, by: str, at: datetime) -> Path | None:
    """Put a backup in the place of the database; return where the one that was there is now, or None.

    The caller keeps daemons off. The tables are upgraded if an older program made them.

    Raises:
        AftersalesError: the backup cannot be read or is damaged; the database is as it was.

    """
    assert database.file is not None, "a server is restored by its own tools"
    place = database.file
    part = place.with_name(f"{place.name}.part")
    _remove(part)
    try:
        _prepare(source, part, by, at)
        digests, _ = _known_to(part)
        if missing := _copy_evidence(Vault(str(evidence_beside(source)), S3Access()), vault, digests):
            lost = [sha256 for sha256 in missing if not _is_kept(vault, sha256)]
            if lost:
                raise AftersalesError(
                    tr(
                        "{source} lacks {count} of the files of evidence, the first {lost}…: put the folder that belongs "
                        "to the backup beside it",
                        source=evidence_beside(source),
                        count=len(lost),
                        lost=lost[0][:12],
                    )
                )
        database.close()
        aside = _set_aside(place, at)
        os.rename(part, place)
        sync(place.parent)
    except OSError as error:
        raise AftersalesError(
            tr("{source} could not be restored: {strerror}", source=source, strerror=error.strerror)
        ) from None
    finally:
        _remove(part)
    return aside


def is_held(database: Database) -> bool:
    """Say whether the database was restored, and `observe end` was not run since."""
    with database.read() as connection:
        return any(one.kind == operations.RESTORE for one in stored.open_ones(connection))


def held(database: Database, at: datetime) -> Held:
    """Return what fires and leaves at once when a person goes live."""
    with database.read() as connection:
        effects, messages = outbox.may_leave(connection)
        return Held(timers.backlog(connection, at), effects, messages)


@repeated
def go_live(database: Database, at: datetime) -> bool:
    """Let timers fire and messages leave after a restore; return whether they were held."""
    with database.write() as connection:
        restores = [one for one in stored.open_ones(connection) if one.kind == operations.RESTORE]
        for one in restores:
            stored.end(connection, one, at)
        if restores:
            notify_daemons(connection)
    return bool(restores)


def _prepare(source: Path, part: Path, by: str, at: datetime) -> None:
    """Copy a backup beside its place, check it, upgrade its tables, and hold its timers and effects."""
    backup = Database(f"sqlite:///{source}")
    try:
        if not backup.exists():
            raise UsageError(tr("there is no file {source}", source=source))
        if backup.schema() is None:
            raise UsageError(tr("{source} is not a backup of an aftersales database", source=source))
        backup.copy_file(part)
    finally:
        backup.close()
    copy = Database(f"sqlite:///{part}")
    try:
        upgrade(copy)
        copy.require()
        with copy.write() as connection:
            broken = next(audits.broken_orders(connection), None)
            if broken:
                raise AftersalesError(
                    tr(
                        "the history of order {broken} does not hold in {source}: {broken_2}",
                        broken=broken[0],
                        source=source,
                        broken_2=broken[1],
                    )
                )
            operations.begin(connection, operations.RESTORE, by, at, {})
    finally:
        copy.close()


def _known_to(copy: Path) -> tuple[list[str], int]:
    """Return the digests of the evidence that a copy of a database knows, and how many orders it has."""
    database = Database(f"sqlite:///{copy}")
    try:
        with database.read() as connection:
            return sorted(evidence_files.kept_digests(connection)), queries.count_orders(connection)
    finally:
        database.close()


def _copy_evidence(source: Vault, target: Vault, digests: list[str]) -> tuple[str, ...]:
    """Copy files from one store to another, each held against its digest; return the digests of those that are missing."""
    missing = []
    for sha256 in digests:
        try:
            shown, original = source.get(SHOWN, sha256), source.original(sha256)
        except FileChanged:
            raise
        except VaultFailed:
            missing.append(sha256)
            continue
        with target.workspace() as folder:
            for name, content in ((ORIGINALS, original), (SHOWN, shown)):
                (folder / name).write_bytes(content)
                target.put(name, sha256, folder / name)
    return tuple(missing)


def _is_kept(vault: Vault, sha256: str) -> bool:
    try:
        vault.get(ORIGINALS, sha256)
    except VaultFailed:
        return False
    return True


def _set_aside(place: Path, at: datetime) -> Path | None:
    """Give a database that is replaced, with the files of its log, another name; a log that was left behind goes too.

    SQLite would write the log of another database into the one that is put here.
    """
    left = [suffix for suffix in ("", "-wal", "-shm") if place.with_name(place.name + suffix).exists()]
    names = (f"{place.name}.replaced-{at:%Y%m%dT%H%M%S}{f'-{n}' if n > 1 else ''}" for n in count(1))
    aside = next(path for path in map(place.with_name, names) if not path.exists())
    for suffix in left:
        os.rename(place.with_name(place.name + suffix), aside.with_name(aside.name + suffix))
    return aside if "" in left else None


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
