"""A file's orders and reports stored in batches, with a point to resume from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from engine.outcomes import Outcome, Tally
from engine.replay import BATCH, Progress, arrival_of
from engine.reporting import apply
from inbound.orders import Incoming, OrderFile, Rejection
from storage import imports
from storage.database import Database
from workflow.policy.policy import Rules


@dataclass(slots=True)
class Imported:
    """What an import did; `resumed_after` counts the orders that an interrupted run had stored before."""

    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejection] = field(default_factory=list)
    resumed_after: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count what became of one order; one that is stored with other facts is rejected (rule 7.3)."""
        self.tally.add(outcome)
        if outcome.conflict:
            self.rejected.append(Rejection(outcome.arrival.line, None, outcome.conflict, outcome.case.name))


def import_orders(
    database: Database,
    file: OrderFile,
    now: datetime,
    rules: Rules,
    *,
    mapping_text: str = "",
    observed: bool = False,
    urge_historical: bool = False,
    progress: Progress = lambda rows: None,
) -> Imported:
    """Store a file's orders and apply all its reports at `now`, before timers are looked at (rule 7.1).

    `observed` holds every effect that the new orders cause (rule 5.4); `urge_historical` lets old ones be urged too
    (rule 7.7). A second run changes nothing; a run that was interrupted goes on behind its last stored batch.
    """
    imported = Imported()
    older_than = None if urge_historical else rules.policy.orders.historical_after.span()
    digest = _digest(file, mapping_text)
    with database.write() as connection:
        done, begun = imports.begin(connection, digest, file.path.name, now)
    imported.resumed_after = done
    stored_before = begun + rules.policy.reports.ahead_of_now.span()
    orders = (
        (number, order)
        for number, order in _acceptable(file, now, rules, imported, progress)
        if number > done or order.order.placed_at > stored_before  # the run that was interrupted left these to a later one
    )
    while batch := [*islice(orders, BATCH)]:
        passed = max(done, batch[-1][0])
        with database.write() as connection:
            arrivals = [arrival_of(one) for _, one in batch]
            for outcome in apply(connection, arrivals, now, rules, observed=observed, older_than=older_than):
                imported.add(outcome)
            imports.advance(connection, digest, passed)
    with database.write() as connection:
        imports.finish(connection, digest)
    return imported


def _acceptable(
    file: OrderFile, now: datetime, rules: Rules, imported: Imported, progress: Progress
) -> Iterator[tuple[int, Incoming]]:
    """Yield the orders that can be stored, with their place in the file.

    One that is dated ahead of now waits in its file (rule 7.4).
    """
    latest = now + rules.policy.reports.ahead_of_now.span()
    for number, (incoming, rejections, rows) in enumerate(file, 1):
        progress(rows)
        imported.rejected += rejections
        if incoming is not None and incoming.order.placed_at > latest:
            at, name = incoming.order.placed_at, incoming.order.name
            why = f"order {name} is placed at {at.isoformat()}, ahead of now: import it again later"
            imported.rejected.append(Rejection(incoming.line, None, why, name, at))
        elif incoming is not None:
            yield number, incoming


def _digest(file: OrderFile, mapping_text: str) -> str:
    digest = hashlib.sha256(mapping_text.encode())
    with file.path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
