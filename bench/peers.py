"""The peers: engines that run one job for each order. Each does the same work, at the concurrency that suits it best.

What they do is more than what is done here: their jobs may be any code. Their next timer is a job of their own.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.work import sealed
from storage.database import Database
from storage.sqlite import text_of

THREADS = {"sqlite": 1, "postgresql": 20}
PROCRASTINATE_AT_ONCE = 10
DBOS_AT_ONCE = 40
"""At these numbers each of them is fastest on two processors; more of them wait for each other."""
NEXT = timedelta(days=2)

_LOOK = (
    "SELECT o.shop, o.number, o.state, o.version, o.last_hash, a.supplier, t.due_at FROM orders o "
    "JOIN attempts a ON a.order_id = o.id AND a.number = o.current "
    "JOIN timers t ON t.order_id = o.id AND t.number = 1 WHERE o.id = ?"
)
_STEPS = (
    "UPDATE orders SET state = 'overdue_urged', since = ?, version = version + 1, last_hash = ? WHERE id = ? AND version = ?",
    "UPDATE attempts SET urged_at = ? WHERE order_id = ? AND number = 1",
    "INSERT INTO history (order_id, sequence, trigger, source, target, occurred, due, recorded, actor, details, policy, wrote, "
    "hash) VALUES (?, ?, 'urge', ?, 'overdue_urged', ?, ?, ?, 'timer', '{}', 1, ?, ?)",
    "INSERT INTO effects (order_id, sequence, kind, attempt, supplier, details, status, caused_at) "
    "VALUES (?, ?, 'urge_supplier', 1, ?, ?, 'ready', ?)",
)


def _rows(order_id: int, row: Any, at: Any) -> list[tuple[Any, ...]]:
    """Return the parameters of the steps, from what was looked up."""
    shop, number, state, version, last_hash, supplier, due_at = row
    seal = [last_hash, f"{shop}/{number}", version + 1, "urge", state, "overdue_urged", str(at), str(due_at), str(at)]
    wrote = {"timers": {"1": "fired", "2": ["reroute", str(at)]}}
    made = sealed([*seal, "timer", None, {}, 1, wrote])
    return [
        (at, made, order_id, version),
        (at, order_id),
        (order_id, version + 1, state, at, due_at, at, json.dumps(wrote), made),
        (order_id, version + 1, supplier, f'{{"about":"urge","supplier":"{supplier}"}}', at),
    ]


def _urge(connection: Any, order_id: int, at: Any, mark: str) -> None:
    """Do the work for one order within a transaction of the driver's; peers that are woken twice do it once."""
    row = connection.execute(_LOOK.replace("?", mark), (order_id,)).fetchone()
    for statement, values in zip(_STEPS, _rows(order_id, row, at), strict=True):
        changed = connection.execute(statement.replace("?", mark), values).rowcount
        assert changed == 1, "every step changes or adds one row"


