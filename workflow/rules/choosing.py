"""Which supplier an order turns to next: an alternative of its own, else one of the catalogue (rules 2.3 and 2.20).

What is asked of a choice is asked for each order and not traced: most orders have a choice of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tracing.per_input import per_input
from workflow.case.case import Case, Detail, Line
from workflow.catalogue import Choice, Choose, Chooser, Moment, Preference, Wanted
from workflow.names import folded
from workflow.policy.durations import Duration

if TYPE_CHECKING:
    from workflow.policy.calendars import WorkingCalendar
    from workflow.policy.policy import Policy, Rules


def next_choice(case: Case, rules: Rules, at: datetime) -> Choice:
    """Return the best supplier that has not had its turn and was not passed over, as the catalogue stands at `at`."""
    order, tried = case.order, tried_by(case)
    if rules.chooser is None:
        return _listed(order.alternatives, *tried)
    wants = order.alternatives, order.shop, order.country, order.currency
    preference = preference_of(rules.of(case))
    return _chosen(rules.chooser, preference, *wants, case.lines, case.paid, at, case.steps + 1, *tried)


def tried_by(case: Case) -> list[str | None]:
    """Return who has had a turn at an order, or was passed over by a person."""
    return [one.supplier for one in case.attempts] + [one.passed_over for one in case.decisions]


def next_supplier(case: Case, rules: Rules, at: datetime) -> str | None:
    """Return the name of the supplier that the order turns to next, or None where none is left."""
    return supplier_of(next_choice(case, rules, at)) or None


def of_the_catalogue(case: Case, rules: Rules, at: datetime) -> str | None:
    """Return the name of the supplier that the catalogue gives it next; None for an order with alternatives of its own.

    The history keeps who was not turned to: the catalogue changes, and what an order came with does not.
    """
    return None if rules.chooser is None or case.order.alternatives else next_supplier(case, rules, at)


def preference_of(policy: Policy) -> Preference:
    """Return how the policy chooses among the suppliers of the catalogue."""
    supply = policy.supply
    return Preference(Choose(supply.choose), supply.max_extra_cost, supply.reliable_from)


def wanted_of(case: Case) -> Wanted:
    """Return what of an order decides who can deliver it."""
    return Wanted(case.order.shop, case.order.country, case.order.currency, case.lines)


@per_input
def _listed(alternatives: tuple[str, ...], *tried: str | None) -> Choice:
    return _first_untried(alternatives, tried)


def _first_untried(alternatives: tuple[str, ...], tried: tuple[str | None, ...]) -> Choice:
    gone = [folded(name) for name in tried if name]
    return Choice(next((name for name in alternatives if folded(name) not in gone), ""))


@per_input
def _chosen(
    chooser: Chooser,
    preference: Preference,
    alternatives: tuple[str, ...],
    shop: str,
    country: str | None,
    currency: str,
    lines: tuple[Line, ...],
    paid: int | None,
    at: datetime,
    sequence: int,
    *tried: str | None,
) -> Choice:
    """Return the first alternative that was not tried, of an order that names some; else what the catalogue has."""
    if alternatives:
        return _first_untried(alternatives, tried)
    return chooser.choice(Wanted(shop, country, currency, lines), preference, paid, tried, Moment(at, sequence))


@per_input
def supplier_of(choice: Choice) -> str:
    """Return the name of the supplier; an empty text where none is left."""
    return choice.supplier


@per_input
def _cost(choice: Choice) -> int | None:
    return choice.cost


@per_input
def _text(choice: Choice, name: str) -> str:
    written: str = getattr(choice, name)
    return written


@per_input
def _knows_its_cost(choice: Choice) -> bool:
    return choice.cost is not None


def cost_of(choice: Choice) -> int | None:
    """Return what the order costs there, in minor units of its currency; None where that is not known."""
    return _cost(choice) if _text(choice, "passed_over") and _knows_its_cost(choice) else None


def ships_by(choice: Choice, at: datetime, calendar: WorkingCalendar) -> datetime | None:
    """Return until when it says that it ships what is ordered at `at`; None where the catalogue does not know."""
    times = _text(choice, "ready_in") if _text(choice, "passed_over") else ""
    return _latest(times, at, calendar) if times else None


@per_input
def _latest(times: str, at: datetime, calendar: WorkingCalendar) -> datetime:
    return max(Duration.parse(one).after(at, calendar) for one in times.split(";"))


def passed_over_in_vain(case: Case, rules: Rules, at: datetime) -> Detail:
    """Return who offers some of an order's goods in vain, and why; None where somebody is turned to, or no catalogue asked."""
    choice = next_choice(case, rules, at)
    return None if supplier_of(choice) or not _text(choice, "passed_over") else _text(choice, "passed_over")


def details_of(choice: Choice) -> dict[str, Detail]:
    """Return what the history keeps of a choice of the catalogue: cost, goods, handling times, and who was passed over."""
    times, over = _text(choice, "ready_in"), _text(choice, "passed_over")
    if not over:
        return {}
    return {"cost": cost_of(choice), "goods": _text(choice, "goods"), "ready_in": times or None, "passed_over": over}
