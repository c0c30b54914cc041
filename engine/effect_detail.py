"""One effect with its messages, as they left or as they would be written now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.composing import Messenger, preview
from engine.views import EffectSummary, Source, effects_named, filled
from storage import outbox, queries
from storage.database import reading
from workflow.policy.policy import Policy
from workflow.vocabulary import EffectStatus, MessageStatus


@dataclass(frozen=True, slots=True)
class Message:
    """A message that carries an effect: as it left, or (without a status) as it would be written now."""

    channel: str
    recipient: str | None
    subject: str
    body: str
    status: MessageStatus | None
    tries: int = 0
    error: str | None = None
    """Why the last try has failed."""
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectDetail:
    """One effect with its messages."""

    effect: EffectSummary
    messages: Sequence[Message]
    never_leaves: bool = False
    """Whether nothing will be written about it any more: it was dropped before, or the policy leaves it to the merchant."""


def effect_detail(source: Source, effect_id: int, policy: Policy, messenger: Messenger) -> EffectDetail:
    """Return one effect with its messages, as they left or as they would be written now.

    Raises:
        UsageError: there is no such effect.
        AftersalesError: its message cannot be written; the error says why.

    """
    with reading(source) as connection:
        (effect,) = effects_named(connection, [effect_id])
        stored = queries.messages_of(connection, effect_id)
        ready = outbox.effect(connection, effect_id)
    if stored:
        return EffectDetail(effect, [filled(Message, row) for row in stored])
    composed = preview(ready, policy, messenger)
    messages = [Message(one.channel, one.recipient, one.subject, one.body, None) for one in composed]
    return EffectDetail(effect, messages, never_leaves=effect.status in (EffectStatus.dropped, EffectStatus.off))
