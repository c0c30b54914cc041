"""The fixtures that all tests share: an order's story, databases of both kinds, and the folder of real orders."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from drills.postgres import NoServer, Server
from storage.database import Database
from storage.schema import upgrade
from storage.scratch import create_tables
from tests.factories import Story, rules_of

REAL_ORDERS = Path(__file__).parents[2] / "shared" / "data" / "olist"


_UNJOINED = re.compile(r"FROM \(?\w+(?: AS \w+)?, \w+")


@event.listens_for(Engine, "before_cursor_execute")
def _no_table_stands_beside_another_by_chance(connection, cursor, sql, parameters, context, many) -> None:
    """Refuse a statement that joins tables with a comma: a subquery has then not been correlated, and reads all orders."""
    assert not _UNJOINED.search(sql), sql


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


@pytest.fixture
def mailbox():
    """Serve a mailbox on loopback."""
    from tests.mailbox import served

    yield from served()
