"""The file channel: every message as one line of a JSON Lines file."""

import json
import os
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

from filelock import FileLock

from effects.channel import NotSent, OutcomeUnknown, Outgoing
from language import tr


class FileChannel:
    """Appends each message to one file, readable by its owner alone, and waits until it is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: Outgoing) -> None:
        """Append the message.

        Raises:
            NotSent: the file cannot be written; nothing of the message is in it.
            OutcomeUnknown: the line was written, and may not have reached the disk.

        """
        written: dict[str, Any] = {name: getattr(message, name) for name in ("key", "kind", "recipient", "subject", "body")}
        if message.attachments:
            written["attachments"] = [{"name": one.name, "sha256": one.sha256} for one in message.attachments]
        line = json.dumps(written, ensure_ascii=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self._path):
                handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    _append(handle, line.encode())
                finally:
                    os.close(handle)
        except OSError as error:
            raise NotSent(
                tr("cannot write {path}: {strerror}", path=self._path, strerror=error.strerror), try_again=True
            ) from None


def _append(handle: int, line: bytes) -> None:
    """Append a whole line or nothing, behind the end of a line that a killed writer has torn."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        while line:
            line = line[os.write(handle, line) :]
    except OSError as error:
        try:
            os.ftruncate(handle, size)
        except OSError:
            raise OutcomeUnknown(tr("part of the line may be in the file: {strerror}", strerror=error.strerror)) from None
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        raise OutcomeUnknown(tr("the line may not have reached the disk: {strerror}", strerror=error.strerror)) from None


def erase_lines(path: Path, keys: Set[str], instead: str, blot: Callable[[str], str]) -> int:
    """Put `instead` in the place of subject and body of the messages with these keys; return how many lines those are.

    A line that was torn when its writer was killed is no message: `blot` takes the buyer out of it. The file is
    written anew and put in its place at once; who appends to it meanwhile waits. What a killed process has left of that
    is written over.

    Raises:
        OSError: the file cannot be written.

    """
    if not path.exists():
        return 0
    changed = 0
    with _alone(path), path.open(encoding="utf-8", errors="replace") as source:
        fresh = path.with_name(f"{path.name}.part")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as target:
                for line in source:
                    message = _message(line)
                    if message is None:
                        line = blot(line)
                    elif message.get("key") in keys:
                        line = json.dumps({**message, "subject": instead, "body": instead}, ensure_ascii=False) + "\n"
                        changed += 1
                    target.write(line)
                target.flush()
                os.fsync(target.fileno())
            os.replace(fresh, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    return changed


def _message(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _alone(path: Path) -> FileLock:
    """Return the lock under which the file is written."""
    return FileLock(f"{path}.lock", mode=0o600)
