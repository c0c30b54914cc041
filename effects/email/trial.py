"""A test mail, sent step by step, so that it is seen at which step a mail server fails."""

import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from effects.channel import NotSent, OutcomeUnknown, Outgoing
from effects.email import SmtpServer, compose, connect, encrypt, hand_over, log_in, said_by
from language import tr

Step = tuple[str, str | None]
"""What was tried, and why it has failed; None where it has not."""


def trial(server: SmtpServer, message: Outgoing) -> Iterator[Step]:
    """Yield each step of sending a mail; behind one that has failed there is no other."""
    opened = list[smtplib.SMTP]()
    try:
        for name, take in _steps(server, message, opened):
            try:
                take()
            except (NotSent, OutcomeUnknown, OSError, ValueError) as error:  # what smtplib raises is an OSError
                yield name, said_by(error)
                return
            yield name, None
    finally:
        for smtp in opened:
            with suppress(OSError):
                smtp.quit()
            smtp.close()


def _steps(server: SmtpServer, message: Outgoing, opened: list[smtplib.SMTP]) -> Iterator[tuple[str, Callable[[], object]]]:
    where = {"host": server.host, "port": server.port}
    yield tr("look up {host}", **where), lambda: socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    encrypted = tr("connect to {host}:{port}, encrypted, and verify its certificate", **where)
    connecting = encrypted if server.security == "tls" else tr("connect to {host}:{port}", **where)
    yield connecting, lambda: opened.append(connect(server))
    (smtp,) = opened
    if server.security == "starttls":
        yield tr("encrypt the connection, and verify its certificate"), lambda: encrypt(smtp)
    if server.user:
        yield tr("log in as {user}", user=server.user), lambda: log_in(smtp, server)
    told = tr("hand over a mail from {sender} to {recipient}", sender=server.sender, recipient=message.recipient)
    yield told, lambda: hand_over(smtp, compose(message, server.sender), server.sender, str(message.recipient))
