"""Kills a daemon at random moments while thousands of timers fire, and looks for what was lost, doubled or early.

Run it alone for the long version: `python -m drills.kills 300`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.outcomes import Arrival
from engine.reporting import apply
from storage import audits, heartbeats
from storage.database import Database
from storage.schema import upgrade
from workflow.case.case import Order, Report
from workflow.policy.policy import Policy, Rules, calendar_of

RULES = Rules(1, Policy(), calendar_of(Policy()))
ORDERS = 6_000
COMMAND = (sys.executable, "-c", "from admin.main import main; main()", "run")
QUESTIONS = {
    "lost": "SELECT count(*) FROM timers WHERE status = 'pending' AND due_at < :now",
    "early": "SELECT count(*) FROM timers WHERE status = 'fired' AND fired_at < due_at",
    "fired": "SELECT count(*) FROM timers WHERE status = 'fired'",
    "written": "SELECT count(*) FROM history WHERE due IS NOT NULL",
    "urged": "SELECT count(*) FROM history WHERE trigger = 'urge'",
    "effects": "SELECT count(*) FROM effects WHERE kind = 'urge_supplier'",
    "failed": "SELECT count(*) FROM timers WHERE status = 'failed'",
    "orders": "SELECT count(DISTINCT order_id) FROM history WHERE trigger = 'urge'",
}


def kill_at_random(kills: int, folder: Path, seed: int = 1688) -> dict[str, int]:
    """Fire ORDERS urges that fall due over the run, killing the daemon `kills` times; return the counts at the end."""
    dice = random.Random(seed)
    database = Database(f"sqlite:///{folder / 'killed.db'}")
    upgrade(database)
    seconds = 0.6 * kills + 4
    place_urges(database, ORDERS, seconds, datetime.now(UTC) - timedelta(seconds=2))
    environment = {**os.environ, "AFTERSALES_DATABASE": f"sqlite:///{folder / 'killed.db'}"}
    for _ in range(kills):
        daemon = subprocess.Popen(COMMAND, env=environment, stderr=subprocess.DEVNULL, cwd=folder)
        time.sleep(dice.uniform(0.3, 1.6))
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    _finish(database, environment, folder)
    counts = counted(database)
    database.close()
    return counts


def place_urges(database: Database, orders: int, seconds: float, first: datetime) -> None:
    """Place orders whose urges fall due over `seconds` from an instant on."""
    placed = first - timedelta(days=2)
    for begin in range(0, orders, 5_000):
        arrivals = []
        for n in range(begin, min(begin + 5_000, orders)):
            at = placed + timedelta(seconds=seconds * n / orders)
            order = Order("main", str(n), at, "CNY", "domestic", supplier=f"supplier {n % 50}")
            arrivals.append(Arrival(order, (), (), Report("place", at, "test", "place", "import:test")))
        with database.write() as connection:
            apply(connection, arrivals, datetime.now(UTC), RULES)


def _finish(database: Database, environment: dict[str, str], folder: Path) -> None:
    """Let one more daemon do what is left, and stop it as it should be stopped."""
    daemon = subprocess.Popen(COMMAND, env=environment, stderr=subprocess.DEVNULL, cwd=folder)
    deadline = time.monotonic() + 120
    begun = datetime.now(UTC)
    while time.monotonic() < deadline and not (_is_alive(database, begun) and counted(database, "urged")["urged"] >= ORDERS):
        time.sleep(0.3)
    daemon.terminate()
    assert daemon.wait(timeout=5) == 0, "the daemon did not end cleanly"


def _is_alive(database: Database, since: datetime) -> bool:
    with database.read() as connection:
        sign = heartbeats.last(connection)
    return sign is not None and sign["last_tick"] > since


def counted(database: Database, *names: str) -> dict[str, int]:
    """Return what there is of what is named; of all, the histories are told again too."""
    counts = {}
    with database.read() as connection:
        for name in names or QUESTIONS:
            question = text(QUESTIONS[name])
            if ":now" in QUESTIONS[name]:
                question = question.bindparams(bindparam("now", datetime.now(UTC), UTCDateTime))
            counts[name] = int(connection.execute(question).scalar() or 0)
        return counts if names else {**counts, "broken": len([*audits.broken_orders(connection)])}


def check(counts: dict[str, int], orders: int = ORDERS) -> None:
    """Hold the counts against what must be true."""
    assert counts["urged"] == counts["orders"] == counts["effects"] == orders, counts
    assert counts["fired"] == counts["written"], counts
    assert counts["lost"] == counts["early"] == counts["failed"] == counts["broken"] == 0, counts


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        found = kill_at_random(int(sys.argv[1]) if len(sys.argv) > 1 else 300, Path(place))
    print(found)
    check(found)
