"""Orders of a replay counted in memory: one trace serves all orders with the same facts and reports.

Rows are not kept, and an order that has to do with no other needs no database.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import count, islice
from typing import Any

from engine.case_run import CaseRun
from engine.outcomes import Arrival, Outcome, Tally
from storage.symbolic_case import EVEN_EMPTY, VARYING, symbolic_part
from tracing.cache import TraceCache
from tracing.expressions import Columns
from tracing.symbols import OPAQUE, Trace, Untraceable
from workflow.case.case import Case, Order, Report, replace_fields
from workflow.policy.policy import Rules

BATCH = 5_000
SMALLEST_GROUP = 5
"""Below this size a group is not traced: that costs as much as it saves."""


class Counting:
    """Counts what becomes of orders up to one instant, under one set of rules."""

    def __init__(self, until: datetime, rules: Rules, tally: Tally) -> None:
        self._until, self._rules, self._tally = until, rules, tally
        self._caches: dict[Hashable, TraceCache[Outcome]] = {}

    def left_of(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """Count orders; yield those that need a database: they have to do with others, or repeat a report."""
        orders = iter(arrivals)
        while some := [*islice(orders, BATCH)]:
            alike: dict[Hashable, list[Arrival]] = defaultdict(list)
            for arrival in some:
                if _stands_alone(arrival):
                    alike[_signature(arrival)].append(arrival)
                else:
                    yield arrival
            for signature, group in alike.items():
                yield from self._count(signature, group)

    def _count(self, signature: Hashable, group: Sequence[Arrival]) -> Iterator[Arrival]:
        counted = set[int]()
        if signature in self._caches or len(group) >= SMALLEST_GROUP:
            columns = Columns([*zip(*map(_varying, group), strict=True)], len(group))
            cache = self._caches.setdefault(signature, TraceCache())
            for outcome, numbers in cache.group(columns, partial(self._trace, group)):
                self._tally.add(outcome, len(numbers))
                counted.update(numbers)
        for arrival in (one for number, one in enumerate(group) if number not in counted):
            try:
                self._tally.add(self._outcome(arrival, Case(arrival.order, lines=arrival.lines), _told(arrival)))
            except Untraceable:
                yield arrival

    def _trace(self, group: Sequence[Arrival], trace: Trace, number: int) -> Outcome:
        """Trace what becomes of one order.

        Raises:
            Untraceable: it places another order, or what is read of it is not known.

        """
        return self._outcome(group[number], *_symbolic(group[number], trace))

    def _outcome(self, arrival: Arrival, case: Case, reports: Sequence[Report]) -> Outcome:
        run = CaseRun(case)
        run.live_through(reports, self._until, self._rules)
        if any(step.replacement for step in run.steps):
            raise Untraceable
        return Outcome(arrival, run.case, run.received, run.steps, None)


def _told(arrival: Arrival) -> list[Report]:
    """Return what is reported of an order, its placing first."""
    assert arrival.placing, "an order of a file is placed by it"
    return [arrival.placing, *sorted(arrival.reports, key=lambda report: report.at)]


def _stands_alone(arrival: Arrival) -> bool:
    """Say whether an order replaces no other, and each of its reports comes once and has no empty field."""
    told = _told(arrival)
    keys = {(report.source, report.key) for report in told if None not in report.fields.values()}
    return arrival.order.replaces is None and len(keys) == len(told)


def _signature(arrival: Arrival) -> Hashable:
    """Return what orders must have in common: which facts are known, and which reports came in which order."""
    order, told = arrival.order, _told(arrival)
    empty = (getattr(order, name) is None for name in VARYING[Order] if name not in EVEN_EMPTY)
    reports = ((report.trigger, report.source, report.actor, *report.fields) for report in told)
    return (order.shop, order.route, order.currency, *empty, *reports)


def _varying(arrival: Arrival) -> list[Any]:
    """Return what varies from order to order, by slot."""
    facts = [getattr(arrival.order, name) for name in VARYING[Order]]
    return ["", *facts, *(value for one in _told(arrival)[1:] for value in (one.at, *one.fields.values()))]


def _symbolic(arrival: Arrival, trace: Trace) -> tuple[Case, list[Report]]:
    """Return the case of an order and its reports, with symbols for what varies."""
    symbols: Iterator[Any] = map(trace.symbol, count())
    last_hash = next(symbols)
    order = symbolic_part(arrival.order, symbols)
    placing, *reports = _told(arrival)
    told = [replace_fields(placing, at=order.placed_at, key="")]
    for report in reports:
        at = next(symbols)
        fields = dict(zip(report.fields, symbols, strict=False))
        told.append(replace_fields(report, at=at, key="", fields=fields))
    unknown: Any = OPAQUE
    return Case(order, lines=unknown, salt=unknown, last_hash=last_hash), told
