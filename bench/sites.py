"""Where measurements run: one SQLite file, and a private PostgreSQL server that syncs to disk."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.work import fill
from drills.postgres import Server

AFTERSALES = (sys.executable, "-c", "from admin.main import main; main()")
"""The command, as it is in this folder."""


class Site:
    """Makes databases that are full of orders; those of one size are copies of the first."""

    def __init__(self, database: str, folder: Path, server: Server | None) -> None:
        self.database, self._folder, self._server = database, folder, server
        self._numbers = count(1)
        self._templates: dict[tuple[int, int, bool], str] = {}

    def full(self, due: int, waiting: int = 0, *, scattered: bool = False) -> str:
        """Return the URL of a database with `due` orders whose urge is due."""
        key = (due, waiting, scattered)
        if key not in self._templates:
            self._templates[key] = self.empty()
            fill(self._templates[key], due, waiting, scattered=scattered)
        return self.copy(self._templates[key])

    def empty(self) -> str:
        """Return the URL of a database that has no tables yet."""
        if self._server:
            return self._server.new_database()
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def drop(self, url: str) -> None:
        """Remove a database."""
        if self._server:
            self._server.drop(url)
            return
        for end in ("", "-wal", "-shm", ".lock"):
            Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what databases were copied from."""
        while self._templates:
            self.drop(self._templates.popitem()[1])

    def copy(self, template: str) -> str:
        """Copy a database, and wait until the copy is on the disk: who is measured must not pay for writing it."""
        if self._server:
            url = self._server.new_database(template.rsplit("/", 1)[1])
            self._server.command("CHECKPOINT")
            return url
        url = self.empty()
        copy = shutil.copy(template.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        with Path(copy).open("rb+") as file:
            os.fsync(file.fileno())
        return url


@contextmanager
def sites() -> Iterator[list[Site]]:
    """Open both places, and leave nothing behind."""
    server = Server(durable=True, own=True, shared_buffers="1GB", max_wal_size="8GB", checkpoint_timeout="30min")
    try:
        with TemporaryDirectory(prefix="aftersales-bench-") as folder:
            yield [Site("sqlite", Path(folder), None), Site("postgresql", Path(folder), server)]
    finally:
        server.stop()


def elsewhere(module: str, *words: str, seconds: float = 600) -> Any:
    """Run a module in a process of its own and return what it printed last, which is JSON."""
    made = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, timeout=seconds)
    if made.returncode:
        raise RuntimeError(f"{module} {' '.join(words)} failed: {made.stderr[-2_000:]}")
    return json.loads(made.stdout.splitlines()[-1])
