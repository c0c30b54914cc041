"""Batch plans: the rows of one traced step, written for all orders of a group by a few statements.

What varies from order to order is staged in a temporary table; each row that the step writes becomes one statement
that takes its symbols from there.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.schema import CreateTable
from sqlmodel.sql.sqltypes import UTCDateTime

from storage.attention import raise_flags
from storage.bulk import default_values
from storage.case_changes import EXPECTED_VERSION, INSERT_ORDER, KEYS, CaseChange, Model, RowChanges, row_changes
from storage.case_mapper import Values, order_values
from storage.cases import DROPPED, UNSENT
from storage.dialect import StorageDialect, dialect_of
from storage.notifications import notify_daemons
from storage.prepared import Prepared, execute_prepared, prepare
from storage.tables import EffectRow, OrderRow, table_of
from workflow.columns import Columns
from workflow.symbolic_case import AT, ORDER_ID
from workflow.symbols import Symbol, Trace, Untraceable, plain

MOST_COLUMNS = 24
"""Maximum number of varying columns of one plan; a step with more is written order by order."""
_STAGED = Table(
    "staged",
    MetaData(),
    Column("plan", Integer, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(f"c{number}", Text) for number in range(MOST_COLUMNS)),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
    sqlite_with_rowid=False,
)
_PLAN = bindparam("plan", None, type_=Integer)


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The statements of one step, with the columns to stage and the instants of the batch."""

    statements: tuple[Prepared, ...]
    combined: Prepared | None
    """On PostgreSQL: all statements as one with the rows as JSON; it returns how many rows each changed."""
    must_match_all: tuple[bool, ...]
    """Which statements must change one row for every order."""
    columns: tuple[Callable[[Columns], Sequence[Any]], ...]
    batch_instants: tuple[tuple[str, Symbol], ...]
    flags: tuple[str, ...]
    has_work: bool


def plan_for(change: CaseChange, trace: Trace, written_for: Dialect) -> BatchPlan:
    """Return the plan of a change that has symbols in it.

    Raises:
        Untraceable: too much of it varies from order to order.

    """
    symbol: Any = trace.symbol(ORDER_ID)
    builder = _StatementBuilder(trace, dialect_of(written_for))
    writes = row_changes([(symbol, change)])
    assert change.before is not None, "only orders that are stored have timers"
    statements = [*_changes(builder, writes, order_values(change.before)), *_additions(builder, writes)]
    statements += [(builder.drop_statement(obsolete), False) for obsolete in writes.obsolete]
    flags = tuple(flag for _, flag, _, _ in writes.flags)
    prepared, must_match_all = tuple(prepare(one, written_for) for one, _ in statements), tuple(each for _, each in statements)
    combines = dialect_of(written_for).combines_statements
    combined = _combined([one for one, _ in statements], len(builder.columns), written_for) if combines else None
    return BatchPlan(
        prepared,
        combined,
        must_match_all,
        tuple(builder.columns),
        tuple(builder.batch_instants.items()),
        flags,
        writes.has_work,
    )


def _changes(builder: "_StatementBuilder", writes: RowChanges, before: Values) -> list[tuple[Executable, bool]]:
    statements = []
    for model, rows in writes.changed.items():
        for row in rows:
            kept = before if model is OrderRow else {}
            update_statement = {name: value for name, value in row.items() if name not in kept or not _same(value, kept[name])}
            statements.append(
                (builder.update_statement(model, {**update_statement, **{name: row[name] for name in KEYS[model]}}), True)
            )
    return statements


def _additions(builder: "_StatementBuilder", writes: RowChanges) -> list[tuple[Executable, bool]]:
    return [(builder.insert_statement(model, row), True) for model in INSERT_ORDER for row in writes.added[model]]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Symbol) or isinstance(other, Symbol):
        return isinstance(one, Symbol) and one.is_same_symbol(other)
    return one is other or bool(one == other)


