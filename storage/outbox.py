"""What waits to leave the engine: effects, the messages that carry them, and what became of those."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlmodel import col

from storage import codec
from storage.cases import NOT_LEFT, raise_flag
from storage.tables import EffectRow, MemberRow, MessageRow, OrderRow
from workflow.order import Order

STUCK = ("dead", "parked")


@dataclass(frozen=True, slots=True)
class ReadyEffect:
    """An effect that may leave, with the order it is about."""

    id: int
    sequence: int
    kind: str
    attempt: int
    details: dict[str, Any]
    caused_at: datetime
    order: Order


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A rendered message that is not stored yet."""

    key: str
    kind: str
    channel: str
    recipient: str | None
    language: str
    subject: str
    body: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that is about to be sent, with its stored key and text. `tries` counts this one."""

    id: int
    key: str
    kind: str
    channel: str
    recipient: str | None
    subject: str
    body: str
    tries: int


def ready(connection: Connection, limit: int) -> list[ReadyEffect]:
    """Return the effects that may leave and that no message carries yet, oldest first."""
    effects = select(EffectRow.__table__).where(col(EffectRow.status) == "ready")  # type: ignore[attr-defined]
    rows = connection.execute(effects.order_by(col(EffectRow.id)).limit(limit).with_for_update()).mappings().all()
    orders = _orders(connection, {row["order_id"] for row in rows})
    return [
        ReadyEffect(
            row["id"],
            row["sequence"],
            row["kind"],
            row["attempt"],
            json.loads(row["details"]),
            row["caused_at"],
            orders[row["order_id"]],
        )
        for row in rows
    ]


def write_messages(connection: Connection, messages: Sequence[NewMessage], at: datetime) -> None:
    """Store rendered messages with their members; from now on their text and key never change (rule 5.3)."""
    for message in messages:
        values = {name: getattr(message, name) for name in NewMessage.__dataclass_fields__ if name != "members"}
        row = {**values, "status": "waiting", "tries": 0, "written_at": at, "next_try_at": at}
        key = connection.execute(insert(MessageRow).values(row)).inserted_primary_key
        assert key is not None, "the database hands out the message's id"
        members = [{"message_id": key[0], "effect_id": effect_id} for effect_id in message.members]
        connection.execute(insert(MemberRow), members)
    carried = {effect_id for message in messages for effect_id in message.members}
    _set_effects(connection, dict.fromkeys(carried, "leaving"))


def claim(connection: Connection, at: datetime, limit: int) -> list[StoredMessage]:
    """Take messages that may be sent now; they count as being sent until `finish` or `recover` is called."""
    due = (col(MessageRow.status) == "waiting") & (col(MessageRow.next_try_at) <= at)
    query = select(MessageRow.__table__).where(due).order_by(col(MessageRow.id)).limit(limit)  # type: ignore[attr-defined]
    rows = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
    claimed = [row["id"] for row in rows]
    values = {"status": "sending", "tries": MessageRow.tries + 1, "next_try_at": at}
    connection.execute(update(MessageRow).where(col(MessageRow.id).in_(claimed)).values(values))
    names = [name for name in StoredMessage.__dataclass_fields__ if name != "tries"]
    return [StoredMessage(**{name: row[name] for name in names}, tries=row["tries"] + 1) for row in rows]


def finish(
    connection: Connection,
    message_id: int,
    status: str,
    at: datetime,
    error: str | None = None,
    again: datetime | None = None,
) -> None:
    """Record what became of a message: sent, waiting (for the try at `again`), dead, parked or dropped."""
    values: dict[str, Any] = {"status": status, "error": error, "next_try_at": again or at}
    if status == "sent":
        values["sent_at"] = at
    connection.execute(update(MessageRow).where(col(MessageRow.id) == message_id).values(values))
    _roll_up(connection, [message_id], at, error)


def sending_since(connection: Connection, before: datetime) -> list[tuple[int, str]]:
    """Return id and kind of the messages whose sender was killed: being sent since `before` or longer."""
    query = select(col(MessageRow.id), col(MessageRow.kind))
    orphans = query.where(col(MessageRow.status) == "sending", col(MessageRow.next_try_at) <= before)
    return [(key or 0, kind) for key, kind in connection.execute(orphans)]


def next_send(connection: Connection) -> datetime | None:
    """Return when the next message is to be tried."""
    query = select(func.min(MessageRow.next_try_at)).where(col(MessageRow.status) == "waiting")
    return connection.execute(query).scalar()


def has_ready(connection: Connection) -> bool:
    """Say whether an effect may leave that no message carries yet."""
    return connection.execute(select(col(EffectRow.id)).where(col(EffectRow.status) == "ready").limit(1)).first() is not None


def approve(connection: Connection, effects: Sequence[RowMapping], by: str, at: datetime) -> int:
    """Let effects leave that wait for a person; their orders are observed no longer (rule 5.4)."""
    chosen = [row for row in effects if row["status"] in ("held", "asked")]
    _decide(connection, chosen, "ready", by, at)
    _go_live(connection, {row["order_id"] for row in chosen if row["status"] == "held"})
    return len(chosen)


def drop(connection: Connection, effects: Sequence[RowMapping], by: str, at: datetime) -> int:
    """Give up effects that have not left, and the messages that only they are in."""
    chosen = [row for row in effects if row["status"] in (*NOT_LEFT, *STUCK)]
    _decide(connection, chosen, "dropped", by, at)
    _settle_messages(connection, [row["id"] for row in chosen if row["status"] in STUCK], "dropped", at)
    _go_live(connection, {row["order_id"] for row in chosen if row["status"] == "held"})
    return len(chosen)


def retry(connection: Connection, effects: Sequence[RowMapping], by: str, at: datetime) -> int:
    """Send dead and parked messages again, under the same key with the same text."""
    chosen = [row for row in effects if row["status"] in STUCK]
    written = select(col(MemberRow.effect_id)).where(col(MemberRow.effect_id).in_([row["id"] for row in chosen]))
    carried = set(connection.execute(written).scalars())
    _decide(connection, [row for row in chosen if row["id"] in carried], "leaving", by, at)
    _decide(connection, [row for row in chosen if row["id"] not in carried], "ready", by, at)
    _settle_messages(connection, [row["id"] for row in chosen], "waiting", at)
    return len(chosen)


def set_aside(connection: Connection, effect_ids: Sequence[int], at: datetime, error: str) -> None:
    """Make effects dead that no message can be written for; their orders need a person."""
    _set_effects(connection, dict.fromkeys(effect_ids, "dead"))
    _ask_for_a_person(connection, effect_ids, at, error)


def _decide(connection: Connection, effects: Sequence[RowMapping], status: str, by: str, at: datetime) -> None:
    values = {"status": status, "decided_by": by, "decided_at": at}
    ids = [row["id"] for row in effects]
    connection.execute(update(EffectRow).where(col(EffectRow.id).in_(ids)).values(values))


def _go_live(connection: Connection, order_ids: Iterable[int]) -> None:
    """An order whose last held effect was decided causes effects like any other from now on (rule 5.4)."""
    ids = set(order_ids)
    still = select(col(EffectRow.order_id)).where(col(EffectRow.order_id).in_(ids), col(EffectRow.status) == "held")
    decided = ids - {row[0] for row in connection.execute(still)}
    connection.execute(update(OrderRow).where(col(OrderRow.id).in_(decided)).values(observed=False))


def _settle_messages(connection: Connection, effect_ids: Sequence[int], status: str, at: datetime) -> None:
    mine = select(col(MemberRow.message_id)).where(col(MemberRow.effect_id).in_(effect_ids))
    stuck = col(MessageRow.id).in_(mine) & col(MessageRow.status).in_(STUCK)
    fresh = {"status": status, "next_try_at": at, "tries": 0}
    connection.execute(update(MessageRow).where(stuck).values(fresh))


def _roll_up(connection: Connection, message_ids: Sequence[int], at: datetime, error: str | None) -> None:
    """Give the effects of messages the status that their messages have together."""
    mine = select(col(MemberRow.effect_id)).where(col(MemberRow.message_id).in_(message_ids))
    joined = select(col(MemberRow.effect_id), col(MessageRow.status)).join(
        MessageRow, col(MessageRow.id) == col(MemberRow.message_id)
    )
    statuses: dict[int, set[str]] = defaultdict(set)
    for effect_id, status in connection.execute(joined.where(col(MemberRow.effect_id).in_(mine))):
        statuses[effect_id].add(status)
    together = {effect_id: _together(of) for effect_id, of in statuses.items()}
    _set_effects(connection, together)
    _ask_for_a_person(connection, [key for key, status in together.items() if status in STUCK], at, error)


def _together(statuses: set[str]) -> str:
    for status in ("parked", "dead"):
        if status in statuses:
            return status
    if statuses & {"waiting", "sending"}:
        return "leaving"
    return "sent" if "sent" in statuses else "dropped"


def _ask_for_a_person(connection: Connection, effect_ids: Sequence[int], at: datetime, error: str | None) -> None:
    query = select(col(EffectRow.order_id)).where(col(EffectRow.id).in_(effect_ids)).distinct()
    for (order_id,) in connection.execute(query).all():
        raise_flag(connection, order_id, "effect_stuck", at, error)


def _set_effects(connection: Connection, statuses: dict[int, str]) -> None:
    by_status: dict[str, list[int]] = defaultdict(list)
    for effect_id, status in statuses.items():
        by_status[status].append(effect_id)
    for status, ids in by_status.items():
        connection.execute(update(EffectRow).where(col(EffectRow.id).in_(ids)).values(status=status))


def _orders(connection: Connection, order_ids: set[int]) -> dict[int, Order]:
    query = select(OrderRow.__table__).where(col(OrderRow.id).in_(order_ids))  # type: ignore[attr-defined]
    return {row["id"]: codec.read_order(row) for row in connection.execute(query).mappings()}
