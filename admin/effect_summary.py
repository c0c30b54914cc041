"""What an effect is about, in a few words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from admin.text import safe
from language import tr
from workflow.case.money import show_amount
from workflow.table import EFFECT_OF
from workflow.vocabulary import Mode, Party

if TYPE_CHECKING:
    from workflow.draft import EffectDraft


def effect_summary(kind: str, details: Mapping[str, Any], currency: str) -> str:
    """Say what an effect speaks of: the sum, the pieces, the supplier or the reason."""
    said = []
    if kind in ("request_refund", "chase_refund"):
        amount = details.get("amount")
        said.append(
            tr("the full amount paid; a person names the sum") if amount is None else show_amount(int(amount), currency)
        )
    names = ("pieces", "supplier", "reason") if EFFECT_OF[kind].party is Party.supplier else ("pieces", "reason")
    said += [str(details[name]) for name in names if details.get(name)]
    return ", ".join(said)


def caused(effects: Sequence["EffectDraft"], currency: str, when: Callable[[datetime], str]) -> Iterator[str]:
    """Yield a line for each effect that a step causes, and until when it can be taken back."""
    for effect in effects:
        about = effect_summary(effect.kind, effect.details, currency)
        by_hand = tr(", which the policy leaves to you") if effect.mode is Mode.off else ""
        yield tr("  causes {kind}{word}{by_hand}", kind=effect.kind, word=f": {safe(about)}" if about else "", by_hand=by_hand)
    until = max((one.leaves_at for one in effects if one.leaves_at and one.mode is not Mode.off), default=None)
    if until is not None:
        yield tr("  leaves {until}: until then `aftersales undo` takes it back", until=when(until))
