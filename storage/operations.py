"""Operations: work in several transactions or places, with its plan and how far it has come."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from storage.tables import OperationRow, table_of


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `done` says how far it has come, in its kind's own measure; an ended one keeps no plan."""

    id: str
    kind: str
    by: str
    begun_at: datetime
    process: Mapping[str, Any]
    """The process that carries it out."""
    plan: Mapping[str, Any]
    done: int
    ended_at: datetime | None


def add(connection: Connection, begun: Operation) -> None:
    """Store an operation that begins."""
    kept = {"process": json.dumps(begun.process), "plan": json.dumps(begun.plan)}
    values = {name: getattr(begun, name) for name in ("id", "kind", "by", "begun_at", "done", "ended_at")}
    connection.execute(insert(OperationRow).values(**values, **kept))


def find(connection: Connection, operation_id: str) -> Operation | None:
    """Return an operation, open or ended."""
    o = table_of(OperationRow)
    row = connection.execute(select(o).where(o.c.id == operation_id)).mappings().first()
    return _read(row) if row else None


def open_ones(connection: Connection) -> list[Operation]:
    """Return the operations that have not ended, oldest first."""
    o = table_of(OperationRow)
    return [_read(row) for row in connection.execute(select(o).where(o.c.ended_at.is_(None)).order_by(o.c.begun_at)).mappings()]


def newest(connection: Connection, kind: str) -> str | None:
    """Return the operation of a kind that has ended last, or None."""
    o = table_of(OperationRow)
    ended = select(o.c.id).where(o.c.kind == kind, o.c.ended_at.is_not(None)).order_by(o.c.ended_at.desc()).limit(1)
    return connection.execute(ended).scalar()


def take_over(connection: Connection, operation_id: str, process: Mapping[str, Any]) -> None:
    """Say which process carries an operation out now."""
    o = table_of(OperationRow)
    connection.execute(update(o).where(o.c.id == operation_id).values(process=json.dumps(process)))


def advance(connection: Connection, operation_id: str, before: int, done: int, plan: Mapping[str, Any] | None = None) -> bool:
    """Record how far an operation has come from `before`, and with `plan` what is left to do.

    Returns False, and changes nothing, if it does not stand at `before`: another process carries it out.
    """
    o = table_of(OperationRow)
    values: dict[str, Any] = {"done": done} if plan is None else {"done": done, "plan": json.dumps(plan)}
    here = (o.c.id == operation_id) & (o.c.done == before) & o.c.ended_at.is_(None)
    return connection.execute(update(o).where(here).values(values)).rowcount == 1


def end(connection: Connection, ended: Operation, at: datetime) -> None:
    """Record that an operation has ended; of its plan only `what` it was is kept."""
    o, kept = table_of(OperationRow), {name: ended.plan[name] for name in ("what",) if name in ended.plan}
    connection.execute(update(o).where(o.c.id == ended.id).values(plan=json.dumps(kept), ended_at=at))


def delete_ended(connection: Connection, before: datetime) -> None:
    """Delete operations that ended before an instant."""
    o = table_of(OperationRow)
    connection.execute(delete(o).where(o.c.ended_at < before))


def _read(row: RowMapping) -> Operation:
    values = dict(row)
    return Operation(**{**values, "process": json.loads(values["process"]), "plan": json.loads(values["plan"])})
