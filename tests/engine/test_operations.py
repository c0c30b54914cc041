"""Work in several places leaves a record of what is open: killed anywhere, it is finished, and nothing is done twice."""

import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from effects.file import FileChannel
from effects.letters import Letters
from engine import backups, claim_evidence, erasing, operations, timer_commands
from engine.backups import back_up, evidence_beside, go_live, held, is_held, restore
from engine.claim_evidence import Submission, add_evidence
from engine.composing import Messenger, compose_due
from engine.erasing import BuyerSelection, Places, erase, find, finish_interrupted
from engine.evidence_keeping import OLD_ENOUGH, compare, remove_unclaimed
from engine.operations import OperationTaken
from engine.owning import owned
from engine.processes import this_process
from engine.sending import Sender, deliver_due
from engine.timer_commands import CommandInterrupted, Selection, TimerCommand, apply_command, resume
from evidence.vault import S3Access, Vault
from jobs.passes import Runtime, finish_operations, single_pass
from storage import audits, queries
from storage import operations as stored
from storage.database import Database, DatabaseFailed
from storage.tables import HistoryTableRow, MessageRow, OperationRow, TimerRow, table_of
from tests.factories import arrival, day, report, rules_of, take
from tests.pictures import photo
from workflow.case.case import Report
from workflow.errors import AftersalesError, UsageError

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
KIM = {"buyer_name": "Kim Lee", "buyer_email": "kim@example.com", "buyer_address": "1 Long Road"}
SHIFT = TimerCommand("shift", "person:kim", "holiday", by=timedelta(days=8))


class Killed(BaseException):
    """The process was killed here."""


def killed(*_, **__):
    raise Killed


