"""Messages sent through each channel while the sender is killed again and again between sending and recording.

Run it alone: `python -m drills.sends MESSAGES` (10,000 take about a minute for each channel). A server on loopback keeps what
arrives. What is held against it: every message arrived, no key came with two contents, and what moves goods or money came
once, or is parked for a person.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, select

from engine.sending import recover
from storage.database import Database
from storage.schema import upgrade
from storage.tables import MessageRow, table_of

ROOT = Path(__file__).parents[1]
CHANNELS = ("log", "file", "email", "webhook.sink")
KINDS = ("escalate", "urge_supplier", "notify_merchant", "place_supply", "request_refund")
MOVING = ("place_supply", "request_refund")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENDER = """
import logging, sys, time
from datetime import UTC, datetime
from effects.email import EmailChannel, SmtpServer
from effects.file import FileChannel
from effects.letters import Letters
from effects.log import LogChannel
from effects.webhook import Endpoint, WebhookChannel
from engine.composing import Messenger
from engine.owning import owned
from engine.sending import Sender, recover
from pathlib import Path
from storage.database import Database
from workflow.policy.policy import Rules, calendar_of, read_policy
url, folder, channel, port, secret = sys.argv[1:]
handler = logging.FileHandler(Path(folder) / "log.txt")
logging.getLogger("aftersales.effects").addHandler(handler)
logging.getLogger("aftersales.effects").setLevel(logging.INFO)
policy = read_policy("")
rules = Rules(1, policy, calendar_of(policy))
made = {
    "log": lambda: LogChannel(),
    "file": lambda: FileChannel(Path(folder) / "out.jsonl"),
    "email": lambda: EmailChannel(SmtpServer("127.0.0.1", int(port), security="none"), time.monotonic),
    "webhook.sink": lambda: WebhookChannel(
        Endpoint(f"http://127.0.0.1:{port}/", (secret,), ("127.0.0.1",)), time.time, time.monotonic
    ),
}[channel]()
database = Database(url)
clock = lambda: datetime.now(UTC)
recover(database, clock())
with owned(database, "once", clock()) as owner:
    sender = Sender(database, owner, rules, Messenger({channel: made}, Letters()))
    while sender.send_due(clock).sent:
        pass
    sender.rest()
