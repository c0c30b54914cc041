"""Reports applied to orders: the one way in, for one order and for five thousand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from engine.case_run import CaseRun
from engine.outcomes import Arrival, Outcome
from engine.unit_of_work import OpenOrder, UnitOfWork
from storage import cases, queries
from storage.cases import Identity
from storage.database import Database, reading, repeated, writing
from workflow.case import facts
from workflow.case.case import LINKS, Case, Line, Order, Report, own_key, replace_fields
from workflow.comparing import Contradiction, differences
from workflow.draft import Event
from workflow.intake import Received
from workflow.policy.policy import Rules
from workflow.process import RECORDS, TAKE_UP
from workflow.repeats import FORGOTTEN, is_of_another_parcel, to_judge, with_the_key_of_its_parcel
from workflow.step import Step, carry_out, step
from workflow.table import AMENDS
from workflow.vocabulary import LedgerSide, State, Verdict


@repeated
def apply(
    target: Database | Connection,
    arrivals: Iterable[Arrival],
    now: datetime,
    rules: Rules,
    *,
    until: datetime | None = None,
    observed: bool = False,
    older_than: timedelta | None = None,
    dry_run: bool = False,
) -> list[Outcome]:
    """Apply a batch of arrivals and store everything that comes of it, unless it is a `dry_run`.

    `target` is a database, or the connection of a transaction that the caller commits.

    With `until`, the orders live on a virtual clock of their own: timers fire between the reports, each
    at its instant, up to `until`. Otherwise all reports are applied at `now`, and timers are left alone.
    New orders that are `older_than` that are historical: their suppliers are neither urged nor left (rule 7.7).

    Raises:
        OrderChanged: another writer changed one of the orders meanwhile; nothing may be committed.

    """
    oldest = now - older_than if older_than is not None else None
    with reading(target) if dry_run else writing(target) as connection:
        batch = _Batch(connection, arrivals, rules, now, until, lock=not dry_run)
        outcomes = [batch.take(arrival, observed, oldest) for arrival in batch.arrivals]
        outcomes += batch.run_replacements()
        if not dry_run:
            batch.unit.commit()
        batch.close()
    return outcomes


@repeated
def report(
    target: Database | Connection, identity: str, reported: Report, now: datetime, rules: Rules, *, dry_run: bool = False
) -> list[Outcome]:
    """Apply one report to one order, or preview it; return its outcome first, then those of orders that it placed.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        OrderChanged: another writer changed the order meanwhile; nothing was stored.

    """
    with reading(target) if dry_run else writing(target) as connection:
        order = queries.order_of(connection, identity)
        return apply(connection, [Arrival(order, (reported,))], now, rules, dry_run=dry_run)


class _Batch:
    """Arrivals with their orders, and the orders that they name as replacements."""

    def __init__(
        self,
        connection: Connection,
        arrivals: Iterable[Arrival],
        rules: Rules,
        now: datetime,
        until: datetime | None,
        *,
        lock: bool,
    ) -> None:
        self.arrivals, self._rules, self._now, self._until = list(arrivals), rules, now, until
        ids = cases.find(connection, {identity for arrival in self.arrivals for identity in _named_by(arrival)})
        self.unit = UnitOfWork(connection, ids.values(), now, lock=lock)
        self._told = cases.told(connection, ids.values())
        self._open = {identity: self.unit.orders[key] for identity, key in ids.items()}
        self._run_already = set[int]()
        """By `id`: the orders that were run in this batch."""
        for identity, order in self._open.items():
            order.run.on_replacement = partial(self._place, identity)

    def take(self, arrival: Arrival, observed: bool, oldest: datetime | None) -> Outcome:
        """Apply one arrival to its case, in memory."""
        identity = (arrival.order.shop, arrival.order.number)
        is_historical = oldest is not None and arrival.order.placed_at < oldest
        if identity not in self._open:
            case = Case(arrival.order, lines=arrival.lines, salt=self.unit.new_salt(), historical=is_historical)
            self._add(identity, case, observed)
        order = self._open[identity]
        was, before = order.run.case.state, order.run.mark()
        if was and arrival.placing and not arrival.adds and self._was_called_off(order):
            was = None
            order.observed = observed
            self._take_up(order, arrival.order, arrival.lines, arrival.placing, historical=is_historical)
        elif was and arrival.placing:
            arrival = self._compare(arrival, order)
        fresh, repeated = self._sort_out(arrival, order)
        self._run(order, fresh, self._known(arrival))
        self._leave_out_what_stays(order)
        verdicts, steps = order.run.since(before)
        again = [Received(report, Verdict.duplicate) for report in repeated]
        return Outcome(arrival, order.run.case, [*verdicts, *again], steps, was)

    def _was_called_off(self, order: OpenOrder) -> bool:
        """Say whether the step that placed an order was taken back, and nothing has come of the order (rule 2.19)."""
        case = order.run.case
        if order.stored is None or case.state is not State.closed or case.order.replaces or case.attempt.shipped_at:
            return False
        if case.attempt.delivered_at or case.ledger or case.claims:  # most closed orders: their histories are not read
            return False
        moves = (
            row
            for row in reversed(queries.history(self.unit.connection, order.stored.order_id))
            if row.source is not row.target
        )
        return next(moves).trigger == "unlink"

    def _take_up(self, order: OpenOrder, told: Order, lines: Sequence[Line], by: Report, *, historical: bool = False) -> None:
        """Let an order that was called off be the one that is told of now: a file brings it, or it replaces one after all."""
        case = order.run.case
        fields = {**facts.all_of(told, lines, case), **({"historical": True} if historical else {})}
        at = told.placed_at
        amending = replace_fields(by, trigger="amend", at=at, key=own_key("amend", at), fields=fields)
        amending = replace_fields(amending, nth=1 + self._count_told(order, amending))
        event = Event("amend", at, self._now, by.actor, fields, report=amending)
        order.run.received.append(Received(facts.with_former_buyer(case, amending), Verdict.applied))
        order.run.step(carry_out(case, event, self._rules, TAKE_UP, State.placed))

    def _compare(self, arrival: Arrival, order: OpenOrder) -> Arrival:
        """Take what an order that comes again tells anew of itself; return it with what it promises and contradicts (rule 7.8).

        A replacement's facts come from the order that it replaces.
        """
        case, placing = order.run.case, arrival.placing
        assert placing is not None, "only orders that come again are compared"
        if case.order.replaces:
            return arrival
        erased = order.stored is not None and order.stored.erased
        found = differences(case, arrival.order, arrival.lines, arrival.given, erased=erased, unsure=arrival.unsure)
        lines = {"lines": facts.written_lines(found.lines)} if found.lines is not None else {}
        if found.facts or lines:
            fields = {**found.facts, **lines, **({} if found.facts.keys().isdisjoint(facts.OF_ATTEMPT) else {"attempt": 1})}
            amending = replace_fields(placing, trigger="amend", at=self._now, key=own_key("amend", self._now), fields=fields)
            amending = replace_fields(amending, nth=1 + self._count_told(order, amending))
            event = Event("amend", self._now, self._now, placing.actor, fields, report=amending)
            order.run.received.append(Received(facts.with_former_buyer(case, amending), Verdict.applied))
            order.run.step(carry_out(case, event, self._rules, AMENDS, None))
        told = [self._as_report(placing, one) for one in found.contradictions]
        if found.ship_by is not None:
            promised = {"ship_by": found.ship_by.isoformat(), "attempt": case.current}
            key = f"ship_by={found.ship_by.isoformat()}"
            told.append(replace_fields(placing, trigger="promise", at=self._now, key=key, fields=promised))
        return replace(arrival, reports=(*arrival.reports, *told))

    def _count_told(self, order: OpenOrder, report: Report) -> int:
        """Count what was told of an order under the key of a report."""
        key = (report.source, report.key)
        stored = self._told.get((order.stored.order_id, *key), ()) if order.stored else ()
        return len(stored) + sum((one.report.source, one.report.key) == key for one in order.run.received)

    def _as_report(self, placing: Report, one: Contradiction) -> Report:
        """Return a contradiction as a report, which only a person may apply: there is one exception for each told value."""
        return replace_fields(
            placing, trigger="amend", key=f"{one.name}={one.told}", fields={one.name: one.told, "was": one.was}
        )

    def _leave_out_what_stays(self, order: OpenOrder) -> None:
        """Count reports that were judged again as repeats, if their verdicts are as before; why they are may be new."""
        for at, received in enumerate(order.run.received):
            if (report := received.report).id is not None and order.stored is not None:
                told = self._told[order.stored.order_id, report.source, report.key]
                if any(one.report.id == report.id and one.verdict is received.verdict for one in told):
                    order.run.received[at] = Received(report, Verdict.duplicate, received.error)

    def run_replacements(self) -> list[Outcome]:
        """Run the replacements that were placed in this batch, and that no arrival was about."""
        outcomes: list[Outcome] = []
        while waiting := [one for one in self._open.values() if id(one) not in self._run_already and one.stored is None]:
            for one in waiting:
                self._run(one, [], {})
                case = one.run.case
                outcomes.append(Outcome(Arrival(case.order, ()), case, one.run.received, one.run.steps, None))
        return outcomes

    def close(self) -> None:
        """Break reference cycles: the cyclic garbage collector is off during a batch."""
        for order in self._open.values():
            order.run.on_replacement = None
        self._open.clear()

    def _add(self, identity: Identity, case: Case, observed: bool) -> OpenOrder:
        run = CaseRun(case, partial(self._place, identity))
        self._open[identity] = self.unit.add(run, observed=observed)
        return self._open[identity]

    def _run(self, order: OpenOrder, reports: Sequence[Report], named: dict[str, int | None]) -> None:
        """Let reports (and on a virtual clock timers) move an order that knows what its chain has had."""
        run = order.run
        run.case = replace_fields(self.unit.case_of(order), known=named)
        if self._until is None:
            run.report(reports, self._now, self._rules)
        else:
            run.live_through(reports, self._until, self._rules)
        self._run_already.add(id(order))
        run.case = replace_fields(run.case, known={})
        self.unit.note_refunds(order)

    def _place(self, parent: Identity, made: Step) -> dict[str, int | None]:
        """Place the replacement that a step asks for; an order that is known by that number becomes the replacement.

        Returns {number: None}: that order cannot become a replacement again.
        """
        assert made.replacement is not None, "only called for steps that have one"
        order, row = made.replacement.order, made.history
        identity = (order.shop, order.number)
        event = Event("place", row.occurred, row.recorded, row.actor, {"replaces": order.replaces})
        if identity in self._open and self._was_called_off(self._open[identity]):
            self._open[identity].observed = self._open[parent].observed
            by = Report("confirm_reissue", row.occurred, "process", "confirm_reissue", row.actor)
            self._take_up(self._open[identity], order, made.replacement.lines, by)
        elif identity in self._open and (known := self._open[identity].run).case.state is not None:
            links = {name: getattr(order, name) for name in LINKS}
            linking = replace(event, trigger="link", fields=links)
            known.step(carry_out(known.case, linking, self._rules, RECORDS["link"], None))
        else:
            case = Case(order, lines=made.replacement.lines, salt=self.unit.new_salt())
            placed = self._add(identity, case, self._open[parent].observed)
            placed.run.step(step(case, event, self._rules))
        return {order.number: None}

    def _known(self, arrival: Arrival) -> dict[str, int | None]:
        """Return which of the new orders that reports name are known: their pieces, None if they cannot replace any."""
        shop = arrival.order.shop
        named = {number: self._open.get((shop, number)) for number in map(_new_order, arrival.reports) if number}
        known = {number: one for number, one in named.items() if one and one.run.case.state is not None}
        return {number: 0 if self._was_called_off(one) else _pieces(one.run.case) for number, one in known.items()}

    def _sort_out(self, arrival: Arrival, order: OpenOrder) -> tuple[list[Report], list[Report]]:
        """Return what is to be judged, in order of occurrence with the placing first, and what changes nothing."""
        stored = order.stored
        placing = [arrival.placing] if arrival.placing else []
        fresh: list[Report] = []
        repeated: list[Report] = []
        seen = {(one.report.source, one.report.key) for one in order.run.received}
        for report in [*placing, *sorted(arrival.reports, key=lambda report: report.at)]:
            key = (report.source, report.key)
            placed_before = report is arrival.placing and order.run.case.state is not None
            told = self._told.get((stored.order_id, *key), ()) if stored else ()
            if is_of_another_parcel(report, told, arrival.reports):
                report = with_the_key_of_its_parcel(report)
                key = (report.source, report.key)
                told = self._told.get((stored.order_id, *key), ()) if stored else ()
            judged = to_judge(report, told, FORGOTTEN if stored and stored.erased else ()) if told else report
            if judged is None or placed_before or key in seen:
                repeated.append(report)
            else:
                fresh.append(judged)
            seen.add(key)
        return fresh, repeated


def _pieces(case: Case) -> int | None:
    """Return how many pieces a known order has, or None if it cannot be a replacement: something else came of it."""
    untouched = not case.order.chain and not case.claims and not any(row.side == LedgerSide.refund for row in case.ledger)
    return sum(line.quantity for line in case.lines) if untouched else None


def _named_by(arrival: Arrival) -> Iterator[Identity]:
    """Yield the orders that an arrival is about: its own, and those that it names as replacements."""
    yield arrival.order.shop, arrival.order.number
    yield from ((arrival.order.shop, number) for number in map(_new_order, arrival.reports) if number)


def _new_order(report: Report) -> str | None:
    named = report.fields.get("new_order")
    return None if named is None else str(named)
