"""The book of the process: stories of single orders, with all that each step writes.

`book.txt` has the stories. A line that begins with `order`, `line`, `policy` or `>` tells what happens; the indented lines
below it are what comes of it. `python -m tests.workflow.book` writes them anew: whoever changes a rule reads in the difference
what else changes.

    order supplier=Yiwu alternatives=Ningbo,Foshan paid=5000
    line MUG title=Mug quantity=2 price=2500
    policy overdue.urge_after = "3d"
    > 1.5 ship carrier=Post by=person:kim     reported on day 1.5
    > 3 ship at=1                             reported on day 3, of day 1
    > 3 ship at=1 key=K                       under a key of its sender; a story has one such key
    > until 9                                 timers fire up to day 9
    > 4 decide stay until=9                   a person's answer to what waits for a decision
    > late 9                                  timers that are due by then fire on day 9
    > 4 undo                                a person takes back what was reported or decided last
    > 4 timer postpone urge to=9              a person's command on the timer of a clock
    > policy supply.no_stock = "refund"       from now on another version of the policy is in force
    > unsent reroute                          the request for the refund, which reroute asked for, has not left
    > known R7=2                              of the new order R7 it is known that it has two pieces
"""

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.factories import START, day, rules_of
from workflow.case.case import Case, Line, Order, Report, Told, replace_fields
from workflow.case.facts import as_detail
from workflow.decisions import Answer, answer
from workflow.draft import Event
from workflow.errors import OrderError
from workflow.intake import judge_asking, receive
from workflow.policy.policy import Rules
from workflow.repeats import to_judge
from workflow.reports import FIELDS
from workflow.rules.timers import deciding_lines
from workflow.step import Step, fire, step
from workflow.table import allowed_now
from workflow.timer_commands import act
from workflow.undoing import Taken, taken, undo
from workflow.vocabulary import Verdict, Way

BOOK = Path(__file__).with_name("book.txt")
NUMBERS = ("paid", "quantity", "price", "generation", "chain_paid", "settled_elsewhere", "requested_elsewhere")
_STANDING = ("since", "current", "returns_to", "cancelled", "gap", "historical", "carrier_status")
OF_THE_CASE = ("historical", "chain_paid", "settled_elsewhere", "requested_elsewhere")


def stories(text: str) -> dict[str, list[str]]:
    """Return the stories of a book by their titles, without what comes of them."""
    told: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            told[line[2:]] = []
        elif line and not line.startswith(" ") and told:
            told[[*told][-1]].append(line)
    return told


def written(title: str, lines: Iterable[str]) -> str:
    """Return a story with all that comes of it."""
    return "\n".join((f"# {title}", *Telling().all_of(lines), ""))


