"""The log channel: every message as one line of the program's log."""

import logging

from effects.channel import Outgoing

_LOG = logging.getLogger("aftersales.effects")


class LogChannel:
    """Writes key, recipient and subject of each message to the log; the body stays in the database."""

    def send(self, message: Outgoing) -> None:
        """Write the message's line."""
        _LOG.info("%s to %s: %s [%s]", message.kind, message.recipient or "-", message.subject, message.key)
