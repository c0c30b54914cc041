"""demo: two hundred sample orders on a virtual clock, then the real daemon."""

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from admin.app import App, now, person
from admin.commands.run import stop_on_signals
from admin.log import log_to_stderr
from admin.output import print_wrapped
from admin.sample_merchant import mornings, work
from admin.samples import COUNT, OVERDUE, overdue_arrivals, sample_arrivals, sample_photo
from admin.tables import terminal_width
from engine import views
from engine.answering import list_decisions
from engine.claim_evidence import Submission, add_evidence
from engine.firing import fire_due
from engine.health import Counts, counts_of
from engine.outcomes import Arrival
from engine.reporting import apply
from engine.sending import deliver_due
from engine.views import Filter
from jobs.passes import Runtime, next_wake
from language import counted, tr
from workflow.vocabulary import State

if TYPE_CHECKING:
    from rich.table import Table


@click.command("demo")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Made anew")
@click.option("--seconds", type=click.IntRange(1, 3_600), default=5, show_default=True, help="How long the daemon runs")
@click.pass_context
def demo_command(ctx: click.Context, directory: Path, seconds: int) -> None:
    """Live through two hundred sample orders, then run the real daemon for five seconds."""
    _fresh(directory)
    (directory / "policy.toml").write_text(_POLICY)
    settings = directory / "aftersales.toml"
    settings.write_text(
        "database = 'sqlite:///aftersales.db'\npolicy = 'policy.toml'\noutbox_file = 'outbox.jsonl'\nevidence = 'evidence'\n"
    )
    with click.Context(demo_command, obj={"config": settings}) as context:
        app = App(context)
        app.made()
        runtime = app.runtime()
        _live(runtime, now())
        disputed = _add_photos(app, runtime)
        code = _run_daemon(runtime, seconds)
        counts, decision = counts_of(runtime.database), _to_decide(runtime)
    _summary(directory, counts, decision, disputed)
    ctx.exit(code)


def _fresh(directory: Path) -> None:
    """Make the folder anew; refuse one that is not a demo's."""
    policy = directory / "policy.toml"
    ours = policy.is_file() and policy.read_text() == _POLICY
    if directory.exists() and not ours:
        raise click.UsageError(tr("{directory} holds other things: name a folder that does not exist", directory=directory))
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _live(runtime: Runtime, end: datetime) -> None:
    """Apply each report and fire each timer at its very instant, up to now; the merchant works each morning."""
    from rich.console import Console
    from rich.live import Live

    by_moment: dict[datetime, list[Arrival]] = {}
    for arrival in sample_arrivals(end):
        by_moment.setdefault(arrival.reports[0].at, []).append(arrival)
    worked = {*mornings(min(by_moment), end)}
    with Live(console=Console(), auto_refresh=False, transient=True) as screen:
        for number, moment in enumerate(sorted({*by_moment, *worked})):
            _fire_until(runtime, moment)
            apply(runtime.database, [_placing(one) for one in by_moment.get(moment, ())], moment, runtime.rules)
            if moment in worked:
                work(runtime, moment)
            deliver_due(runtime.database, moment, runtime.rules, runtime.messenger)
            if number % 5 == 0:
                screen.update(_picture(runtime, moment), refresh=True)
        _fire_until(runtime, end)
        picture = _picture(runtime, end)
    Console().print(picture)


def _picture(runtime: Runtime, moment: datetime) -> "Table":
    """Draw how many orders are in which state at a moment of the virtual clock."""
    from rich.bar import Bar
    from rich.table import Table

    counts = counts_of(runtime.database)["orders"]
    table = Table(
        title=f"{moment:%Y-%m-%d}: {counted(sum(counts.values()), 'order')}", title_justify="left", box=None, show_header=False
    )
    for state in State:
        count = counts.get(state, 0)
        table.add_row(state, str(count), Bar(COUNT, 0, count, width=60, color="cyan") if count else "")
    return table


def _placing(arrival: Arrival) -> Arrival:
    first = arrival.reports[0]
    if first.trigger != "place":
        return arrival
    return Arrival(arrival.order, (), arrival.lines, first)


