"""money: what is owed, by whom and since when, and what was lost."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import click

from admin.app import App, now
from admin.options import JSON, Instant
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import Cell, amount, print_rows, unknown_amount
from engine.money import OLD, Lost, Owed, lost, outstanding
from engine.views import Filter
from language import tr
from workflow.case.money import show_amount

LOST_WITHIN = timedelta(days=90)


@click.command("money")
@click.option("--shop", "shops", multiple=True, help="Only of this shop (repeatable)")
@click.option("--supplier", "suppliers", multiple=True, help="Only what this supplier owes, or has declined (repeatable)")
@click.option("--since", type=Instant(), help="From when on what was lost is told (default: the last 90 days)")
@JSON
@click.pass_context
def money_command(
    ctx: click.Context, shops: tuple[str, ...], suppliers: tuple[str, ...], since: datetime | None, as_json: bool
) -> None:
    """Say what is owed to you, by whom and since when, and what was lost; no sum adds two currencies."""
    app, at = App(ctx), now()
    since, wanted = since or at - LOST_WITHIN, Filter(shops=shops, suppliers=suppliers)
    owed, gone = outstanding(app.ready(), at, wanted), lost(app.ready(), since, wanted)
    if as_json:
        print_json({"outstanding": [*map(fields_of, owed)], "lost": [*map(fields_of, gone)], "lost_since": since})
        return
    shop_of = len({one.shop for one in owed} | {one.shop for one in gone}) > 1
    if owed:
        rows = [
            (
                _sum(one),
                amount(one.older or None, one.currency),
                tr(one.party),
                one.shop if shop_of else None,
                one.count,
                one.unknown or None,
                Cell(f"{one.since.astimezone(app.zone()):%Y-%m-%d}", whole=True),
            )
            for one in owed
        ]
        columns = ("sum", f"> {OLD.days} d", tr("who owes it"), "shop", "rows", "unknown", "oldest")
        print_rows(tr("Outstanding: {owed}", owed=_in_all(owed)), columns, rows, "")
    else:
        print_wrapped(tr("Nothing is owed to you."))
    declined = tr("since {app:%Y-%m-%d}", app=since.astimezone(app.zone()))
    if gone:
        lines = [
            (_sum(one), tr(one.party), one.why, one.shop if shop_of else None, one.count, one.unknown or None) for one in gone
        ]
        titles = ("sum", tr("who declined it"), tr("why it was asked for"), "shop", "rows", "unknown")
        click.echo()
        print_rows(tr("Lost {declined}: {gone}", declined=declined, gone=_in_all(gone)), titles, lines, "")
    else:
        print_wrapped(tr("Nothing was lost {declined}.", declined=declined))


def _sum(one: Owed | Lost) -> Cell:
    """Return the cell of a sum, or of the currency where none of its rows has one."""
    return amount(one.amount, one.currency) if one.unknown < one.count else unknown_amount(one.currency)


def _in_all(owed: Iterable[Owed | Lost]) -> str:
    """Write the sum of each currency; one of which no sum is known has a question mark."""
    sums: dict[str, int] = {}
    for one in owed:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount
    return ", ".join(show_amount(amount, currency) if amount else f"? {currency}" for currency, amount in sums.items())
