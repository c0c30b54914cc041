"""Replay without stored rows: orders with the same signature and path conditions are lived through once and counted."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from engine.case_run import CaseRun
from engine.outcomes import Arrival, Outcome, Tally
from workflow.case.case import Case, Order, Report
from workflow.columns import Columns
from workflow.policy.policy import Rules
from workflow.symbolic_case import IGNORED, VARYING
from workflow.symbols import OPAQUE, Trace, Untraceable
from workflow.trace_cache import TraceCache

BEGIN = 1
"""The slot of a history's first hash; the order's varying values follow, its number first."""
SMALLEST_GROUP = 5
"""Below this group size tracing does not pay."""
MOST_TRACES = 2_000
"""Traces kept; above this all are dropped."""
_FACTS = VARYING[Order]
_SHARED = ("shop", "route", "currency")
Group = Sequence[tuple[Arrival, Sequence[Report]]]
"""Orders of one signature, with their reports in order of occurrence."""


class GroupedReplay:
    """Lives up to one instant under one policy, cached by the signature of the orders."""

    def __init__(self, rules: Rules, until: datetime) -> None:
        self._rules, self._until = rules, until
        self._caches: dict[Hashable, TraceCache[Outcome]] = {}
        self._lives_traced = 0

    def count(self, arrivals: Sequence[Arrival], tally: Tally) -> list[Arrival]:
        """Count the outcomes of new orders (rule 7.6); return those that must be processed one by one."""
        if self._lives_traced > MOST_TRACES:
            self._caches.clear()
            self._lives_traced = 0
        alike: dict[Hashable, list[tuple[Arrival, Sequence[Report]]]] = defaultdict(list)
        left = []
        for arrival in arrivals:
            reports = sorted(arrival.reports, key=lambda report: report.at)
            if _is_groupable(arrival):
                alike[_signature(arrival, reports)].append((arrival, reports))
            else:
                left.append(arrival)
        for signature, group in alike.items():
            if signature in self._caches or len(group) >= SMALLEST_GROUP:
                left += self._count_group(signature, group, tally)
            else:
                left += [arrival for arrival, _ in group]
        return left

    def _count_group(self, signature: Hashable, group: Group, tally: Tally) -> Iterator[Arrival]:
        columns = Columns([*zip(*(_varying(*one) for one in group), strict=True)], len(group), {}, (self._until,))
        if signature not in self._caches:
            instants = (slot for slot, value in enumerate(columns.row(0)) if isinstance(value, datetime))
            self._caches[signature] = TraceCache(unique_slots={BEGIN + 1, *instants})
        counted = set[int]()
        for leaf, orders in self._caches[signature].group(columns, partial(self._trace_life, group)):
            tally.add(leaf.result, len(orders))
            counted.update(orders)
        return (arrival for order, (arrival, _) in enumerate(group) if order not in counted)

    def _trace_life(self, group: Group, trace: Trace, order: int) -> Outcome:
        """Trace the life of one order.

        Raises:
            Untraceable: it places another order, or the process reads what is not known of these orders.

        """
        self._lives_traced += 1
        arrival, _ = group[order]
        case, reports = _symbolic(*group[order], trace)
        run = CaseRun(case)
        run.live_through(reports, self._until, self._rules)
        if any(step.replacement for step in run.steps):
            raise Untraceable
        return Outcome(arrival, run.case, run.received, run.steps, None)


def _is_groupable(arrival: Arrival) -> bool:
    """Say whether an order replaces no other, and each of its reports comes once and has no empty field."""
    told = [arrival.placing, *arrival.reports]
    keys = {(report.source, report.key) for report in told if report and None not in report.fields.values()}
    return arrival.order.replaces is None and len(keys) == len(told)


def _signature(arrival: Arrival, reports: Sequence[Report]) -> Hashable:
    """Return what grouped orders have in common: which facts are known, and which reports came in which order."""
    order, placing = arrival.order, arrival.placing
    told = [(report.trigger, report.source, report.actor, *report.fields) for report in reports]
    shared = [getattr(order, name) for name in _SHARED]
    empty = [getattr(order, name) is None for name in _FACTS]
    return (*shared, *empty, placing and placing.actor, *told)


def _varying(arrival: Arrival, reports: Sequence[Report]) -> list[Any]:
    """Return the varying values of an order, by slot."""
    facts = [getattr(arrival.order, name) for name in _FACTS]
    return ["", *facts, *(value for report in reports for value in (report.at, *report.fields.values()))]


def _symbolic(arrival: Arrival, reports: Sequence[Report], trace: Trace) -> tuple[Case, list[Report]]:
    """Return a case and its reports, the placing first, with symbols for the varying values."""
    symbols: Iterator[Any] = map(trace.symbol, count(BEGIN))
    begin = next(symbols)
    named = zip(_FACTS, symbols, strict=False)
    facts = {name: symbol for name, symbol in named if getattr(arrival.order, name) is not None}
    unread: dict[str, Any] = dict.fromkeys(IGNORED[Order], OPAQUE)
    order = replace(arrival.order, **facts, **unread)
    assert arrival.placing, "orders that are plain begin here"
    told = [replace(arrival.placing, at=order.placed_at, key="")]
    for report in reports:
        at = next(symbols)
        told.append(replace(report, at=at, key="", fields=dict(zip(report.fields, symbols, strict=False))))
    unknown: Any = OPAQUE
    return Case(order, lines=unknown, salt=unknown, last_hash=begin), told
