"""What shows that somebody has changed what was recorded: broken chains, rows that no step wrote, missing orders."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, bindparam, literal, select
from sqlmodel import SQLModel

from language import tr
from storage import case_mapper
from storage.tables import (
    AttemptRow,
    ClaimRow,
    DecisionRow,
    EvidenceRow,
    HistoryTableRow,
    LedgerTableRow,
    OrderRow,
    ParcelRow,
    TimerRow,
    table_of,
)
from workflow.case.history import HistoryRow, broken_at
from workflow.case.sealing import KINDS, SEALED, WHOLE, Sealed, Values, as_sealed
from workflow.errors import describe_error

AT_ONCE = 500
"""Orders whose histories are in memory at once."""
_TABLES: Mapping[str, type[SQLModel]] = {
    "order": OrderRow,
    "case": OrderRow,
    "attempts": AttemptRow,
    "parcels": ParcelRow,
    "timers": TimerRow,
    "ledger": LedgerTableRow,
    "claims": ClaimRow,
    "decisions": DecisionRow,
}
"""Where the parts of an order that are sealed are kept."""
_LISTS = ("pieces", "evidence", "news")
"""Columns that hold JSON."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An order, what is wrong with it (None: nothing), and whether every step of its history was sealed."""

    order: str
    wrong: str | None
    is_sealed: bool = True


def findings(connection: Connection) -> Iterator[Finding]:
    """Check every order, chain and rows; a row that cannot be read is a broken one, and the others are checked."""
    o, last = table_of(OrderRow), 0
    while page := [*connection.execute(select(o.c.id).where(o.c.id > last).order_by(o.c.id).limit(AT_ONCE)).scalars()]:
        try:
            yield from findings_of(connection, page)
        except Exception:  # some row of the page cannot be read: which of its orders is it?
            for order_id in page:
                try:
                    yield from findings_of(connection, [order_id])
                except Exception as error:
                    yield Finding(
                        tr("order row {order_id}", order_id=order_id),
                        tr("its rows cannot be read ({error})", error=describe_error(error)),
                    )
        last = page[-1]


def findings_of(connection: Connection, order_ids: Sequence[int]) -> list[Finding]:
    """Check some orders."""
    h, o = table_of(HistoryTableRow), table_of(OrderRow)
    heads = select(o.c.id, o.c.shop, o.c.number, o.c.version, o.c.last_hash, o.c.state).where(o.c.id.in_(order_ids))
    rows = connection.execute(select(h).where(h.c.order_id.in_(order_ids)).order_by(h.c.order_id, h.c.sequence)).mappings()
    histories = {key: [*map(case_mapper.read_history, group)] for key, group in groupby(rows, key=lambda row: row["order_id"])}
    stored, files = {part: _stored(connection, part, order_ids) for part in KINDS}, _evidence(connection, order_ids)
    found = []
    for head in connection.execute(heads.order_by(o.c.id)).mappings():
        key, name = head["id"], f"{head['shop']}/{head['number']}"
        history = histories.get(key, [])
        wrong = broken_at(name, history, head["version"], head["last_hash"])
        if not history:
            wrong = tr("its history is gone")
        elif wrong is None and history[-1].target != head["state"]:
            wrong = tr(
                "its state is {state}, and its history ends with {target}", state=head["state"], target=history[-1].target
            )
        sealed = _sealed(history)
        wrong = wrong or _difference(sealed, {part: rows.get(key, {}) for part, rows in stored.items()}, files[key])
        found.append(Finding(name, wrong, sealed.is_whole))
    return found


def broken_orders(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield each order that does not hold, and what is wrong with it."""
    yield from ((one.order, one.wrong) for one in findings(connection) if one.wrong)


def missing_orders(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield orders that were deleted: those that left a history, and those whose ids are missing (ids have no gaps)."""
    h, o = table_of(HistoryTableRow), table_of(OrderRow)
    left = select(h.c.order_id).where(~select(o.c.id).where(o.c.id == h.c.order_id).exists()).distinct()
    for (order_id,) in connection.execute(left.order_by(h.c.order_id)):
        yield tr("order row {order_id}", order_id=order_id), tr("the order is gone, and its history is left")
    expected = 1
    for (order_id,) in connection.execute(select(o.c.id).order_by(o.c.id).execution_options(yield_per=10_000)):
        if order_id != expected:
            gap = (
                tr("order row {expected}", expected=expected)
                if order_id == expected + 1
                else tr("order rows {expected} to {order_id}", expected=expected, order_id=order_id - 1)
            )
            yield gap, tr("deleted: ids of orders have no gaps")
        expected = order_id + 1


def heads_as_of(connection: Connection, at: datetime) -> Iterator[tuple[int, int, str]]:
    """Yield each order's head as it was at an instant, by what is recorded: row id, count of its history and last hash."""
    h = table_of(HistoryTableRow)
    columns = select(h.c.order_id, h.c.sequence, h.c.hash).where(h.c.recorded <= at)
    rows = connection.execute(columns.order_by(h.c.order_id, h.c.sequence).execution_options(yield_per=10_000))
    for order_id, group in groupby(rows, key=lambda row: row.order_id):
        *_, last = group
        yield order_id, last.sequence, last.hash


def _sealed(history: Sequence[HistoryRow]) -> Sealed:
    sealed = Sealed()
    for row in history:
        sealed.take(row.wrote)
    return sealed


def _difference(sealed: Sealed, stored: Mapping[str, Mapping[str, Values]], files: Sequence[tuple[str, str]]) -> str | None:
    """Say what first differs between an order's rows and what was sealed of them, or None."""
    for part, rows in stored.items():
        if wrong := sealed.difference(part, rows):
            return wrong
    for claim, sha256 in files:
        named = sealed.parts.get("claims", {}).get(claim, {}).get("evidence")
        if named is not None and sha256 not in named:
            return tr("the file {sha256}… of claim {claim} is not in its history", sha256=sha256[:12], claim=claim)
    return None


def _stored(connection: Connection, part: str, order_ids: Sequence[int]) -> dict[int, dict[str, dict[str, Any]]]:
    """Return the rows of a part by order and number, as they would be sealed."""
    found: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    names = SEALED[KINDS[part]]
    for key, number, *values in connection.execute(_query(part), {"ids": order_ids}):
        fields = zip(names, values, strict=True)
        found[key][str(number)] = {name: as_sealed(name, _read(name, value)) for name, value in fields}
    return found


def _read(name: str, value: Any) -> Any:
    return json.loads(value) if name in _LISTS else value


@lru_cache
def _query(part: str) -> Select[Any]:
    t = table_of(_TABLES[part])
    key, number = (t.c.id, literal("")) if part in WHOLE else (t.c.order_id, t.c.number)
    columns = (t.c[name] for name in SEALED[KINDS[part]])
    return select(key, number, *columns).where(key.in_(bindparam("ids", expanding=True))).order_by(key, number)


def _evidence(connection: Connection, order_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the kept files of orders that were not erased: claim and digest."""
    e, found = table_of(EvidenceRow), defaultdict[int, list[tuple[str, str]]](list)
    kept = select(e.c.order_id, e.c.claim, e.c.sha256).where(e.c.order_id.in_(order_ids), e.c.erased_at.is_(None))
    for key, claim, sha256 in connection.execute(kept):
        found[key].append((str(claim), sha256))
    return found
