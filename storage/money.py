"""The money that is owed and that was lost, summed up by currency; sums of two currencies are never added."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, String, case, cast, func, literal, select

from storage.lists import Filter, named
from storage.tables import AttemptRow, ClaimRow, HistoryTableRow, LedgerTableRow, OrderRow, table_of
from workflow.vocabulary import LedgerSide, LedgerStatus


def outstanding(connection: Connection, young: datetime, old: datetime, wanted: Filter) -> list[RowMapping]:
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
    return _by_party(connection, columns, ledger.c.status == LedgerStatus.requested, wanted)


def lost(connection: Connection, since: datetime, wanted: Filter) -> list[RowMapping]:
    """Return what was declined since an instant, by shop, party, currency and cause, the largest sum of a currency first.

    `claim` is the kind of the claim that it was asked for, `trigger` of the step that asked for it.
    """
    ledger, c = table_of(LedgerTableRow), table_of(ClaimRow)
    columns = (
        func.count().label("count"),
        func.sum(ledger.c.amount).label("amount"),
        func.sum(case((ledger.c.amount.is_(None), 1), else_=0)).label("unknown"),
    )
    declined = (ledger.c.status == LedgerStatus.declined) & (ledger.c.decided_at >= since)
    kind = select(c.c.kind).where(c.c.order_id == ledger.c.order_id, c.c.number == ledger.c.claim).scalar_subquery()
    return _by_party(connection, columns, declined, wanted, kind.label("claim"), asked_by().label("trigger"))


def asked_by() -> ColumnElement[str | None]:
    """Select the trigger of the step that wrote a ledger row: of its instant, and with that row among what it wrote."""
    ledger, h = table_of(LedgerTableRow), table_of(HistoryTableRow)
    added = literal('%"ledger":{%"') + cast(ledger.c.number, String) + literal('":[%')
    wrote = h.c.wrote.is_(None) | h.c.wrote.like(added)  # an older program sealed nothing
    found = select(h.c.trigger).where(h.c.order_id == ledger.c.order_id, h.c.occurred == ledger.c.requested_at, wrote)
    return found.order_by(h.c.sequence.desc()).limit(1).scalar_subquery()


def _by_party(connection: Connection, columns: Any, which: Any, wanted: Filter, *also: ColumnElement[Any]) -> list[RowMapping]:
    """Sum up ledger rows by the shop of their order, the side, of recoveries the supplier, and what else is named.

    `wanted` names shops and suppliers.
    """
    ledger, o, a = table_of(LedgerTableRow), table_of(OrderRow), table_of(AttemptRow)
    supplier = case((ledger.c.side == LedgerSide.recovery, a.c.supplier), else_=None)
    by = (o.c.shop, ledger.c.side, supplier.label("supplier"), ledger.c.currency, *also)
    query: Select[Any] = select(*by, *columns).select_from(ledger).join(o, o.c.id == ledger.c.order_id)
    query = query.outerjoin(a, (a.c.order_id == ledger.c.order_id) & (a.c.number == ledger.c.attempt)).where(which)
    if wanted.shops:
        query = query.where(func.lower(o.c.shop).in_([name.lower() for name in wanted.shops]))
    if wanted.suppliers:
        query = query.where(ledger.c.side == LedgerSide.recovery, named(a.c.supplier, wanted.suppliers))
    amount = func.sum(ledger.c.amount)
    return [*connection.execute(query.group_by(*by).order_by(ledger.c.currency, amount.desc(), o.c.shop)).mappings()]
