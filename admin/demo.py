"""demo: two hundred sample orders of our own making, lived through on a virtual clock, then the real daemon."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from admin.office import Office, now
from admin.samples import sample_arrivals
from engine.apply import Arrival, apply
from engine.delivery import deliver_due
from engine.firing import fire_due
from jobs.tick import Workplace, next_wake
from storage import queries

SECONDS_OF_DAEMON = 5


@click.command("demo")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Made anew")
def demo_command(directory: Path) -> None:
    """Live through two hundred sample orders, then run the real daemon for five seconds."""
    _fresh(directory)
    settings = directory / "aftersales.toml"
    (directory / "policy.toml").write_text(_POLICY)
    settings.write_text("database = 'sqlite:///aftersales.db'\npolicy = 'policy.toml'\noutbox_file = 'outbox.jsonl'\n")
    context = click.Context(demo_command, obj={"config": settings})
    with context:
        office = Office(context)
        office.made()
        place = office.workplace()
        _live(place, now())
        code = _run_daemon(place)
        with place.database.read() as connection:
            counted = queries.counts(connection)
    _summary(directory, counted)
    sys.exit(code)


def _fresh(directory: Path) -> None:
    """Make the folder anew; one that is not a demo's is left alone."""
    policy = directory / "policy.toml"
    ours = policy.is_file() and policy.read_text() == _POLICY
    if directory.exists() and not ours:
        raise click.UsageError(f"{directory} holds other things: name a folder that does not exist")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _live(place: Workplace, end: datetime) -> None:
    """Apply each day's reports and fire each timer at its very instant, up to a second before now."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    arrivals = sample_arrivals(end)
    moments = sorted({arrival.reports[0].at for arrival in arrivals})
    by_moment: dict[datetime, list[Arrival]] = {}
    for arrival in arrivals:
        by_moment.setdefault(arrival.reports[0].at, []).append(arrival)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[states]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as bar:
        task = bar.add_task(f"{moments[0]:%Y-%m-%d}", total=len(moments), states="")
        for moment in moments:
            _fire_until(place, moment)
            with place.database.write() as connection:
                apply(connection, [_placing(one) for one in by_moment[moment]], moment, place.rules)
            deliver_due(place.database, moment, place.rules, place.office)
            bar.update(task, advance=1, description=f"{moment:%Y-%m-%d}", states=_states(place))
        _fire_until(place, end - timedelta(seconds=1))


def _placing(arrival: Arrival) -> Arrival:
    first = arrival.reports[0]
    if first.trigger != "place":
        return arrival
    return Arrival(arrival.order, (), arrival.lines, first)


def _fire_until(place: Workplace, moment: datetime) -> None:
    while (wake := next_wake(place)) is not None and wake < moment:
        fire_due(place.database, wake, place.rules)
        deliver_due(place.database, wake, place.rules, place.office)


def _states(place: Workplace) -> str:
    with place.database.read() as connection:
        counted = queries.counts(connection)["orders"]
    return " ".join(f"{state} {count}" for state, count in sorted(counted.items(), key=lambda item: -item[1])[:5])


def _run_daemon(place: Workplace) -> int:
    """Run the real daemon for a few seconds; a few sample timers fall due meanwhile."""
    import logging
    import threading

    from jobs.daemon import Daemon

    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)
    for name in ("apscheduler", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    daemon = Daemon(place)
    threading.Timer(SECONDS_OF_DAEMON, daemon.stop).start()
    return daemon.run()


def _summary(directory: Path, counted: dict[str, dict[str, int]]) -> None:
    click.echo("\nSo far:")
    for name, counts in counted.items():
        click.echo(f"  {name:>9}: {', '.join(f'{key} {count}' for key, count in counts.items()) or '-'}")
    command = f".venv/bin/aftersales --config {directory / 'aftersales.toml'}"
    click.echo("\nLook around:")
    for words in _NEXT:
        click.echo(f"  {command} {words}")


_NEXT: Sequence[str] = (
    "orders --attention",
    "orders --state customs_hold",
    "explain 1003",
    "show 1003",
    "timers",
    "effects --status asked",
    "exceptions",
    "check",
    "audit",
)
_POLICY = """# The policy of the demo: messages go to outbox.jsonl as well; all else is as it comes.
[effects]
default_channels = ["file"]
"""
