"""The daemon. APScheduler only decides when jobs run; the timer rows in the database hold the deadlines."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from engine import owning
from engine.firing import Fired
from engine.owning import AlreadyRunning, OwnershipLost
from engine.sending import Sender
from jobs import passes
from jobs.clock import ClockNotTrusted, ClockWatch, PlausibleClock
from jobs.clock import now as _now
from jobs.ownership import FileGuard
from jobs.passes import Runtime
from jobs.summary import LATE_SECONDS, Summary
from jobs.wakeable_job import Heartbeat, WakeableJob
from storage import heartbeats
from storage.database import DatabaseFailed
from storage.notifications import Listener
from storage.outbox import Through
from workflow.errors import AftersalesError

_LOG = logging.getLogger("aftersales.jobs")
WAIT_INLINE_BELOW = timedelta(milliseconds=20)
"""Timers due sooner than this are waited for inline: a wake-up by the scheduler takes milliseconds."""
MAINTENANCE_EVERY = timedelta(minutes=5)
TIDY_EVIDENCE_EVERY = timedelta(hours=24)
LOOK_INTO_INBOX_EVERY = timedelta(seconds=5)
FILES_FIRST_SECONDS = 60.0
"""So long timers wait for files that are being taken in: what they tell keeps clocks from firing."""
RELOAD_EVERY = timedelta(seconds=5)
DAILY_AGAIN_AFTER = timedelta(minutes=1)
HEARTBEAT_EVERY_SECONDS = 10.0
LATE_HEARTBEAT_EVERY = timedelta(seconds=1)
LISTEN_SECONDS = 1.0
WAIT_FOR_DATABASE_SECONDS = 1.0
OTHER_JOBS = 10
"""So many jobs there are at most besides those that send, each with a thread of its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a daemon waits for what."""

    longest_sleep: timedelta = timedelta(seconds=1)
    """Upper bound of a sleep, so that a jump of the clock is noticed."""
    dead_after_seconds: float = 60.0
    """Without a tick for this long, the ticker counts as dead and the daemon exits with an error."""
    end_within_seconds: float = 3.0
    """How long a stop signal waits for running jobs, such as one that hangs on a mail server."""


Ready = TypeVar("Ready")


def when_up(make: Callable[[], Ready], stop: threading.Event) -> Ready | None:
    """Return what `make` returns as soon as the database can be used; None if `stop` was set before."""
    while not stop.is_set():
        try:
            return make()
        except DatabaseFailed as error:
            _LOG.warning("waiting for the database: %s", error)
            stop.wait(WAIT_FOR_DATABASE_SECONDS)
    return None


class Daemon:
    """Fires timers, sends effects and runs maintenance until it is stopped."""

    def __init__(
        self,
        runtime: Runtime,
        limits: Limits = Limits(),
        *,
        stop: threading.Event | None = None,
        clock_is_right: bool = False,
    ) -> None:
        """Take what the jobs work on; `stop` is set to stop the daemon, and `clock_is_right` trusts a clock far ahead."""
        self._runtime, self._limits = runtime, limits
        self._stop = stop or threading.Event()
        self._clock_is_right = clock_is_right
        self._clock: PlausibleClock | None = None
        self._clock_watch = ClockWatch()
        self._distrust: str | None = None
        """Why the clock is not trusted now."""
        self._guard = FileGuard(runtime.database)
        self._owner = ""
        self._names: list[str] = []
        """Under which this daemon has taken the database, or has tried to: of a failed try it is not known what was stored."""
        self._senders: dict[Through, Sender] = {}
        self._owning = threading.Lock()
        self._round_began: float | None = None
        """Since when files of the inbox are being taken in, or are still to be; None: none are."""
        self._looks_once = True
        """True until the inbox was looked into once."""
        self._inbox_problems: Sequence[str] = ()
        """What was said last of files that cannot be taken in."""
        self._held = True
        """False once it is known that no restore holds timers and effects."""
        self._refused = False
        """True when another process owns the database in this one's place, or the clock cannot be right."""
        threads = OTHER_JOBS + len(runtime.messenger.channels)
        self.scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(threads)})
        channels = frozenset(runtime.messenger.channels)
        self._ways = (*(Through(frozenset([name])) for name in sorted(channels)), Through(channels, others=True))
        """Each channel has a sender and a job of its own: a slow one delays no other. The last is for unknown channels."""
        self._daily_job = self._job(self.write_daily_digests, self._daily())
        self._firing, self._composing, *_ = self._jobs = self._all_jobs()
        self._sending = self._jobs[-len(self._ways) :]
        self._listening = (
            threading.Thread(target=self._listen, name="listening", daemon=True) if runtime.database.is_shared else None
        )
        self._firing_lock = threading.Lock()
        """Held while timers fire, so that no digest is composed between two batches (rule 5.3)."""
        self._last_tick = time.monotonic()
        self._last_heartbeat = self._late_seconds = 0.0
        self._summary = Summary()
        self.abandoned_threads = False
        """True after `run` if a job did not stop in time: exit without joining its thread."""

    def _all_jobs(self) -> tuple[WakeableJob, ...]:
        """Return the jobs: first the one that fires, then the one that composes messages, last those that send them."""
        return (
            self._job(self.fire_due_timers, self._limits.longest_sleep),
            self._job(self.compose_messages, self._limits.longest_sleep),
            self._job(self.report_heartbeat, LATE_HEARTBEAT_EVERY),
            self._job(self.run_maintenance, MAINTENANCE_EVERY),
            self._job(self.tidy_evidence, TIDY_EVIDENCE_EVERY),
            *([self._job(self.reload_settings, RELOAD_EVERY)] if self._runtime.reload else []),
            self._daily_job,
            self._job(self.take_in_files, LOOK_INTO_INBOX_EVERY),
            *(self._job(self._sends(way), MAINTENANCE_EVERY) for way in self._ways),
        )

    def _daily(self) -> CronTrigger:
        """Return when the daily digest is due, in the merchants' zone; at midnight nothing is, if the policy wants none."""
        at = self._runtime.rules.policy.effects.daily_digest_at or datetime.min.time()
        return CronTrigger(hour=at.hour, minute=at.minute, timezone=self._runtime.messenger.zone)

    def run(self) -> int:
        """Work until `stop` is called or the ticker dies; return the exit code.

        Raises:
            AlreadyRunning: another daemon is running on the same SQLite file.

        """
        self._guard.take()
        try:
            if not when_up(self._begin, self._stop):
                return int(self._refused)
            self._start()
            _LOG.info("daemon %s runs on %s", self._owner, self._runtime.database.location)
            if self._is_held():
                _LOG.warning(passes.HELD)
            return self._watch()
        finally:
            self._end()

    def stop(self) -> None:
        """Ask the daemon to stop; the current batch and message are finished first."""
        self._stop.set()

    def fire_due_timers(self) -> None:
        """Fire due timers, then sleep until the next one; one that is due within milliseconds is waited for inline."""
        if self._is_held() or not self._files_have_come_first():
            return
        while True:
            fired = self._fire_once()
            wake = fired.next_wake
            if wake is None or wake > _now() + WAIT_INLINE_BELOW or not self._note_tick():
                break
            least = 0.0 if fired.count else WAIT_INLINE_BELOW.total_seconds()  # another daemon holds the due timers
            self._stop.wait(max(least, (wake - _now()).total_seconds()))
        if wake is not None and wake <= _now() + self._limits.longest_sleep:
            self._wake(self._firing, max(wake, _now()))

    def _fire_once(self) -> Fired:
        with self._firing_lock:
            fired = passes.fire_due_timers(self._runtime, self._instant(), self._note_tick)
        self._summary.add_fired(fired)
        if fired.leaves:
            self._wake(self._composing, _now())
        self._late_seconds = max(self._late_seconds, fired.lateness_seconds)
        return fired

    def compose_messages(self) -> None:
        """Compose what may leave, and wake who sends what is due."""
        if self._is_held() or not passes.something_leaves(self._runtime, self._instant()):
            return
        with self._firing_lock:
            if self._carry_on():  # after a stop, the next daemon composes the rest
                passes.compose_messages(self._runtime, self._instant(), self._carry_on)
        for one in self._sending:
            self._wake(one, _now())

    def _sends(self, way: Through) -> Callable[[], None]:
        """Return the work of the job that sends through some channels."""

        def send() -> None:
            if not self._is_held():
                sent = passes.send_messages(self._senders[way], self._instant, self._carry_on)
                self._summary.add_sent(sent)
                if sent.sent:  # what has left may let others go
                    self._wake(self._composing, _now())

        send.__name__ = "send_other_messages" if way.others else f"send_{next(iter(way.names))}"
        return send

    def write_daily_digests(self) -> None:
        """Write to each merchant what needs them, if that was not done today: also when the hour passed without a daemon."""
        if self._is_held():
            return
        try:
            written = passes.write_daily_digests(self._runtime, self._instant())
        except (DatabaseFailed, ClockNotTrusted):
            self._wake(self._daily_job, _now() + DAILY_AGAIN_AFTER)  # its next hour is tomorrow's
            raise
        if written:
            self._wake(self._composing, _now())

    def take_in_files(self) -> None:
        """Take in the files of the inbox that have come to rest, if there is one."""
        if self._is_held() or self._runtime.taking_in is None:
            return
        self._round_began = self._round_began or time.monotonic()
        try:
            found = passes.take_in_files(
                self._runtime, self._owner, self._instant, looks_once=self._looks_once, carry_on=self._carry_on
            )
        finally:
            self._round_began, self._looks_once = None, False
            self._wake(self._firing, _now())
        if found.failures != self._inbox_problems:
            for failure in found.failures:
                _LOG.warning("%s", failure)
            self._inbox_problems = found.failures

    def _files_have_come_first(self) -> bool:
        """Say whether timers may fire: no files are being taken in, or that takes too long."""
        began = self._round_began
        return began is None or time.monotonic() - began > FILES_FIRST_SECONDS

    def report_heartbeat(self) -> None:
        """Write a heartbeat every few seconds, sooner after a late firing, and none when the ticker has not ticked."""
        self._summary.say()
        since, late = time.monotonic() - self._last_heartbeat, self._late_seconds >= LATE_SECONDS
        if self._last_tick > self._last_heartbeat and (late or since > HEARTBEAT_EVERY_SECONDS):
            worst, self._late_seconds = self._late_seconds, 0.0
            passes.write_heartbeat(self._runtime, self._owner, self._instant(), worst)
            self._last_heartbeat = time.monotonic()

    def run_maintenance(self) -> None:
        """Run periodic maintenance."""
        passes.run_maintenance(self._runtime, self._instant())

    def reload_settings(self) -> None:
        """Work with the settings and the policy as they are now, if their files have changed."""
        with self._firing_lock:
            is_new = passes.reload_settings(self._runtime, self._owner, self._instant())
        if is_new:
            for sender in self._senders.values():
                sender.renew(self._runtime.rules, self._runtime.messenger)
            self._daily_job.repeat(self._daily())
            self._wake(self._firing, _now())
            self._wake(self._composing, _now())

    def tidy_evidence(self) -> None:
        """Remove files of evidence that no claim has."""
        passes.tidy_evidence(self._runtime, self._instant())

    def _begin(self) -> bool:
        """Own the database and recover what was left; return whether the jobs may start."""
        self._runtime.database.refuse_pooler()
        self._clock = passes.plausible_clock(self._runtime, clock_is_right=self._clock_is_right)
        if why := self._clock.why_not(_now()):
            self._refused = True
            _LOG.critical("%s", why)
            return False
        self._own()
        passes.on_startup(self._runtime, _now())
        return True

    def _instant(self) -> datetime:
        """Return the present instant, for everything that is fired, sent or recorded.

        Raises:
            ClockNotTrusted: the clock is too far ahead of all that was recorded.

        """
        at = _now()
        if self._clock is not None and (why := self._clock.why_not(at)):
            raise ClockNotTrusted(why)
        self._distrust = None
        return at

    def _say_distrust(self, why: str) -> None:
        if self._distrust is None:
            _LOG.critical("%s", why)
        self._distrust = why

    def _own(self) -> None:
        """Become an owner of the database.

        Raises:
            AlreadyRunning: another process owns the SQLite file.

        """
        earlier = self._names
        self._names = [*earlier, owning.new_name()]
        self._owner = owning.take(
            self._runtime.database, heartbeats.DAEMON, self._instant(), name=self._names[-1], instead_of=earlier
        )
        self._names = [self._owner]
        passes.note_settings(self._runtime, self._owner)
        on = self._runtime
        self._senders = {way: Sender(on.database, self._owner, on.rules, on.messenger, way) for way in self._ways}

    def _own_again(self, lost: str) -> None:
        """Become an owner again after this daemon was taken for dead; if another one is there, stop."""
        with self._owning:
            if self._owner != lost:  # another job was sooner
                return
            try:
                self._own()
            except AlreadyRunning as error:
                self._refused = True
                _LOG.critical("this daemon was taken for dead, and %s; it stops", error)
                self._stop.set()
            else:
                _LOG.warning("this daemon was taken for dead, and goes on as %s", self._owner)
                self._wake(self._composing, _now())

    def _is_held(self) -> bool:
        """Say whether a restore holds timers and effects; asked until it does not, as none happens while a daemon runs."""
        if self._held:
            self._held = passes.is_held(self._runtime.database)
        return self._held

    def _start(self) -> None:
        self._round_began = time.monotonic() if self._runtime.taking_in else None
        self._clock_watch = ClockWatch()
        for one in self._jobs:
            one.start()
        self.scheduler.start()
        if self._listening:
            self._listening.start()

    def _listen(self) -> None:
        """Wake the jobs when another process notifies of new work. Without a connection, polling goes on."""
        listener = Listener(self._runtime.database)
        while not self._stop.is_set():
            try:
                if listener.wait(LISTEN_SECONDS):
                    self._wake(self._firing, _now())
                    self._wake(self._composing, _now())
            except Exception as error:  # the server is unreachable for now; the jobs log it
                _LOG.debug("cannot listen: %s", error)
                self._stop.wait(LISTEN_SECONDS)
        listener.close()

    def _job(self, work: Callable[[], None], every: timedelta | CronTrigger) -> WakeableJob:
        """Return a job that survives a database that is locked or unreachable; its next run tries again."""

        @wraps(work)
        def survive() -> None:
            if self._stop.is_set():
                return
            try:
                try:
                    work()
                except OwnershipLost as error:
                    self._own_again(error.owner)
            except DatabaseFailed as error:
                _LOG.warning("trying again: %s", error)
            except ClockNotTrusted as error:
                self._say_distrust(str(error))
            if work == self.fire_due_timers:
                self._note_tick()

        return WakeableJob(self.scheduler, survive, Heartbeat(every) if isinstance(every, timedelta) else every)

    def _carry_on(self) -> bool:
        return not self._stop.is_set()

    def _note_tick(self) -> bool:
        self._last_tick = time.monotonic()
        return self._carry_on()

    def _wake(self, job: WakeableJob, at: datetime) -> None:
        if not self._stop.is_set():
            job.wake_at(at)

    def _watch(self) -> int:
        """Wait for the stop; return 1 if the ticker dies. Wake the jobs when the clock was set, or the process frozen."""
        while not self._stop.wait(0.2):
            if happened := self._clock_watch.what_happened():
                _LOG.warning("%s: looking at all deadlines again", happened)
                self._last_tick = time.monotonic()  # this watch slept as well
                for one in self._jobs:
                    self._wake(one, _now())
            silent = time.monotonic() - self._last_tick
            if silent > self._limits.dead_after_seconds:
                _LOG.critical("the ticker is dead: no tick for %.0f seconds; the daemon stops", silent)
                return 1
        return int(self._refused)

    def _end(self) -> None:
        """Wait a limited time for running jobs; what they leave is recovered by the next daemon."""
        self._stop.set()
        self._summary.say(urgent=True)
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        until = time.monotonic() + self._limits.end_within_seconds
        if self._listening and self._listening.is_alive():
            self._listening.join(self._limits.end_within_seconds)
        stuck = [one.name for one in self._jobs if not one.running.acquire(timeout=max(0, until - time.monotonic()))]
        self.abandoned_threads = bool(stuck)
        if stuck:
            _LOG.warning("%s did not stop in time; the next daemon recovers its work", ", ".join(stuck))
        else:
            self._disown()
            self._guard.free()

    def _disown(self) -> None:
        self._runtime.database.busy_timeout_ms = 500
        try:
            if self._senders:
                for sender in self._senders.values():
                    sender.record(self._instant())
                owning.free(self._runtime.database, self._owner, self._instant())
        except AftersalesError as error:
            _LOG.warning("the daemon's end could not be recorded: %s", error)