class _Counter:
    """Counts what is done, and says when all of it is."""

    def __init__(self, count: int) -> None:
        self._left, self._lock, self.done = count, threading.Lock(), threading.Event()

    def one(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.done.set()


_database: Database
_scheduler: Any
_counter: _Counter


def _apscheduler_job(order_id: int) -> None:
    now = datetime.now(UTC)
    with _database.write() as connection:
        sqlite = connection.dialect.name == "sqlite"
        at = text_of(now) if sqlite else now
        _urge(connection.connection.driver_connection, order_id, at, "?" if sqlite else "%s")
    _scheduler.add_job(_apscheduler_next, "date", run_date=now + NEXT, args=[order_id])
    _counter.one()


def _apscheduler_next(order_id: int) -> None:
    """Never runs: it is due in two days."""


def apscheduler(url: str, count: int) -> float:
    """One job for each order in APScheduler's SQLAlchemy job store, which is the same database."""
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    global _database, _scheduler, _counter
    _database, _counter = Database(url), _Counter(count)
    _database.busy_timeout_ms = 60_000
    store = SQLAlchemyJobStore(engine=_database.engine)
    threads = ThreadPoolExecutor(THREADS[_database.url.get_backend_name()])
    _scheduler = BackgroundScheduler(jobstores={"default": store}, executors={"default": threads}, timezone=UTC)
    _scheduler.start(paused=True)
    for order_id in range(1, count + 1):
        due = datetime.now(UTC) - timedelta(seconds=count - order_id)
        _scheduler.add_job(_apscheduler_job, "date", run_date=due, args=[order_id], misfire_grace_time=None)
    return _timed(_scheduler.resume, _counter, _scheduler.shutdown)


def procrastinate(url: str, count: int) -> float:
    """One job for each order in Procrastinate's queue, with an asynchronous worker."""
    return asyncio.run(_procrastinate(_plain(url), count))


async def _procrastinate(url: str, count: int) -> float:
    import psycopg_pool
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url, max_size=PROCRASTINATE_AT_ONCE + 2))
    done = 0

    @app.task(queue="later")
    async def later(order_id: int) -> None:
        """Never runs: it is due in two days."""

    async with app.open_async(), psycopg_pool.AsyncConnectionPool(url, min_size=PROCRASTINATE_AT_ONCE) as pool:

        @app.task(queue="urges")
        async def urge(order_id: int) -> None:
            nonlocal done
            now = datetime.now(UTC)
            async with pool.connection() as connection:
                row = await (await connection.execute(_LOOK.replace("?", "%s").encode(), (order_id,))).fetchone()
                for statement, values in zip(_STEPS, _rows(order_id, row, now), strict=True):
                    await connection.execute(statement.replace("?", "%s").encode(), values)
            await later.configure(schedule_at=now + NEXT).defer_async(order_id=order_id)
            done += 1

        await app.schema_manager.apply_schema_async()
        await urge.batch_defer_async(*({"order_id": order_id} for order_id in range(1, count + 1)))
        begun = time.perf_counter()
        await app.run_worker_async(
            queues=["urges"],
            wait=False,
            concurrency=PROCRASTINATE_AT_ONCE,
            install_signal_handlers=False,
            delete_jobs="successful",
        )
        seconds = time.perf_counter() - begun
    assert done == count, f"{done} of {count} done"
    return seconds


def dbos(url: str, count: int) -> float:
    """One workflow for each order in a queue of DBOS, whose work is one step."""
    import psycopg_pool
    from dbos import DBOS, SetEnqueueOptions

    counter = _Counter(count)
    pool = psycopg_pool.ConnectionPool(_plain(url), min_size=DBOS_AT_ONCE)
    DBOS(config={"name": "bench", "system_database_url": url, "sys_db_pool_size": DBOS_AT_ONCE, "log_level": "ERROR"})

    @DBOS.workflow()
    def later(order_id: int) -> None:
        """Never runs: it is due in two days."""

    @DBOS.step()
    def work(order_id: int) -> None:
        with pool.connection() as connection:
            _urge(connection, order_id, datetime.now(UTC), "%s")

    @DBOS.workflow()
    def urge(order_id: int) -> None:
        work(order_id)
        with SetEnqueueOptions(delay_seconds=NEXT.total_seconds()):
            DBOS.enqueue_workflow("later", later, order_id)
        counter.one()

    DBOS.launch()
    DBOS.register_queue("later")
    # what is enqueued waits until the queue is there for workers, too
    for order_id in range(1, count + 1):
        DBOS.enqueue_workflow("urges", urge, order_id)
    return _timed(
        lambda: DBOS.register_queue("urges", worker_concurrency=DBOS_AT_ONCE, polling_interval_sec=0.05),
        counter,
        DBOS.destroy,
    )


def _timed(begin: Callable[[], object], counter: _Counter, end: Callable[[], object]) -> float:
    begun = time.perf_counter()
    begin()
    assert counter.done.wait(300), "the peer did not come to an end"
    seconds = time.perf_counter() - begun
    end()
    return seconds


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")
