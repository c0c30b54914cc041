"""How the installation does: heartbeats, work that waits, sizes, statistics and histories."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.operations import RESTORE as RESTORE
from engine.operations import OpenOperation as OpenOperation
from engine.operations import open_operations
from engine.views import filled
from storage import heartbeats, outbox, queries, sizes, statistics, timers
from storage.database import Database
from storage.outbox import Failing, Overdue
from storage.statistics import Lateness

Counts = Mapping[str, Mapping[str, int]]
"""By table and status (or state, verdict, flag)."""
OVERDUE_AFTER = timedelta(seconds=30)
UNSENT_AFTER = timedelta(minutes=10)
ORDERS_IN_PAGE = 500


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The latest sign of a daemon."""

    daemon: str
    last_tick: datetime
    stopped_at: datetime | None
    settings: str | None = None
    """A digest of the files that its settings come from."""
    refused: str | None = None
    """Why it has refused the settings as they are now, if it has."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` looks at. `overdue` counts timers that should have fired more than `OVERDUE_AFTER` ago.

    `unsent` counts what should have left more than `UNSENT_AFTER` ago.
    """

    heartbeat: Heartbeat | None
    overdue: int
    last_recorded: datetime | None
    unsent: Overdue
    failing: Sequence[Failing]
    """Channels whose messages could not be sent so far."""
    operations: Sequence[OpenOperation]
    """Work in several places that has not ended."""
    counts: Counts
    rows: Mapping[str, int]
    bytes_used: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts, and how late timers fired."""

    counts: Counts
    lateness: Sequence[Lateness]


def health(database: Database, at: datetime) -> Health:
    """Return the health of an installation at an instant."""
    with database.read() as connection:
        last = heartbeats.last(connection)
        return Health(
            heartbeat=filled(Heartbeat, last) if last else None,
            overdue=timers.backlog(connection, at - OVERDUE_AFTER),
            last_recorded=heartbeats.last_recorded(connection),
            unsent=outbox.overdue(connection, at - UNSENT_AFTER),
            failing=outbox.failing(connection),
            operations=open_operations(database, at),
            counts=queries.counts(connection),
            rows=sizes.rows(connection),
            bytes_used=sizes.bytes_used(connection),
        )


def statistics_of(database: Database) -> Statistics:
    """Return the statistics of an installation."""
    with database.read() as connection:
        return Statistics(queries.counts(connection), statistics.lateness(connection))


def counts_of(database: Database) -> Counts:
    """Count orders by state, timers, effects and messages by status, reports by verdict, and flags."""
    with database.read() as connection:
        return queries.counts(connection)


def histories(database: Database, identity: str | None) -> Iterator[dict[str, Any]]:
    """Yield the history rows of one order or of all, order by order, oldest first.

    No transaction is open while a row is consumed: a slow reader keeps no log from being cut. Each order's rows belong
    together; orders that move meanwhile may be one step further than those before them.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with database.read() as connection:
        order_id = queries.resolve_id(connection, identity) if identity else None
    return _pages(database, order_id)


def _pages(database: Database, order_id: int | None) -> Iterator[dict[str, Any]]:
    last: int | None = 0
    while last is not None:
        with database.read() as connection:
            rows, last = queries.history_page(connection, last, ORDERS_IN_PAGE, order_id)
        yield from rows
