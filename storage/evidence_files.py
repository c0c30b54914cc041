"""What is known of the photos and videos of claims; the files themselves are kept elsewhere, under their digests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from language import tr
from storage.chunks import chunked
from storage.tables import EvidenceRow, OrderRow, table_of


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of a claim: what it is, and when and by whom it was added. `elsewhere` names other claims that have it too."""

    claim: int
    sha256: str
    name: str | None
    kind: str
    bytes: int
    width: int | None
    height: int | None
    shown: str
    added_at: datetime
    added_by: str
    erased_at: datetime | None = None
    elsewhere: tuple[str, ...] = ()


def of_nobody(connection: Connection, digests: Iterable[str]) -> list[str]:
    """Return which of these files no claim has."""
    wanted = set(digests)
    return sorted(wanted - set(_elsewhere(connection, wanted)))


def kept_digests(connection: Connection) -> set[str]:
    """Return the digests of all files that a claim has and that are not erased."""
    e = table_of(EvidenceRow)
    return set(connection.execute(select(e.c.sha256).where(e.c.erased_at.is_(None)).distinct()).scalars())


def add(connection: Connection, order_id: int, files: Sequence[EvidenceFile]) -> int:
    """Write down files of a claim; one that it has already is passed over. Return how many were new."""
    e = table_of(EvidenceRow)
    have = {
        (claim, sha256) for claim, sha256 in connection.execute(select(e.c.claim, e.c.sha256).where(e.c.order_id == order_id))
    }
    new = {(one.claim, one.sha256): one for one in files if (one.claim, one.sha256) not in have}
    rows = [{"order_id": order_id, **{name: getattr(one, name) for name in _COLUMNS}} for one in new.values()]
    if rows:
        connection.execute(insert(e), rows)
    return len(rows)


def count(connection: Connection, order_id: int, claim: int) -> int:
    """Return how many files a claim has."""
    query = select(func.count()).where(col(EvidenceRow.order_id) == order_id, col(EvidenceRow.claim) == claim)
    return connection.execute(query).scalar() or 0


def of_order(connection: Connection, order_id: int) -> list[EvidenceFile]:
    """Return the files of an order's claims, each with the other claims that have the same one."""
    e = table_of(EvidenceRow)
    rows = connection.execute(
        select(e).where(e.c.order_id == order_id).order_by(e.c.claim, e.c.added_at, e.c.sha256)
    ).mappings()
    found = [dict(row) for row in rows]
    others = _elsewhere(connection, {row["sha256"] for row in found})
    kept = []
    for row in found:
        seen = () if row["erased_at"] else others.get(row["sha256"], ())
        places = [location for key, claim, location in seen if (key, claim) != (order_id, row["claim"])]
        kept.append(EvidenceFile(**{name: row[name] for name in _COLUMNS}, elsewhere=tuple(places)))
    return kept


def of_claims(connection: Connection, order_ids: Iterable[int]) -> dict[tuple[int, int], list[EvidenceFile]]:
    """Return the files of claims that are not erased, by order and claim, in the order in which they were added."""
    e, found = table_of(EvidenceRow), dict[tuple[int, int], list[EvidenceFile]]()
    for some in chunked(order_ids):
        query = select(e).where(e.c.order_id.in_(some), e.c.erased_at.is_(None))
        for row in connection.execute(query.order_by(e.c.order_id, e.c.claim, e.c.added_at, e.c.sha256)).mappings():
            one = EvidenceFile(**{name: row[name] for name in _COLUMNS})
            found.setdefault((row["order_id"], row["claim"]), []).append(one)
    return found


def only_of(connection: Connection, order_ids: Iterable[int]) -> list[str]:
    """Return the digests of the files that no other order's claim has."""
    mine = set(order_ids)
    e = table_of(EvidenceRow)
    digests: set[str] = set()
    for some in chunked(mine):
        digests |= {sha256 for (sha256,) in connection.execute(select(e.c.sha256).where(e.c.order_id.in_(some)))}
    shared = {
        sha256 for sha256, places in _elsewhere(connection, digests).items() if any(key not in mine for key, _, _ in places)
    }
    return sorted(digests - shared)


def forget_names(connection: Connection, order_ids: Iterable[int], at: datetime) -> int:
    """Take the names off the files of orders whose buyer is erased; return how many files those are."""
    forgotten = 0
    for some in chunked(order_ids):
        this = col(EvidenceRow.order_id).in_(some) & col(EvidenceRow.erased_at).is_(None)
        forgotten += connection.execute(update(EvidenceRow).where(this).values(name=None, erased_at=at)).rowcount
    return forgotten


def _elsewhere(connection: Connection, digests: Iterable[str]) -> dict[str, list[tuple[int, int, str]]]:
    """Return which claims have which files: order row, claim, and both in words."""
    e, o = table_of(EvidenceRow), table_of(OrderRow)
    columns: Any = (e.c.sha256, e.c.order_id, e.c.claim, o.c.shop, o.c.number)
    found: dict[str, list[tuple[int, int, str]]] = {}
    for some in chunked(digests):
        query = select(*columns).join(o, o.c.id == e.c.order_id).where(e.c.sha256.in_(some), e.c.erased_at.is_(None))
        for sha256, key, claim, shop, number in connection.execute(query.order_by(e.c.order_id, e.c.claim)):
            found.setdefault(sha256, []).append(
                (key, claim, tr("claim {claim} of {shop}/{number}", claim=claim, shop=shop, number=number))
            )
    return found


_COLUMNS = tuple(name for name in EvidenceFile.__dataclass_fields__ if name != "elsewhere")
