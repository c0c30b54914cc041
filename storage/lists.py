"""Lists of orders, timers, effects, claims and exceptions, page by page.

A page ends with a cursor: the keys of its last row, from which the next page goes on. No row is passed over or shown
twice where keys do not change in between, and no list ends at a limit without a cursor.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, case, func, literal, literal_column, or_, select
from sqlmodel.sql.sqltypes import UTCDateTime

from language import tr
from storage import queries
from storage.tables import (
    AttemptRow,
    AttentionRow,
    ClaimRow,
    DecisionRow,
    EffectRow,
    OrderRow,
    ParcelRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.errors import UsageError
from workflow.names import folded
from workflow.suggestions import did_you_mean
from workflow.vocabulary import TimerStatus, Verdict

Row = TypeVar("Row")
NO_DEADLINE = datetime(9999, 12, 31, tzinfo=UTC)
"""Sorts what has no deadline behind everything that has one."""
COUNTED_AT_MOST = 10_000
"""Counts that people see stop here: an exact one would read the whole table."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of a list are wanted; what is None or empty does not matter.

    `since` is compared with the instant that the list is about: when an order entered its state, a timer is due, an
    effect was caused, a claim was opened, a report came in.
    """

    order_id: int | None = None
    shops: Sequence[str] = ()
    suppliers: Sequence[str] = ()
    states: Sequence[str] = ()
    since: datetime | None = None
    due_before: datetime | None = None
    text: str | None = None
    tracking_numbers: Sequence[str] = ()
    attention: bool = False
    statuses: Sequence[str] = ()
    kinds: Sequence[str] = ()
    """Of a timer its clock, of an effect its kind, of a decision its trigger."""
    awake_at: datetime | None = None
    """Only decisions that do not sleep at this instant."""


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; `next` is the cursor of the next page, None at the end of the list."""

    rows: Sequence[Row]
    next: str | None


Rows = Page[RowMapping]


