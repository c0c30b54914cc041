"""What the audit finds, and what only an anchor that is kept elsewhere does."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlmodel import SQLModel

from engine.auditing import SETTLED, Anchor, Deep, anchor, audit, changed_since
from engine.firing import fire_due
from engine.rules import rules_in_force
from evidence.vault import ORIGINALS, S3Access, Vault
from storage import case_mapper, evidence_files, queries
from storage.evidence_files import EvidenceFile
from storage.tables import HistoryTableRow, OrderRow, TimerRow, table_of
from tests.factories import arrival, day, report, rules_of, take
from workflow.case.history import chain
from workflow.errors import UsageError

RULES = rules_of()
PHOTO = hashlib.sha256(b"a photo").hexdigest()


@pytest.fixture
def vault(tmp_path):
    return Vault(str(tmp_path / "evidence"), S3Access())


@pytest.fixture
def deep(vault):
    return Deep(RULES, vault)


@pytest.fixture
def lived(database):
    """Orders that were urged, claimed and replaced."""
    claim = (report("ship", 0.1), report("deliver", 0.2), report("open_claim", 0.3, kind="damaged"))
    refunded = (*claim, report("submit_evidence", 0.4, evidence=PHOTO), report("approve", 0.5), report("choose_refund", 0.6))
    take(database, arrival("1"), arrival("2", *refunded), arrival("3", report("report_no_stock", 0.5)), arrival("4"), now=1)
    while fire_due(database, day(30), RULES).count:
        pass
    return database


def found(database, deep=None):
    return [*audit(database, deep).broken]


def test_a_lived_database_holds_in_every_way(lived, deep):
    whole = audit(lived, deep)
    assert (whole.orders, [*whole.broken], whole.untold) == (4, [], ())


TAMPERED = {
    "UPDATE orders SET state = 'closed' WHERE number = '1'": "its state is closed, and its history ends with",
    "DELETE FROM history WHERE order_id = 1": "its history is gone",
    "UPDATE history SET reason = 'x' WHERE order_id = 1 AND sequence = 1": "row 1 was changed after it was written",
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_was_changed_is_named_and_the_others_are_checked(lived, statement):
    with lived.write() as connection:
        connection.execute(text(statement))
    ((name, wrong),) = found(lived)
    assert name == "main/1"
    assert TAMPERED[statement] in wrong


@pytest.mark.parametrize("make_database", ["sqlite"], indirect=True)
def test_a_row_that_cannot_be_read_is_broken_and_the_others_are_checked(lived):
    with lived.write() as connection:
        connection.execute(text("UPDATE history SET recorded = 'yesterday' WHERE order_id = 2 AND sequence = 2"))
        connection.execute(text("UPDATE history SET reason = 'x' WHERE order_id = 4 AND sequence = 1"))
    (unreadable, changed) = found(lived)
    assert unreadable[0] == "order row 2"
    assert "cannot be read" in unreadable[1]
    assert changed[0] == "main/4"


def test_orders_that_were_deleted_are_missed(lived):
    with lived.write() as connection:
        if not lived.is_shared:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        for table in ("message_members", "messages"):
            connection.execute(text(f"DELETE FROM {table}"))
        for model in SQLModel.metadata.sorted_tables:
            if "order_id" in model.c:
                connection.execute(delete(model).where(model.c.order_id.in_((1, 2))))
        connection.execute(text("DELETE FROM orders WHERE id IN (1, 2)"))
    assert found(lived) == [("order rows 1 to 2", "deleted: ids of orders have no gaps")]


def test_the_text_of_a_policy_that_was_changed_is_named(lived):
    rules_in_force(lived, "[overdue]\nurge_after = '3d'\n", day(1))
    assert found(lived) == []
    with lived.write() as connection:
        connection.execute(text("UPDATE policies SET text = replace(text, '3d', '9d')"))
    assert found(lived) == [("policy 1", "its text was changed")]


WRITTEN_BY_NO_STEP = {
    "UPDATE orders SET paid = 1 WHERE id = 2": "order: paid is 1, and its history wrote ",
    "UPDATE orders SET cancelled = TRUE WHERE id = 2": "case: cancelled is True, and its history wrote False",
    "UPDATE attempts SET supplier = 'me' WHERE order_id = 2 AND number = 1": "attempt 1: supplier is me, and its history",
    "UPDATE timers SET due_at = '2099-01-01 00:00:00' WHERE order_id = 2 AND number = 1": "timer 1: due_at is 2099-01-01T00:00",
    "UPDATE timers SET status = 'cancelled' WHERE order_id = 2 AND status = 'pending'": "status is cancelled, and its history",
    "DELETE FROM timers WHERE order_id = 2 AND number = 1": "timer 1 is gone",
    "UPDATE ledger SET amount = 1 WHERE order_id = 2": "ledger row 1: amount is 1, and its history wrote ",
    "DELETE FROM ledger WHERE order_id = 2": "ledger row 1 is gone",
    "UPDATE claims SET status = 'lapsed' WHERE order_id = 2": "claim 1: status is lapsed, and its history wrote ",
    "UPDATE claims SET evidence = '[]' WHERE order_id = 2": f"claim 1: evidence is [], and its history wrote ['{PHOTO}']",
}


@pytest.mark.parametrize("statement", WRITTEN_BY_NO_STEP)
def test_rows_that_no_step_wrote_are_found_without_running_the_rules(lived, statement):
    with lived.write() as connection:
        connection.execute(text(statement))
    ((name, wrong),) = found(lived)
    assert (name, WRITTEN_BY_NO_STEP[statement] in wrong) == ("main/2", True), wrong


def test_a_row_that_was_added_is_found(lived):
    timers = table_of(TimerRow)
    with lived.write() as connection:
        (row,) = connection.execute(select(timers).where(timers.c.order_id == 2, timers.c.number == 1)).mappings()
        connection.execute(insert(timers).values({**row, "number": 99}))
    assert found(lived) == [("main/2", "timer 99 is not in its history")]


def photo_of(sha256):
    return EvidenceFile(1, sha256, "a.jpg", "photo", 9, 3, 3, "photo", day(0.4), "person:kim")


def test_a_file_of_evidence_that_no_step_took_is_found(lived):
    with lived.write() as connection:
        evidence_files.add(connection, 2, [photo_of(PHOTO)])
    assert found(lived) == []
    with lived.write() as connection:
        evidence_files.add(connection, 2, [photo_of("b" * 64)])
    assert found(lived) == [("main/2", "the file bbbbbbbbbbbb… of claim 1 is not in its history")]


def test_a_deep_audit_reads_the_files_of_evidence(lived, deep, vault, tmp_path):
    with lived.write() as connection:
        evidence_files.add(connection, 2, [photo_of(PHOTO)])
    (tmp_path / "photo").write_bytes(b"a photo")
    vault.put(ORIGINALS, PHOTO, tmp_path / "photo")
    assert found(lived, deep) == []
    (kept,) = (tmp_path / "evidence").rglob(PHOTO)
    kept.write_bytes(b"another photo")
    name = f"evidence {PHOTO[:12]}…"
    assert found(lived, deep) == [(name, "the file is not the one that was submitted")]
    vault.remove(PHOTO)
    assert found(lived, deep) == [(name, f"the file {PHOTO[:12]}… is missing from {tmp_path / 'evidence'}")]


def test_what_moves_a_timer_by_itself_is_no_finding(lived):
    with lived.write() as connection:
        connection.execute(text("UPDATE timers SET wake_at = '2099-01-01 00:00:00', tries = 3, error = 'x'"))
    assert found(lived) == []


def as_an_older_program_left_it(database, order_ids):
    """Let no step of these orders have sealed anything, with the chains that this gives."""
    h, o = table_of(HistoryTableRow), table_of(OrderRow)
    with database.write() as connection:
        for order_id in order_ids:
            connection.execute(update(h).where(h.c.order_id == order_id).values(wrote=None))
            rechain(connection, order_id)
        assert connection.execute(select(func.count()).select_from(h).where(h.c.wrote.is_(None))).scalar() > len(order_ids)
        assert connection.execute(select(func.count()).select_from(o)).scalar() == 4


UNSEALED = {
    "DELETE FROM timers WHERE order_id = 3 AND status = 'pending'": "not what its history tells: timers",
    "UPDATE ledger SET amount = 1 WHERE order_id = 2": "not what its history tells: ledger",
    "UPDATE claims SET status = 'lapsed' WHERE order_id = 2": "not what its history tells: claims",
    "UPDATE attempts SET supplier = 'me' WHERE order_id = 4 AND number = 1": "not what its history tells: attempts",
}


@pytest.mark.parametrize("statement", UNSEALED)
def test_rows_that_an_older_program_wrote_are_counted_and_a_deep_audit_tells_their_histories_again(lived, statement, deep):
    as_an_older_program_left_it(lived, (1, 2, 3, 4))
    whole = audit(lived, deep)
    assert ([*whole.broken], whole.unsealed, whole.untold) == ([], 4, ())
    with lived.write() as connection:
        connection.execute(text(statement))
    assert found(lived) == []
    assert [wrong for _, wrong in found(lived, deep)] == [UNSEALED[statement]]


def test_of_an_order_that_lives_on_what_was_written_since_is_compared(lived, deep):
    as_an_older_program_left_it(lived, (4,))
    take(lived, arrival("4", report("ship", 31), placing=False), now=31)
    whole = audit(lived, deep)
    assert ([*whole.broken], whole.unsealed, whole.untold) == ([], 1, ())
    with lived.write() as connection:
        connection.execute(text("UPDATE attempts SET urged_at = '2000-01-01 00:00:00' WHERE order_id = 4"))
    assert found(lived) == [], "an older program wrote it"
    with lived.write() as connection:
        connection.execute(text("UPDATE attempts SET shipped_at = '2000-01-01 00:00:00' WHERE order_id = 4 AND number = 1"))
    ((name, wrong),) = found(lived)
    assert (name, wrong.startswith("attempt 1: shipped_at is 2000-01-01T00:00:00+00:00, and its history wrote ")) == (
        "main/4",
        True,
    )


def rechain(connection, order_id):
    """Compute an order's chain anew."""
    h, previous = table_of(HistoryTableRow), ""
    for row in connection.execute(select(h).where(h.c.order_id == order_id).order_by(h.c.sequence)).mappings().all():
        previous = chain(f"main/{order_id}", previous, case_mapper.read_history(row))
        mine = (h.c.order_id == order_id) & (h.c.sequence == row["sequence"])
        connection.execute(update(h).where(mine).values(hash=previous))
    connection.execute(update(table_of(OrderRow)).where(OrderRow.id == order_id).values(last_hash=previous))


