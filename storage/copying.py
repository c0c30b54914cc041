"""A whole database copied into another, of the same kind or of the other one; a copy that was interrupted goes on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Result, RowMapping, Table, func, insert, select, tuple_
from sqlmodel import SQLModel

from language import counted, tr
from storage import audits, dialect
from storage.database import Database
from workflow.errors import AftersalesError

BATCH = 5_000
"""Rows in one transaction of the target."""
LEFT_OUT = ("heartbeats",)
"""Signs of life belong to the daemons of the database that they were written to."""


class CopyFailed(AftersalesError):
    """The target holds something else, or does not hold what the source holds; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How many rows of a table were copied now, and how many were there from a copy that was interrupted."""

    table: str
    rows: int
    before: int


Told = Callable[[str, int], None]
"""Told of a table and how many of its rows were copied since the last call."""


def copied_tables() -> list[Table]:
    """Return the tables that are copied, each behind those that it refers to."""
    return [table for table in SQLModel.metadata.sorted_tables if table.name not in LEFT_OUT]


def copy(source: Database, target: Database, told: Told = lambda table, rows: None, *, batch: int = BATCH) -> list[Copied]:
    """Copy every row of `source` that `target` does not have, table by table in the order of keys.

    Nothing may work on either meanwhile.

    Raises:
        CopyFailed: the target holds rows that are not the source's, or were and have changed since; nothing was written.

    """
    standing = {table: _where_it_stands(source, target, table) for table in copied_tables()}  # before anything is written
    done = []
    for table, (before, last) in standing.items():
        copied = 0
        for rows in _batches(source, table, last, batch):
            with target.write() as connection:
                connection.execute(insert(table), rows)
            copied += len(rows)
            told(table.name, len(rows))
        done.append(Copied(table.name, copied, before))
    _set_sequences(target)
    return done


def verify(source: Database, target: Database) -> int:
    """Check that both have the same rows table by table, and that every history of the target holds; return how many.

    Raises:
        CopyFailed: they differ, or a history is broken.

    """
    with source.read() as one, target.read() as other:
        for table in copied_tables():
            here, there = _count(one, table), _count(other, table)
            if here != there:
                raise CopyFailed(
                    tr(
                        "{name} has {rows} in {location} and {there} in {location_2}: copy again",
                        name=table.name,
                        rows=counted(here, "row"),
                        location=source.location,
                        there=there,
                        location_2=target.location,
                    )
                )
        broken = next(audits.broken_orders(other), None)
        if broken:
            raise CopyFailed(
                tr(
                    "the history of order {broken} does not hold in {location}: {broken_2}",
                    broken=broken[0],
                    location=target.location,
                    broken_2=broken[1],
                )
            )
        orders = SQLModel.metadata.tables["orders"]
        heads = select(orders.c.id, orders.c.version, orders.c.last_hash).order_by(orders.c.id)
        with _streamed(one, heads) as ours, _streamed(other, heads) as theirs:
            for mine, copied in zip(ours, theirs, strict=True):
                if tuple(mine) != tuple(copied):
                    raise CopyFailed(
                        tr(
                            "order row {mine} has moved on since: stop what works on {location}, and copy anew",
                            mine=mine[0],
                            location=source.location,
                        )
                    )
        return _count(other, orders)


def _streamed(connection: Connection, query: Any) -> closing[Result[Any]]:
    return closing(connection.execute(query.execution_options(yield_per=BATCH)))


def _where_it_stands(source: Database, target: Database, table: Table) -> tuple[int, RowMapping | None]:
    """Return how many rows the target has, and the last of them; each must be one of the source's as it is now."""
    in_turn = select(table).order_by(*table.primary_key.columns)
    count, last = 0, None
    with source.read() as one, target.read() as other, _streamed(one, in_turn) as ours, _streamed(other, in_turn) as theirs:
        mine = ours.mappings()
        for last in theirs.mappings():
            count += 1
            if last != next(mine, None):
                raise CopyFailed(
                    tr(
                        "{location} holds other rows in {name} (an older copy?): name an empty database",
                        location=target.location,
                        name=table.name,
                    )
                )
    return count, last


def _batches(source: Database, table: Table, last: RowMapping | None, batch: int) -> Iterator[Sequence[dict[str, Any]]]:
    key = list(table.primary_key.columns)
    query = select(table).order_by(*key).limit(batch)
    while True:
        behind = query
        if last is not None:
            behind = query.where(tuple_(*key) > tuple_(*(last[column.name] for column in key)))
        with source.read() as connection:
            rows = [dict(row) for row in connection.execute(behind).mappings()]
        if not rows:
            return
        yield rows
        last = rows[-1]  # type: ignore[assignment]


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def _set_sequences(target: Database) -> None:
    """Let ids go on after those that were copied."""
    with target.write() as connection:
        dialect.at(connection).advance_sequences(connection, copied_tables())
