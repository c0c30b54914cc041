"""mapping: check the mapping of a foreign file."""

from collections import Counter
from pathlib import Path

import click

from admin.app import App
from admin.options import JSON
from admin.order_files import FILE, MAPPING, open_orders, print_rejections, print_summary, rejections_json
from admin.output import print_json, print_wrapped
from inbound.rejections import Rejection
from language import tr


@click.group("mapping")
def mapping_command() -> None:
    """Check the mapping of a foreign file."""


@mapping_command.command("check")
@FILE
@MAPPING
@JSON
@click.pass_context
def check_mapping(ctx: click.Context, file: Path, mapping_file: Path | None, as_json: bool) -> None:
    """Read FILE through its mapping and say what would be taken and rejected; nothing is stored."""
    orders = open_orders(file, mapping_file, App(ctx).settings.read_policy().orders)
    count, lines, rejected, left_out = 0, 0, list[Rejection](), list[Rejection]()
    triggers: Counter[str] = Counter()
    for incoming, rejections, _ in orders:
        rejected += (one for one in rejections if not one.is_cell)
        left_out += (one for one in rejections if one.is_cell)
        if incoming:
            count, lines = count + 1, lines + len(incoming.lines)
            triggers.update(report.trigger for report in incoming.reports)
    untold = {source.trigger: source for source in orders.reports if not triggers[source.trigger]}
    counts = {"orders": count, "lines": lines, "reports": dict(triggers), "rejected": len(rejected)}
    if as_json:
        print_json({**counts, "never": [*untold], **rejections_json(rejected, left_out)})
    else:
        print_summary(counts)
        for trigger, source in untold.items() if count else ():
            if source.when:
                print_wrapped(tr("[reports.{trigger}] was told by no row: are its `when` and its `at` right?", trigger=trigger))
            else:
                print_wrapped(tr("[reports.{trigger}] was told by no row: is its `at` right?", trigger=trigger))
        print_rejections(rejected, left_out)
    ctx.exit(3 if rejected else 0)
