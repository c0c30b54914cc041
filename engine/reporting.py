"""Reports applied to cases: the one way in, for one order and for five thousand."""

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from engine.case_run import CaseRun
from storage import cases, chains
from storage.case_changes import CaseChange
from storage.cases import Identity, Stored
from storage.chains import Chain
from workflow.case.case import LINKS, PERSONAL, Case, Line, Order, Report, replace_fields
from workflow.draft import Event
from workflow.intake import Received, Verdict
from workflow.policy.policy import Rules
from workflow.process import EFFECTS
from workflow.step import Step, step, write
from workflow.vocabulary import Row, State, Target


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came in about one order: its reports, unsorted, and for a new order its facts and the placing report."""

    order: Order
    reports: tuple[Report, ...]
    lines: tuple[Line, ...] = ()
    placing: Report | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an arrival, or of an order that was placed because of one. `was` is the state before."""

    arrival: Arrival
    case: Case
    received: Sequence[Received]
    steps: Sequence[Step]
    was: State | None
    conflict: str | None = None

    @property
    def new(self) -> bool:
        """Whether the order did not exist before."""
        return self.was is None


@dataclass(slots=True)
class Tally:
    """Counts over many outcomes."""

    orders: int = 0
    new: int = 0
    historical: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    exceptions: int = 0
    duplicates: int = 0
    states: Counter[str] = field(default_factory=Counter)
    steps: int = 0

    def add(self, outcome: Outcome, times: int = 1) -> None:
        """Count one outcome, `times` over."""
        self.orders += times
        self.new += outcome.new * times
        self.historical += (outcome.new and outcome.case.historical) * times
        self.steps += len(outcome.steps) * times
        self.states[str(outcome.case.state)] += times
        if outcome.was:
            self.states[str(outcome.was)] -= times
        for made in outcome.steps:
            if made.history.actor == "timer":
                self.fired[made.history.trigger] += times
        for received in outcome.received:
            self._count(received, times)

    def _count(self, received: Received, times: int) -> None:
        trigger = received.report.trigger
        match received.verdict:
            case Verdict.applied if trigger != "place":
                self.reported[trigger] += times
            case Verdict.refused:
                self.refused[trigger] += times
            case Verdict.exception:
                self.exceptions += times
            case Verdict.duplicate if trigger != "place":
                self.duplicates += times


def apply(
    connection: Connection,
    arrivals: Iterable[Arrival],
    now: datetime,
    rules: Rules,
    *,
    until: datetime | None = None,
    observed: bool = False,
    older_than: timedelta | None = None,
) -> list[Outcome]:
    """Apply a batch of arrivals and store all that comes of it.

    With `until`, the orders live on a virtual clock of their own: timers fire between the reports, each
    at its instant, up to `until`. Otherwise all reports are applied at `now`, and timers are left alone.
    New orders that are `older_than` that are historical: their suppliers are neither urged nor left (rule 7.7).

    Raises:
        OrderChanged: another writer changed one of the orders meanwhile; nothing may be committed.

    """
    batch = _Batch(connection, arrivals, rules, now, until)
    oldest = now - older_than if older_than is not None else None
    outcomes = [batch.take(arrival, observed, oldest) for arrival in batch.arrivals]
    outcomes += batch.live_on()
    cases.store(connection, batch.changes(), modes_of(rules))
    batch.close()
    return outcomes


def modes_of(rules: Rules) -> dict[str, str]:
    """Return the mode of every effect kind under the policy in force."""
    return {effect.kind: rules.policy.mode(effect.kind) for effect in EFFECTS}


@dataclass(slots=True)
class _Open:
    """An order that a batch works on: as the database knows it, and as it is by now."""

    run: CaseRun
    stored: Stored | None
    observed: bool
    lived: bool = False
    """Whether its virtual clock has reached the end."""


