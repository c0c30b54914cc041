"""An order that comes again, held against what is known of it (rule 7.8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from language import tr
from workflow.case.case import PERSONAL, Case, Detail, Line, Order, Report, replace_fields
from workflow.case.facts import FACTS, as_detail
from workflow.case.money import show_amount
from workflow.process import UNSHIPPED
from workflow.vocabulary import State

SUMS = ("paid", "sale", "price")
AS_TOLD = (*PERSONAL, "merchant_email", "language", "group", "country", "alternatives")
"""Facts that change as they are told; the others are only filled in where they were not known."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What an order that comes again tells otherwise, and only a person may change."""

    name: str
    was: str
    told: str


@dataclass(frozen=True, slots=True)
class Differences:
    """What an order that comes again changes: facts by name, all lines if they change, and the promised ship date.

    While the order is being stopped no promise can be reported: the first supplier's ship date is a fact like others then.
    """

    facts: dict[str, Detail]
    lines: tuple[Line, ...] | None
    ship_by: datetime | None
    contradictions: tuple[Contradiction, ...]


def differences(
    case: Case,
    told: Order,
    lines: Sequence[Line],
    given: Collection[str] | None,
    *,
    erased: bool,
    unsure: Collection[int] = (),
) -> Differences:
    """Return what a told order changes.

    `given` are the facts that its sender has told (None: all): a default of the policy contradicts nothing. What is told of a
    buyer who was `erased`, and of the lines of their order, is not taken again. Sums in another currency are not compared, nor
    are the quantities of lines that are `unsure`, counted from 0.
    """
    facts: dict[str, Detail] = {}
    contradictions: list[Contradiction] = []
    other_money = told.currency != case.order.currency
    for name in FACTS:
        was, now = getattr(case.order, name), getattr(told, name)
        if name == "ship_by" or now in (None, (), was) or (given is not None and name not in given):
            continue
        if (erased and name in PERSONAL) or (other_money and name in SUMS):
            continue
        if name == "supplier" and now in [one.supplier for one in case.attempts]:
            continue
        if was in (None, ()) or name in AS_TOLD:
            facts[name] = as_detail(now)
        else:
            contradictions.append(Contradiction(name, *(_shown(case, name, one) for one in (was, now))))
    promised = _promised(case, told)
    if promised is not None and case.state is State.intercepting:
        if case.current == 1:
            facts["ship_by"] = as_detail(promised)
        promised = None
    merged = None
    if not erased and not other_money and lines and (*lines,) != case.lines:
        merged = _Lines(case, contradictions).with_those(lines, unsure)
    return Differences(facts, merged, promised, tuple(contradictions))


def contradicted(report: Report) -> tuple[str, Detail]:
    """Return which fact a kept contradiction is about, and what was told."""
    return next((name, value) for name, value in report.fields.items() if name != "was")


def is_as_told(case: Case, report: Report) -> bool:
    """Say whether a contradiction that was kept is none any more: a person has amended the fact."""
    if "was" not in report.fields:
        return False
    name, told = contradicted(report)
    return name in FACTS and _shown(case, name, getattr(case.order, name)) == told


def _promised(case: Case, told: Order) -> datetime | None:
    """Return the ship date that is promised of the current attempt, if it is later than the one that is known."""
    attempt, ship_by = case.attempt, told.ship_by
    theirs = [one for one in case.attempts if told.supplier in (None, one.supplier)]
    whose = theirs[0] if theirs else None
    goes_on_in = case.returns_to if case.state is State.intercepting else case.state
    if ship_by is None or whose is not attempt or goes_on_in not in UNSHIPPED:
        return None
    return ship_by if attempt.ship_by is None or ship_by > attempt.ship_by else None


class _Lines:
    """The lines of an order as more of them become known; while something is claimed, no line and no piece comes in."""

    def __init__(self, case: Case, contradictions: list[Contradiction]) -> None:
        self._case, self._contradictions = case, contradictions
        self._lines = [*case.lines]

    def with_those(self, told: Sequence[Line], unsure: Collection[int]) -> tuple[Line, ...] | None:
        """Return all lines with what is new of those that are told; None: nothing is."""
        known = {name: at for at, name in enumerate(_names(self._lines))}
        for number, (name, line) in enumerate(zip(_names(told), told, strict=True)):
            if name in known:
                was = self._lines[known[name]].quantity
                self._compare(known[name], replace_fields(line, quantity=was) if number in unsure else line)
            elif self._case.claims:
                self._contradict(
                    "lines", tr("without {name!r}", name=name[0]), tr("with {name!r}, while something is claimed", name=name[0])
                )
            else:
                self._lines.append(line)
        return tuple(self._lines) if (*self._lines,) != self._case.lines else None

    def _compare(self, at: int, line: Line) -> None:
        was = self._lines[at]
        more: dict[str, Any] = {"title": line.title} if line.title and not was.title else {}
        if line.quantity > was.quantity and not self._case.claims:
            more["quantity"] = line.quantity
        elif line.quantity != was.quantity:
            self._contradict(tr("quantity of line {at}", at=at + 1), str(was.quantity), str(line.quantity))
        for name in ("price", "sale"):
            known, told = getattr(was, name), getattr(line, name)
            if known is None and told is not None:
                more[name] = told
            elif told not in (None, known):
                self._contradict(
                    tr("{name} of line {at}", name=name, at=at + 1), *(_shown(self._case, name, one) for one in (known, told))
                )
        if more:
            self._lines[at] = replace_fields(was, **more)

    def _contradict(self, name: str, was: str, told: str) -> None:
        self._contradictions.append(Contradiction(name, was, told))


def _names(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    """Yield what identifies each line: its SKU, else its title, and its number among the lines of that name."""
    seen = Counter[str]()
    for line in lines:
        name = line.sku or line.title
        seen[name] += 1
        yield name, seen[name]


def _shown(case: Case, name: str, value: object) -> str:
    return show_amount(int(str(value)), case.order.currency) if name in SUMS else str(as_detail(value))
