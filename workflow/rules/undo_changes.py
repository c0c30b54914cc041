"""What taking a step back does to the case file (rule 2.19)."""

from typing import Any

from workflow.case.case import LedgerRow, Timer, replace_fields
from workflow.draft import Draft
from workflow.rules import timers
from workflow.vocabulary import LedgerStatus


def take_back(draft: Draft) -> None:
    """The case is as it was before the step: state, attempts, parcels, claims, decisions, facts, clocks and money.

    Money that the step wrote down stays in the ledger, as undone.
    """
    was = draft.event.was
    assert was is not None, "who takes a step back knows what was before it"
    for name, before in was.items():
        if name not in ("timers", "ledger"):
            draft.change(**{name: _unchanged(getattr(draft.case, name), before)})
    if "ledger" in was and was["ledger"] != draft.case.ledger:
        known = _unchanged(draft.case.ledger, was["ledger"])
        draft.change(ledger=(*known, *map(_undone, draft.case.ledger[len(known) :])))
    if "timers" in was:
        _restore_timers(draft, was["timers"])
    timers.rest_while_unread(draft)


def _undone(row: LedgerRow) -> LedgerRow:
    return replace_fields(row, status=LedgerStatus.undone, settled_amount=None)


def _restore_timers(draft: Draft, was: tuple[Timer, ...]) -> None:
    now = {one.number: one for one in draft.case.timers}
    numbers = {one.number for one in was}
    for timer in draft.case.timers:
        if timer.number not in numbers:
            timers.end(draft, timer)
    restored = tuple(_unchanged(now[one.number], one) if one.number in now else one for one in was)
    draft.timers.update({one.number: one for one in restored if one is not now.get(one.number)})
    draft.change(timers=restored)


def _unchanged(now: Any, was: Any) -> Any:
    """Return what was, made of what is now wherever the two are equal: what has not changed is not sealed."""
    if now == was:
        return now
    if isinstance(was, tuple) and isinstance(now, tuple):
        return tuple(_unchanged(one, before) for one, before in zip(now, was, strict=False)) + was[len(now) :]
    if type(now) is type(was) and hasattr(was, "__dataclass_fields__"):
        return replace_fields(now, **{name: _unchanged(getattr(now, name), value) for name, value in vars(was).items()})
    return was
