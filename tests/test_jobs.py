"""The daemon inside this process, under a clock that is moved."""

import logging
import threading
from contextlib import contextmanager

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from effects.channel import Outgoing
from effects.letters import Letters
from engine.delivery import PostOffice
from jobs import daemon as daemons
from jobs import tick
from jobs.daemon import Daemon
from jobs.lock import AlreadyRunning
from jobs.tick import Workplace, single_pass
from storage import heartbeats, queries
from storage.database import Database
from storage.scratch import create_tables
from storage.tables import HeartbeatRow
from tests.conftest import START, day, rules_of
from tests.test_delivery import statuses
from tests.test_engine import arrival, take
from workflow.words import State

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
PATIENCE_SECONDS = 20


class Hanging:
    """A mail server that takes a message and says nothing more until it is let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = threading.Event(), threading.Event()

    def send(self, message: Outgoing) -> None:
        self.reached.set()
        self.let_go.wait(PATIENCE_SECONDS)


class Listening(logging.Handler):
    """Lets a test wait for a line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.heard = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.heard:
            self.lines.append(record.getMessage())
            self.heard.notify_all()

    def wait_for(self, words: str) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: any(words in line for line in self.lines), PATIENCE_SECONDS), self.lines


@pytest.fixture
def log():
    handler, logger = Listening(), logging.getLogger("aftersales.jobs")
    level, logger.level = logger.level, logging.INFO
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def place(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    create_tables(database)
    channel = Hanging()
    channel.let_go.set()
    yield Workplace(database, RULES, PostOffice({"file": channel}, Letters()))
    database.close()


@contextmanager
def at_work(place: Workplace):
    """Run a daemon in a thread; afterwards it has ended, and `codes` has its exit code."""
    daemon, codes = Daemon(place), []
    thread = threading.Thread(target=lambda: codes.append(daemon.run()))
    thread.start()
    try:
        yield daemon, codes
    finally:
        daemon.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def state(place, number="1"):
    with place.database.read() as connection:
        return queries.stored_case(connection, number).case.state


def test_a_timer_fires_at_its_instant_and_not_a_second_before(place, log):
    take(place.database, arrival("1"), rules=RULES)
    with freeze_time(day(2) - (day(1) - day(0)) / 86_400) as clock, at_work(place) as (daemon, codes):
        log.wait_for("works on")
        assert state(place) is State.placed
        clock.move_to(day(2))
        daemon.scheduler.wakeup()
        log.wait_for("fired 1 timers, the first 0.000 s late")
        log.wait_for("sent 1 messages")
    assert codes == [0]
    with place.database.read() as connection:
        assert heartbeats.last(connection)["stopped_at"] == day(2)


def test_a_ticker_that_hangs_ends_the_daemon_with_an_error(place, log, monkeypatch):
    hanging = threading.Event()
    monkeypatch.setattr(daemons, "DEAD_AFTER_SECONDS", 0.3)
    monkeypatch.setattr(daemons, "END_WITHIN_SECONDS", 0.1)
    monkeypatch.setattr(tick, "fire_due_timers", lambda *_: hanging.wait(PATIENCE_SECONDS))
    with at_work(place) as (daemon, codes):
        log.wait_for("the ticker is dead")
        log.wait_for("fire_due_timers did not come to an end")
    hanging.set()
    assert codes == [1]
    assert daemon.left_behind


def test_a_ticker_that_fails_for_ever_ends_the_daemon_with_an_error(place, log, monkeypatch):
    def fail(*_):
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(daemons, "DEAD_AFTER_SECONDS", 1.5)
    monkeypatch.setattr(tick, "fire_due_timers", fail)
    with at_work(place) as (_, codes):
        log.wait_for("the ticker is dead")
    assert codes == [1]


def test_a_stop_does_not_wait_for_a_mail_server_that_hangs(tmp_path, place, log, monkeypatch):
    monkeypatch.setattr(daemons, "END_WITHIN_SECONDS", 0.1)
    hanging = Hanging()
    place = Workplace(place.database, RULES, PostOffice({"file": hanging}, Letters()))
    take(place.database, arrival("1"), arrival("2"), rules=RULES)
    with freeze_time(day(2)):
        with at_work(place) as (daemon, codes):
            assert hanging.reached.wait(PATIENCE_SECONDS)
        assert codes == [0]
        assert daemon.left_behind
        log.wait_for("send_effects did not come to an end; the next daemon takes over what it left")
    hanging.let_go.set()


def test_a_stop_ends_a_long_drain_between_two_batches(place, log, monkeypatch):
    take(place.database, *(arrival(str(n)) for n in range(30)), rules=RULES)
    begun, stopped = threading.Event(), threading.Event()
    fire = tick.fire_due

    def one_at_a_time(database, at, rules):
        begun.set()
        stopped.wait(PATIENCE_SECONDS)
        return fire(database, at, rules, limit=1)

    monkeypatch.setattr(tick, "fire_due", one_at_a_time)
    with freeze_time(day(2)), at_work(place) as (daemon, codes):
        assert begun.wait(PATIENCE_SECONDS)
        daemon.stop()
        stopped.set()
    assert codes == [0]
    with place.database.read() as connection:
        counted = queries.counts(connection)
    assert counted["orders"] == {"overdue_urged": 1, "placed": 29}
    assert counted["effects"] == {"ready": 1}  # the digest is written when the drain has come to its end


def test_messages_that_a_stop_left_unsent_wait_for_the_next_round(place):
    take(place.database, arrival("1", supplier="A"), arrival("2", supplier="B"), arrival("3", supplier="C"), rules=RULES)
    tick.fire_due_timers(place, day(2))
    tick.compose_messages(place, day(2))
    asked = iter([True, False, False])
    assert tick.send_messages(place, day(2), lambda: next(asked)).sent == 1
    assert tick.send_messages(place, day(2)).sent == 2
    assert statuses(place.database) == {"urge_supplier": "sent"}


def test_daemons_of_long_ago_are_forgotten_and_those_of_late_are_not(place):
    for name, at in (("old:1", day(0)), ("new:1", day(30))):
        tick.beat(place, name, at, 0.0)
    tick.keep_house(place, day(31))
    with place.database.read() as connection:
        assert connection.execute(select(HeartbeatRow.daemon)).scalars().all() == ["new:1"]


def test_a_second_daemon_on_one_file_is_refused(place, log):
    with at_work(place):
        log.wait_for("works on")
        with pytest.raises(AlreadyRunning, match="stop it first"):
            Daemon(place).run()


def test_a_pass_after_a_year_of_downtime_fires_in_due_order_and_sends_each_supplier_one_digest(make_database):
    database = make_database()
    place = Workplace(database, RULES, PostOffice({"file": Hanging()}, Letters()))
    place.office.channels["file"].let_go.set()
    take(database, *(arrival(str(n), supplier=f"S{n % 3}") for n in range(700)), rules=RULES)
    fired, sent = single_pass(place, day(365))
    assert (fired.count, sent.sent) == (700, 3)
    again, nothing = single_pass(place, day(365))
    assert (again.count, again.failures, nothing) == (0, [], type(sent)())
    fired, sent = single_pass(place, day(367))
    assert (fired.count, sent.sent) == (700, 700)  # `place_supply` waits for a word, each recovery is asked for
    assert day(365) > START


def test_of_two_people_and_a_timer_that_meet_one_wins_and_the_others_are_told(database):
    from tests.racing import Race

    race = Race(database, 50)
    race.run()
    race.check()