class Telling:
    """One story as it is told."""

    def __init__(self) -> None:
        self.order: dict[str, Any] = {"supplier": "Yiwu", "alternatives": ("Ningbo", "Foshan")}
        self.lines: tuple[Line, ...] = ()
        self.policy: dict[str, str] = {}
        self.rules: Rules = rules_of()
        self.steps: list[Step] = []
        self.case: Case | None = None
        self.told: list[Told] = []
        self.salt = "salt"
        self.last: Taken | None = None

    def all_of(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield each line of the story, and what comes of it."""
        for line in lines:
            if line.startswith(">") and self.case is None:
                yield from self._place()
            yield line
            for outcome in self._happens(line):
                yield f"    {outcome}"
        assert self.case is not None, "something happens in a story"
        yield f"    may be reported: {', '.join(allowed_now(self.case))}"
        yield f"    chain: {self.case.steps} rows, {self.case.last_hash[:16]}"

    def _happens(self, line: str) -> Iterator[str]:
        match shlex.split(line.removeprefix(">")) if not line.startswith(("policy", "> policy")) else ["policy", line]:
            case ["order", *told]:
                self.order |= dict(_fields(told))
            case ["line", sku, *told]:
                self.lines = (*self.lines, Line(sku, **dict(_fields(told))))
            case ["policy", whole]:
                name, _, value = whole.removeprefix("> ").removeprefix("policy ").partition(" = ")
                self.policy[name] = value
                policy = rules_of("\n".join(f"{name} = {value}" for name, value in self.policy.items()))
                version = self.rules.version + line.startswith(">")
                self.rules = Rules(version, policy.policy, policy.calendar)
            case ["known" | "unsent" as what, *told]:
                self.case = replace_fields(
                    self._case, **{"known": _pieces(told)} if what == "known" else {"unsent_request": told[0]}
                )
            case ["until", end]:
                yield from self._until(float(end))
            case ["late", end]:
                yield from self._until(float(end), at=day(float(end)))
            case [at, "decide" | "undo" | "timer" as what, *told]:
                yield from self._by_a_person(float(at), what, told)
            case [at, trigger, *told]:
                yield from self._undoable(self._report(float(at), trigger, dict(_fields(told))))

    def _by_a_person(self, at: float, what: str, told: list[str]) -> Iterator[str]:
        match what, told:
            case "decide", [way, *fields]:
                yield from self._undoable(self._decide(at, Way(way), dict(_fields(fields))))
            case "timer", [action, clock, *fields]:
                yield from self._command(at, action, clock, dict(_fields(fields)))
            case _:
                yield from self._undo(at, dict(_fields(told)))

    @property
    def _case(self) -> Case:
        assert self.case is not None, "the order is placed before anything happens"
        return self.case

    def _place(self) -> Iterator[str]:
        of_the_case = {name: self.order.pop(name) for name in OF_THE_CASE if name in self.order}
        told = {"shop": "main", "number": "1", "placed_at": START, "currency": "CNY", "route": "domestic", **self.order}
        self.case = Case(Order(**told), lines=self.lines, salt=self.salt, **of_the_case)
        placed = step(self.case, Event("place", self.case.order.placed_at, START, "import:orders.csv"), self.rules)
        yield from (f"    {line}" for line in self._take(placed))

    def _report(self, now: float, trigger: str, told: dict[str, Any]) -> Iterator[str]:
        by, at, key = told.pop("by", "carrier:post"), told.pop("at", now), told.pop("key", None)
        report = Report(trigger, day(float(at)), "test", key or f"{trigger}@{at}", by, _typed(trigger, told))
        judged = to_judge(report, self.told) if key and self.told else report
        if judged is None:
            yield "duplicate"
            return
        case, received = receive(self._case, judged, day(now), self.rules)
        self.told += [Told(received[0].report, received[0].verdict)] if key else []
        for one in received:
            if one.step:
                yield from self._of_step(one.step)
            if one.verdict is not Verdict.applied:
                yield f"{one.verdict}{f': {one.error}' if one.error else ''}"
        self.case = case
        yield from self._judge_asking(day(now))

    def _decide(self, at: float, way: Way, told: dict[str, Any]) -> Iterator[str]:
        until = day(float(told["until"])) if "until" in told else None
        number = int(told["decision"]) if "decision" in told else None
        given = Answer(way, told.get("by", "person:kim"), number, until, told.get("reason"))
        try:
            yield from self._take(answer(self._case, given, day(at), self.rules))
        except OrderError as error:
            yield f"refused: {error}"

    def _undoable(self, happens: Iterator[str]) -> Iterator[str]:
        """Let something happen that can be taken back, if it takes a step."""
        before, count = self._case, len(self.steps)
        yield from happens
        if steps := self.steps[count:]:
            self.last = taken(before, self._case, steps)

    def _undo(self, at: float, told: dict[str, Any]) -> Iterator[str]:
        assert self.last is not None, "something has happened that can be taken back"
        by, reason = told.get("by", "person:kim"), told.get("reason")
        yield from self._take(undo(self._case, self.last, day(at), by, reason, self.rules))

    def _command(self, at: float, action: str, clock: str, told: dict[str, Any]) -> Iterator[str]:
        told |= {"due_at": day(float(told.pop("to"))).isoformat()} if "to" in told else {}
        number = next((one.number for one in self._case.timers if one.trigger == clock), 99)
        try:
            made = act(self._case, action, number, day(at), told.pop("by", "person:kim"), self.rules, told)
        except OrderError as error:
            yield f"refused: {error}"
            return
        if made is None:
            yield "nothing to change"
        else:
            yield from self._take(made)

    def _until(self, end: float, at: datetime | None = None) -> Iterator[str]:
        while True:
            running = [one for one in self._case.timers if one.status == "pending" and one.due_at <= day(end)]
            if not running:
                return
            timer = min(running, key=lambda one: (one.due_at, one.number))
            yield from self._take(fire(self._case, timer, at or max(timer.due_at, self._case.since or START), self.rules))

    def _take(self, made: Step) -> Iterator[str]:
        yield from self._of_step(made)
        yield from self._judge_asking(made.history.recorded)

    def _of_step(self, made: Step) -> Iterator[str]:
        was = self._case
        self.case = made.case
        self.steps.append(made)
        yield from _of_step(was, made, self.rules)

    def _judge_asking(self, now: datetime) -> Iterator[str]:
        case, received = judge_asking(self._case, now, self.rules)
        for one in received:
            if one.step:
                yield from self._of_step(one.step)
            else:
                yield f"{one.report.trigger} is noted"
        self.case = case


def _fields(told: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for one in told:
        name, _, value = one.partition("=")
        if name == "alternatives":
            yield name, tuple(filter(None, value.split(",")))
        elif name == "ship_by":
            yield name, day(float(value))
        elif name == "historical":
            yield name, True
        else:
            yield name, int(value) if name in NUMBERS else value


def _pieces(told: Iterable[str]) -> dict[str, int | None]:
    return {name: None if count == "None" else int(count) for name, count in (one.split("=") for one in told)}


def _typed(trigger: str, told: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: one.kind for name, one in FIELDS.get(trigger, {}).items()}
    as_text = {name: as_detail(value) for name, value in told.items()}
    read = {"amount": int, "count": int, "flag": bool}
    return {name: read.get(kinds.get(name, ""), str)(value) for name, value in as_text.items()}


def _of_step(was: Case, made: Step, rules: Rules) -> Iterator[str]:
    row, now = made.history, made.case
    move = f"{row.source or 'nothing'} → {row.target}" if row.source != row.target else f"stays {row.target}"
    due = f", due {_shown(row.due)}" if row.due else ""
    recorded = f", recorded {_shown(row.recorded)}" if row.recorded != row.occurred else ""
    policy = f", policy {row.policy}" if row.policy != 1 else ""
    yield f"{row.sequence}. {_shown(row.occurred)} {row.trigger} by {row.actor}: {move}{due}{recorded}{policy}"
    if row.reason is not None:
        yield f"   reason: {row.reason}"
    if row.details:
        yield f"   details: {_shown(dict(row.details))}"
    yield from (f"   {line}" for line in (*_of_case(was, now, row.occurred), *_of_timers(was, made, rules)))
    for effect in made.effects:
        yield f"   effect {effect.kind} of attempt {effect.attempt}, {effect.mode}: {_shown(dict(effect.details))}"
    yield from (f"   drops {kind}{f' of attempt {attempt}' if attempt else ''}" for kind, attempt in made.obsolete)
    yield from (f"   flag {flag}" for flag in made.flags)
    yield from (f"   clears {flag}" for flag in made.cleared)
    if made.replacement:
        lines = [_told(one) for one in made.replacement.lines]
        yield f"   replacement: {_shown(_told(made.replacement.order))} lines {_shown(lines)}"


def _of_case(was: Case, now: Case, occurred: datetime) -> Iterator[str]:
    standing = {name: getattr(now, name) for name in _STANDING if getattr(now, name) != getattr(was, name)}
    if standing.get("since") == occurred:
        del standing["since"]
    if standing:
        yield f"order: {_shown(standing)}"
    if now.order != was.order:
        yield f"links: {_shown(_changed(was.order, now.order))}"
    for name in ("attempts", "parcels", "ledger", "claims", "decisions"):
        before, after = getattr(was, name), getattr(now, name)
        for number, part in enumerate(after):
            if number >= len(before):
                yield f"new in {name}: {_shown(_told(part))}"
            elif part != before[number]:
                yield f"{name} {part.number}: {_shown(_changed(before[number], part))}"


def _of_timers(was: Case, made: Step, rules: Rules) -> Iterator[str]:
    known = {one.number: one for one in was.timers}
    for number, timer in made.timers.items():
        if number in known:
            yield f"timer {number} {timer.trigger}: {_shown(_changed(known[number], timer))}"
        else:
            told = _told(timer)
            due, number, trigger = told.pop("due_at"), told.pop("number"), told.pop("trigger")
            if told["planned_at"] == due:
                del told["planned_at"]
            if told["policy"] == made.history.policy:
                del told["policy"]
            why = "; ".join(deciding_lines(made.case, rules, timer))
            yield f"timer {number} {trigger} is due {_shown(due)}: {_shown(told)} by {why}"


def _told(part: Any) -> dict[str, Any]:
    """Return those fields of a part that have no default, or another value."""
    usual = {one.name: one.default for one in fields(part)}
    return {name: value for name, value in vars(part).items() if usual[name] is MISSING or value != usual[name]}


def _changed(was: Any, now: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(now).items() if value != getattr(was, name)}


def _shown(value: Any) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}" if value.second == 0 else f"{value:%Y-%m-%d %H:%M:%S}"
        case dict():
            return ", ".join(f"{name}={_shown(one)}" for name, one in value.items()) or "nothing"
        case tuple() | list():
            return f"[{', '.join(map(_shown, value))}]"
        case str() if value.startswith("sha256:"):
            return value[:19]
        case str() if value.isidentifier():
            return str(value)
        case _ if is_dataclass(value):
            return _shown(_told(value))
        case _:
            return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    book = BOOK.read_text()
    preface = book.split("\n# ", 1)[0]
    BOOK.write_text("\n".join((preface, *(written(title, lines) for title, lines in stories(book).items()))))
