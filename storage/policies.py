"""Versions of the policy: every text that was ever in force."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from storage import locks
from storage.locks import Lock
from storage.tables import PolicyRow
from workflow.policy.policy import digest


def newest(connection: Connection) -> tuple[int, str]:
    """Return version and digest of the policy that was stored last; (0, "") if none was."""
    columns = select(col(PolicyRow.version), col(PolicyRow.digest)).order_by(col(PolicyRow.version).desc()).limit(1)
    last = connection.execute(columns).first()
    return (int(last.version), str(last.digest)) if last else (0, "")


def version_of(connection: Connection, text: str, at: datetime) -> int:
    """Return the version under which this policy text is stored, storing it as a new one if it is not the last."""
    locks.take(connection, Lock.policy_versions)  # two daemons may start with a new policy at once
    version, last = newest(connection)
    if last == digest(text):
        return version
    connection.execute(insert(PolicyRow), [{"version": version + 1, "digest": digest(text), "text": text, "since": at}])
    return version + 1


def texts(connection: Connection, versions: Iterable[int]) -> dict[int, str]:
    """Return the policy texts of some versions."""
    columns = select(col(PolicyRow.version), col(PolicyRow.text)).where(col(PolicyRow.version).in_([*versions]))
    return {version or 0: text for version, text in connection.execute(columns)}


def changed(connection: Connection) -> list[int]:
    """Return the versions whose text is not what their digest says."""
    columns = select(col(PolicyRow.version), col(PolicyRow.digest), col(PolicyRow.text)).order_by(col(PolicyRow.version))
    return [version or 0 for version, kept, text in connection.execute(columns) if digest(text) != kept]
