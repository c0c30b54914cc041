"""stats."""

import click

from admin.app import App
from admin.output import fields_of, print_json
from admin.tables import print_rows
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
        click.echo(f"{name:>10}  {', '.join(f'{key} {count}' for key, count in counts.items()) or '-'}")
    rows = [(one.trigger, one.fired, f"{one.mean_seconds:,.1f} s", f"{one.most_seconds:,.1f} s") for one in late]
    click.echo()
    print_rows("Lateness", ("clock", "fired", "late on average", "at most"), rows, "No timer has fired yet.")
    click.echo()
    columns = ("supplier", "attempts", "shipped", tr("days to ship"), "urged", "left", "claims")
    card = [(s.supplier, s.attempts, s.shipped, s.days_to_ship, s.urged, s.left, s.claims) for s in scores]
    print_rows("Suppliers", columns, card, "No supplier has had an order yet.")
