"""Due timers fired in groups: one trace of the process serves all orders with the same signature and path conditions."""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from storage import signatures
from storage.batch_plan import BatchPlan, plan_for
from storage.symbolic_case import AT, ORDER_ID, symbolic
from storage.timers import Due
from tracing.cache import TraceCache
from tracing.expressions import Expression
from tracing.symbols import Symbol, Trace, Untraceable
from workflow.policy.policy import Rules
from workflow.step import fire

MOST_SIGNATURES = 1_000
"""Signatures whose traces are kept; above this all are dropped."""
GroupPlan = tuple[BatchPlan, Expression]
"""The rows that a step writes, and the due instant of its timer."""


class Traces:
    """The traces of firing, by signature; those of other rules than the last ones are dropped."""

    def __init__(self) -> None:
        self._rules: Rules | None = None
        self._caches: dict[Hashable, TraceCache[GroupPlan]] = {}

    def of(self, rules: Rules, key: Hashable) -> TraceCache[GroupPlan]:
        """Return the traces of a signature under these rules."""
        if rules is not self._rules or len(self._caches) > MOST_SIGNATURES:
            self._rules = rules
            self._caches.clear()
        return self._caches.setdefault(key, TraceCache())

    @property
    def signatures(self) -> int:
        """How many signatures there are traces of."""
        return len(self._caches)

    @property
    def given_up(self) -> int:
        """For how many signatures tracing does not pay."""
        return sum(one.given_up for one in self._caches.values())


def fire_grouped(
    connection: Connection, due: Sequence[Due], at: datetime, rules: Rules, traces: Traces
) -> tuple[list[datetime], list[Due], bool]:
    """Fire the timers of orders that can be grouped.

    Returns the due instants of those that fired, the timers that are left, and whether there is work to do at once.
    """
    timers = Counter(order_id for order_id, _ in due)
    single = [timer for timer in due if timers[timer[0]] == 1]
    has_work = False
    fired: dict[int, datetime] = {}
    for signature, columns in signatures.read(connection, single, at, asks_catalogue=rules.chooser is not None).items():
        number, ids = signature[0], columns.stored(ORDER_ID)
        cache = traces.of(rules, (connection.dialect.name, signature))
        for (plan, due_at), orders in cache.group(columns, partial(_trace_firing, connection, number, ids, rules)):
            subset = columns.subset(orders)
            plan.write(connection, subset, at)
            has_work = has_work or plan.has_work
            fired |= zip(subset.stored(ORDER_ID), subset.of(due_at), strict=True)
    return [*fired.values()], [timer for timer in due if timer[0] not in fired], has_work


def _trace_firing(
    connection: Connection, timer_number: int, ids: Sequence[int], rules: Rules, trace: Trace, number: int
) -> GroupPlan:
    """Trace the firing of one timer.

    Raises:
        Untraceable: it must not fire, a person is asked first, or it places another order.

    """
    at: Any = trace.shared(AT)
    order_id = ids[number]
    unit = UnitOfWork(connection, [order_id], at, for_timers=True, view=partial(symbolic, trace=trace))
    timer = unit.case(order_id).due_timer(timer_number, at)
    if timer is None:
        raise Untraceable
    step = fire(unit.case(order_id), timer, at, rules)
    if step.replacement or step.waits:
        raise Untraceable
    unit.record(order_id, step, rules)
    (change,) = unit.changes()
    return plan_for(change, trace, connection.dialect), cast(Symbol, timer.due_at).expression
