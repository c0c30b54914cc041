"""The lives of orders that are alike, lived once and counted for all of them: for a replay whose rows nobody keeps."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from engine.apply import Arrival, Outcome, Tally
from engine.run import Run
from workflow.alike import Tree
from workflow.blanks import UNKNOWN, Asked, CannotTell
from workflow.columns import Columns
from workflow.order import Case, Order, Report
from workflow.outline import OWN, UNREAD
from workflow.policy import Rules

BEGIN = 1
"""The place of what a history begins with; from the next on stand the order's own values, its number first."""
FEWEST = 5
"""Of so many orders that are alike it takes less to work one life out for all than to live them all."""
MOST_LIVES = 2_000
"""So many lives are remembered; then all are worked out anew."""
_FACTS = OWN[Order]
_SHARED = ("shop", "route", "currency")
Kin = Sequence[tuple[Arrival, Sequence[Report]]]
"""Orders of one shape, with their reports in order of occurrence."""


class Lives:
    """Lives up to one instant under one policy, remembered by the shape of the orders."""

    def __init__(self, rules: Rules, until: datetime) -> None:
        self._rules, self._until = rules, until
        self._trees: dict[Hashable, Tree[Outcome]] = {}
        self._lived = 0

    def count(self, arrivals: Sequence[Arrival], tally: Tally) -> list[Arrival]:
        """Count what becomes of new orders (rule 7.6); return those that must be looked at one by one."""
        if self._lived > MOST_LIVES:
            self._trees.clear()
            self._lived = 0
        alike: dict[Hashable, list[tuple[Arrival, Sequence[Report]]]] = defaultdict(list)
        left = []
        for arrival in arrivals:
            reports = sorted(arrival.reports, key=lambda report: report.at)
            if _is_plain(arrival):
                alike[_shape(arrival, reports)].append((arrival, reports))
            else:
                left.append(arrival)
        for shape, kin in alike.items():
            if shape in self._trees or len(kin) >= FEWEST:
                left += self._count_alike(shape, kin, tally)
            else:
                left += [arrival for arrival, _ in kin]
        return left

    def _count_alike(self, shape: Hashable, kin: Kin, tally: Tally) -> Iterator[Arrival]:
        columns = Columns([*zip(*(_own(*one) for one in kin), strict=True)], len(kin), {}, (self._until,))
        if shape not in self._trees:
            instants = (place for place, value in enumerate(columns.row(0)) if isinstance(value, datetime))
            self._trees[shape] = Tree(unshared={BEGIN + 1, *instants})
        counted = set[int]()
        for end, orders in self._trees[shape].sort(columns, partial(self._live, kin)):
            tally.add(end.made, len(orders))
            counted.update(orders)
        return (arrival for order, (arrival, _) in enumerate(kin) if order not in counted)

    def _live(self, kin: Kin, asked: Asked, order: int) -> Outcome:
        """Let an order live whose own values are blanks.

        Raises:
            CannotTell: another order is placed because of it, or the process looks at more than is known of such orders.

        """
        self._lived += 1
        arrival, _ = kin[order]
        case, reports = _blanked(*kin[order], asked)
        run = Run(case, self._rules)
        run.live_through(reports, self._until)
        if any(step.replacement for step in run.steps):
            raise CannotTell
        return Outcome(arrival, run.case, run.received, run.steps, None)


def _is_plain(arrival: Arrival) -> bool:
    """Say whether an order begins here, replaces no other, and what is reported of it is said once and not left open."""
    told = [arrival.placing, *arrival.reports]
    keys = {(report.source, report.key) for report in told if report and None not in report.fields.values()}
    return arrival.order.replaces is None and len(keys) == len(told)


def _shape(arrival: Arrival, reports: Sequence[Report]) -> Hashable:
    """Return what orders must have in common to be alike: what is known of them, and what was reported in which order."""
    order, placing = arrival.order, arrival.placing
    told = [(report.trigger, report.source, report.actor, *report.fields) for report in reports]
    shared = [getattr(order, name) for name in _SHARED]
    empty = [getattr(order, name) is None for name in _FACTS]
    return (*shared, *empty, placing and placing.actor, *told)


def _own(arrival: Arrival, reports: Sequence[Report]) -> list[Any]:
    """Return what each order has of its own, place by place."""
    facts = [getattr(arrival.order, name) for name in _FACTS]
    return ["", *facts, *(value for report in reports for value in (report.at, *report.fields.values()))]


def _blanked(arrival: Arrival, reports: Sequence[Report], asked: Asked) -> tuple[Case, list[Report]]:
    """Return a case and its reports, the placing first, with blanks in place of what is the order's own."""
    blanks: Iterator[Any] = map(asked.blank, count(BEGIN))
    begin = next(blanks)
    named = zip(_FACTS, blanks, strict=False)
    facts = {name: blank for name, blank in named if getattr(arrival.order, name) is not None}
    unread: dict[str, Any] = dict.fromkeys(UNREAD[Order], UNKNOWN)
    order = replace(arrival.order, **facts, **unread)
    assert arrival.placing, "orders that are plain begin here"
    told = [replace(arrival.placing, at=order.placed_at, key="")]
    for report in reports:
        at = next(blanks)
        told.append(replace(report, at=at, key="", fields=dict(zip(report.fields, blanks, strict=False))))
    unknown: Any = UNKNOWN
    return Case(order, lines=unknown, salt=unknown, last_hash=begin), told
