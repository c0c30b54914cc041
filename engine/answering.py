"""Answers of people to steps that wait for a decision (rule 5.9)."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from engine.unit_of_work import UnitOfWork
from engine.views import Filter, Page, Source, filled
from language import tr
from storage import lists, queries
from storage.database import Database, reading, repeated, writing
from workflow.case.case import Case, Details
from workflow.case.money import show_amount
from workflow.decisions import Answer, Shown, Standing, answer, asked_for, differs, done_by, standing_on
from workflow.errors import Refused
from workflow.intake import Received
from workflow.policy.policy import Rules
from workflow.step import Step
from workflow.vocabulary import State, Verdict, Way


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer did, or would do: the step, and the order as it is afterwards.

    `changed` says how it differs from what was asked, where the catalogue has changed since; None where it does not.
    """

    step: Step
    case: Case
    changed: str | None = None


@dataclass(frozen=True)
class DecisionSummary:
    """A decision in a list.

    `would` are the effects of its step, `next` is the supplier that it orders from, `cost` what the order costs there and
    `amount` the sum that it requests, both in minor units, and `ends` is when the time is over that the platform gives for it.
    """

    order: str
    number: int
    trigger: str
    state: State
    since: datetime
    sleeps_until: datetime | None
    would: tuple[str, ...]
    next: str | None
    cost: int | None
    amount: int | None
    currency: str
    ends: datetime | None


@repeated
def decide(
    target: Database | Connection, identity: str, given: Answer, at: datetime, rules: Rules, *, dry_run: bool = False
) -> Answered:
    """Answer the decision that stands on an order, or preview what that does.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.
        Refused: no decision stands, it is another one than the person was shown, that way does not exist for it, or it would
            do something else by now.
        OrderChanged: another writer changed the order meanwhile; nothing was stored.

    """
    with reading(target) if dry_run else writing(target) as connection:
        order_id = queries.resolve_id(connection, identity)
        unit = UnitOfWork(connection, [order_id], at, lock=not dry_run)
        case, order = unit.case(order_id), unit.orders[order_id]
        made = answer(case, given, at, rules)
        asked = _asked(connection, order_id, case.decision.number) if rules.chooser and case.decision else None
        if asked is not None and (changed := _what_differs(given, made, asked)):
            why = tr("{changed}; look at it again, or say --anyway", changed=changed)
            raise Refused(case.name, case.state, tr("decide {way}", way=given.way), why)
        changed = None if asked is None else _what_differs(replace(given, shown=None, anyway=False), made, asked)
        answered = (report for report in case.asking if report not in made.case.asking)
        order.run.received += [Received(report, Verdict.applied) for report in answered]
        unit.record(order_id, made, rules)
        after = order.run.case
        if not dry_run:
            unit.commit()
    return Answered(made, after, changed)


def _asked(connection: Connection, order_id: int, number: int) -> Details:
    """Return what was noted when a decision was asked for."""
    steps = queries.history(connection, order_id)
    return next((row.details for row in reversed(steps) if row.trigger == "ask" and row.details.get("decision") == number), {})


def _what_differs(given: Answer, made: Step, asked: Details) -> str | None:
    """Say what an answer would do otherwise than the person was shown, or than was asked; None where it does not."""
    if not differs(given, made, asked):
        return None
    done, before = done_by(made), given.shown or asked_for(asked)
    currency, passed_over = made.case.order.currency, made.case.decisions[-1].passed_over
    now = tr("it would order from {what}", what=_at_which_cost(done, currency))
    then = _at_which_cost(before, currency)
    if done.supplier is None:
        now = tr("nobody is left to order from, and the money would be asked for")
    elif given.way is Way.next:
        now, then = tr("it would pass over {name}", name=passed_over), str(before.supplier)
    if before.supplier is None:
        then = tr("the money would be asked for")
    return tr("the catalogue has changed: {now} (before: {then})", now=now, then=then)


def _at_which_cost(shown: Shown, currency: str) -> str:
    cost = show_amount(shown.cost, currency) if shown.cost is not None else tr("an unknown sum")
    return tr("{supplier} for {cost}", supplier=shown.supplier, cost=cost)


def standing(source: Database, identity: str, at: datetime, rules: Rules) -> Standing | None:
    """Return the decision that stands on an order, or None.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with reading(source) as connection:
        return standing_on(queries.stored_case(connection, identity, with_chain=True).case, at, rules)


def list_decisions(
    source: Source, wanted: Filter, limit: int, after: str | None, at: datetime, rules: Rules
) -> Page[DecisionSummary]:
    """List the decisions that stand, those that have stood longest first, with what their steps would do at `at`.

    Raises:
        UsageError: `after` is not a cursor of this list, or no order has a shop or supplier that is named.

    """
    with reading(source) as connection:
        found = lists.decisions(connection, wanted, limit, after)
        if not found.rows:
            lists.refuse_unknown_names(connection, wanted.shops, wanted.suppliers)
        unit = UnitOfWork(connection, {row["order_id"] for row in found.rows}, at, lock=False)
        shown = []
        for row in found.rows:
            stands = standing_on(unit.case(row["order_id"]), at, rules)
            assert stands is not None, "the list and the order are read in one view"
            told = {name: getattr(stands, name) for name in ("would", "next", "cost", "amount", "ends")}
            shown.append(filled(DecisionSummary, {**row, **told, "currency": stands.case.order.currency}))
    return Page(shown, found.next)


def yes_in_words(of: DecisionSummary | Standing, currency: str) -> str:
    """Say what `yes` does; of a step that cannot be taken any more nothing."""
    said = []
    if "place_supply" in of.would:
        cost = "" if of.cost is None else tr(" for {cost}", cost=show_amount(of.cost, currency))
        said.append(tr("order from {next}{cost}", next=of.next, cost=cost) if of.next else tr("order from the next supplier"))
    if "request_refund" in of.would:
        unknown = "" if of.amount is not None else tr(", whose sum is not known: say what was paid with `amend --paid` before")
        said.append(tr("request the money{unknown}", unknown=unknown))
    if "place_reissue" in of.would:
        said.append(tr("have the replacement placed"))
    return "; ".join(said)
