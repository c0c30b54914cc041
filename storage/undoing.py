"""Steps that a person can take back, and what taking one back does besides the case (rule 2.19)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, delete, insert, select, update

from storage.chunks import chunked
from storage.row_sets import UNSENT
from storage.tables import (
    AttemptRow,
    AttentionRow,
    ClaimRow,
    DecisionRow,
    EffectRow,
    MemberRow,
    MessageRow,
    ParcelRow,
    ReportRow,
    UndoableRow,
    table_of,
)
from workflow.case.canonical import kept_json
from workflow.case.case import Case
from workflow.process import EFFECTS
from workflow.undoing import Taken, as_kept, as_read, can_be_undone, taken
from workflow.vocabulary import EffectStatus, MessageStatus, Party, Verdict

if TYPE_CHECKING:
    from storage.case_changes import CaseChange

_PARTS = ((AttemptRow, "attempts"), (ParcelRow, "parcels"), (ClaimRow, "claims"), (DecisionRow, "decisions"))
"""Parts of a case whose rows go with the step that made them."""
_WITHIN = tuple(effect.kind for effect in EFFECTS if effect.party in (Party.merchant, Party.contact))
"""Effects that tell the merchant's own people: that they have left is in nobody's way."""
_GONE = (EffectStatus.leaving, EffectStatus.sent, EffectStatus.parked)
"""Statuses of effects that have left, or may have."""
_GONE_MESSAGES = (MessageStatus.sending, MessageStatus.sent, MessageStatus.parked)
_u, _e, _r, _a = (table_of(model) for model in (UndoableRow, EffectRow, ReportRow, AttentionRow))


@dataclass(frozen=True, slots=True)
class Kept:
    """The last steps of an order that can be taken back, when they were recorded, and their reports with earlier verdicts.

    `raised` and `cleared` are the flags that they raised and cleared, `dropped` the effects that they let drop, by id; None
    where an older program took the steps: then what has changed at their instant counts as theirs.
    """

    what: Taken
    recorded: datetime
    reports: Sequence[tuple[str, str, int, str | None]]
    raised: Sequence[str] | None = None
    cleared: Sequence[str] | None = None
    dropped: Sequence[int] | None = None


def keep(connection: Connection, changes: Iterable[tuple[int, "CaseChange"]]) -> None:
    """Keep how the steps of people can be taken back, before they are stored."""
    for key, change in changes:
        if not change.steps or not change.before or not can_be_undone(change.steps):
            continue
        assert change.before is not None, "a new order is placed, and that stays"
        what = taken(change.before, change.after, change.steps)
        told = {
            "reports": [_with_verdict(connection, one.report) for one in change.received],
            **_flags_of(connection, key, change),
            "dropped": _effects_of(connection, key, change),
        }
        row = {"trigger": what.trigger, "first": what.first, "last": what.last, "recorded": change.at}
        values = {"order_id": key, **row, "was": kept_json(as_kept(what.was)), "reports": kept_json(told)}
        connection.execute(insert(_u).values(values))


def _flags_of(connection: Connection, order_id: int, change: "CaseChange") -> dict[str, list[str]]:
    """Return which flags the steps of a change raise, and which of those that stand they clear."""
    stands = {*connection.execute(select(_a.c.flag).where(_a.c.order_id == order_id, _a.c.resolved_at.is_(None))).scalars()}
    raised = {flag for step in change.steps for flag in step.flags} - stands
    cleared = {flag for step in change.steps for flag in step.cleared} & stands
    return {"raised": sorted(raised), "cleared": sorted(cleared)}


def _effects_of(connection: Connection, order_id: int, change: "CaseChange") -> list[int]:
    """Return the effects, not yet left, that the steps of a change let drop."""
    kinds = {kind for step in change.steps for kind, _ in step.obsolete}
    if not kinds:
        return []
    unsent = select(_e.c.id).where(_e.c.order_id == order_id, _e.c.kind.in_(kinds), _e.c.status.in_(UNSENT))
    return [*connection.execute(unsent.order_by(_e.c.id)).scalars()]


def _with_verdict(connection: Connection, report: Any) -> tuple[str, str, int, str | None]:
    """Return how a report is known, and which verdict it has had before."""
    before = None
    if report.id is not None:
        before = connection.execute(select(_r.c.verdict).where(_r.c.id == report.id)).scalar()
    return report.source, report.key, report.nth, before


def find(connection: Connection, order_id: int, last: int) -> Kept | None:
    """Return what was kept of the steps of a person that end with the `last` one; None: nothing."""
    row = connection.execute(select(_u).where(_u.c.order_id == order_id, _u.c.last == last)).mappings().first()
    if row is None:
        return None
    what = Taken(row["trigger"], row["first"], row["last"], as_read(json.loads(row["was"])))
    told = json.loads(row["reports"])
    told = told if isinstance(told, dict) else {"reports": told}
    reports = [(source, key, nth, before) for source, key, nth, before in told["reports"]]
    return Kept(what, row["recorded"], reports, *(told.get(name) for name in ("raised", "cleared", "dropped")))


def forget(connection: Connection, order_ids: Iterable[int]) -> None:
    """Forget how the steps of orders can be taken back: what was before them may tell of a buyer who is erased."""
    for some in chunked(order_ids):
        connection.execute(delete(_u).where(_u.c.order_id.in_(some)))


def forget_one(connection: Connection, order_id: int, what: Taken) -> None:
    """Forget how steps can be taken back that were."""
    connection.execute(delete(_u).where(_u.c.order_id == order_id, _u.c.first == what.first))


def that_have_left(connection: Connection, order_id: int, what: Taken, *, lock: bool) -> tuple[list[str], list[str]]:
    """Return the kinds of effects of some steps that have left, or may have: for others, and for the merchant's own people.

    With `lock`, PostgreSQL locks all effects of these steps, so that no message takes one of them meanwhile.
    """
    theirs = select(_e.c.kind, _e.c.status, _e.c.id).where(_caused(order_id, what)).order_by(_e.c.id)
    found = connection.execute(theirs.with_for_update() if lock else theirs).all()
    by_one = _left_by_one_channel(connection, [key for _, status, key in found if status == EffectStatus.dead])
    left = [kind for kind, status, key in found if status in _GONE or key in by_one]
    return [kind for kind in left if kind not in _WITHIN], [kind for kind in left if kind in _WITHIN]


def _left_by_one_channel(connection: Connection, effect_ids: Sequence[int]) -> set[int]:
    """Return which of these effects, which one channel could not deliver, have left by another, or may have."""
    m, member = table_of(MessageRow), table_of(MemberRow)
    gone = select(member.c.effect_id).join(m, m.c.id == member.c.message_id).where(m.c.status.in_(_GONE_MESSAGES))
    return set(connection.execute(gone.where(member.c.effect_id.in_(effect_ids))).scalars()) if effect_ids else set()


def drop_effects(connection: Connection, order_id: int, what: Taken, by: str, at: datetime) -> list[int]:
    """Drop the effects of steps that are taken back; return their ids: their messages are to be dropped too."""
    stuck = (*UNSENT, EffectStatus.dead)
    values = {"status": EffectStatus.dropped, "decided_by": by, "decided_at": at}
    dropped = update(_e).where(_caused(order_id, what), _e.c.status.in_(stuck)).values(values)
    return [*connection.execute(dropped.returning(_e.c.id)).scalars()]


def revive_effects(connection: Connection, order_id: int, kept: Kept, *, observed: bool) -> None:
    """Let the effects wait again that steps had dropped which are taken back."""
    by_them = _e.c.decided_by == "the process", _e.c.decided_at == kept.recorded, _e.c.sequence < kept.what.first
    m, member = table_of(MessageRow), table_of(MemberRow)
    carrying = select(member.c.effect_id).join(m, m.c.id == member.c.message_id)
    is_carried = carrying.where(member.c.effect_id == _e.c.id, m.c.status == MessageStatus.waiting).exists()
    status = case((is_carried, EffectStatus.written), else_=EffectStatus.held if observed else EffectStatus.ready)
    values = {"status": status, "decided_by": None, "decided_at": None}
    mine = [_e.c.order_id == order_id, _e.c.status == EffectStatus.dropped]
    mine += [] if kept.dropped is None else [_e.c.id.in_(kept.dropped)]
    connection.execute(update(_e).where(*mine, *by_them).values(values))


def restore_flags(connection: Connection, order_id: int, kept: Kept, by: str, at: datetime) -> None:
    """Clear the flags that steps had raised which are taken back, and raise those again that they had cleared."""
    mine, stands = _a.c.order_id == order_id, _a.c.resolved_at.is_(None)
    undone = {"resolved_at": at, "resolved_by": by, "word": "the step was taken back"}
    raised = [] if kept.raised is None else [_a.c.flag.in_(kept.raised)]
    connection.execute(update(_a).where(mine, stands, _a.c.raised_at == kept.recorded, *raised).values(undone))
    by_them = [_a.c.resolved_at == kept.recorded, _a.c.resolved_by == "the process"]
    by_them += [] if kept.cleared is None else [_a.c.flag.in_(kept.cleared)]
    cleared = connection.execute(select(_a.c.id, _a.c.flag).where(mine, *by_them)).all()
    known = {*connection.execute(select(_a.c.flag).where(mine, stands)).scalars()}
    again = {"resolved_at": None, "resolved_by": None, "word": None}
    for flag_id, flag in cleared:
        if flag not in known:
            connection.execute(update(_a).where(_a.c.id == flag_id).values(again))


def restore_verdicts(connection: Connection, order_id: int, kept: Kept) -> None:
    """Give the reports of steps that are taken back the verdicts that they had before; new ones count as undone."""
    for source, key, nth, before in kept.reports:
        this = (_r.c.order_id == order_id, _r.c.source == source, _r.c.key == key, _r.c.nth == nth)
        connection.execute(update(_r).where(*this).values(verdict=before or str(Verdict.undone)))


def remove_parts(connection: Connection, order_id: int, before: Case, after: Case) -> None:
    """Remove the rows of parts that go with the steps that made them."""
    for model, name in _PARTS:
        if (left := len(getattr(after, name))) < len(getattr(before, name)):
            t = table_of(model)
            connection.execute(delete(t).where(t.c.order_id == order_id, t.c.number > left))


def _caused(order_id: int, what: Taken) -> Any:
    return (_e.c.order_id == order_id) & _e.c.sequence.between(what.first, what.last)
