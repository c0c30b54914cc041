"""What needs a person today, most urgent first, each with the command that answers it; and the deadlines of the next days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from engine.answering import list_decisions, yes_in_words
from engine.inbox_files import open_files, what_is_wrong
from engine.views import Filter, Source
from language import counted, tr
from storage import cases, heartbeats, lists, overview
from storage.database import reading
from workflow.arguments import argument
from workflow.case import claims
from workflow.case.money import exponent
from workflow.policy.policy import Rules
from workflow.process import FLAGS, UNPLACED

READ_AT_MOST = 200
"""Of each kind so many are read; more are counted as that many."""
CLAIMS_END_WITHIN = timedelta(days=7)
DAYS = 7
"""Days whose deadlines are counted, today included."""
_TOLD_OTHERWISE = ("undecided", "effect_stuck", UNPLACED)
"""Flags of what is listed itself: decisions, letters and exceptions."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs a person: of which kind, about which order or file, what it is, and the command that answers it.

    `until` is when the time for it ends, `amount` what it is about, in minor units of `currency`.
    """

    kind: str
    order: str
    what: str
    command: str
    since: datetime
    until: datetime | None = None
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The deadlines of one day, by trigger: of those that are overdue `date` is None."""

    date: datetime | None
    deadlines: dict[str, int]


@dataclass(frozen=True, slots=True)
class Today:
    """What needs a person, most urgent first, whether there is more than was read, and the deadlines of the next days.

    `provisional` counts the deadlines in years whose working days are not announced yet; `held` the effects that are held until
    a person goes live, a thousand at most; `watched` says whether a daemon has shown a sign of life lately.
    """

    items: Sequence[Item]
    has_more: bool
    days: Sequence[Day]
    provisional: int
    held: int = 0
    watched: bool = True


SIGN_OF_LIFE = timedelta(minutes=15)
"""A daemon that has given no sign for so long is not counted on."""


def today(source: Source, at: datetime, rules: Rules, zone: tzinfo, shops: Sequence[str] = ()) -> Today:
    """Return what needs a person at an instant: what has a deadline first, then what is about more money, then the older.

    Raises:
        UsageError: no order has a shop that is named.

    """
    with reading(source) as connection:
        lists.refuse_unknown_names(connection, shops, ())
        found = [
            _decisions(connection, at, rules, shops),
            _claims(connection, at, shops),
            _stuck(connection, shops),
            _failing(connection, shops),
            _flags(connection, shops),
            _exceptions(connection, shops),
            [] if shops else _files(connection),
        ]
        days = [*_days(connection, at, zone, shops)]
        provisional, held = overview.count_provisional(connection), overview.count_held(connection)
        watched = any(one["last_tick"] > at - SIGN_OF_LIFE for one in heartbeats.alive(connection))
    asked = {item.order for item in found[0]}
    others = (item for items in found[1:] for item in items if item.kind != "claim" or item.order not in asked)
    items = sorted([*found[0], *others], key=_urgency)
    return Today(items, any(len(some) >= READ_AT_MOST for some in found), days, provisional, held, watched)


def _files(connection: Connection) -> list[Item]:
    """Return the files of the inbox that were rejected; they are of no shop."""
    return [
        Item(
            kind="file",
            order=one.name,
            what=tr("was not taken in whole: {why}", why=what_is_wrong(one)),
            command=f"aftersales inbox show {one.id}",
            since=one.taken_at,
        )
        for one in open_files(connection, READ_AT_MOST)
    ]


def _urgency(item: Item) -> tuple[bool, float, float, float]:
    """Sort by the deadline, what has none last; then by the sum, the largest first; then by age."""
    until = item.until.timestamp() if item.until else 0.0
    amount = (item.amount or 0) / 10 ** exponent(item.currency) if item.currency else 0
    return item.until is None, until, -amount, item.since.timestamp()


def _decisions(connection: Connection, at: datetime, rules: Rules, shops: Sequence[str]) -> list[Item]:
    found = list_decisions(connection, Filter(shops=shops, awake_at=at), READ_AT_MOST, None, at, rules).rows
    return [
        Item(
            kind="decision",
            order=one.order,
            what=tr(
                "{trigger} waits for your decision{word}",
                trigger=one.trigger,
                word=f": {yes}" if (yes := yes_in_words(one, one.currency)) else "",
            ),
            command=f"aftersales decide {argument(one.order)}",
            since=one.since,
            until=one.ends,
            amount=one.amount,
            currency=one.currency,
        )
        for one in found
    ]


