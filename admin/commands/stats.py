"""stats."""

from datetime import timedelta

import click

from admin.app import App
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import print_rows
from admin.text import span
from engine.health import statistics_of
from language import tr


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.pass_context
def stats_command(ctx: click.Context, as_json: bool) -> None:
    """Count orders, timers, effects and reports; say how late timers fired, and how each supplier does."""
    found = statistics_of(App(ctx).ready())
    late, scores = found.lateness, found.suppliers
    if as_json:
        parts = {"lateness": [fields_of(one) for one in late], "suppliers": [fields_of(one) for one in scores]}
        print_json({**found.counts, **parts})
        return
    for name, counts in found.counts.items():
        print_wrapped(f"{name:>10}  {', '.join(f'{key} {count}' for key, count in counts.items()) or '-'}")
    rows = [(one.trigger, one.fired, _late(one.mean_seconds), _late(one.most_seconds)) for one in late]
    click.echo()
    print_rows("Lateness", ("clock", "fired", "late on average", "at most"), rows, "No timer has fired yet.")
    click.echo()
    columns = ("supplier", "attempts", "shipped", tr("days to ship"), "urged", "left", "claims")
    card = [(s.supplier, s.attempts, s.shipped, s.days_to_ship, s.urged, s.left, s.claims) for s in scores]
    print_rows("Suppliers", columns, card, "No supplier has had an order yet.")


def _late(seconds: float) -> str:
    """Write how late something was: seconds with a decimal, and from two minutes on in larger units."""
    return f"{seconds:,.1f} s" if seconds < 120 else span(timedelta(seconds=seconds))
