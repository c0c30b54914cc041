"""The daemon inside this process, under a clock that is moved."""

import math
import threading
from dataclasses import asdict, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from effects.letters import Letters
from engine import owning
from engine.composing import Messenger
from engine.firing import Fired
from engine.inbox import Inbox
from engine.owning import AlreadyRunning, owned
from engine.processes import this_process
from engine.sending import Sender, Sent
from engine.taking_in import TakingIn
from jobs import daemon as jobs_daemon
from jobs import passes, summary
from jobs.daemon import Daemon, Limits
from jobs.passes import Runtime, single_pass
from storage import heartbeats, queries
from storage.database import Database, DatabaseFailed
from storage.scratch import create_tables
from storage.tables import HeartbeatRow
from tests.factories import START, arrival, day, report, rules_of, statuses, take
from tests.system.daemons import PATIENCE_SECONDS, Hanging, at_work
from workflow.vocabulary import State

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")


@pytest.fixture
def runtime(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    create_tables(database)
    channel = Hanging()
    channel.let_go.set()
    yield Runtime(database, RULES, Messenger({"file": channel}, Letters()))
    database.close()


def state(runtime, number="1"):
    with runtime.database.read() as connection:
        return queries.stored_case(connection, number).case.state


def passed(runtime, at):
    """Run all jobs of the daemon once."""
    with owned(runtime.database, "once", at) as owner:
        return single_pass(runtime, owner, lambda: at)


def test_a_timer_fires_at_its_instant_and_not_a_second_before(runtime, log):
    take(runtime.database, arrival("1"), rules=RULES)
    with freeze_time(day(2) - (day(1) - day(0)) / 86_400) as clock, at_work(runtime) as (daemon, codes):
        log.wait_for("runs on")
        assert state(runtime) is State.placed
        clock.move_to(day(2))
        daemon.scheduler.wakeup()
        log.wait_for("fired 1 timer, the first 0.000 s late")
        log.wait_for("sent 1 message")
    assert codes == [0]
    with runtime.database.read() as connection:
        assert heartbeats.last(connection)["stopped_at"] == day(2)


def test_a_ticker_that_hangs_ends_the_daemon_with_an_error(runtime, log, monkeypatch):
    hanging = threading.Event()
    monkeypatch.setattr(passes, "fire_due_timers", lambda *_: hanging.wait(PATIENCE_SECONDS))
    with at_work(runtime, Limits(dead_after_seconds=0.3, end_within_seconds=0.1)) as (daemon, codes):
        log.wait_for("the ticker is dead")
        log.wait_for("fire_due_timers did not stop in time")
    hanging.set()
    assert codes == [1]
    assert daemon.abandoned_threads


def test_a_ticker_that_fails_for_ever_ends_the_daemon_with_an_error(runtime, log, monkeypatch):
    def fail(*_):
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(passes, "fire_due_timers", fail)
    with at_work(runtime, Limits(dead_after_seconds=1.5)) as (_, codes):
        log.wait_for("the ticker is dead")
    assert codes == [1]


def with_inbox(runtime, tmp_path, monkeypatch):
    """Return what the jobs work on, with an inbox whose files have come to rest."""
    (tmp_path / "inbox").mkdir()
    monkeypatch.setattr(passes, "file_time", lambda: 4_000_000_000.0)
    inbox = Inbox(tmp_path / "inbox", (), timedelta(0), ZoneInfo("UTC"))
    return replace(runtime, taking_in=TakingIn(inbox, runtime.database))


SHIPPED = "id,placed_at,currency,ship_at\n1,2025-03-03T09:00:00Z,CNY,2025-03-04T09:00:00Z\n"


def test_what_a_file_tells_that_waits_at_the_start_keeps_a_clock_from_firing(runtime, log, tmp_path, monkeypatch):
    take(runtime.database, arrival("1"), rules=RULES)
    runtime = with_inbox(runtime, tmp_path, monkeypatch)
    (tmp_path / "inbox/orders.csv").write_text(SHIPPED)
    with freeze_time(day(3)), at_work(runtime) as (_, codes):
        log.wait_for("orders.csv: orders 1, new 0, rejected 0, reported ship 1 (done/orders.csv)")
    assert codes == [0]
    assert state(runtime) is State.shipped


def test_a_file_is_taken_in_while_the_daemon_runs(runtime, log, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_daemon, "LOOK_INTO_INBOX_EVERY", timedelta(milliseconds=20))
    runtime = with_inbox(runtime, tmp_path, monkeypatch)
    with at_work(runtime) as (_, codes):
        log.wait_for("runs on")
        (tmp_path / "inbox/strange.txt").write_text("hello\n")
        log.wait_for("strange.txt has no column 'id'")
        log.wait_for("(rejected/strange.txt)")
    assert codes == [0]


def held_up(monkeypatch):
    """Let the taking in of files last until the event is set."""
    until, take_in = threading.Event(), passes.take_in_files

    def wait(*arguments, **options):
        until.wait(PATIENCE_SECONDS)
        return take_in(*arguments, **options)

    monkeypatch.setattr(passes, "take_in_files", wait)
    return until


def test_timers_wait_while_files_are_taken_in(runtime, log, tmp_path, monkeypatch):
    take(runtime.database, arrival("1"), rules=RULES)
    monkeypatch.setattr(jobs_daemon, "FILES_FIRST_SECONDS", math.inf)
    until = held_up(monkeypatch)
    with freeze_time(day(2)), at_work(with_inbox(runtime, tmp_path, monkeypatch)) as (daemon, codes):
        log.wait_for("runs on")
        daemon.fire_due_timers()
        assert state(runtime) is State.placed
        until.set()
        log.wait_for("fired 1 timer")
    assert codes == [0]


def test_timers_do_not_wait_for_ever(runtime, log, tmp_path, monkeypatch):
    take(runtime.database, arrival("1"), rules=RULES)
    monkeypatch.setattr(jobs_daemon, "FILES_FIRST_SECONDS", -math.inf)
    until = held_up(monkeypatch)
    with freeze_time(day(2)), at_work(with_inbox(runtime, tmp_path, monkeypatch)) as (_, codes):
        log.wait_for("fired 1 timer")
        until.set()
    assert codes == [0]


def test_an_inbox_that_is_missing_keeps_no_clock_from_firing(runtime, log, tmp_path, monkeypatch):
    take(runtime.database, arrival("1"), rules=RULES)
    runtime = with_inbox(runtime, tmp_path, monkeypatch)
    (tmp_path / "inbox").rmdir()
    with freeze_time(day(2)), at_work(runtime) as (_, codes):
        log.wait_for("inbox is missing: make the folder")
        log.wait_for("fired 1 timer")
    assert codes == [0]


def test_a_pass_takes_files_in_before_it_fires(runtime, tmp_path, monkeypatch):
    take(runtime.database, arrival("1"), rules=RULES)
    runtime = with_inbox(runtime, tmp_path, monkeypatch)
    (tmp_path / "inbox/orders.csv").write_text(SHIPPED)
    done = passed(runtime, day(3))
    assert [one.place for one in done.taken] == ["done/orders.csv"]
    assert (done.fired.count, state(runtime)) == (0, State.shipped)


def test_a_stop_does_not_wait_for_a_mail_server_that_hangs(tmp_path, runtime, log):
    hanging = Hanging()
    runtime = Runtime(runtime.database, RULES, Messenger({"file": hanging}, Letters()))
    take(runtime.database, arrival("1"), arrival("2"), rules=RULES)
    with freeze_time(day(2)):
        with at_work(runtime, Limits(end_within_seconds=0.1)) as (daemon, codes):
            assert hanging.reached.wait(PATIENCE_SECONDS)
        assert codes == [0]
        assert daemon.abandoned_threads
        log.wait_for("send_file did not stop in time; the next daemon recovers its work")
    hanging.let_go.set()


class Recording:
    """Takes everything, and remembers of which kind it was."""

    def __init__(self):
        self.kinds, self.took = [], threading.Semaphore(0)

    def send(self, message):
        self.kinds.append(message.kind)
        self.took.release()


def test_a_channel_that_hangs_delays_no_other(runtime):
    rules = rules_of("[effects]\ndefault_channels = ['log']\n[effects.channels]\nurge_supplier = ['file', 'log']\n")
    hanging, other = Hanging(), Recording()
    take(runtime.database, arrival("1", supplier="A"), arrival("2", supplier="B"), rules=rules)
    runtime = Runtime(runtime.database, rules, Messenger({"file": hanging, "log": other}, Letters()))
    with freeze_time(day(2)), at_work(runtime, Limits(end_within_seconds=0.1)):
        assert hanging.reached.wait(PATIENCE_SECONDS)
        assert all(other.took.acquire(timeout=PATIENCE_SECONDS) for _ in range(2))
    hanging.let_go.set()


def test_the_daemon_writes_the_digest_of_the_day_once_when_it_starts_behind_its_hour(runtime):
    rules = rules_of("[contacts]\nmerchant = 'shop@example.com'\n")
    claimed = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"), report("submit_evidence", 4))
    take(runtime.database, arrival("1", *claimed, report("approve", 5)), now=5, rules=rules)
    box = Recording()
    runtime = Runtime(runtime.database, rules, Messenger({"log": box}, Letters()))
    with freeze_time(day(22)), at_work(runtime):
        while "daily_digest" not in box.kinds:
            assert box.took.acquire(timeout=PATIENCE_SECONDS)
    passed(runtime, day(22))
    assert box.kinds.count("daily_digest") == 1


def test_a_stop_ends_a_long_drain_between_two_batches(runtime, log, monkeypatch):
    take(runtime.database, *(arrival(str(n)) for n in range(30)), rules=RULES)
    begun, stopped = threading.Event(), threading.Event()
    fire = passes.fire_due

    def one_at_a_time(database, at, rules, traces):
        begun.set()
        stopped.wait(PATIENCE_SECONDS)
        return fire(database, at, rules, limit=1)

    monkeypatch.setattr(passes, "fire_due", one_at_a_time)
    with freeze_time(day(2)), at_work(runtime) as (daemon, codes):
        assert begun.wait(PATIENCE_SECONDS)
        daemon.stop()
        stopped.set()
    assert codes == [0]
    with runtime.database.read() as connection:
        counted = queries.counts(connection)
    assert counted["orders"] == {"overdue_urged": 1, "placed": 29}
    assert counted["effects"] == {"ready": 1}  # the digest is written when the drain has come to its end


def test_messages_that_a_stop_left_unsent_wait_for_the_next_round(runtime):
    take(runtime.database, arrival("1", supplier="A"), arrival("2", supplier="B"), arrival("3", supplier="C"), rules=RULES)
    passes.fire_due_timers(runtime, day(2))
    passes.compose_messages(runtime, day(2))
    asked = iter([True, False, False])
    with owned(runtime.database, "once", day(2)) as owner:
        sender = Sender(runtime.database, owner, RULES, runtime.messenger)
        assert passes.send_messages(sender, lambda: day(2), lambda: next(asked)).sent == 1
        assert passes.send_messages(sender, lambda: day(2)).sent == 2
    assert statuses(runtime.database) == {"urge_supplier": "sent"}


def test_daemons_of_long_ago_are_forgotten_and_those_of_late_are_not(runtime):
    kept = []
    for work, at in (("run", day(0)), ("run", day(30)), ("once", day(30))):
        with owned(runtime.database, work, at) as owner:
            kept.append(owner)
    passes.run_maintenance(runtime, day(31))
    with runtime.database.read() as connection:
        assert connection.execute(select(HeartbeatRow.daemon)).scalars().all() == [kept[1]]


def test_a_second_daemon_on_one_file_is_refused(runtime, log):
    with at_work(runtime):
        log.wait_for("runs on")
        with pytest.raises(AlreadyRunning, match="stop it first"):
            Daemon(runtime).run()


def bury(runtime):
    """Take the daemon for dead, as another machine does when its lease has run out; return its name."""
    with runtime.database.write() as connection:
        (owner,) = [row["daemon"] for row in heartbeats.alive(connection)]
        heartbeats.end(connection, [owner], day(2))
    return owner


def test_a_daemon_that_was_taken_for_dead_goes_on_under_a_new_name(runtime, log):
    take(runtime.database, arrival("1"), rules=RULES)
    with freeze_time(day(1), tick=True) as clock, at_work(runtime) as (daemon, codes):
        log.wait_for("runs on")
        buried = bury(runtime)
        clock.move_to(day(2))
        daemon.scheduler.wakeup()
        log.wait_for("this daemon was taken for dead, and goes on as ")
        log.wait_for("sent 1 message")
    assert codes == [0]
    with runtime.database.read() as connection:
        assert buried not in [row["daemon"] for row in heartbeats.alive(connection)]


@pytest.mark.parametrize("stored", [False, True])
def test_a_daemon_whose_start_broke_off_tries_again_and_is_not_taken_for_a_second_one(runtime, log, monkeypatch, stored):
    """Whether the database failed after the daemon had taken it, or while that was stored."""
    tries = iter([True, True, False])
    monkeypatch.setattr(jobs_daemon, "WAIT_FOR_DATABASE_SECONDS", 0.01)

    def broken(work):
        def again(*arguments, **options):
            done = work(*arguments, **options)
            if next(tries):
                raise DatabaseFailed("the connection was lost")
            return done

        return again

    if stored:
        monkeypatch.setattr(owning, "take", broken(owning.take))
    else:
        monkeypatch.setattr(passes, "on_startup", broken(passes.on_startup))
    with at_work(runtime) as (_, codes):
        log.wait_for("runs on")
        with runtime.database.read() as connection:
            assert len(heartbeats.alive(connection)) == 1
    assert codes == [0]


def test_a_daemon_in_whose_place_another_process_owns_the_file_stops_with_an_error(runtime, log):
    take(runtime.database, arrival("1"), rules=RULES)
    with freeze_time(day(1), tick=True) as clock, at_work(runtime) as (daemon, codes):
        log.wait_for("runs on")
        with runtime.database.write() as connection:
            heartbeats.end(connection, [row["daemon"] for row in heartbeats.alive(connection)], day(1))
            heartbeats.add(connection, "another", "once", asdict(this_process()), day(1))
        clock.move_to(day(2))
        daemon.scheduler.wakeup()
        log.wait_for("`aftersales once` is already running")
    assert codes == [1]


def test_a_pass_after_a_year_of_downtime_fires_in_due_order_and_sends_each_supplier_one_digest(make_database):
    database = make_database()
    runtime = Runtime(database, RULES, Messenger({"file": Hanging()}, Letters()))
    runtime.messenger.channels["file"].let_go.set()
    take(database, *(arrival(str(n), supplier=f"S{n % 3}") for n in range(700)), rules=RULES)
    first = passed(runtime, day(365))
    assert (first.fired.count, first.sent.sent) == (700, 3)
    again = passed(runtime, day(365))
    assert (again.fired.count, again.fired.failures, again.sent) == (0, [], Sent())
    later = passed(runtime, day(367))
    assert (later.fired.count, later.sent.sent) == (
        700,
        703,
    )  # 700 orders elsewhere, 3 former suppliers
    assert day(365) > START


def test_of_two_people_and_a_timer_that_meet_one_wins_and_the_others_are_told(database):
    from drills.racing import Race

    race = Race(database, 50)
    race.run()
    race.check()


def test_a_busy_daemon_says_once_a_minute_what_it_did_and_at_once_what_was_late_or_failed(log, monkeypatch):
    class Monotonic:
        at = 1_000.0

        def monotonic(self):
            return self.at

    times = Monotonic()
    monkeypatch.setattr(summary, "time", times)
    told = summary.Summary()
    for _ in range(100):
        told.add_fired(Fired(count=3))
        told.add_sent(Sent(sent=2))
        times.at += 0.5
    assert log.lines == ["fired 3 timers, the first 0.000 s late", "sent 2 messages, 0 could not be sent"]
    told.add_fired(Fired(count=1, lateness_seconds=2.5))
    told.add_sent(Sent(failed=1, why="no route"))
    assert log.lines[2:] == ["fired 298 timers, the first 2.500 s late", "sent 198 messages, 1 could not be sent (no route)"]
    times.at += 70
    told.say()
    assert len(log.lines) == 4, "nothing was done since"
    told.add_fired(Fired(count=1))
    told.add_fired(Fired(count=1))
    told.say(urgent=True)
    assert log.lines[4:] == ["fired 1 timer, the first 0.000 s late"] * 2


def test_a_daily_digest_that_the_database_refuses_is_tried_again_soon(runtime, monkeypatch):
    rules = rules_of("[contacts]\nmerchant = 'shop@example.com'\n")
    box, failed = Recording(), threading.Event()
    claimed = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"), report("submit_evidence", 4))
    take(runtime.database, arrival("1", *claimed, report("approve", 5)), now=5, rules=rules)
    write = passes.daily.write_daily_digests

    def fails_once(*told):
        if not failed.is_set():
            failed.set()
            raise DatabaseFailed("busy")
        return write(*told)

    monkeypatch.setattr(passes.daily, "write_daily_digests", fails_once)
    monkeypatch.setattr(jobs_daemon, "DAILY_AGAIN_AFTER", timedelta(milliseconds=50))
    runtime = Runtime(runtime.database, rules, Messenger({"log": box}, Letters()))
    with freeze_time(day(22), tick=True), at_work(runtime):
        while "daily_digest" not in box.kinds:
            assert box.took.acquire(timeout=PATIENCE_SECONDS)
