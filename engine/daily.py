"""The daily digest: what needs each merchant, written once a day at the hour that the policy names (rule 5.11)."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime

import language
from effects.letters import Daily, DailyItem, language_for, sum_in_words
from engine import operations
from engine.composing import Messenger
from engine.today import Item, Today, in_words, today
from storage import operations as stored
from storage import outbox, overview
from storage.database import Database, repeated
from storage.outbox import NewMessage
from workflow.policy.policy import Policy, Rules
from workflow.process import DAILY_DIGEST

SHOWN = 30
"""So many things stand in a digest; the others are counted."""


@repeated
def write_daily_digests(database: Database, at: datetime, rules: Rules, messenger: Messenger) -> int:
    """Write the digests of the day, if its hour has come and they were not written yet; return how many messages that were.

    A merchant whom nothing needs gets none, and so does one whose address is not known.
    """
    local, hour = at.astimezone(messenger.zone), rules.policy.effects.daily_digest_at
    if hour is None or local.time() < hour or _was_done(database, local.date()):
        return 0
    written = [*_digests(database, at, rules, messenger)]
    with database.write() as connection:
        operation = operations.begin(connection, operations.DAILY, "timer", at, {}, _name(local.date()))
        if operation.ended_at is not None:
            return 0  # another daemon was sooner
        stored.end(connection, operation, at)
        outbox.write_messages(connection, written, at)
    return len(written)


def _was_done(database: Database, day: date) -> bool:
    with database.read() as connection:
        return stored.find(connection, _name(day)) is not None


def _name(day: date) -> str:
    return f"{DAILY_DIGEST}-{day}"


def _digests(database: Database, at: datetime, rules: Rules, messenger: Messenger) -> Iterator[NewMessage]:
    """Yield the message of each merchant whom something needs, for each channel."""
    merchants = _merchants(database, rules.policy)
    for (address, spoken), shops in merchants.items():
        of = shops if len(merchants) > 1 else ()  # files of the inbox are of no shop
        with language.spoken(spoken):
            found = today(database, at, rules, messenger.zone, of)
            daily = _daily(found, at)
        if not found.items:
            continue
        letter = messenger.letters.daily(spoken, daily, messenger.zone)
        for channel in rules.policy.channels(DAILY_DIGEST):
            key = f"{_name(at.astimezone(messenger.zone).date())}:{address}:{spoken}:{channel}"
            yield NewMessage(key, DAILY_DIGEST, channel, address, spoken, letter.subject, letter.body, {})


def _merchants(database: Database, policy: Policy) -> dict[tuple[str, str], list[str]]:
    """Return the shops of each merchant, by the address and language of the newest order of each shop."""
    found = defaultdict[tuple[str, str], list[str]](list)
    with database.read() as connection:
        for shop, own_address, spoken in overview.merchants(connection):
            if address := own_address or policy.contacts.merchant:
                found[address, language_for(spoken)].append(shop)
    return found


def _daily(found: Today, at: datetime) -> Daily:
    """Return what a digest says, in the language that is spoken now."""
    days = [(one.date, in_words(one.deadlines)) for one in found.days]
    items = tuple(map(_item, found.items[:SHOWN]))
    return Daily(at, items, len(found.items) - len(items), tuple(days), found.held)


def _item(one: Item) -> DailyItem:
    amount = sum_in_words(one.amount, one.currency) if one.amount is not None and one.currency else None
    return DailyItem(one.order, one.what, one.command, one.until, amount)
