"""What a daemon has fired and sent, summed up for its log."""

import logging
import threading
import time

from engine.firing import Fired
from engine.sending import Sent
from workflow.plurals import counted

_LOG = logging.getLogger("aftersales.jobs")
EVERY_SECONDS = 60.0
LATE_SECONDS = 1.0
"""Lateness above this is said at once."""


class Summary:
    """Adds up what was fired and sent, and says it once a minute: at once after a quiet minute, or when it is late or fails."""

    def __init__(self) -> None:
        self._fired, self._sent = Fired(), Sent()
        self._fired_said = self._sent_said = -EVERY_SECONDS
        self._alone = threading.Lock()

    def add_fired(self, fired: Fired) -> None:
        """Add a round of firing; its failures are said by those who see them."""
        with self._alone:
            self._fired.count += fired.count
            self._fired.lateness_seconds = max(self._fired.lateness_seconds, fired.lateness_seconds)
            self._say(urgent=False)

    def add_sent(self, sent: Sent) -> None:
        """Add a round of sending."""
        with self._alone:
            self._sent = self._sent.plus(sent)
            self._say(urgent=False)

    def say(self, *, urgent: bool = False) -> None:
        """Say what is to be said by now; with `urgent`, all of it."""
        with self._alone:
            self._say(urgent=urgent)

    def _say(self, *, urgent: bool) -> None:
        now, fired, sent = time.monotonic(), self._fired, self._sent
        if fired.count and (urgent or fired.lateness_seconds >= LATE_SECONDS or now - self._fired_said >= EVERY_SECONDS):
            _LOG.info("fired %s, the first %.3f s late", counted(fired.count, "timer"), fired.lateness_seconds)
            self._fired, self._fired_said = Fired(), now
        if sent != Sent() and (urgent or sent.failed or now - self._sent_said >= EVERY_SECONDS):
            why = f" ({sent.why})" if sent.why else ""
            _LOG.info("sent %s, %d could not be sent%s", counted(sent.sent, "message"), sent.failed, why)
            self._sent, self._sent_said = Sent(), now
