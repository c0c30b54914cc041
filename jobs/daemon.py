"""The daemon: APScheduler only says when; the timer rows in the database are the truth."""

import logging
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy.exc import OperationalError

from engine.delivery import recover
from jobs import tick
from jobs.lock import DaemonLock
from jobs.tick import Workplace
from storage import heartbeats

_LOG = logging.getLogger("aftersales.jobs")
LONGEST_SLEEP = timedelta(seconds=1)
"""So that a jump of the clock is seen."""
DEAD_AFTER_SECONDS = 60.0
"""A ticker that has not ticked for so long is dead, and the daemon ends with an error."""
BEAT_EVERY_SECONDS = 10.0
HOUSE_EVERY = timedelta(minutes=5)


class Heartbeat(BaseTrigger):  # type: ignore[misc]
    """Fires again after at most `every`; a job may set itself an earlier time."""

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time, which always lies ahead."""
        return now + self._every


class Daemon:
    """Fires timers, sends effects and keeps house until it is told to stop."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._lock = DaemonLock(place.database)
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._ticked = time.monotonic()
        self._beaten = 0.0

    def run(self) -> int:
        """Work until a stop signal or until the ticker dies; return the exit code.

        Raises:
            AlreadyRunning: another daemon is at work on the same SQLite file.

        """
        self._lock.take()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
            recover(self._place.database, _now(), older_than=timedelta(0))
            self._start()
            _LOG.info("daemon %s works on %s", self._name, self._place.database.place)
            return self._watch()
        finally:
            self._end()

    def stop(self) -> None:
        """Ask the daemon to end; what it is doing is finished first."""
        self._stop.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        _LOG.info("%s: ending", signal.Signals(number).name)
        self.stop()

    def _start(self) -> None:
        jobs = ((self._fire, LONGEST_SLEEP), (self._send, LONGEST_SLEEP), (self._keep_house, HOUSE_EVERY))
        for job, every in jobs:
            options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
            self._scheduler.add_job(job, Heartbeat(every), id=job.__name__, next_run_time=_now(), **options)
        self._scheduler.start()

    def _watch(self) -> int:
        """Wait for the end; a ticker that is dead ends the process with an error."""
        while not self._stop.wait(0.2):
            silent = time.monotonic() - self._ticked
            if silent > DEAD_AFTER_SECONDS or not self._scheduler.running:
                _LOG.critical("the ticker is dead: no tick for %.0f seconds; the daemon ends", silent)
                return 1
        return 0

    def _end(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        try:
            with self._place.database.write() as connection:
                heartbeats.stop(connection, self._name, _now())
        except OperationalError as error:
            _LOG.warning("the last sign of life could not be written: %s", error.orig)
        self._lock.free()

    def _fire(self) -> None:
        """Fire what is due, then sleep until the next timer is."""
        try:
            fired = tick.drain_timers(self._place, _now())
            if fired.count:
                _LOG.info("fired %d timers, the latest %.3f s late", fired.count, fired.lateness_seconds)
                self._scheduler.modify_job("_send", next_run_time=_now())
            self._beat(fired.lateness_seconds)
            wake = tick.next_wake(self._place)
            if wake is not None and wake < _now() + LONGEST_SLEEP:
                self._scheduler.modify_job("_fire", next_run_time=max(wake, _now()))
        except OperationalError as error:
            _LOG.warning("the database is locked or gone, trying again: %s", error.orig)
        self._ticked = time.monotonic()

    def _beat(self, lateness_seconds: float) -> None:
        if lateness_seconds or time.monotonic() - self._beaten > BEAT_EVERY_SECONDS:
            tick.beat(self._place, self._name, _now(), lateness_seconds)
            self._beaten = time.monotonic()

    def _send(self) -> None:
        try:
            if tick.something_leaves(self._place, _now()):
                sent = tick.drain_effects(self._place, _now())
                _LOG.info("sent %d messages, %d failed", sent.sent, sent.failed)
        except OperationalError as error:
            _LOG.warning("the database is locked or gone, trying again: %s", error.orig)

    def _keep_house(self) -> None:
        try:
            tick.keep_house(self._place, _now())
        except OperationalError as error:
            _LOG.warning("the database is locked or gone, trying again: %s", error.orig)


def _now() -> datetime:
    return datetime.now(UTC)
