"""money: what is owed, by whom and since when, and what was lost."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import click

from admin.app import App, now
from admin.options import JSON, Instant
from admin.output import fields_of, print_json
from admin.text import safe
from engine.money import OLD, Lost, Owed, lost, outstanding
from workflow.case.money import show_amount

LOST_WITHIN = timedelta(days=90)


@click.command("money")
@click.option("--shop", "shops", multiple=True, help="Only of this shop (repeatable)")
@click.option("--since", type=Instant(), help="From when on what was lost is told (default: the last 90 days)")
@JSON
@click.pass_context
def money_command(ctx: click.Context, shops: tuple[str, ...], since: datetime | None, as_json: bool) -> None:
    """Say what is owed to you, by whom and since when, and what was lost; no sum adds two currencies."""
    app, at = App(ctx), now()
    since = since or at - LOST_WITHIN
    owed, gone = outstanding(app.ready(), at, shops), lost(app.ready(), since, shops)
    if as_json:
        print_json({"outstanding": [*map(fields_of, owed)], "lost": [*map(fields_of, gone)], "lost_since": since})
        return
    several = len({one.shop for one in owed} | {one.shop for one in gone}) > 1
    if owed:
        click.secho(f"Outstanding: {_in_all(owed)}", bold=True)
        columns = ("sum", f"over {OLD.days} d", "who owes it", "rows", "unknown", "oldest")
        _print(
            app, columns, [(one, show_amount(one.older, one.currency) if one.older else "", one.since) for one in owed], several
        )
    else:
        click.echo("Nothing is owed to you.")
    declined = f"since {since.astimezone(app.zone()):%Y-%m-%d}"
    if gone:
        click.secho(f"\nLost {declined}: {_in_all(gone)}", bold=True)
        _print(app, ("sum", "who declined it", "rows", "unknown"), [(one, None, None) for one in gone], several)
    else:
        click.echo(f"Nothing was lost {declined}.")


def _print(
    app: App, columns: Sequence[str], rows: Iterable[tuple[Owed | Lost, str | None, datetime | None]], several: bool
) -> None:
    """Print sums with who they are of; the shop where there are several."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in (*columns, *(("shop",) if several else ())):
        names = column in ("who owes it", "who declined it", "shop")
        table.add_column(column, justify="left" if names else "right", no_wrap=not names, overflow="fold")
    for one, older, oldest in rows:
        amount = show_amount(one.amount, one.currency) if one.unknown < one.count else f"not known, {one.currency}"
        cells = [amount, older, escape(safe(one.party)), str(one.count), str(one.unknown or "")]
        cells.append(f"{oldest.astimezone(app.zone()):%Y-%m-%d}" if oldest else None)
        table.add_row(*(cell for cell in (*cells, escape(safe(one.shop)) if several else None) if cell is not None))
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False).print(table)


def _in_all(owed: Iterable[Owed | Lost]) -> str:
    """Write the sum of each currency."""
    sums: dict[str, int] = {}
    for one in owed:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount
    return ", ".join(show_amount(amount, currency) for currency, amount in sums.items())
