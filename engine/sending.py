"""Messages sent, each at least once and under an owner; what moves goods or money at most once by itself (rule 5.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from sqlalchemy import Connection

from effects.channel import Attachment, Channel, Keeps, Later, NotSent, OutcomeUnknown, Outgoing
from engine import owning
from engine.composing import BATCH, Messenger, compose_due
from engine.halves import in_halves
from evidence.vault import SHOWN, Vault, VaultFailed
from language import tr
from storage import outbox
from storage.database import Database, repeated
from storage.outbox import ALL_CHANNELS, Attached, Ended, StoredMessage, Through
from workflow.errors import describe_error
from workflow.policy.policy import Policy, Rules
from workflow.process import DAILY_DIGEST
from workflow.table import EFFECT_OF
from workflow.vocabulary import MessageStatus

MOST_AT_ONCE = 100
QUICK, SLOW = timedelta(milliseconds=250), timedelta(seconds=1)
OUTCOME_UNKNOWN = "its sender was stopped before the outcome was known"

Clock = Callable[[], datetime]
"""Returns the present instant: a round of sending can take long."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a round of sending did."""

    sent: int = 0
    failed: int = 0
    why: str | None = None
    """Why the last of those that failed did."""
    anew: int = 0
    """Messages that were given up before their first try: what they told had changed, and is to be written anew."""

    def plus(self, later: "Sent") -> "Sent":
        """Return what both rounds did together."""
        return Sent(self.sent + later.sent, self.failed + later.failed, later.why or self.why, self.anew + later.anew)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a message that was handed over, until it is recorded."""

    message: StoredMessage
    status: MessageStatus
    error: str | None = None
    again: timedelta | None = None
    """After how long the channel takes it, if it took none for now: that counts as no try."""


class Sender:
    """Sends what is due through some channels, one message at a time, under an owner.

    A message is taken when its own sending begins, in the transaction that records what became of the one before. Harmless
    ones are taken a few at a time, as many as are sent within a moment; what moves goods or money is taken by itself. If that
    transaction fails, the outcomes are kept here and recorded at the beginning of the next round.
    """

    def __init__(
        self, database: Database, owner: str, rules: Rules, messenger: Messenger, through: Through = ALL_CHANNELS
    ) -> None:
        self._database, self._owner, self._messenger, self._through = database, owner, messenger, through
        self._policy = rules.policy
        self._outcomes: list[_Outcome] = []
        self._interrupted = False
        self._at_once = 1
        """So many harmless messages are taken together."""
        self._anew = 0
        """Messages of this round that were given up, to be written anew."""

    def send_due(self, clock: Clock, carry_on: Callable[[], bool] = lambda: True) -> Sent:
        """Send a batch of messages; where `carry_on` says no, the others wait for the next round.

        Raises:
            OwnershipLost: the owner was taken for dead; what it had not begun is another's.

        """
        self.record(clock())
        self._anew = 0
        with self._database.read() as connection:
            due: Sequence[tuple[int, str]] = outbox.due(connection, clock(), BATCH, self._through)
        done, goes_on = Sent(), True
        while due and goes_on and carry_on():
            some, due = self._together(due)
            began, taken = clock(), self._next(clock(), some)
            for place, message in enumerate(taken):
                may_try = goes_on and (place == 0 or carry_on())
                outcome = self._hand_over(message) if may_try else _untried(message)
                goes_on = outcome.again is None
                self._outcomes.append(outcome)
            done = done.plus(_sum_of(self._outcomes))
            self._adapt(clock() - began)
        self.record(clock())
        return done.plus(Sent(anew=self._anew))

    def _together(self, due: Sequence[tuple[int, str]]) -> tuple[list[int], Sequence[tuple[int, str]]]:
        """Split off the messages that are taken next: one that moves goods or money, or some that do not."""
        harmless = takewhile(lambda one: _when_unknown(one[1]) is MessageStatus.waiting, due[: self._at_once])
        some = [message_id for message_id, _ in harmless] or [due[0][0]]
        return some, due[len(some) :]

    def _adapt(self, took: timedelta) -> None:
        """Take more messages together while sending them takes no time, and fewer where it does."""
        if took < QUICK:
            self._at_once = min(self._at_once * 2, MOST_AT_ONCE)
        elif took > SLOW:
            self._at_once = 1

    def renew(self, rules: Rules, messenger: Messenger) -> None:
        """Work with another policy and other channels from the next message on."""
        self._policy, self._messenger = rules.policy, messenger

    def rest(self) -> None:
        """Let go of what channels keep between messages."""
        for name, channel in self._messenger.channels.items():
            if self._through.has(name) and isinstance(channel, Keeps):
                channel.rest()

    def record(self, at: datetime) -> None:
        """Record what became of the last messages, if that is still to be done."""
        if self._outcomes or self._interrupted:
            self._next(at, [])

    def _next(self, at: datetime, message_ids: Sequence[int]) -> list[StoredMessage]:
        """Record what became of the last messages, and take the next ones."""
        before, self._interrupted = self._interrupted, True
        with self._database.write() as connection:
            owning.renew(connection, self._owner, at)
            if before:  # what was taken by a transaction whose end was not seen was not begun
                outbox.give_back(connection, self._owner, [one.message.id for one in self._outcomes], self._through)
            _finish(self._database, connection, [self._ended(one, at) for one in self._outcomes], at)
            taken = outbox.begin(connection, message_ids, self._owner, at) if message_ids else []
            first = [one.id for one in taken if one.tries == 1]
            given_up = {*first} - outbox.let_go(connection, first) if first else set[int]()
            self._anew += len(given_up)
        self._outcomes, self._interrupted = [], False
        return [one for one in taken if one.id not in given_up]

    def _ended(self, outcome: _Outcome, at: datetime) -> Ended:
        message, status, error = outcome.message, outcome.status, outcome.error
        if status is MessageStatus.waiting and outcome.again is None and message.tries >= self._policy.effects.tries:
            status, error = MessageStatus.dead, tr("given up after {tries} tries: {error}", tries=message.tries, error=error)
        if status is MessageStatus.sent:
            return Ended(message.id, self._owner, status, error)
        again = back_off(message.tries, self._policy) if outcome.again is None else outcome.again
        return Ended(message.id, self._owner, status, error, at + again, counts=outcome.again is None)

    def _hand_over(self, message: StoredMessage) -> _Outcome:
        """Hand a message to its channel; return what became of it."""
        try:
            channel = self._channel(message)
            facts = {name: getattr(message, name) for name in Outgoing.__dataclass_fields__ if name != "attachments"}
            channel.send(Outgoing(**facts, attachments=tuple(map(self._attachment, message.attached))))
        except Later as error:
            return _Outcome(message, MessageStatus.waiting, again=timedelta(seconds=error.seconds))
        except NotSent as error:
            return _Outcome(message, MessageStatus.waiting if error.try_again else MessageStatus.dead, str(error))
        except Exception as error:  # an unexpected error of a channel must not hold up other messages
            why = str(error) if isinstance(error, OutcomeUnknown) else describe_error(error)
            return _Outcome(message, _when_unknown(message.kind), why)
        return _Outcome(message, MessageStatus.sent)

    def _attachment(self, attached: Attached) -> Attachment:
        read = partial(_content, self._messenger.vault, attached.sha256)
        return Attachment(attached.name, attached.media_type, attached.sha256, read)

    def _channel(self, message: StoredMessage) -> Channel:
        """Return the channel of a message.

        Raises:
            NotSent: the policy that the message was written under names a channel that is not set up.

        """
        channel = self._messenger.channels.get(message.channel)
        if channel is None:
            raise NotSent(tr("the channel {channel!r} is not set up", channel=message.channel), try_again=True)
        return channel


def _content(vault: Vault | None, sha256: str) -> bytes:
    """Return the copy of a photo or video that is shown.

    Raises:
        NotSent: the store of evidence cannot be used now, or has lost it.

    """
    if vault is None:
        raise NotSent(tr("no store of evidence is set up"), try_again=True)
    try:
        return vault.get(SHOWN, sha256)
    except VaultFailed as error:
        raise NotSent(str(error), try_again=True) from None


def deliver_due(database: Database, at: datetime, rules: Rules, messenger: Messenger) -> Sent:
    """Compose what may leave, and send what waits for its next try at `at`, batch by batch: a pass without a daemon."""
    total = Sent()
    with owning.owned(database, "once", at) as owner:
        sender = Sender(database, owner, rules, messenger)
        while True:
            composed, sent = compose_due(database, at, rules, messenger), sender.send_due(lambda: at)
            total = total.plus(sent)
            if not composed and sent == Sent():
                sender.rest()
                return total


@repeated
def recover(database: Database, at: datetime) -> int:
    """Recover messages whose owner has ended: those that move goods or money are parked (rule 5.3). Return how many."""
    with database.write() as connection:
        owning.end_dead(database, connection, at)
        orphans = outbox.orphans(connection)
        for message_id, kind, owner in orphans:
            _finish(database, connection, [Ended(message_id, owner, _when_unknown(kind), OUTCOME_UNKNOWN)], at)
    return len(orphans)


def _finish(database: Database, connection: Connection, ended: Sequence[Ended], at: datetime) -> None:
    """Record what became of messages; if the effects of one cannot be told of it, that of the message alone (rule 9.5)."""

    def finish(some: Sequence[Ended]) -> None:
        with connection.begin_nested():
            outbox.finish(connection, some, at)

    def alone(one: Ended, error: Exception) -> None:
        outbox.finish_alone(connection, one, at, describe_error(error))

    in_halves(ended, finish, alone, concerns_all=database.cannot_be_used)


def _untried(message: StoredMessage) -> _Outcome:
    """Return the outcome of a message that was taken, and not handed over: it waits for the next round."""
    return _Outcome(message, MessageStatus.waiting, again=timedelta(0))


def _sum_of(outcomes: Sequence[_Outcome]) -> Sent:
    tried = [one for one in outcomes if one.again is None]
    failed = [one for one in tried if one.status is not MessageStatus.sent]
    return Sent(len(tried) - len(failed), len(failed), failed[-1].error if failed else None)


def _when_unknown(kind: str) -> MessageStatus:
    """Return the status of a message that may have left: one that moves goods or money is not sent twice (rule 5.3)."""
    effect = EFFECT_OF.get(kind)
    is_harmless = kind == DAILY_DIGEST or (effect is not None and not effect.moves)
    return MessageStatus.waiting if is_harmless else MessageStatus.parked


def back_off(tries: int, policy: Policy) -> timedelta:
    """Return how long to wait after that many tries: twice as long each time, up to the policy's limit."""
    first, longest = policy.effects.first_retry_after.span(), policy.effects.longest_retry_after.span()
    seconds = int(first.total_seconds()) << (tries - 1)  # an int holds what no timedelta could
    return timedelta(seconds=min(seconds, int(longest.total_seconds())))
