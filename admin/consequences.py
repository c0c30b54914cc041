"""What a report, a decision or an undo made of an order, or would make of it, in the lines that their commands print."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from admin.effect_summary import effect_summary
from admin.text import safe
from language import tr
from workflow.case.case import Case, Timer
from workflow.process import FLAGS
from workflow.vocabulary import Mode

if TYPE_CHECKING:
    from workflow.draft import EffectDraft

NEXT_SHOWN = 3


def is_or_would_be(would: bool) -> str:
    """Return the verb of what is so, or would be."""
    return tr("would be") if would else tr("is")


def moved(case: Case, trigger: str, *, would: bool) -> str:
    """Say in which state an order is after a step."""
    name, be = safe(case.name), is_or_would_be(would)
    return tr("Order {name} {be} {state} after {trigger}.", name=name, be=be, state=case.state, trigger=trigger)


def caused(effects: Sequence["EffectDraft"], currency: str, when: Callable[[datetime], str]) -> Iterator[str]:
    """Yield a line for each effect that a step causes, and until when it can be taken back."""
    for effect in effects:
        about = effect_summary(effect.kind, effect.details, currency)
        by_hand = tr(", which the policy leaves to you") if effect.mode is Mode.off else ""
        yield tr("  causes {kind}{word}{by_hand}", kind=effect.kind, word=f": {safe(about)}" if about else "", by_hand=by_hand)
    until = max((one.leaves_at for one in effects if one.leaves_at and one.mode is not Mode.off), default=None)
    if until is not None:
        yield tr("  leaves {until}: until then `aftersales undo` takes it back", until=when(until))


def flagged(flags: Iterable[str]) -> Iterator[str]:
    """Yield a line for each flag that a step raised."""
    for flag in flags:
        yield tr("  needs a person: {flags}", flags=tr(FLAGS[flag]))


def next_deadlines(timers: Iterable[Timer], when: Callable[[datetime], str]) -> Iterator[str]:
    """Yield a line for each of the first timers that is to fire."""
    for timer in sorted(timers, key=lambda one: one.due_at)[:NEXT_SHOWN]:
        if timer.status == "pending":
            yield tr("  next: {trigger}, {due_at}", trigger=timer.trigger, due_at=when(timer.due_at))
