"""replay: run a file's past through the process on a virtual clock."""

import time
from datetime import datetime
from pathlib import Path

import click

from admin.app import App, now
from admin.catalogue_files import CATALOGUE, CATALOGUE_MAPPING, read_catalogue
from admin.options import JSON, Instant
from admin.order_files import FILE, MAPPING, open_orders, print_rejections, print_summary
from admin.output import iso, print_json
from admin.progress import progress
from engine.replay import Replayed, replay
from language import tr


@click.command("replay")
@FILE
@MAPPING
@click.option("--until", type=Instant(), help="Last instant that exists (default: now)")
@CATALOGUE
@CATALOGUE_MAPPING
@click.option("--keep", type=click.Path(path_type=Path), help="Keep all orders and their history as this new database file")
@JSON
@click.pass_context
def replay_command(
    ctx: click.Context,
    file: Path,
    mapping_file: Path | None,
    until: datetime | None,
    catalogue_file: Path | None,
    catalogue_mapping: Path | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Run the past of FILE through the process on a virtual clock, and count what comes of it; nothing is sent.

    Steps that the policy asks you about are taken at once.
    """
    if keep and keep.exists():
        raise click.UsageError(tr("{keep} exists already: name a file that does not", keep=keep))
    app = App(ctx)
    policy = app.settings.read_policy()
    chooser = read_catalogue(catalogue_file, catalogue_mapping, policy.orders.currency)
    started = time.perf_counter()
    orders = open_orders(file, mapping_file, policy.orders)
    with progress(orders.path.name, orders.rows, quiet=as_json) as bar:
        text = app.settings.policy_text()
        replayed = replay(orders, until or now(), policy, text, keep=keep, chooser=chooser, progress=bar.advance)
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_replay_json(replayed, seconds))
    else:
        print_summary({**_replay_json(replayed, seconds), "steps per second": round(replayed.tally.steps / seconds)})
        print_rejections(replayed.rejected, replayed.left_out)
    ctx.exit(3 if replayed.rejected else 0)


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