def _claims(connection: Connection, at: datetime, shops: Sequence[str]) -> list[Item]:
    rows = overview.claims_that_end(connection, at + CLAIMS_END_WITHIN, shops, READ_AT_MOST)
    of_orders = cases.load(connection, {row["order_id"] for row in rows}, lock=False)
    to_do = {"refund": tr("the refund has not come"), "reissue": tr("the replacement is not confirmed")}
    items = []
    for row in rows:
        case = of_orders[row["order_id"]].case
        items.append(
            Item(
                kind="claim",
                order=row["order"],
                what=tr(
                    "the time for claim {number} ends: {chosen}",
                    number=row["number"],
                    chosen=to_do.get(row["chosen"], tr("no remedy is chosen")),
                ),
                command=f"aftersales explain {argument(row['order'])}",
                since=case.since or case.order.placed_at,
                until=row["until"],
                amount=claims.worth(case, dict(case.claims[row["number"] - 1].pieces)),
                currency=row["currency"],
            )
        )
    return items


def _stuck(connection: Connection, shops: Sequence[str]) -> list[Item]:
    said = {"dead": tr("could not be sent"), "parked": tr("may have been sent, or not")}
    return [
        Item(
            kind="letter",
            order=row["order"],
            what=f"{row['kind']} {said[row['status']]}: {_line(row['error'])}",
            command=f"aftersales effects show {row['id']}",
            since=row["caused_at"],
        )
        for row in overview.stuck_effects(connection, shops, READ_AT_MOST)
    ]


def _failing(connection: Connection, shops: Sequence[str]) -> list[Item]:
    return [
        Item(
            kind="letter",
            order=row["order"],
            what=tr(
                "{kind} could not be sent so far, and is tried again: {error}", kind=row["kind"], error=_line(row["error"])
            ),
            command=f"aftersales effects show {row['effect_id']}",
            since=row["next_try_at"],
        )
        for row in overview.failing_messages(connection, shops, READ_AT_MOST)
    ]


def _flags(connection: Connection, shops: Sequence[str]) -> list[Item]:
    return [
        Item(
            kind="flag",
            order=row["order"],
            what=tr(FLAGS[row["flag"]]) + (f" ({_line(row['detail'])})" if row["detail"] else ""),
            command=f'aftersales resolve {argument(row["order"])} --flag {row["flag"]} "…"',
            since=row["raised_at"],
        )
        for row in overview.flags(connection, _TOLD_OTHERWISE, shops, READ_AT_MOST)
    ]


def _exceptions(connection: Connection, shops: Sequence[str]) -> list[Item]:
    return [
        Item(
            kind="exception",
            order=row["order"],
            what=tr("{trigger} does not fit it: {reason}", trigger=row["trigger"], reason=_line(row["reason"])),
            command=f'aftersales exceptions retry {row["id"]} (or close {row["id"]} "…")',
            since=row["received"],
        )
        for row in overview.exceptions(connection, shops, READ_AT_MOST)
    ]


def _line(told: str | None) -> str:
    return " ".join((told or tr("no reason is known")).split())


def _days(connection: Connection, at: datetime, zone: tzinfo, shops: Sequence[str]) -> Iterable[Day]:
    """Yield what is overdue, and the next days with their deadlines, as the days begin in a time zone."""
    if overdue := overview.count_deadlines(connection, None, at, shops):
        yield Day(None, overdue)
    midnight = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(DAYS):
        begin, end = midnight + timedelta(days=number), midnight + timedelta(days=number + 1)
        if deadlines := overview.count_deadlines(connection, max(begin, at), end, shops):
            yield Day(begin, deadlines)


def in_words(deadlines: dict[str, int]) -> str:
    """Write deadlines for people: "3 deadlines: urge 2, reroute 1"."""
    most_first = sorted(deadlines.items(), key=lambda one: (-one[1], one[0]))
    return tr(
        "{deadlines}: {value}",
        deadlines=counted(sum(deadlines.values()), "deadline"),
        value=", ".join((f"{trigger} {count}" for trigger, count in most_first)),
    )
