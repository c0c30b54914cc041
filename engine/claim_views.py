"""Claims of one order as screens see them: with their files, and what a remedy would come to."""

from collections.abc import Sequence
from dataclasses import dataclass

from language import tr
from storage import evidence_files, queries
from storage.database import Database
from storage.evidence_files import EvidenceFile as EvidenceFile
from workflow.arguments import argument
from workflow.case import claims
from workflow.case.case import Case, Claim
from workflow.errors import AftersalesError, UsageError


@dataclass(frozen=True, slots=True)
class OrderClaims:
    """An order's case with the files of its claims."""

    case: Case
    files: Sequence[EvidenceFile]


@dataclass(frozen=True, slots=True)
class ClaimPreview:
    """What the remedies of an open claim would come to. Sums are in minor units, None where they are not known."""

    case: Case
    claim: Claim
    worth: int | None
    refund_asks_for: int | None
    may_still_come_back: int | None
    replacement_possible: bool
    left_to_claim: str


def claims_of(database: Database, identity: str) -> OrderClaims:
    """Return the claims of an order.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        AftersalesError: the order has no claims.

    """
    with database.read() as connection:
        stored = queries.stored_case(connection, identity)
        files = evidence_files.of_order(connection, stored.order_id)
    if not stored.case.claims:
        name = stored.case.name
        raise AftersalesError(
            tr("order {name} has no claims: aftersales report {name_2} open_claim --kind …", name=name, name_2=argument(name))
        )
    return OrderClaims(stored.case, files)


def preview_remedies(database: Database, identity: str) -> ClaimPreview:
    """Return what a refund of the open claim would ask for, and whether a replacement is possible (rules 8.6 and 8.7).

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        AftersalesError: the order has no open claim.

    """
    with database.read() as connection:
        case = queries.stored_case(connection, identity, with_chain=True).case
    claim = case.claim
    if claim is None:
        raise AftersalesError(
            tr(
                "order {name} has no open claim: aftersales report {name_2} open_claim --kind …",
                name=case.name,
                name_2=argument(case.name),
            )
        )
    return ClaimPreview(
        case=case,
        claim=claim,
        worth=claims.worth(case, dict(claim.pieces)),
        refund_asks_for=claims.to_ask_for(case, claim),
        may_still_come_back=claims.unsettled(case),
        replacement_possible=case.order.generation < claims.MOST_GENERATIONS,
        left_to_claim=claims.written(case, claims.left(case)),
    )


def file_of(database: Database, identity: str, digest: str) -> EvidenceFile:
    """Return the file of an order's claims whose digest begins with `digest`.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        UsageError: no file, or several, begin with it.
        AftersalesError: it was erased.

    """
    with database.read() as connection:
        files = evidence_files.of_order(connection, queries.resolve_id(connection, identity))
    found = {one.sha256: one for one in files if digest and one.sha256.startswith(digest.lower())}
    if len(found) != 1:
        many = tr("several files begin") if found else tr("no file of that order begins")
        raise UsageError(
            tr(
                "{many} with {digest!r}: `aftersales claims show {identity}` lists them",
                many=many,
                digest=digest[:64],
                identity=identity,
            )
        )
    (one,) = found.values()
    if one.erased_at:
        raise AftersalesError(tr("that file was erased with its buyer"))
    return one
