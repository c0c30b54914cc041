"""Effects composed into messages, whose text and key never change once they are tried (docs/process.md, part 5)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from effects.channel import Channel
from effects.letters import BadTemplate, ClaimTerms, LetterContext, Letters, OrderedGoods, SentFile, sum_in_words
from engine.halves import in_halves
from evidence.vault import SHOWN, Vault
from language import tr
from storage import outbox, turns
from storage.database import Database, repeated
from storage.outbox import Attached, NewMessage, ReadyEffect
from workflow.case.case import Line, Order
from workflow.catalogue import Goods, goods_in
from workflow.errors import AftersalesError, describe_error
from workflow.policy.policy import Policy, PolicyScope, Rules
from workflow.table import EFFECT_OF
from workflow.vocabulary import Party

BATCH = 200
ATTACHED_BYTES = 10_000_000
"""So much of the photos and videos of a claim is attached to a letter: many servers take mails of twice that at most."""


@dataclass(frozen=True, slots=True)
class Messenger:
    """The channels and texts that messages leave by."""

    channels: Mapping[str, Channel]
    letters: Letters
    zone: tzinfo = UTC
    """That of the merchant."""
    vault: Vault | None = None
    """Where the photos and videos are that letters carry."""


class NoAddress(Exception):
    """No address is known for a message; nothing of it was stored."""


@repeated
def compose_due(database: Database, at: datetime, rules: Rules, messenger: Messenger, batch: int = BATCH) -> int:
    """Write the messages of a batch of effects that may leave; return how many effects that were.

    One that comes after another effect waits until that has left (rule 5.8).
    An effect whose letter or address is missing is dead until a person fixes the reason and retries it; one that fails
    in any other way is tried again, and dead after the last try. The others go on (rule 9.5).
    """
    with database.write() as connection:
        turns.resume(connection, at)
        rows = outbox.ready(connection, at, batch)
        effects, unreadable = outbox.read_effects(connection, turns.take_turns(connection, rows, at))
        for effect_id, error in unreadable.items():
            outbox.set_back(connection, effect_id, at, describe_error(error))
        writing = _Writing(connection, at, rules.policy, messenger)
        for members in _digests(outbox.drop_pointless(connection, effects, at), rules.policy):
            in_halves(members, writing.write, writing.set_back, concerns_all=database.cannot_be_used)
        in_halves(writing.written, writing.store, writing.set_all_back, concerns_all=database.cannot_be_used)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes messages, and stores them all within one transaction, in which a failure undoes nothing else."""

    connection: Connection
    at: datetime
    policy: Policy
    messenger: Messenger
    written: list[list[NewMessage]] = field(default_factory=list)
    """The messages of the effects that go together: one for each channel."""

    def write(self, members: Sequence[ReadyEffect]) -> None:
        """Write the messages of effects that go together; without a letter or an address they are dead."""
        try:
            self.written.append([*_compose(members, self.policy, self.messenger)])
        except (BadTemplate, NoAddress) as error:
            outbox.set_aside(self.connection, [one.id for one in members], self.at, str(error))

    def store(self, written: Sequence[list[NewMessage]]) -> None:
        """Store messages, or none of them."""
        with self.connection.begin_nested():
            outbox.write_messages(self.connection, [one for messages in written for one in messages], self.at)

    def set_back(self, effect: ReadyEffect, error: Exception) -> None:
        """Count a failed try of an effect."""
        outbox.set_back(self.connection, effect.id, self.at, describe_error(error))

    def set_all_back(self, messages: list[NewMessage], error: Exception) -> None:
        """Count a failed try of all effects whose messages cannot be stored."""
        for effect_id in {effect_id for one in messages for effect_id in one.members}:
            outbox.set_back(self.connection, effect_id, self.at, describe_error(error))


def preview(effect: ReadyEffect, policy: Policy, messenger: Messenger) -> list[NewMessage]:
    """Return the messages of one effect as they would be written now; nothing is stored.

    Raises:
        AftersalesError: its letter cannot be written, or its address is not known.

    """
    try:
        return [*_compose([effect], policy, messenger)]
    except NoAddress as error:
        raise AftersalesError(str(error)) from None


def _compose(members: Sequence[ReadyEffect], policy: Policy, messenger: Messenger) -> Iterator[NewMessage]:
    """Write one letter about its members, and a message for each channel that it leaves by."""
    first = members[0]
    language = _language(first, policy)
    zone = _zone(first.kind, policy, messenger)
    carried = _carried(first, messenger.vault)
    letter = messenger.letters.write(first.kind, language, [_context(one, policy, carried) for one in members], zone)
    recipient = address_of(first.kind, first.supplier, first.order, policy)
    for channel in _policy_of(first, policy).channels(first.kind):
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
            members={one.id: one.order_version for one in members},
            attachments=tuple(attached for attached, file in carried if file.is_attached),
            thread=first.order.name if len(members) == 1 else None,
        )


