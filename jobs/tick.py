"""The three jobs, and the single pass that does the same once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.delivery import PostOffice, Sent, compose_due, recover, send_due
from engine.firing import Fired, fire_due
from engine.timekeeping import settle_provisional
from storage import heartbeats, outbox, timers
from storage.database import Database
from workflow.policy import Rules

_LOG = logging.getLogger("aftersales.jobs")

REMEMBERED = timedelta(days=30)
"""How long the sign of life of a daemon is kept that is no more."""

KeepOn = Callable[[], bool]
"""Asked between batches; False ends the work there, and what is left waits for the next tick."""


def to_the_end() -> bool:
    """Keep on until nothing is left."""
    return True


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the jobs work on."""

    database: Database
    rules: Rules
    office: PostOffice


def fire_due_timers(place: Workplace, at: datetime, keep_on: KeepOn = to_the_end) -> Fired:
    """Fire everything that is due at `at`, batch by batch."""
    total = Fired()
    while True:
        fired = fire_due(place.database, at, place.rules)
        total.add(fired)
        for failure in fired.failures:
            _LOG.error("%s", failure)
        if fired.count == 0 or not keep_on() or fired.next_wake is None or fired.next_wake > at:
            return total


def compose_messages(place: Workplace, at: datetime, keep_on: KeepOn = to_the_end) -> int:
    """Compose the messages of all effects that may leave at `at`; return how many effects that were."""
    total = 0
    while composed := compose_due(place.database, at, place.rules, place.office):
        total += composed
        if not keep_on():
            break
    return total


def send_messages(place: Workplace, at: datetime, keep_on: KeepOn = to_the_end) -> Sent:
    """Send every message whose (next) try is due at `at`, batch by batch."""
    total = Sent()
    while True:
        sent = send_due(place.database, at, place.rules, place.office, keep_on)
        total = Sent(total.sent + sent.sent, total.failed + sent.failed)
        if sent == Sent() or not keep_on():
            return total


def keep_house(place: Workplace, at: datetime) -> None:
    """Take over what killed senders left, forget daemons of long ago, and let SQLite tidy its files."""
    recover(place.database, at)
    with place.database.write() as connection:
        heartbeats.forget(connection, at - REMEMBERED)
    if place.database.is_sqlite:
        with place.database.write() as connection:  # it may write, and a view cannot become a write
            connection.exec_driver_sql("PRAGMA optimize")


def take_over(place: Workplace, at: datetime) -> None:
    """Take over what senders before us left (on one file there is certainly no other sender at work).

    Deadlines that were provisional are recomputed: a newer calendar comes with a newer program or policy.
    """
    if place.database.is_sqlite:
        recover(place.database, at, older_than=timedelta(0))
    else:
        recover(place.database, at)
    if settled := settle_provisional(place.database, at, place.rules):
        _LOG.info("%s provisional deadlines are final now", settled)


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
        return outbox.something_leaves(connection, at)


def single_pass(place: Workplace, at: datetime) -> tuple[Fired, Sent]:
    """Do once what the daemon does all the time."""
    take_over(place, at)
    fired = fire_due_timers(place, at)
    compose_messages(place, at)
    sent = send_messages(place, at)
    keep_house(place, at)
    return fired, sent
