"""Who fires and sends owns the database by a row: one owner of an SQLite file, and messages that their owner alone finishes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.owning import LEASE, AlreadyRunning, OwnershipLost, new_name, owned, take
from engine.processes import has_ended, this_process
from engine.sending import OUTCOME_UNKNOWN, Sender, recover
from storage import heartbeats
from storage.database import Database, DatabaseFailed, DatabaseUnready
from storage.tables import EffectRow, HeartbeatRow, MessageRow, table_of
from tests.factories import all_effects, arrival, day, decide, report, rules_of, statuses
from tests.factories import take as place
from workflow.process import EFFECTS

MOVING = {effect.kind for effect in EFFECTS if effect.moves}
RULES = rules_of("[effects]\ndefault_channels = ['file']\n[effects.modes]\nplace_supply = 'auto'\n")

on_sqlite = pytest.mark.parametrize("make_database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("make_database", ["postgresql"], indirect=True)


class Channel:
    """A channel that does something while it sends."""

    def __init__(self, meanwhile=lambda _: None):
        self.keys, self.meanwhile = [], meanwhile

    def send(self, message):
        self.keys.append(message.key)
        self.meanwhile(len(self.keys))


@pytest.fixture
def ended():
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = replace(this_process(), pid=child.pid, started=_started(child.pid))
    assert has_ended(found) is False
    child.communicate(b"\n")
    return found


def _started(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[19]


def row_of(database, process, at, work="run"):
    """Store an owner as another process would."""
    with database.write() as connection:
        heartbeats.add(connection, f"other:{process.pid}", work, asdict(process), at)


def waiting(database, suppliers="ABCDE"):
    """Make messages that wait to be sent: an urge to each supplier."""
    place(database, *(arrival(name, supplier=name) for name in suppliers), rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, Messenger({}, Letters()))


def messages(database):
    with database.read() as connection:
        return connection.execute(select(table_of(MessageRow)).order_by(MessageRow.id)).mappings().all()


# --- processes ---


def test_a_process_has_ended_when_its_pid_is_free_or_another_process_has_it(ended):
    assert has_ended(ended) is True
    assert has_ended(this_process()) is False
    assert has_ended(replace(this_process(), started="1")) is True


@pytest.mark.parametrize("change", [{"boot": "another"}, {"pid_space": "pid:[1]"}])
def test_of_a_process_of_another_machine_or_container_nothing_is_known(change):
    assert has_ended(replace(this_process(), **change)) is None


# --- owners ---


@on_sqlite
def test_a_file_has_one_owner_and_the_second_is_told_which(database):
    with (
        owned(database, "run", day(0)),
        pytest.raises(AlreadyRunning, match=rf"a daemon is already .*\(process {os.getpid()} on "),
    ):
        take(database, "once", day(0))
    with owned(database, "once", day(0)), pytest.raises(AlreadyRunning, match="`aftersales once` is already running"):
        take(database, "run", day(0))
    take(database, "run", day(0))


@pytest.mark.parametrize("silent", [timedelta(0), timedelta(days=400)])
@on_sqlite
def test_an_owner_whose_process_has_ended_is_followed_at_once_and_one_that_lives_never(database, ended, silent):
    row_of(database, ended, day(0))
    with owned(database, "run", day(0)), pytest.raises(AlreadyRunning):
        take(database, "run", day(0) + silent)


@on_sqlite
def test_an_owner_of_before_the_machine_was_started_anew_is_followed_at_once(database):
    row_of(database, replace(this_process(), boot="the one before"), day(0))
    take(database, "run", day(0))


@on_sqlite
def test_an_owner_in_another_container_is_followed_when_its_lease_has_run_out(database):
    row_of(database, replace(this_process(), pid_space="pid:[1]"), day(0))
    with pytest.raises(AlreadyRunning):
        take(database, "run", day(0) + LEASE)
    take(database, "run", day(0) + LEASE + timedelta(seconds=1))


@on_sqlite
def test_a_symbolic_link_or_a_lost_lock_file_makes_no_second_owner(database, tmp_path):
    (tmp_path / "link.db").symlink_to(database.file)
    linked = Database(f"sqlite:///{tmp_path / 'link.db'}")
    with owned(database, "run", day(0)), pytest.raises(AlreadyRunning):
        take(linked, "run", day(0))
    linked.close()


@on_sqlite
def test_a_file_with_a_second_name_is_refused_by_both(database, tmp_path):
    (tmp_path / "other.db").hardlink_to(database.file)
    for name in (database.file, tmp_path / "other.db"):
        with pytest.raises(DatabaseUnready, match="has a second name"):
            Database(f"sqlite:///{name}").require()


def test_a_process_that_owns_a_database_many_thousand_times_never_has_a_name_twice():
    assert len({new_name() for _ in range(30_000)}) == 30_000


@on_postgresql
def test_a_server_has_many_owners(database):
    with owned(database, "run", day(0)), owned(database, "run", day(0)) as second, database.read() as connection:
        assert second in [row["daemon"] for row in heartbeats.alive(connection)]
        assert len(heartbeats.alive(connection)) == 2


# --- messages ---


def test_a_message_that_a_person_drops_while_another_one_is_being_sent_never_leaves(database):
    def drop(number):
        if number > 1:
            return
        with database.write() as connection:
            for table in (table_of(MessageRow), table_of(EffectRow)):  # another sender could not send them
                connection.execute(update(table).where(table.c.id > 1).values(status="dead"))
            stuck = [row for row in all_effects(connection) if row["status"] == "dead"]
            assert decide(connection, "drop", stuck, "person:kim", day(2)) == 4

    waiting(database)
    channel = Channel(drop)
    with owned(database, "run", day(2)) as owner:
        assert Sender(database, owner, RULES, Messenger({"file": channel}, Letters())).send_due(lambda: day(2)).sent == 1
    assert len(channel.keys) == 1
    with database.read() as connection:
        assert sorted(row["status"] for row in all_effects(connection)) == ["dropped"] * 4 + ["sent"]


def test_a_sender_that_takes_hours_is_not_taken_for_dead_and_says_when_each_message_left(database):
    hours = iter(range(100))
    channel = Channel(lambda _: recover(database, day(2) + timedelta(hours=next(hours))))
    waiting(database)
    moments = iter(day(2) + timedelta(hours=n / 2) for n in range(100))
    with owned(database, "run", day(2)) as owner:
        assert Sender(database, owner, RULES, Messenger({"file": channel}, Letters())).send_due(lambda: next(moments)).sent == 5
    left = [row["sent_at"] for row in messages(database)]
    assert len(set(left)) == 5
    assert {row["status"] for row in messages(database)} == {"sent"}


def test_of_a_killed_sender_the_message_under_way_alone_is_recovered(database, ended):
    place(database, arrival("1", report("report_no_stock", 1)), arrival("2"), now=1, rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, Messenger({}, Letters()))
    killed = Messenger({"file": Channel(lambda _: sys.exit("killed"))}, Letters())
    owner = take(database, "run", day(2))
    with pytest.raises(SystemExit):
        Sender(database, owner, RULES, killed).send_due(lambda: day(2))
    assert recover(database, day(2)) == 0, "its process lives"
    with database.write() as connection:
        connection.execute(update(HeartbeatRow).values(**asdict(ended)))
    assert recover(database, day(2)) == 1
    assert [row["error"] for row in messages(database)] == [OUTCOME_UNKNOWN, None, None]
    assert statuses(database) == {"place_supply": "parked", "recover_supply": "written", "urge_supplier": "written"}


@on_sqlite
def test_what_cannot_be_recorded_while_the_file_is_busy_is_recorded_later_and_not_sent_twice(database):
    database.busy_timeout_ms = 10
    other = Database(str(database.url))
    held = other.write()
    channel = Channel(lambda number: held.__enter__() if number == 2 else None)
    waiting(database)
    with owned(database, "run", day(2)) as owner:
        sender = Sender(database, owner, RULES, Messenger({"file": channel}, Letters()))
        with pytest.raises(DatabaseFailed):
            sender.send_due(lambda: day(2))
        assert [row["status"] for row in messages(database)] == ["sent", "sending", "sending", "waiting", "waiting"]
        with pytest.raises(DatabaseFailed):
            sender.send_due(lambda: day(2))
        held.__exit__(None, None, None)
        assert recover(database, day(3)) == 0, "its owner lives, and knows what became of it"
        assert sender.send_due(lambda: day(2)).sent == 2
    assert len(channel.keys) == len({*channel.keys}) == 5
    assert {row["status"] for row in messages(database)} == {"sent"}
    other.close()


def test_what_was_taken_by_a_commit_whose_end_was_not_seen_is_given_back(database):
    """The server took the commit, and the connection broke: the message was taken, and its sending never began."""
    waiting(database)
    channel = Channel()
    with owned(database, "run", day(2)) as owner:
        sender = Sender(database, owner, RULES, Messenger({"file": channel}, Letters()))
        write, broken = database.write, []

        class Breaking:
            def __enter__(self):
                self.opened = write()
                return self.opened.__enter__()

            def __exit__(self, *how):
                self.opened.__exit__(*how)
                if not broken:
                    broken.append(True)
                    raise DatabaseFailed("the connection broke")

        database.write = Breaking
        with pytest.raises(DatabaseFailed):
            sender.send_due(lambda: day(2))
        assert [row["status"] for row in messages(database)] == ["sending", *["waiting"] * 4]
        assert sender.send_due(lambda: day(2)).sent == 5
        database.write = write
    assert len(channel.keys) == len({*channel.keys}) == 5
    assert {row["tries"] for row in messages(database)} == {1}


def test_a_sender_that_was_taken_for_dead_changes_nothing_that_is_anothers_now(database):
    def bury(number):
        if number == 2:
            with database.write() as connection:
                heartbeats.end(connection, [owner], day(2))
            assert recover(database, day(2)) == 1

    waiting(database)
    channel = Channel(bury)
    owner = take(database, "run", day(2))
    with pytest.raises(OwnershipLost):
        Sender(database, owner, RULES, Messenger({"file": channel}, Letters())).send_due(lambda: day(2))
    assert [row["status"] for row in messages(database)] == ["sent", *["waiting"] * 4]
    assert messages(database)[1]["error"] == OUTCOME_UNKNOWN


@on_postgresql
def test_two_senders_of_one_server_hand_nothing_over_twice(database):
    waiting(database, "ABCDEFGHIJ")
    channels = Messenger({"file": (channel := Channel())}, Letters())
    first, second = (Sender(database, take(database, "run", day(2)), RULES, channels) for _ in range(2))
    channel.meanwhile = lambda number: second.send_due(lambda: day(2)) if number == 3 else None
    first.send_due(lambda: day(2))
    assert len(channel.keys) == len({*channel.keys}) == 10
    assert {row["status"] for row in messages(database)} == {"sent"}


@on_postgresql
def test_two_transactions_that_raise_one_flag_on_a_server_do_not_fail(database):
    from storage.attention import raise_flags

    place(database, arrival("1"), rules=RULES)
    with database.write() as one:
        raise_flags(one, [(1, "effect_stuck", day(1), "first")])
    with database.write() as one, database.write() as other:
        raise_flags(one, [(1, "retime_failed", day(1), "one")])
        one.commit()
        raise_flags(other, [(1, "retime_failed", day(1), "other")])
    with database.read() as connection:
        assert [*connection.exec_driver_sql("SELECT flag, detail FROM attention ORDER BY id")] == [
            ("effect_stuck", "first"),
            ("retime_failed", "one"),
        ]


def test_no_command_opens_the_database_file_itself(tmp_path):
    """Closing a file drops all locks that this process has on it, SQLite's own among them, and a commit can be lost."""
    watched = f"""
import json, sys
opened = []
def hook(event, arguments):
    if event == "open" and str(arguments[0]).startswith({str(tmp_path / "shop.db")!r}):
        opened.append(str(arguments[0]))
sys.addaudithook(hook)
from click.testing import CliRunner
from admin.main import cli
for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(cli, ["--database", "sqlite:///{tmp_path / "shop.db"}", *words])
    assert done.exit_code in (0, 3), (words, done.output, done.exception)
print(*opened)
"""
    (tmp_path / "orders.csv").write_text("id,placed_at,supplier,sku,quantity\n1,2026-01-01T00:00:00Z,Yiwu,A,1\n")
    commands = [
        ["db", "upgrade"],
        ["import", str(tmp_path / "orders.csv")],
        *(["once"], ["orders"], ["check"], ["audit"], ["stats"], ["explain", "1"], ["show", "1"]),
        ["timers", "shift", "--by", "1d", "--all"],
        ["db", "backup", str(tmp_path / "backup.db")],
        ["db", "copy", f"sqlite:///{tmp_path / 'copy.db'}"],
        ["erase", "--order", "1", "--yes"],
    ]
    ran = [sys.executable, "-c", watched, json.dumps(commands)]
    done = subprocess.run(ran, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    locks = {str(tmp_path / "shop.db"), f"{tmp_path / 'shop.db'}-wal", f"{tmp_path / 'shop.db'}-shm"}
    opened = done.stdout.split()
    assert opened.count(str(tmp_path / "shop.db")) == 1, "made, before SQLite has it open"
    assert not {*opened} & (locks - {str(tmp_path / "shop.db")})


def test_harmless_messages_are_taken_together_as_long_as_that_is_quick_and_what_moves_money_by_itself(database):
    left = [arrival(f"m{n}", report("report_no_stock", 1), supplier=f"S{n}") for n in range(2)]
    place(database, *(arrival(str(n), supplier=f"U{n}") for n in range(12)), *left, now=1, rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, Messenger({}, Letters()))
    taken, seconds = [], [0]

    class Slow(Channel):
        def send(self, message):
            with database.read() as connection:
                m = table_of(MessageRow)
                begun = connection.execute(m.select().where(m.c.status == "sending")).mappings().all()
            taken.append({row["kind"] for row in begun})
            sizes.append(len(begun))
            seconds[0] += slow[0]
            super().send(message)

    sizes, slow = [], [0]
    with owned(database, "run", day(2)) as owner:
        sender = Sender(database, owner, RULES, Messenger({"file": Slow()}, Letters()))
        sender.send_due(lambda: day(2) + timedelta(seconds=seconds[0]))
    assert max(sizes) > 4
    assert all(len(kinds) == 1 for kinds in taken if kinds & MOVING), "what moves goods or money goes by itself"
    assert [size for size, kinds in zip(sizes, taken, strict=True) if kinds & MOVING] == [1] * 4
    slow[0], sizes = 2, []
    place(database, *(arrival(f"z{n}", supplier=f"Z{n}") for n in range(5)), now=1, rules=RULES)
    fire_due(database, day(2.1), RULES)
    compose_due(database, day(2.1), RULES, Messenger({}, Letters()))
    with owned(database, "run", day(2.1)) as owner:
        Sender(database, owner, RULES, Messenger({"file": Slow()}, Letters())).send_due(
            lambda: day(2.1) + timedelta(seconds=seconds[0])
        )
    assert set(sizes) == {1}


def test_messages_that_a_stop_leaves_untried_wait_for_the_next_round(database):
    place(database, *(arrival(str(n), supplier=f"U{n}") for n in range(9)), rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, Messenger({}, Letters()))
    channel = Channel()
    with owned(database, "run", day(2)) as owner:
        sender = Sender(database, owner, RULES, Messenger({"file": channel}, Letters()))
        assert sender.send_due(lambda: day(2), lambda: len(channel.keys) < 5).sent == 5
        assert sorted(row["status"] for row in messages(database)) == ["sent"] * 5 + ["waiting"] * 4
        assert {row["tries"] for row in messages(database) if row["status"] == "waiting"} == {0}
        assert sender.send_due(lambda: day(2)).sent == 4
    assert len({*channel.keys}) == len(channel.keys) == 9