def _fire_until(runtime: Runtime, moment: datetime) -> None:
    while (wake := next_wake(runtime)) is not None and wake < moment:
        fire_due(runtime.database, wake, runtime.rules, traces=runtime.traces)
        deliver_due(runtime.database, wake, runtime.rules, runtime.messenger)


def _add_photos(app: App, runtime: Runtime) -> str:
    """Add the same photo to two claims that wait for one, which is worth a second look; return one of their orders."""
    claims = views.list_claims(runtime.database, Filter(statuses=("open",)), COUNT)
    waiting = [claim.order for claim in claims.rows if not claim.evidence]
    with TemporaryDirectory(prefix="aftersales-") as folder:
        photo = Path(folder) / "broken.png"
        photo.write_bytes(sample_photo())
        for order in waiting[:2]:
            add_evidence(runtime.database, app.vault(), Submission(order, [photo], person()), now(), runtime.rules)
    return waiting[0].partition("/")[2]


def _run_daemon(runtime: Runtime, seconds: int) -> int:
    """Run the real daemon for a few seconds; new orders come in whose deadlines pass meanwhile."""
    import threading

    from jobs.daemon import Daemon

    log_to_stderr()
    orders = counted(OVERDUE, "order")
    print_wrapped(tr("\nThe daemon, for {seconds}, while {orders} come in:", seconds=counted(seconds, "second"), orders=orders))
    begun = now()
    apply(runtime.database, [_placing(one) for one in overdue_arrivals(begun, seconds)], begun, runtime.rules)
    stop = threading.Event()
    stop_on_signals(stop)
    end = threading.Timer(seconds, stop.set)
    end.start()
    try:
        return Daemon(runtime, stop=stop).run()
    finally:
        end.cancel()


def _summary(directory: Path, counts: Counts, decision: str | None, disputed: str) -> None:
    """Say what there is, and lead through it: one command of each kind, on orders of this shop."""
    print_wrapped(tr("\nSo far:"))
    for name, by_status in counts.items():
        click.echo(f"  {name:>9}: {', '.join(f'{key} {count}' for key, count in by_status.items()) or '-'}")
    print_wrapped(tr("\nLook around, in this order:"))
    click.echo(f"  cd {directory}")
    command = os.path.relpath(sys.argv[0], directory) if os.sep in sys.argv[0] else Path(sys.argv[0]).name
    rows = [(words, what) for words, what in NEXT if decision or "{decision}" not in words]
    lines = [(f"  {command} {words.format(decision=decision, disputed=disputed)}", tr(what)) for words, what in rows]
    longest = max(len(line) for line, _ in lines)
    fits = not 0 < terminal_width() < longest + max(len(what) for _, what in lines) + 4
    for line, what in lines:
        click.echo(f"{line:<{longest}}  # {what}" if fits else f"  # {what}\n{line}")


def _to_decide(runtime: Runtime) -> str | None:
    """Return the order of a decision that is left, of one with another supplier to turn to if there is any."""
    left = list_decisions(runtime.database, Filter(), COUNT, None, now(), runtime.rules).rows
    orders = [one.order for one in sorted(left, key=lambda one: one.next is None)]
    return orders[0].partition("/")[2] if orders else None


NEXT: Sequence[tuple[str, str]] = (
    ("today", "what needs you, most urgent first"),
    ("explain {decision}", "why this order waits for you"),
    ("decide {decision} yes", "let it go on"),
    ("undo {decision}", "take that back, within a minute"),
    ("money", "who owes you how much, and what was lost"),
    ("timers --by day", "which deadlines come"),
    ("show 1003 --timeline", "what has happened to an order"),
    ("claims show {disputed} --images claims.html", "a claim with its photo, as a page"),
    ("simulate --report ship@1d --report hold@8d", "what would become of an order"),
    ("check", "whether all is well"),
)
_POLICY = """# The policy of the demo: messages go to outbox.jsonl, and what moves goods or money is decided by the merchant.
[effects]
default_channels = ["file"]

[effects.modes]
place_supply = "ask"
request_refund = "ask"
place_reissue = "ask"
"""
