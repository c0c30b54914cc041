"""How suppliers have done with what they were given: the figures that the choice of the next one stands on (rule 2.20)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from storage import dialect
from storage.lists import EVERYTHING, Filter
from storage.money import asked_by
from storage.tables import AttemptRow, ClaimRow, LedgerTableRow, OrderRow, TimerRow, table_of
from workflow.catalogue import Record
from workflow.names import folded
from workflow.process import LEAVE_A_SUPPLIER
from workflow.vocabulary import ClaimStatus, LedgerSide, LedgerStatus


def records(connection: Connection, since: datetime, until: datetime) -> dict[str, Record]:
    """Return how suppliers had done by `until` with what they were given since `since`, by their folded names (rule 2.20).

    What was not due yet does not count, nor do historical orders, whose suppliers nobody urges.
    """
    a, told = table_of(AttemptRow), _Told(connection, since, until, until)
    columns = (a.c.supplier, func.sum(told.due), func.sum(told.on_time), func.sum(told.left))
    query = told.select(columns, EVERYTHING).where(a.c.supplier.is_not(None)).group_by(a.c.supplier)
    found: dict[str, Record] = {}
    for supplier, orders, on_time, left in connection.execute(query):
        was = found.get(folded(supplier), Record(0, 0, 0))
        found[folded(supplier)] = Record(was.orders + int(orders), was.on_time + int(on_time), was.left + int(left))
    return {name: record for name, record in found.items() if record.orders}


def scores(connection: Connection, bounds: Sequence[datetime], at: datetime, wanted: Filter) -> list[RowMapping]:
    """Return what had become by `at` of what suppliers were given, by supplier and period.

    `bounds` are the instants at which periods begin, and the last one ends; `period` counts from 0.
    """
    a, o, c = table_of(AttemptRow), table_of(OrderRow), table_of(ClaimRow)
    told = _Told(connection, bounds[0], bounds[-1], at)
    claimed = select(c.c.order_id).where(c.c.status != ClaimStatus.withdrawn).distinct().subquery("claimed")
    is_claimed = _one_if(and_(claimed.c.order_id.is_not(None), a.c.number == o.c.current))
    columns: tuple[ColumnElement[Any], ...] = (
        func.count().label("attempts"),
        func.sum(told.due).label("due"),
        func.sum(told.on_time).label("on_time"),
        func.sum(told.shipped).label("shipped"),
        func.sum(told.seconds_to_ship).label("seconds_to_ship"),
        func.sum(told.urged).label("urged"),
        func.sum(told.left).label("left"),
        func.sum(told.no_stock).label("no_stock"),
        func.sum(is_claimed).label("claims"),
    )
    by = (a.c.supplier.label("supplier"), _period(a.c.placed_at, bounds).label("period"))
    query = told.select((*by, *columns), wanted).outerjoin(claimed, claimed.c.order_id == o.c.id).group_by(*by)
    return [*connection.execute(query).mappings()]


def money_back(connection: Connection, bounds: Sequence[datetime], wanted: Filter) -> list[RowMapping]:
    """Return what suppliers were asked to pay back of what they were given, by supplier, period and currency.

    Sums are in minor units; `unknown` counts the rows without a sum, `seconds` is how long those took that are `settled`.
    """
    a, r = table_of(AttemptRow), table_of(LedgerTableRow)
    amount, came = func.coalesce(r.c.amount, 0), func.coalesce(r.c.settled_amount, 0)
    is_settled = r.c.status == LedgerStatus.settled
    took = dialect.at(connection).seconds_between(r.c.requested_at, r.c.decided_at)
    columns: tuple[ColumnElement[Any], ...] = (
        func.count(r.c.order_id.distinct()).label("orders"),
        func.sum(amount).label("amount"),
        func.sum(came).label("back"),
        func.sum(case((r.c.status == LedgerStatus.declined, amount), else_=0)).label("declined"),
        func.sum(case((r.c.status == LedgerStatus.requested, amount - came), else_=0)).label("open"),
        func.sum(_one_if(r.c.amount.is_(None) & r.c.settled_amount.is_(None))).label("unknown"),
        func.sum(_one_if(is_settled)).label("settled"),
        func.sum(case((is_settled, took), else_=0)).label("seconds"),
    )
    by = (a.c.supplier.label("supplier"), _period(a.c.placed_at, bounds).label("period"), r.c.currency)
    query = _of_attempts(select(*by, *columns), bounds[0], bounds[-1], wanted)
    query = query.join(r, and_(r.c.order_id == a.c.order_id, r.c.attempt == a.c.number))
    is_owed = r.c.status.in_([LedgerStatus.requested, LedgerStatus.settled, LedgerStatus.declined])
    query = query.where(r.c.side == LedgerSide.recovery, is_owed).group_by(*by)
    return [*connection.execute(query).mappings()]


class _Told:
    """What had become by an instant of each attempt that was placed within a period, as columns: 1 where it is so, else 0."""

    def __init__(self, connection: Connection, since: datetime, until: datetime, at: datetime) -> None:
        a = table_of(AttemptRow)
        self._since, self._until = since, until
        self._left = left = _left(since, until, at)
        is_left, shipped, urged = left.c.order_id.is_not(None), a.c.shipped_at < at, a.c.urged_at < at
        self.due = _one_if(or_(shipped, urged, is_left))
        in_time = a.c.shipped_at <= func.coalesce(_urged_by(), a.c.shipped_at)
        self.on_time = _one_if(and_(shipped, or_(a.c.urged_at.is_(None), ~urged), ~is_left, in_time))
        self.shipped, self.urged, self.left = _one_if(shipped), _one_if(urged), _one_if(is_left)
        self.no_stock = func.coalesce(left.c.no_stock, 0)
        took = dialect.at(connection).seconds_between(a.c.placed_at, a.c.shipped_at)
        self.seconds_to_ship = case((shipped, took), else_=0)

    def select(self, columns: Sequence[ColumnElement[Any]], wanted: Filter) -> Select[Any]:
        """Select columns of the attempts, of what they are in all, or both."""
        a, left = table_of(AttemptRow), self._left
        query = _of_attempts(select(*columns), self._since, self._until, wanted)
        return query.outerjoin(left, and_(left.c.order_id == a.c.order_id, left.c.attempt == a.c.number))


def _left(since: datetime, until: datetime, at: datetime) -> Subquery:
    """Select the attempts that were left or given up because of their supplier: the money for them was asked for."""
    a, r = table_of(AttemptRow), table_of(LedgerTableRow)
    trigger = asked_by()
    is_refund = and_(r.c.side == LedgerSide.refund, r.c.status != LedgerStatus.withdrawn, trigger.in_(LEAVE_A_SUPPLIER))
    query = select(r.c.order_id, r.c.attempt, func.max(_one_if(trigger == "report_no_stock")).label("no_stock"))
    query = query.join(a, and_(a.c.order_id == r.c.order_id, a.c.number == r.c.attempt))
    query = query.where(a.c.placed_at >= since, a.c.placed_at < until, r.c.requested_at < at)
    query = query.where(r.c.claim.is_(None), r.c.corrects.is_(None), r.c.status != LedgerStatus.undone)
    query = query.where(or_(r.c.side == LedgerSide.recovery, is_refund))
    return query.group_by(r.c.order_id, r.c.attempt).subquery("left_attempts")


def _urged_by() -> ScalarSelect[Any]:
    """Select when an attempt's supplier was to be urged last: an order that came in as shipped was never urged."""
    a, t = table_of(AttemptRow), table_of(TimerRow)
    query = select(func.max(t.c.due_at)).where(t.c.order_id == a.c.order_id, t.c.trigger == "urge")
    return query.where(t.c.counts_from >= a.c.placed_at).correlate(a).scalar_subquery()


def _of_attempts(query: Select[Any], since: datetime, until: datetime, wanted: Filter) -> Select[Any]:
    """Select of the attempts that were placed within a period; those of historical orders do not count."""
    a, o = table_of(AttemptRow), table_of(OrderRow)
    query = query.select_from(a).join(o, o.c.id == a.c.order_id)
    query = query.where(~o.c.historical, a.c.placed_at >= since, a.c.placed_at < until)
    if wanted.shops:
        query = query.where(func.lower(o.c.shop).in_([name.lower() for name in wanted.shops]))
    return query.where(a.c.supplier.in_(wanted.suppliers)) if wanted.suppliers else query


def _period(placed_at: Any, bounds: Sequence[datetime]) -> ColumnElement[Any]:
    """Return the number of the period within which an instant lies."""
    if len(bounds) == 2:
        return literal(0)
    return case(*((placed_at < end, number) for number, end in enumerate(bounds[1:-1])), else_=len(bounds) - 2)


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)