@pytest.fixture
def gone():
    """A process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return {**asdict(this_process()), "pid": child.pid, "started": "1"}


def bury(database, process):
    """Let every open operation be one of a process that has ended."""
    import json

    with database.write() as connection:
        connection.execute(update(table_of(OperationRow)).values(process=json.dumps(process)))


def rows(database, model):
    with database.read() as connection:
        return connection.execute(select(table_of(model))).mappings().all()


@pytest.fixture
def places(tmp_path):
    return Places(Vault(str(tmp_path / "vault"), S3Access()), tmp_path / "outbox.jsonl")


def runtime(database, places):
    return Runtime(database, RULES, Messenger({"file": FileChannel(places.outbox)}, Letters()), places)


# --- commands on many timers ---


@pytest.fixture
def shop(database, monkeypatch):
    """Ten orders, and batches of three."""
    monkeypatch.setattr(timer_commands, "BATCH", 3)
    take(database, *(arrival(str(n)) for n in range(10)), rules=RULES)
    return database


def shifted(database):
    """Return by how many days each timer was moved."""
    return sorted((row["due_at"] - row["planned_at"]).days for row in rows(database, TimerRow))


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_shift_that_was_killed_between_batches_is_finished_and_moves_nothing_twice(shop, places, monkeypatch, gone, batches):
    carry_out, left = timer_commands._batch, [None] * batches
    monkeypatch.setattr(timer_commands, "_batch", lambda *a, **o: (left.pop(), carry_out(*a, **o))[1] if left else killed())
    with pytest.raises(Killed):
        apply_command(shop, Selection(), SHIFT, day(1), RULES)
    monkeypatch.setattr(timer_commands, "_batch", carry_out)
    assert shifted(shop).count(8) == 3 * batches
    finish_operations(runtime(shop, places), day(1))
    assert shifted(shop).count(8) == 3 * batches, "its process lives: it goes on by itself"
    bury(shop, gone)
    finish_operations(runtime(shop, places), day(1))
    finish_operations(runtime(shop, places), day(1))
    assert shifted(shop) == [8] * 10


def test_a_shift_that_the_database_stops_says_how_far_it_came_and_goes_on_under_its_name(shop, monkeypatch):
    carry_out = timer_commands._batch

    def locked(*arguments, **options):
        if shifted(shop).count(8) == 6:
            raise DatabaseFailed("the database is locked")
        return carry_out(*arguments, **options)

    monkeypatch.setattr(timer_commands, "_batch", locked)
    with pytest.raises(CommandInterrupted, match=r"6 of 10 timers were done before that; .* --operation holiday"):
        apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday")
    monkeypatch.setattr(timer_commands, "_batch", carry_out)
    assert len(apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday")) == 4
    assert shifted(shop) == [8] * 10
    assert apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday") == []
    assert shifted(shop) == [8] * 10
    with shop.write() as connection, pytest.raises(UsageError, match="name of another operation"):
        operations.begin(connection, operations.ERASE, "person:kim", day(1), {}, "holiday")


def test_a_name_belongs_to_one_change_and_a_preview_under_it_says_what_is_left(shop, monkeypatch):
    assert len(apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday", dry_run=True)) == 10
    carry_out, left = timer_commands._batch, [None]
    monkeypatch.setattr(timer_commands, "_batch", lambda *a, **o: (left.pop(), carry_out(*a, **o))[1] if left else killed())
    with pytest.raises(Killed):
        apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday")
    monkeypatch.setattr(timer_commands, "_batch", carry_out)
    others = {
        "by 9 days": (Selection(), TimerCommand("shift", "person:kim", by=timedelta(days=9))),
        "another supplier": (Selection(suppliers=("Ningbo",)), SHIFT),
        "a pause": (Selection(), TimerCommand("pause", "person:kim")),
    }
    for preview in (True, False):
        for wanted, command in others.values():
            with pytest.raises(UsageError, match=r"holiday is the name of another operation \(timers shift by 8 days"):
                apply_command(shop, wanted, command, day(1), RULES, operation_id="holiday", dry_run=preview)
    assert len(apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday", dry_run=True)) == 7
    assert len(apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday")) == 7
    assert apply_command(shop, Selection(), SHIFT, day(1), RULES, operation_id="holiday", dry_run=True) == []
    with pytest.raises(UsageError, match="name of another operation"):
        apply_command(shop, *others["by 9 days"], day(1), RULES, operation_id="holiday")
    assert shifted(shop) == [8] * 10


def test_two_processes_that_go_on_with_one_shift_move_nothing_twice(shop, monkeypatch):
    carry_out, left = timer_commands._batch, [None]
    monkeypatch.setattr(timer_commands, "_batch", lambda *a, **o: (left.pop(), carry_out(*a, **o))[1] if left else killed())
    with pytest.raises(Killed):
        apply_command(shop, Selection(), SHIFT, day(1), RULES)
    monkeypatch.setattr(timer_commands, "_batch", carry_out)
    with shop.read() as connection:
        (seen,) = stored.open_ones(connection)
    assert len(resume(shop, seen, day(1), RULES)) == 7
    with pytest.raises(OperationTaken, match="nothing was done twice"):
        resume(shop, seen, day(1), RULES)
    assert shifted(shop) == [8] * 10


# --- erasing ---


@pytest.fixture
def with_kim(database, places, tmp_path):
    """Kim in orders, reports, messages that have left, that wait and that were tried, and in the store of evidence."""
    claim = (report("ship", 0.1), report("deliver", 0.2), report("open_claim", 0.3, kind="damaged", reason="Kim Lee wrote"))
    address = report("correct_address", 0.2, address="2 Short Street")
    take(database, arrival("1", address, **KIM), arrival("2", *claim, **KIM), arrival("3", address, **KIM), now=1, rules=RULES)
    messenger = Messenger({"file": FileChannel(places.outbox)}, Letters())
    deliver_due(database, day(1), RULES, messenger)
    add_evidence(database, places.vault, Submission("2", [photo(tmp_path / "kims.jpg")], "person:op"), day(1.5), RULES)
    return database


def traces(database, places):
    """Return where Kim still is."""
    found = []
    with database.read() as connection:
        for table in ("orders", "reports", "messages", "effects", "attention", "claims", "evidence", "operations", "timers"):
            text = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all()).lower()
            found += [table for trace in ("kim lee", "kim@example", "long road", "short street", "kims.jpg") if trace in text]
    outbox = places.outbox.read_text().lower()
    found += ["outbox" for trace in ("kim lee", "short street") if trace in outbox]
    return found + [f"vault {folder}" for folder, _, _ in places.vault.kept()]


STOPS = [
    (erasing, "_erase_rows"),
    (erasing, "_remove_files"),
    (erasing, "_still_leaving"),
    (erasing, "_erase_lines"),
    (Database, "purge_deleted_data"),
    (erasing.stored, "end"),
]


@pytest.mark.parametrize(("where", "name"), STOPS, ids=[name for _, name in STOPS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_erasure_that_was_killed_anywhere_is_finished_and_the_buyer_is_nowhere(
    with_kim, places, monkeypatch, gone, where, name, after
):
    assert traces(with_kim, places)
    whole = getattr(where, name)
    monkeypatch.setattr(where, name, lambda *a, **o: (whole(*a, **o) if after else None, killed()))
    with pytest.raises(Killed):
        erase(with_kim, places, find(with_kim, BuyerSelection("kim lee")), "person:op", day(2), RULES)
    monkeypatch.setattr(where, name, whole)
    bury(with_kim, gone)
    done = finish_interrupted(with_kim, places, day(2), RULES)
    assert [one.remains for one in done] in ([None], [])
    assert traces(with_kim, places) == []
    assert finish_interrupted(with_kim, places, day(2), RULES) == []
    with with_kim.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        erased = select(func.count()).where(table_of(HistoryTableRow).c.trigger == "erase")
        assert connection.execute(erased).scalar() == 3


def test_an_erasure_whose_database_cannot_be_rewritten_says_so_and_is_finished_later(with_kim, places, monkeypatch):
    error = with_kim.engine.dialect.loaded_dbapi.OperationalError

    def locked(*_):
        raise error("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(type(with_kim._kind), "purge", locked)
        done = erase(with_kim, places, find(with_kim, BuyerSelection("kim@example.com")), "person:op", day(2), RULES)
    assert "could not be rewritten" in done.remains
    assert [one.remains for one in finish_interrupted(with_kim, places, day(2), RULES)] == []
    assert len(operations.open_operations(with_kim, day(2))) == 1


def test_what_a_killed_erasure_has_left_beside_the_outbox_file_is_written_over(with_kim, places):
    left = places.outbox.with_name(f"{places.outbox.name}.part")
    left.write_text("a message to Kim Lee")
    places.outbox.touch()
    erase(with_kim, places, find(with_kim, BuyerSelection("kim@example.com")), "person:op", day(2), RULES)
    assert not left.exists()


def test_two_processes_that_finish_one_erasure_note_it_once(with_kim, places, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_erase_rows", killed)
        with pytest.raises(Killed):
            erase(with_kim, places, find(with_kim, BuyerSelection("kim lee")), "person:op", day(2), RULES)
    with with_kim.read() as connection:
        (seen,) = stored.open_ones(connection)
    assert erasing.finish(with_kim, places, seen, day(2), RULES).remains is None
    with pytest.raises(OperationTaken):
        erasing.finish(with_kim, places, seen, day(2), RULES)
    assert [row["trigger"] for row in rows(with_kim, HistoryTableRow)].count("erase") == 3


def test_a_message_that_is_being_sent_meanwhile_leaves_no_trace_when_its_erasure_has_ended(database, places, gone):
    address = report("correct_address", 0.2, address="2 Short Street")
    take(database, arrival("1", address, **KIM), now=1, rules=RULES)
    outbox = FileChannel(places.outbox)
    compose_due(database, day(1), RULES, Messenger({}, Letters()))

    class Slow:
        def send(self, message):
            found = find(database, BuyerSelection("kim lee"))
            done = erase(database, places, found, "person:op", day(1), RULES)
            assert "being sent at this moment" in done.remains
            outbox.send(message)

    with owned(database, "run", day(1)) as owner:
        assert Sender(database, owner, RULES, Messenger({"file": Slow()}, Letters())).send_due(lambda: day(1)).sent == 1
    assert "outbox" in traces(database, places)
    bury(database, gone)
    finish_operations(runtime(database, places), day(1))
    assert traces(database, places) == []


def test_a_message_that_was_tried_leaves_under_another_key_when_its_text_has_changed(database, places):
    address = report("correct_address", 0.2, address="2 Short Street")
    take(database, arrival("1", address, **KIM), arrival("2", address, **KIM), now=1, rules=RULES)
    compose_due(database, day(1), RULES, Messenger({}, Letters()))
    with database.write() as connection:
        connection.execute(update(MessageRow).where(MessageRow.id == 1).values(tries=1))
    before = [row["key"] for row in sorted(rows(database, MessageRow), key=lambda row: row["id"])]
    erase(database, places, find(database, BuyerSelection("kim lee")), "person:op", day(1), RULES)
    after = [row["key"] for row in sorted(rows(database, MessageRow), key=lambda row: row["id"])]
    assert after[0] != before[0]
    assert after[1] == before[1], "nobody has seen it yet"


# --- evidence ---


def test_files_that_a_killed_process_had_not_written_whole_are_removed(database, places):
    kept = places.vault.folder / "shown" / "5b" / f"{'5b' * 32}#1"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half of a photo")
    remove_unclaimed(database, places.vault, datetime.now(UTC))
    assert kept.exists(), "it may be written at this moment"
    remove_unclaimed(database, places.vault, datetime.now(UTC) + OLD_ENOUGH)
    assert not kept.exists()


def test_files_that_a_killed_process_kept_and_never_reported_are_found_and_removed(database, places, tmp_path, monkeypatch):
    claim = (report("ship", 0.1), report("deliver", 0.2), report("open_claim", 0.3, kind="damaged"))
    take(database, arrival("1", *claim), now=1, rules=RULES)
    picture = photo(tmp_path / "lamp.jpg")
    with monkeypatch.context() as patched:
        patched.setattr(claim_evidence, "_report", killed)
        patched.setattr(claim_evidence, "_give_up", lambda *_: None)  # a killed process gives nothing up
        with pytest.raises(Killed):
            add_evidence(database, places.vault, Submission("1", [picture], "person:op"), day(1), RULES)
    ((_, sha256, since), _) = places.vault.kept()
    left = places.vault.folder / "workspace" / "aftersales-killed"
    left.mkdir(parents=True)
    assert compare(database, places.vault, since).unclaimed == frozenset(), "it may be about to be reported"
    later = since + OLD_ENOUGH + timedelta(seconds=1)
    assert compare(database, places.vault, later).unclaimed == {sha256}
    assert remove_unclaimed(database, places.vault, later) == 1
    assert [*places.vault.kept()] == []
    assert not left.exists()
    add_evidence(database, places.vault, Submission("1", [picture], "person:op"), day(1), RULES)
    assert remove_unclaimed(database, places.vault, later) == 0
    places.vault.remove(sha256)
    assert compare(database, places.vault, later).missing == {sha256}


# --- backups ---

on_sqlite = pytest.mark.parametrize("make_database", ["sqlite"], indirect=True)


@pytest.fixture
def kept(with_kim, places, tmp_path):
    """A backup of a lived installation, with evidence."""
    done = back_up(with_kim, places.vault, tmp_path / "backup.db")
    assert (done.orders, done.files, done.missing) == (3, 1, ())
    return tmp_path / "backup.db"


@on_sqlite
@pytest.mark.parametrize(("where", "name"), [(Database, "copy_file"), (backups, "_copy_evidence"), (backups.os, "rename")])
def test_a_backup_that_was_killed_has_no_name_and_the_next_one_succeeds(with_kim, places, tmp_path, monkeypatch, where, name):
    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed)
        patched.setattr(backups, "_remove", lambda *_: None)
        with pytest.raises(Killed):
            back_up(with_kim, places.vault, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()
    assert not evidence_beside(tmp_path / "backup.db").exists()
    assert back_up(with_kim, places.vault, tmp_path / "backup.db").files == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@on_sqlite
def test_a_backup_that_was_killed_between_its_two_names_is_made_anew(with_kim, places, tmp_path, monkeypatch):
    rename, calls = backups.os.rename, []

    def second_killed(*names):
        calls.append(names)
        return rename(*names) if len(calls) == 1 else killed()

    with monkeypatch.context() as patched:
        patched.setattr(backups.os, "rename", second_killed)
        with pytest.raises(Killed):
            back_up(with_kim, places.vault, tmp_path / "backup.db")
    assert evidence_beside(tmp_path / "backup.db").exists()
    assert not (tmp_path / "backup.db").exists()
    assert back_up(with_kim, places.vault, tmp_path / "backup.db").files == 1
    assert sorted(one.name for one in evidence_beside(tmp_path / "backup.db").iterdir()) == ["originals", "shown"]


@on_sqlite
def test_a_backup_whose_evidence_is_lost_says_so_and_is_made(with_kim, places, tmp_path):
    (_, sha256, _) = next(places.vault.kept())
    places.vault.remove(sha256)
    done = back_up(with_kim, places.vault, tmp_path / "backup.db")
    assert (done.files, done.missing) == (0, (sha256,))
    assert not evidence_beside(tmp_path / "backup.db").exists()


@on_sqlite
def test_a_restored_database_fires_and_sends_nothing_until_a_person_goes_live(kept, with_kim, places, tmp_path):
    take(with_kim, arrival("later"), rules=RULES)
    places.vault.remove(next(places.vault.kept())[1])
    aside = restore(kept, with_kim, places.vault, "person:op", day(3))
    assert "later" in str(Database(f"sqlite:///{aside}").read().__enter__().exec_driver_sql("SELECT number FROM orders").all())
    assert compare(with_kim, places.vault, day(3)).missing == frozenset()
    left = places.outbox.read_text()
    with owned(with_kim, "once", day(30)) as owner:
        passed = single_pass(runtime(with_kim, places), owner, lambda: day(30))
        assert (passed.fired.count, passed.sent.sent) == (0, 0)
        waits = held(with_kim, day(30))
        assert waits.timers > 0
        assert is_held(with_kim)
        assert go_live(with_kim, day(30))
        assert not go_live(with_kim, day(30))
        passed = single_pass(runtime(with_kim, places), owner, lambda: day(30))
        assert passed.fired.count >= waits.timers
    assert places.outbox.read_text() != left


@on_sqlite
@pytest.mark.parametrize(("where", "name"), [(backups, "_prepare"), (backups, "_copy_evidence"), (backups, "_set_aside")])
def test_a_restore_that_was_killed_leaves_the_database_as_it_was(kept, with_kim, places, monkeypatch, where, name):
    take(with_kim, arrival("later"), rules=RULES)
    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed)
        with pytest.raises(Killed):
            restore(kept, with_kim, places.vault, "person:op", day(3))
    with with_kim.read() as connection:
        assert queries.count_orders(connection) == 4
    assert not is_held(with_kim)
    restore(kept, with_kim, places.vault, "person:op", day(3))
    with with_kim.read() as connection:
        assert queries.count_orders(connection) == 3


@on_sqlite
def test_two_restores_within_one_second_keep_both_databases(kept, with_kim, places):
    first = restore(kept, with_kim, places.vault, "person:op", day(3))
    second = restore(kept, with_kim, places.vault, "person:op", day(3))
    assert first != second
    assert [path.stat().st_size > 0 for path in (first, second)] == [True, True]


@on_sqlite
def test_the_log_of_a_database_that_was_moved_away_is_not_written_into_the_restored_one(kept, with_kim, places):
    with_kim.close()
    log = with_kim.file.with_name(f"{with_kim.file.name}-wal")
    with_kim.file.unlink()
    log.write_bytes(b"the log of another database")  # killed between the two
    assert restore(kept, with_kim, places.vault, "person:op", day(3)) is None
    assert not log.exists() or b"another" not in log.read_bytes()
    (left,) = with_kim.file.parent.glob("*.replaced-*-wal")
    assert left.read_bytes() == b"the log of another database"


@on_sqlite
def test_a_damaged_backup_and_one_without_its_evidence_are_refused(kept, with_kim, places, tmp_path):
    places.vault.remove(next(places.vault.kept())[1])
    (folder := evidence_beside(kept)).rename(tmp_path / "elsewhere")
    with pytest.raises(AftersalesError, match="lacks 1 of the files of evidence"):
        restore(kept, with_kim, places.vault, "person:op", day(3))
    (tmp_path / "elsewhere").rename(folder)
    (original,) = (folder / "originals").rglob("*/*")
    content = original.read_bytes()
    original.write_bytes(content[:-1])
    with pytest.raises(AftersalesError, match="is damaged: it is not what was added"):
        restore(kept, with_kim, places.vault, "person:op", day(3))
    original.write_bytes(content)
    pages = bytearray(kept.read_bytes())
    pages[8192:40960] = b"x" * (40960 - 8192)
    kept.write_bytes(pages)
    with pytest.raises(AftersalesError):
        restore(kept, with_kim, places.vault, "person:op", day(3))
    with with_kim.read() as connection:
        assert queries.count_orders(connection) == 3


def test_a_buyer_who_was_amended_by_a_report_that_was_refused_at_first_is_found_too(database, places):
    kim = {"buyer_name": "Kim Lee"}
    take(database, arrival("1", **kim))
    fields = {"buyer_name": "Ada Byron", "parcel": 1, "carrier": "Cainiao"}
    amended = Report("amend", day(1), "person:op", "amend", "person:op", fields)
    take(database, arrival("1", amended, placing=False, **kim), now=1)
    take(database, arrival("1", report("ship", 0.5, tracking_number="T1"), placing=False, **kim), now=1)
    take(database, arrival("1", amended, placing=False, **kim), now=1)
    with database.read() as connection:
        assert queries.stored_case(connection, "1").case.order.buyer_name == "Ada Byron"
    found = find(database, BuyerSelection("kim lee"))
    assert [one.name for one in found] == ["main/1"]
    erase(database, places, found, "person:op", day(1), RULES)
    with database.read() as connection:
        assert "Kim" not in str(queries.reports(connection, 1))
