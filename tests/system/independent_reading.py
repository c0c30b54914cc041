"""A second, deliberately plain reading of the rules that the real orders touch, to hold the engine against.

It shares no code with the engine but the working-day calendar, which has an oracle of its own.
"""

from collections import Counter
from datetime import datetime, timedelta

from workflow.policy.calendars import WorkingCalendar

DAY = timedelta(days=1)
CALENDAR = WorkingCalendar()
UNSHIPPED = ("placed", "overdue_urged", "rerouted")


class Reading:
    def __init__(self, placed_at: datetime, alternatives: int, domestic: bool) -> None:
        self.state, self.now, self.left, self.domestic = "placed", placed_at, alternatives, domestic
        self.due: dict[str, datetime] = {"urge": placed_at + 2 * DAY}
        self.recoveries: list[list[datetime]] = []
        self.base = placed_at
        self.back, self.cancelled, self.stalls, self.stopped_at = "", False, 0, placed_at
        self.paused: dict[str, datetime] = {}
        self.fired: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.exceptions = 0

    def refund(self) -> None:
        self.state = "refunding"
        self.due = {f"chase_refund{n}": CALENDAR.deadline(self.now, n) for n in (15, 20, 25)}

    def turn(self) -> None:
        if not self.left or self.cancelled:
            self.refund()
            return
        self.left -= 1
        self.recoveries.append([CALENDAR.deadline(self.now, n) for n in (15, 20, 25)])
        self.state, self.base, self.due = "rerouted", self.now, {"urge": self.now + 2 * DAY}

    def fire(self, name: str) -> None:
        self.due.pop(name)
        self.fired["chase_refund" if name.startswith("chase_refund") else name] += 1
        if name == "urge":
            self.state = "overdue_urged"
            self.due["reroute"] = max(self.base + 4 * DAY, self.now + 2 * DAY)
        elif name == "reroute":
            self.turn()
        elif name == "stall":
            self.stalls += 1
            if self.stalls < 3:
                self.due["stall"] = self.now + 10 * DAY
        elif name == "fail_interception":
            self.state = self.back
            off = self.cancelled and self.state in UNSHIPPED
            self.due = {} if off else {k: at + (self.now - self.stopped_at) for k, at in self.paused.items()}
        elif name == "close":
            self.state = "closed"

    def run(self, until: datetime, including: bool) -> None:
        while self.due:
            name = min(self.due, key=lambda key: max(self.due[key], self.now))
            at = max(self.due[name], self.now)
            if at > until or (at == until and not including):
                break
            self.now = at
            self.fire(name)
        self.now = max(self.now, until)

    def report(self, trigger: str) -> None:
        method = getattr(self, trigger)
        outcome = method()
        if outcome is None:
            self.reported[trigger] += 1
        elif outcome == "refused":
            self.refused[trigger] += 1
        else:
            self.exceptions += 1

    def ship(self) -> str | None:
        if self.state in UNSHIPPED:
            self.state, self.stalls, self.due = "shipped", 0, {"stall": self.now + 10 * DAY}
        elif self.state == "intercepting" and self.back in UNSHIPPED:
            self.back, self.stalls, self.stopped_at = "shipped", 0, self.now
            self.paused = {"stall": self.now + 10 * DAY}
        elif self.state == "intercepting":
            return "refused"
        elif self.state not in ("delivered", "closed"):
            return "exception"
        return None

    def deliver(self) -> str | None:
        if self.state not in (*UNSHIPPED, "shipped", "intercepting"):
            return "exception"
        self.state, self.due = "delivered", {"close": self.now + 15 * DAY}
        return None

    def report_no_stock(self) -> str | None:
        if self.state in UNSHIPPED:
            self.turn()
        elif self.state == "intercepting":
            self.refund()
        else:
            return "exception"
        return None

    def cancel(self) -> str | None:
        if self.state not in (*UNSHIPPED, "shipped"):
            return "exception"
        if not self.domestic:
            return "refused"
        self.back, self.cancelled, self.stopped_at, self.paused = self.state, True, self.now, self.due
        self.state, self.due = "intercepting", {"fail_interception": self.now + 2 * DAY}
        return None

    def finish(self, until: datetime) -> None:
        self.run(until, True)
        self.fired["chase_recovery"] += sum(at <= until for chases in self.recoveries for at in chases)
