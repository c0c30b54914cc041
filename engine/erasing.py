"""A buyer erased from everywhere they are kept: tables, messages, evidence, and the file of the file channel (rule 6.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from effects.file import erase_lines
from engine import operations
from engine.operations import Operation
from engine.unit_of_work import UnitOfWork
from evidence.vault import Vault, VaultFailed
from language import tr
from storage import erasing, evidence_files, queries
from storage import operations as stored
from storage.database import Database, repeated
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
class Places:
    """Where a buyer is kept besides the database: the store of evidence, and the file of the file channel."""

    vault: Vault
    outbox: Path


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed; `remains` says what could not be, and who finishes it."""

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


def erase(database: Database, places: Places, found: Sequence[Found], actor: str, at: datetime, rules: Rules) -> Erased:
    """Erase the buyer of orders. History and ledger stay; each history gains a row that says who erased, and when.

    The erasure is recorded before it begins, and open until the buyer is gone from every place: house-keeping finishes
    one that was interrupted, or that something was in the way of.
    """
    ids = [one.id for one in found]
    with database.write() as connection:
        plan = {"orders": ids, "texts": erasing.personal_texts(connection, ids)}
        operation = operations.begin(connection, operations.ERASE, actor, at, plan)
    return finish(database, places, operation, at, rules)


def finish_interrupted(database: Database, places: Places, at: datetime, rules: Rules) -> list[Erased]:
    """Finish the erasures that nothing carries out any more."""
    open_ones = [one for one in operations.interrupted(database, at) if one.kind == operations.ERASE]
    return [finish(database, places, one, at, rules) for one in open_ones]


def finish(database: Database, places: Places, operation: Operation, at: datetime, rules: Rules) -> Erased:
    """Carry an erasure out, or what is left of it; it ends when nothing remains."""
    with database.exclusive(Lock.evidence_files):
        if not operation.done:
            operation = _erase_rows(database, operation, at, rules)
        plan = operation.plan
        problems = [_remove_files(places.vault, plan["files"])]  # after the commit: no row may point to a file that is gone
    problems.append(_still_leaving(database, plan))  # before the file is looked at: what is taken later has the new text
    lines, problem = _erase_lines(places.outbox, plan)
    problems.append(problem)
    remains = next(filter(None, problems), None)
    with database.write() as connection:
        known = {**plan, "texts": plan["texts"] if remains else []}  # before the tables are rewritten without them
        operations.advance(connection, operation, 1, known)
    remains = remains or database.purge_deleted_data()
    if remains is None:
        with database.write() as connection:
            stored.end(connection, operation, at)
    counts = {name: plan[name] for name in ("reports", "messages", "shared")}
    return Erased(len(plan["orders"]), **counts, files=len(plan["files"]), lines=lines, remains=remains)


@repeated
def _erase_rows(database: Database, operation: Operation, at: datetime, rules: Rules) -> Operation:
    """Erase the buyer from the tables; return the operation with what is left to do outside of the database."""
    ids, texts = operation.plan["orders"], operation.plan["texts"]
    with database.write() as connection:
        _note(connection, ids, operation.by, at, rules)
        reports = erasing.erase_reports(connection, ids, texts)
        erasing.erase_notes(connection, ids, texts)
        keys = erasing.erase_messages(connection, ids, texts)
        erasing.erase_files_of_the_inbox(connection, texts)
        files = evidence_files.only_of(connection, ids)
        shared = max(0, evidence_files.forget_names(connection, ids, at) - len(files))
        erasing.erase_orders(connection, ids)
        left = {"files": files, "keys": keys, "reports": reports, "messages": len(keys), "shared": shared}
        return operations.advance(connection, operation, 1, {**operation.plan, **left})


def _remove_files(vault: Vault, files: Sequence[str]) -> str | None:
    """Remove files of evidence; return what could not be removed, or None."""
    try:
        for sha256 in files:
            vault.remove(sha256)
    except VaultFailed as error:
        return tr("files of evidence are still kept ({error})", error=error)
    return None


def _erase_lines(outbox: Path, plan: Mapping[str, Any]) -> tuple[int, str | None]:
    """Take the buyer out of the file channel's file; return from how many lines, and what is in the way."""
    try:
        return erase_lines(outbox, set(plan["keys"]), ERASED, erasing.blotter(plan["texts"])), None
    except OSError as error:
        return 0, tr("{outbox} cannot be written ({strerror})", outbox=outbox, strerror=error.strerror)


def _still_leaving(database: Database, plan: Mapping[str, Any]) -> str | None:
    """Say that a message about the orders is being sent, with the text that it had before: its line is still to be erased."""
    with database.read() as connection:
        leaving = erasing.being_sent(connection, plan["orders"])
    return tr("a message about them is being sent at this moment") if leaving else None


def _note(connection: Connection, ids: Sequence[int], actor: str, at: datetime, rules: Rules) -> None:
    unit = UnitOfWork(connection, ids, at)
    for key in [*unit.orders]:
        unit.record(key, carry_out(unit.case(key), Event("erase", at, at, actor), rules, RECORDS["erase"], None), rules)
    unit.commit()
