"""Read-only questions, answered as plain rows for people and for --json."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, or_, select
from sqlmodel import SQLModel, col

from language import tr
from storage import case_mapper, cases, chains
from storage.case_reader import StoredCase
from storage.chunks import chunked
from storage.tables import (
    AttemptRow,
    AttentionRow,
    DecisionRow,
    EffectRow,
    HistoryTableRow,
    LineRow,
    MemberRow,
    MessageRow,
    OrderRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.case.case import Order, Report
from workflow.case.history import HistoryRow
from workflow.errors import UnknownOrder
from workflow.vocabulary import Verdict

Found = dict[str, Any]


def resolve_id(connection: Connection, identity: str) -> int:
    """Return the row id of an order named NUMBER or SHOP/NUMBER; a # before the number may be left out, or added.

    Raises:
        UnknownOrder: there is none, or the number is used by several shops.

    """
    rows = _named(connection, identity, lambda number: [number])
    whole = [row for row in rows if f"{row.shop}/{row.number}".lower() == identity.lower()]
    rows = whole if len(whole) == 1 else rows  # a number of another shop may look like the name of this order
    rows = rows or _named(connection, identity, lambda number: [number.removeprefix("#"), f"#{number}"])
    rows = rows or _written_otherwise(connection, identity)
    if not rows:
        near = get_close_matches(identity.rpartition("/")[2], _numbers_like(connection, identity), n=3, cutoff=0.6)
        listed = tr("did you mean {near}?", near=" or ".join(near)) if near else tr("`aftersales orders` lists them")
        raise UnknownOrder(tr("there is no order {identity!r}: {listed}", identity=identity, listed=listed))
    if len(rows) > 1:
        names = ", ".join(f"{row.shop}/{row.number}" for row in rows)
        raise UnknownOrder(
            tr("{identity!r} is the number of several orders: name one of {names}", identity=identity, names=names)
        )
    return int(rows[0].id)


def shops(connection: Connection) -> list[str]:
    """Return the names of all shops, by jumping from one to the next in the index, however many orders they have."""
    o = table_of(OrderRow)
    name = select(func.min(o.c.shop).label("name")).cte("names", recursive=True)
    following = select(func.min(o.c.shop)).where(o.c.shop > name.c.name).scalar_subquery()
    name = name.union_all(select(following).where(name.c.name.is_not(None)))
    return [*connection.execute(select(name.c.name).where(name.c.name.is_not(None))).scalars()]


def suppliers(connection: Connection) -> list[str]:
    """Return the names of all suppliers that orders have turned to, as they are written."""
    name = table_of(AttemptRow).c.supplier
    return [*connection.execute(select(name).where(name.is_not(None)).distinct()).scalars()]


def named(connection: Connection, number: str) -> list[str]:
    """Return the orders with a number, as SHOP/NUMBER, of whichever shop."""
    o = table_of(OrderRow)
    found = connection.execute(select(o.c.shop, o.c.number).where(o.c.number == number).order_by(o.c.shop))
    return [f"{row.shop}/{row.number}" for row in found]


def _named(connection: Connection, identity: str, ways: Callable[[str], list[str]]) -> Sequence[Any]:
    """Return id, shop and number of the orders with a name, whose number may be written in several ways."""
    o = table_of(OrderRow)
    shop, slash, number = identity.partition("/")
    same: ColumnElement[bool] = o.c.number.in_(ways(identity))
    if slash:
        same = or_(same, (func.lower(o.c.shop) == shop.lower()) & o.c.number.in_(ways(number)))
    return connection.execute(select(o.c.id, o.c.shop, o.c.number).where(same)).all()


def _written_otherwise(connection: Connection, identity: str) -> Sequence[Any]:
    """Return id, shop and number of the orders whose number is that one in other letters, small or large."""
    o = table_of(OrderRow)
    whole, number = func.lower(o.c.number), identity.lower()
    shop, slash, rest = number.partition("/")
    same: ColumnElement[bool] = whole == number
    if slash:
        same = or_(same, (func.lower(o.c.shop) == shop) & (whole == rest))
    return connection.execute(select(o.c.id, o.c.shop, o.c.number).where(same)).all()


def _numbers_like(connection: Connection, identity: str) -> list[str]:
    """Return some numbers of orders that begin as a mistyped one does, or as it would with or without a #."""
    o, number = table_of(OrderRow), identity.rpartition("/")[2].removeprefix("#")
    begin = number[: max(1, len(number) - 2)]
    ways = (o.c.number.between(way, f"{way}\U0010ffff") for way in (begin, f"#{begin}"))
    return [*connection.execute(select(o.c.number).where(or_(*ways)).order_by(o.c.number).limit(NEAR_AT_MOST)).scalars()]


