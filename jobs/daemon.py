"""The daemon: APScheduler only says when; the timer rows in the database are the truth."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps

from apscheduler.schedulers.background import BackgroundScheduler

from engine.firing import Fired
from jobs import tick
from jobs.lock import DaemonLock
from jobs.rounds import Round
from jobs.tick import Workplace
from storage import heartbeats
from storage.database import DatabaseFailed
from storage.waking import Listener

_LOG = logging.getLogger("aftersales.jobs")
LONGEST_SLEEP = timedelta(seconds=1)
"""So that a jump of the clock is seen."""
A_MOMENT = timedelta(milliseconds=20)
"""To be woken by the scheduler takes a few milliseconds, which nobody needs to wait for who is awake."""
HOUSE_EVERY = timedelta(minutes=5)
DEAD_AFTER_SECONDS = 60.0
"""A ticker that has not ticked for so long is dead, and the daemon ends with an error."""
BEAT_EVERY_SECONDS = 10.0
BEAT_LATE_EVERY = timedelta(seconds=1)
LATE_SECONDS = 1.0
"""What was late by so much is told sooner."""
LISTEN_SECONDS = 1.0
END_WITHIN_SECONDS = 3.0
"""How long a stop signal waits for what is being done; a mail server that hangs is not waited for."""


class Daemon:
    """Fires timers, sends effects and keeps house until it is told to stop."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._lock = DaemonLock(place.database)
        self.scheduler = BackgroundScheduler(timezone=UTC)
        self._firing = self._round(self.fire_due_timers, LONGEST_SLEEP)
        self._sending = self._round(self.send_effects, LONGEST_SLEEP)
        self._rounds = (
            self._firing,
            self._sending,
            self._round(self.give_sign_of_life, BEAT_LATE_EVERY),
            self._round(self.keep_house, HOUSE_EVERY),
        )
        self._listening = (
            None if place.database.is_sqlite else threading.Thread(target=self._listen, name="listening", daemon=True)
        )
        self._drained = threading.Lock()
        """Held while timers fire, so that a digest is not written in the middle of it (rule 5.3)."""
        self._ticked = time.monotonic()
        self._beaten = self._late_seconds = 0.0
        self.left_behind = False
        """After `run`: whether a job was still stuck in something outside; the process must not wait for it."""

    def run(self) -> int:
        """Work until `stop` is called or the ticker dies; return the exit code.

        Raises:
            AlreadyRunning: another daemon is at work on the same SQLite file.

        """
        self._lock.take()
        try:
            tick.take_over(self._place, _now())
            self._start()
            _LOG.info("daemon %s works on %s", self._name, self._place.database.place)
            return self._watch()
        finally:
            self._end()

    def stop(self) -> None:
        """Ask the daemon to end; the batch and the message that it is at are finished first."""
        self._stop.set()

    def fire_due_timers(self) -> None:
        """Fire what is due, then sleep until the next timer is; what is due in a moment is waited for here."""
        while True:
            fired = self._fire_once()
            wake = fired.next_wake
            if wake is None or wake > _now() + A_MOMENT or not self._tick():
                break
            least = 0.0 if fired.count else A_MOMENT.total_seconds()  # another daemon is at what is due
            self._stop.wait(max(least, (wake - _now()).total_seconds()))
        if wake is not None and wake < _now() + LONGEST_SLEEP:
            self._wake(self._firing, max(wake, _now()))

    def _fire_once(self) -> Fired:
        with self._drained:
            fired = tick.fire_due_timers(self._place, _now(), self._tick)
        if fired.count:
            _LOG.info("fired %d timers, the first %.3f s late", fired.count, fired.lateness_seconds)
        if fired.leaves:
            self._wake(self._sending, _now())
        self._late_seconds = max(self._late_seconds, fired.lateness_seconds)
        return fired

    def send_effects(self) -> None:
        """Compose what may leave, and send what is due."""
        if not tick.something_leaves(self._place, _now()):
            return
        with self._drained:
            if self._keep_on():  # a drain that a stop cut short is finished by the next daemon
                tick.compose_messages(self._place, _now(), self._keep_on)
        sent = tick.send_messages(self._place, _now(), self._keep_on)
        if sent.sent or sent.failed:
            _LOG.info("sent %d messages, %d could not be sent", sent.sent, sent.failed)

    def give_sign_of_life(self) -> None:
        """Write a sign of life of the ticker now and then, and sooner when something was late; a dead one gives none."""
        since, late = time.monotonic() - self._beaten, self._late_seconds >= LATE_SECONDS
        if self._ticked > self._beaten and (late or since > BEAT_EVERY_SECONDS):
            worst, self._late_seconds = self._late_seconds, 0.0
            tick.beat(self._place, self._name, _now(), worst)
            self._beaten = time.monotonic()

    def keep_house(self) -> None:
        """Tidy up."""
        tick.keep_house(self._place, _now())

    def _start(self) -> None:
        for one in self._rounds:
            one.start()
        self.scheduler.start()
        if self._listening:
            self._listening.start()

    def _listen(self) -> None:
        """Look at once when somebody else has stored what can be done at once; whoever cannot listen looks at the clock."""
        listener = Listener(self._place.database)
        while not self._stop.is_set():
            try:
                if listener.wait(LISTEN_SECONDS):
                    self._wake(self._firing, _now())
                    self._wake(self._sending, _now())
            except Exception as error:  # the server is gone for a while; the jobs say so where it matters
                _LOG.debug("cannot listen: %s", error)
                self._stop.wait(LISTEN_SECONDS)
        listener.close()

    def _round(self, work: Callable[[], None], every: timedelta) -> Round:
        """Return a round whose work meets a database that is locked or gone for a while again at the next one."""

        @wraps(work)
        def survive() -> None:
            if self._stop.is_set():
                return
            try:
                work()
            except DatabaseFailed as error:
                _LOG.warning("trying again: %s", error)
            if work == self.fire_due_timers:
                self._tick()

        return Round(self.scheduler, survive, every)

    def _keep_on(self) -> bool:
        return not self._stop.is_set()

    def _tick(self) -> bool:
        self._ticked = time.monotonic()
        return self._keep_on()

    def _wake(self, sleeper: Round, at: datetime) -> None:
        if not self._stop.is_set():
            sleeper.ask(at)

    def _watch(self) -> int:
        """Wait for the end; a ticker that is dead ends the process with an error."""
        while not self._stop.wait(0.2):
            silent = time.monotonic() - self._ticked
            if silent > DEAD_AFTER_SECONDS:
                _LOG.critical("the ticker is dead: no tick for %.0f seconds; the daemon ends", silent)
                return 1
        return 0

    def _end(self) -> None:
        """Let the jobs come to an end, for a while; what is not finished then is taken over by the next daemon."""
        self._stop.set()
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        until = time.monotonic() + END_WITHIN_SECONDS
        if self._listening and self._listening.is_alive():
            self._listening.join(END_WITHIN_SECONDS)
        stuck = [one.name for one in self._rounds if not one.at_work.acquire(timeout=max(0, until - time.monotonic()))]
        self.left_behind = bool(stuck)
        if stuck:
            _LOG.warning("%s did not come to an end; the next daemon takes over what it left", ", ".join(stuck))
        else:
            self._say_goodbye()
            self._lock.free()

    def _say_goodbye(self) -> None:
        self._place.database.patience_ms = 500
        try:
            with self._place.database.write() as connection:
                heartbeats.stop(connection, self._name, _now())
        except DatabaseFailed as error:
            _LOG.warning("the last sign of life could not be written: %s", error)


def _now() -> datetime:
    return datetime.now(UTC)
