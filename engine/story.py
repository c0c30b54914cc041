"""One order's whole story: as it is, or as it was at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from language import tr
from storage import cases, evidence_files, queries
from storage.database import Database
from storage.evidence_files import EvidenceFile
from workflow.case import claims
from workflow.case.case import Attempt, Case, LedgerRow, Order, Parcel, Timer
from workflow.case.history import HistoryRow
from workflow.errors import AftersalesError
from workflow.rules import parcels

if TYPE_CHECKING:
    from workflow.policy.policy import Rules

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """An order with everything that is known of it. Parts of a story `as_of` an instant that are not known are None."""

    order: str
    state: str
    since: datetime | None
    facts: Order
    lines: Sequence[Part]
    attempts: Sequence[Attempt]
    parcels: Sequence[Part]
    ledger: Sequence[LedgerRow]
    claims: Sequence[Part]
    history: Sequence[HistoryRow]
    timers: Sequence[Part] | Sequence[Timer]
    evidence: Sequence[EvidenceFile]
    reports: Sequence[Part] | None = None
    effects: Sequence[Part] | None = None
    messages: Sequence[Part] | None = None
    attention: Sequence[Part] | None = None
    group: Sequence[Part] | None = None
    replacements: Sequence[Part] | None = None
    as_of: datetime | None = None
    exact: bool | None = None
    """Of a story as of an instant: whether every replayed step has the hash that is stored."""


def story(source: Database, identity: str) -> Story:
    """Return an order's story as it is now.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with source.read() as connection:
        key = queries.resolve_id(connection, identity)
        case = cases.load(connection, [key], lock=False)[key].case
        relatives = queries.relatives(connection, key)
        return Story(
            **_of_case(case),
            history=queries.history(connection, key),
            timers=queries.timers(connection, key),
            evidence=evidence_files.of_order(connection, key),
            reports=queries.reports(connection, key),
            effects=queries.effects(connection, key),
            messages=queries.messages(connection, key),
            attention=queries.attention(connection, key),
            group=queries.family(connection, key),
            replacements=[one for one in relatives if one["number"] != case.order.number],
        )


def story_as_of(source: Database, identity: str, at: datetime, rules: Rules, *, by_occurrence: bool = False) -> Story:
    """Return an order's story as it was known at an instant, or (`by_occurrence`) by what had occurred by then (rule 6.5).

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        AftersalesError: the order did not exist, or was not known, at that instant.

    """
    from engine.rebuild import as_known, as_occurred  # the process, which the story as it stands does without

    with source.read() as connection:
        key = queries.resolve_id(connection, identity)
        rebuilt = (as_occurred if by_occurrence else as_known)(connection, key, at, rules)
        evidence = [one for one in evidence_files.of_order(connection, key) if one.added_at <= at]
    if rebuilt is None:
        missing = tr("had not been placed") if by_occurrence else tr("was not known")
        raise AftersalesError(
            tr("that order {missing} at {value}", missing=missing, value=at.isoformat().replace("+00:00", "Z"))
        )
    return Story(
        **_of_case(rebuilt.case),
        history=rebuilt.history,
        timers=rebuilt.case.timers,
        evidence=evidence,
        as_of=at,
        exact=rebuilt.exact,
    )


def _where(parcel: Parcel) -> str:
    """Say where a parcel is, or which one it has turned out to be."""
    return (
        str(parcels.position(parcel.news)) if parcel.same_as is None else tr("it is parcel {same_as}", same_as=parcel.same_as)
    )


def _of_case(case: Case) -> dict[str, Any]:
    lines = [{"number": number, **asdict(one)} for number, one in enumerate(case.lines, 1)]
    sent = [{**asdict(one), "where": _where(one), "last_news": one.news[-1][0] if one.news else None} for one in case.parcels]
    claimed = [{**asdict(one), "pieces": claims.written(case, dict(one.pieces))} for one in case.claims]
    return {
        "order": case.name,
        "state": str(case.state),
        "since": case.since,
        "facts": case.order,
        "lines": lines,
        "attempts": case.attempts,
        "parcels": sent,
        "ledger": case.ledger,
        "claims": claimed,
    }
