"""Cases as rows; orders and history rows read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping

from storage.prepared import as_texts
from workflow.case.canonical import kept_json
from workflow.case.case import Attempt, Case, Claim, Decision, Details, LedgerRow, Line, Order, Parcel, Timer
from workflow.case.history import HistoryRow
from workflow.vocabulary import EffectStatus, Mode, State, TimerStatus

if TYPE_CHECKING:
    from workflow.draft import EffectDraft

Values = dict[str, Any]
STATUS_BY_MODE = {Mode.auto: EffectStatus.ready, Mode.ask: EffectStatus.asked, Mode.off: EffectStatus.off}
"""How an effect begins that is not held."""
_Column = tuple[str, str, Callable[[Any], Any] | None]


def order_changes(was: Case, now: Case) -> Values:
    """Return the columns of an order that have changed."""
    before, after = vars(was), vars(now)
    changed: Values = {}
    for column, name, read in _STANDING:
        value = after[name]
        if value is not before[name]:
            changed[column] = read(value) if read else value
    return changed if now.order is was.order else changed | _encoded(now.order, _difference(was.order, now.order))


def new_order_values(case: Case, observed: bool) -> Values:
    """Return all columns of a new order but its id."""
    order, whole = case.order, vars(case)
    return {
        **dict(zip(_FACTS, _facts_of(order), strict=True)),
        "alternatives": kept_json(list(order.alternatives)),
        "salt": case.salt,
        "observed": observed,
        **{column: read(whole[name]) if read else whole[name] for column, name, read in _STANDING},
    }


def part_values(order_id: int, part: Attempt | Parcel | LedgerRow | Claim | Decision) -> Values:
    """Return all columns of an attempt, a parcel, a ledger row, a claim or a decision."""
    return {"order_id": order_id, **_encoded(part, vars(part))}


def part_changes(order_id: int, was: Any, now: Any) -> Values:
    """Return the columns of an attempt, a ledger row or a claim that have changed, and its key."""
    return {"order_id": order_id, "number": now.number, **_encoded(now, _difference(was, now))}


def timer_values(order_id: int, timer: Timer) -> Values:
    """Return the columns of a new timer."""
    return {"order_id": order_id, **vars(timer), "wake_at": timer.due_at}


def timer_changes(order_id: int, was: Timer | None, now: Timer) -> Values:
    """Return the columns of a timer that have changed, and its key; one that runs is looked at again when it is due.

    Of one that had ended, and runs again, all columns have.
    """
    changes = {"order_id": order_id, "number": now.number, **(_difference(was, now) if was else vars(now))}
    return {**changes, "wake_at": now.due_at} if now.status == TimerStatus.pending else changes


def history_values(order_id: int, row: HistoryRow) -> Values:
    """Return the columns of a history row."""
    return {
        "order_id": order_id,
        **vars(row),
        "source": _state(row.source),
        "target": _state(row.target),
        "details": kept_json(row.details),
    }


def effect_values(order_id: int, cause: HistoryRow, effect: EffectDraft, status: EffectStatus) -> Values:
    """Return the columns of an effect that a step causes."""
    return {
        "order_id": order_id,
        "sequence": cause.sequence,
        "kind": effect.kind,
        "attempt": effect.attempt,
        "supplier": effect.details.get("supplier"),
        "details": kept_json(effect.details),
        "caused_at": cause.occurred,
        "next_try_at": effect.leaves_at,
        "status": status,
    }


def line_changes(order_id: int, number: int, was: Line, now: Line) -> Values:
    """Return the columns of an order's line that have changed, and its key."""
    return {"order_id": order_id, "number": number, **_difference(was, now)}


def line_values(order_id: int, number: int, line: Line) -> Values:
    """Return the columns of an order's line."""
    return {"order_id": order_id, "number": number, **{name: getattr(line, name) for name in _LINE}}


def read_order(row: RowMapping) -> Order:
    """Read an order back."""
    facts = {name: row[name] for name in _FACTS}
    return Order(**facts, alternatives=as_texts(row["alternatives"]))


def read_history(row: RowMapping) -> HistoryRow:
    """Read a history row back."""
    values: Mapping[str, Any] = {name: row[name] for name in _HISTORY}
    source = State(row["source"]) if row["source"] else None
    details: Details = json.loads(row["details"])
    return HistoryRow(**values, source=source, target=State(row["target"]), details=details)


def _difference(was: Any, now: Any) -> Values:
    before = vars(was)
    return {name: value for name, value in vars(now).items() if value is not before[name]}


def _encoded(part: Any, values: Values) -> Values:
    """Write those values that have no column type of their own."""
    ways = _ENCODED.get(type(part))
    return {name: ways[name](value) if name in ways else value for name, value in values.items()} if ways else values


def _state(state: State | None) -> str | None:
    return state and str(state)


def _names(kind: Any, *without: str) -> tuple[str, ...]:
    return tuple(name for name in kind.__dataclass_fields__ if name not in without)


_ENCODED: dict[type, dict[str, Callable[[Any], Any]]] = {
    Order: {"alternatives": kept_json},
    Parcel: {"news": kept_json},
    Claim: {"pieces": kept_json, "evidence": kept_json, "came_from": _state, "went_back_to": _state},
}
_STANDING: tuple[_Column, ...] = (
    *((name, name, None) for name in ("since", "current", "cancelled", "gap", "historical", "unread")),
    *((name, name, None) for name in ("carrier_status", "timers_made")),
    ("state", "state", _state),
    ("returns_to", "returns_to", _state),
    ("claims_made", "claims", len),
    ("decisions_made", "decisions", len),
    ("version", "steps", None),
    ("last_hash", "last_hash", None),
)
"""The columns of an order's standing, the field of the case that each is made from, and how."""
_FACTS = _names(Order, "alternatives")
_facts_of = attrgetter(*_FACTS)
_LINE = _names(Line)
_HISTORY = _names(HistoryRow, "source", "target", "details")