def forge(database, order_id):
    """Rewrite an order's history with a whole new chain, as a person with write access can."""
    with database.write() as connection:
        connection.execute(text("UPDATE history SET reason = 'forged' WHERE order_id = :key"), {"key": order_id})
        rechain(connection, order_id)


def test_a_chain_that_was_computed_anew_shows_against_an_anchor_alone(lived):
    kept = Anchor.parse(str(anchor(lived, day(31))))
    take(lived, arrival("5"), arrival("1", report("ship", 31.5), placing=False), now=32)
    assert changed_since(lived, kept) is None, "what came later changes nothing before it"
    forge(lived, 3)
    assert found(lived) == []
    changed = "a history of before the anchor is not what it was: it was changed, or an older backup was restored"
    assert changed_since(lived, kept) == changed


def test_an_end_that_was_cut_off_with_its_count_shows_against_an_anchor(lived):
    kept = anchor(lived, day(31))
    with lived.write() as connection:
        rows = queries.history(connection, 1)
        connection.execute(text("DELETE FROM history WHERE order_id = 1 AND sequence = :s"), {"s": rows[-1].sequence})
        head = {"v": rows[-2].sequence, "h": rows[-2].hash, "s": rows[-2].target}
        connection.execute(text("UPDATE orders SET version = :v, last_hash = :h, state = :s WHERE id = 1"), head)
    ((name, wrong),) = found(lived)
    assert (name, wrong.startswith("timer ")) == ("main/1", True), "what the row wrote is left behind"
    with lived.write() as connection:
        connection.execute(text("UPDATE history SET wrote = NULL WHERE order_id = 1"))
        rechain(connection, 1)
    assert found(lived) == []
    assert changed_since(lived, kept) is not None


def test_an_anchor_covers_what_no_open_transaction_can_add_to(lived):
    assert anchor(lived, day(31)).at == day(31) - SETTLED
    assert anchor(lived, day(0) + timedelta(minutes=1)).orders == 0


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01/1/abc", "2026-01-01/1/" + "g" * 64, f"x/1/{'a' * 64}"])
def test_what_is_not_a_whole_anchor_is_refused(text):
    with pytest.raises(UsageError, match="that is not an anchor"):
        Anchor.parse(text)


def test_a_deep_audit_tells_histories_that_were_recorded_under_a_clock_that_ran_ahead(database, deep):
    take(database, arrival("1"), now=0)
    while fire_due(database, day(40_000), RULES).count:
        pass
    whole = audit(database, deep)
    assert ([*whole.broken], whole.untold) == ([], ())


def test_a_deep_audit_tells_histories_of_orders_that_were_imported_as_historical(database, deep):
    take(
        database,
        arrival("1"),
        arrival("2", report("ship", 0.1), report("deliver", 0.2)),
        now=300,
        older_than=timedelta(days=90),
    )
    whole = audit(database, deep)
    assert (whole.orders, [*whole.broken], whole.untold) == (2, [], ())
