"""A buyer erased from everywhere they are kept: tables, messages, evidence, and the file of the file channel (rule 6.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from effects.file import erase_lines
from engine.unit_of_work import UnitOfWork
from evidence.vault import Vault, VaultFailed
from storage import erasing, evidence_files, queries
from storage.database import Database
from storage.erasing import ERASED, Found
from storage.locks import Lock
from workflow.draft import Event
from workflow.policy.policy import Rules
from workflow.process import RECORDS
from workflow.step import carry_out


@dataclass(frozen=True, slots=True)
class BuyerSelection:
    """Whose traces are to go: a buyer by email address or name, or the buyers of orders."""

    buyer: str | None = None
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed; `remains` says what could not be, and what to do about it."""

    orders: int
    reports: int
    messages: int
    files: int
    shared: int
    """Files that stay, because another buyer's claim has them too."""
    lines: int
    remains: str | None


def find(database: Database, who: BuyerSelection) -> list[Found]:
    """Return the orders whose buyer is meant.

    Raises:
        UnknownOrder: an order that was named does not exist.

    """
    with database.read() as connection:
        ids = set(erasing.orders_of(connection, who.buyer.strip())) if who.buyer and who.buyer.strip() else set[int]()
        for identity in who.orders:
            ids |= set(erasing.with_the_same_buyer(connection, queries.resolve_id(connection, identity)))
        return erasing.described(connection, ids)


def erase(
    database: Database, vault: Vault, outbox: Path, found: Sequence[Found], actor: str, at: datetime, rules: Rules
) -> Erased:
    """Erase the buyer of orders. History and ledger stay; each history gains a row that says who erased, and when."""
    ids = [one.id for one in found]
    with database.exclusive(Lock.evidence_files):
        erased = _erase_rows(database, ids, actor, at, rules)
        unremoved = _remove_files(vault, erased.files)  # after the commit: rows must never point to files that are gone
    lines, remains = 0, database.purge_deleted_data() or unremoved
    try:
        lines = erase_lines(outbox, set(erased.keys), ERASED, erasing.blotter(erased.texts))
    except OSError as error:
        remains = f"{outbox} cannot be written ({error.strerror}): erase again, with --order, when it can"
    return Erased(len(ids), erased.reports, len(erased.keys), len(erased.files), max(0, erased.shared), lines, remains)


@dataclass(frozen=True, slots=True)
class _ErasedRows:
    """What the transaction has erased, and what is left to do outside of the database."""

    texts: Sequence[str]
    reports: int
    keys: Sequence[str]
    files: Sequence[str]
    shared: int


def _erase_rows(database: Database, ids: Sequence[int], actor: str, at: datetime, rules: Rules) -> _ErasedRows:
    with database.write() as connection:
        texts = erasing.personal_texts(connection, ids)
        _note(connection, ids, actor, at, rules)
        reports = erasing.erase_reports(connection, ids, texts)
        erasing.erase_notes(connection, ids, texts)
        keys = erasing.erase_messages(connection, ids, texts)
        files = evidence_files.only_of(connection, ids)
        shared = evidence_files.forget_names(connection, ids, at) - len(files)
        erasing.erase_orders(connection, ids)
    return _ErasedRows(texts, reports, keys, files, shared)


def _remove_files(vault: Vault, files: Sequence[str]) -> str | None:
    """Remove files of evidence; return what could not be removed and what to do, or None."""
    try:
        for sha256 in files:
            vault.remove(sha256)
    except VaultFailed as error:
        return f"files of evidence are still kept ({error}): erase again, with --order, when they can be removed"
    return None


def _note(connection: Connection, ids: Sequence[int], actor: str, at: datetime, rules: Rules) -> None:
    unit = UnitOfWork(connection, ids, at)
    for key in [*unit.orders]:
        unit.record(key, carry_out(unit.case(key), Event("erase", at, at, actor), rules, RECORDS["erase"], None))
    unit.commit()
