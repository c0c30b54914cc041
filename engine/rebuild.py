"""An order rebuilt as of an instant: by what was known then, or by what had occurred by then (rule 6.5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from engine.case_run import CaseRun
from engine.rules import pinned_rules
from storage import cases, queries
from storage.queries import Found, report_of
from workflow.case import facts
from workflow.case.case import LINKS, Case, Correction, Details, replace_fields
from workflow.case.history import HistoryRow, taken_back
from workflow.case.sealing import meaning
from workflow.catalogue import Choice, Moment, Preference, Wanted
from workflow.decisions import Answer, answer
from workflow.draft import Event
from workflow.errors import OrderError
from workflow.intake import judge_asking, receive
from workflow.policy.policy import Rules
from workflow.process import PARCEL_REPORTS, RECORDS, TAKE_UP, WAITING_RECORDS
from workflow.reports import FIELDS, WHOSE
from workflow.step import Step, carry_out, fire, step
from workflow.table import AMENDS
from workflow.timer_commands import ACTIONS, act
from workflow.undoing import RESTORED, Taken, undo
from workflow.vocabulary import PERSON, LedgerStatus, State, Verdict, Way


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An order as it was. `exact` says that every step came out as it stands in the history."""

    case: Case
    history: Sequence[HistoryRow]
    exact: bool


def as_known(connection: Connection, order_id: int, at: datetime, rules: Rules) -> Rebuilt | None:
    """Take again every step that was recorded up to `at`, each under its own policy; None: the order was not known yet.

    If a replayed step comes out otherwise, the rest is reconstructed from the stored parts.
    """
    stored = cases.load(connection, [order_id], lock=False)[order_id].case
    history, reports = queries.history(connection, order_id), queries.reports(connection, order_id)
    rows = [row for row in history if row.recorded <= at]
    if not rows:
        return None
    rules = rules.with_chooser(_ChoicesTaken(rows))
    closed_by = {row.sequence: int(row.details["closures"] or 0) for row in rows if "closures" in row.details}
    pinned = pinned_rules(connection, {row.policy for row in rows} | {*closed_by.values()}, rules)
    retaken = _Retaken(_unamended(stored, history, reports), rows, reports, taken_back(history))
    for row in rows:
        own = pinned.get(row.policy, rules)
        if row.sequence in closed_by:
            own = own.with_closures(pinned.get(closed_by[row.sequence], rules).policy)
        if not retaken.take(row, own):
            return Rebuilt(_by_its_parts(stored, rows[-1], at), rows, exact=False)
    return Rebuilt(retaken.case, rows, exact=True)


class _ChoicesTaken:
    """Says of each step which supplier was turned to, as the history has it: the catalogue may have changed since."""

    def __init__(self, rows: Iterable[HistoryRow]) -> None:
        self._rows = {row.sequence: row for row in rows}

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return the choice that was made for a step; nobody, where none was."""
        row = self._rows.get(moment.sequence)
        if row is None:
            return Choice()
        told, cost = row.details, row.details.get("cost")
        not_taken = told.get("instead_of")
        if not_taken is not None and not_taken not in tried:
            return Choice(str(not_taken))
        supplier = told.get("supplier") if row.target is State.rerouted else told.get("next")
        return Choice(
            str(supplier or ""),
            None if cost is None else int(cost),
            *(str(told.get(name) or "") for name in ("goods", "ready_in", "passed_over")),
        )


def _unamended(case: Case, history: Sequence[HistoryRow], reports: Sequence[Found]) -> Case:
    """Return a case with the facts and links that the order came with."""
    order, lines, undone = case.order, case.lines, taken_back(history)
    for row in reversed(history):
        if row.trigger == "amend" and row.sequence not in undone:
            told: Details = next((one["fields"] for one in reports if _is_of(one, row)), {})
            order, lines = facts.before(order, lines, row.details, told)
        if "taken_up" in row.details:
            order = replace(order, replaces=None, generation=0, chain=None)
        if row.trigger == "unlink":
            order = replace_fields(order, **{name: row.details.get(f"was_{name}") for name in LINKS})
    return replace_fields(case, order=order, lines=lines)


def _by_its_parts(case: Case, last: HistoryRow, at: datetime) -> Case:
    """Return a case as its parts tell it: what had begun by `at`, and decided only if it was by then."""
    begun = [row for row in case.ledger if row.requested_at <= at]
    ledger = (
        row
        if row.decided_at is None or row.decided_at <= at
        else replace_fields(row, status=LedgerStatus.requested, settled_amount=None)
        for row in begun
    )
    return replace_fields(
        case,
        state=last.target,
        since=last.occurred,
        timers=(),
        decisions=(),
        asking=(),
        ledger=tuple(ledger),
        claims=tuple(claim for claim in case.claims if claim.opened_at <= at),
        attempts=tuple(one for one in case.attempts if one.placed_at <= at) or case.attempts[:1],
    )


def as_occurred(connection: Connection, order_id: int, at: datetime, rules: Rules) -> Rebuilt | None:
    """Live through what had occurred up to `at`, on a virtual clock and under the policy in force; None: not placed yet."""
    stored = cases.load(connection, [order_id], lock=False)[order_id].case
    told = (row for row in queries.reports(connection, order_id) if row["verdict"] != Verdict.undone)
    reports = [report_of(row) for row in told if row["occurred"] <= at]
    if stored.order.placed_at > at:
        return None
    run = CaseRun(_bare(stored, with_links=stored.order.replaces is not None))
    if not any(report.trigger == "place" for report in reports):
        place = Event("place", stored.order.placed_at, stored.order.placed_at, "process", {"replaces": stored.order.replaces})
        run.step(step(run.case, place, rules))
    in_turn = sorted(reports, key=lambda report: (report.at, report.trigger != "place", report.id))
    run.live_through(in_turn, at, rules.without_asking())
    last = queries.history(connection, order_id)[-1]
    if last.trigger == "unlink" and last.target is State.closed and last.recorded <= at:
        run.step(
            carry_out(
                run.case, Event("unlink", last.occurred, last.recorded, last.actor), rules, RECORDS["unlink"], last.target
            )
        )
    return Rebuilt(run.case, [made.history for made in run.steps], exact=True)


def _bare(case: Case, *, with_links: bool) -> Case:
    """Return the case as it was before its first step."""
    order = case.order if with_links else replace(case.order, replaces=None, generation=0, chain=None)
    return Case(order, lines=case.lines, salt=case.salt, historical=case.historical)


_TELLS = {"due_at": ("postpone", "shift"), "closures": ("retime",)}
"""What the steps of a person's timekeeping were told, and did not note by themselves."""


