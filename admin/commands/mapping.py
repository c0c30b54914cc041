"""mapping: check the mapping of a foreign file."""

from collections import Counter
from pathlib import Path

import click

from admin.app import App
from admin.order_files import FILE, MAPPING, open_orders, print_rejections, print_summary
from inbound.orders import Rejection


@click.group("mapping")
def mapping_command() -> None:
    """Check the mapping of a foreign file."""


@mapping_command.command("check")
@FILE
@MAPPING
@click.pass_context
def check_mapping(ctx: click.Context, file: Path, mapping_file: Path | None) -> None:
    """Read FILE through its mapping and say what would be taken and rejected; nothing is stored."""
    orders = open_orders(file, mapping_file, App(ctx).settings.read_policy().orders)
    count, lines, rejected = 0, 0, list[Rejection]()
    triggers: Counter[str] = Counter()
    for incoming, rejections, _ in orders:
        rejected += rejections
        if incoming:
            count, lines = count + 1, lines + len(incoming.lines)
            triggers.update(report.trigger for report in incoming.reports)
    print_summary({"orders": count, "lines": lines, "reports": dict(triggers), "rejected": len(rejected)})
    print_rejections(rejected)
    ctx.exit(3 if rejected else 0)
