"""Locks that only one transaction of a PostgreSQL database holds at a time; on SQLite a write transaction is alone anyway."""

from enum import IntEnum

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


def take(connection: Connection, lock: Lock) -> None:
    """Wait for a lock and hold it until the transaction ends."""
    dialect.at(connection).take_lock(connection, int(lock))
