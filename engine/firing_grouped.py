"""Due timers fired in groups: one trace of the process serves all orders with the same signature and path conditions."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import cast

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from storage import signatures
from storage.batch_plan import BatchPlan, plan_for
from storage.timers import Due
from workflow.columns import Slot
from workflow.policy.policy import Rules
from workflow.step import fire
from workflow.symbolic_case import AT, ORDER_ID, symbolic
from workflow.symbols import Symbol, Trace, Untraceable
from workflow.trace_cache import TraceCache

MOST_SIGNATURES = 1_000
"""Signatures whose traces are kept; above this all are dropped."""
GroupPlan = tuple[BatchPlan, Slot]
"""The rows that a step writes, and the slot of its timer's due instant."""


def fire_grouped(
    connection: Connection, due: Sequence[Due], at: datetime, rules: Rules
) -> tuple[list[datetime], list[Due], bool]:
    """Fire the timers of orders that can be grouped.

    Returns the due instants of those that fired, the timers that are left, and whether there is work to do at once.
    """
    if len(rules.traces) > MOST_SIGNATURES:
        rules.traces.clear()
    timers = Counter(order_id for order_id, _ in due)
    single = [timer for timer in due if timers[timer[0]] == 1]
    has_work = False
    fired: dict[int, datetime] = {}
    for signature, columns in signatures.read(connection, single, at).items():
        number, ids = signature[0], columns.stored(ORDER_ID)
        cache: TraceCache[GroupPlan] = rules.traces.setdefault((connection.dialect.name, signature), TraceCache())
        for leaf, orders in cache.group(columns, partial(_trace_firing, connection, number, ids, rules)):
            subset = columns.subset(orders)
            subset.compute_digests(leaf.digests)
            plan, due_at = leaf.result
            has_work = has_work or plan.has_work
            plan.write(connection, subset, at)
            fired |= zip(subset.stored(ORDER_ID), subset.of(due_at, None), strict=True)
    return [*fired.values()], [timer for timer in due if timer[0] not in fired], has_work


def _trace_firing(connection: Connection, number: int, ids: Sequence[int], rules: Rules, trace: Trace, order: int) -> GroupPlan:
    """Trace the firing of one timer.

    Raises:
        Untraceable: it must not fire, or the process reads what is not known of these orders.

    """
    order_id, at = ids[order], cast(datetime, trace.symbol(AT))
    unit = UnitOfWork(connection, [order_id], at, for_timers=True, view=partial(symbolic, trace=trace))
    timer = unit.case(order_id).due_timer(number, at)
    if timer is None:
        raise Untraceable
    step = fire(unit.case(order_id), timer, at, rules)
    if step.replacement:
        raise Untraceable
    unit.record(order_id, step)
    (change,) = unit.changes()
    return plan_for(change, trace, connection.dialect), cast(Symbol, timer.due_at).slot
