"""What an import has done, in counts: as it is printed, and written beside a file of the inbox."""

from collections.abc import Iterator, Mapping, Sequence

from engine.catalogue import Changed, Doubts
from engine.importing import Imported
from inbound.offers import OfferFile
from inbound.rejections import Rejection
from language import counted, tr
from workflow.case.money import show_amount
from workflow.catalogue import Offer

SHOWN = 20
"""So many names are told of many."""
MAY_BE_NOTHING = (
    *("added", "changed", "ended", "same", "unfilled"),
    "unchanged",
    "historical",
    "rounded",
    "reported",
    "refused",
    "waiting",
    "exceptions",
    "duplicates",
    "resumed_after",
)
"""Counts of a summary that are left out where there are none."""
COUNTED = (
    "orders",
    "offers",
    "new",
    "rejected",
    "fired",
    "states",
    "from",
    "until",
    "seconds",
    "steps per second",
    *MAY_BE_NOTHING,
)
"""What a summary counts."""
LABELS = {
    "unfilled": "rows passed over",
    "duplicates": "repeated reports",
    "rounded": "sums rounded",
    "unchanged": "orders unchanged",
}
"""How counts are called where their name in JSON does not say what they count."""


def of_orders(done: Imported) -> dict[str, object]:
    """Return what an import of orders has done."""
    tally = done.tally
    return {
        "orders": tally.orders,
        "new": tally.new,
        "unchanged": done.unchanged,
        "historical": tally.historical,
        "rounded": done.rounded,
        "rejected": len(done.rejected),
        "reported": dict(tally.reported),
        "refused": dict(tally.refused),
        "waiting": tally.waiting,
        "exceptions": tally.exceptions,
        "duplicates": tally.duplicates,
        "resumed_after": done.resumed_after,
    }


def of_offers(found: OfferFile, done: Changed) -> dict[str, object]:
    """Return what an import of offers has changed of the catalogue."""
    return {
        "offers": len(found.offers),
        "added": len(done.added) - len(done.changed),
        "changed": len(done.changed),
        "ended": len(done.ended) - len(done.changed),
        "same": done.same,
        "unfilled": found.unfilled,
        "rounded": found.rounded,
        "rejected": len(found.rejected),
    }


def notes_on_offers(found: OfferFile, done: Changed, doubts: Doubts, currency: str, *, is_asked_for: bool) -> Iterator[str]:
    """Yield what a person should look at twice; `is_asked_for` says that offers are to stay which the file does not name."""
    for name, near in doubts.suppliers:
        yield tr("the supplier {name} is new here: is it {near}?", name=name, near=near)
    if doubts.skus:
        named = [f"{sku} ({tr('is it {near}?', near=near)})" if near else sku for sku, near in doubts.skus]
        more = tr(" … and {count} more: --json lists them all", count=len(named) - SHOWN) if len(named) > SHOWN else ""
        yield tr("no order has had these SKUs: {names}", names=", ".join(named[:SHOWN]) + more)
    if found.assumed:
        prices = counted(found.assumed, "price")
        yield tr(
            "{prices} without a currency, taken as {currency} (orders.currency of the policy)", prices=prices, currency=currency
        )
    if found.repeated:
        rows = counted(found.repeated, "row")
        yield tr("{rows} of a product that its supplier has in an earlier row: the best of them counts", rows=rows)
    if done.spared and not is_asked_for:
        yield tr(
            "{offers} that the file does not name stay: rows of it could not be read", offers=counted(done.spared, "offer")
        )


def changes_of_offers(done: Changed) -> Iterator[str]:
    """Yield in a line each what an import has added, changed and ended."""
    changed = done.changed
    new, old = {id(one) for _, one in changed}, {id(one) for one, _ in changed}
    for was, one in changed:
        before, after = _said(was), _said(one)
        parts = [f"{name} {before[name] or '-'} → {after[name] or '-'}" for name in before if before[name] != after[name]]
        yield tr("changed: {offer}: {what}", offer=f"{one.supplier} {one.sku}", what=", ".join(parts))
    for one in done.added:
        if id(one) not in new:
            yield tr("added: {offer}", offer=_offer_in_words(one))
    for kept in done.ended:
        if id(kept.offer) not in old:
            yield tr("ended: {offer}", offer=_offer_in_words(kept.offer))


def _offer_in_words(one: Offer) -> str:
    return " ".join((one.supplier, one.sku, *filter(None, [_said(one)[tr("price")]])))


def _said(one: Offer) -> dict[str, str | None]:
    """Return what an offer says, by the name of the fact."""
    return {
        tr("their sku"): one.supplier_sku,
        tr("price"): show_amount(one.price, one.currency) if one.price is not None and one.currency else None,
        tr("ships in"): one.handling_time,
        tr("rank"): None if one.rank is None else str(one.rank),
        tr("countries"): ", ".join(one.countries) or None,
        tr("shop"): one.shop,
        tr("from"): one.since.isoformat() if one.since else None,
        tr("until"): one.until.isoformat() if one.until else None,
        tr("address"): one.address,
    }


def rejections_json(rejected: Sequence[Rejection], left_out: Sequence[Rejection]) -> dict[str, list[dict[str, object]]]:
    """Return rejected rows, and cells that were left out, as --json prints them."""
    return {
        name: [{"line": one.line, "column": one.column, "order": one.order, "reason": one.reason} for one in some]
        for name, some in (("rejections", rejected), ("left_out", left_out))
    }


def in_words(summary: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the name of each count and the count, in the language of the screens."""
    for name, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items())
        if value or name not in MAY_BE_NOTHING:
            yield tr(LABELS.get(name, name.replace("_", " "))), str(value)
