"""A mail server on loopback that takes mails."""

import socket
from collections.abc import Iterator

from aiosmtpd.controller import Controller

from effects.email import SmtpServer


class Mailbox:
    """Takes mails, and answers to each text as it is told."""

    def __init__(self) -> None:
        self.mails, self.answer, self.connections = [], "250 OK", 0
        self.drops_the_next = False

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if self.drops_the_next:
            self.drops_the_next = False
            server.transport.close()
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append(envelope)
        return self.answer


def served() -> Iterator["Mailbox"]:
    """Serve a mailbox until the test has ended."""
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    box.controller = Controller(box, hostname="127.0.0.1", port=port)
    box.controller.start()
    box.server = SmtpServer("127.0.0.1", port, security="none")
    yield box
    box.controller.stop()
