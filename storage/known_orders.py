"""Orders looked up by what foreign files call them: shop and number, or the number of a parcel."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, select

from storage import cases
from storage.case_mapper import read_order
from storage.cases import Identity
from storage.chunks import chunked
from storage.tables import OrderRow, ParcelRow, table_of
from workflow.case.case import Order
from workflow.process import FINAL_STATES


def numbered(connection: Connection, names: Collection[Identity]) -> dict[Identity, Order]:
    """Return the orders that are known, by shop and number."""
    o = table_of(OrderRow)
    found = dict[Identity, Order]()
    for some in chunked(cases.find(connection, names).values()):
        for row in connection.execute(select(o).where(o.c.id.in_(some))).mappings():
            order = read_order(row)
            found[order.shop, order.number] = order
    return found


def of_parcels(connection: Connection, tracking_numbers: Collection[str]) -> dict[str, Sequence[tuple[Order, str]]]:
    """Return the orders that have a parcel with one of these numbers, in whatever case it is written, and that as it is kept.

    A parcel may hold the goods of several orders. Carriers use numbers again: where one of the orders runs, those that have
    ended are left out.
    """
    o, p = table_of(OrderRow), table_of(ParcelRow)
    written = defaultdict[str, list[str]](list)
    for number in tracking_numbers:
        for way in {number, number.upper(), number.lower()}:
            written[way].append(number)
    rows = defaultdict[str, dict[int, RowMapping]](dict)
    for some in chunked(written):
        query = select(o, p.c.tracking_number.label("parcel")).join(p, p.c.order_id == o.c.id)
        for row in connection.execute(query.where(p.c.tracking_number.in_(some)).order_by(o.c.id)).mappings():
            for number in written[row["parcel"]]:
                rows[number][row["id"]] = row
    return {number: _running_first(list(found.values())) for number, found in rows.items()}


def _running_first(rows: Sequence[RowMapping]) -> list[tuple[Order, str]]:
    running = [row for row in rows if row["state"] not in FINAL_STATES]
    return [(read_order(row), row["parcel"]) for row in running or rows]
