"""A policy that is not in force, tried over all running orders."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.firing import fire_due
from engine.timer_commands import Selection, TimerCommand, apply_command
from engine.what_if import what_if
from storage import timers
from storage.tables import EffectRow, table_of
from tests.factories import RULES, arrival, day, report, rules_of, take
from workflow.errors import UsageError

SOONER = rules_of("[overdue]\nurge_after = '1d'\nreroute_after = '2d'\nreroute_after_urge = '1d'\n")
ASKING = rules_of("[effects.modes]\nrequest_refund = 'ask'\nurge_supplier = 'off'\n")
ALL = Selection()


@pytest.fixture
def shop(database):
    """Orders in many states, half a day into the story and later."""
    take(
        database,
        arrival("1", paid=900),
        arrival("2", report("ship", 0.3)),
        arrival("3", report("report_oversized", 0.2), paid=500),
        arrival("4", supplier="Yiwu", alternatives=()),
        arrival("5", shop="other"),
        now=0.5,
    )
    return database


def dump(database):
    with database.read() as connection:
        return {
            name: [tuple(row) for row in connection.execute(select(table))]
            for name, table in table_of(EffectRow).metadata.tables.items()
        }


def test_the_policy_in_force_tried_against_itself_changes_nothing(shop):
    found = what_if(shop, ALL, day(0.5), 30, RULES, RULES)
    assert (found.running, found.shifts, found.moved, found.fare_otherwise) == (5, {}, [], 0)
    assert found.in_force == found.tried
    assert found.in_force.orders["urge_supplier"] == 3


def test_nothing_is_stored(shop):
    before = dump(shop)
    what_if(shop, ALL, day(0.5), 30, RULES, SOONER)
    assert dump(shop) == before


def test_it_says_which_deadlines_move_and_by_how_much(shop):
    found = what_if(shop, ALL, day(0.5), 30, RULES, SOONER, shown=2)
    assert found.orders_moved == 3
    urges = found.shifts["urge"]
    assert (urges.earlier, urges.later, urges.ended) == (3, 0, 0)
    assert (urges.most_earlier, urges.most_later) == (timedelta(days=1), timedelta(0))
    first, second = found.moved
    assert (first.order, first.trigger, first.was_due, first.due_at) == ("main/1", "urge", day(2), day(1))
    assert second.order == "main/4"


def test_what_is_foretold_comes_true_once_the_timers_are_moved(shop):
    foretold = what_if(shop, ALL, day(0.5), 20, RULES, SOONER)
    with shop.read() as connection:
        before = len([*connection.execute(select(table_of(EffectRow)))])
    apply_command(shop, ALL, TimerCommand("retime", "person:p"), day(0.5), SOONER)
    while True:
        with shop.read() as connection:
            wake = timers.next_wake(connection)
        if wake is None or wake > foretold.until:
            break
        fire_due(shop, wake, SOONER)
    with shop.read() as connection:
        kinds = [row.kind for row in connection.execute(select(table_of(EffectRow)).order_by(table_of(EffectRow).c.id))]
    assert foretold.tried.effects == Counter(kinds[before:])
    assert foretold.tried.messages == len(kinds) - before


def test_orders_that_fare_otherwise_are_named(shop):
    found = what_if(shop, ALL, day(0.5), 2, RULES, SOONER)  # until two and a half days: they are urged now, and left then
    told = {one.order: (one.in_force, one.tried) for one in found.otherwise}
    assert found.fare_otherwise == 3
    assert told["main/1"] == (("urge_supplier",), ("urge_supplier", "place_supply"))
    assert told["main/4"] == (("urge_supplier",), ("urge_supplier", "request_refund"))
    assert found.tried.money["recovery", "CNY"] == 900
    assert found.tried.unknown == 2


def test_steps_that_would_be_asked_about_are_taken_and_counted_and_what_is_off_is_no_message(shop):
    found = what_if(shop, ALL, day(0.5), 30, RULES, ASKING)
    assert found.in_force.decisions == 0
    assert found.tried.decisions == found.tried.orders["request_refund"] == 3
    assert found.in_force.messages - found.tried.messages == found.tried.effects["urge_supplier"]


def test_one_shop_or_supplier_can_be_tried_alone(shop):
    assert what_if(shop, Selection(shops=("OTHER",)), day(0.5), 30, RULES, SOONER).running == 1
    assert what_if(shop, Selection(suppliers=("yiwu",)), day(0.5), 30, RULES, SOONER).running == 1
    with pytest.raises(UsageError, match="no order has the shop 'nowhere'; known are main"):
        what_if(shop, Selection(shops=("nowhere",)), day(0.5), 30, RULES, SOONER)


def test_a_timer_that_the_other_policy_does_not_have_ends(database):
    thrice, once = (rules_of(f"[money]\nchase_refund_at = {times}\n") for times in (["1wd", "2wd", "3wd"], ["1wd"]))
    take(database, arrival("1", report("report_oversized", 0.2), paid=500), now=0.5, rules=thrice)
    fire_due(database, day(2), thrice)
    found = what_if(database, ALL, day(2), 30, thrice, once)
    assert [(one.trigger, one.due_at) for one in found.moved] == [("chase_refund", None)]
    assert found.shifts["chase_refund"].ended == 1
    assert (found.in_force.effects["chase_refund"], found.tried.effects["chase_refund"]) == (2, 0)


def test_how_far_it_has_come_is_told(shop):
    told = []
    what_if(shop, ALL, day(0.5), 1, RULES, RULES, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]
