"""The catalogue of a database: read for choices, changed by files, and taken back (rules 2.20 and 7.12)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from language import tr
from storage import offers, products, statistics
from storage.database import Database, reading, repeated
from storage.offers import Change as Change
from storage.offers import KeptOffer
from storage.products import Product
from workflow.catalogue import NO_CATALOGUE, Catalogue, Chooser, Offer, Record, folded
from workflow.errors import UsageError
from workflow.policy.policy import Rules
from workflow.suggestions import did_you_mean

RECORD_OF = timedelta(days=90)
"""How far back the record of a supplier goes."""


class KeptCatalogue(Catalogue):
    """The catalogue of a database as it was at one version."""

    def __init__(self, source: Database | Connection, version: int) -> None:
        super().__init__(self._offers_of_products, self._records_up_to)
        self.version = version
        self._source = source
        self._day: tuple[datetime, Mapping[str, Record]] | None = None

    def _offers_of_products(self, skus: Collection[str]) -> Iterable[Offer]:
        with reading(self._source) as connection:
            return offers.of_products(connection, skus)

    def _records_up_to(self, at: datetime) -> Mapping[str, Record]:
        """Return how suppliers have done in the days before that of `at`: it is counted once a day."""
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._day is None or self._day[0] != day:
            with reading(self._source) as connection:
                self._day = day, statistics.records(connection, day - RECORD_OF, day)
        return self._day[1]


def chooser_of(source: Database | Connection) -> Chooser:
    """Return what says who can deliver an order: the catalogue of a database, if it has one."""
    with reading(source) as connection:
        version = offers.version(connection)
    return KeptCatalogue(source, version) if version else NO_CATALOGUE


def with_current_catalogue(database: Database, rules: Rules) -> Rules:
    """Return rules whose catalogue is that of now; these very rules, if nothing has changed."""
    with database.read() as connection:
        version = offers.version(connection)
    known = rules.chooser.version if isinstance(rules.chooser, KeptCatalogue) else 0
    return rules if version == known else rules.with_chooser(KeptCatalogue(database, version))


@dataclass(frozen=True, slots=True)
class Changed:
    """What a file changes of the catalogue: offers of suppliers that it names, and no others.

    One that is ended and added again for the same product is counted as changed.
    """

    added: tuple[Offer, ...]
    ended: tuple[KeptOffer, ...]
    same: int
    version: int | None = None

    @property
    def changed(self) -> int:
        """How many offers have other facts than before."""
        return sum((Counter(map(_whose, self.added)) & Counter(_whose(one.offer) for one in self.ended)).values())


def _whose(offer: Offer) -> tuple[str | None, ...]:
    return folded(offer.supplier), offer.shop, offer.sku


@repeated
def import_offers(
    database: Database, told: Sequence[Offer], file: str, by: str, at: datetime, *, keep: bool = False, dry_run: bool = False
) -> Changed:
    """Take the offers of a file for all that its suppliers deliver: others of theirs are ended (rule 7.12).

    With `keep`, nothing is ended but what the file says otherwise. A file that says what is known stores nothing.
    """
    if dry_run:
        with database.read() as connection:
            return _difference(connection, told, keep=keep)
    with database.write() as connection:
        offers.lock(connection)
        found = _difference(connection, told, keep=keep)
        if not found.added and not found.ended:
            return found
        version = offers.change(connection, found.added, [one.id for one in found.ended], file, by, at)
    return Changed(found.added, found.ended, found.same, version)


def _difference(connection: Connection, told: Sequence[Offer], *, keep: bool) -> Changed:
    known = offers.of_suppliers(connection, (one.supplier for one in told))
    by_offer = {_compared(one.offer): one for one in known}
    wanted = {_compared(one): one for one in told}
    products = {_whose(one) for one in told}
    ended = [one for key, one in by_offer.items() if key not in wanted and (not keep or _whose(one.offer) in products)]
    added = [one for key, one in wanted.items() if key not in by_offer]
    return Changed(tuple(added), tuple(ended), len(wanted) - len(added))


def _compared(offer: Offer) -> tuple[object, ...]:
    return (folded(offer.supplier), *(value for name, value in vars(offer).items() if name != "supplier"))


@repeated
def undo_last(database: Database, by: str, at: datetime) -> Change:
    """Take the last change of the catalogue back: what it has added is ended, what it has ended counts again.

    Raises:
        UsageError: there is none, or all are taken back.

    """
    with database.write() as connection:
        offers.lock(connection)
        done = offers.changes(connection)
        undone = {one.undoes for one in done}
        last = next((one for one in done if one.undoes is None and one.version not in undone), None)
        if last is None:
            raise UsageError(tr("no change of the catalogue is left that could be taken back"))
        offers.take_back(connection, last, by, at)
    return last


def list_offers(database: Database, suppliers: Sequence[str], skus: Sequence[str], shops: Sequence[str]) -> list[Offer]:
    """Return the offers that were not ended, by supplier and product.

    Raises:
        UsageError: a supplier or product that was named has none.

    """
    with database.read() as connection:
        found = [one.offer for one in offers.all_offers(connection)]
    _check_named(suppliers, [one.supplier for one in found])
    _check_named(skus, [one.sku for one in found])
    wanted, products_wanted = set(map(folded, suppliers)), set(map(folded, skus))
    kept = [
        one
        for one in found
        if (not wanted or folded(one.supplier) in wanted)
        and (not products_wanted or folded(one.sku) in products_wanted)
        and (not shops or one.shop is None or folded(one.shop) in set(map(folded, shops)))
    ]
    return sorted(kept, key=lambda one: (folded(one.supplier), one.sku))


def _check_named(named: Sequence[str], known: Sequence[str]) -> None:
    for name in named:
        if folded(name) not in set(map(folded, known)):
            hint = did_you_mean(name, known) if known else ""
            raise UsageError(tr("the catalogue has no offer of {name!r}{hint}", name=name, hint=hint))


def list_changes(database: Database) -> list[Change]:
    """Return what has changed the catalogue, the last first."""
    with database.read() as connection:
        return offers.changes(connection)


def ordered_products(database: Database) -> list[Product]:
    """Return every product that has an SKU, those that were ordered most first."""
    with database.read() as connection:
        return products.ordered(connection)


@dataclass(frozen=True, slots=True)
class Offered:
    """A product of orders that are not shipped, and who offers it now: `suppliers` are those that the shop can turn to."""

    shop: str
    sku: str
    title: str
    orders: int
    suppliers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is amiss with a catalogue, for the orders that are not shipped and name no alternatives of their own."""

    orders: int
    products: tuple[Offered, ...]
    """Those that one supplier offers, or none, the most ordered first."""
    in_other_currencies: tuple[Offer, ...]
    """Offers of their products with a price in another currency than the order's money."""
    without_price: tuple[Offer, ...]
    without_address: tuple[str, ...]
    """Suppliers that the policy has no email address of."""
    without_sku: tuple[str, ...]
    """Orders with a line that names no SKU, or without lines: the catalogue cannot help them."""


