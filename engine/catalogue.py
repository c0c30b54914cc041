"""The catalogue of a database: read for choices, changed by files, and taken back (rules 2.20 and 7.12)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice

from sqlalchemy import Connection

from language import tr
from storage import cases, offers, products, queries, scorecards
from storage.database import Database, reading, repeated
from storage.offers import Change as Change
from storage.offers import KeptOffer
from storage.products import Product
from workflow.case.case import replace_fields
from workflow.catalogue import Catalogue, Chooser, Offer, Record, Why, passed_over_in
from workflow.errors import UsageError
from workflow.names import folded
from workflow.policy.policy import Rules
from workflow.rules.choosing import next_choice
from workflow.suggestions import did_you_mean, nearest

RECORD_OF = timedelta(days=90)
"""How far back the record of a supplier goes."""
MOST_DOUBTS = 200
"""So many products at most are held against those of the orders."""
FEW, MOST = 20, 200_000
"""From so many products on the whole catalogue is read at once, if it does not have more offers than that."""


class KeptCatalogue(Catalogue):
    """The catalogue of a database as it was at one version."""

    def __init__(self, source: Database | Connection, version: int) -> None:
        super().__init__(self._offers_of_products, self._records_up_to)
        self.version = version
        self._source = source
        self._asked = 0
        self._all: dict[str, list[Offer]] | None = None
        self._day: tuple[datetime, Mapping[str, Record]] | None = None

    def _offers_of_products(self, skus: Collection[str]) -> Iterable[Offer]:
        """Return the offers of products; who asks for many gets them from the whole catalogue, which is read once."""
        self._asked += 1
        with reading(self._source) if self._all is None else nullcontext() as connection:
            if connection is not None and self._asked == FEW and offers.count(connection) <= MOST:
                self._all = defaultdict(list)
                for one in offers.all_offers(connection, self.version):
                    self._all[one.offer.sku].append(one.offer)
            if self._all is not None:
                return [one for sku in skus for one in self._all.get(sku, ())]
            assert connection is not None, "what is not read whole is read by product"
            return offers.of_products(connection, skus, self.version)

    def _records_up_to(self, at: datetime) -> Mapping[str, Record]:
        """Return how suppliers have done in the days before that of `at`: it is counted once a day."""
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._day is None or self._day[0] != day:
            with reading(self._source) as connection:
                self._day = day, scorecards.records(connection, day - RECORD_OF, day)
        return self._day[1]


def chooser_of(source: Database | Connection) -> Chooser | None:
    """Return what says who can deliver an order: the catalogue of a database, if it has one."""
    with reading(source) as connection:
        version = offers.version(connection)
    return KeptCatalogue(source, version) if version else None


def with_current_catalogue(database: Database, rules: Rules) -> Rules:
    """Return rules whose catalogue is that of now; these very rules, if nothing has changed."""
    with database.read() as connection:
        version = offers.version(connection)
    known = rules.chooser.version if isinstance(rules.chooser, KeptCatalogue) else 0
    return rules if version == known else rules.with_chooser(KeptCatalogue(database, version))


@dataclass(frozen=True)
class Changed:
    """What a file changes of the catalogue: offers of suppliers that it names, and no others.

    One that is ended and added again for the same product is counted as changed.
    """

    added: tuple[Offer, ...]
    ended: tuple[KeptOffer, ...]
    same: int
    spared: int = 0
    """How many were left that the file does not name."""
    version: int | None = None

    @cached_property
    def changed(self) -> list[tuple[Offer, Offer]]:
        """What was offered before and is offered now for the same product."""
        was = defaultdict[tuple[str | None, ...], list[Offer]](list)
        for one in self.ended:
            was[_whose(one.offer)].append(one.offer)
        return [(was[_whose(one)].pop(0), one) for one in self.added if was[_whose(one)]]

    @property
    def new(self) -> list[Offer]:
        """What was added, and not only changed."""
        changed = {id(one) for _, one in self.changed}
        return [one for one in self.added if id(one) not in changed]

    @property
    def gone(self) -> list[Offer]:
        """What was ended, and not only changed."""
        changed = {id(one) for one, _ in self.changed}
        return [one.offer for one in self.ended if id(one.offer) not in changed]


def _whose(offer: Offer) -> tuple[str | None, ...]:
    return folded(offer.supplier), offer.shop, offer.sku


Unread = Mapping[int, Collection[str]]
"""Facts of offers that their file has and that could not be read, by the place of the offer in the file."""


@repeated
def import_offers(
    database: Database,
    told: Sequence[Offer],
    file: str,
    by: str,
    at: datetime,
    *,
    unread: Unread | None = None,
    keep: bool = False,
    dry_run: bool = False,
) -> Changed:
    """Take the offers of a file for all that its suppliers deliver: others of theirs are ended (rule 7.12).

    With `keep`, nothing is ended but what the file says otherwise. A file that says what is known stores nothing. What could
    not be read of an offer stays as it is known.
    """
    if dry_run:
        with database.read() as connection:
            _check_shops(connection, told)
            return _difference(connection, told, unread or {}, keep=keep)
    with database.write() as connection:
        offers.lock(connection)
        _check_shops(connection, told)
        found = _difference(connection, told, unread or {}, keep=keep)
        if not found.added and not found.ended:
            return found
        version = offers.change(connection, found.added, [one.id for one in found.ended], file, by, at)
    return dataclass_replace(found, version=version)


def _check_shops(connection: Connection, told: Sequence[Offer]) -> None:
    """Check that each shop that is named has orders, where any shop has.

    Raises:
        UsageError: one has none.

    """
    shops = queries.shops(connection)
    for name in dict.fromkeys(one.shop for one in told if one.shop is not None):
        if shops and name not in shops:
            raise UsageError(tr("no order is of the shop {name!r}{hint}", name=name, hint=did_you_mean(name, shops)))


def _difference(connection: Connection, told: Sequence[Offer], unread: Unread, *, keep: bool) -> Changed:
    known = offers.of_suppliers(connection, (one.supplier for one in told))
    spelt = {folded(one.supplier): one.supplier for one in [*(one.offer for one in known), *told][::-1]}
    told = [replace_fields(one, supplier=spelt[folded(one.supplier)]) for one in told]
    told = _with_known_facts(told, unread, known)
    by_offer = {_compared(one.offer): one for one in known}
    wanted = {_compared(one): one for one in told}
    named = {_whose(one) for one in told}
    gone = [one for key, one in by_offer.items() if key not in wanted]
    ended = [one for one in gone if not keep or _whose(one.offer) in named]
    added = [one for key, one in wanted.items() if key not in by_offer]
    return Changed(tuple(added), tuple(ended), len(wanted) - len(added), len(gone) - len(ended))


def _with_known_facts(told: Sequence[Offer], unread: Unread, known: Sequence[KeptOffer]) -> list[Offer]:
    """Return offers, with what is known where it could not be read; of several offers of a product it is not known of which."""
    by_product = defaultdict[tuple[str | None, ...], list[Offer]](list)
    for one in known:
        by_product[_whose(one.offer)].append(one.offer)
    filled = list(told)
    for place, facts in unread.items():
        if len(of_product := by_product[_whose(told[place])]) == 1:
            filled[place] = replace_fields(told[place], **{name: getattr(of_product[0], name) for name in facts})
    return filled


@dataclass(frozen=True, slots=True)
class Doubts:
    """What looks mistyped in a file of offers, each with the nearest name that is known, if there is one."""

    skus: tuple[tuple[str, str | None], ...]
    """Products that no order has had."""
    suppliers: tuple[tuple[str, str], ...]
    """Suppliers that are new, and called almost as one that is known."""


def doubts(database: Database, told: Sequence[Offer]) -> Doubts:
    """Return what looks mistyped in a file of offers that is not imported yet."""
    with database.read() as connection:
        skus = [one.sku for one in products.ordered(connection)]
        known = {folded(name): name for name in products.suppliers(connection)}
    named = {folded(one.supplier): one.supplier for one in told}
    others = set(skus)
    strange = dict.fromkeys(one.sku for one in told if one.sku not in others) if skus else {}
    new = ((name, nearest(name, known.values())) for key, name in named.items() if key not in known)
    return Doubts(
        skus=tuple((sku, nearest(sku, skus)) for sku in islice(strange, MOST_DOUBTS)),
        suppliers=tuple((name, near) for name, near in new if near is not None),
    )


def _compared(offer: Offer) -> tuple[object, ...]:
    return (folded(offer.supplier), *(value for name, value in vars(offer).items() if name != "supplier"))


@repeated
def undo_last(database: Database, shown: int, by: str, at: datetime) -> Change:
    """Take the last change of the catalogue back: what it has added is ended, what it has ended counts again.

    Raises:
        UsageError: there is none, all are taken back, or the last one is not the one that was shown.

    """
    with database.write() as connection:
        offers.lock(connection)
        last = _last(connection)
        if last.version != shown:
            raise UsageError(tr("the catalogue has changed meanwhile, and nothing was taken back: look again"))
        offers.take_back(connection, last, by, at)
    return last


def last_change(database: Database) -> Change:
    """Return the change that would be taken back.

    Raises:
        UsageError: there is none, or all are taken back.

    """
    with database.read() as connection:
        return _last(connection)


def _last(connection: Connection) -> Change:
    done = offers.changes(connection)
    undone = {one.undoes for one in done}
    last = next((one for one in done if one.undoes is None and one.version not in undone), None)
    if last is None:
        raise UsageError(tr("no change of the catalogue is left that could be taken back"))
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
        and (not shops or one.shop is None or one.shop in shops)
    ]
    return sorted(kept, key=lambda one: (folded(one.supplier), one.sku))


def _check_named(named: Sequence[str], known: Sequence[str]) -> None:
    for name in named:
        if folded(name) not in set(map(folded, known)):
            hint = did_you_mean(name, dict.fromkeys(known)) if known else ""
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
class LeftAlone:
    """An order that nobody could take over, and who offers some of its products in vain."""

    order: str
    skus: tuple[str, ...]
    passed_over: tuple[tuple[str, Why], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is amiss with a catalogue, for the orders that are not shipped and name no alternatives of their own."""

    orders: int
    left_alone: tuple[LeftAlone, ...]
    products: tuple[Offered, ...]
    """Those that one supplier offers, or none, the most ordered first."""
    in_other_currencies: tuple[str, ...]
    """Suppliers of their products with prices in another currency than the orders' money, and how many."""
    without_price: tuple[str, ...]
    """Suppliers of their products without a price, and how many of them."""
    over: tuple[str, ...]
    """Suppliers with offers of their products that do not count now, and how many."""
    without_address: tuple[str, ...]
    """Suppliers that the policy has no email address of."""


