"""The orders of a database as a file finds them that adds to orders."""

from collections.abc import Collection, Mapping, Sequence

from inbound.order_rows import Known
from storage import imports, known_orders, queries
from storage.cases import Identity
from storage.database import Database


class StoredOrders:
    """Looks up orders that are stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def numbered(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return the orders that are known by shop and number, one each."""
        with self._database.read() as connection:
            return {name: [Known(order)] for name, order in known_orders.numbered(connection, names).items()}

    def shops(self) -> list[str]:
        """Return the names of all shops."""
        with self._database.read() as connection:
            return queries.shops(connection)

    def marked(self, names: Collection[Identity]) -> Mapping[Identity, str]:
        """Return the digests of the rows that orders have come in last, if nothing has happened to them since."""
        with self._database.read() as connection:
            return imports.marked(connection, names)

    def of_parcels(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return the orders that have a parcel with one of these tracking numbers; the shops of the names are empty."""
        with self._database.read() as connection:
            found = known_orders.of_parcels(connection, [number for _, number in names])
        return {("", number): [Known(*one) for one in orders] for number, orders in found.items()}
