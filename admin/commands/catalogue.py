"""catalogue: which suppliers can deliver which goods."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from admin.app import App, now, person
from admin.catalogue_files import offer_mapping_of
from admin.options import JSON, Zone
from admin.order_files import FILE, fitting, print_rejections, print_summary, ready_or_named, rejections_json
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import print_rows
from admin.text import safe
from engine import catalogue
from inbound.offers import Usual, read_offers
from inbound.proposing_offers import propose
from language import counted, tr
from workflow.case.money import show_amount
from workflow.catalogue import Offer
from workflow.errors import UsageError

COLUMNS = ("supplier", "sku", "title", "supplier_sku", "address", "price", "currency", "handling_time", "countries", "rank")
"""The columns of the file that `catalogue template` writes."""
MAPPING = click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    callback=ready_or_named,
    help="TOML file that says what the columns mean (`catalogue new FILE` proposes one)",
)
SUPPLIER = click.option(
    "--supplier", help="Who offers what stands in rows that name no supplier: of a supplier's own price list"
)
SHOP = click.option("--shop", help="For which shop rows count that name none (default: for all)")
SHOWN = 20


@click.group("catalogue")
def catalogue_command() -> None:
    """Say which suppliers can deliver which goods; list and check it.

    An order that names no alternatives of its own turns to the suppliers of the catalogue that offer all of its lines.
    """


@catalogue_command.command("import")
@FILE
@MAPPING
@SUPPLIER
@SHOP
@click.option("--keep", is_flag=True, help="End no offer that FILE does not name: it is a part of what its suppliers offer")
@click.option("--dry-run", is_flag=True, help="Only say what would change")
@JSON
@click.pass_context
def import_command(
    ctx: click.Context,
    file: Path,
    mapping_file: Path | None,
    supplier: str | None,
    shop: str | None,
    keep: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take what FILE says for all that its suppliers offer: offers of theirs that it does not have are ended.

    Other suppliers stay as they are. If a row cannot be read, nothing is ended but what other rows say otherwise, and the exit
    code is 3. `catalogue undo` takes an import back.
    """
    app = App(ctx)
    usual = Usual(app.settings.read_policy().orders.currency, supplier, shop)
    with fitting(file, mapping_file, "catalogue new"):
        found = read_offers(file, offer_mapping_of(file, mapping_file), usual)
    if not found.offers and not found.rejected:
        raise UsageError(tr("{file} has no offer: nothing was changed", file=file))
    is_partial = keep or bool(found.rejected)
    database = app.ready() if dry_run else app.made()
    done = catalogue.import_offers(database, found.offers, file.name, person(), now(), keep=is_partial, dry_run=dry_run)
    counts: dict[str, object] = {
        "offers": len(found.offers),
        "added": len(done.added) - done.changed,
        "changed": done.changed,
        "ended": len(done.ended) - done.changed,
        "same": done.same,
        "unfilled": found.unfilled,
        "rounded": found.rounded,
        "rejected": len(found.rejected),
    }
    if as_json:
        print_json({**counts, "version": done.version, **rejections_json(found.rejected, ())})
    else:
        print_summary(counts)
        _print_offers(tr("Added or changed"), done.added)
        _print_offers(
            tr("Ended"), [one.offer for one in done.ended if _whose(one.offer) not in {_whose(new) for new in done.added}]
        )
        print_rejections(found.rejected, ())
        if found.rejected and not keep:
            print_wrapped(tr("Nothing was ended that the file does not name: rows of it could not be read"))
        if dry_run:
            print_wrapped(tr("Nothing was stored (--dry-run)."))
        elif done.version:
            print_wrapped(tr("Look for what is amiss: aftersales catalogue check; take it back: aftersales catalogue undo"))
    ctx.exit(3 if found.rejected else 0)


def _whose(offer: Offer) -> tuple[str, str | None, str]:
    return offer.supplier, offer.shop, offer.sku


@catalogue_command.command("list")
@click.option("--supplier", "suppliers", multiple=True, help="Only what this supplier offers (repeatable)")
@click.option("--sku", "skus", multiple=True, help="Only what is offered for this product of ours (repeatable)")
@click.option("--shop", "shops", multiple=True, help="Only what counts for this shop (repeatable)")
@JSON
@click.pass_context
def list_command(
    ctx: click.Context, suppliers: tuple[str, ...], skus: tuple[str, ...], shops: tuple[str, ...], as_json: bool
) -> None:
    """List the offers that were not ended."""
    found = catalogue.list_offers(App(ctx).ready(), suppliers, skus, shops)
    if as_json:
        print_json({"offers": [fields_of(one) for one in found]})
    else:
        _print_offers(
            tr("Offers"), found, len(found) or 1, tr("No offer is there: aftersales catalogue import FILE brings some")
        )


@catalogue_command.command("changes")
@JSON
@click.pass_context
def changes_command(ctx: click.Context, as_json: bool) -> None:
    """List the files that have changed the catalogue, the last first."""
    app = App(ctx)
    found = catalogue.list_changes(app.ready())
    if as_json:
        print_json({"changes": [fields_of(one) for one in found]})
    else:
        rows = [(one.version, app.brief(one.since), one.by, one.file, one.added, one.ended, _undoes(one)) for one in found]
        columns = ("version", "when", "by", "file", "added", "ended", "")
        print_rows("Changes of the catalogue", columns, rows, "Nothing has changed the catalogue yet.")


