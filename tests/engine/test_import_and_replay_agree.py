"""The real orders through `import` and the single pass, under a clock that is moved, end as through `replay`."""

import csv
import os
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from effects.letters import Letters
from effects.log import LogChannel
from engine.composing import Messenger
from engine.firing import fire_due
from engine.importing import import_orders
from engine.owning import owned
from engine.replay import arrival_of, replay
from engine.reporting import apply
from inbound.mapping import own_mapping
from inbound.mapping_document import load_mapping
from inbound.orders import OrderFile
from jobs.passes import Runtime, single_pass
from storage import audits, queries, timers
from storage.database import Database
from storage.scratch import create_tables
from tests.factories import START, rules_of
from workflow.policy.policy import Orders, Policy

UNTIL = datetime(2019, 1, 1, tzinfo=UTC)
RULES = rules_of()
EVERY = 12
"""The clock stops at every deadline of every order, so the real orders come in so many shares."""
SHARES = range(EVERY) if os.environ.get("CI") else range(1)
"""CI lives through all of them, a run at home through one."""


def sample(folder: Path, target: Path, share: int = 0) -> OrderFile:
    with (folder / "olist_orders_dataset.csv").open(encoding="utf-8") as source, target.open("w", encoding="utf-8") as file:
        reader = csv.reader(source)
        writer = csv.writer(file)
        writer.writerow(next(reader))
        writer.writerows(islice(reader, share, None, EVERY))
    return OrderFile(target, load_mapping(folder / "mapping.toml"), Orders())


@pytest.mark.parametrize("share", SHARES)
def test_import_and_the_single_pass_end_in_the_same_states_as_replay(real_orders, tmp_path, share):
    file = sample(real_orders, tmp_path / "orders.csv", share)
    replayed = replay(file, UNTIL, Policy(), "").tally.states
    database = Database(f"sqlite:///{tmp_path / 'moved.db'}", scratch=True)
    create_tables(database)
    told = []
    for incoming, _, _ in file:
        whole = arrival_of(incoming)
        told.append((incoming.order.placed_at, type(whole)(whole.order, (), whole.lines, whole.placing)))
        for report in whole.reports:
            at = max(report.at, incoming.order.placed_at)
            told.append((at, type(whole)(whole.order, (report,))))
    for at, arrival in sorted(told, key=lambda one: one[0]):
        _fire_before(database, at)
        with database.write() as connection:
            apply(connection, [arrival], at, RULES)
    _fire_before(database, UNTIL)
    runtime = Runtime(database, RULES, Messenger({"log": LogChannel()}, Letters()))
    with owned(database, "once", UNTIL) as owner:
        single_pass(runtime, owner, lambda: UNTIL)
    with database.read() as connection:
        assert Counter(queries.counts(connection)["orders"]) == replayed
        assert [*audits.broken_orders(connection)] == []
    database.close()


def _fire_before(database: Database, at: datetime) -> None:
    while True:
        with database.read() as connection:
            wake = timers.next_wake(connection)
        if wake is None or wake >= at:
            return
        fire_due(database, wake, RULES)


def test_a_second_import_of_the_real_orders_changes_nothing(real_orders, tmp_path, database):
    file = sample(real_orders, tmp_path / "orders.csv")
    first = import_orders(database, file, UNTIL, RULES)
    second = import_orders(database, file, UNTIL, RULES)
    assert first.tally.new == second.tally.orders > 600
    assert (second.tally.new, second.tally.steps, second.rejected) == (0, 0, [])


def test_an_import_that_was_killed_goes_on_where_it_stopped(real_orders, tmp_path, database):
    file = sample(real_orders, tmp_path / "orders.csv")

    countdown = iter(range(550))

    def kill(rows: int) -> None:
        if next(countdown, None) is None:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        import_orders(database, file, UNTIL, RULES, progress=kill)
    done = import_orders(database, file, UNTIL, RULES)
    assert done.resumed_after == 500
    with database.read() as connection:
        assert sum(queries.counts(connection)["orders"].values()) == file.rows


def test_an_order_that_was_ahead_of_an_interrupted_import_is_not_passed_over(tmp_path, database):
    content = "id,placed_at\nfuture,2025-03-03T12:00:00Z\n" + "".join(f"{n},2025-03-03T08:00:00Z\n" for n in range(600))
    (tmp_path / "f.csv").write_text(content)
    file = OrderFile(tmp_path / "f.csv", own_mapping({"id", "placed_at"}), Orders())
    countdown = iter(range(550))

    def kill(rows: int) -> None:
        if next(countdown, None) is None:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        import_orders(database, file, START, RULES, progress=kill)
    done = import_orders(database, file, START + timedelta(days=1), RULES)
    assert (done.resumed_after, done.tally.new) == (501, 101)
    with database.read() as connection:
        assert queries.resolve_id(connection, "future")
