"""What people decide: exactly what they were shown, or they are told what changed meanwhile."""

import threading

import pytest
from sqlalchemy import insert, select

from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.deciding import (
    AlreadyDecided,
    ChosenEffect,
    EffectAction,
    close_exception,
    decide_effects,
    effects_for,
    resolve,
    retry_timers,
)
from engine.firing import fire_due
from engine.rules import rules_for_reading, rules_in_force
from engine.sending import deliver_due
from engine.timer_commands import TimerCommand, apply_command
from engine.views import list_exceptions
from storage import lists
from storage.lists import Filter
from storage.tables import EffectRow, ImportRow, PolicyRow, table_of
from storage.timers import Selection
from tests.factories import all_effects, all_flags, arrival, day, decide, report, rules_of, take
from workflow.errors import UsageError

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
KIM, LEE = "person:kim", "person:lee"


class Quiet:
    """A channel that takes every message."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)


@pytest.fixture
def messenger():
    return Messenger({"file": Quiet()}, Letters())


def urged(database, count=1):
    """Place observed orders whose urge is held."""
    take(database, *(arrival(str(number)) for number in range(1, count + 1)), rules=RULES, observed=True)
    fire_due(database, day(2), RULES)
    with database.read() as connection:
        return [ChosenEffect(row["id"], row["status"]) for row in all_effects(connection, "held")]


def test_of_two_people_who_decide_the_second_is_told_what_the_first_did(database):
    shown = urged(database, 2)
    assert len(decide_effects(database, EffectAction.approve, shown, KIM, day(2)).done) == 2
    late = decide_effects(database, EffectAction.drop, shown, LEE, day(2))
    assert late.done == ()
    assert {(one.status, one.by) for one in late.changed} == {("ready", KIM)}
    with database.read() as connection:
        assert {row["status"] for row in all_effects(connection)} == {"ready"}


def test_an_effect_that_is_written_and_not_tried_by_now_is_dropped_as_it_was_shown(database, messenger):
    shown = urged(database)
    decide_effects(database, EffectAction.approve, shown, KIM, day(2))
    ready = [ChosenEffect(one.id, "ready") for one in shown]
    compose_due(database, day(2), RULES, messenger)
    assert len(decide_effects(database, EffectAction.drop, ready, LEE, day(2)).done) == 1
    assert deliver_due(database, day(2), RULES, messenger).sent == 0


def test_an_effect_that_is_tried_by_now_is_not_dropped(database):
    shown = urged(database)
    decide_effects(database, EffectAction.approve, shown, KIM, day(2))
    ready = [ChosenEffect(one.id, "ready") for one in shown]
    deliver_due(database, day(2), RULES, Messenger({}, Letters()))
    late = decide_effects(database, EffectAction.drop, ready, LEE, day(2))
    assert (late.done, [one.status for one in late.changed]) == ((), ["leaving"])


@pytest.mark.parametrize("make_database", ["postgresql"], indirect=True)
def test_a_drop_that_waits_for_the_daemon_to_compose_drops_nothing_and_says_so(make_database, messenger):
    database, decided = make_database(), []
    shown = urged(database)
    decide_effects(database, EffectAction.approve, shown, KIM, day(2))
    ready = [ChosenEffect(one.id, "ready") for one in shown]
    dropping = threading.Thread(target=lambda: decided.append(decide_effects(database, EffectAction.drop, ready, LEE, day(2))))
    e = table_of(EffectRow)
    with database.write() as composing:
        composing.execute(select(e.c.id).where(e.c.status == "ready").with_for_update())
        dropping.start()
        dropping.join(0.3)
        assert dropping.is_alive(), "it waits for the row"
        composing.execute(e.update().values(status="leaving"))
    dropping.join(20)
    assert (decided[0].done, [one.status for one in decided[0].changed]) == ((), ["leaving"])


def test_a_decision_on_all_reaches_effects_older_than_any_number_of_others(database):
    urged(database)
    rows = [
        {"order_id": 1, "sequence": 1, "kind": "escalate", "attempt": 1, "details": "{}", "status": "sent", "caused_at": day(3)}
        for _ in range(3_000)
    ]
    with database.write() as connection:
        connection.execute(insert(table_of(EffectRow)), rows)
    found = effects_for(database, EffectAction.approve, Filter())
    assert [(one.kind, one.status) for one in found] == [("urge_supplier", "held")]


def test_a_decision_stands_or_falls_with_the_transaction_of_its_caller(database):
    shown = urged(database)
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute(insert(ImportRow), {"digest": "d", "file": "f", "started_at": day(2), "orders_done": 0})
        assert decide_effects(connection, EffectAction.drop, shown, KIM, day(2)).done
        raise RuntimeError
    with database.read() as connection:
        assert [row["status"] for row in all_effects(connection)] == ["held"]
        assert connection.execute(select(table_of(ImportRow))).all() == []


def test_an_exception_is_closed_once_and_the_second_person_is_told_by_whom(database):
    take(database, arrival("1", report("release", 1)), now=2)
    (one,) = list_exceptions(database, Filter(), 10).rows
    close_exception(database, one.id, KIM, "called the carrier", day(2))
    with pytest.raises(AlreadyDecided, match="was closed by person:kim at 2025-03-05 09:00 UTC: called the carrier"):
        close_exception(database, one.id, LEE, "me too", day(3))
    with pytest.raises(UsageError, match="there is no exception 77"):
        close_exception(database, 77, LEE, "who?", day(3))
    assert list_exceptions(database, Filter(), 10).rows == []


def test_a_flag_is_resolved_once(database):
    take(database, arrival("1"), rules=rules_of("[transit]\nstall_times = 1\n"), now=0)
    take(database, arrival("1", report("ship", 1), placing=False), rules=rules_of("[transit]\nstall_times = 1\n"), now=1)
    fire_due(database, day(11), rules_of("[transit]\nstall_times = 1\n"))
    with pytest.raises(UsageError, match="'customs' is not a flag of that order; known are stalled"):
        resolve(database, "1", ["customs"], KIM, "x", day(11), RULES)
    assert resolve(database, "1", None, KIM, "called them", day(11), RULES) == ["stalled"]
    assert resolve(database, "1", None, LEE, "me too", day(11), RULES) == []
    with database.read() as connection:
        assert all_flags(connection) == []


def test_a_timer_is_retried_only_while_it_is_set_aside(database):
    take(database, arrival("1"))
    assert retry_timers(database, [(1, 1)]) == []


def test_what_only_looks_takes_no_write_lock_and_stores_no_policy(database, messenger):
    shown = urged(database)
    text = "# a policy that was never stored\n"
    with database.write() as writer:
        writer.execute(table_of(EffectRow).update().values(attempt=1))
        rules = rules_for_reading(database, text)
        assert rules.version == 0
        assert len(effects_for(database, EffectAction.approve, Filter())) == len(shown)
        pause = TimerCommand("pause", KIM)
        assert [one.stands for one in apply_command(database, Selection(), pause, day(2), RULES, dry_run=True)] == ["paused"]
    with database.read() as connection:
        assert connection.execute(select(table_of(PolicyRow))).all() == []


def test_daemons_that_start_with_one_new_policy_agree_on_its_version(database):
    versions, text = [], "# a new policy\n"
    starting = [
        threading.Thread(target=lambda: versions.append(rules_in_force(database, text, day(1)).version)) for _ in range(6)
    ]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert versions == [1] * 6
    assert rules_in_force(database, text, day(2)).version == 1
    assert rules_in_force(database, text + "\n", day(2)).version == 2


def test_effects_of_an_order_that_are_decided_end_its_observation(database):
    take(database, arrival("1"), observed=True)
    fire_due(database, day(2), rules_of())
    with database.read() as connection:
        held = [*lists.all_effects(connection, Filter(statuses=("held",)))]
    assert decide(database, "approve", held, KIM, day(2)) == 1
