"""catalogue: which suppliers can deliver which goods."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from admin.app import App, now, on_terminal, person
from admin.catalogue_files import offer_mapping_of
from admin.options import JSON, Zone
from admin.order_files import FILE, fitting, print_rejections, print_summary, ready_or_named, rejections_json
from admin.output import fields_of, harmless, print_json, print_wrapped
from admin.tables import print_rows
from admin.text import safe
from engine import catalogue, summaries
from inbound.offers import Usual, read_offers
from inbound.proposing_offers import propose
from language import counted, tr
from workflow.case.money import show_amount
from workflow.catalogue import Offer, why_words
from workflow.errors import UsageError

COLUMNS = (
    *("supplier", "sku", "title", "supplier_sku", "address", "price", "currency", "handling_time", "countries", "rank"),
    *("from", "until"),
)
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
    if supplier is not None and not supplier.strip():
        raise click.UsageError(tr("--supplier says who offers what stands in the file: give it a name."))
    usual = Usual(app.settings.read_policy().orders.currency, supplier, shop, app.zone())
    with fitting(file, mapping_file, "catalogue new"):
        found = read_offers(file, offer_mapping_of(file, mapping_file), usual)
    if not found.offers and not found.rejected:
        raise UsageError(tr("{file} has no offer: nothing was changed", file=file))
    is_partial = keep or bool(found.rejected)
    database = app.ready() if dry_run else app.made()
    doubts = catalogue.doubts(database, found.offers)
    done = catalogue.import_offers(database, found.offers, file.name, person(), now(), keep=is_partial, dry_run=dry_run)
    counts = summaries.of_offers(found, done)
    if as_json:
        told = {"assumed_currency": found.assumed, "repeated": found.repeated, "version": done.version}
        print_json({**counts, **told, **asdict(doubts), **rejections_json(found.rejected, found.left_out)})
    else:
        print_summary(counts)
        _print_changes(app, done)
        print_rejections(found.rejected, found.left_out)
        for note in summaries.notes_on_offers(found, done, doubts, usual.currency, is_asked_for=keep):
            print_wrapped(tr("Note: {warning}", warning=safe(note)))
        if dry_run:
            print_wrapped(tr("Nothing was stored (--dry-run)."))
        elif done.version:
            print_wrapped(tr("Look for what is amiss: aftersales catalogue check; take it back: aftersales catalogue undo"))
    ctx.exit(3 if found.rejected else 0)


def _print_changes(app: App, done: catalogue.Changed) -> None:
    """Print the first offers that are added, changed and ended."""
    changed = done.changed
    new, old = {id(one) for _, one in changed}, {id(one) for one, _ in changed}
    _print_offers(app, tr("Added"), [one for one in done.added if id(one) not in new])
    if changed:
        rows = [(was.supplier, was.sku, *_difference(app, was, now_is)) for was, now_is in changed[:SHOWN]]
        click.echo()
        print_rows("Changed", ("supplier", "sku", "what", "was", "is"), rows, "")
        _and_more(len(changed))
    _print_offers(app, tr("Ended"), [one.offer for one in done.ended if id(one.offer) not in old])


def _difference(app: App, was: Offer, is_now: Offer) -> tuple[str, str, str]:
    """Return what an offer says otherwise: which facts, as they were and as they are."""
    before, after = _cells(app, was), _cells(app, is_now)
    other = [name for name in OFFER_COLUMNS if before[name] != after[name]]
    first, then = (", ".join(str(told[name] or "-") for name in other) for told in (before, after))
    return ", ".join(map(tr, other)), first, then


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
    app = App(ctx)
    found = catalogue.list_offers(app.ready(), suppliers, skus, shops)
    if as_json:
        print_json({"offers": [fields_of(one) for one in found]})
    else:
        empty = tr("No offer is there: aftersales catalogue import FILE brings some")
        _print_offers(app, tr("Offers"), found, len(found) or 1, empty)


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
        columns = ("version", "when", "by", "file", "begun", "ended", "note")
        print_rows("Changes of the catalogue", columns, rows, "Nothing has changed the catalogue yet.")


def _undoes(change: catalogue.Change) -> str:
    return tr("takes {version} back", version=change.undoes) if change.undoes else ""


@catalogue_command.command("undo")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken back")
@click.pass_context
def undo_command(ctx: click.Context, yes: bool, dry_run: bool) -> None:
    """Take the last change of the catalogue back: what it has added is ended, and what it has ended counts again.

    An import that changed nothing is none.
    """
    app = App(ctx)
    database = app.ready()
    last = catalogue.last_change(database)
    print_wrapped(
        tr(
            "The last change is the import of {file}, {when}, by {by}: {added} begun and {ended} ended.",
            file=safe(last.file),
            when=app.when(last.since),
            by=last.by,
            added=counted(last.added, "offer"),
            ended=counted(last.ended, "offer"),
        )
    )
    if dry_run:
        return
    if not yes and on_terminal():
        click.confirm(tr("Take it back?"), abort=True)
    catalogue.undo_last(database, last.version, person(), now())
    print_wrapped(tr("It is taken back: what it began is ended, and what it ended counts again."))


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
    skus = {one.sku for one in catalogue.ordered_products(app.database)} if app.is_ready() else frozenset()
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
    products = catalogue.ordered_products(App(ctx).ready())
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in products:
        writer.writerow({"sku": harmless(one.sku), "title": harmless(one.title), "currency": one.currency})


@catalogue_command.command("check")
@JSON
@click.pass_context
def check_command(ctx: click.Context, as_json: bool) -> None:
    """Hold the catalogue against the orders that are not shipped and name no alternatives of their own.

    Named are orders that nobody could take over, products that one supplier offers, or none, and what else is amiss.
    """
    app = App(ctx)
    found = catalogue.check(app.ready(), app.rules_for_reading(), now())
    if as_json:
        print_json(asdict(found))
        return
    print_wrapped(tr("Orders that are not shipped and name no alternatives of their own: {count}", count=found.orders))
    rows = [(one.order, ", ".join(map(str, one.skus)), _why_nobody(one)) for one in found.left_alone]
    click.echo()
    print_rows(
        "Orders that nobody could take over: if their supplier is late, the money is asked for",
        ("order", "sku", "why"),
        rows[:SHOWN],
        "Somebody could take over each of them.",
    )
    _and_more(len(rows))
    products = [(one.orders, one.sku, one.title, one.shop, ", ".join(one.suppliers) or tr("nobody")) for one in found.products]
    click.echo()
    print_rows(
        "Products that one supplier offers, or none",
        ("orders", "sku", "title", "shop", "offered by"),
        products[:SHOWN],
        "Two suppliers or more offer each of their products.",
    )
    _and_more(len(products))
    for line in (
        found.in_other_currencies
        and tr("Prices in another currency than the order's: {names}", names=_first(found.in_other_currencies)),
        found.without_price and tr("Offers without a price: {names}", names=_first(found.without_price)),
        found.over and tr("Offers of their products whose time is over, or has not come: {names}", names=_first(found.over)),
        found.without_address
        and tr(
            "Suppliers that the policy has no address of ([contacts.suppliers]): {names}", names=_first(found.without_address)
        ),
    ):
        if line:
            print_wrapped(line)


def _why_nobody(one: catalogue.LeftAlone) -> str:
    if not one.skus:
        return tr("it has no lines")
    if not all(one.skus):
        return tr("a line without an SKU")
    told = [f"{safe(name)}: {why_words(why)}" for name, why in one.passed_over]
    return "; ".join(told) or tr("no other supplier offers its products")


def _first(names: Sequence[str]) -> str:
    """Write the first of some names, and how many more there are."""
    more = tr(" … and {count} more: --json lists them all", count=len(names) - SHOWN) if len(names) > SHOWN else ""
    return ", ".join(map(safe, names[:SHOWN])) + more


def _and_more(count: int) -> None:
    if count > SHOWN:
        click.echo(tr("… and {count} more: --json lists them all", count=count - SHOWN))


OFFER_COLUMNS = ("their sku", "price", "ships in", "rank", "countries", "shop", "counts", "address")


def _print_offers(app: App, title: str, offers: Sequence[Offer], shown: int = SHOWN, empty: str = "") -> None:
    """Print the first of some offers, and how many more there are."""
    if not offers and not empty:
        return
    rows = [(one.supplier, one.sku, *_cells(app, one).values()) for one in offers[:shown]]
    click.echo()
    print_rows(title, ("supplier", "sku", *OFFER_COLUMNS), rows, empty)
    if len(offers) > shown:
        _and_more(len(offers))


def _cells(app: App, one: Offer) -> dict[str, Any]:
    """Return what an offer says, by the column of its table."""
    price = show_amount(one.price, one.currency) if one.price is not None and one.currency else None
    said = (
        one.supplier_sku,
        price,
        one.handling_time,
        one.rank,
        ", ".join(one.countries),
        one.shop,
        _span(app, one),
        one.address,
    )
    return dict(zip(OFFER_COLUMNS, said, strict=True))


def _span(app: App, offer: Offer) -> str:
    """Write from when to when an offer counts; a last instant that is midnight is the day before."""
    since = f"{_day(app, offer.since)} –" if offer.since else ""
    until = f"– {_day(app, offer.until - timedelta(seconds=1))}" if offer.until else ""
    is_over = offer.until is not None and offer.until <= now()
    return f"{since} {until}".replace("– –", "–").strip() + (f" ({tr('over')})" if is_over else "")


def _day(app: App, at: datetime) -> str:
    return f"{at.astimezone(app.zone()):%Y-%m-%d}"
