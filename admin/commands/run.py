"""run: the daemon."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from admin.app import App, has_test_clock
from admin.log import log_to_stderr
from language import tr
from workflow.errors import UsageError

if TYPE_CHECKING:
    from jobs.passes import Runtime

_LOG = logging.getLogger("aftersales.jobs")
STATEMENT_SECONDS = 60
"""Statement timeout of a daemon, in seconds; the server cancels longer ones, and they are retried."""
LEAVE_WITHIN_SECONDS = 8.0
"""A daemon that is to stop has ended within so many seconds, whatever hangs."""
CLOCK_IS_RIGHT = click.option(
    "--clock-is-right", is_flag=True, help="Trust a clock that is far ahead of all that was recorded, as after a long pause"
)


@click.command("run")
@click.option("--verbose", is_flag=True, help="Log the scheduler's own words too")
@CLOCK_IS_RIGHT
@click.pass_context
def run_command(ctx: click.Context, verbose: bool, clock_is_right: bool) -> None:
    """Run as a daemon: fire due timers, send effects, run maintenance; stop on SIGTERM or Ctrl-C."""
    log_to_stderr(verbose)
    app = App(ctx)
    if has_test_clock():
        raise UsageError(
            tr("the database has a test clock, which a daemon cannot wait for: `aftersales once --until` moves it")
        )

    def runtime() -> "Runtime":
        from dataclasses import replace

        from admin.reloading import Reloader
        from admin.settings_digest import digest_of

        app.made()
        reloader = Reloader(app)
        return replace(app.runtime(), settings=digest_of(app), reload=reloader)

    run_until_stopped(runtime, clock_is_right=clock_is_right)


def run_until_stopped(runtime: Callable[[], "Runtime"], *, clock_is_right: bool = False) -> NoReturn:
    """Run a daemon until SIGTERM or SIGINT, then leave the process with its exit code."""
    from jobs.daemon import Daemon, when_up

    stop = threading.Event()
    stop_on_signals(stop)
    ready = when_up(runtime, stop)
    if ready is None:
        leave(0)
    ready.database.limit_statements(STATEMENT_SECONDS)
    leave(Daemon(ready, stop=stop, clock_is_right=clock_is_right).run())


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM or SIGINT; end the process some seconds later, if it has not ended by itself."""

    def end(number: int, _frame: FrameType | None) -> None:
        _LOG.info("%s: ending", signal.Signals(number).name)
        stop.set()
        last_resort = threading.Timer(LEAVE_WITHIN_SECONDS, leave, (1,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def leave(code: int) -> NoReturn:
    """End the process at once: Python's own way out waits for threads, and one may hang outside."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
