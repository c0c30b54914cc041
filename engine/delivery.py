"""Effects sent: composed into messages that never change, then sent at least once (docs/process.md, part 5)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from effects.channel import Channel, NotSent, OutcomeUnknown, Outgoing
from effects.letters import BadTemplate, LetterContext, Letters
from storage import outbox
from storage.database import Database
from storage.outbox import NewMessage, ReadyEffect, StoredMessage
from workflow.case.case import Order
from workflow.errors import AftersalesError
from workflow.policy.policy import Policy, Rules
from workflow.table import EFFECT_OF
from workflow.vocabulary import MessageStatus, Party

BATCH = 200
SENDING_ABANDONED_AFTER = timedelta(minutes=10)
"""Messages in status "sending" for longer than this are treated as abandoned."""
OUTCOME_UNKNOWN = "its sender was stopped before the outcome was known"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a round of sending did."""

    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Messenger:
    """The channels and texts that messages leave by."""

    channels: Mapping[str, Channel]
    letters: Letters


class NoAddress(Exception):
    """No address is known for a message; nothing of it was stored."""


def deliver_due(database: Database, at: datetime, rules: Rules, messenger: Messenger) -> Sent:
    """Compose a batch of what may leave, and send a batch of what waits for its next try at `at`: a pass without a daemon."""
    compose_due(database, at, rules, messenger)
    return send_due(database, at, rules, messenger)


def compose_due(database: Database, at: datetime, rules: Rules, messenger: Messenger, batch: int = BATCH) -> int:
    """Write the messages of a batch of effects that may leave; return how many effects that were.

    An effect whose message cannot be written is dead until a person fixes the reason and retries it.
    """
    with database.write() as connection:
        effects = outbox.ready(connection, batch)
        for members in _digests(effects):
            try:
                messages = [*_compose(members, rules.policy, messenger)]
            except (BadTemplate, NoAddress) as error:
                outbox.set_aside(connection, [one.id for one in members], at, str(error))
            else:
                outbox.write_messages(connection, messages, at)
    return len(effects)


def preview(effect: ReadyEffect, policy: Policy, messenger: Messenger) -> list[NewMessage]:
    """Return the messages of one effect as they would be written now; nothing is stored.

    Raises:
        AftersalesError: its letter cannot be written, or its address is not known.

    """
    try:
        return [*_compose([effect], policy, messenger)]
    except NoAddress as error:
        raise AftersalesError(str(error)) from None


def send_due(
    database: Database, at: datetime, rules: Rules, messenger: Messenger, carry_on: Callable[[], bool] = lambda: True
) -> Sent:
    """Send a batch of messages; where `carry_on` says no, those that were not begun wait for the next round."""
    sent = failed = 0
    with database.write() as connection:
        claimed = outbox.claim(connection, at, BATCH)
    for number, message in enumerate(claimed):
        if not carry_on():
            with database.write() as connection:
                outbox.give_back(connection, [one.id for one in claimed[number:]])
            break
        if _send(database, message, at, rules.policy, messenger):
            sent += 1
        else:
            failed += 1
    return Sent(sent, failed)


def recover(database: Database, at: datetime, older_than: timedelta = SENDING_ABANDONED_AFTER) -> int:
    """Recover messages whose sender was killed: those that move goods or money are parked (rule 5.3)."""
    with database.write() as connection:
        orphans = outbox.sending_since(connection, at - older_than)
        for message_id, kind in orphans:
            outbox.finish(connection, message_id, _when_unknown(kind), at, OUTCOME_UNKNOWN)
    return len(orphans)


def _compose(members: Sequence[ReadyEffect], policy: Policy, messenger: Messenger) -> Iterator[NewMessage]:
    """Write one letter about its members, and a message for each channel that it leaves by."""
    first = members[0]
    language = _language(first, policy)
    letter = messenger.letters.write(first.kind, language, [_context(one) for one in members])
    recipient = address_of(first.kind, first.supplier, first.order, policy)
    for channel in policy.channels(first.kind):
        if recipient is None and channel == "email":
            raise NoAddress(_whose_address(first))
        yield NewMessage(
            key=f"{_key(first)}:{channel}",
            kind=first.kind,
            channel=channel,
            recipient=recipient,
            language=language,
            subject=letter.subject,
            body=letter.body,
            members=tuple(one.id for one in members),
        )