def orders(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List orders with their current supplier, those with the nearest deadline first."""
    o, a = table_of(OrderRow), table_of(AttemptRow)
    columns = (o.c.shop, o.c.number, o.c.state, o.c.since, a.c.supplier, o.c.route)
    next_due, flags = _next_due(), _flags()
    said = next_due.label("next_due"), _decision(wanted).label("decision"), flags.label("attention")
    query = _joined(select(*columns, *said).select_from(o), wanted)
    query = query.where(o.c.since >= wanted.since) if wanted.since else query
    query = query.where(next_due <= wanted.due_before) if wanted.due_before else query
    keys = (func.coalesce(next_due, literal(NO_DEADLINE, UTCDateTime())), o.c.id)
    return _page(connection, query, keys, limit, after)


def timers(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List timers in due order, paused ones last."""
    t = table_of(TimerRow)
    paused_last = case((t.c.status == TimerStatus.paused, 1), else_=0)
    query = _timers(_of_orders(t, wanted), wanted)
    return _page(connection, query, (paused_last, t.c.due_at, t.c.order_id, t.c.number), limit, after)


def deadlines(connection: Connection, wanted: Filter, begin: datetime, end: datetime) -> dict[str, int]:
    """Count the pending timers that are due, or tried again, from `begin` until before `end`, by their triggers."""
    t = table_of(TimerRow)
    query = _pending(wanted, t.c.trigger, func.count()).where(t.c.wake_at >= begin, t.c.wake_at < end)
    return {row[0]: row[1] for row in connection.execute(query.group_by(t.c.trigger))}


def next_deadline(connection: Connection, wanted: Filter, begin: datetime) -> datetime | None:
    """Return when the first pending timer at or after an instant is due, or tried again."""
    t = table_of(TimerRow)
    due: datetime | None = connection.execute(_pending(wanted, func.min(t.c.wake_at)).where(t.c.wake_at >= begin)).scalar()
    return due


def _pending(wanted: Filter, *columns: Any) -> Select[Any]:
    """Select columns of the pending timers that are wanted."""
    o, t = table_of(OrderRow), table_of(TimerRow)
    query = select(*columns).select_from(t).where(t.c.status == literal_column("'pending'"))
    narrowed = replace(wanted, kinds=(), statuses=(), since=None, due_before=None) != EVERYTHING
    query = _joined(query.join(o, o.c.id == t.c.order_id), wanted) if narrowed else query
    query = query.where(t.c.order_id == wanted.order_id) if wanted.order_id is not None else query
    return _timers(query, replace(wanted, statuses=()))


def _timers(query: Select[Any], wanted: Filter) -> Select[Any]:
    """Keep the timers that are wanted for themselves, whatever their orders are."""
    t = table_of(TimerRow)
    query = query.where(t.c.trigger.in_(wanted.kinds)) if wanted.kinds else query
    query = query.where(t.c.status.in_(wanted.statuses)) if wanted.statuses else query
    query = query.where(t.c.due_at >= wanted.since) if wanted.since else query
    return query.where(t.c.due_at <= wanted.due_before) if wanted.due_before else query


def effects(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List effects, newest first."""
    e, o = table_of(EffectRow), table_of(OrderRow)
    query = _of_orders(e, wanted, o.c.currency)
    query = query.where(e.c.kind.in_(wanted.kinds)) if wanted.kinds else query
    query = query.where(e.c.status.in_(wanted.statuses)) if wanted.statuses else query
    query = query.where(e.c.caused_at >= wanted.since) if wanted.since else query
    return _page(connection, _due_before(query, wanted), (e.c.id,), limit, after, newest_first=True)


def claims(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List claims with their orders' states, those with the nearest deadline first."""
    c, o, t = table_of(ClaimRow), table_of(OrderRow), table_of(TimerRow)
    of_claim = (t.c.order_id == c.c.order_id) & (t.c.claim == c.c.number) & (t.c.status == TimerStatus.pending)
    deadline = select(func.min(t.c.due_at)).where(of_claim).scalar_subquery()
    query = _of_orders(c, wanted, o.c.state, deadline.label("next_due"))
    query = query.where(c.c.status.in_(wanted.statuses)) if wanted.statuses else query
    query = query.where(c.c.opened_at >= wanted.since) if wanted.since else query
    query = query.where(deadline <= wanted.due_before) if wanted.due_before else query
    keys = (func.coalesce(deadline, literal(NO_DEADLINE, UTCDateTime())), c.c.order_id, c.c.number)
    return _page(connection, query, keys, limit, after)


def decisions(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List decisions that stand, those that have stood longest first."""
    d, o = table_of(DecisionRow), table_of(OrderRow)
    query = _of_orders(d, wanted, o.c.state).where(*_stands(wanted))
    query = query.where(d.c.trigger.in_(wanted.kinds)) if wanted.kinds else query
    query = query.where(d.c.since >= wanted.since) if wanted.since else query
    return _page(connection, _due_before(query, wanted), (d.c.since, d.c.order_id, d.c.number), limit, after)


def count_decisions(connection: Connection, shop: str | None) -> int:
    """Count the decisions that stand on observed orders, of one shop or of all."""
    d, o = table_of(DecisionRow), table_of(OrderRow)
    query = select(func.count()).select_from(d).join(o, o.c.id == d.c.order_id).where(*_stands(Filter()), o.c.observed)
    return int(connection.execute(query if shop is None else query.where(o.c.shop == shop)).scalar() or 0)


def exceptions(connection: Connection, wanted: Filter, limit: int, after: str | None = None) -> Rows:
    """List reports that were kept for a person and are open, oldest first."""
    r = table_of(ReportRow)
    query = _of_orders(r, wanted).where(_is_open_exception())
    query = query.where(r.c.received >= wanted.since) if wanted.since else query
    return _page(connection, _due_before(query, wanted), (r.c.id,), limit, after)


def count_exceptions(connection: Connection) -> int:
    """Count open exceptions, up to one more than `COUNTED_AT_MOST`."""
    some = select(table_of(ReportRow).c.id).where(_is_open_exception()).limit(COUNTED_AT_MOST + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar() or 0)


def all_effects(connection: Connection, wanted: Filter) -> Iterator[RowMapping]:
    """Yield every effect that is wanted, newest first, page by page."""
    return _all(effects, connection, wanted)


List = Callable[[Connection, Filter, int, str | None], Rows]
_ALL_AT_ONCE = 1_000


def _all(listed: List, connection: Connection, wanted: Filter) -> Iterator[RowMapping]:
    cursor = None
    while True:
        page = listed(connection, wanted, _ALL_AT_ONCE, cursor)
        yield from page.rows
        cursor = page.next
        if cursor is None:
            return


def refuse_unknown_names(connection: Connection, shops: Sequence[str], suppliers: Sequence[str]) -> None:
    """Refuse the names of shops and current suppliers that no order has; it reads all names, so only of an empty list.

    Raises:
        UsageError: names the nearest ones.

    """
    o, a = table_of(OrderRow), table_of(AttemptRow)
    for what, named, column in (("shop", shops, o.c.shop), ("supplier", suppliers, a.c.supplier)):
        if named:
            known = [name for name in connection.execute(select(column).distinct()).scalars() if name is not None]
            for name in named:
                if name not in known and name.lower() not in map(str.lower, known):
                    raise UsageError(
                        tr("no order has the {what} {name!r}{hint}", what=tr(what), name=name, hint=did_you_mean(name, known))
                    )


def named(column: Any, names: Sequence[str]) -> ColumnElement[bool]:
    """Say whether a name is one of some, as it is written or in small letters; SQLite knows those of ASCII alone."""
    return or_(column.in_(names), func.lower(column).in_([name.lower() for name in names]))


def spellings(connection: Connection, suppliers: Sequence[str]) -> list[str]:
    """Return all ways in which orders write the names of suppliers."""
    wanted = {*map(folded, suppliers)}
    return [name for name in queries.suppliers(connection) if folded(name) in wanted] if wanted else []


def _is_open_exception() -> ColumnElement[bool]:
    r = table_of(ReportRow)
    return (r.c.verdict == Verdict.exception) & r.c.resolved_at.is_(None)


def _of_orders(table: Any, wanted: Filter, *more: Any) -> Select[Any]:
    """Select the rows of a table with the names of their orders."""
    o = table_of(OrderRow)
    query = select(table, (o.c.shop + "/" + o.c.number).label("order"), *more).select_from(table)
    query = _joined(query.join(o, o.c.id == table.c.order_id), wanted)
    return query if wanted.order_id is None else query.where(table.c.order_id == wanted.order_id)


def _joined(query: Select[Any], wanted: Filter) -> Select[Any]:
    """Join the current attempt, and keep the orders that are wanted."""
    o, a = table_of(OrderRow), table_of(AttemptRow)
    query = query.join(a, (a.c.order_id == o.c.id) & (a.c.number == o.c.current))
    if wanted.shops:
        query = query.where(func.lower(o.c.shop).in_([shop.lower() for shop in wanted.shops]))
    if wanted.suppliers:
        query = query.where(named(a.c.supplier, wanted.suppliers))
    if wanted.states:
        query = query.where(o.c.state.in_(wanted.states))
    if wanted.attention:
        query = query.where(or_(_flags().is_not(None), _decision(wanted).is_not(None)))
    if wanted.text:
        searched = (o.c.number, a.c.supplier, o.c.group, o.c.buyer_name, o.c.buyer_email)
        contains = (column.icontains(wanted.text, autoescape=True) for column in searched)
        query = query.where(or_(*contains, _has_parcel(lambda number: number.icontains(wanted.text, autoescape=True))))
    if wanted.tracking_numbers:
        written = {way(number) for number in wanted.tracking_numbers for way in (str, str.upper, str.lower)}
        query = query.where(_has_parcel(lambda number: number.in_(sorted(written))))
    return query


def _has_parcel(holds: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Say of an order whether it has a parcel whose tracking number meets a condition."""
    o, p = table_of(OrderRow), table_of(ParcelRow)
    return o.c.id.in_(select(p.c.order_id).where(holds(p.c.tracking_number)))


def _due_before(query: Select[Any], wanted: Filter) -> Select[Any]:
    return query.where(_next_due() <= wanted.due_before) if wanted.due_before else query


def _next_due() -> Any:
    o, t = table_of(OrderRow), table_of(TimerRow)
    pending = (t.c.order_id == o.c.id) & (t.c.status == TimerStatus.pending)
    return select(func.min(t.c.due_at)).where(pending).correlate(o).scalar_subquery()


def _decision(wanted: Filter) -> Any:
    """The trigger of the step that waits for a person."""
    o, d = table_of(OrderRow), table_of(DecisionRow)
    return select(d.c.trigger).where(d.c.order_id == o.c.id, *_stands(wanted)).correlate(o).scalar_subquery()


def _stands(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of decisions that stand; the first is literal, as in its index."""
    d = table_of(DecisionRow)
    yield d.c.status == literal_column("'standing'")
    if wanted.awake_at:
        yield or_(d.c.sleeps_until.is_(None), d.c.sleeps_until <= wanted.awake_at)


def _flags() -> Any:
    o, n = table_of(OrderRow), table_of(AttentionRow)
    standing = (n.c.order_id == o.c.id) & n.c.resolved_at.is_(None)
    return select(func.aggregate_strings(n.c.flag, ",")).where(standing).correlate(o).scalar_subquery()


def _page(
    connection: Connection,
    query: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    limit: int,
    after: str | None,
    *,
    newest_first: bool = False,
) -> Rows:
    """Return the rows behind a cursor, `limit` at most; one more is read to see whether the list goes on."""
    names = [f"key_{number}" for number in range(len(keys))]
    query = query.add_columns(*(key.label(name) for name, key in zip(names, keys, strict=True)))
    if after is not None:
        query = query.where(_behind(keys, _decoded(after, keys), newest_first))
    ordered = query.order_by(*(key.desc() if newest_first else key for key in keys)).limit(limit + 1)
    rows = connection.execute(ordered).mappings().all()
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(shown, _encoded([shown[-1][name] for name in names]) if more else None)


def _behind(keys: Sequence[ColumnElement[Any]], values: Sequence[Any], newest_first: bool) -> ColumnElement[bool]:
    """Return the condition for standing behind a row in the order of the keys."""
    ways = []
    for number, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [earlier == known for earlier, known in zip(keys[:number], values[:number], strict=True)]
        ways.append(and_(*same, key < value if newest_first else key > value))
    return or_(*ways)


def _encoded(values: Sequence[Any]) -> str:
    written = [{"at": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(written).encode()).decode().rstrip("=")


def _decoded(cursor: str, keys: Sequence[ColumnElement[Any]]) -> list[Any]:
    """Return the values of a cursor: an instant for each key that is one, else a number."""
    kinds = [datetime if isinstance(key.type, UTCDateTime) else int for key in keys]
    try:
        written = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value for value in written]
    except (ValueError, KeyError, TypeError, binascii.Error):
        values = []
    if [*map(type, values)] != kinds:
        shortened = cursor if len(cursor) <= 60 else f"{cursor[:60]}…"
        raise UsageError(
            tr("{shortened!r} is not a cursor of this list: pass what `next` of its last page says", shortened=shortened)
        )
    return values
