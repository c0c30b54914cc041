"""Locks that only one transaction of a PostgreSQL database holds at a time; on SQLite a write transaction is alone anyway."""

from collections.abc import Iterable
from enum import IntEnum
from zlib import crc32

from sqlalchemy import Connection

from storage import dialect


class Lock(IntEnum):
    """What is locked. The numbers are the server's advisory locks and never change."""

    new_orders = 1688
    """Ids are being assigned to new orders."""
    evidence_files = 1689
    """Files of evidence are being added or removed."""
    policy_versions = 1690
    """A version of the policy is being stored."""
    tables = 1691
    """The tables are being made or upgraded."""
    catalogue = 1693
    """A version of the catalogue is being stored."""
    chain = 1692
    """The money of chains of replacements is being added up (in a name space of its own)."""


def take(connection: Connection, lock: Lock) -> None:
    """Wait for a lock and hold it until the transaction ends."""
    dialect.at(connection).take_lock(connection, int(lock))


CHAIN_LOCKS = 256
"""Into so many locks all chains fall, so that a batch of thousands does not fill the server's table of locks."""


def take_chains(connection: Connection, chains: Iterable[tuple[str, str]]) -> None:
    """Lock chains of replacements until the transaction ends.

    Every transaction locks its orders first, by id, and then its chains, in one order: no two wait for each other.
    """
    numbers = sorted({crc32("\0".join(chain).encode()) % CHAIN_LOCKS for chain in chains})
    if numbers:
        dialect.at(connection).take_locks(connection, int(Lock.chain), numbers)
