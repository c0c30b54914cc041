"""The money that is owed and that was lost, summed up by currency; sums of two currencies are never added."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, case, func, select

from storage.tables import AttemptRow, LedgerTableRow, OrderRow, table_of
from workflow.vocabulary import LedgerSide, LedgerStatus


def outstanding(connection: Connection, young: datetime, old: datetime, shops: list[str]) -> list[RowMapping]:
    """Return what is asked for and has not come, by shop, party and currency, the largest sum of a currency first.

    `younger` is what was asked for after `young`, `older` what was before `old`, each in minor units; `unknown` counts the
    rows whose sum is not known.
    """
    ledger = table_of(LedgerTableRow)
    missing = ledger.c.amount - func.coalesce(ledger.c.settled_amount, 0)
    columns = (
        func.count().label("count"),
        func.sum(missing).label("amount"),
        func.sum(case((ledger.c.requested_at > young, missing), else_=0)).label("younger"),
        func.sum(case((ledger.c.requested_at <= old, missing), else_=0)).label("older"),
        func.sum(case((ledger.c.amount.is_(None), 1), else_=0)).label("unknown"),
        func.min(ledger.c.requested_at).label("since"),
    )
    return _by_party(connection, columns, ledger.c.status == LedgerStatus.requested, shops)


def lost(connection: Connection, since: datetime, shops: list[str]) -> list[RowMapping]:
    """Return what was declined since an instant, by shop, party and currency, the largest sum of a currency first."""
    ledger = table_of(LedgerTableRow)
    columns = (
        func.count().label("count"),
        func.sum(ledger.c.amount).label("amount"),
        func.sum(case((ledger.c.amount.is_(None), 1), else_=0)).label("unknown"),
    )
    declined = (ledger.c.status == LedgerStatus.declined) & (ledger.c.decided_at >= since)
    return _by_party(connection, columns, declined, shops)


def _by_party(connection: Connection, columns: Any, which: Any, shops: list[str]) -> list[RowMapping]:
    """Sum up ledger rows by the shop of their order, the side, and of recoveries the supplier."""
    ledger, o, a = table_of(LedgerTableRow), table_of(OrderRow), table_of(AttemptRow)
    supplier = case((ledger.c.side == LedgerSide.recovery, a.c.supplier), else_=None)
    by = (o.c.shop, ledger.c.side, supplier.label("supplier"), ledger.c.currency)
    query: Select[Any] = select(*by, *columns).select_from(ledger).join(o, o.c.id == ledger.c.order_id)
    query = query.outerjoin(a, (a.c.order_id == ledger.c.order_id) & (a.c.number == ledger.c.attempt)).where(which)
    query = query.where(func.lower(o.c.shop).in_(shops)) if shops else query
    amount = func.sum(ledger.c.amount)
    return [*connection.execute(query.group_by(*by).order_by(ledger.c.currency, amount.desc(), o.c.shop)).mappings()]
