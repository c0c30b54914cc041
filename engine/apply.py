"""Reports applied to cases: the one way in, for one order and for five thousand."""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from storage import cases
from storage.cases import Change, Stored
from workflow.intake import Received, Verdict, receive
from workflow.order import Case, Line, Order, Report, Timer
from workflow.policy import Rules
from workflow.process import EFFECTS
from workflow.step import Step, fire


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came in about one order. A placing one may bring the order itself; its reports are unsorted."""

    order: Order
    reports: tuple[Report, ...]
    lines: tuple[Line, ...] = ()
    placing: Report | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an arrival."""

    arrival: Arrival
    case: Case
    received: Sequence[Received]
    steps: Sequence[Step]
    new: bool
    conflict: str | None = None


@dataclass(slots=True)
class Tally:
    """Counts over many outcomes."""

    orders: int = 0
    new: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    exceptions: int = 0
    duplicates: int = 0
    states: Counter[str] = field(default_factory=Counter)
    steps: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.orders += 1
        self.new += outcome.new
        self.steps += len(outcome.steps)
        self.states[str(outcome.case.state)] += 1
        self.fired.update(s.history.trigger for s in outcome.steps if s.history.actor == "timer")
        for received in outcome.received:
            self._count(received)

    def _count(self, received: Received) -> None:
        trigger = received.report.trigger
        match received.verdict:
            case Verdict.applied if trigger != "place":
                self.reported[trigger] += 1
            case Verdict.refused:
                self.refused[trigger] += 1
            case Verdict.exception:
                self.exceptions += 1
            case Verdict.duplicate if trigger != "place":
                self.duplicates += 1


def apply(
    connection: Connection,
    arrivals: Iterable[Arrival],
    now: datetime,
    rules: Rules,
    *,
    until: datetime | None = None,
    observed: bool = False,
) -> list[Outcome]:
    """Apply a batch of arrivals and store all that comes of it.

    With `until`, the orders live on a virtual clock of their own: timers fire between the reports, each
    at its instant, up to `until`. Otherwise all reports are applied at `now`, and timers are left alone.

    Raises:
        OrderChanged: somebody else moved one of the orders meanwhile; nothing may be committed.

    """
    batch = _Batch(connection, arrivals)
    outcomes = [batch.outcome(arrival, now, rules, until) for arrival in batch.arrivals]
    changes = [batch.change(outcome, now, observed) for outcome in outcomes if outcome.case.state is not None]
    cases.store(connection, changes, modes_of(rules))
    return outcomes


def modes_of(rules: Rules) -> dict[str, str]:
    """Return the mode of every effect kind under the policy in force."""
    return {effect.kind: rules.policy.mode(effect.kind) for effect in EFFECTS}


class _Batch:
    """Arrivals with what the database knows of their orders."""

    def __init__(self, connection: Connection, arrivals: Iterable[Arrival]) -> None:
        self.arrivals = list(arrivals)
        self._ids = cases.find(connection, ((one.order.shop, one.order.number) for one in self.arrivals))
        self._stored = cases.load(connection, self._ids.values())
        self._keys = cases.known_keys(connection, self._ids.values())

    def outcome(self, arrival: Arrival, now: datetime, rules: Rules, until: datetime | None) -> Outcome:
        """Apply one arrival to its case, in memory."""
        stored = self._known(arrival)
        case = stored.case if stored else Case(arrival.order, salt=secrets.token_hex(16))
        fresh, repeated = self._sort_out(arrival, stored)
        run = _Run(case, rules)
        if until is None:
            run.report(fresh, now)
        else:
            run.live_through(fresh, until)
        received = [*run.received, *(Received(report, Verdict.duplicate) for report in repeated)]
        conflict = _conflict(stored.case.order, arrival) if stored and arrival.placing else None
        return Outcome(arrival, run.case, received, run.steps, stored is None, conflict)

    def change(self, outcome: Outcome, now: datetime, observed: bool) -> Change:
        """Return what is to be stored of an outcome."""
        stored, arrival = self._known(outcome.arrival), outcome.arrival
        if stored is None:
            return Change(outcome.case, outcome.steps, outcome.received, now, lines=arrival.lines, observed=observed)
        key, before, held = stored.order_id, stored.case, stored.observed
        return Change(outcome.case, outcome.steps, outcome.received, now, key, before, observed=held)

    def _known(self, arrival: Arrival) -> Stored | None:
        order_id = self._ids.get((arrival.order.shop, arrival.order.number))
        return None if order_id is None else self._stored[order_id]

    def _sort_out(self, arrival: Arrival, stored: Stored | None) -> tuple[list[Report], list[Report]]:
        """Return what is new, in order of occurrence with the placing first, and what was reported before."""
        placing = [arrival.placing] if arrival.placing else []
        fresh: list[Report] = []
        repeated: list[Report] = []
        seen: set[tuple[str, str]] = set()
        for report in [*placing, *sorted(arrival.reports, key=lambda report: report.at)]:
            key = (report.source, report.key)
            known = key in seen or (stored is not None and (stored.order_id, *key) in self._keys)
            (repeated if known else fresh).append(report)
            seen.add(key)
        return fresh, repeated


class _Run:
    """One case as it goes through its reports, and on a virtual clock through its timers too."""

    def __init__(self, case: Case, rules: Rules) -> None:
        self.case, self._rules = case, rules
        self.received: list[Received] = []
        self.steps: list[Step] = []

    def report(self, reports: Iterable[Report], now: datetime) -> None:
        """Apply reports at `now`."""
        for report in reports:
            self.case, verdicts = receive(self.case, report, now, self._rules)
            self.received += verdicts
            self.steps += [received.step for received in verdicts if received.step]

    def live_through(self, reports: Iterable[Report], until: datetime) -> None:
        """Apply each report at its own instant, and fire every timer at its own, up to `until` (rule 7.6)."""
        clock = self.case.order.placed_at
        for report in reports:
            at = max(report.at, clock)
            clock = self._fire(clock, at, including=False)
            self.report([report], at)
            clock = at
        self._fire(clock, until, including=True)

    def _fire(self, clock: datetime, end: datetime, *, including: bool) -> datetime:
        """Fire what is due before `end`, or at it too; reports of one instant go before its timers."""
        while timer := _next_timer(self.case):
            at = max(clock, timer.due_at)
            if at > end or (at == end and not including):
                break
            made = fire(self.case, timer, at, self._rules)
            self.case, clock = made.case, at
            self.steps.append(made)
        return clock


def _next_timer(case: Case) -> Timer | None:
    pending = (timer for timer in case.timers if timer.status == "pending")
    return min(pending, key=lambda timer: (timer.due_at, timer.number), default=None)


def _conflict(stored: Order, arrival: Arrival) -> str | None:
    """Say in what an order that comes again differs from the stored one, which stands."""
    for name in Order.__dataclass_fields__:
        was, now = getattr(stored, name), getattr(arrival.order, name)
        if now not in (None, (), was):
            return f"order {stored.name} is stored with another {name}; what is stored stands"
    return None
