"""A row of any kind that cannot be processed is tried, set aside with its reason, and named; all others go on."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from effects.file import FileChannel
from effects.letters import Letters
from effects.log import LogChannel
from engine import sending
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.health import health
from engine.importing import import_orders
from engine.sending import deliver_due, recover
from inbound.mapping import own_mapping
from inbound.orders import OrderFile
from storage.outbox import TRIES, Overdue
from storage.tables import EffectRow, MessageRow, OrderRow, table_of
from tests.factories import all_effects, all_flags, arrival, day, decide, report, rules_of, take
from workflow.policy.policy import Orders
from workflow.vocabulary import EffectStatus

RULES = rules_of("[effects]\ndefault_channels = ['file']\n[effects.modes]\nplace_supply = 'auto'\n")
BROKEN = {
    "details that are cut off": (EffectRow, {"details": '{"about": "no'}),
    "a kind of another program": (EffectRow, {"kind": "sing"}),
    "an order whose alternatives are cut off": (OrderRow, {"alternatives": '["Ni'}),
}


@pytest.fixture
def messenger(tmp_path):
    return Messenger({"file": FileChannel(tmp_path / "out.jsonl"), "log": LogChannel()}, Letters())


def sent(tmp_path):
    file = tmp_path / "out.jsonl"
    return [json.loads(line)["key"] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("broken", BROKEN)
def test_an_effect_that_cannot_be_read_is_tried_five_times_and_the_others_leave(database, messenger, tmp_path, broken):
    take(database, *(arrival(name, supplier=name) for name in "ABC"), rules=RULES)
    fire_due(database, day(2), RULES)
    model, values = BROKEN[broken]
    with database.write() as connection:
        connection.execute(update(table_of(model)).where(table_of(model).c.id == 2).values(values))
    at = day(2)
    assert deliver_due(database, at, RULES, messenger).sent == 2
    for tried in range(1, TRIES):
        with database.read() as connection:
            row = connection.execute(select(table_of(EffectRow)).where(EffectRow.id == 2)).mappings().one()
        assert (row["status"], row["tries"]) == ("ready", tried)
        assert compose_due(database, row["next_try_at"] - timedelta(seconds=1), RULES, messenger) == 0
        at = row["next_try_at"]
        assert compose_due(database, at, RULES, messenger) == 1
    assert len(sent(tmp_path)) == 2
    with database.write() as connection:
        (flag,) = all_flags(connection)
        assert flag["flag"] == "effect_stuck"
        (dead,) = connection.execute(select(table_of(EffectRow)).where(EffectRow.status == "dead")).mappings()
        assert dead["error"] == flag["detail"]
        mended = {"details": "{}", "kind": "urge_supplier"} if model is EffectRow else {"alternatives": "[]"}
        connection.execute(update(table_of(model)).where(table_of(model).c.id == 2).values(mended))
        assert decide(connection, "retry", [{"id": 2, "status": EffectStatus.dead}], "person:kim", at) == 1
    assert deliver_due(database, at, RULES, messenger).sent == 1


def test_of_a_digest_one_member_that_cannot_be_written_holds_up_no_other(database, messenger, tmp_path, monkeypatch):
    take(database, *(arrival(str(n), supplier="Yiwu") for n in range(4)), rules=RULES)
    fire_due(database, day(2), RULES)
    write = Letters.write

    def fail(self, kind, language, matters, zone):
        if any(one.order.number == "2" for one in matters):
            raise OverflowError("a mistake of ours")
        return write(self, kind, language, matters, zone)

    monkeypatch.setattr(Letters, "write", fail)
    deliver_due(database, day(2), RULES, messenger)
    with database.read() as connection:
        assert sorted(row["status"] for row in all_effects(connection)) == ["ready", "sent", "sent", "sent"]


def test_a_text_that_the_server_refuses_is_set_back_and_the_others_leave(database, messenger, tmp_path, monkeypatch):
    """PostgreSQL takes no NUL character; SQLite does."""
    take(database, *(arrival(name, supplier=name) for name in "ABC"), rules=RULES)
    fire_due(database, day(2), RULES)
    write = Letters.write

    def with_nul(self, kind, language, matters, zone):
        letter = write(self, kind, language, matters, zone)
        return type(letter)("a\0b", letter.body) if matters[0].order.number == "B" else letter

    monkeypatch.setattr(Letters, "write", with_nul)
    assert deliver_due(database, day(2), RULES, messenger).sent == (2 if database.is_shared else 3)


def test_a_message_whose_effect_cannot_be_changed_is_recorded_alone_and_named(database, messenger, tmp_path, monkeypatch):
    take(database, *(arrival(name, supplier=name) for name in "ABC"), rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, messenger)
    finish = sending.outbox.finish

    def fail(connection, ended, at):
        finish(connection, ended, at)
        if any(one.message_id == 2 for one in ended):
            raise ValueError("an unknown status")

    monkeypatch.setattr(sending.outbox, "finish", fail)
    assert deliver_due(database, day(2), RULES, messenger).sent == 3
    with database.read() as connection:
        assert [*connection.execute(select(MessageRow.status).order_by(MessageRow.id)).scalars()] == ["sent"] * 3
        assert sorted(row["status"] for row in all_effects(connection)) == ["leaving", "sent", "sent"]
    assert health(database, day(3)).unsent == Overdue(effects=0, messages=0, carried=1)


def test_a_message_of_an_unknown_kind_whose_sender_was_killed_is_parked(database, messenger):
    take(database, arrival("1"), rules=RULES)
    fire_due(database, day(2), RULES)
    compose_due(database, day(2), RULES, messenger)
    with database.write() as connection:
        connection.execute(update(MessageRow).values(status="sending", owner="gone", kind="sing"))
    assert recover(database, day(2)) == 1
    with database.read() as connection:
        assert connection.execute(select(MessageRow.status)).scalars().all() == ["parked"]


def test_what_should_have_left_is_counted_after_ten_minutes(database, messenger):
    take(database, arrival("1", report("report_no_stock", 1)), now=1, rules=RULES)
    assert health(database, day(1) + timedelta(minutes=10)).unsent == Overdue(0, 0, 0)
    assert health(database, day(1) + timedelta(minutes=11)).unsent == Overdue(effects=2, messages=0, carried=0)
    compose_due(database, day(1), RULES, messenger)
    assert health(database, day(1) + timedelta(minutes=11)).unsent == Overdue(effects=0, messages=2, carried=0)


def test_an_order_of_a_file_that_cannot_be_processed_is_rejected_and_all_others_are_stored(database, tmp_path):
    file = tmp_path / "orders.csv"
    lines = [f"{n},2025-03-03T09:00:00Z,Yiwu,2025-03-04T09:00:00Z" for n in range(40)]
    head = "id,placed_at,supplier,ship_at\n"
    file.write_text(head + lines[7].rsplit(",", 1)[0] + ",\n")

    def orders():
        return OrderFile(file, own_mapping(["id", "placed_at", "supplier", "ship_at"]), Orders())

    import_orders(database, orders(), day(1), RULES)
    with database.write() as connection:
        connection.execute(update(OrderRow).values(state="of another program"))
    file.write_text(head + "\n".join(lines))
    imported = import_orders(database, orders(), day(2), RULES)
    assert imported.tally.reported == {"ship": 39}
    (rejection,) = imported.rejected
    assert rejection.line == 9
    assert "main/7 could not be processed (KeyError at storage.case_reader:" in rejection.reason
    with database.write() as connection:
        (flag,) = all_flags(connection)
        assert flag["flag"] == "report_failed"
        connection.execute(update(OrderRow).where(OrderRow.number == "7").values(state="placed"))
    assert import_orders(database, orders(), day(2), RULES).tally.reported == {"ship": 1}


def test_a_list_shows_the_rows_beside_a_damaged_one(database):
    from engine.views import Filter, list_effects

    take(database, *(arrival(name, supplier=name) for name in "AB"), rules=RULES)
    fire_due(database, day(2), RULES)
    with database.write() as connection:
        connection.execute(update(EffectRow).where(EffectRow.id == 1).values(details="{cut"))
    assert [one.details for one in list_effects(database, Filter(), 10).rows][-1] == {"damaged": "{cut"}
