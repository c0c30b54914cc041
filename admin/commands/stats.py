"""stats."""

import click

from admin.app import App
from admin.output import fields_of, print_json, print_rows
from storage import queries, statistics


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.pass_context
def stats_command(ctx: click.Context, as_json: bool) -> None:
    """Count orders, timers, effects and reports; say how late timers fired, and how each supplier does."""
    with App(ctx).ready().read() as connection:
        counted = queries.counts(connection)
        late, scores = statistics.lateness(connection), statistics.scores(connection)
    if as_json:
        print_json({**counted, "lateness": [fields_of(one) for one in late], "suppliers": [fields_of(one) for one in scores]})
        return
    for name, counts in counted.items():
        click.echo(f"{name:>10}  {', '.join(f'{key} {count}' for key, count in counts.items()) or '-'}")
    rows = [(one.trigger, one.fired, f"{one.mean_seconds:,.1f} s", f"{one.most_seconds:,.1f} s") for one in late]
    print_rows("Lateness", ("clock", "fired", "late on average", "at the most"), rows, "No timer has fired yet.")
    columns = ("supplier", "attempts", "shipped", "days to ship", "urged", "left", "claims")
    card = [(s.supplier, s.attempts, s.shipped, s.days_to_ship, s.urged, s.left, s.claims) for s in scores]
    print_rows("Suppliers", columns, card, "No supplier has had an order yet.")
