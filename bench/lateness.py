"""A daemon whose timers are due at a steady pace: prints how long after its due instant each was committed."""

import gc
import json
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select
from sqlmodel import col

from bench.work import order_at
from effects.letters import Letters
from engine.composing import Messenger
from engine.reporting import apply
from jobs.daemon import Daemon
from jobs.passes import Runtime
from storage.database import Database
from storage.tables import OrderRow, TimerRow, table_of
from workflow.policy.policy import Rules, calendar_of, read_policy

SILENT = read_policy('[effects.modes]\nurge_supplier = "off"\n')
"""Nothing leaves: this is about the timers."""


class Watched(Database):
    """A database that remembers when its transactions were committed."""

    committed: list[datetime]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction, and note its end."""
        with super().write() as connection:
            yield connection
        self.committed.append(datetime.now(UTC))


def milliseconds(url: str, a_second: int, seconds: int) -> list[float]:
    """Let timers be due at a pace, and return how late each was committed."""
    database, rules = Watched(url), Rules(1, SILENT, calendar_of(SILENT))
    database.committed = []
    first = datetime.now(UTC) + timedelta(seconds=12)
    with database.write() as connection:
        placed = first - timedelta(days=2)
        orders = [order_at(f"late {n}", placed + timedelta(seconds=n / a_second)) for n in range(a_second * seconds)]
        apply(connection, orders, datetime.now(UTC), rules)
    del orders  # a daemon has no such heap to look through
    gc.collect()
    daemon = Daemon(Runtime(database, rules, Messenger({}, Letters(None))))
    working = threading.Thread(target=daemon.run)
    working.start()
    time.sleep((first - datetime.now(UTC)).total_seconds() + seconds + 2)
    daemon.stop()
    working.join()
    timer = table_of(TimerRow)
    mine = select(timer.c.due_at, timer.c.fired_at).join(OrderRow, col(OrderRow.id) == timer.c.order_id)
    mine = mine.where(col(OrderRow.number).like("late %"), timer.c.number == 1, timer.c.status == "fired")
    with database.read() as connection:
        found = connection.execute(mine).all()
    committed = sorted(database.committed)
    ends = ((committed[bisect_left(committed, fired_at)], due_at) for due_at, fired_at in found)
    late = [(end - due_at).total_seconds() * 1_000 for end, due_at in ends]
    assert len(late) == a_second * seconds, "all of them have fired"
    return late


if __name__ == "__main__":
    print(json.dumps({"milliseconds": milliseconds(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))}))