class _Batch:
    """Arrivals with what the database knows of their orders."""

    def __init__(
        self, connection: Connection, arrivals: Iterable[Arrival], rules: Rules, now: datetime, until: datetime | None
    ) -> None:
        self.arrivals, self._rules, self._now, self._until = list(arrivals), rules, now, until
        named = {identity for arrival in self.arrivals for identity in _named_by(arrival)}
        self._ids = cases.find(connection, named)
        self._keys = cases.known_keys(connection, self._ids.values())
        stored = cases.load(connection, self._ids.values())
        self._open: dict[Identity, _Open] = {}
        for identity, key in self._ids.items():
            run = CaseRun(stored[key].case, rules, partial(self._place, identity))
            self._open[identity] = _Open(run, stored[key], stored[key].observed)
        self._chains = chains.load(connection, (one.case for one in stored.values()))
        self._salts = _salts()

    def take(self, arrival: Arrival, observed: bool, oldest: datetime | None) -> Outcome:
        """Apply one arrival to its case, in memory."""
        identity = (arrival.order.shop, arrival.order.number)
        if identity not in self._open:
            historical = oldest is not None and arrival.order.placed_at < oldest
            case = Case(arrival.order, lines=arrival.lines, salt=next(self._salts), historical=historical)
            self._open[identity] = _Open(CaseRun(case, self._rules, partial(self._place, identity)), None, observed)
        known = self._open[identity]
        was, before = known.run.case.state, known.run.mark()
        fresh, repeated = self._sort_out(arrival, known)
        conflict = _conflict(known, arrival) if was and arrival.placing else None
        self._run(known, fresh, self._known(arrival))
        verdicts, steps = known.run.since(before)
        again = [Received(report, Verdict.duplicate) for report in repeated]
        return Outcome(arrival, known.run.case, [*verdicts, *again], steps, was, conflict)

    def live_on(self) -> list[Outcome]:
        """Let the replacements that were placed in this batch, and that nothing was said of, live on too."""
        outcomes: list[Outcome] = []
        while waiting := [one for one in self._open.values() if not one.lived and one.stored is None]:
            for one in waiting:
                self._run(one, [], {})
                case = one.run.case
                outcomes.append(Outcome(Arrival(case.order, ()), case, one.run.received, one.run.steps, None))
        return outcomes

    def changes(self) -> list[CaseChange]:
        """Return what is to be stored."""
        made = []
        for one in self._open.values():
            run, stored = one.run, one.stored
            key, before = (stored.order_id, stored.case) if stored else (None, None)
            if run.case.state is not None and (run.steps or run.received):
                received = _last_verdicts(run.received)
                made.append(CaseChange(run.case, run.steps, received, self._now, key, before, one.observed))
        return made

    def close(self) -> None:
        """Break reference cycles: the cyclic garbage collector is off during a batch."""
        self._open.clear()

    def _run(self, known: _Open, reports: Sequence[Report], named: dict[str, int | None]) -> None:
        """Let reports (and on a virtual clock timers) move an order that knows what its chain has had."""
        run = known.run
        chain = self._chain_of(run.case)
        run.case = replace_fields(chain.within(run.case) if chain else run.case, known=named)
        if self._until is None:
            run.report(reports, self._now)
        else:
            run.live_through(reports, self._until)
        known.lived = True
        run.case = replace_fields(run.case, known={})
        if chain := self._chain_of(run.case):
            chain.take(run.case)

    def _chain_of(self, case: Case) -> Chain | None:
        key = chains.key_of(case)
        if key is None:
            return None
        if key not in self._chains:  # its first replacement was placed in this batch
            self._chains[key] = Chain(case.order.paid)
        return self._chains[key]

    def _place(self, parent: Identity, made: Step) -> dict[str, int | None]:
        """Place the replacement that a step asks for; an order that is known by that number becomes the replacement.

        Returns {number: None}: that order cannot become a replacement again.
        """
        assert made.replacement is not None, "only called for steps that have one"
        order, row = made.replacement.order, made.history
        identity = (order.shop, order.number)
        event = Event("place", row.occurred, row.recorded, row.actor, {"replaces": order.replaces})
        if identity in self._open and (known := self._open[identity].run).case.state is not None:
            linked = replace(known.case.order, replaces=order.replaces, generation=order.generation, chain=order.chain)
            known.case = replace_fields(known.case, order=linked)
            known.step(write(known.case, replace(event, trigger="link"), self._rules, _LINK, None))
        else:
            case = Case(order, lines=made.replacement.lines, salt=next(self._salts))
            run = CaseRun(case, self._rules, partial(self._place, identity))
            run.step(step(run.case, event, self._rules))
            self._open[identity] = _Open(run, None, self._open[parent].observed)
        return {order.number: None}

    def _known(self, arrival: Arrival) -> dict[str, int | None]:
        """Return which of the new orders that reports name are known: their pieces, None if they cannot replace any."""
        shop = arrival.order.shop
        named = {number: self._open.get((shop, number)) for number in map(_new_order, arrival.reports) if number}
        return {number: _pieces(one.run.case) for number, one in named.items() if one and one.run.case.state is not None}

    def _sort_out(self, arrival: Arrival, known: _Open) -> tuple[list[Report], list[Report]]:
        """Return what is new, in order of occurrence with the placing first, and what was reported before."""
        stored = known.stored
        placing = [arrival.placing] if arrival.placing else []
        fresh: list[Report] = []
        repeated: list[Report] = []
        seen = {(one.report.source, one.report.key) for one in known.run.received}
        for report in [*placing, *sorted(arrival.reports, key=lambda report: report.at)]:
            key = (report.source, report.key)
            placed_before = report is arrival.placing and known.run.case.order.replaces is not None
            if placed_before or key in seen or (stored is not None and (stored.order_id, *key) in self._keys):
                repeated.append(report)
            else:
                fresh.append(report)
            seen.add(key)
        return fresh, repeated


