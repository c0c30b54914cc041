"""Effects that come after others: each waits until the other has left, and is dropped with it (rule 5.8)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, and_, exists, func, or_, select, text, update

from storage.chunks import chunked
from storage.tables import AttemptRow, AttentionRow, EffectRow, HistoryTableRow, table_of
from workflow.process import EFFECTS, HELD_BY_EXCEPTIONS, UNPLACED
from workflow.vocabulary import EffectStatus, Turn

_LEFT = (EffectStatus.sent, EffectStatus.off)
"""Statuses of effects that have left; the merchant does by hand what the policy leaves to them."""
_TURNS = {effect.kind: effect.after for effect in EFFECTS if effect.after is not None}
COME_BEFORE = frozenset(turn.kind for turn in _TURNS.values())
"""Kinds that others come after."""
_e = table_of(EffectRow)


def resume(connection: Connection, at: datetime) -> None:
    """Let the effects that waited for another one go on, or drop them, as that one has left or was dropped.

    Those that an exception of their order holds wait on.
    """
    waits = text("effects.status = 'waits'")  # literal, as in its index
    _drop(connection, and_(waits, _behind_dropped()), at)
    connection.execute(update(_e).where(waits, ~_behind_unsent(), ~is_held()).values(status=EffectStatus.ready))


def take_turns(connection: Connection, rows: Sequence[RowMapping], at: datetime) -> list[RowMapping]:
    """Return those effects that may leave now; of the others some wait for another one, and some are not written any more.

    A chase is not written while what it speaks of has not left.
    """
    behind = [row["id"] for row in rows if _may_be_behind(row)]
    held_back = set[int]()
    for some in chunked(behind):
        mine = _e.c.id.in_(some)
        lapse = _e.c.kind.in_([kind for kind, turn in _TURNS.items() if turn.lapses])
        held_back |= _drop(connection, and_(mine, or_(_behind_dropped(), and_(lapse, _behind_unsent()))), at)
        waiting = update(_e).where(mine, _e.c.status == EffectStatus.ready, or_(_behind_unsent(), is_held()))
        held_back |= set(connection.execute(waiting.values(status=EffectStatus.waits).returning(_e.c.id)).scalars())
    return [row for row in rows if row["id"] not in held_back]


def _drop(connection: Connection, which: ColumnElement[bool], at: datetime) -> set[int]:
    values = {"status": EffectStatus.dropped, "decided_by": "the process", "decided_at": at}
    return set(connection.execute(update(_e).where(which).values(values).returning(_e.c.id)).scalars())


def _may_be_behind(row: RowMapping) -> bool:
    """Say whether an effect can come after another one, or be held.

    The first supplier of an order was not ordered from by an effect.
    """
    if row["kind"] in HELD_BY_EXCEPTIONS:
        return True
    turn = _TURNS.get(row["kind"])
    return turn is not None and (turn.kind != "place_supply" or turn.of_step or row["attempt"] > 1)


@cache
def is_held() -> ColumnElement[bool]:
    """Say whether an exception of its order holds an effect (rule 2.16)."""
    a = table_of(AttentionRow)
    unplaced = exists().where(a.c.order_id == _e.c.order_id, a.c.flag == UNPLACED, a.c.resolved_at.is_(None))
    return and_(_e.c.kind.in_(HELD_BY_EXCEPTIONS), unplaced)


@cache
def _behind_unsent() -> ColumnElement[bool]:
    return or_(*(_is_behind(kind, turn, _has_not_left) for kind, turn in _TURNS.items()))


@cache
def _behind_dropped() -> ColumnElement[bool]:
    return or_(*(_is_behind(kind, turn, _was_dropped) for kind, turn in _TURNS.items()))


def _is_behind(kind: str, turn: Turn, condition: Callable[[FromClause], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Say whether an effect is of a kind, and what it comes after is as `condition` says."""
    p, earlier, h = _e.alias("p"), _e.alias("earlier"), table_of(HistoryTableRow)
    same = earlier.c.sequence == _e.c.sequence if turn.of_step else earlier.c.attempt == _e.c.attempt
    latest = select(func.max(earlier.c.id)).where(
        earlier.c.order_id == _e.c.order_id, earlier.c.kind == turn.kind, earlier.c.id < _e.c.id, same
    )
    of_mine = latest.correlate(_e).scalar_subquery()  # two levels down nothing is correlated by itself
    found = exists().where(p.c.id == of_mine, condition(p))
    if not turn.triggers:
        return and_(_e.c.kind == kind, found)
    caused = exists().where(h.c.order_id == _e.c.order_id, h.c.sequence == _e.c.sequence, h.c.trigger.in_(turn.triggers))
    return and_(_e.c.kind == kind, caused, found)


def _took_over(p: FromClause) -> ColumnElement[bool]:
    """Say whether a `place_supply` counts as left because its supplier has shipped."""
    a = table_of(AttemptRow)
    shipped = or_(a.c.shipped_at.is_not(None), a.c.delivered_at.is_not(None))
    return and_(p.c.kind == "place_supply", exists().where(a.c.order_id == p.c.order_id, a.c.number == p.c.attempt, shipped))


def _has_not_left(p: FromClause) -> ColumnElement[bool]:
    return and_(p.c.status.not_in((*_LEFT, EffectStatus.dropped)), ~_took_over(p))


def _was_dropped(p: FromClause) -> ColumnElement[bool]:
    return and_(p.c.status == EffectStatus.dropped, ~_took_over(p))
