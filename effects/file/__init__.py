"""The file channel: every message as one line of a JSON Lines file."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from effects.channel import NotSent, Outgoing


class FileChannel:
    """Appends each message to one file, readable by its owner alone, and waits until it is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: Outgoing) -> None:
        """Append the message.

        Raises:
            NotSent: the file cannot be written.

        """
        line = json.dumps(asdict(message), ensure_ascii=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise NotSent(f"cannot write {self._path}: {error.strerror}", try_again=True) from None