def _digests(effects: Iterable[ReadyEffect]) -> Iterator[list[ReadyEffect]]:
    """Urges that wait for one supplier become one digest; everything else goes alone (rule 5.3)."""
    digests: dict[str, list[ReadyEffect]] = defaultdict(list)
    for effect in effects:
        if effect.kind == "urge_supplier" and effect.supplier:
            digests[effect.supplier].append(effect)
        else:
            yield [effect]
    yield from digests.values()


def _key(effect: ReadyEffect) -> str:
    return f"{effect.order.name}:{effect.sequence}:{effect.kind}"


def _language(effect: ReadyEffect, policy: Policy) -> str:
    """Merchants are written to in their order's language, all others in the policy's."""
    to_merchant = EFFECT_OF[effect.kind].party is Party.merchant
    return effect.order.language if to_merchant else policy.orders.language


def _context(effect: ReadyEffect) -> LetterContext:
    return LetterContext(effect.order, effect.attempt, effect.caused_at, effect.details)


def _whose_address(effect: ReadyEffect) -> str:
    party = EFFECT_OF[effect.kind].party
    where = {
        Party.supplier: f"[contacts.suppliers] {effect.supplier!r}",
        Party.platform: "[contacts] platform",
        Party.merchant: "[contacts] merchant",
        Party.contact: "[contacts] escalation",
    }
    return f"no email address of the {party} is known: set {where[party]} in the policy, then `aftersales effects retry`"


def address_of(kind: str, supplier: str | None, order: Order, policy: Policy) -> str | None:
    """Return the email address of the party that an effect speaks to, or None where none is known."""
    contacts = policy.contacts
    match EFFECT_OF[kind].party:
        case Party.supplier:
            return contacts.suppliers.get(supplier or "")
        case Party.platform:
            return contacts.platform
        case Party.merchant:
            return order.merchant_email or contacts.merchant
        case Party.contact:
            return contacts.escalation


def _send(database: Database, message: StoredMessage, at: datetime, policy: Policy, messenger: Messenger) -> bool:
    """Send one message and record what became of it; return whether it left."""
    try:
        _channel(message, messenger).send(Outgoing(message.key, message.kind, message.recipient, message.subject, message.body))
    except NotSent as error:
        status = MessageStatus.waiting if error.try_again else MessageStatus.dead
        _record_failure(database, message, at, policy, str(error), status)
    except Exception as error:  # an unexpected error of a channel must not hold up other messages
        why = str(error) if isinstance(error, OutcomeUnknown) else f"{type(error).__name__}: {error}"
        _record_failure(database, message, at, policy, why, _when_unknown(message.kind))
    else:
        with database.write() as connection:
            outbox.finish(connection, message.id, MessageStatus.sent, at)
        return True
    return False


def _channel(message: StoredMessage, messenger: Messenger) -> Channel:
    """Return the channel of a message.

    Raises:
        NotSent: the policy that the message was written under names a channel that is not set up.

    """
    channel = messenger.channels.get(message.channel)
    if channel is None:
        raise NotSent(f"the channel {message.channel!r} is not set up", try_again=True)
    return channel


def _when_unknown(kind: str) -> MessageStatus:
    """Return the status of a message that may have left: one that moves goods or money is not sent twice (rule 5.3)."""
    return MessageStatus.parked if EFFECT_OF[kind].moves else MessageStatus.waiting


def _record_failure(
    database: Database, message: StoredMessage, at: datetime, policy: Policy, error: str, status: MessageStatus
) -> None:
    if status is MessageStatus.waiting and message.tries >= policy.effects.tries:
        status, error = MessageStatus.dead, f"given up after {message.tries} tries: {error}"
    with database.write() as connection:
        outbox.finish(connection, message.id, status, at, error, at + back_off(message.tries, policy))


def back_off(tries: int, policy: Policy) -> timedelta:
    """Return how long to wait after that many tries: twice as long each time, up to the policy's limit."""
    first, longest = policy.effects.first_retry_after.span(), policy.effects.longest_retry_after.span()
    seconds = int(first.total_seconds()) << (tries - 1)  # an int holds what no timedelta could
    return timedelta(seconds=min(seconds, int(longest.total_seconds())))
