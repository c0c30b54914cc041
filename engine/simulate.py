"""Simulation: one scenario on a virtual clock; nothing is stored or sent."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.case_run import CaseRun
from workflow.case.case import Case, Line, Order, Report
from workflow.draft import EffectDraft
from workflow.errors import OrderError
from workflow.policy.policy import Rules
from workflow.step import Step
from workflow.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class Scenario:
    """An order, what is reported of it and when, and over how many days it is watched."""

    order: Order
    reports: tuple[Report, ...] = ()
    lines: tuple[Line, ...] = ()
    days: int = 60


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One moment of a timeline: a step with its effects, or a report that was not taken."""

    order: str
    at: datetime
    trigger: str
    source: str | None
    target: str | None
    by_timer: bool
    effects: tuple[EffectDraft, ...] = ()
    needs_a_person: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What would happen. `cases` are the order and its replacements as they are at the end."""

    moments: tuple[TimelineEntry, ...]
    cases: tuple[Case, ...]
    until: datetime


def simulate(scenario: Scenario, rules: Rules) -> Timeline:
    """Live through a scenario; its replacements live on with clocks of their own."""
    order = scenario.order
    until = order.placed_at + timedelta(days=scenario.days)
    place = Report("place", order.placed_at, "scenario", "place", "scenario")
    reports = sorted((one for one in scenario.reports if one.at <= until), key=lambda report: report.at)
    waiting = [(CaseRun(Case(order, lines=scenario.lines, salt="scenario")), [place, *reports])]
    moments, cases = list[TimelineEntry](), list[Case]()
    while waiting:
        run, told = waiting.pop(0)
        run.live_through(told, until, rules.without_asking())
        moments += [_step(run.case.name, made) for made in run.steps]
        moments += [
            _refused(run.case.name, one.report, one.error) for one in run.received if one.verdict is not Verdict.applied
        ]
        cases.append(run.case)
        for made in run.steps:
            if made.replacement:
                placed = Report("place", made.history.occurred, "scenario", "place", "scenario")
                new = replace(made.replacement.order, placed_at=made.history.occurred)
                waiting.append((CaseRun(Case(new, lines=made.replacement.lines, salt="scenario")), [placed]))
    moments.sort(key=lambda moment: moment.at)
    return Timeline(tuple(moments), tuple(cases), until)


def _step(name: str, made: Step) -> TimelineEntry:
    row = made.history
    source = str(row.source) if row.source else None
    return TimelineEntry(
        name, row.occurred, row.trigger, source, str(row.target), row.actor == "timer", made.effects, made.flags
    )


def _refused(name: str, report: Report, error: OrderError | None) -> TimelineEntry:
    return TimelineEntry(name, report.at, report.trigger, None, None, by_timer=False, refused=error.why if error else "")
