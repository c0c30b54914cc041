"""How fast messages are composed, and sent through the log and to a mail server on loopback."""

import logging
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.report import say
from bench.sites import sites
from bench.work import order_at
from effects.channel import Channel
from effects.email import EmailChannel, SmtpServer
from effects.letters import Letters
from effects.log import LogChannel
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.owning import owned
from engine.reporting import apply
from engine.sending import Sender
from storage.database import Database
from storage.outbox import Through
from storage.schema import upgrade
from workflow.policy.policy import Rules, calendar_of, read_policy

URGES, SUPPLIERS = 100_000, 10_000
PLACED = datetime(2025, 3, 3, 9, tzinfo=UTC)
DUE = PLACED + timedelta(days=2)


def delivery() -> list[dict[str, Any]]:
    """Return how many urges a second are composed into digests, and how many digests a second are sent."""
    with sites() as both:
        return [row for site in both for row in _of(site.database, site.empty())]


def _of(name: str, url: str) -> Iterator[dict[str, Any]]:
    database = Database(url)
    upgrade(database)
    addresses = "".join(f'"Supplier {n}" = "s{n}@example.com"\n' for n in range(SUPPLIERS))
    policy = read_policy(f"[effects]\ndefault_channels = ['log', 'email']\n[contacts.suppliers]\n{addresses}")
    rules = Rules(1, policy, calendar_of(policy))
    say(f"{name}: {URGES:,} urges over {SUPPLIERS:,} suppliers")
    for begin in range(0, URGES, 5_000):
        orders = [order_at(f"m {n}", PLACED, f"Supplier {n % SUPPLIERS}") for n in range(begin, begin + 5_000)]
        with database.write() as connection:
            apply(connection, orders, PLACED, rules)
    while fire_due(database, DUE, rules).count:
        pass
    with _sink() as port:
        smtp = SmtpServer("127.0.0.1", port, security="none")
        by: dict[str, Channel] = {"log": LogChannel(), "email": EmailChannel(smtp, time.monotonic)}
        begun, composed = time.perf_counter(), 0
        while some := compose_due(database, DUE, rules, Messenger(by, Letters())):
            composed += some
        taken = time.perf_counter() - begun
        yield {"database": name, "what": "urges composed", "count": composed, "a_second": composed / taken, "seconds": taken}
        for channel in ("log", "email"):
            yield {"database": name, **_sent(database, rules, {channel: by[channel]}, channel)}
    database.close()


def _sent(database: Database, rules: Rules, channels: dict[str, Channel], name: str) -> dict[str, Any]:
    logging.getLogger("aftersales.effects").setLevel(logging.WARNING)
    with owned(database, "once", DUE) as owner:
        sender = Sender(database, owner, rules, Messenger(channels, Letters()), Through(frozenset([name])))
        begun, sent = time.perf_counter(), 0
        while some := sender.send_due(lambda: DUE).sent:
            sent += some
        taken = time.perf_counter() - begun
        sender.rest()
    return {"what": f"messages sent, {name}", "count": sent, "a_second": sent / taken, "seconds": taken}


@contextmanager
def _sink() -> Iterator[int]:
    """Serve a mail server that takes everything and keeps nothing."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Takes)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Takes(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        say_, reads = self.wfile.write, self.rfile.readline
        say_(b"220 sink\r\n")
        while line := reads():
            if line[:4].upper() == b"DATA":
                say_(b"354 go on\r\n")
                while reads() not in (b".\r\n", b""):
                    pass
            say_(b"250 OK\r\n")
