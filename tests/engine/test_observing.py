"""Going live: what is held goes on as the policy says (rule 5.4)."""

import pytest

from engine.answering import decide as answer
from engine.firing import fire_due
from engine.observing import end_observation, observation
from tests.factories import all_effects, arrival, day, report, rules_of, statuses, take
from workflow.decisions import Answer
from workflow.errors import UsageError
from workflow.vocabulary import Mode, Way

RULES = rules_of("[effects.modes]\nplace_supply = 'ask'\nrecover_supply = 'off'\n")


@pytest.fixture
def observed(database):
    out_of_stock = report("report_no_stock", 1)
    take(database, arrival("1", out_of_stock), arrival("2", shop="other"), now=1, rules=RULES.without_asking(), observed=True)
    fire_due(database, day(2), RULES)
    return database


def test_what_will_become_of_held_effects_is_said_by_the_modes_of_the_policy(observed):
    waits = observation(observed, None, RULES.policy)
    assert waits.orders == 2
    assert waits.held == {Mode.auto: {"urge_supplier": 1}, Mode.ask: {"place_supply": 1}, Mode.off: {"recover_supply": 1}}
    assert observation(observed, "other", RULES.policy).held[Mode.auto] == {"urge_supplier": 1}


def test_each_held_effect_goes_on_as_the_policy_says_and_later_ones_too(observed):
    end_observation(observed, None, RULES.policy, "person:kim", day(2))
    assert statuses(observed) == {"urge_supplier": "ready", "place_supply": "asked", "recover_supply": "off"}
    assert observation(observed, None, RULES.policy).orders == 0
    fire_due(observed, day(3.5), RULES)
    with observed.read() as connection:
        assert {row["status"] for row in all_effects(connection) if row["kind"] == "urge_supplier"} == {"ready"}
        assert {row["decided_by"] for row in all_effects(connection, "asked")} == {"person:kim"}


def test_what_a_person_has_decided_is_not_asked_about_again(database):
    out_of_stock = report("report_no_stock", 1)
    take(database, arrival("1", out_of_stock), arrival("2", out_of_stock), now=1, rules=RULES, observed=True)
    assert observation(database, None, RULES.policy).decisions == 2
    answer(database, "1", Answer(Way.yes, "person:kim"), day(2), RULES)
    waits = observation(database, None, RULES.policy)
    assert waits.held == {Mode.auto: {"notify_merchant": 2, "place_supply": 1}, Mode.ask: {}, Mode.off: {"recover_supply": 1}}
    assert waits.decisions == 1
    end_observation(database, None, RULES.policy, "person:lee", day(3))
    assert statuses(database)["place_supply"] == "ready"


def test_one_shop_goes_live_and_the_others_stay_held(observed):
    end_observation(observed, "other", RULES.policy, "person:kim", day(2))
    assert statuses(observed) == {"urge_supplier": "ready", "place_supply": "held", "recover_supply": "held"}
    assert observation(observed, "main", RULES.policy).orders == 1


def test_what_was_dropped_before_does_not_leave(observed):
    with observed.write() as connection:
        connection.exec_driver_sql("UPDATE effects SET status = 'dropped' WHERE kind = 'urge_supplier'")
    end_observation(observed, None, RULES.policy, "person:kim", day(2))
    assert statuses(observed)["urge_supplier"] == "dropped"


def test_a_shop_that_nobody_knows_is_named_with_the_nearest_one(observed):
    with pytest.raises(UsageError, match="no order is of the shop 'othr'; did you mean other"):
        end_observation(observed, "othr", RULES.policy, "person:kim", day(2))