def _undoes(change: catalogue.Change) -> str:
    return tr("takes {version} back", version=change.undoes) if change.undoes else ""


@catalogue_command.command("undo")
@click.pass_context
def undo_command(ctx: click.Context) -> None:
    """Take the last import of offers back: what it has added is ended, and what it has ended counts again."""
    undone = catalogue.undo_last(App(ctx).ready(), person(), now())
    print_wrapped(
        tr(
            "The import of {file} is taken back: {added} ended, {ended} count again.",
            file=undone.file,
            added=counted(undone.added, "offer"),
            ended=counted(undone.ended, "offer"),
        )
    )


@catalogue_command.command("new")
@FILE
@click.option("--time-zone", type=Zone(), help="The zone of times that name none (default: time_zone of the settings)")
@click.pass_context
def new_command(ctx: click.Context, file: Path, time_zone: ZoneInfo | None) -> None:
    """Propose a mapping for FILE, such as a supplier's price list, with questions where it proves nothing.

    It is printed, to be kept in a file: aftersales catalogue new prices.csv > prices.toml
    """
    app = App(ctx)
    own_zone = app.settings.time_zone
    skus = {one.sku for one in catalogue.ordered_products(app.ready())} if app.database.exists() else frozenset()
    proposal = propose(file, time_zone or (ZoneInfo(own_zone) if own_zone else None), skus)
    click.echo(proposal.text)
    for question in proposal.questions:
        click.echo(tr("QUESTION: {question}", question=question), err=True)


@catalogue_command.command("template")
@click.pass_context
def template_command(ctx: click.Context) -> None:
    """Print the products of your orders as CSV, those ordered most first: fill in who delivers them, and import that.

    A product has a row for each supplier; rows without a supplier are passed over.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in catalogue.ordered_products(App(ctx).ready()):
        writer.writerow(["", one.sku, one.title, "", "", "", one.currency, "", "", ""])


@catalogue_command.command("check")
@JSON
@click.pass_context
def check_command(ctx: click.Context, as_json: bool) -> None:
    """Hold the catalogue against the orders that are not shipped and name no alternatives of their own.

    Named are products that one supplier offers, or none, prices in other currencies, and suppliers without an address.
    """
    app = App(ctx)
    found = catalogue.check(app.ready(), app.rules_for_reading(), now())
    if as_json:
        print_json(asdict(found))
        return
    print_wrapped(tr("Orders that are not shipped and name no alternatives of their own: {count}", count=found.orders))
    rows = [(one.orders, one.sku, one.title, one.shop, ", ".join(one.suppliers) or tr("nobody")) for one in found.products]
    click.echo()
    print_rows(
        "Products that one supplier offers, or none",
        ("orders", "sku", "title", "shop", "offered by"),
        rows[:SHOWN],
        "Two suppliers or more offer each of their products.",
    )
    _and_more(len(rows))
    _print_offers(tr("Prices in another currency than the order's: what it costs is not known"), found.in_other_currencies)
    _print_offers(tr("Offers without a price: what the order costs is not known"), found.without_price)
    if found.without_address:
        click.echo()
        names = _first(found.without_address)
        print_wrapped(tr("Suppliers that the policy has no address of ([contacts.suppliers]): {names}", names=names))
    if found.without_sku:
        click.echo()
        names = _first(found.without_sku)
        print_wrapped(tr("Orders that it cannot help, for a line names no SKU, or there are no lines: {names}", names=names))


def _first(names: Sequence[str]) -> str:
    """Write the first of some names, and how many more there are."""
    more = tr(" … and {count} more: --json lists them all", count=len(names) - SHOWN) if len(names) > SHOWN else ""
    return ", ".join(map(safe, names[:SHOWN])) + more


def _and_more(count: int) -> None:
    if count > SHOWN:
        click.echo(tr("… and {count} more: --json lists them all", count=count - SHOWN))


def _print_offers(title: str, offers: Any, shown: int = SHOWN, empty: str = "") -> None:
    """Print the first of some offers, and how many more there are."""
    if not offers and not empty:
        return
    rows = [
        (
            one.supplier,
            one.sku,
            one.supplier_sku,
            _price(one),
            one.handling_time,
            one.rank,
            ", ".join(one.countries),
            one.shop,
            _span(one),
            one.address,
        )
        for one in offers[:shown]
    ]
    columns = ("supplier", "sku", "their sku", "price", "ships in", "rank", "countries", "shop", "counts", "address")
    click.echo()
    print_rows(title, columns, rows, empty)
    if len(offers) > shown:
        _and_more(len(offers))


def _price(offer: Offer) -> str | None:
    return show_amount(offer.price, offer.currency) if offer.price is not None and offer.currency else None


def _span(offer: Offer) -> str:
    """Write from when to when an offer counts."""
    since = f"{offer.since:%Y-%m-%d %H:%M} UTC" if offer.since else ""
    until = f"{offer.until:%Y-%m-%d %H:%M} UTC" if offer.until else ""
    return f"{since} – {until}".strip() if since or until else ""
