"""Faults put back into the engine by hand, to see that a simulation finds them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from engine import composing, sending
from engine.sending import Sender
from jobs.clock import PlausibleClock
from storage import case_changes, case_mapper, cases, erasing, operations, undoing
from storage.tables import ReportRow, TimerRow
from workflow.rules import timers, undo_changes
from workflow.rules.guards import GUARDS, Guard
from workflow.vocabulary import MessageStatus, Verdict

Patched = Any


def _timers_not_stored() -> Patched:
    """A timer that has fired, ended or was moved is not stored as such."""
    real = case_changes._timers

    def forgetful(writes: case_changes.RowChanges, *others: Any) -> None:
        real(writes, *others)
        writes.changed[TimerRow].clear()

    return patch.object(case_changes, "_timers", forgetful)


def _refusals_not_kept() -> Patched:
    """A report that was refused is acknowledged, and not kept."""
    real = case_changes._reports

    def forgetful(writes: case_changes.RowChanges, *others: Any) -> None:
        real(writes, *others)
        writes.added[ReportRow] = [row for row in writes.added[ReportRow] if row["verdict"] != Verdict.refused]

    return patch.object(case_changes, "_reports", forgetful)


def _refunds_without_limit() -> Patched:
    """More may come back than was paid."""
    return patch.dict(GUARDS, {"within_what_was_paid": Guard(lambda _: True, "")})


def _unknown_is_sent_again() -> Patched:
    """A message that may have left is sent again, even if it moves goods or money."""
    return patch.object(sending, "_when_unknown", lambda _: MessageStatus.waiting)


def _text_of_the_try() -> Patched:
    """A message that is tried again has another text."""
    real = Sender._hand_over

    def changed(self: Sender, message: Any) -> Any:
        return real(self, replace(message, body=f"{message.body}\n(try {message.tries})"))

    return patch.object(Sender, "_hand_over", changed)


def _clocks_go_on() -> Patched:
    """Clocks that do not run in a state go on when an order enters it."""
    return patch.object(timers, "end", lambda *_: None)


def _moved_and_not_woken() -> Patched:
    """A timer that was moved is still looked at when it was due before."""
    real = case_mapper.timer_changes

    def asleep(order_id: int, was: Any, now: Any) -> Any:
        return {name: value for name, value in real(order_id, was, now).items() if name != "wake_at"}

    return patch.object(case_changes.case_mapper, "timer_changes", asleep)


def _duplicates_not_known() -> Patched:
    """What was reported before is not known."""
    return patch.object(cases, "told", lambda *_: defaultdict(list))


def _one_key_for_two() -> Patched:
    """Two effects of one order share the key of their messages."""
    return patch.object(composing, "_key", lambda effect: f"{effect.order.name}:{effect.kind}")


def _reports_not_erased() -> Patched:
    """What was said of a buyer stays when the buyer is erased."""
    return patch.object(erasing, "erase_reports", lambda *_: 0)


def _progress_forgotten() -> Patched:
    """How far a command on many timers has come is not recorded."""
    real = operations.advance

    def forgetful(connection: Any, operation_id: str, before: int, done: int, plan: Any = None) -> bool:
        return True if plan is None else real(connection, operation_id, before, done, plan)

    return patch.object(operations, "advance", forgetful)


def _clock_believed() -> Patched:
    """A clock is believed, however far it is ahead."""
    return patch.object(PlausibleClock, "why_not", lambda *_: None)


def _clocks_not_taken_back() -> Patched:
    """What a step did to clocks stays done when the step is taken back."""
    return patch.object(undo_changes, "_restore_timers", lambda *_: None)


def _parts_stay() -> Patched:
    """Rows of suppliers' turns, parcels and claims stay when the step that made them is taken back."""
    return patch.object(undoing, "remove_parts", lambda *_: None)


FAULTS: Mapping[str, Callable[[], Patched]] = {
    make.__name__.strip("_").replace("_", "-"): make
    for make in (
        _timers_not_stored,
        _refusals_not_kept,
        _refunds_without_limit,
        _unknown_is_sent_again,
        _text_of_the_try,
        _clocks_go_on,
        _moved_and_not_woken,
        _duplicates_not_known,
        _one_key_for_two,
        _reports_not_erased,
        _progress_forgotten,
        _clock_believed,
        _clocks_not_taken_back,
        _parts_stay,
    )
}
"""By name, what makes each of them."""


def planted(name: str | None) -> AbstractContextManager[object]:
    """Let the engine have a fault, or none, for a while."""
    return FAULTS[name]() if name else nullcontext()
