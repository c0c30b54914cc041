"""What tests share: a clock that is moved, orders made to measure, and the folder of real orders."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, RowMapping, select
from sqlmodel import col

from engine.deciding import DECIDABLE, ChosenEffect, EffectAction, decide_effects
from storage import lists
from storage.database import Database
from storage.lists import Filter
from storage.schema import upgrade
from storage.scratch import create_tables
from storage.tables import AttentionRow, table_of
from tests.postgres import NoServer, Server
from workflow.case.case import Case, Line, Order, Report
from workflow.draft import Event
from workflow.intake import Received, receive
from workflow.policy.policy import Policy, Rules, calendar_of, read_policy
from workflow.step import Step, fire, step

START = datetime(2025, 3, 3, 9, tzinfo=UTC)
REAL_ORDERS = Path(__file__).parents[2] / "shared" / "data" / "olist"


def day(count: float) -> datetime:
    """Return the instant `count` days after the start of the story."""
    return START + timedelta(days=count)


def rules_of(toml: str = "") -> Rules:
    policy = read_policy(toml) if toml else Policy()
    return Rules(1, policy, calendar_of(policy))


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


@pytest.fixture
def story() -> Callable[..., Story]:
    def make(policy: str = "", **order: Any) -> Story:
        return Story(rules_of(policy), **order)

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL; without one, its tests are skipped at home and fail in CI."""
    try:
        server = Server()
    except NoServer as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres: Server) -> Iterator[str]:
    """The name of a database that has our tables, made by the migrations."""
    url = postgres.new_database()
    made = Database(url)
    upgrade(made)
    made.close()
    yield url.rsplit("/", 1)[1]
    postgres.drop(url)


MakeDatabase = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Makes databases with our tables, each empty, on both kinds that we support."""
    made: list[Database] = []
    names = count(1)

    def on_sqlite() -> Database:
        made.append(Database(f"sqlite:///{tmp_path / f'test-{next(names)}.db'}"))
        create_tables(made[-1])
        return made[-1]

    def on_postgresql() -> Database:
        server: Server = request.getfixturevalue("postgres")
        made.append(Database(server.new_database(request.getfixturevalue("postgres_template"))))
        return made[-1]

    yield on_sqlite if request.param == "sqlite" else on_postgresql
    for database in made:
        database.close()
        if database.is_shared:
            request.getfixturevalue("postgres").drop(database.url.render_as_string(hide_password=False))


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database()


@pytest.fixture
def real_orders() -> Path:
    if not REAL_ORDERS.is_dir():
        pytest.skip(f"the real orders are not here: {REAL_ORDERS}")
    return REAL_ORDERS
