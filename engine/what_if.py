"""A policy that is not in force tried over all running orders, beside the one that is; nothing is stored or sent."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, islice

from engine.case_run import CaseRun
from engine.timer_commands import selected_timers
from engine.unit_of_work import UnitOfWork
from storage import lists
from storage.database import Database
from storage.timers import Selection
from workflow.case import claims
from workflow.case.case import Case
from workflow.errors import OrderError
from workflow.policy.policy import Rules
from workflow.timer_commands import act
from workflow.vocabulary import LedgerStatus, Mode, TimerStatus

BATCH = 500
"""Orders that are read at a time."""
TOLD_APART = ("urge_supplier", "place_supply", "request_refund", "place_reissue")
"""Effects that decide whether an order fares otherwise under another policy."""


@dataclass(frozen=True, slots=True)
class MovedDeadline:
    """A deadline that moves; `due_at` is None where the other policy has no such timer."""

    order: str
    number: int
    trigger: str
    was_due: datetime
    due_at: datetime | None


@dataclass(slots=True)
class Shift:
    """How the deadlines of one clock move: how many come earlier, later or end, and by how much at most."""

    earlier: int = 0
    later: int = 0
    ended: int = 0
    most_earlier: timedelta = timedelta(0)
    most_later: timedelta = timedelta(0)

    def take(self, moved: MovedDeadline) -> None:
        """Count one deadline."""
        if moved.due_at is None:
            self.ended += 1
        elif moved.due_at < moved.was_due:
            self.earlier += 1
            self.most_earlier = max(self.most_earlier, moved.was_due - moved.due_at)
        else:
            self.later += 1
            self.most_later = max(self.most_later, moved.due_at - moved.was_due)


@dataclass(slots=True)
class Outlook:
    """What comes of all orders under one policy. `orders` counts those with an effect of a kind, `effects` the effects.

    `messages` leave by themselves or once you approve; `decisions` are steps about which you are asked first. `money` is
    what is newly asked for, by side and currency, in minor units; `unknown` counts sums that are not known.
    """

    orders: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    decisions: int = 0
    money: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: int = 0

    def take(self, case: Case, run: CaseRun, rules: Rules) -> set[str]:
        """Count what came of one order; return the kinds of its effects."""
        effects = [effect for step in run.steps for effect in step.effects]
        kinds = {effect.kind for effect in effects}
        self.orders.update(kinds)
        self.effects.update(effect.kind for effect in effects)
        self.messages += sum(effect.mode is not Mode.off for effect in effects)
        self.decisions += sum(not rules.asked.isdisjoint(effect.kind for effect in step.effects) for step in run.steps)
        known = {row.number for row in case.ledger}
        for row in run.case.ledger:
            if row.number in known or row.status in (LedgerStatus.corrected, LedgerStatus.withdrawn):
                continue
            rest = claims.rest(row)
            self.unknown += rest is None
            self.money[str(row.side), row.currency] += rest or 0
        return kinds


@dataclass(frozen=True, slots=True)
class FaresOtherwise:
    """An order that fares otherwise: what would be done of it under each policy."""

    order: str
    in_force: tuple[str, ...]
    tried: tuple[str, ...]


@dataclass(slots=True)
class WhatIf:
    """How the running orders would fare until an instant, under the policy in force (`in_force`) and the other (`tried`).

    `moved` and `otherwise` have the first ones alone; `shifts` and `fare_otherwise` count all.
    """

    until: datetime
    running: int = 0
    shifts: dict[str, Shift] = field(default_factory=dict)
    orders_moved: int = 0
    fare_otherwise: int = 0
    in_force: Outlook = field(default_factory=Outlook)
    tried: Outlook = field(default_factory=Outlook)
    moved: list[MovedDeadline] = field(default_factory=list)
    otherwise: list[FaresOtherwise] = field(default_factory=list)


def what_if(
    database: Database,
    wanted: Selection,
    at: datetime,
    days: int,
    in_force: Rules,
    tried: Rules,
    *,
    shown: int = 10,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WhatIf:
    """Live the orders with running timers on for some days, under the policy in force and under another.

    Nothing more is reported of them, and every step that would ask a person is taken at once. Under the other policy their
    timers are first moved to it, as `policy retime` does. `shown` is how many examples are kept, `progress` is told how many
    orders of how many are done.

    Raises:
        UsageError: no order has a shop or supplier that is named.

    """
    with database.read() as connection:
        lists.refuse_unknown_names(connection, wanted.shops, wanted.suppliers)
    found = WhatIf(at + timedelta(days=days))
    order_ids = [order_id for order_id, _ in groupby(selected_timers(database, wanted), key=lambda due: due[0])]
    for number, case in enumerate(_cases(database, order_ids, at), 1):
        found.running += 1
        _compare(found, case, at, in_force, tried, shown)
        progress(number, len(order_ids))
    return found


def _cases(database: Database, order_ids: list[int], at: datetime) -> Iterator[Case]:
    """Yield the cases of orders, each with what its chain of replacements has had."""
    ids = iter(order_ids)
    while some := [*islice(ids, BATCH)]:
        with database.read() as connection:
            unit = UnitOfWork(connection, some, at, lock=False)
            yield from [unit.case(order_id) for order_id in some if order_id in unit.orders]


def _compare(found: WhatIf, case: Case, at: datetime, in_force: Rules, tried: Rules, shown: int) -> None:
    moved, retimed = _retimed(case, at, tried)
    for one in moved:
        found.shifts.setdefault(one.trigger, Shift()).take(one)
    found.orders_moved += bool(moved)
    found.moved += moved[: max(0, shown - len(found.moved))]
    kinds_in_force = found.in_force.take(case, _lived(case, at, found.until, in_force), in_force)
    kinds_tried = found.tried.take(retimed, _lived(retimed, at, found.until, tried), tried)
    apart = [tuple(kind for kind in TOLD_APART if kind in kinds) for kinds in (kinds_in_force, kinds_tried)]
    if apart[0] != apart[1]:
        found.fare_otherwise += 1
        if len(found.otherwise) < shown:
            found.otherwise.append(FaresOtherwise(case.name, *apart))


def _retimed(case: Case, at: datetime, tried: Rules) -> tuple[list[MovedDeadline], Case]:
    """Return a case with its running timers as another policy has them, and which of them move."""
    moved = list[MovedDeadline]()
    for timer in case.timers:
        if timer.status is TimerStatus.waiting:
            continue
        try:
            step = act(case, "retime", timer.number, at, "policy", tried, {})
        except OrderError:
            continue  # it ended with one before it
        if step is None:
            continue
        case, again = step.case, step.case.timer(timer.number)
        if again is None or again.due_at != timer.due_at:
            moved.append(MovedDeadline(case.name, timer.number, timer.trigger, timer.due_at, again.due_at if again else None))
    return moved, case


def _lived(case: Case, at: datetime, until: datetime, rules: Rules) -> CaseRun:
    run = CaseRun(case)
    run.fire_until(at, until, rules.without_asking())
    return run