AT_ONCE = 500
"""So many orders are loaded together."""


def check(database: Database, rules: Rules, at: datetime) -> Checked:
    """Hold the catalogue against the orders that are not shipped."""
    with database.read() as connection:
        kept = [one.offer for one in offers.all_offers(connection)]
        orders = [*products.unshipped(connection)]
    by_sku = defaultdict[str, list[Offer]](list)
    for one in kept:
        by_sku[one.sku].append(one)
    counts, titles, currencies = Counter[tuple[str, str]](), dict[tuple[str, str], str](), defaultdict[str, set[str]](set)
    for order in orders:
        for sku, title in dict(order.products).items():
            counts[order.shop, sku] += bool(sku)
            titles[order.shop, sku] = title
            currencies[sku].add(order.currency)
    found = []
    for (shop, sku), count in counts.most_common():
        here = dict.fromkeys(one.supplier for one in by_sku[sku] if one.shop in (None, shop) and one.is_on(at))
        if count and len({folded(name) for name in here}) < 2:
            found.append(Offered(shop, sku, titles[shop, sku], count, tuple(here)))
    wanted = [one for one in kept if one.sku in currencies]
    on = [one for one in wanted if one.is_on(at)]
    contacts = {folded(name) for name in rules.policy.contacts.suppliers}
    return Checked(
        orders=len(orders),
        left_alone=tuple(_left_alone(database, [one.id for one in orders], rules, at)),
        products=tuple(found),
        in_other_currencies=_by_supplier(
            f"{one.supplier} ({one.currency})"
            for one in on
            if one.price is not None and one.currency not in currencies[one.sku]
        ),
        without_price=_by_supplier(one.supplier for one in on if one.price is None),
        over=_by_supplier(one.supplier for one in wanted if not one.is_on(at)),
        without_address=tuple(dict.fromkeys(one.supplier for one in kept if folded(one.supplier) not in contacts)),
    )


def _by_supplier(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}: {count}" for name, count in Counter(names).most_common())


def _left_alone(database: Database, order_ids: Sequence[int], rules: Rules, at: datetime) -> Iterator[LeftAlone]:
    for start in range(0, len(order_ids), AT_ONCE):
        with database.read() as connection:
            found = cases.load(connection, order_ids[start : start + AT_ONCE], lock=False)
        for stored in found.values():
            case = stored.case
            choice = next_choice(case, rules, at)
            if not choice.supplier:
                skus = tuple(line.sku for line in case.lines)
                yield LeftAlone(case.name, skus, tuple(passed_over_in(choice.passed_over)))