def check(database: Database, rules: Rules, at: datetime) -> Checked:
    """Hold the catalogue against the orders that are not shipped."""
    with database.read() as connection:
        kept = [one.offer for one in offers.all_offers(connection) if one.offer.is_on(at)]
        orders = [*products.unshipped(connection)]
    by_sku: dict[str, list[Offer]] = {}
    for one in kept:
        by_sku.setdefault(one.sku, []).append(one)
    counts, titles, currencies = Counter[tuple[str, str]](), dict[tuple[str, str], str](), dict[str, set[str]]()
    for order in orders:
        for sku, title in dict(order.products).items():
            counts[order.shop, sku] += bool(sku)
            titles[order.shop, sku] = title
            currencies.setdefault(sku, set()).add(order.currency)
    found = []
    for (shop, sku), count in counts.most_common():
        here = dict.fromkeys(one.supplier for one in by_sku.get(sku, ()) if one.shop in (None, shop))
        if count and len({folded(name) for name in here}) < 2:
            found.append(Offered(shop, sku, titles[shop, sku], count, tuple(here)))
    wanted = [one for one in kept if one.sku in currencies]
    contacts = {folded(name) for name in rules.policy.contacts.suppliers}
    return Checked(
        orders=len(orders),
        products=tuple(found),
        in_other_currencies=tuple(one for one in wanted if one.price is not None and one.currency not in currencies[one.sku]),
        without_price=tuple(one for one in wanted if one.price is None),
        without_address=tuple(dict.fromkeys(one.supplier for one in kept if folded(one.supplier) not in contacts)),
        without_sku=tuple(one.name for one in orders if not one.products or not all(sku for sku, _ in one.products)),
    )