"""


class Sink:
    """What has arrived: by key, the digests of the contents in the order of their coming."""

    def __init__(self) -> None:
        self.came: dict[str, list[str]] = defaultdict(list)
        self._alone = threading.Lock()

    def take(self, key: str, content: bytes) -> None:
        with self._alone:
            self.came[key].append(hashlib.sha256(content).hexdigest())


def run(count: int, channel: str, folder: Path, seed: int = 1688) -> tuple[dict[str, object], list[str]]:
    """Send so many messages through a channel under kills; return what was seen, and what is wrong."""
    dice, url = random.Random(seed), f"sqlite:///{folder / 'sends.db'}"
    database = Database(url)
    upgrade(database)
    keys = _write(database, channel, count)
    sink, kills, begun = Sink(), 0, time.monotonic()
    with _served(channel, sink) as port:
        while True:
            words = [url, str(folder), channel, str(port), SECRET]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            sender = subprocess.Popen([sys.executable, "-P", "-c", SENDER, *words], env=environment)
            try:
                sender.wait(timeout=0.8 + dice.expovariate(1 / 0.4))
            except subprocess.TimeoutExpired:
                sender.send_signal(signal.SIGKILL)
                sender.wait()
                kills += 1
            recover(database, datetime.now(UTC))
            if not _left(database):
                break
    _read(channel, folder, sink)
    wrong = [*_wrong(database, keys, sink)]
    came = sum(map(len, sink.came.values()))
    parked = _count(database, "parked")
    database.close()
    taken = round(time.monotonic() - begun)
    return {"messages": count, "kills": kills, "came": came, "parked": parked, "seconds": taken}, wrong


def _write(database: Database, channel: str, count: int) -> dict[str, str]:
    """Store messages that wait, and return their keys as the receiver knows them, each with its kind."""
    at, keys = datetime.now(UTC), dict[str, str]()
    usual = {"channel": channel, "language": "en", "status": "waiting", "tries": 0, "written_at": at, "next_try_at": at}
    rows = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        key = f"main/{number}:2:{kind}:{channel}"
        keys[key] = kind
        told = {"subject": f"Subject {number}", "body": f"Body {number}\n", "recipient": "sink@example.com"}
        rows.append({**usual, **told, "key": key, "kind": kind})
    with database.write() as connection:
        connection.execute(insert(table_of(MessageRow)), rows)
    return keys


def _left(database: Database) -> int:
    return _count(database, "waiting") + _count(database, "sending")


def _count(database: Database, status: str) -> int:
    m = table_of(MessageRow)
    with database.read() as connection:
        return len(connection.execute(select(m.c.id).where(m.c.status == status)).all())


def _wrong(database: Database, keys: dict[str, str], sink: Sink) -> Iterator[str]:
    m = table_of(MessageRow)
    with database.read() as connection:
        statuses = {row.key: row.status for row in connection.execute(select(m.c.key, m.c.status))}
    for key, kind in keys.items():
        came, status = sink.came.get(key, []), statuses[key]
        if len({*came}) > 1:
            yield f"{key} came with {len({*came})} contents"
        if kind in MOVING and len(came) > 1:
            yield f"{key} came {len(came)} times, and it moves goods or money"
        if status == "sent" and not came:
            yield f"{key} was recorded as sent, and never came"
        if status not in ("sent", "parked") or (status == "parked" and kind not in MOVING):
            yield f"{key} is {status} at the end"
    yield from (f"{key} is no message of ours" for key in sink.came.keys() - keys.keys())


@contextmanager
def _served(channel: str, sink: Sink) -> Iterator[int]:
    """Serve what the channel sends to, on loopback; 0 where it sends to no server."""
    if channel not in ("email", "webhook.sink"):
        yield 0
        return
    server: Any = _Mails(("127.0.0.1", 0), sink) if channel == "email" else _posts(sink)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _posts(sink: Sink) -> ThreadingHTTPServer:
    class Posts(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.take(json.loads(body)["data"]["key"], body)
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # who was killed closes its connections

    return Server(("127.0.0.1", 0), Posts)


class _Mails(socketserver.ThreadingTCPServer):
    """A mail server that takes everything, as fast as it can."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, address: tuple[str, int], sink: Sink) -> None:
        self.sink = sink
        super().__init__(address, _Talk)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who was killed closes its connections."""


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        say, sink = self.wfile.write, self.server.sink  # type: ignore[attr-defined]
        try:
            say(b"220 sink\r\n")
            while line := self.rfile.readline():
                if line[:4].upper() == b"DATA":
                    say(b"354 go on\r\n")
                    text = b""
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        text += part
                    if part:
                        number = text.partition(b"Subject: Subject ")[2].partition(b"\r\n")[0].decode()
                        kind = KINDS[int(number) % len(KINDS)]
                        sink.take(f"main/{number}:2:{kind}:email", text)
                say(b"250 OK\r\n")
                if line[:4].upper() == b"QUIT":
                    return
        except OSError:
            return


def _read(channel: str, folder: Path, sink: Sink) -> None:
    """Take what stands in files."""
    if channel == "file":
        for line in (folder / "out.jsonl").read_bytes().splitlines():
            try:
                sink.take(json.loads(line)["key"], line)
            except ValueError:
                continue  # torn when its writer was killed
    if channel == "log":
        for line in (folder / "log.txt").read_text().splitlines():
            if line.endswith("]"):
                sink.take(line.rpartition("[")[2][:-1], line.encode())


def main() -> None:
    """Send through each channel, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m drills.sends")
    parser.add_argument("messages", type=int, nargs="?", default=10_000)
    parser.add_argument("--channel", choices=CHANNELS, action="append")
    given = parser.parse_args()
    failed = False
    for channel in given.channel or CHANNELS:
        with TemporaryDirectory() as folder:
            seen, wrong = run(given.messages, channel, Path(folder))
        print(channel, json.dumps(seen), *wrong[:10], sep="\n  ")
        failed = failed or bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
