"""What tests make and ask: instants, rules, orders, reports, one order's story, and what a database holds."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, select
from sqlmodel import SQLModel, col

from effects.letters import ClaimTerms, LetterContext
from engine.deciding import DECIDABLE, ChosenEffect, EffectAction, decide_effects
from engine.outcomes import Arrival
from engine.owning import owned
from engine.reporting import apply
from engine.sending import Sender
from storage import audits, lists, queries, timers
from storage.database import Database
from storage.lists import Filter
from storage.tables import AttentionRow, table_of
from workflow.case.case import Case, Line, Order, Report
from workflow.decisions import Answer, answer
from workflow.draft import Event
from workflow.intake import Received, receive
from workflow.policy.policy import Policy, Rules, calendar_of, read_policy
from workflow.step import Step, fire, step
from workflow.vocabulary import Way

START = datetime(2025, 3, 3, 9, tzinfo=UTC)


def day(count: float) -> datetime:
    """Return the instant `count` days after the start of the story."""
    return START + timedelta(days=count)


def rules_of(toml: str = "") -> Rules:
    policy = read_policy(toml) if toml else Policy()
    return Rules(1, policy, calendar_of(policy))


RULES = rules_of()


def order(number="1", shop="main", **values):
    return Order(shop, number, START, "CNY", **{"route": "domestic", "alternatives": ("alt-1", "alt-2"), **values})


def letter_about(details, of=None):
    """What a letter knows of an order, under the policy that comes with the program."""
    claims = RULES.policy.claims
    terms = ClaimTerms(claims.window, claims.reopen_within, claims.at_the_end)
    return LetterContext(of or order(), 1, day(2), details, terms)


def report(trigger, at, **fields):
    return Report(trigger, day(at), "test", f"{trigger}@{at}", "import:test", fields)


def arrival(number="1", *reports, shop="main", placing=True, **values):
    placed = Report("place", START, "test", "place", "import:test") if placing else None
    return Arrival(order(number, shop, **values), reports, (Line("sku", "Lamp", 2, 500),), placed)


def take(database, *arrivals, now=0.0, rules=RULES, **options):
    with database.write() as connection:
        return apply(connection, arrivals, day(now), rules, **options)


def state(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number).case.state


def all_effects(connection: Connection, status: str | None = None) -> list[RowMapping]:
    """Return the effects of all orders, newest first."""
    return [*lists.all_effects(connection, Filter(statuses=(status,) if status else ()))]


def all_flags(connection: Connection) -> list[RowMapping]:
    """Return the flags that stand, of all orders."""
    flags = select(table_of(AttentionRow)).where(col(AttentionRow.resolved_at).is_(None)).order_by(col(AttentionRow.id))
    return [*connection.execute(flags).mappings()]


def decide(target: Database | Connection, action: str, effects: Iterable[RowMapping], by: str, at: datetime) -> int:
    """Decide on the effects that take the action, as a person who was shown them; return how many were."""
    known = EffectAction(action)
    shown = [ChosenEffect(row["id"], row["status"]) for row in effects if row["status"] in DECIDABLE[known]]
    return len(decide_effects(target, known, shown, by, at).done)


class Story:
    """One order, told with a clock that is moved."""

    def __init__(self, rules: Rules, lines: tuple[Line, ...] = (), **order: Any) -> None:
        values = {"shop": "main", "number": "1", "placed_at": START, "currency": "CNY", "route": "domestic"}
        self.rules = rules
        self.case = Case(Order(**{**values, "alternatives": ("alt-1", "alt-2"), **order}), lines=lines, salt="salt")
        self.steps: list[Step] = []
        self._keep(step(self.case, Event("place", self.case.order.placed_at, START, "import:test"), rules))

    def report(self, trigger: str, at: float, actor: str = "carrier:test", **fields: Any) -> Received:
        when = day(at)
        report = Report(trigger, when, "test", f"{trigger}@{when}", actor, fields)
        self.case, verdicts = receive(self.case, report, when, self.rules)
        self.steps += [one.step for one in verdicts if one.step]
        return verdicts[0]

    def answer(self, way: Way, at: float) -> None:
        self._keep(answer(self.case, Answer(way, "person:kim"), day(at), self.rules))

    def until(self, at: float) -> "Story":
        while timer := self.next_timer():
            if timer.due_at > day(at):
                break
            self._keep(fire(self.case, timer, timer.due_at, self.rules))
        return self

    def next_timer(self) -> Any:
        pending = [timer for timer in self.case.timers if timer.status == "pending"]
        return min(pending, key=lambda timer: (timer.due_at, timer.number), default=None)

    def timer(self, trigger: str) -> Any:
        return next(timer for timer in self.case.timers if timer.trigger == trigger)

    def fired(self, trigger: str) -> list[datetime]:
        return [s.history.occurred for s in self.steps if s.history.trigger == trigger and s.history.actor == "timer"]

    def effects(self) -> list[str]:
        return [effect.kind for s in self.steps for effect in s.effects]

    def flags(self) -> list[str]:
        return [flag for s in self.steps for flag in s.flags]

    def _keep(self, made: Step) -> None:
        self.case = made.case
        self.steps.append(made)


def statuses(database):
    with database.read() as connection:
        return {row["kind"]: row["status"] for row in all_effects(connection)}


def left_behind(database):
    """Return every row of every table, without what is drawn by lot and without the ids of effects."""
    rows = {}
    with database.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            hidden = {"orders": {"salt"}, "effects": {"id"}, "attention": {"id"}}.get(table.name, set())
            found = connection.execute(select(table)).mappings()
            rows[table.name] = sorted(json.dumps({k: str(v) for k, v in row.items() if k not in hidden}) for row in found)
        assert [*audits.broken_orders(connection)] == []
        assert timers.backlog(connection, START) == 0
    return rows


def send_due(database, at, rules, messenger):
    """Send a batch of what is due, and compose nothing."""
    with owned(database, "once", at) as owner:
        return Sender(database, owner, rules, messenger).send_due(lambda: at)
