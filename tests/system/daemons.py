"""A daemon in this process, and what it meets: a mail server that hangs, and a log that is listened to."""

import logging
import threading
from contextlib import contextmanager

from effects.channel import Outgoing
from jobs.daemon import Daemon, Limits
from jobs.passes import Runtime

PATIENCE_SECONDS = 20


class Hanging:
    """A mail server that takes a message and says nothing more until it is let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = threading.Event(), threading.Event()

    def send(self, message: Outgoing) -> None:
        self.reached.set()
        self.let_go.wait(PATIENCE_SECONDS)


class Listening(logging.Handler):
    """Lets a test wait for a line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.heard = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.heard:
            self.lines.append(record.getMessage())
            self.heard.notify_all()

    def wait_for(self, words: str) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: any(words in line for line in self.lines), PATIENCE_SECONDS), self.lines


@contextmanager
def at_work(runtime: Runtime, limits: Limits = Limits()):  # noqa: B008  (a value)
    """Run a daemon in a thread; afterwards it has ended, and `codes` has its exit code."""
    daemon, codes = Daemon(runtime, limits), []
    thread = threading.Thread(target=lambda: codes.append(daemon.run()))
    thread.start()
    try:
        yield daemon, codes
    finally:
        daemon.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
