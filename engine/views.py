"""What screens see, as values: lists page by page. Nothing here writes or locks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from language import tr
from storage import cases, lists, queries
from storage.database import Database, reading
from storage.lists import COUNTED_AT_MOST, Rows
from storage.lists import EVERYTHING as EVERYTHING
from storage.lists import Filter as Filter
from storage.lists import Page as Page
from workflow.case import claims
from workflow.errors import UsageError
from workflow.vocabulary import (
    ClaimKind,
    ClaimStatus,
    ClaimVerdict,
    EffectStatus,
    Remedy,
    State,
    TimerStatus,
    words_of,
)

Source = Database | Connection
Row = TypeVar("Row")


@dataclass(frozen=True)
class Count:
    """A count for people, which stops at a limit: "12", or "10,000+"."""

    value: int
    capped: bool = False

    def __str__(self) -> str:
        return f"{self.value:,}{'+' if self.capped else ''}"


@dataclass(frozen=True)
class OrderSummary:
    """An order in a list: the step that waits for a decision, and in `attention` its flags, separated by commas."""

    shop: str
    number: str
    state: State
    since: datetime
    supplier: str | None
    route: str
    next_due: datetime | None
    decision: str | None
    attention: str | None


@dataclass(frozen=True)
class TimerSummary:
    """A timer in a list."""

    order: str
    number: int
    trigger: str
    due_at: datetime
    planned_at: datetime
    wake_at: datetime
    counts_from: datetime
    policy: int
    status: TimerStatus
    nth: int
    ledger: int | None
    claim: int | None
    provisional: bool
    paused_at: datetime | None
    paused_by: str | None
    fired_at: datetime | None
    tries: int
    error: str | None


@dataclass(frozen=True)
class EffectSummary:
    """An effect in a list."""

    id: int
    order: str
    sequence: int
    kind: str
    attempt: int
    supplier: str | None
    details: dict[str, Any]
    status: EffectStatus
    caused_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    error: str | None
    """Why its message could not be written or sent."""
    currency: str


@dataclass(frozen=True)
class ClaimSummary:
    """A claim in a list. `written` is what is claimed, in words."""

    order: str
    number: int
    kind: ClaimKind
    opened_at: datetime
    pieces: list[list[int]]
    written: str
    remedy: Remedy
    status: ClaimStatus
    evidence: list[str]
    verification_due: bool
    verdict: ClaimVerdict | None
    decided_at: datetime | None
    chosen: Remedy | None
    replacement: str | None
    state: State
    next_due: datetime | None


@dataclass(frozen=True)
class ExceptionSummary:
    """A report that was kept for a person."""

    id: int
    order: str
    source: str
    key: str
    trigger: str
    occurred: datetime
    received: datetime
    actor: str
    fields: dict[str, Any]
    reason: str | None


def list_orders(source: Source, wanted: Filter, limit: int, after: str | None = None) -> Page[OrderSummary]:
    """List orders, those with the nearest deadline first.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        return _page(_of_known(connection, wanted, lists.orders(connection, wanted, limit, after)), OrderSummary)


def list_timers(source: Source, wanted: Filter, limit: int, after: str | None = None) -> Page[TimerSummary]:
    """List timers in due order, paused ones last.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        return _page(_of_known(connection, wanted, lists.timers(connection, wanted, limit, after)), TimerSummary)


@dataclass(frozen=True, slots=True)
class Day:
    """The deadlines of one day, by trigger; `date` is its midnight."""

    date: datetime
    deadlines: dict[str, int]


def list_days(source: Source, wanted: Filter, zone: ZoneInfo, limit: int) -> tuple[list[Day], datetime | None]:
    """Count the pending timers of each day of a time zone that has any; return the days, and when the next one begins.

    Raises:
        UsageError: no order has a shop or supplier that is named.

    """
    days = list[Day]()
    with reading(source) as connection:
        due = lists.next_deadline(connection, wanted, _FIRST)
        while due is not None and len(days) < limit:
            midnight = due.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
            end = (midnight + timedelta(days=1)).astimezone(UTC)  # a day of that zone, however many hours it has
            days.append(Day(midnight, lists.deadlines(connection, wanted, midnight.astimezone(UTC), end)))
            due = lists.next_deadline(connection, wanted, end)
        if not days:
            lists.refuse_unknown_names(connection, wanted.shops, wanted.suppliers)
    return days, due


_FIRST = datetime(1, 1, 2, tzinfo=UTC)
"""Before every instant that is kept."""


def list_effects(source: Source, wanted: Filter, limit: int, after: str | None = None) -> Page[EffectSummary]:
    """List effects, newest first.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        return _page(_of_known(connection, wanted, lists.effects(connection, wanted, limit, after)), EffectSummary)


