"""once: a single pass of the daemon's jobs."""

from datetime import datetime

import click

from admin.app import App, has_test_clock, move_test_clock, now
from admin.commands.run import CLOCK_IS_RIGHT
from admin.log import log_to_stderr
from admin.options import InstantOrDuration
from admin.output import iso, print_wrapped
from admin.text import safe
from engine.taking_in import FileStatus
from engine.trying import move
from jobs.ownership import AlreadyRunning, owned
from jobs.passes import Passed, Runtime, passes_until, plausible_clock, single_pass
from language import counted, tr
from workflow.errors import AftersalesError, UsageError


@click.command("once")
@CLOCK_IS_RIGHT
@click.option(
    "--until", type=InstantOrDuration(), help="Of a database with a test clock: step through every due instant up to this one"
)
@click.pass_context
def once_command(ctx: click.Context, clock_is_right: bool, until: datetime | None) -> None:
    """Run the daemon's jobs once and exit; while a daemon runs on the same SQLite file, do nothing."""
    log_to_stderr()
    runtime = App(ctx).runtime()
    if until is not None:
        _check_until(until)
    if why := plausible_clock(runtime, clock_is_right=clock_is_right).why_not(now()):
        raise AftersalesError(why)
    try:
        with owned(runtime.database, "once", now()) as owner:
            passed = _step_until(ctx, runtime, owner, until) if until else single_pass(runtime, owner, now)
    except AlreadyRunning as error:
        print_wrapped(tr("Nothing was done: {value}.", value=error.args[0].removesuffix(tr(": stop it first"))))
        return
    fired, sent = passed.fired, passed.sent
    if passed.taken:
        bad = sum(one.status is FileStatus.rejected for one in passed.taken)
        rejected = tr(" ({bad} rejected, whole or in part: aftersales inbox)", bad=bad) if bad else ""
        print_wrapped(tr("Took in {files}{rejected}.", files=counted(len(passed.taken), "file"), rejected=rejected))
    asked = tr(" ({asked} to be decided by you: aftersales decisions)", asked=fired.asked) if fired.asked else ""
    timers = tr("Fired {timers}{asked}", timers=counted(fired.count, "timer"), asked=asked)
    print_wrapped(
        tr(
            "{timers}, sent {messages}, {failed} could not be sent.",
            timers=timers,
            messages=counted(sent.sent, "message"),
            failed=sent.failed,
        )
    )
    if sent.why:
        print_wrapped(tr("The last failed: {why}", why=safe(sent.why)))
    for why in passed.not_taken:
        print_wrapped(tr("The inbox: {why}", why=safe(why)))
    if fired.failures or passed.not_taken:
        ctx.exit(1)
    ctx.exit(3 if any(one.status is FileStatus.rejected for one in passed.taken) else 0)


def _check_until(until: datetime) -> None:
    """Refuse to move a clock that is not a test's, or to move it back."""
    if not has_test_clock():
        raise UsageError(tr("--until moves a test clock: make a new database with `aftersales db upgrade --test-clock`"))
    if until < now():
        raise UsageError(tr("the test clock stands at {value}, and only goes forward", value=iso(now())))


def _step_until(ctx: click.Context, runtime: Runtime, owner: str, until: datetime) -> Passed:
    """Move the test clock from one due instant to the next, and do at each what a daemon would."""

    def move_to(at: datetime) -> None:
        move(runtime.database, at)
        move_test_clock(ctx, at)

    return passes_until(runtime, owner, now(), until, move_to)
