"""One order's timeline: what happened, in the order in which it occurred, with what came late marked."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage import queries
from storage.database import Database
from workflow.case.history import HistoryRow, taken_back
from workflow.vocabulary import Verdict

LATE = timedelta(minutes=1)
"""A clock that fires so long after it was due was late: the program did not run, or was busy."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of an order, or (without `target`) a report that made none.

    `late_by` is how long after its due instant a clock fired, None where it was in time. `out_of_order` says that
    something which occurred later had been recorded before. `left` are the effects of the step with their statuses.
    """

    at: datetime
    trigger: str
    source: str | None
    target: str | None
    actor: str
    recorded: datetime
    verdict: str
    reason: str | None
    late_by: timedelta | None = None
    out_of_order: bool = False
    left: tuple[tuple[str, str], ...] = ()


def timeline(database: Database, identity: str) -> tuple[str, list[Moment]]:
    """Return an order's name and what happened to it, by the instant at which it occurred; of one instant as it was recorded.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with database.read() as connection:
        key = queries.resolve_id(connection, identity)
        name = queries.order_of(connection, identity).name
        steps, reports = queries.history(connection, key), queries.reports(connection, key)
        left = defaultdict[int, list[tuple[str, str]]](list)
        for one in reversed(queries.effects(connection, key)):
            left[one["sequence"]].append((one["kind"], one["status"]))
    moments = [*_steps(steps, left)]
    moments += [
        Moment(
            one["occurred"],
            one["trigger"],
            None,
            None,
            one["actor"],
            one["received"],
            str(one["verdict"]),
            one["reason"],
        )
        for one in reports
        if one["verdict"] in (Verdict.refused, Verdict.exception, Verdict.waiting)
    ]
    return name, sorted(moments, key=lambda one: one.at)


def _steps(steps: Sequence[HistoryRow], left: dict[int, list[tuple[str, str]]]) -> Iterator[Moment]:
    gone, latest = taken_back(steps), None
    for row in steps:
        late_by = row.occurred - row.due if row.due and row.actor == "timer" else timedelta(0)  # else a person decided so
        yield Moment(
            at=row.occurred,
            trigger=row.trigger,
            source=str(row.source) if row.source else None,
            target=str(row.target),
            actor=row.actor,
            recorded=row.recorded,
            verdict=str(Verdict.undone if row.sequence in gone else Verdict.applied),
            reason=row.reason,
            late_by=late_by if late_by >= LATE else None,
            out_of_order=latest is not None and row.occurred < latest,
            left=tuple(left[row.sequence]),
        )
        latest = row.occurred if latest is None else max(latest, row.occurred)
