"""import, replay, mapping."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from rich.progress import Progress

from admin.office import Instant, Office, iso, now, print_json, print_rows
from admin.plain import counted
from engine.importing import Imported, import_orders
from engine.replay import Progress as Report
from engine.replay import Replayed, replay
from inbound.files import columns_of
from inbound.mapping import Mapping, load_mapping, own_mapping
from inbound.orders import OrderFile, Rejection
from workflow.policy import Orders
from workflow.toml import read_document

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
MAPPING = click.option(
    "--mapping", "mapping_file", type=click.Path(path_type=Path), help="TOML file that says what the columns mean"
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON")
SHOWN_REJECTIONS = 20


@click.command("import")
@FILE
@MAPPING
@click.option("--observe", is_flag=True, help="Hold every effect of the new orders until a person decides")
@click.option("--urge-historical", is_flag=True, help="Let the suppliers of old orders be urged and left too")
@JSON
@click.pass_context
def import_command(
    ctx: click.Context, file: Path, mapping_file: Path | None, observe: bool, urge_historical: bool, as_json: bool
) -> None:
    """Bring in orders and reports from a CSV, JSON or JSON Lines FILE.

    A second run changes nothing. Suppliers of orders older than [orders] historical_after of the policy are not urged.
    Rows that cannot be read are listed, and the exit code is 3.
    """
    office = Office(ctx)
    policy = office.settings.read_policy()
    orders = _open(file, mapping_file, policy.orders)
    database = office.made()
    text = read_document(mapping_file) if mapping_file else ""
    with _bar(orders, as_json) as progress:
        done = import_orders(
            database,
            orders,
            now(),
            office.rules(),
            mapping_text=text,
            observed=observe,
            urge_historical=urge_historical,
            progress=progress,
        )
    if as_json:
        print_json({**_import_json(done), "rejections": [_rejection(one) for one in done.rejected]})
    else:
        _print_summary(_import_json(done))
        _print_rejections(done.rejected)
        if done.tally.historical:
            old = counted(done.tally.historical, "order")
            click.echo(f"{old} of long ago: nobody is urged for them (--urge-historical does).")
    ctx.exit(3 if done.rejected else 0)


def _import_json(done: Imported) -> dict[str, object]:
    tally = done.tally
    return {
        "orders": tally.orders,
        "new": tally.new,
        "historical": tally.historical,
        "rejected": len(done.rejected),
        "reported": dict(tally.reported),
        "refused": dict(tally.refused),
        "exceptions": tally.exceptions,
        "duplicates": tally.duplicates,
        "resumed_after": done.resumed_after,
    }


@click.command("replay")
@FILE
@MAPPING
@click.option("--until", type=Instant(), help="Last instant that exists (default: now)")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep all orders and their history as this new database file")
@JSON
@click.pass_context
def replay_command(
    ctx: click.Context, file: Path, mapping_file: Path | None, until: datetime | None, keep: Path | None, as_json: bool
) -> None:
    """Run the past of FILE through the process on a virtual clock, and count what comes of it; nothing is sent."""
    if keep and keep.exists():
        raise click.UsageError(f"{keep} exists already: name a file that does not")
    office = Office(ctx)
    policy = office.settings.read_policy()
    started = time.perf_counter()
    orders = _open(file, mapping_file, policy.orders)
    with _bar(orders, as_json) as progress:
        text = office.settings.policy_text()
        replayed = replay(orders, until or now(), policy, text, keep=keep, progress=progress)
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_replay_json(replayed, seconds))
    else:
        _print_summary({**_replay_json(replayed, seconds), "steps per second": round(replayed.tally.steps / seconds)})
        _print_rejections(replayed.rejected)
    ctx.exit(3 if replayed.rejected else 0)


@click.group("mapping")
def mapping_command() -> None:
    """Check the mapping of a foreign file."""


@mapping_command.command("check")
@FILE
@MAPPING
@click.pass_context
def check_mapping(ctx: click.Context, file: Path, mapping_file: Path | None) -> None:
    """Read FILE through its mapping and say what would be taken and rejected; nothing is stored."""
    orders = _open(file, mapping_file, Office(ctx).settings.read_policy().orders)
    count, lines, rejected = 0, 0, list[Rejection]()
    triggers: Counter[str] = Counter()
    for incoming, rejections, _ in orders:
        rejected += rejections
        if incoming:
            count, lines = count + 1, lines + len(incoming.lines)
            triggers.update(report.trigger for report in incoming.reports)
    _print_summary({"orders": count, "lines": lines, "reports": dict(triggers), "rejected": len(rejected)})
    _print_rejections(rejected)
    ctx.exit(3 if rejected else 0)


def _open(file: Path, mapping_file: Path | None, defaults: Orders) -> OrderFile:
    mapping: Mapping = load_mapping(mapping_file) if mapping_file else own_mapping(columns_of(file))
    return OrderFile(file, mapping, defaults)


@contextmanager
def _bar(orders: OrderFile, quiet: bool) -> Iterator[Report]:
    """Show a progress bar on a terminal, and nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda rows: None
        return
    from rich.console import Console

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(orders.path.name, total=orders.rows)
        yield lambda rows: bar.advance(task, rows)


def _replay_json(replayed: Replayed, seconds: float) -> dict[str, object]:
    tally = replayed.tally
    return {
        "orders": tally.new,
        "rejected": len(replayed.rejected),
        "fired": dict(sorted(tally.fired.items())),
        "reported": dict(sorted(tally.reported.items())),
        "refused": dict(sorted(tally.refused.items())),
        "exceptions": tally.exceptions,
        "states": dict(sorted(tally.states.items())),
        "from": replayed.first and iso(replayed.first),
        "until": iso(replayed.until),
        "seconds": round(seconds, 3),
    }


def _rejection(one: Rejection) -> dict[str, object]:
    return {"line": one.line, "column": one.column, "order": one.order, "reason": one.reason}


def _print_summary(summary: dict[str, object]) -> None:
    for name, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items()) or "-"
        click.echo(f"{name:>18}  {value}")


def _print_rejections(rejected: Sequence[Rejection]) -> None:
    if rejected:
        rows = [(one.line, one.column, one.order, one.reason) for one in rejected[:SHOWN_REJECTIONS]]
        print_rows("Not taken", ("line", "column", "order", "reason"), rows, "")
        if len(rejected) > SHOWN_REJECTIONS:
            click.echo(f"… and {len(rejected) - SHOWN_REJECTIONS} more: --json lists them all")