class _Retaken:
    """A case as its history is told again."""

    def __init__(self, stored: Case, rows: Sequence[HistoryRow], reports: Iterable[Found], undone: set[int]) -> None:
        self._links, self._decisions = stored.order, stored.decisions
        self._rows = {row.sequence: row for row in rows}
        bare = _bare(stored, with_links="replaces" in rows[0].details)
        self.case = replace_fields(bare, historical="historical" in rows[0].details)
        self._reports = sorted(reports, key=lambda row: row["id"])
        self._undone = undone
        """The numbers of steps that are taken back, at any time."""
        self._told: set[int] = set()
        self._before: dict[int, tuple[Case, set[int]]] = {}
        """By the number of a step: the case before it, and which reports had been told."""

    def take(self, row: HistoryRow, rules: Rules) -> bool:
        """Take the step of `row`; return whether it came out the same."""
        if row.sequence <= self.case.steps:
            return True  # an earlier report caused it
        self._before[row.sequence] = self.case, {*self._told}
        try:
            self._let_wait(row, rules)
            steps = [*self._take(row, rules)]
            self.case, verdicts = judge_asking(self.case, row.recorded, rules)
            steps += [one.step for one in verdicts if one.step]
        except (OrderError, StopIteration, ValueError, KeyError):
            return False
        return bool(steps) and all(self._is_as_stored(made.history) for made in steps)

    def _is_as_stored(self, told: HistoryRow) -> bool:
        stored = self._rows.get(told.sequence)
        if stored is None:
            return True  # it was recorded after the instant
        is_same = stored.wrote is None or meaning(told.wrote) == meaning(stored.wrote)  # an older program sealed nothing
        return is_same and replace_fields(told, wrote=None, hash="") == replace_fields(stored, wrote=None, hash="")

    def _take(self, row: HistoryRow, rules: Rules) -> Sequence[Step]:
        action = next((name for name in ACTIONS if row.trigger == f"{name}_timer"), None)
        if action:
            fields = _fields(row, *(name for name in ("due_at", "closures") if name in row.details and action in _TELLS[name]))
            made = act(self.case, action, int(row.details["timer"] or 0), row.recorded, row.actor, rules, fields)
        elif "way" in row.details:
            made = answer(self.case, _answer(row), row.recorded, rules)
        elif row.trigger in WAITING_RECORDS and "timer" in row.details:
            timer = next(one for one in self.case.timers if one.number == row.details["timer"])
            made = fire(self.case, timer, row.recorded, rules)
        elif row.due is not None:
            timer = next(one for one in self.case.timers if (one.trigger, one.due_at) == (row.trigger, row.due))
            if row.actor == "timer":
                made = fire(self.case, timer, row.recorded, rules)
            else:
                event = Event(row.trigger, row.occurred, row.recorded, row.actor, _fields(row), timer)
                made = step(self.case, event, rules)
        elif row.trigger == "undo":
            made = self._undo(row, rules)
        elif "taken_up" in row.details:
            made = self._amend(row, rules)
        elif row.trigger in ("link", "unlink", "erase", "unread") or "replaces" in row.details:
            made = self._alone(row, rules)
        elif row.trigger == "amend" and not row.actor.startswith(PERSON):
            made = self._amend(row, rules)
        else:
            return self._receive(row, rules)
        self.case = made.case if made else self.case
        return [made] if made else []

    def _undo(self, row: HistoryRow, rules: Rules) -> Step:
        """Take back what a person has taken back; its reports may be told again."""
        first = int(row.details["first"] or 0)
        before, self._told = self._before[first]
        what = Taken(str(row.details["undoes"]), first, row.sequence - 1, {name: getattr(before, name) for name in RESTORED})
        return undo(self.case, what, row.recorded, row.actor, row.reason, rules)

    def _alone(self, row: HistoryRow, rules: Rules) -> Step:
        """Take a step that no report brought about."""
        names = {"unlink": ("of",), "unread": tuple(row.details)}.get(row.trigger, ())
        event = Event(row.trigger, row.occurred, row.recorded, row.actor, {**_fields(row, *names), **_linked(row)})
        if row.trigger == "place":
            return step(self.case, event, rules)
        if row.trigger == "link" and "chain" not in row.details:  # older programs recorded what is replaced alone
            self.case = replace_fields(self.case, order=self._links)
        return carry_out(self.case, event, rules, RECORDS[row.trigger], row.target if row.target is not row.source else None)

    def _amend(self, row: HistoryRow, rules: Rules) -> Step:
        """Take what an order that came again told anew of itself."""
        told = next(one for one in self._reports if one["id"] not in self._told and _is_of(one, row))
        self._told.add(told["id"])
        fields = {name: value for name, value in told["fields"].items() if not name.startswith("was_")}
        event = Event(row.trigger, row.occurred, row.recorded, row.actor, fields)
        if "taken_up" in row.details:
            return carry_out(self.case, event, rules, TAKE_UP, row.target)
        return carry_out(self.case, event, rules, AMENDS, None)

    def _receive(self, row: HistoryRow, rules: Rules) -> Sequence[Step]:
        """Apply the report of `row`, or let it ask for a decision, and before it those that were kept as exceptions."""
        is_told = self._is_asking if row.trigger in WAITING_RECORDS else _is_of
        judged_again = {one.id for one in self.case.waiting}
        fitting = [one for one in self._reports if is_told(one, row)]
        if row.sequence in self._undone:
            fitting.sort(key=lambda one: one["verdict"] != Verdict.undone)
        else:
            fitting = [one for one in fitting if one["verdict"] != Verdict.undone]
        told = next(one for one in fitting if one["id"] not in self._told or one["id"] in judged_again)
        if told["id"] not in self._told:
            for one in self._waiting(told):
                self.case = replace_fields(self.case, waiting=(*self.case.waiting, report_of(one)))
        self._told.add(told["id"])
        self.case = replace_fields(self.case, unsent_request=row.details.get("takes_back") or row.details.get("request"))
        report = self._correction(told) if "correction" in row.details else report_of(told)
        self.case, received = receive(self.case, report, row.recorded, rules)
        return [one.step for one in received if one.step]

    def _correction(self, told: Found) -> Correction:
        """Return a report with the one that it corrects."""
        key = (told["source"], told["key"])
        before = [one for one in self._reports if (one["source"], one["key"]) == key and one["nth"] < told["nth"]]
        return Correction(**vars(report_of(told)), corrects=report_of(before[-1]))

    def _is_asking(self, report: Found, row: HistoryRow) -> bool:
        decision = self._decisions[int(row.details["decision"] or 0) - 1]
        return (report["source"], report["key"]) == (decision.source, decision.key)

    def _let_wait(self, row: HistoryRow, rules: Rules) -> None:
        """Let the reports wait again that came before `row` and waited behind the decision that stands."""
        for one in self._reports:
            if self.case.decision and one["id"] not in self._told and one["received"] < row.recorded:
                case, (received, *_) = receive(self.case, report_of(one), one["received"], rules)
                if received.verdict is Verdict.waiting:
                    self._told.add(one["id"])
                    self.case = case

    def _waiting(self, told: Found) -> Iterator[Found]:
        for one in self._reports:
            earlier = one["id"] < told["id"] and one["id"] not in self._told and one["trigger"] in PARCEL_REPORTS
            earlier = earlier and one["verdict"] != Verdict.undone
            if earlier and (one["verdict"] in (Verdict.exception, Verdict.refused) or one["received"] < told["received"]):
                self._told.add(one["id"])
                yield one


def _is_of(report: Found, row: HistoryRow) -> bool:
    occurred = row.details.get("reported_at") or row.occurred.isoformat()
    is_taken = report["verdict"] in (Verdict.applied, Verdict.undone)
    if not is_taken or (report["trigger"], report["occurred"].isoformat()) != (row.trigger, occurred):
        return False
    corrected = [name for name in row.details if name in FIELDS[row.trigger] and name not in WHOSE]
    return "correction" not in row.details or all(report["fields"].get(name) == row.details[name] for name in corrected)


def _answer(row: HistoryRow) -> Answer:
    until = row.details.get("until")
    sleeps_until = None if until is None else datetime.fromisoformat(str(until))
    at_once = bool(row.details.get("now"))
    return Answer(Way(str(row.details["way"])), row.actor, until=sleeps_until, reason=row.reason, at_once=at_once)


def _fields(row: HistoryRow, *names: str) -> Details:
    reason = {"reason": row.reason} if row.reason is not None else {}
    return reason | {name: row.details[name] for name in names}


def _linked(row: HistoryRow) -> Details:
    return {name: row.details[name] for name in LINKS if name in row.details}