class _StatementBuilder:
    """Builds statements from rows with symbols, and collects what must be staged."""

    def __init__(self, trace: Trace, kind: StorageDialect) -> None:
        self._trace, self._kind = trace, kind
        self.columns: list[Callable[[Columns], Sequence[Any]]] = []
        self.batch_instants: dict[str, Symbol] = {}
        self._column_numbers: dict[Any, int] = {}

    def insert_statement(self, model: Model, row: Values) -> Executable:
        """Return the statement that adds a row for every order."""
        table = table_of(model)
        whole = {**default_values(table), **row}
        filled = {name: self._expression(table.c[name], value) for name, value in whole.items() if value is not None}
        chosen = select(*filled.values()).where(_STAGED.c.plan == _PLAN)
        return insert(table).from_select([*filled], chosen, include_defaults=False)

    def update_statement(self, model: Model, row: Values) -> Executable:
        """Return the statement that changes a row of every order."""
        table, key = table_of(model), KEYS[model]
        named = {name: value for name, value in row.items() if name not in (*key, EXPECTED_VERSION)}
        statement = update(table).where(self._is_staged(table, key, row))
        if EXPECTED_VERSION in row:
            statement = statement.where(table.c.version == row[EXPECTED_VERSION])
        return statement.values({name: self._new_value(table, key, name, value) for name, value in named.items()})

    def drop_statement(self, obsolete: Values) -> Executable:
        """Return the statement that drops obsolete effects (rule 5.7)."""
        e = table_of(EffectRow)
        theirs = e.c.order_id.in_(select(_STAGED.c.order_id).where(_STAGED.c.plan == _PLAN))
        same = (e.c.kind == obsolete["of_kind"]) & (e.c.attempt == obsolete["of_attempt"]) & (e.c.sequence < obsolete["before"])
        values = {**DROPPED, "decided_at": self._expression(e.c.decided_at, obsolete["at"])}
        return update(e).where(theirs, same, e.c.status.in_(UNSENT)).values(values)

    def _is_staged(self, table: Table, key: Sequence[str], row: Values) -> ColumnElement[bool]:
        """Return the condition for rows of the staged orders: a join on PostgreSQL, for which SQLite would scan the table."""
        rest = key[1:]
        if self._kind.joins_in_updates:
            same = (table.c[key[0]] == _STAGED.c.order_id) & (_STAGED.c.plan == _PLAN)
            for name in rest:
                same &= table.c[name] == row[name]
            return same
        chosen = select(_STAGED.c.order_id, *(literal(row[name]) for name in rest)).where(_STAGED.c.plan == _PLAN)
        named = [table.c[name] for name in key]
        return tuple_(*named).in_(chosen) if rest else named[0].in_(chosen)

    def _new_value(self, table: Table, key: Sequence[str], name: str, value: Any) -> ColumnElement[Any]:
        """Return the new value of a column."""
        made = self._expression(table.c[name], value)
        if not self._kind.joins_in_updates and self._varies(value):
            mine = (_STAGED.c.plan == _PLAN) & (_STAGED.c.order_id == table.c[key[0]])
            return select(made).where(mine).correlate(table).scalar_subquery()
        return made

    def _varies(self, value: Any) -> bool:
        return (isinstance(value, Symbol) and value.slot != AT) or (isinstance(value, str) and self._trace.is_marked(value))

    def _expression(self, column: Column[Any], value: Any) -> ColumnElement[Any]:
        """Return the SQL expression of a value: a literal, an instant of the batch, or a staged column."""
        if value is None:
            return null()
        if not isinstance(value, Symbol) and not self._varies(value):
            return literal(value, column.type)
        if isinstance(value, Symbol) and value.slot == AT:
            name = f"at{len(self.batch_instants)}"
            self.batch_instants[name] = value
            return bindparam(name, None, type_=column.type)
        if isinstance(value, Symbol) and value.slot == ORDER_ID:
            return _STAGED.c.order_id
        staged = _STAGED.c[f"c{self._column_number(column, value)}"]
        untyped = self._kind.instant_text is not None or isinstance(column.type, Text)
        return staged if untyped else cast(staged, column.type)

    def _column_number(self, column: Column[Any], value: Any) -> int:
        """Return the number of the staged column that holds a value."""
        write = self._kind.instant_text if isinstance(column.type, UTCDateTime) else None
        key = (value.slot, value.offset, write) if isinstance(value, Symbol) else value
        if key not in self._column_numbers:
            if len(self.columns) == MOST_COLUMNS:
                raise Untraceable
            self._column_numbers[key] = len(self.columns)
            self.columns.append(self._fill_column(value, write))
        return self._column_numbers[key]

    def _fill_column(self, value: Any, write: Callable[[datetime], str] | None) -> Callable[[Columns], Sequence[Any]]:
        """Return what fills a staged column: texts, instants as SQLite stores them, or plain values."""
        if not isinstance(value, Symbol):
            text = self._trace.text(value)
            return lambda columns: columns.texts(text)
        slot, offset = value.slot, value.offset
        if write is None:
            return lambda columns: columns.of(slot, offset)
        if offset is None and isinstance(slot, int):
            return lambda columns: columns.stored(slot)
        return lambda columns: columns.written(slot, offset, write)


