"""Answers of people to steps that wait for a decision (rule 5.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from storage import queries
from storage.database import Database, reading, repeated, writing
from workflow.case.case import Case, Decision
from workflow.decisions import Answer, answer, report_of, ways_of
from workflow.intake import Received
from workflow.policy.policy import Rules
from workflow.step import Step
from workflow.vocabulary import Verdict, Way


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer did: the step, and the order as it is afterwards."""

    step: Step
    case: Case


@dataclass(frozen=True, slots=True)
class Standing:
    """A decision that stands on an order, and how it can be answered."""

    case: Case
    decision: Decision
    ways: Sequence[Way]


@repeated
def decide(
    target: Database | Connection, identity: str, given: Answer, at: datetime, rules: Rules, *, dry_run: bool = False
) -> Answered:
    """Answer the decision that stands on an order, or preview what that does.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        Refused: no decision stands, it is another one than the person was shown, or that way does not exist for it.
        OrderChanged: another writer changed the order meanwhile; nothing was stored.

    """
    with reading(target) if dry_run else writing(target) as connection:
        order_id = queries.resolve_id(connection, identity)
        unit = UnitOfWork(connection, [order_id], at, lock=not dry_run)
        case, order = unit.case(order_id), unit.orders[order_id]
        decision = case.decision
        asked = report_of(case, decision) if decision else None
        made = answer(case, given, at, rules)
        if asked and not (given.way is Way.stay and given.until):
            order.run.received.append(Received(asked, Verdict.applied))
        unit.record(order_id, made, rules)
        after = order.run.case
        if not dry_run:
            unit.commit()
    return Answered(made, after)


def standing(source: Database, identity: str, at: datetime, rules: Rules) -> Standing | None:
    """Return the decision that stands on an order, or None.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with reading(source) as connection:
        case = queries.stored_case(connection, identity, with_chain=True).case
    return standing_of(case, at, rules)


def standing_of(case: Case, at: datetime, rules: Rules) -> Standing | None:
    """Return the decision that stands on a case, or None."""
    return Standing(case, case.decision, ways_of(case, case.decision, at, rules)) if case.decision else None
