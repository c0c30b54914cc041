"""catalogue: which suppliers can deliver which goods."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from admin.app import App, now, on_terminal, person
from admin.catalogue_files import offer_mapping_of
from admin.options import JSON, Zone
from admin.order_files import FILE, fitting, print_rejections, print_summary, ready_or_named, rejections_json
from admin.output import fields_of, harmless, print_json, print_wrapped
from admin.tables import print_rows
from admin.text import safe
from engine import catalogue
from engine.offer_files import SHOWN, difference, facts_of, import_file
from inbound.offers import Usual, read_offers
from inbound.proposing_offers import propose
from language import counted, tr
from workflow.catalogue import Offer, why_words

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
    found.refuse_empty(str(file))
    database = app.ready() if dry_run else app.made()
    done = import_file(database, found, file.name, person(), now(), keep=keep, dry_run=dry_run)
    if as_json:
        jumps = [{"was": was.price, **fields_of(is_now)} for was, is_now in done.jumps]
        told = {"assumed_currency": found.assumed, "repeated": found.repeated, "jumps": jumps, "version": done.changed.version}
        print_json({**done.counts(), **told, **asdict(done.doubts), **rejections_json(found.rejected, found.left_out)})
    else:
        print_summary(done.counts())
        _print_changes(app, done.changed)
        print_rejections(found.rejected, found.left_out)
        for note in done.notes(usual.currency):
            print_wrapped(tr("Note: {warning}", warning=safe(note)))
        if dry_run:
            print_wrapped(tr("Nothing was stored (--dry-run)."))
        elif done.changed.version:
            print_wrapped(tr("Look for what is amiss: aftersales catalogue check; take it back: aftersales catalogue undo"))
    ctx.exit(3 if found.rejected else 0)


def _print_changes(app: App, done: catalogue.Changed) -> None:
    """Print the first offers that are added, changed and ended."""
    _print_offers(app, tr("Added"), done.new)
    if changed := done.changed:
        rows = [(was.supplier, was.sku, *_difference(app, was, is_now)) for was, is_now in changed[:SHOWN]]
        click.echo()
        print_rows("Changed", ("supplier", "sku", "what", "was", "is"), rows, "")
        _and_more(len(changed))
    _print_offers(app, tr("Ended"), done.gone)


def _difference(app: App, was: Offer, is_now: Offer) -> tuple[str, ...]:
    """Return what an offer says otherwise: which facts, as they were and as they are."""
    found = [(tr(name), then, told) for name, then, told in difference(was, is_now, app.zone(), now())]
    names, before, after = (", ".join(str(one[at] or "-") for one in found) for at in range(3))
    return names, before, after


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

    It lists the orders that no other supplier could take over, the products that one supplier or none offers, and what else
    is amiss.
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


def _print_offers(app: App, title: str, offers: Sequence[Offer], shown: int = SHOWN, empty: str = "") -> None:
    """Print the first of some offers, and how many more there are."""
    if not offers and not empty:
        return
    facts = [facts_of(one, app.zone(), now()) for one in offers[:shown]]
    rows = [(one.supplier, one.sku, *said.values()) for one, said in zip(offers, facts, strict=False)]
    click.echo()
    print_rows(title, ("supplier", "sku", *(facts[0] if facts else ())), rows, empty)
    if len(offers) > shown:
        _and_more(len(offers))
