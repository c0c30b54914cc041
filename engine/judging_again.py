"""Exceptions judged again: what had no place when it came may have one now (rule 2.14)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from engine.outcomes import Arrival
from engine.reporting import apply
from language import tr
from storage import attention, queries
from storage.database import Database
from workflow.case.case import Report
from workflow.errors import UsageError
from workflow.policy.policy import Rules
from workflow.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class JudgedAgain:
    """What became of an exception; `why` says why it still is one."""

    id: int
    order: str
    trigger: str
    verdict: Verdict
    why: str | None


def judge_again(database: Database, report_ids: Collection[int] | None, now: datetime, rules: Rules) -> list[JudgedAgain]:
    """Judge open exceptions again (None: all), the reports of each order in a transaction of their own.

    Raises:
        UsageError: one of them is not an open exception; nothing was judged.

    """
    with database.read() as connection:
        found = attention.open_exceptions(connection, report_ids)
    missing = {*(report_ids or ())} - {row["id"] for row in found}
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise UsageError(
            tr("no open exception has the number {named}: `aftersales exceptions` lists those that are open", named=named)
        )
    by_order: dict[str, list[Report]] = {}
    for row in found:
        by_order.setdefault(row["order"], []).append(queries.report_of(row))
    wanted = {row["id"] for row in found}
    return [one for name, reports in by_order.items() for one in _judged(database, name, reports, wanted, now, rules)]


def _judged(
    database: Database, name: str, reports: list[Report], wanted: Collection[int], now: datetime, rules: Rules
) -> list[JudgedAgain]:
    with database.write() as connection:
        order = queries.order_of(connection, name)
        (outcome, *_) = apply(connection, [Arrival(order, tuple(reports))], now, rules)
        verdicts = {one.report.id: one for one in outcome.received if one.verdict is not Verdict.duplicate}
        still = ((one.report.id, one.error) for one in outcome.received if one.verdict is Verdict.duplicate)
        attention.give_reasons(connection, {key: error.why for key, error in still if key is not None and error})
        rows = [row for row in queries.reports(connection, queries.resolve_id(connection, name)) if row["id"] in wanted]
    return [
        JudgedAgain(row["id"], name, row["trigger"], Verdict(row["verdict"]), None if row["id"] in verdicts else row["reason"])
        for row in rows
    ]
