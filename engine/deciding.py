"""Decisions of people: effects approved, dropped, retried or done, flags resolved, exceptions closed, timers retried.

Each is a compare-and-swap: it changes only what still has the status that the person was shown, acts on what changed,
and returns the rest with what became of it. Each takes a database, or the connection of a transaction that the caller
commits together with rows of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from engine import unread
from engine.views import EffectSummary, Filter, Source, filled
from language import tr
from storage import attention, lists, outbox, queries, timers, turns
from storage.database import Database, reading, repeated, writing
from storage.notifications import notify_daemons
from storage.row_sets import UNSENT
from storage.timers import Due
from workflow.errors import UsageError
from workflow.policy.policy import Rules
from workflow.process import UNREAD
from workflow.suggestions import did_you_mean
from workflow.vocabulary import EffectStatus, MessageStatus


class EffectAction(StrEnum):
    """What a person may do with an effect that has not left."""

    approve = "approve"
    drop = "drop"
    retry = "retry"
    done = "done"
    """It has left all the same, or was done by hand."""


DECIDABLE: Mapping[EffectAction, tuple[EffectStatus, ...]] = {
    EffectAction.approve: (EffectStatus.held, EffectStatus.asked),
    EffectAction.drop: (*UNSENT, *attention.STUCK),
    EffectAction.retry: attention.STUCK,
    EffectAction.done: (*UNSENT, *attention.STUCK),
}
"""The statuses in which an effect takes an action."""
_ENDS: Mapping[EffectAction, EffectStatus] = {EffectAction.drop: EffectStatus.dropped, EffectAction.done: EffectStatus.sent}
"""What becomes of an effect that does not leave any more."""


_UNTRIED = (EffectStatus.ready, EffectStatus.written)


@dataclass(frozen=True, slots=True)
class ChosenEffect:
    """An effect as a person was shown it."""

    id: int
    status: EffectStatus


@dataclass(frozen=True, slots=True)
class ChangedEffect:
    """An effect that was not decided on, because it has another status than the person was shown."""

    id: int
    status: EffectStatus
    by: str | None
    """Who changed it, if a person or the process decided."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The effects that were decided on, and those that had changed meanwhile."""

    done: tuple[int, ...]
    changed: tuple[ChangedEffect, ...]


class AlreadyDecided(UsageError):
    """Another person has decided first; the message says who and when."""


def effects_for(source: Source, action: EffectAction, wanted: Filter) -> list[EffectSummary]:
    """Return every effect of a selection that takes an action, oldest first: what a decision would change."""
    with reading(source) as connection:
        chosen = Filter(order_id=wanted.order_id, kinds=wanted.kinds, statuses=DECIDABLE[action])
        return [filled(EffectSummary, row) for row in lists.all_effects(connection, chosen)][::-1]


@repeated
def decide_effects(
    target: Database | Connection, action: EffectAction, chosen: Iterable[ChosenEffect], by: str, at: datetime
) -> Decided:
    """Decide on exactly the chosen effects, each only if it still has the status that was shown.

    Effects of dead and parked messages that are dropped or done drop those; retried ones are sent again under the same
    key with the same text, or composed if no message was written. What comes after a decided effect goes on, or is
    dropped with it (rule 5.8). An order whose last held effect is decided causes effects like any other from then on
    (rule 5.4), and one of which no effect is stuck any more needs no person for that.
    """
    shown: dict[EffectStatus, list[int]] = defaultdict(list)
    for one in chosen:
        shown[one.status].append(one.id)
    done: dict[int, int] = {}
    with writing(target) as connection:
        for status in DECIDABLE[action]:
            decided = _change(connection, action, status, _as_shown(shown, status), by, at)
            done |= decided
            if status is EffectStatus.held:
                outbox.end_observation(connection, decided.values())
            if status in attention.STUCK:
                attention.unstick(connection, {*decided.values()}, by, f"effects {action}", at)
        if done:
            turns.resume(connection, at)
            notify_daemons(connection)
        lost = [key for ids in shown.values() for key in ids if key not in done]
        changed = [
            ChangedEffect(row["id"], row["status"], row["decided_by"]) for row in queries.effects_by_id(connection, lost)
        ]
    return Decided(tuple(sorted(done)), tuple(changed))