def _with_offset(at: datetime, offset: Any) -> datetime:
    moved: datetime = at if offset is None else at + offset
    return moved


TEMPORARY_TABLE_FROM_ORDERS = 200
"""From this many orders on, PostgreSQL gets rows by COPY into a temporary table; fewer travel as JSON in one statement."""


class Staging:
    """Executes batch plans within one transaction, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._plans, self._create_staged = connection, 0, False
        self._kind = dialect_of(connection.dialect)

    def execute(self, plan: BatchPlan, columns: Columns, at: datetime) -> None:
        """Write the rows of a step for all orders of the columns."""
        self._plans += 1
        ids = columns.stored(ORDER_ID)
        staged = [ids, *(column(columns) for column in plan.columns)]
        shared = {"plan": self._plans, **{name: _with_offset(at, symbol.offset) for name, symbol in plan.batch_instants}}
        if plan.combined is None or columns.count >= TEMPORARY_TABLE_FROM_ORDERS:
            self._stage(staged)
            changed = [cursor.rowcount for cursor in execute_prepared(self._connection, plan.statements, shared)]
        else:
            names = _names(len(staged))
            rows = [dict(zip(names, row, strict=True)) for row in zip(*staged, strict=True)]
            along = json.dumps(rows, default=plain)
            (cursor,) = execute_prepared(self._connection, [plan.combined], {**shared, "rows": along})
            (changed,) = cursor.fetchall()
        held = all(count == columns.count for count, each in zip(changed, plan.must_match_all, strict=True) if each)
        assert held, "an order was moved while it was locked"
        if plan.flags:
            raise_flags(self._connection, [(key, flag, at, None) for key in ids for flag in plan.flags])
        if plan.has_work:
            notify_daemons(self._connection)

    def _stage(self, columns: Sequence[Sequence[Any]]) -> None:
        if not self._create_staged:
            execute_prepared(self._connection, [_create_staged(self._connection.dialect)], {})
            self._create_staged = True
        rows = zip([self._plans] * len(columns[0]), *columns, strict=True)
        self._kind.copy_rows(self._connection, _STAGED, ("plan", *_names(len(columns))), rows)

    def clear(self) -> None:
        """Empty the temporary table; PostgreSQL empties it at the end of the transaction."""
        self._kind.end_of_staging(self._connection, _STAGED)


@lru_cache
def _create_staged(written_for: Dialect) -> Prepared:
    return prepare(CreateTable(_STAGED, if_not_exists=True), written_for)


def _names(count: int) -> list[str]:
    return ["order_id", *(f"c{number}" for number in range(count - 1))]


def _combined(statements: Sequence[Any], columns: int, written_for: Dialect) -> Prepared:
    """Combine PostgreSQL statements into one that carries the staged rows as JSON."""
    parts = [one.returning(literal_column("1")).cte(f"part{number}") for number, one in enumerate(statements)]
    counted = prepare(select(*(select(func.count()).select_from(part).scalar_subquery() for part in parts)), written_for)
    typed = ", ".join(f"{name} {'bigint' if name == 'order_id' else 'text'}" for name in _names(1 + columns))
    come = f"SELECT CAST(%(plan)s AS int) AS plan, come.* FROM json_to_recordset(CAST(%(rows)s AS json)) AS come ({typed})"  # noqa: S608
    return replace(counted, sql=f"WITH staged AS ({come}), {counted.sql.removeprefix('WITH ')}")