def _digests(effects: Iterable[ReadyEffect], policy: Policy) -> Iterator[list[ReadyEffect]]:
    """All of one kind that wait for one reader, by the same channels, become one digest; some go alone (rule 5.3)."""
    digests: dict[tuple[str | None, ...], list[ReadyEffect]] = defaultdict(list)
    for effect in effects:
        if together := effect.goes_with:
            channels = _policy_of(effect, policy).channels(effect.kind) if policy.overrides else ()
            digests[*together, *channels].append(effect)
        else:
            yield [effect]
    yield from digests.values()


def _key(effect: ReadyEffect) -> str:
    return f"{effect.order.name}:{effect.sequence}:{effect.kind}"


def _language(effect: ReadyEffect, policy: Policy) -> str:
    """Merchants are written to in their order's language, all others in the policy's."""
    to_merchant = EFFECT_OF[effect.kind].party is Party.merchant
    return effect.order.language if to_merchant else policy.orders.language


def _zone(kind: str, policy: Policy, messenger: Messenger) -> tzinfo:
    """Return the zone of a letter's reader: the merchant's, or else that of the calendar's place."""
    is_ours = EFFECT_OF[kind].party in (Party.merchant, Party.contact)
    return messenger.zone if is_ours else ZoneInfo(policy.calendar.time_zone)


def _carried(effect: ReadyEffect, vault: Vault | None) -> list[tuple[Attached, SentFile]]:
    """Return the files of an effect's claim as its letter carries them: attached as long as there is room, then linked."""
    number, room, carried = re.sub(r"[^\w-]", "_", effect.order.number), ATTACHED_BYTES, list[tuple[Attached, SentFile]]()
    for place, one in enumerate(effect.files, 1):
        name = f"{number}-{place}.{one.shown.rpartition('/')[2]}"
        is_attached = one.bytes <= room
        room -= one.bytes if is_attached else 0
        link = None if is_attached or vault is None else vault.link(SHOWN, one.sha256)
        carried.append((Attached(one.sha256, name, one.shown), SentFile(name, is_attached, link)))
    return carried


def _context(effect: ReadyEffect, policy: Policy, carried: Sequence[tuple[Attached, SentFile]]) -> LetterContext:
    told = effect.order, effect.attempt, effect.caused_at, effect.details, _terms(effect, policy), effect.supplier_number
    known = {one.sku: one for one in goods_in(str(effect.details.get("goods") or "[]"))}
    goods = [(line, known.get(line.sku)) for line in effect.lines]
    prices = [one.price * line.quantity if one and one.price is not None else None for line, one in goods]
    currencies = {one.currency for _, one in goods if one}
    limit = None
    if goods and len(currencies) == 1 and (currency := currencies.pop()) and None not in prices:
        limit = sum_in_words(sum(one for one in prices if one is not None), currency)
    ordered = tuple(_ordered(line, one) for line, one in goods)
    return LetterContext(*told, goods=ordered, limit=limit, parcels=effect.parcels, files=tuple(file for _, file in carried))


def _policy_of(effect: ReadyEffect, policy: Policy) -> Policy:
    """Return the policy as it counts for the order of an effect."""
    if not policy.overrides:
        return policy
    return policy.for_scope(PolicyScope(effect.order.shop, effect.supplier, effect.order.route))


def _terms(effect: ReadyEffect, policy: Policy) -> ClaimTerms:
    """Return what the policy says of the claims of an effect's order."""
    claims = _policy_of(effect, policy).claims
    return ClaimTerms(claims.window, claims.reopen_within, claims.at_the_end)


def _ordered(line: Line, known: Goods | None) -> OrderedGoods:
    """Return a line as a letter orders it: by the supplier's own SKU and price, where the catalogue knew them."""
    if known is None:
        return OrderedGoods(line.quantity, line.sku, line.title)
    price = sum_in_words(known.price, known.currency) if known.price is not None and known.currency else None
    return OrderedGoods(line.quantity, known.supplier_sku or line.sku, line.title, known.address, price)


def _whose_address(effect: ReadyEffect) -> str:
    party = EFFECT_OF[effect.kind].party
    where = {
        Party.supplier: f"[contacts.suppliers] {effect.supplier!r}",
        Party.platform: "[contacts] platform",
        Party.merchant: "[contacts] merchant",
        Party.contact: "[contacts] escalation",
    }
    return tr(
        "no email address of the {party} is known: set {where} in the policy, then `aftersales effects retry`",
        party=party,
        where=where[party],
    )


def address_of(kind: str, supplier: str | None, order: Order, policy: Policy) -> str | None:
    """Return the email address of the party that an effect speaks to, or None where none is known."""
    contacts = policy.contacts
    match EFFECT_OF[kind].party:
        case Party.supplier:
            return contacts.of_supplier(supplier)
        case Party.platform:
            return contacts.platform
        case Party.merchant:
            return order.merchant_email or contacts.merchant
        case Party.contact:
            return contacts.escalation
