"""Versions of the policy: every text that was ever in force."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from storage.tables import PolicyRow
from workflow.policy.policy import digest


def version_of(connection: Connection, text: str, at: datetime) -> int:
    """Return the version under which this policy text is stored, storing it as a new one if it is not the last."""
    newest = select(col(PolicyRow.version), col(PolicyRow.digest)).order_by(col(PolicyRow.version).desc()).limit(1)
    last = connection.execute(newest).first()
    if last is not None and last.digest == digest(text):
        return int(last.version)
    version = int(last.version) + 1 if last else 1
    connection.execute(insert(PolicyRow), [{"version": version, "digest": digest(text), "text": text, "since": at}])
    return version


def texts(connection: Connection, versions: Iterable[int]) -> dict[int, str]:
    """Return the policy texts of some versions."""
    columns = select(col(PolicyRow.version), col(PolicyRow.text)).where(col(PolicyRow.version).in_([*versions]))
    return {version or 0: text for version, text in connection.execute(columns)}
