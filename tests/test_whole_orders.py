"""Whole orders driven by random reports, clock moves, crashes and repeats, held against what must always be true."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from effects.file import FileChannel
from effects.letters import Letters
from engine.apply import apply
from engine.delivery import PostOffice, deliver_due, recover
from engine.firing import fire_due
from storage import queries
from storage.database import Database
from storage.scratch import create_tables
from tests.conftest import START, rules_of
from tests.test_engine import arrival
from workflow.order import Report
from workflow.reports import FIELDS

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
TRIGGERS = sorted(set(FIELDS) - {"place", "override", "promise"})
ORDERS = ("1", "2", "3")


class Crash(Exception):
    pass


class WholeOrders(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = TemporaryDirectory()
        self.out = Path(self.folder.name) / "out.jsonl"
        self.database = Database(f"sqlite:///{self.folder.name}/machine.db")
        create_tables(self.database)
        self.now = START
        self.told: list[tuple[str, Report]] = []
        with self.database.write() as connection:
            apply(connection, [arrival(number) for number in ORDERS], self.now, RULES)

    @rule(number=st.sampled_from(ORDERS), trigger=st.sampled_from(TRIGGERS), hours_ago=st.integers(0, 100))
    def somebody_reports(self, number, trigger, hours_ago):
        at = self.now - timedelta(hours=hours_ago)
        report = Report(trigger, at, "test", f"{trigger}@{at.isoformat()}", "carrier:test", {})
        self.told.append((number, report))
        self._tell(number, report)

    @rule(data=st.data())
    def somebody_repeats_a_report(self, data):
        if self.told:
            number, report = data.draw(st.sampled_from(self.told))
            before = self._versions()
            self._tell(number, report)
            assert self._versions() == before

    @rule(number=st.sampled_from(ORDERS), state=st.sampled_from(["placed", "shipped", "delivered", "refunding"]))
    def a_person_overrides(self, number, state):
        fields = {"to": state, "reason": "agreed by phone"}
        report = Report("override", self.now, "person:kim", str(len(self.told)), "person:kim", fields)
        self.told.append((number, report))
        self._tell(number, report)

    @rule(hours=st.sampled_from([1, 24, 48, 240, 9_000]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    @rule(number=st.sampled_from(ORDERS))
    def a_crash_before_the_commit_leaves_nothing_behind(self, number):
        before = self._versions()
        report = Report("ship", self.now, "test", "crash", "carrier:test", {})
        with suppress(Crash), self.database.write() as connection:
            apply(connection, [arrival(number, report, placing=False)], self.now, RULES)
            raise Crash
        assert self._versions() == before

    @rule(limit=st.sampled_from([1, 2, 1000]))
    def the_daemon_fires(self, limit):
        fire_due(self.database, self.now, RULES, limit)

    @rule()
    def the_daemon_drains_and_is_left_with_nothing_due(self):
        rounds = 0
        while fire_due(self.database, self.now, RULES).count:
            rounds += 1
            assert rounds < 20, "what repeats came in a burst"
        with self.database.read() as connection:
            due = "SELECT count(*) FROM timers WHERE status = 'pending' AND due_at <= :now"
            assert connection.execute(text(due), {"now": str(self.now)[:19]}).scalar() == 0

    @rule()
    def the_daemon_sends(self):
        recover(self.database, self.now, timedelta(0))
        deliver_due(self.database, self.now, RULES, PostOffice({"file": FileChannel(self.out)}, Letters()))

    def _tell(self, number, report):
        with self.database.write() as connection:
            apply(connection, [arrival(number, report, placing=False)], self.now, RULES)

    def _versions(self):
        with self.database.read() as connection:
            return connection.execute(text("SELECT id, version, state FROM orders")).all()

    @invariant()
    def every_chain_holds(self):
        if hasattr(self, "database"):
            with self.database.read() as connection:
                assert [*queries.broken_chains(connection)] == []

    @invariant()
    def nothing_fires_early_or_twice(self):
        if hasattr(self, "database"):
            with self.database.read() as connection:
                early = "SELECT count(*) FROM timers WHERE status = 'fired' AND fired_at < due_at"
                assert connection.execute(text(early)).scalar() == 0
                fired = connection.execute(text("SELECT count(*) FROM timers WHERE status = 'fired'")).scalar()
                written = connection.execute(text("SELECT count(*) FROM history WHERE due IS NOT NULL")).scalar()
                assert fired == written

    @invariant()
    def state_and_history_agree(self):
        if hasattr(self, "database"):
            with self.database.read() as connection:
                disagree = (
                    "SELECT count(*) FROM orders o JOIN history h ON h.order_id = o.id AND h.sequence = o.version "
                    "WHERE h.target <> o.state"
                )
                assert connection.execute(text(disagree)).scalar() == 0

    @invariant()
    def every_message_left_once_under_its_key(self):
        if hasattr(self, "database") and self.out.exists():
            keys = Counter(line.split('"key": "')[1].split('"')[0] for line in self.out.read_text().splitlines())
            assert not keys or max(keys.values()) == 1

    def teardown(self):
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()


TestWholeOrders = WholeOrders.TestCase
TestWholeOrders.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