@repeated
def decide_as_shown(
    target: Database | Connection, action: EffectAction, shown: Sequence[ChosenEffect], by: str, at: datetime
) -> None:
    """Decide on all of the chosen effects, or on none.

    Raises:
        UsageError: one of them has another status than the person was shown; nothing was changed.

    """
    with writing(target) as connection:
        decided = decide_effects(connection, action, shown, by, at)
        if decided.changed:
            one = decided.changed[0]
            raise UsageError(
                tr(
                    "effect {id} is {status} meanwhile, and nothing was changed: look again with --dry-run",
                    id=one.id,
                    status=one.status,
                )
            )


def _as_shown(shown: Mapping[EffectStatus, Sequence[int]], status: EffectStatus) -> list[int]:
    """Return the effects that a person was shown as they are; that a message was written or given up changes nothing."""
    as_shown = _UNTRIED if status in _UNTRIED else (status,)
    return [key for one in as_shown for key in shown.get(one, ())]


def _change(
    connection: Connection, action: EffectAction, status: EffectStatus, ids: Sequence[int], by: str, at: datetime
) -> dict[int, int]:
    """Change effects that have one status; return the orders of those that did, by effect."""
    if not ids:
        return {}
    if action is EffectAction.approve:
        return dict(outbox.change_status(connection, ids, status, EffectStatus.ready, by, at))
    if action in _ENDS:
        decided = dict(outbox.change_status(connection, ids, status, _ENDS[action], by, at))
        if status in attention.STUCK:
            outbox.change_stuck_messages(connection, decided, MessageStatus.dropped, at)
        return decided
    carried = outbox.carried(connection, ids)
    decided = dict(outbox.change_status(connection, carried, status, EffectStatus.leaving, by, at))
    outbox.change_stuck_messages(connection, decided, MessageStatus.waiting, at)
    return decided | dict(outbox.change_status(connection, set(ids) - carried, status, EffectStatus.ready, by, at))


@repeated
def resolve(
    target: Database | Connection, identity: str, flags: Sequence[str] | None, by: str, note: str, at: datetime, rules: Rules
) -> list[str]:
    """Clear flags of an order (None: those that stand now) with a note on what was done; return which stood.

    Clocks that rest for a report that could not be read run on (rule 7.10).

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        UsageError: a flag that was named does not stand on the order.

    """
    with writing(target) as connection:
        order_id = queries.resolve_id(connection, identity)
        standing = [row["flag"] for row in queries.attention(connection, order_id)]
        for flag in flags or ():
            if flag not in standing:
                raise UsageError(
                    tr(
                        "{flag!r} is not a flag of that order{hint}",
                        flag=flag,
                        hint=did_you_mean(flag, standing or ["none"]),
                    )
                )
        resolved = attention.resolve_flags(connection, order_id, standing if flags is None else flags, by, note, at)
        if UNREAD in resolved:
            unread.resolve(connection, order_id, by, at, rules)
        turns.resume(connection, at)
        return resolved


@repeated
def close_exception(target: Database | Connection, report_id: int, by: str, note: str, at: datetime) -> None:
    """Close an exception with a note on what was done.

    Raises:
        UsageError: there is no such exception.
        AlreadyDecided: another person has closed it.

    """
    with writing(target) as connection:
        if attention.close_exception(connection, report_id, by, note, at):
            turns.resume(connection, at)
            return
        found = attention.exception(connection, report_id)
    if found is None:
        raise UsageError(
            tr("there is no exception {report_id}: `aftersales exceptions` lists those that are open", report_id=report_id)
        )
    closed = f"{found['resolved_at']:%Y-%m-%d %H:%M} UTC"
    raise AlreadyDecided(
        tr(
            "exception {report_id} was closed by {resolved_by} at {closed}: {word}",
            report_id=report_id,
            resolved_by=found["resolved_by"],
            closed=closed,
            word=found["word"],
        )
    )


@repeated
def retry_timers(target: Database | Connection, wanted: Sequence[Due]) -> list[Due]:
    """Let timers that were set aside be tried again; return those that still were."""
    with writing(target) as connection:
        retried = timers.retry(connection, wanted)
        if retried:
            notify_daemons(connection)
    return retried
