"""The products of orders: of those that are not shipped, and of all."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from storage import queries
from storage.prepared import as_texts
from storage.tables import LineRow, OfferRow, OrderRow, table_of
from workflow.process import UNSHIPPED


@dataclass(frozen=True, slots=True)
class UnshippedOrder:
    """An order that is not shipped and names no alternatives: the catalogue is asked for it."""

    id: int
    name: str
    shop: str
    currency: str
    products: tuple[tuple[str, str], ...]
    """SKU and title of each line."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product that was ordered: in how many lines, and in which currency last."""

    sku: str
    title: str
    lines: int
    currency: str


def unshipped(connection: Connection) -> Iterator[UnshippedOrder]:
    """Yield the orders that are not shipped and name no alternatives of their own."""
    o, n = table_of(OrderRow), table_of(LineRow)
    columns = (o.c.id, o.c.shop, o.c.number, o.c.currency, o.c.alternatives, n.c.sku, n.c.title)
    query = select(*columns).outerjoin(n, n.c.order_id == o.c.id).where(o.c.state.in_(UNSHIPPED)).order_by(o.c.id, n.c.number)
    last: UnshippedOrder | None = None
    for key, shop, number, currency, alternatives, sku, title in connection.execute(query):
        if as_texts(alternatives):
            continue
        products = ((sku, title),) if sku is not None else ()
        if last is not None and last.id == key:
            products = (*last.products, *products)
        elif last is not None:
            yield last
        last = UnshippedOrder(key, f"{shop}/{number}", shop, currency, products)
    if last is not None:
        yield last


def ordered(connection: Connection) -> list[Product]:
    """Return every product that has an SKU, those that were ordered most first."""
    o, n = table_of(OrderRow), table_of(LineRow)
    columns = (n.c.sku, func.max(n.c.title), func.count(), func.max(o.c.currency))
    query = select(*columns).join(o, o.c.id == n.c.order_id).where(n.c.sku != "").group_by(n.c.sku)
    return [Product(*row) for row in connection.execute(query.order_by(func.count().desc(), n.c.sku))]


def suppliers(connection: Connection) -> list[str]:
    """Return the names of all suppliers that orders or the catalogue name."""
    o = table_of(OfferRow)
    named = select(o.c.supplier).where(o.c.ended_in.is_(None)).distinct()
    return [*dict.fromkeys([*queries.suppliers(connection), *connection.execute(named).scalars()])]