def _salts() -> Iterator[str]:
    """Yield salts, drawn 256 at a time: one system call for each was the slowest part of a new order."""
    while True:
        drawn = secrets.token_hex(16 * 256)
        yield from (drawn[at : at + 32] for at in range(0, len(drawn), 32))


def _last_verdicts(received: Iterable[Received]) -> list[Received]:
    """Return the last verdict of each report: one that was kept at first may have been applied since."""
    return [*{(one.report.source, one.report.key): one for one in received if one.verdict is not Verdict.duplicate}.values()]


_LINK = Row("link", None, Target.stays)
"""An order that was known already turns out to be the replacement of another (rule 8.7)."""


def _pieces(case: Case) -> int | None:
    """Return how many pieces a known order has, or None if it cannot be a replacement: something else came of it."""
    untouched = not case.order.chain and not case.claims and not any(row.side == "refund" for row in case.ledger)
    return sum(line.quantity for line in case.lines) if untouched else None


def _named_by(arrival: Arrival) -> Iterator[Identity]:
    """Yield the orders that an arrival is about: its own, and those that it names as replacements."""
    yield arrival.order.shop, arrival.order.number
    yield from ((arrival.order.shop, number) for number in map(_new_order, arrival.reports) if number)


def _new_order(report: Report) -> str | None:
    named = report.fields.get("new_order")
    return None if named is None else str(named)


def _conflict(known: _Open, arrival: Arrival) -> str | None:
    """Return in which field an order that comes again differs from the stored one, which is kept.

    A replacement's facts come from the order that it replaces; an erased buyer stays erased.
    """
    stored, erased = known.run.case.order, known.stored is not None and known.stored.erased
    if stored.replaces:
        return None
    for name in Order.__dataclass_fields__:
        was, now = getattr(stored, name), getattr(arrival.order, name)
        if now in (None, (), was) or name in LINKS or (erased and name in PERSONAL):
            continue
        return f"order {stored.name} is stored with another {name}; the stored value is kept"
    return None
