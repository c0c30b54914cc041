"""What must be true after every move of a simulated shop, and what when all has come to rest (docs/process.md, part 9)."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, bindparam, select, text
from sqlmodel.sql.sqltypes import UTCDateTime

from drills.simulation.world import Broken, World
from engine import operations
from storage import audits, cases, queries
from storage.tables import HistoryTableRow, OrderRow, TimerRow, table_of
from workflow.case.case import Case
from workflow.table import CLOCK_OF, EFFECT_OF
from workflow.vocabulary import Verdict

UNKNOWN_AFTER = ("kill", "kill before commit", "kill after commit", "commit fails", "commit unknown", "locked", "full", "slow")
"""Faults after which a sender may not know what became of its message."""
AHEAD = timedelta(hours=2)
"""A clock that is off by less is believed."""
_O, _H, _T = table_of(OrderRow), table_of(HistoryTableRow), table_of(TimerRow)
_VERSIONS = select(_O.c.id, _O.c.version, _O.c.last_hash)
_ROWS = (
    select(
        _H.c.order_id, _H.c.sequence, _H.c.hash, _H.c.due, _H.c.recorded, _H.c.trigger, _H.c.source, _H.c.target, _H.c.details
    )
    .where(_H.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_H.c.order_id, _H.c.sequence)
)
_TIMERS = select(_T.c.order_id, _T.c.trigger, _T.c.ledger, _T.c.claim, _T.c.status, _T.c.due_at, _T.c.fired_at).where(
    _T.c.order_id.in_(bindparam("ids", expanding=True))
)
_EFFECTS = text("SELECT order_id, sequence, kind, attempt FROM effects WHERE order_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
_OVERDUE = text("SELECT count(*) FROM timers WHERE status = 'pending' AND due_at <= :now").bindparams(
    bindparam("now", None, UTCDateTime)
)


def _undone(rows: Sequence[Any]) -> set[int]:
    """Return the numbers of the steps that were taken back."""
    undos = (row for row in rows if row.trigger == "undo")
    return {number for row in undos for number in range(json.loads(row.details)["first"], row.sequence)}


class Promises:
    """Holds a world against its promises; `checked` counts how often, by promise."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._heads: dict[int, list[str]] = {}
        self.checked: Counter[str] = Counter()

    @property
    def orders(self) -> int:
        """How many orders there were at the last check."""
        return len(self._heads)

    def check(self) -> None:
        """Check what changed since the last call.

        Raises:
            Broken: a promise was broken.

        """
        world = self._world
        with world.look.read() as connection:
            versions = {key: (version, last) for key, version, last in connection.execute(_VERSIONS)}
            changed = [key for key, (version, last) in versions.items() if self._heads.get(key, [""])[-1] != last]
            gone = self._heads.keys() - versions.keys()
            self._claim("9.1", not gone, lambda: f"orders {sorted(gone)} are gone")
            if changed:
                self._of_orders(connection, changed)
        self._of_messages()

    def at_rest(self) -> None:
        """Check what must be true when nothing is left to do and nothing disturbs.

        Raises:
            Broken: a promise was broken.

        """
        world = self._world
        with world.look.read() as connection:
            overdue = connection.execute(_OVERDUE, {"now": world.now}).scalar()
            self._claim("9.1", overdue == 0, lambda: f"{overdue} due timers were never fired")
            for what, sql in _LEFT.items():
                left = connection.execute(text(sql)).scalars().all()
                self._claim("9.11", not left, lambda what=what, left=left: f"{what}: {left[:3]}")
            broken = [*audits.broken_orders(connection), *audits.missing_orders(connection)]
            self._claim("9.2", not broken, lambda: f"the audit finds {broken[:2]}")
            parked = connection.execute(text("SELECT count(*) FROM messages WHERE status = 'parked'")).scalar() or 0
            known = world.sink.uncertain + sum(world.gate.struck[kind] for kind in UNKNOWN_AFTER)
            self._claim("9.3", parked <= known, lambda: f"{parked} messages are parked, and {known} can have been under way")
            for chain, paid, settled in connection.execute(text(_OF_CHAINS)):
                back = f"{settled} came back for {chain} and its replacements, and {paid} was paid"
                self._claim("4.2", settled <= paid, lambda back=back: back)
            for error in connection.execute(text(_UNWRITTEN)).scalars():
                self._claim("9.5", "address" in (error or ""), lambda error=error: f"no message could be written: {error}")
            self._of_commands(connection)
            self._of_reports(connection)
        self._of_erased()

    def _claim(self, promise: str, holds: bool, why: Callable[..., str]) -> None:
        self.checked[promise] += 1
        if not holds:
            raise Broken(f"promise {promise}: {why()}")

    def _of_orders(self, connection: Connection, ids: Sequence[int]) -> None:
        wanted = {"ids": ids}
        for one in audits.findings_of(connection, ids):
            self._claim("9.2", one.wrong is None, lambda one=one: f"{one.order}: {one.wrong}")
        histories: dict[int, list[Any]] = defaultdict(list)
        for row in connection.execute(_ROWS, wanted):
            histories[row.order_id].append(row)
        timers: dict[int, list[Any]] = defaultdict(list)
        for row in connection.execute(_TIMERS, wanted):
            timers[row.order_id].append(row)
        effects = [tuple(row) for row in connection.execute(_EFFECTS, wanted)]
        self._claim(
            "9.2", len(effects) == len({*effects}), lambda: f"an effect was caused twice: {Counter(effects).most_common(1)}"
        )
        for key, one in cases.load(connection, ids, lock=False).items():
            self._of_history(key, histories[key])
            self._of_timers(one.case, timers[key], histories[key])
            self._of_money(one.case)
        steps = {(row.order_id, row.sequence) for rows in histories.values() for row in rows}
        self._claim("9.2", all(one[:2] in steps for one in effects), lambda: "an effect has no step that caused it")

    def _of_history(self, key: int, rows: Sequence[Any]) -> None:
        """Nothing that was acknowledged is ever changed or taken back."""
        before, now = self._heads.get(key, []), [row.hash for row in rows]
        self._claim("9.9", now[: len(before)] == before, lambda: f"order row {key}: steps that were stored are gone")
        for row in rows[len(before) :]:
            if row.trigger == "undo":
                was = rows[json.loads(row.details)["first"] - 1].source
                self._claim("2.19", row.target == was, lambda was=was: f"order row {key}: taken back, it was {was} before")
        ahead = max(row.recorded for row in rows) - self._world.now
        self._claim("9.12", ahead < AHEAD, lambda: f"order row {key}: a step was recorded {ahead} ahead of the clock")
        self._heads[key] = now

    def _of_timers(self, case: Case, timers: Sequence[Any], rows: Sequence[Any]) -> None:
        fired = [one for one in timers if one.status == "fired"]
        early = [one.trigger for one in fired if one.fired_at < one.due_at]
        undone = _undone(rows)
        told = sum(row.due is not None and row.sequence not in undone for row in rows)
        self._claim("9.1", not early, lambda: f"{case.name}: {early} fired early")
        self._claim("9.1", told == len(fired), lambda: f"{case.name}: {len(fired)} timers fired, and {told} steps say so")
        running = [one for one in timers if one.status in ("pending", "paused")]
        twice = [one for one, count in Counter((one.trigger, one.ledger, one.claim) for one in running).items() if count > 1]
        self._claim("9.1", not twice, lambda: f"{case.name}: {twice} run twice")
        for one in running:
            clock = CLOCK_OF[one.trigger]
            places = clock.runs_in if one.status == "pending" else (*clock.runs_in, *clock.pauses_in, *clock.waits_in)
            self._claim("9.2", case.state in places, lambda one=one: f"{case.name}: {one.trigger} {one.status} in {case.state}")

    def _of_money(self, case: Case) -> None:
        """No more goes back than was paid; one refund and one claim are open at most."""
        refunds = [row for row in case.ledger if row.side == "refund"]
        for attempt in case.attempts if not case.order.chain else ():
            paid = case.paid_for(attempt.number)
            settled = sum(row.settled_amount or 0 for row in refunds if row.attempt == attempt.number)
            self._claim("4.2", paid is None or settled <= paid, f"{case.name}: {settled} came back of {paid}".__str__)
        self._claim("4.2", sum(row.status == "requested" for row in refunds) <= 1, lambda: f"{case.name}: two refunds are open")
        self._claim("8.2", sum(one.status == "open" for one in case.claims) <= 1, lambda: f"{case.name}: two claims are open")

    def _of_messages(self) -> None:
        sink = self._world.sink
        self._claim("9.3", not sink.wrong, lambda: sink.wrong[0])
        for key, texts in sink.texts.items():
            self._claim("9.3", len(texts) == 1, lambda key=key: f"{key} left with different texts")
        for key, times in sink.taken.items():
            if EFFECT_OF[sink.kinds[key]].moves:
                self._claim("9.3", times <= 1, lambda key=key, times=times: f"{key} was taken {times} times")

    def _of_commands(self, connection: Connection) -> None:
        """A command on timers under a name has done each of them once."""
        for name in sorted(self._world.named):
            moved = select(_H.c.order_id, _H.c.details, _H.c.recorded).where(_H.c.reason == name, _H.c.trigger.like("%_timer"))
            when: dict[tuple[int, int], list[datetime]] = defaultdict(list)
            for order_id, details, recorded in connection.execute(moved.order_by(_H.c.recorded)):
                when[order_id, json.loads(details)["timer"]].append(recorded)
            doubled = [one for one, at in when.items() if any(b - a < operations.KEPT for a, b in pairwise(at))]
            self._claim("9.11", not doubled, lambda name=name, doubled=doubled: f"{name} has moved {doubled[:1]} twice")

    def _of_reports(self, connection: Connection) -> None:
        """What was acknowledged as applied is in the history; what was said is kept once, with its verdict."""
        undone = {*connection.execute(select(_H.c.order_id).where(_H.c.trigger == "undo")).scalars()}
        stored = {
            (row["source"], row["key"]): Verdict.undone if key in undone else row["verdict"]
            for (key,) in connection.execute(select(_O.c.id))
            for row in queries.reports(connection, key)
        }
        for one in self._world.told:
            verdict = stored.get((one.report.source, one.report.key))
            if one.verdict in (Verdict.applied, Verdict.refused, Verdict.exception):
                self._claim(
                    "9.9", verdict is not None, lambda one=one: f"the report {one.report.key} was acknowledged and is gone"
                )
            if one.verdict is Verdict.applied:
                self._claim(
                    "9.9",
                    verdict in (Verdict.applied, Verdict.undone),
                    lambda one=one, verdict=verdict: f"{one.report.key} was applied and is {verdict}",
                )

    def _of_erased(self) -> None:
        """Nothing of a buyer who was erased is left anywhere."""
        world = self._world
        for buyer in world.erased:
            found = [*_places_that_name(world, buyer)]
            self._claim("9.10", not found, lambda buyer=buyer, found=found: f"{buyer} is still in {found}")


