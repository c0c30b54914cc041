"""The three jobs, and the single pass that does the same once."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.delivery import PostOffice, Sent, deliver_due, recover
from engine.firing import Fired, fire_due
from storage import heartbeats, outbox, timers
from storage.database import Database
from workflow.policy import Rules

_LOG = logging.getLogger("aftersales.jobs")


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the jobs work on."""

    database: Database
    rules: Rules
    office: PostOffice


def drain_timers(place: Workplace, at: datetime) -> Fired:
    """Fire everything that is due at `at`, batch by batch."""
    total = Fired()
    while True:
        fired = fire_due(place.database, at, place.rules)
        total.count += fired.count
        total.lateness_seconds = max(total.lateness_seconds, fired.lateness_seconds)
        total.failures += fired.failures
        for failure in fired.failures:
            _LOG.error("%s", failure)
        if fired.count == 0:
            return total


def drain_effects(place: Workplace, at: datetime) -> Sent:
    """Send everything that may leave at `at`, batch by batch."""
    total = Sent()
    while True:
        sent = deliver_due(place.database, at, place.rules, place.office)
        total = Sent(total.composed + sent.composed, total.sent + sent.sent, total.failed + sent.failed)
        if sent == Sent():
            return total


def keep_house(place: Workplace, at: datetime) -> None:
    """Take over what killed senders left, and let SQLite tidy its files."""
    recover(place.database, at)
    if place.database.is_sqlite:
        with place.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA optimize")


def beat(place: Workplace, daemon: str, at: datetime, lateness_seconds: float) -> None:
    """Write the daemon's sign of life, which `check` reads."""
    with place.database.write() as connection:
        heartbeats.beat(connection, daemon, at, lateness_seconds, timers.backlog(connection, at))


def next_wake(place: Workplace) -> datetime | None:
    """Return when the next timer is due."""
    with place.database.read() as connection:
        return timers.next_wake(connection)


def something_leaves(place: Workplace, at: datetime) -> bool:
    """Say whether an effect or a message waits to be sent at `at`."""
    with place.database.read() as connection:
        send_at = outbox.next_send(connection)
        return outbox.has_ready(connection) or (send_at is not None and send_at <= at)


def single_pass(place: Workplace, at: datetime) -> tuple[Fired, Sent]:
    """Do once what the daemon does all the time; nobody else is at work meanwhile."""
    recover(place.database, at, older_than=timedelta(0))
    fired = drain_timers(place, at)
    sent = drain_effects(place, at)
    keep_house(place, at)
    return fired, sent
