"""Orders with reports that a file tells and nobody can read: their clocks rest until somebody can (rule 7.10)."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from inbound.order_rows import Incoming
from storage import attention, cases, imports
from storage.cases import Identity
from workflow.policy.policy import Rules
from workflow.process import REST_WHILE_UNREAD, UNREAD
from workflow.timer_commands import REST, act
from workflow.vocabulary import TimerStatus, Verdict

RESTED_BY = "import:"
"""How those begin whom a clock rests for."""


def hold(connection: Connection, orders: Collection[Incoming], at: datetime, rules: Rules) -> None:
    """Let the clocks of orders rest that have reports which cannot be read, and say that they need a person.

    A report that was read in another file, and one that a person has resolved as it stands, hold nothing.
    """
    unread = {(one.order.shop, one.order.number): one for one in orders if one.unread}
    if not unread:
        return
    ids = cases.find(connection, unread)
    imports.unmark(connection, ids.values())
    resolved = attention.resolved(connection, UNREAD, ids.values())
    told = _told(connection, ids.values())
    held = {
        identity: key
        for identity, key in ids.items()
        if (key, _detail(unread[identity])) not in resolved
        and any((key, str(one.trigger)) not in told for one in unread[identity].unread)
    }
    unit = UnitOfWork(connection, held.values(), at)
    for identity, key in held.items():
        for timer in unit.orders[key].run.case.timers:
            if timer.trigger in REST_WHILE_UNREAD and timer.status is TimerStatus.pending:
                step = act(unit.case(key), REST, timer.number, at, unread[identity].actor, rules, {})
                assert step is not None, "a clock that runs can rest"
                unit.record(key, step, rules)
    unit.commit()
    attention.raise_flags(connection, [(key, UNREAD, at, _detail(unread[identity])) for identity, key in held.items()])


def _told(connection: Connection, order_ids: Collection[int]) -> set[tuple[int, str]]:
    """Return which reports of orders were applied, by row id and trigger."""
    found = cases.told(connection, order_ids)
    return {(key[0], one.report.trigger) for key, some in found.items() for one in some if one.verdict is Verdict.applied}


def release_read(
    connection: Connection,
    orders: Collection[Incoming],
    held: Mapping[Identity, str],
    told: Collection[str],
    at: datetime,
    rules: Rules,
) -> None:
    """Let orders go on of which a file can be read now: one that tells all `told` reports that could not be read before.

    `held` are the orders that stand still, with the details of their flags.
    """
    read = {
        (one.order.shop, one.order.number): one.actor
        for one in orders
        if not one.unread
        and (detail := held.get((one.order.shop, one.order.number))) is not None
        and set(_triggers(detail)) <= {*told}
    }
    if read:
        ids = cases.find(connection, read)
        wake(connection, {key: read[identity] for identity, key in ids.items()}, at, rules)
        attention.clear_flags(connection, [(key, UNREAD, at) for key in ids.values()])


def wake(connection: Connection, orders: Mapping[int, str], at: datetime, rules: Rules) -> None:
    """Let the clocks of orders run on that rest for what could not be read; given by id, with who says so."""
    unit = UnitOfWork(connection, orders, at)
    for key, actor in orders.items():
        for timer in unit.orders[key].run.case.timers:
            if timer.paused_by is not None and timer.paused_by.startswith(RESTED_BY):
                step = act(unit.case(key), "resume", timer.number, at, actor, rules, {})
                assert step is not None, "a clock that rests can run on"
                unit.record(key, step, rules)
    unit.commit()


def _detail(incoming: Incoming) -> str:
    """Return what a flag says: which reports, then the first reason."""
    triggers = dict.fromkeys(str(one.trigger) for one in incoming.unread)
    return f"{', '.join(triggers)}: {incoming.unread[0].reason}"


def _triggers(detail: str) -> list[str]:
    return detail.split(":")[0].split(", ")
