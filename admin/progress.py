"""A progress bar for long work on a terminal; nothing where the error output is no terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """A bar for one piece of work. It stands on the standard error output, so that what is printed can be piped."""

    def __init__(self, shown: "Progress | None" = None, task: "TaskID | None" = None) -> None:
        self._shown, self._task = shown, task

    def advance(self, count: int) -> None:
        """Say that `count` more are done."""
        if self._shown is not None and self._task is not None:
            self._shown.advance(self._task, count)

    def reach(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done."""
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, completed=done, total=total)


@contextmanager
def progress(what: str, total: float | None = None, *, quiet: bool = False) -> Iterator[Bar]:
    """Show a bar while the work is going on, unless it is to be quiet or no terminal is there."""
    if quiet or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        yield Bar(shown, shown.add_task(what, total=total))
