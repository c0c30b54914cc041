"""One case as it goes through its reports, and on a virtual clock through its timers too."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from workflow.case.case import Case, Report, Timer, replace_fields
from workflow.intake import Received, judge_asking, receive
from workflow.policy.policy import Rules
from workflow.step import Step, fire
from workflow.vocabulary import TimerStatus


class CaseRun:
    """One case as it goes through its reports, and on a virtual clock through its timers too.

    `on_replacement` is called with every step that asks for a replacement; it returns what is known of new orders then.
    """

    def __init__(self, case: Case, on_replacement: Callable[[Step], Mapping[str, int | None]] | None = None) -> None:
        self.case, self.on_replacement = case, on_replacement
        self.received: list[Received] = []
        self.steps: list[Step] = []

    def mark(self) -> tuple[int, int]:
        """Return how many verdicts and steps there have been."""
        return len(self.received), len(self.steps)

    def since(self, mark: tuple[int, int]) -> tuple[list[Received], list[Step]]:
        """Return the verdicts and steps since a mark."""
        return self.received[mark[0] :], self.steps[mark[1] :]

    def step(self, made: Step) -> None:
        """Take a step that was made outside."""
        self.case = made.case
        self.steps.append(made)
        self._look_at(made)

    def _look_at(self, made: Step) -> None:
        if made.replacement and self.on_replacement:
            self.case = replace_fields(self.case, known={**self.case.known, **self.on_replacement(made)})

    def report(self, reports: Iterable[Report], now: datetime, rules: Rules) -> None:
        """Apply reports at `now`."""
        for report in reports:
            self.case, verdicts = receive(self.case, report, now, rules)
            self._keep(verdicts)
            self.judge_asking(now, rules)

    def judge_asking(self, now: datetime, rules: Rules) -> None:
        """Judge the reports anew that waited for a decision, if none stands any more (rule 5.9)."""
        if self.case.asking:
            self.case, verdicts = judge_asking(self.case, now, rules)
            self._keep(verdicts)

    def _keep(self, verdicts: Iterable[Received]) -> None:
        for received in verdicts:
            self.received.append(received)
            if received.step:
                self.steps.append(received.step)
                self._look_at(received.step)

    def live_through(self, reports: Iterable[Report], until: datetime, rules: Rules) -> None:
        """Apply each report at its own instant, and fire every timer at its own, up to `until` (rule 7.6)."""
        clock = self.case.order.placed_at
        for report in reports:
            at = max(report.at, clock)
            clock = self.fire_until(clock, at, rules, including=False)
            self.report([report], at, rules)
            clock = at
        self.fire_until(clock, until, rules)

    def fire_until(self, clock: datetime, end: datetime, rules: Rules, *, including: bool = True) -> datetime:
        """Fire what is due before `end`, or at it too, each timer at its own instant but not before `clock`.

        Returns when the last one fired. Reports of one instant go before its timers: then `including` is False.
        """
        while timer := _next_timer(self.case):
            at = max(clock, timer.due_at)
            if at > end or (at == end and not including):
                break
            self.step(fire(self.case, timer, at, rules))
            clock = at
        return clock


def _next_timer(case: Case) -> Timer | None:
    pending = (timer for timer in case.timers if timer.status == TimerStatus.pending)
    return min(pending, key=lambda timer: (timer.due_at, timer.number), default=None)