def list_claims(source: Source, wanted: Filter, limit: int, after: str | None = None) -> Page[ClaimSummary]:
    """List claims, those with the nearest deadline first.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        found = _of_known(connection, wanted, lists.claims(connection, wanted, limit, after))
        of_orders = cases.load(connection, {row["order_id"] for row in found.rows}, lock=False)

    def written(row: RowMapping) -> str:
        return claims.written(of_orders[row["order_id"]].case, dict(json.loads(row["pieces"])))

    return _page(found, ClaimSummary, written=written)


def list_exceptions(source: Source, wanted: Filter, limit: int, after: str | None = None) -> Page[ExceptionSummary]:
    """List open exceptions, oldest first.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        return _page(_of_known(connection, wanted, lists.exceptions(connection, wanted, limit, after)), ExceptionSummary)


def count_exceptions(source: Source) -> Count:
    """Count open exceptions, for people."""
    with reading(source) as connection:
        found = lists.count_exceptions(connection)
    return Count(min(found, COUNTED_AT_MOST), capped=found > COUNTED_AT_MOST)


def order_id(source: Source, identity: str) -> int:
    """Return the row id of an order named NUMBER or SHOP/NUMBER.

    Raises:
        UnknownOrder: there is none, or several shops use the number.

    """
    with reading(source) as connection:
        return queries.resolve_id(connection, identity)


def named(source: Source, number: str) -> list[str]:
    """Return the orders with a number, as SHOP/NUMBER, of whichever shop."""
    with reading(source) as connection:
        return queries.named(connection, number)


def currency_of(source: Source, identity: str) -> str:
    """Return the currency of an order.

    Raises:
        UnknownOrder: there is none, or several shops use the number.

    """
    with reading(source) as connection:
        return queries.order_of(connection, identity).currency


def effects_named(source: Source, ids: Sequence[int]) -> list[EffectSummary]:
    """Return effects by their ids.

    Raises:
        UsageError: there is no effect with one of them.

    """
    with reading(source) as connection:
        found = [filled(EffectSummary, row) for row in queries.effects_by_id(connection, ids)]
    if missing := set(ids) - {one.id for one in found}:
        raise UsageError(tr("there is no effect {missing}: `aftersales effects` lists them", missing=min(missing)))
    return found


def _of_known(connection: Connection, wanted: Filter, found: Rows) -> Rows:
    """Return a page of a list; one that is empty because no order has such a shop or supplier is refused.

    Raises:
        UsageError: names the nearest ones.

    """
    if not found.rows:
        lists.refuse_unknown_names(connection, wanted.shops, wanted.suppliers)
    return found


def _page(found: Rows, kind: type[Row], **computed: Callable[[RowMapping], Any]) -> Page[Row]:
    return Page([filled(kind, row, **computed) for row in found.rows], found.next)


_JSON = ("details", "fields", "pieces", "evidence")


def filled(kind: type[Row], row: Any, **computed: Callable[[RowMapping], Any]) -> Row:
    """Return a row as a value of the kind that screens see."""
    values: dict[str, Any] = {name: compute(row) for name, compute in computed.items()}
    for name, read in _columns(cast(Any, kind)):
        if name not in values:
            value = row[name]
            values[name] = read(value) if read and value is not None else value
    return kind(**values)


@lru_cache
def _columns(kind: type[Any]) -> Sequence[tuple[str, Callable[[Any], Any] | None]]:
    """Return the columns of a view, and how those are read that are kept as JSON or name a member of an enumeration."""
    words = words_of(kind)
    return [(one.name, _kept if one.name in _JSON else words.get(one.name)) for one in fields(kind)]


def _kept(text: str) -> Any:
    """Read a value that is kept as JSON; one that is damaged is shown as it stands, so that a list shows the other rows."""
    try:
        return json.loads(text)
    except ValueError:
        return {"damaged": text}
