"""What the audit finds, and what only an anchor that is kept elsewhere does."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlmodel import SQLModel

from engine.auditing import SETTLED, Anchor, anchor, audit, changed_since
from engine.firing import fire_due
from engine.rules import rules_in_force
from storage import case_mapper, queries
from storage.tables import HistoryTableRow, OrderRow, table_of
from tests.factories import arrival, day, report, rules_of, take
from workflow.case.history import chain
from workflow.errors import UsageError

RULES = rules_of()


@pytest.fixture
def lived(database):
    """Orders that were urged, claimed and replaced."""
    claim = (report("ship", 0.1), report("deliver", 0.2), report("open_claim", 0.3, kind="damaged"))
    refunded = (*claim, report("submit_evidence", 0.4, evidence="a"), report("approve", 0.5), report("choose_refund", 0.6))
    take(database, arrival("1"), arrival("2", *refunded), arrival("3", report("report_no_stock", 0.5)), arrival("4"), now=1)
    while fire_due(database, day(30), RULES).count:
        pass
    return database


def found(database, *, deep=False):
    return [*audit(database, RULES if deep else None).broken]


def test_a_lived_database_holds_in_every_way(lived):
    whole = audit(lived, RULES)
    assert (whole.orders, [*whole.broken], whole.untold) == (4, [], 0)


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


DEEP = {
    "UPDATE timers SET due_at = planned_at WHERE order_id = 1": None,
    "DELETE FROM timers WHERE order_id = 3 AND status = 'pending'": "not what its history tells: timers",
    "UPDATE ledger SET amount = 1 WHERE order_id = 2": "not what its history tells: ledger",
    "UPDATE claims SET status = 'lapsed' WHERE order_id = 2": "not what its history tells: claims",
    "UPDATE attempts SET supplier = 'me' WHERE order_id = 4 AND number = 1": "not what its history tells: attempts",
}


@pytest.mark.parametrize("statement", DEEP)
def test_rows_beside_the_history_are_held_against_it_by_a_deep_audit(lived, statement):
    with lived.write() as connection:
        connection.execute(text(statement))
    assert found(lived) == []
    told = found(lived, deep=True)
    assert [wrong for _, wrong in told] == ([DEEP[statement]] if DEEP[statement] else [])


def forge(database, order_id):
    """Rewrite an order's history with a whole new chain, as whoever can write can."""
    h, previous = table_of(HistoryTableRow), ""
    with database.write() as connection:
        for row in queries.history(connection, order_id):
            mine = (h.c.order_id == order_id) & (h.c.sequence == row.sequence)
            connection.execute(update(h).where(mine).values(reason="forged"))
            fresh = connection.execute(select(h).where(mine)).mappings().one()
            previous = chain(f"main/{order_id}", previous, case_mapper.read_history(fresh))
            connection.execute(update(h).where(mine).values(hash=previous))
        connection.execute(update(table_of(OrderRow)).where(OrderRow.id == order_id).values(last_hash=previous))


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
    assert found(lived) == []
    assert changed_since(lived, kept) is not None


def test_an_anchor_covers_what_no_open_transaction_can_add_to(lived):
    assert anchor(lived, day(31)).at == day(31) - SETTLED
    assert anchor(lived, day(0) + timedelta(minutes=1)).orders == 0


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01/1/abc", "2026-01-01/1/" + "g" * 64, f"x/1/{'a' * 64}"])
def test_what_is_not_a_whole_anchor_is_refused(text):
    with pytest.raises(UsageError, match="that is not an anchor"):
        Anchor.parse(text)


def test_a_deep_audit_tells_histories_that_were_recorded_under_a_clock_that_ran_ahead(database):
    take(database, arrival("1"), now=0)
    while fire_due(database, day(40_000), RULES).count:
        pass
    whole = audit(database, RULES)
    assert ([*whole.broken], whole.untold) == ([], 0)


def test_a_deep_audit_tells_histories_of_orders_that_were_imported_as_historical(database):
    take(
        database,
        arrival("1"),
        arrival("2", report("ship", 0.1), report("deliver", 0.2)),
        now=300,
        older_than=timedelta(days=90),
    )
    whole = audit(database, RULES)
    assert (whole.orders, [*whole.broken], whole.untold) == (2, [], 0)
