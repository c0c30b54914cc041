"""The store of evidence held against the table: files that no claim has are removed, and missing ones are named."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.vault import ORIGINALS, SHOWN, FileChanged, Vault, VaultFailed
from language import tr
from storage import evidence_files
from storage.database import Database
from storage.locks import Lock

OLD_ENOUGH = timedelta(hours=1)
"""A file that is younger may be about to be reported."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the store and the table do not share: digests of files that no claim has, and of those that are missing."""

    unclaimed: frozenset[str]
    missing: frozenset[str]


def compare(database: Database, vault: Vault, at: datetime) -> Compared:
    """Compare the store with the table.

    Raises:
        VaultFailed: the store cannot be listed.

    """
    found: dict[str, set[str]] = {ORIGINALS: set(), SHOWN: set()}
    old = set[str]()
    for folder, sha256, since in vault.kept():
        found[folder].add(sha256)
        if since < at - OLD_ENOUGH:
            old.add(sha256)
    with database.read() as connection:
        known = evidence_files.kept_digests(connection)
    return Compared(frozenset(old - known), frozenset(known - (found[ORIGINALS] & found[SHOWN])))


def changed_files(database: Database, vault: Vault) -> Iterator[tuple[str, str]]:
    """Read every file that a claim has; yield those that are not what was submitted, and what is wrong with them."""
    with database.read() as connection:
        known = evidence_files.kept_digests(connection)
    for sha256 in sorted(known):
        try:
            vault.original(sha256)
        except FileChanged:
            yield tr("evidence {sha256}…", sha256=sha256[:12]), tr("the file is not the one that was submitted")
        except VaultFailed as error:
            yield tr("evidence {sha256}…", sha256=sha256[:12]), str(error)


def remove_unclaimed(database: Database, vault: Vault, at: datetime) -> int:
    """Remove files that no claim has, and copies that killed processes left; return how many files.

    Raises:
        VaultFailed: the store cannot be listed or written.

    """
    vault.remove_left_behind(at - OLD_ENOUGH)
    with database.exclusive(Lock.evidence_files):
        unclaimed = compare(database, vault, at).unclaimed
        for sha256 in sorted(unclaimed):
            vault.remove(sha256)
    return len(unclaimed)
