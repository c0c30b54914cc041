"""Work in several transactions or places: recorded before it begins, repeatable in every step, and finished by house-keeping.

Kinds: `erase` (engine/erasing.py), `timers` and `closures` (engine/timer_commands.py), `daily` (engine/daily.py), and
`restore`, which is open until a person goes live.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from engine.processes import Process, counts_as_ended, this_process
from language import tr
from storage import operations
from storage.database import Database
from storage.operations import Operation as Operation
from workflow.errors import AftersalesError, UsageError

ERASE, TIMERS, CLOSURES, RESTORE, DAILY = "erase", "timers", "closures", "restore", "daily"
UNSEEN_FOR = timedelta(hours=1)
"""After so long an operation of a process that cannot be seen from here counts as interrupted."""
KEPT = timedelta(days=30)
"""How long an ended operation is known, so that a repeat under its id does nothing."""


class OperationTaken(AftersalesError):
    """Another process carries the operation out."""


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation that has not ended, for `check`. `interrupted`: nothing carries it out, and it can be finished."""

    id: str
    kind: str
    by: str
    begun_at: datetime
    interrupted: bool


def begin(
    connection: Connection, kind: str, by: str, at: datetime, plan: Mapping[str, Any], operation_id: str | None = None
) -> Operation:
    """Record that an operation begins; one that is known by that id is returned as it stands, to be gone on with.

    Raises:
        UsageError: the id is that of another operation.

    """
    if operation_id and (known := named(connection, operation_id, kind, plan)):
        return take_over(connection, known)
    begun = Operation(operation_id or secrets.token_hex(6), kind, by, at, asdict(this_process()), plan, 0, None)
    operations.add(connection, begun)
    return begun


def named(connection: Connection, operation_id: str, kind: str, plan: Mapping[str, Any]) -> Operation | None:
    """Return the operation of that id, open or ended, or None.

    Raises:
        UsageError: it is not the same: of another kind, or its plan says that it was something else.

    """
    known = operations.find(connection, operation_id)
    if known and (known.kind != kind or known.plan.get("what") != plan.get("what")):
        was = known.plan.get("what") or known.kind
        raise UsageError(
            tr(
                "{operation_id} is the name of another operation ({was}): choose another name",
                operation_id=operation_id,
                was=was,
            )
        )
    return known


def take_over(connection: Connection, operation: Operation) -> Operation:
    """Let this process carry an operation out."""
    mine = asdict(this_process())
    operations.take_over(connection, operation.id, mine)
    return replace(operation, process=mine)


def advance(connection: Connection, operation: Operation, done: int, plan: Mapping[str, Any] | None = None) -> Operation:
    """Record how far this process has brought an operation, in the transaction of that work; return it as it stands then.

    Raises:
        OperationTaken: another process has brought it further; nothing may be committed.

    """
    if not operations.advance(connection, operation.id, operation.done, done, plan):
        raise OperationTaken(tr("another process carries out the operation {id}: nothing was done twice", id=operation.id))
    return replace(operation, done=done, plan=operation.plan if plan is None else plan)


def interrupted(database: Database, at: datetime) -> list[Operation]:
    """Return the open operations that nothing carries out any more."""
    with database.read() as connection:
        return [one for one in operations.open_ones(connection) if _is_interrupted(one, at, shared=database.is_shared)]


def open_operations(database: Database, at: datetime) -> list[OpenOperation]:
    """Return the operations that have not ended."""
    with database.read() as connection:
        return [
            OpenOperation(one.id, one.kind, one.by, one.begun_at, _is_interrupted(one, at, shared=database.is_shared))
            for one in operations.open_ones(connection)
        ]


def _is_interrupted(operation: Operation, at: datetime, *, shared: bool) -> bool:
    if operation.kind == RESTORE:
        return False
    return counts_as_ended(Process(**operation.process), at - operation.begun_at, UNSEEN_FOR, shared=shared)
