"""The file channel: every message as one line of a JSON Lines file."""

import json
import os
from collections.abc import Set
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

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
            with _alone(self._path):
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(handle, line.encode())
                    os.fsync(handle)
                finally:
                    os.close(handle)
        except OSError as error:
            raise NotSent(f"cannot write {self._path}: {error.strerror}", try_again=True) from None


def erase_lines(path: Path, keys: Set[str], instead: str) -> int:
    """Put `instead` in the place of subject and body of the messages with these keys; return how many lines those are.

    The file is written anew and put in its place at once; who appends to it meanwhile waits.
    """
    if not keys or not path.exists():
        return 0
    changed = 0
    with _alone(path):
        fresh = path.with_name(f"{path.name}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as target, path.open(encoding="utf-8") as source:
            for line in source:
                message = json.loads(line)
                if message["key"] in keys:
                    line = json.dumps({**message, "subject": instead, "body": instead}, ensure_ascii=False) + "\n"
                    changed += 1
                target.write(line)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(path)
    return changed


def _alone(path: Path) -> FileLock:
    """Return the lock under which the file is written."""
    return FileLock(f"{path}.lock", mode=0o600)
