"""Orders with reports that a file tells and nobody can read: their clocks rest until somebody can (rule 7.10)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from inbound.order_rows import Incoming, digest_of
from storage import attention, cases, imports
from storage.cases import Identity
from workflow.case.case import Case, Report
from workflow.draft import Event
from workflow.policy.policy import Rules
from workflow.process import RECORDS, UNREAD
from workflow.step import Step, carry_out


@dataclass(frozen=True, slots=True)
class FileSays:
    """What a file can say of reports: which it tells, and whether it states all of an order, so that an empty cell says so."""

    told: Collection[str]
    states_all: bool


def follow(
    connection: Connection,
    orders: Collection[Incoming],
    standing: Collection[Identity],
    says: FileSays,
    at: datetime,
    rules: Rules,
) -> int:
    """Let the clocks of orders rest that have reports which cannot be read, and those run on that can be read now.

    `standing` are the orders that have such reports already. A report that was read in a file, or that a person has
    resolved as it stands, holds nothing any more. Returns how many of the orders stand still.
    """
    told = {_name(one): one for one in orders if one.unread or _name(one) in standing}
    if not told:
        return 0
    ids = cases.find(connection, told)
    settled = imports.settled(connection, ids.values())
    unit = UnitOfWork(connection, ids.values(), at)
    raised, cleared, held = [], [], 0
    for identity, key in ids.items():
        case, incoming = unit.case(key), told[identity]
        known = _unread(case)
        fresh = {str(one.identity) for one in incoming.unread} - settled.get(key, set())
        read = {one for one in known - fresh if _is_read(one, incoming)}
        emptied = {one for one in known - fresh - read if _is_empty(one, incoming, says)}
        left = (known | fresh) - read - emptied
        held += bool(left)
        if left != known:
            unit.record(key, _step(case, left, read, at, incoming.actor, rules), rules)
        if fresh - known:
            reasons = "; ".join(dict.fromkeys(f"{one.trigger}: {one.reason}" for one in incoming.unread))
            raised.append((key, UNREAD, at, reasons))
        if known and not left:
            cleared.append((key, UNREAD, at))
    unit.commit()
    imports.unmark(connection, [key for identity, key in ids.items() if told[identity].unread])
    attention.clear_flags(connection, [*cleared, *(one[:3] for one in raised)])
    attention.raise_flags(connection, raised)
    return held


def resolve(connection: Connection, order_id: int, by: str, at: datetime, rules: Rules) -> None:
    """Let an order go on whatever could not be read: a person has seen to it."""
    unit = UnitOfWork(connection, [order_id], at)
    case = unit.case(order_id)
    if known := _unread(case):
        unit.record(order_id, _step(case, set(), known, at, by, rules), rules)
    unit.commit()


def _step(case: Case, left: set[str], settled: set[str], at: datetime, actor: str, rules: Rules) -> Step:
    fields = {"unread": ";".join(sorted(left)) or None, "settled": ";".join(sorted(settled)) or None}
    return carry_out(case, Event("unread", at, at, actor, fields), rules, RECORDS["unread"], None)


def _name(incoming: Incoming) -> Identity:
    return incoming.order.shop, incoming.order.number


def _unread(case: Case) -> set[str]:
    return set(case.unread.split(";")) if case.unread else set()


def _is_read(known: str, incoming: Incoming) -> bool:
    """Say whether a file tells a report now that could not be read, of the same parcel where one was named."""
    trigger, _, rest = known.partition(":")
    _, _, parcel = rest.partition(":")
    return any(report.trigger == trigger and (not parcel or _parcel(report) in (None, parcel)) for report in incoming.reports)


def _parcel(report: Report) -> str | None:
    number = report.fields.get("tracking_number")
    return None if number is None else digest_of(str(number))


def _is_empty(known: str, incoming: Incoming, says: FileSays) -> bool:
    """Say whether a file that tells all of an order does not tell a report any more, which could not be read."""
    trigger = known.partition(":")[0]
    return says.states_all and incoming.is_whole and trigger in says.told
