"""The catalogue as it is kept: offers that were added and ended by its versions."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, or_, select, update

from storage import locks
from storage.chunks import chunked
from storage.locks import Lock
from storage.tables import CatalogueRow, OfferRow, table_of
from workflow.case.canonical import kept_json
from workflow.catalogue import Offer
from workflow.names import folded

_FIELDS = tuple(Offer.__dataclass_fields__)
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class KeptOffer:
    """An offer that counts, with its number."""

    id: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class Change:
    """A version of the catalogue: which file or step made it, and how many offers it has added and ended."""

    version: int
    file: str
    by: str
    since: datetime
    added: int
    ended: int
    undoes: int | None = None


def version(connection: Connection) -> int:
    """Return the version of the catalogue; 0: there is none."""
    return connection.execute(select(func.max(table_of(CatalogueRow).c.version))).scalar() or 0


def changes(connection: Connection) -> list[Change]:
    """Return the versions of the catalogue, the last first."""
    c = table_of(CatalogueRow)
    return [Change(**row) for row in connection.execute(select(c).order_by(c.c.version.desc())).mappings()]


def of_products(connection: Connection, skus: Collection[str], version: int) -> list[Offer]:
    """Return the offers of products by our SKUs as of a version, those to come and those whose time is over too."""
    o = table_of(OfferRow)
    found = []
    for some in chunked(skus):
        query = select(o).where(o.c.sku.in_(some), _as_of(version)).order_by(o.c.id)
        found += [_offer(row) for row in connection.execute(query).mappings()]
    return found


def _as_of(version: int) -> ColumnElement[bool]:
    o = table_of(OfferRow)
    return (o.c.added_in <= version) & or_(o.c.ended_in.is_(None), o.c.ended_in > version)


def all_offers(connection: Connection, version: int | None = None) -> list[KeptOffer]:
    """Return every offer that was not ended by a version (None: the last)."""
    o = table_of(OfferRow)
    counts = o.c.ended_in.is_(None) if version is None else _as_of(version)
    rows = connection.execute(select(o).where(counts).order_by(o.c.id)).mappings()
    return [KeptOffer(row["id"], _offer(row)) for row in rows]


def count(connection: Connection) -> int:
    """Return how many offers were not ended."""
    o = table_of(OfferRow)
    return connection.execute(select(func.count()).where(o.c.ended_in.is_(None))).scalar() or 0


def of_suppliers(connection: Connection, suppliers: Iterable[str]) -> list[KeptOffer]:
    """Return the offers of suppliers, however their names are written, that were not ended."""
    wanted = {folded(name) for name in suppliers}
    o = table_of(OfferRow)
    written = connection.execute(select(o.c.supplier).where(o.c.ended_in.is_(None)).distinct()).scalars()
    found = []
    for some in chunked(name for name in written if folded(name) in wanted):
        query = select(o).where(o.c.supplier.in_(some), o.c.ended_in.is_(None)).order_by(o.c.id)
        found += [KeptOffer(row["id"], _offer(row)) for row in connection.execute(query).mappings()]
    return found


def change(connection: Connection, added: Sequence[Offer], ended: Sequence[int], file: str, by: str, at: datetime) -> int:
    """Store a new version of the catalogue, and return its number."""
    number = _next_version(connection, file, by, at, added=len(added), ended=len(ended))
    for some in chunked(ended):
        connection.execute(update(OfferRow).where(table_of(OfferRow).c.id.in_(some)).values(ended_in=number))
    rows = [{**vars(one), "countries": kept_json(list(one.countries)), "added_in": number} for one in added]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(insert(OfferRow), rows[start : start + ROWS_AT_ONCE])
    return number


def take_back(connection: Connection, undone: Change, by: str, at: datetime) -> int:
    """Store a new version without what another has changed, and return its number."""
    o = table_of(OfferRow)
    theirs = (o.c.added_in == undone.version) & o.c.ended_in.is_(None)
    ended = connection.execute(select(func.count()).where(theirs)).scalar() or 0
    number = _next_version(connection, undone.file, by, at, added=undone.ended, ended=ended, undoes=undone.version)
    connection.execute(update(OfferRow).where(theirs).values(ended_in=number))
    connection.execute(update(OfferRow).where(o.c.ended_in == undone.version).values(ended_in=None))
    return number


def _next_version(
    connection: Connection, file: str, by: str, at: datetime, *, added: int, ended: int, undoes: int | None = None
) -> int:
    number = version(connection) + 1
    made = {"version": number, "file": file, "by": by, "since": at, "added": added, "ended": ended, "undoes": undoes}
    connection.execute(insert(CatalogueRow), [made])
    return number


def lock(connection: Connection) -> None:
    """Let nobody else change the catalogue until the transaction ends."""
    locks.take(connection, Lock.catalogue)


def _offer(row: RowMapping) -> Offer:
    fields = {name: row[name] for name in _FIELDS}
    return Offer(**{**fields, "countries": tuple(json.loads(fields["countries"]))})
