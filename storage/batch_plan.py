"""Batch plans: the rows of one traced step, for all orders of a group.

Each row that the step writes becomes a set of rows, one for each order: what is the same for all orders stays a
constant, and what varies becomes a column.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.types import TypeEngine
from sqlmodel.sql.sqltypes import UTCDateTime

from storage import dialect
from storage.attention import raise_flags
from storage.case_changes import CaseChange, row_changes
from storage.notifications import notify_daemons
from storage.row_sets import Constant, Operation, RowSet, Shape, Values, WriteInstant, column_of, default_values
from storage.staging import MOST_COLUMNS
from storage.symbolic_case import ORDER_ID
from storage.tables import AsciiText
from tracing.expressions import Columns, Expression, Mapped, Slot
from tracing.symbols import Symbol, Trace, Untraceable

Fill = Callable[[Columns], Values]
"""Returns the values of a column for all orders."""


@dataclass(frozen=True, slots=True)
class PlannedRows:
    """Rows of one table; each value is a constant or the number of one of the plan's columns."""

    shape: Shape
    values: tuple[Constant | int, ...]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The rows of one step, and how its columns are filled."""

    rows: tuple[PlannedRows, ...]
    columns: tuple[Fill, ...]
    flags: tuple[str, ...]
    has_work: bool

    def write(self, connection: Connection, orders: Columns, at: datetime) -> None:
        """Write the rows of the step for all orders, which are locked."""
        filled = [fill(orders) for fill in self.columns]
        sets = [RowSet(one.shape, tuple(filled[v] if isinstance(v, int) else v for v in one.values)) for one in self.rows]
        written = dialect.at(connection).write(connection, sets)
        held = all(count == orders.count for count, one in zip(written, sets, strict=True) if one.shape.must_match)
        assert held, "an order was moved while it was locked"
        if self.flags:
            raise_flags(connection, [(key, flag, at, None) for key in orders.stored(ORDER_ID) for flag in self.flags])
        if self.has_work:
            notify_daemons(connection)


def plan_for(change: CaseChange, trace: Trace, written_for: Dialect) -> BatchPlan:
    """Return the plan of a change that has symbols in it.

    Raises:
        Untraceable: too much of it varies from order to order.

    """
    symbol: Any = trace.symbol(ORDER_ID)
    columns, writes = _PlanColumns(trace, dialect.dialect_of(written_for).instant_text), row_changes([(symbol, change)])
    rows = [columns.planned(operation, table, row) for operation, table, some in writes.in_order() for row in some]
    return BatchPlan(tuple(rows), tuple(columns.fills), tuple(flag for _, flag, _, _ in writes.flags), writes.has_work)


class _PlanColumns:
    """Turns rows with symbols into planned rows, and collects what has to be computed for them."""

    def __init__(self, trace: Trace, write: WriteInstant | None) -> None:
        self._trace, self._write = trace, write
        self._numbers: dict[Any, int] = {}
        self.fills: list[Fill] = []

    def planned(self, operation: Operation, table: Table, row: dict[str, Any]) -> PlannedRows:
        """Return the rows that stand for one row with symbols."""
        if operation is Operation.add:
            given = {name: value for name, value in row.items() if value is not None}
            row = {**given, **default_values(table, tuple(row))}
        columns = ((column_of(table, name), value) for name, value in row.items())
        values = (self._value(value, column.type) for column, value in columns)
        return PlannedRows(Shape(operation, table, tuple(row)), tuple(values))

    def _value(self, value: Any, kind: TypeEngine[Any]) -> Constant | int:
        write = self._write if isinstance(kind, UTCDateTime) else None
        if isinstance(value, Symbol):
            return self._number(_Fill(value.expression, write))
        if self._trace.is_marked(value):
            return self._number(_Fill(self._trace.text(value, ascii_only=isinstance(kind, AsciiText)), None))
        return Constant(write(value) if write and value is not None else value)

    def _number(self, fill: "_Fill") -> int:
        if fill not in self._numbers:
            if len(self.fills) == MOST_COLUMNS:
                raise Untraceable
            self._numbers[fill] = len(self.fills)
            self.fills.append(fill)
        return self._numbers[fill]


@dataclass(frozen=True, slots=True)
class _Fill:
    """Computes the values of a column as they are stored."""

    expression: Expression
    write: WriteInstant | None

    def __call__(self, orders: Columns) -> Values:
        """Return the values for all orders, or one that they share."""
        if isinstance(self.expression, Slot) and self.write:
            return orders.stored(self.expression.number)
        written = Mapped(self.write, (self.expression,)) if self.write else self.expression
        values = orders.of(written)
        return Constant(values[0]) if written.is_uniform else values