NEAR_AT_MOST = 200
"""Numbers that are looked through for one that is near."""


def order_of(connection: Connection, identity: str) -> Order:
    """Return what was ordered, by an order's name.

    Raises:
        UnknownOrder: no order, or more than one, has that name.

    """
    chosen = select(table_of(OrderRow)).where(col(OrderRow.id) == resolve_id(connection, identity))
    return case_mapper.read_order(connection.execute(chosen).mappings().one())


def stored_case(connection: Connection, identity: str, *, with_chain: bool = False) -> StoredCase:
    """Return the case of one order by its name; on wish one that knows what its chain of replacements has had."""
    order_id = resolve_id(connection, identity)
    stored = cases.load(connection, [order_id], lock=False)[order_id]
    chain = chains.of(stored.case, chains.load(connection, [stored.case], lock=False)) if with_chain else None
    return replace(stored, case=chain.within(stored.case)) if chain else stored


def count_orders(connection: Connection) -> int:
    """Return how many orders there are."""
    return connection.execute(select(func.count()).select_from(table_of(OrderRow))).scalar() or 0


def order_ids(connection: Connection) -> list[int]:
    """Return the row ids of all orders."""
    return [*connection.execute(select(table_of(OrderRow).c.id).order_by(table_of(OrderRow).c.id)).scalars()]


def history(connection: Connection, order_id: int) -> list[HistoryRow]:
    """Return an order's history, oldest first."""
    t = table_of(HistoryTableRow)
    rows = connection.execute(select(t).where(t.c.order_id == order_id).order_by(t.c.sequence)).mappings()
    return [case_mapper.read_history(row) for row in rows]


def timers(connection: Connection, order_id: int) -> list[Found]:
    """Return an order's timers, whatever their status, in due order."""
    query = _with_order(TimerRow, order_id).order_by(col(TimerRow.due_at), col(TimerRow.number))
    return [_plain(row) for row in connection.execute(query).mappings()]


def effects(connection: Connection, order_id: int) -> list[Found]:
    """Return an order's effects, newest first."""
    query = _with_order(EffectRow, order_id).add_columns(col(OrderRow.currency))
    return [dict(row) for row in connection.execute(query.order_by(col(EffectRow.id).desc())).mappings()]


def effects_by_id(connection: Connection, ids: Sequence[int]) -> list[RowMapping]:
    """Return effects by their ids."""
    query = _with_order(EffectRow, None).add_columns(col(OrderRow.currency)).order_by(col(EffectRow.id))
    return [row for some in chunked(ids) for row in connection.execute(query.where(col(EffectRow.id).in_(some))).mappings()]


def messages_of(connection: Connection, effect_id: int) -> list[Found]:
    """List the messages that carry an effect."""
    m, member = table_of(MessageRow), table_of(MemberRow)
    query = select(m).join(member, member.c.message_id == m.c.id).where(member.c.effect_id == effect_id).order_by(m.c.id)
    return [_plain(row) for row in connection.execute(query).mappings()]


def messages(connection: Connection, order_id: int) -> list[Found]:
    """List the messages that speak about an order."""
    m = table_of(MessageRow)
    mine = (
        select(col(MemberRow.message_id))
        .join(EffectRow, col(EffectRow.id) == col(MemberRow.effect_id))
        .where(col(EffectRow.order_id) == order_id)
    )
    return [_plain(row) for row in connection.execute(select(m).where(m.c.id.in_(mine)).order_by(m.c.id)).mappings()]


def reports(connection: Connection, order_id: int, verdict: Verdict | None = None) -> list[Found]:
    """Return an order's reports as they came; with a verdict only the unresolved ones that have it."""
    query = _with_order(ReportRow, order_id)
    if verdict:
        query = query.where(col(ReportRow.verdict) == verdict, col(ReportRow.resolved_at).is_(None))
    return [_plain(row) for row in connection.execute(query.order_by(col(ReportRow.id))).mappings()]


def report_of(row: Found) -> Report:
    """Return a stored report as it came."""
    names = ("trigger", "source", "key", "actor", "fields", "nth", "id")
    return Report(at=row["occurred"], **{name: row[name] for name in names})


