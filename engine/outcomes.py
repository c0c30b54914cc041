"""What comes in about orders, what becomes of it, and counts over that."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from workflow.case.case import Case, Line, Order, Report
from workflow.intake import Received
from workflow.step import Step
from workflow.values import value_class
from workflow.vocabulary import State, Verdict

MOST_REASONS = 100
"""So many reasons of refusals are counted apart; most files have a handful."""


@value_class(frozen=True, slots=True)
class Arrival:
    """What came in about one order: its facts and lines with the placing report, and other reports, unsorted.

    `given` are the facts that its sender has told; None: all of them. What `adds` to an order does not place it.
    """

    order: Order
    reports: tuple[Report, ...]
    lines: tuple[Line, ...] = ()
    placing: Report | None = None
    line: int = 0
    given: frozenset[str] | None = None
    adds: bool = False
    unsure: frozenset[int] = frozenset()
    """Lines, counted from 0, whose quantity nobody could read."""


@value_class(frozen=True, slots=True)
class Outcome:
    """What became of an arrival, or of an order that was placed because of one. `was` is the state before."""

    arrival: Arrival
    case: Case
    received: Sequence[Received]
    steps: Sequence[Step]
    was: State | None

    @property
    def new(self) -> bool:
        """Whether the order did not exist before."""
        return self.was is None


@dataclass(slots=True)
class Tally:
    """Counts over many outcomes."""

    orders: int = 0
    new: int = 0
    historical: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    why_refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By trigger and reason; the first hundred of them."""
    waiting: int = 0
    """Reports that wait for a person's decision."""
    exceptions: int = 0
    duplicates: int = 0
    held: int = 0
    """Orders that are neither urged nor left until a report of the file can be read."""
    states: Counter[str] = field(default_factory=Counter)
    steps: int = 0

    def add(self, outcome: Outcome, times: int = 1) -> None:
        """Count one outcome, `times` over."""
        self.orders += times
        self.new += outcome.new * times
        self.historical += (outcome.new and outcome.case.historical) * times
        self.steps += len(outcome.steps) * times
        self.states[str(outcome.case.state)] += times
        if outcome.was:
            self.states[str(outcome.was)] -= times
        for made in outcome.steps:
            if made.history.actor == "timer":
                self.fired[made.history.trigger] += times
        for received in outcome.received:
            self._count(received, times)

    def take(self, others: "Tally") -> None:
        """Add the counts of other outcomes."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(others, one.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, one.name, mine + theirs)

    def _count(self, received: Received, times: int) -> None:
        trigger = received.report.trigger
        match received.verdict:
            case Verdict.applied if trigger != "place":
                self.reported[trigger] += times
            case Verdict.refused:
                self.refused[trigger] += times
                why = (trigger, received.error.why if received.error else "")
                if why in self.why_refused or len(self.why_refused) < MOST_REASONS:
                    self.why_refused[why] += times
            case Verdict.waiting:
                self.waiting += times
            case Verdict.exception:
                self.exceptions += times
            case Verdict.duplicate if trigger != "place":
                self.duplicates += times
