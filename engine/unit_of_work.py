"""The unit of work: orders loaded with their chains, their steps recorded, and all of it stored in one transaction.

Every use case that moves orders goes through it; no other module builds a `CaseChange`.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from engine.case_run import CaseRun
from storage import case_writer, cases, chains
from storage.case_changes import CaseChange
from storage.case_reader import StoredCase
from storage.chains import Chain
from workflow.case.case import Case
from workflow.intake import Received
from workflow.policy.policy import Rules
from workflow.step import Step
from workflow.vocabulary import Verdict


@dataclass(slots=True)
class OpenOrder:
    """An order within a unit of work: as it was loaded (None: it is new), and its run since."""

    run: CaseRun
    stored: StoredCase | None
    observed: bool
    """Whether its effects are held (rule 5.4)."""


class UnitOfWork:
    """Orders that change together. Leaving the transaction without `commit` stores nothing."""

    def __init__(
        self,
        connection: Connection,
        order_ids: Iterable[int],
        at: datetime,
        *,
        for_timers: bool = False,
        lock: bool = True,
        view: Callable[[Case], Case] | None = None,
    ) -> None:
        """Load orders by their ids.

        `at` is the instant at which their changes are recorded. `for_timers` leaves out what no timer reads. `lock`
        is False for a preview, which stores nothing. `view` replaces each case as it is loaded.
        """
        self.connection, self._at = connection, at
        stored = cases.load(connection, order_ids, for_timers=for_timers, lock=lock)
        self._chains = chains.load(connection, (one.case for one in stored.values()), lock=lock)
        if view:
            stored = {key: replace(one, case=view(one.case)) for key, one in stored.items()}
        self.orders = {key: self._opened(one) for key, one in stored.items()}
        self._new: list[OpenOrder] = []
        self._salts = _salts()

    def case(self, order_id: int) -> Case:
        """Return an order's case as it is now, with what its chain of replacements has had."""
        return self.case_of(self.orders[order_id])

    def case_of(self, order: OpenOrder) -> Case:
        """Return a case as it is now, with what its chain of replacements has had."""
        case = order.run.case
        chain = self._chain_of(case)
        return chain.within(case) if chain else case

    def record(self, order_id: int, step: Step, rules: Rules) -> None:
        """Record a step of a loaded order, and what reports that waited for its decision come to."""
        order = self.orders[order_id]
        order.run.step(step)
        order.run.judge_asking(self._at, rules)
        self.note_refunds(order)

    def note_refunds(self, order: OpenOrder) -> None:
        """Tell the chain of an order what its refunds are now."""
        if chain := self._chain_of(order.run.case):
            chain.take(order.run.case)

    def add(self, run: CaseRun, *, observed: bool) -> OpenOrder:
        """Add a new order, which is stored if it has been placed by the time of the commit."""
        self._new.append(OpenOrder(run, None, observed))
        return self._new[-1]

    def new_salt(self) -> str:
        """Return the salt of a new order's digests (rule 6.3)."""
        return next(self._salts)

    def changes(self) -> list[CaseChange]:
        """Return what has happened to the orders since they were loaded."""
        return [change for order in (*self.orders.values(), *self._new) if (change := self._change(order))]

    def commit(self) -> bool:
        """Store all changes; return whether there is work for a daemon now.

        Raises:
            OrderChanged: another writer changed an order meanwhile; nothing may be committed.

        """
        changes = self.changes()
        has_work = case_writer.store(self.connection, changes) if changes else False
        self._new.clear()  # runs refer to what refers to them, and the cyclic garbage collector is off
        self.orders.clear()
        return has_work

    def _change(self, order: OpenOrder) -> CaseChange | None:
        run, stored = order.run, order.stored
        if run.case.state is None or not (run.steps or run.received):
            return None
        verdicts = _last_verdicts(run.received) if run.received else ()
        if stored is None:
            return CaseChange(run.case, run.steps, verdicts, self._at, observed=order.observed)
        was = (stored.order_id, stored.case, order.observed, stored.observed)
        return CaseChange(run.case, run.steps, verdicts, self._at, *was)

    def _opened(self, stored: StoredCase) -> OpenOrder:
        return OpenOrder(CaseRun(stored.case), stored, stored.observed)

    def _chain_of(self, case: Case) -> Chain | None:
        key = chains.key_of(case)
        if key is None:
            return None
        if key not in self._chains:  # its first replacement was placed in this unit of work
            self._chains[key] = Chain(case.paid)
        return self._chains[key]


def _last_verdicts(received: Iterable[Received]) -> list[Received]:
    """Return the last verdict of each report: one that was kept at first may have been applied since."""
    last = {
        (one.report.source, one.report.key, one.report.nth): one for one in received if one.verdict is not Verdict.duplicate
    }
    return [*last.values()]


def _salts() -> Iterator[str]:
    """Yield salts, drawn 256 at a time: one system call for each was the slowest part of a new order."""
    while True:
        drawn = secrets.token_hex(16 * 256)
        yield from (drawn[at : at + 32] for at in range(0, len(drawn), 32))
