"""One contender at work on one database, in a process of its own: prints how many firings it did and in what time."""

import json
import sys
import time
from collections.abc import Callable

from bench import limit, peers
from bench.work import RULES, due_by
from engine.firing import BATCH, fire_due
from engine.firing_grouped import Traces
from storage.database import Database

Work = Callable[[str, int], float]
"""Does all that is due of a database's first orders; returns the seconds that took."""


def in_shares(url: str, share: int, shares: int) -> list[float]:
    """Fire one share of the due orders after the other, as the daemon does; return the seconds of each."""
    database, traces, taken = Database(url), Traces(), []
    for number in range(1, shares + 1):
        begun, done = time.perf_counter(), 0
        while fired := fire_due(database, due_by(share * number), RULES, traces=traces).count:
            done += fired
        taken.append(time.perf_counter() - begun)
        assert abs(done - share) < share / 5, f"{done} fired where {share} are due"
    database.close()
    return taken


def by_hand(url: str, count: int) -> float:
    """Fire with SQL written by hand."""
    return _in_batches(url, count, lambda database: limit.fire(database, due_by(count), BATCH))


def by_us(url: str, count: int) -> float:
    """Fire as the daemon does."""
    traces = Traces()
    return _in_batches(url, count, lambda database: fire_due(database, due_by(count), RULES, traces=traces).count)


def _in_batches(url: str, count: int, fire: Callable[[Database], int]) -> float:
    database, done = Database(url), 0
    begun = time.perf_counter()
    while fired := fire(database):
        done += fired
    seconds = time.perf_counter() - begun
    assert done == count, f"{done} of {count} fired"
    database.close()
    return seconds


CONTENDERS: dict[str, Work] = {
    "limit": by_hand,
    "aftersales": by_us,
    "apscheduler": peers.apscheduler,
    "procrastinate": peers.procrastinate,
    "dbos": peers.dbos,
}

if __name__ == "__main__":
    name, address, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        print(json.dumps({"shares": in_shares(address, number, int(sys.argv[4]))}))
        sys.exit()
    print(json.dumps({"seconds": CONTENDERS[name](address, number), "count": number}))