def attention(connection: Connection, order_id: int) -> list[Found]:
    """Return the flags that stand on an order."""
    query = _with_order(AttentionRow, order_id).where(col(AttentionRow.resolved_at).is_(None))
    return [_plain(row) for row in connection.execute(query.order_by(col(AttentionRow.id))).mappings()]


def lines(connection: Connection, order_id: int) -> list[Found]:
    """Return an order's lines."""
    t = table_of(LineRow)
    return [_plain(row) for row in connection.execute(select(t).where(t.c.order_id == order_id)).mappings()]


def family(connection: Connection, order_id: int) -> list[Found]:
    """Return the orders that share this one's group, itself left out."""
    t = table_of(OrderRow)
    mine = select(t.c.group).where(t.c.id == order_id).scalar_subquery()
    same = (t.c.group == mine) & (t.c.id != order_id)
    return [_plain(row) for row in connection.execute(select(t.c.shop, t.c.number, t.c.state).where(same)).mappings()]


def replacements(connection: Connection, order_id: int) -> list[int]:
    """Return the orders that replace an order."""
    o, replaced = table_of(OrderRow), table_of(OrderRow).alias("replaced")
    joined = select(o.c.id).join(replaced, (replaced.c.shop == o.c.shop) & (replaced.c.number == o.c.replaces))
    return [*connection.execute(joined.where(replaced.c.id == order_id).order_by(o.c.id)).scalars()]


def relatives(connection: Connection, order_id: int) -> list[Found]:
    """Return the orders of one chain of replacements, the first one first; itself alone where it has no chain."""
    o = table_of(OrderRow)
    mine = connection.execute(select(o.c.shop, o.c.number, o.c.chain).where(o.c.id == order_id)).one()
    same = chains.members(mine.shop, mine.number, mine.chain)
    columns = (o.c.shop, o.c.number, o.c.state, o.c.generation, o.c.replaces)
    return [_plain(row) for row in connection.execute(select(*columns).where(same).order_by(o.c.generation, o.c.id)).mappings()]


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Count orders by state, timers, effects and messages by status, and what waits for a person."""
    by = {
        "orders": col(OrderRow.state),
        "timers": col(TimerRow.status),
        "effects": col(EffectRow.status),
        "messages": col(MessageRow.status),
        "reports": col(ReportRow.verdict),
        "decisions": col(DecisionRow.status),
    }
    counted = {name: _count_by(connection, column) for name, column in by.items()}
    waiting = select(col(AttentionRow.flag), func.count()).where(col(AttentionRow.resolved_at).is_(None))
    counted["attention"] = {str(flag): int(n) for flag, n in connection.execute(waiting.group_by(col(AttentionRow.flag)))}
    return counted


def _count_by(connection: Connection, column: Any) -> dict[str, int]:
    counted = select(column, func.count()).group_by(column).order_by(column)
    return {str(value): int(n) for value, n in connection.execute(counted)}


def _with_order(model: type[SQLModel], order_id: int | None) -> Select[Any]:
    t, o = table_of(model), table_of(OrderRow)
    query = select(t, (o.c.shop + "/" + o.c.number).label("order")).join(o, o.c.id == t.c.order_id)
    return query if order_id is None else query.where(t.c.order_id == order_id)


def _plain(row: RowMapping) -> Found:
    found = dict(row)
    for name in ("details", "fields", "pieces", "evidence"):
        if name in found:
            found[name] = json.loads(found[name])
    return found


def history_page(
    connection: Connection, after: int, orders: int, order_id: int | None = None
) -> tuple[list[Found], int | None]:
    """Return the history of the next orders behind a row id, oldest first, and the last id; None where there are no more."""
    h, o = table_of(HistoryTableRow), table_of(OrderRow)
    ids = select(o.c.id).where(o.c.id > after).order_by(o.c.id).limit(orders)
    page = [*connection.execute(ids if order_id is None else ids.where(o.c.id == order_id)).scalars()]
    if not page:
        return [], None
    query = select(h, (o.c.shop + "/" + o.c.number).label("order")).join(o, o.c.id == h.c.order_id)
    rows = connection.execute(query.where(o.c.id.in_(page)).order_by(h.c.order_id, h.c.sequence)).mappings()
    return [dict(row) for row in rows], page[-1]
