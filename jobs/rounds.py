"""Rounds: jobs that come again by themselves, and sooner for whoever asks, also while they are at work."""

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


class Round:
    """One job of a scheduler.

    The scheduler passes over a job that still runs. So what is asked for is remembered until the job begins to work,
    and set once more when the job has ended: whoever asks is sure that a round begins after the asking.
    """

    def __init__(self, scheduler: BackgroundScheduler, work: Callable[[], None], every: timedelta) -> None:
        self.name = work.__name__
        self.at_work = threading.Lock()
        """Held while the job works."""
        self._scheduler, self._work, self._every = scheduler, work, every
        self._asked: datetime | None = None
        self._asking = threading.Lock()

    def start(self) -> None:
        """Begin the first round now; the others come `every` so often."""
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_job(
            self._run,
            Heartbeat(self._every),
            id=self.name,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def ask(self, at: datetime) -> None:
        """Let a round begin at `at`."""
        with self._asking:
            self._asked = at = at if self._asked is None else min(at, self._asked)
        if not self.at_work.locked():
            self._set(at)

    def _run(self) -> None:
        with self.at_work:
            with self._asking:
                self._asked = None
            self._work()

    def _ended(self, event: JobExecutionEvent) -> None:
        if event.job_id == self.name and (asked := self._asked) is not None:
            self._set(asked)

    def _set(self, at: datetime) -> None:
        if self._scheduler.running:
            with suppress(JobLookupError):  # it has been shut down just now
                self._scheduler.modify_job(self.name, next_run_time=at)