def _places_that_name(world: World, buyer: str) -> Iterator[str]:
    with world.look.read() as connection:
        for table, columns in _TEXTS.items():
            for column in columns:
                found = text(f"SELECT count(*) FROM {table} WHERE {column} LIKE :buyer")
                if connection.execute(found, {"buyer": f"%{buyer}%"}).scalar():
                    yield f"{table}.{column}"


_TEXTS: Mapping[str, Sequence[str]] = {
    "orders": ("buyer_name", "buyer_email", "buyer_address"),
    "reports": ("fields", "reason", "word"),
    "history": ("reason", "details", "wrote"),
    "effects": ("details", "error"),
    "messages": ("recipient", "subject", "body", "error"),
    "attention": ("detail", "word"),
    "claims": ("evidence",),
    "operations": ("plan",),
}
_OF_CHAINS = """
SELECT first.number, first.paid, sum(ledger.settled_amount) FROM orders
JOIN orders AS first ON first.shop = orders.shop AND first.number = coalesce(orders.chain, orders.number)
JOIN ledger ON ledger.order_id = orders.id AND ledger.side = 'refund' AND ledger.settled_amount IS NOT NULL
WHERE first.paid IS NOT NULL AND first.current = 1 AND ledger.attempt = 1 GROUP BY first.number, first.paid
"""
_UNWRITTEN = "SELECT error FROM effects WHERE status = 'dead' AND id NOT IN (SELECT effect_id FROM message_members)"
_LEFT = {
    "operations are open": "SELECT id FROM operations WHERE ended_at IS NULL",
    "messages are being sent": "SELECT key FROM messages WHERE status = 'sending'",
    "messages wait": "SELECT key FROM messages WHERE status = 'waiting'",
    "effects are ready": "SELECT kind FROM effects WHERE status = 'ready'",
    "timers were set aside": "SELECT trigger FROM timers WHERE status = 'failed'",
}
"""What there must not be when all has come to rest, and what asks for it."""
