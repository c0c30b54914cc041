"""Jobs that repeat and can be woken earlier, also while they run."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger


class Heartbeat(BaseTrigger):  # type: ignore[misc]
    """Fires again after at most `every`; a job may be set to an earlier time."""

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time, which always lies ahead."""
        return now + self._every


class WakeableJob:
    """One job of a scheduler.

    APScheduler skips a job that still runs. So a requested wake-up is kept until the job starts, and scheduled again
    when it has ended: a wake-up requested during a run causes one more run.
    """

    def __init__(self, scheduler: BackgroundScheduler, work: Callable[[], None], trigger: BaseTrigger) -> None:
        self.name = work.__name__
        self.running = threading.Lock()
        """Held while the job runs."""
        self._scheduler, self._work, self._trigger = scheduler, work, trigger
        self._wake_at: datetime | None = None
        self._wake_lock = threading.Lock()

    def start(self) -> None:
        """Start the first run now; it repeats as its trigger says."""
        self._scheduler.add_listener(self._job_ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_job(
            self._run,
            self._trigger,
            id=self.name,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def repeat(self, trigger: BaseTrigger) -> None:
        """Repeat as another trigger says, and run once more now."""
        self._trigger = trigger
        with suppress(JobLookupError):  # the scheduler was shut down meanwhile
            self._scheduler.modify_job(self.name, trigger=trigger, next_run_time=datetime.now(UTC))

    def wake_at(self, at: datetime) -> None:
        """Run the job at `at`, or at an earlier wake-up that is already requested."""
        with self._wake_lock:
            self._wake_at = at = at if self._wake_at is None else min(at, self._wake_at)
        if not self.running.locked():
            self._schedule(at)

    def _run(self) -> None:
        if not self.running.acquire(blocking=False):
            return  # the daemon ends, and holds it for good
        try:
            with self._wake_lock:
                self._wake_at = None
            self._work()
        finally:
            self.running.release()

    def _job_ended(self, event: JobExecutionEvent) -> None:
        if event.job_id == self.name and (wake_time := self._wake_at) is not None:
            self._schedule(wake_time)

    def _schedule(self, at: datetime) -> None:
        if self._scheduler.running:
            with suppress(JobLookupError):  # the scheduler was shut down meanwhile
                self._scheduler.modify_job(self.name, next_run_time=at)
