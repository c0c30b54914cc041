"""A mail server that misbehaves at one stage: it refuses, drops the connection, hangs, or answers with garbage."""

import socket
import threading
from contextlib import suppress

STAGES = ("banner", "ehlo", "mail", "rcpt", "data", "text")
WAYS = ("451 busy", "554 no", "drop", "hang", "garbage")
ANSWERS = {"banner": "220 hello", "ehlo": "250 hello", "data": "354 go on"}


class Misbehaving:
    """Listens on loopback until `stop`; `taken` are the texts that it has read whole."""

    def __init__(self, stage: str, way: str) -> None:
        self._stage, self._way = stage, way
        self._stopped = threading.Event()
        self.taken: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as said, suppress(OSError):
                self._talk(connection, said)

    def _talk(self, connection, said) -> None:
        if not self._answer(connection, "banner"):
            return
        while line := said.readline():
            word = line.split()[0].lower() if line.split() else b""
            stage = {b"ehlo": "ehlo", b"helo": "ehlo", b"mail": "mail", b"rcpt": "rcpt", b"data": "data"}.get(word)
            if stage is None:
                connection.sendall(b"221 bye\r\n" if word == b"quit" else b"502 what\r\n")
                continue
            if not self._answer(connection, stage):
                return
            if stage == "data" and self._stage != "data":
                text = []
                while (line := said.readline()) not in (b".\r\n", b""):
                    text.append(line)
                self.taken.append(b"".join(text))
                if not self._answer(connection, "text"):
                    return

    def _answer(self, connection, stage: str) -> bool:
        """Answer at a stage; say whether the connection goes on."""
        if stage != self._stage:
            connection.sendall(ANSWERS.get(stage, "250 OK").encode() + b"\r\n")
            return True
        match self._way:
            case "drop":
                return False
            case "hang":
                self._stopped.wait(30)
                return False
            case "garbage":
                connection.sendall(b"\xff\xfe what?\r\n")
            case refusal:
                connection.sendall(refusal.encode() + b"\r\n")
        return True
