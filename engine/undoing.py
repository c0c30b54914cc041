"""A person takes steps of an order back, the last one first (rule 2.19)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from language import tr
from storage import attention, outbox, queries, turns, undoing
from storage.database import Database, reading, repeated, writing
from storage.notifications import notify_daemons
from workflow.case.case import Case
from workflow.case.history import HistoryRow
from workflow.draft import Event
from workflow.errors import Refused
from workflow.policy.policy import Rules
from workflow.process import RECORDS, STAYS_DONE
from workflow.step import Step, carry_out
from workflow.undoing import undo
from workflow.vocabulary import PERSON, MessageStatus, State


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: its trigger, when it was recorded and by whom, the step that did so, and the order afterwards."""

    trigger: str
    recorded: datetime
    by: str
    step: Step
    case: Case
    replacement: Case | None = None
    """The order that it had placed, or taken for a replacement, afterwards."""
    told: Sequence[str] = ()
    """Which effects of it have told the merchant's own people by now."""


@repeated
def undo_last(
    target: Database | Connection,
    identity: str,
    by: str,
    at: datetime,
    rules: Rules,
    *,
    reason: str | None = None,
    dry_run: bool = False,
) -> Undone:
    """Take back the last step of an order, or preview that: the order, its clocks, money, effects and flags are as before it.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        Refused: the last step was no report or decision of a person, is one that stays, or something of it has left.
        OrderChanged: another writer changed the order meanwhile; nothing was stored.

    """
    with reading(target) if dry_run else writing(target) as connection:
        order_id = queries.resolve_id(connection, identity)
        unit = UnitOfWork(connection, [order_id, *queries.replacements(connection, order_id)], at, lock=not dry_run)
        case, order = unit.case(order_id), unit.orders[order_id]
        last = _last_standing(queries.history(connection, order_id))
        kept = undoing.find(connection, order_id, last.sequence)
        if kept is None:
            raise Refused(case.name, case.state, "undo", _why_not(last))
        left, told = undoing.that_have_left(connection, order_id, kept.what, lock=not dry_run)
        if left:
            raise Refused(
                case.name, case.state, "undo", tr("{left} has left: what it caused cannot be taken back", left=", ".join(left))
            )
        replacement = _unlink(connection, unit, case, last, by, at, rules)
        made = undo(case, kept.what, at, by, reason, rules)
        unit.record(order_id, made, rules)
        after = order.run.case
        if not dry_run:
            _restore(connection, unit, order_id, kept, by, at)
    return Undone(kept.what.trigger, kept.recorded, last.actor, made, after, replacement, told)


def _unlink(
    connection: Connection, unit: UnitOfWork, case: Case, last: HistoryRow, by: str, at: datetime, rules: Rules
) -> Case | None:
    """Let the order that a step has placed, or taken for a replacement, be none any more; return it.

    One that was placed by that step alone is closed.

    Raises:
        Refused: something has happened to that order since.

    """
    if last.trigger != "confirm_reissue":
        return None
    number = str(last.details["new_order"])
    key, order = next((key, one) for key, one in unit.orders.items() if one.run.case.order.number == number)
    its_last = queries.history(connection, key)[-1]
    if its_last.recorded != last.recorded or not (its_last.trigger == "link" or "replaces" in its_last.details):
        why = tr(
            "something has happened to {name} since, which it had placed ({trigger})",
            name=order.run.case.name,
            trigger=its_last.trigger,
        )
        raise Refused(case.name, case.state, "undo", why)
    event = Event("unlink", at, at, by, {"of": case.order.number})
    target = None if its_last.trigger == "link" else State.closed
    unit.record(key, carry_out(unit.case(key), event, rules, RECORDS["unlink"], target), rules)
    return order.run.case


def _restore(connection: Connection, unit: UnitOfWork, order_id: int, kept: undoing.Kept, by: str, at: datetime) -> None:
    """Store a step that takes others back, and take back what they did beside the case."""
    order = unit.orders[order_id]
    before, after, observed = order.stored.case if order.stored else order.run.case, order.run.case, order.observed
    undoing.remove_parts(connection, order_id, before, after)
    unit.commit()
    dropped = undoing.drop_effects(connection, order_id, kept.what, by, at)
    outbox.change_stuck_messages(connection, dropped, MessageStatus.dropped, at)
    attention.unstick(connection, [order_id], by, "the step was taken back", at)
    undoing.revive_effects(connection, order_id, kept, observed=observed)
    undoing.restore_flags(connection, order_id, kept, by, at)
    undoing.restore_verdicts(connection, order_id, kept)
    undoing.forget_one(connection, order_id, kept.what)
    turns.resume(connection, at)
    notify_daemons(connection)


def _last_standing(history: Sequence[HistoryRow]) -> HistoryRow:
    """Return the last step that was not taken back, and took none back."""
    last = history[-1]
    while last.trigger == "undo":
        last = history[int(last.details["first"] or 0) - 2]
    return last


def _why_not(last: HistoryRow) -> str:
    """Say why the last step of an order cannot be taken back."""
    what = tr("its last step is {trigger}, by {actor}", trigger=last.trigger, actor=last.actor)
    if last.trigger in ("link", "unlink") or "taken_up" in last.details:
        return tr("{what}: that goes with the order that it replaces, or did", what=what)
    if not last.actor.startswith(PERSON):
        return tr("{what}: only what a person has reported or decided last can be taken back", what=what)
    if last.trigger in STAYS_DONE:
        return tr("{what}: that stays", what=what)
    if last.due is not None:
        return tr("{what}: a timer that a person has let fire stays fired (`override` moves the order)", what=what)
    if last.trigger.endswith("_timer"):
        return tr(
            "{what}: that is changed by `aftersales timers`, and a timer that was ended starts with a promise or an override",
            what=what,
        )
    return tr("{what}: it was taken by an older version of the program, or its buyer was erased", what=what)
