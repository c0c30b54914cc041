"""Files of offers brought into the catalogue: what they change, and what a person should look at twice (rule 7.12)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from engine.catalogue import Changed, Doubts, doubts, import_offers
from inbound.offers import OfferFile
from language import counted, tr
from storage.database import Database
from workflow.case.money import show_amount
from workflow.catalogue import Offer

SHOWN = 20
"""So many names are told of many."""
JUMP = 3
"""A price that is so many times as high as before, or as low, is looked at twice."""


@dataclass(frozen=True, slots=True)
class ImportedOffers:
    """What a file says, what it changes of the catalogue, and what looks mistyped in it.

    `keep` says that what it does not name was to stay.
    """

    found: OfferFile
    changed: Changed
    doubts: Doubts
    keep: bool

    def counts(self) -> dict[str, object]:
        """Return what it has changed, in counts."""
        changed, found = self.changed, self.found
        return {
            "offers": len(found.offers),
            "added": len(changed.new),
            "changed": len(changed.changed),
            "ended": len(changed.gone),
            "same": changed.same,
            "unfilled": found.unfilled,
            "rounded": found.rounded,
            "rejected": len(found.rejected),
        }

    def notes(self, currency: str) -> Iterator[str]:
        """Yield what a person should look at twice; `currency` is what prices were taken for that name none."""
        for name, near in self.doubts.suppliers:
            yield tr("the supplier {name} is new here: is it {near}?", name=name, near=near)
        if skus := self.doubts.skus:
            named = [f"{sku} ({tr('is it {near}?', near=near)})" if near else sku for sku, near in skus]
            yield tr("no order has had these SKUs: {names}", names=_first_of(named))
        if jumps := self.jumps:
            named = [f"{is_now.supplier} {is_now.sku} ({_price(was)} → {_price(is_now)})" for was, is_now in jumps]
            yield tr("{names}: is the new price meant?", names=_first_of(named))
        if self.found.assumed:
            prices = counted(self.found.assumed, "price")
            yield tr(
                "{prices} without a currency, taken as {currency} (orders.currency of the policy)",
                prices=prices,
                currency=currency,
            )
        if self.found.repeated:
            rows = counted(self.found.repeated, "row")
            yield tr("{rows} of a product that its supplier has in an earlier row: the best of them counts", rows=rows)
        if self.changed.spared and not self.keep:
            offers = counted(self.changed.spared, "offer")
            yield tr("{offers} that the file does not name stay: rows of it could not be read", offers=offers)

    @property
    def jumps(self) -> list[tuple[Offer, Offer]]:
        """Offers whose price has changed as prices seldom do, as they were and as they are."""
        return [(was, is_now) for was, is_now in self.changed.changed if _jumps(was, is_now)]

    def changes(self, zone: tzinfo, at: datetime) -> Iterator[str]:
        """Yield in a line each what it has changed, added and ended."""
        for was, one in self.changed.changed:
            told = [f"{tr(name)} {before or '-'} → {after or '-'}" for name, before, after in difference(was, one, zone, at)]
            yield tr("changed: {offer}: {what}", offer=f"{one.supplier} {one.sku}", what=", ".join(told))
        for one in self.changed.new:
            yield tr("added: {offer}", offer=_in_words(one))
        for one in self.changed.gone:
            yield tr("ended: {offer}", offer=_in_words(one))


def import_file(
    database: Database, found: OfferFile, file: str, by: str, at: datetime, *, keep: bool = False, dry_run: bool = False
) -> ImportedOffers:
    """Bring the offers of a file into the catalogue; where a row was rejected nothing is ended that it does not name."""
    doubtful = doubts(database, found.offers)  # of what was known before
    is_partial = keep or bool(found.rejected)
    changed = import_offers(database, found.offers, file, by, at, unread=found.unread, keep=is_partial, dry_run=dry_run)
    return ImportedOffers(found, changed, doubtful, keep)


def _first_of(named: Sequence[str]) -> str:
    more = tr(" … and {count} more: --json lists them all", count=len(named) - SHOWN) if len(named) > SHOWN else ""
    return ", ".join(named[:SHOWN]) + more


def _jumps(was: Offer, is_now: Offer) -> bool:
    if not was.price or not is_now.price or was.currency != is_now.currency:
        return False
    return max(was.price, is_now.price) >= JUMP * min(was.price, is_now.price)


def _price(offer: Offer) -> str | None:
    return show_amount(offer.price, offer.currency) if offer.price is not None and offer.currency else None


def facts_of(offer: Offer, zone: tzinfo, at: datetime) -> Mapping[str, object]:
    """Return what an offer says, by the name of the fact."""
    columns = ("their sku", "price", "ships in", "rank", "countries", "shop", "counts", "address")
    said = (
        offer.supplier_sku,
        _price(offer),
        offer.handling_time,
        offer.rank,
        ", ".join(offer.countries),
        offer.shop,
        _span(offer, zone, at),
        offer.address,
    )
    return dict(zip(columns, said, strict=True))


def difference(was: Offer, is_now: Offer, zone: tzinfo, at: datetime) -> list[tuple[str, object, object]]:
    """Return the names of the facts that an offer says otherwise, as they were and as they are."""
    before, after = facts_of(was, zone, at), facts_of(is_now, zone, at)
    return [(name, before[name], after[name]) for name in before if before[name] != after[name]]


def _in_words(offer: Offer) -> str:
    price = _price(offer)
    return f"{offer.supplier} {offer.sku} {price}" if price else f"{offer.supplier} {offer.sku}"


def _span(offer: Offer, zone: tzinfo, at: datetime) -> str:
    """Write from when to when an offer counts; a last instant that is midnight is the day before."""
    since = f"{_day(offer.since, zone)} –" if offer.since else ""
    until = f"– {_day(offer.until - timedelta(seconds=1), zone)}" if offer.until else ""
    is_over = offer.until is not None and offer.until <= at
    return f"{since} {until}".replace("– –", "–").strip() + (f" ({tr('over')})" if is_over else "")


def _day(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d}"
