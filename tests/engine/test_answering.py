"""Steps that wait for a person's decision (rule 5.9), on both databases."""

from dataclasses import replace

import pytest

from effects.letters import Letters
from engine.answering import decide, list_decisions, standing
from engine.composing import Messenger, compose_due
from engine.firing import fire_due
from engine.rebuild import as_known
from engine.timer_commands import TimerCommand, apply_command
from storage import audits, queries
from storage.lists import Filter
from storage.timers import Selection
from tests.factories import all_effects, all_flags, arrival, day, report, rules_of, statuses, take
from workflow.decisions import Answer
from workflow.errors import Refused
from workflow.vocabulary import State, Way

ASKING = rules_of("[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\n")
KIM = "person:kim"


def fired(database, at, rules=ASKING):
    return fire_due(database, day(at), rules).count


def case_of(database, number="1"):
    with database.read() as connection:
        return queries.stored_case(connection, number).case


def verdicts(database, number="1"):
    with database.read() as connection:
        rows = queries.reports(connection, queries.resolve_id(connection, number))
    return [(row["trigger"], row["verdict"]) for row in rows if row["trigger"] != "place"]


def whole(database):
    """Say whether every history holds, and comes out the same when it is told again."""
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        return all(as_known(connection, key, day(999), ASKING).exact for key in queries.order_ids(connection))


@pytest.fixture
def asked(database):
    """An order whose reroute waits for a decision."""
    take(database, arrival("1", paid=5_000), rules=ASKING)
    assert fired(database, 2) == 1
    assert fired(database, 4) == 1
    assert fired(database, 4) == 0
    return database


def test_a_deadline_that_would_order_elsewhere_waits_and_the_merchant_is_told(asked):
    case = case_of(asked)
    assert (case.state, case.decision.trigger, case.timer(2).status) == (State.overdue_urged, "reroute", "waiting")
    assert statuses(asked) == {"urge_supplier": "ready", "notify_merchant": "ready"}
    found = standing(asked, "1", day(4), ASKING)
    assert (found.decision.number, [*found.ways]) == (1, [Way.yes, Way.next, Way.refund, Way.stay])
    assert whole(asked)


@pytest.mark.parametrize(
    ("way", "state", "supplier"),
    [(Way.yes, State.rerouted, "alt-1"), (Way.next, State.rerouted, "alt-2"), (Way.refund, State.refunding, None)],
)
def test_the_answer_is_taken_then_as_that_persons(asked, way, state, supplier):
    decide(asked, "1", Answer(way, KIM, number=1), day(5), ASKING)
    case = case_of(asked)
    assert (case.state, case.attempt.supplier) == (state, supplier)
    assert case.attempt.placed_at == (day(5) if supplier else day(0))
    assert {row["status"] for row in _effects(asked) if row["kind"] in ("place_supply", "request_refund")} == {"ready"}
    with asked.read() as connection:
        last = queries.history(connection, 1)[-1]
    assert (last.trigger, last.actor, last.details["way"], last.occurred) == ("reroute", KIM, way, day(5))
    assert whole(asked)


def _effects(database):
    with database.read() as connection:
        return all_effects(connection)


def test_who_was_passed_over_is_no_candidate_any_more(asked):
    decide(asked, "1", Answer(Way.next, KIM), day(5), ASKING)
    fired(asked, 7)
    fired(asked, 9)
    assert [*standing(asked, "1", day(9), ASKING).ways] == [Way.yes, Way.stay]
    decide(asked, "1", Answer(Way.yes, KIM), day(9), ASKING)
    assert case_of(asked).state is State.refunding
    assert whole(asked)


def test_a_decision_that_was_answered_by_another_person_is_told_to_the_second(asked):
    decide(asked, "1", Answer(Way.yes, "person:lee", number=1), day(5), ASKING)
    with pytest.raises(Refused, match="person:lee has decided yes on reroute"):
        decide(asked, "1", Answer(Way.stay, KIM, number=1), day(5), ASKING)
    with pytest.raises(Refused, match="nothing waits for a decision"):
        take(asked, arrival("2"), now=5, rules=ASKING)
        decide(asked, "2", Answer(Way.yes, KIM), day(5), ASKING)


def test_a_preview_says_what_an_answer_does_and_stores_nothing(asked):
    made = decide(asked, "1", Answer(Way.yes, KIM), day(5), ASKING, dry_run=True)
    assert made.case.state is State.rerouted
    assert case_of(asked).state is State.overdue_urged


def test_a_list_says_what_each_step_would_do_as_the_answer_does_it(database):
    rules = rules_of("[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\nurge_supplier = 'ask'\n")
    told = (report("report_no_stock", 1), report("report_unresponsive", 1), report("report_oversized", 1))
    take(database, *(arrival(one.trigger, one, paid=500) for one in told), arrival("late", paid=700), now=1, rules=rules)
    take(database, arrival("alone", told[0], paid=900, alternatives=()), now=1, rules=rules)
    assert fired(database, 2, rules) == 1
    shown = {one.order: (one.next, one.amount) for one in list_decisions(database, Filter(), 10, None, day(3), rules).rows}
    assert shown == {
        "main/report_no_stock": ("alt-1", None),
        "main/report_unresponsive": (None, 500),
        "main/report_oversized": (None, 500),
        "main/alone": (None, 900),
        "main/late": (None, None),
    }
    for name, (supplier, amount) in shown.items():
        made = decide(database, name, Answer(Way.yes, KIM), day(3), rules, dry_run=True).step
        assert {one.details["supplier"] for one in made.effects if one.kind == "place_supply"} == {supplier} - {None}
        assert {one.details["amount"] for one in made.effects if one.kind == "request_refund"} == {amount} - {None}


def test_a_decision_sleeps_is_reminded_and_needs_a_person_until_it_ends(asked):
    decide(asked, "1", Answer(Way.stay, KIM, until=day(9)), day(5), ASKING)
    assert case_of(asked).decision.sleeps_until == day(9)
    assert [fired(asked, at) for at in (9, 10.3, 11.3, 14.3)] == [0, 1, 1, 1]
    with asked.read() as connection:
        assert [row["flag"] for row in all_flags(connection)] == ["undecided"]
    take(asked, arrival("1", report("ship", 15), placing=False), now=15, rules=ASKING)
    case = case_of(asked)
    assert (case.state, case.decision, [timer.trigger for timer in case.timers]) == (State.shipped, None, ["stall"])
    with asked.read() as connection:
        assert all_flags(connection) == []
    assert whole(asked)


def test_a_report_waits_for_its_decision_and_is_applied_by_it(database):
    take(database, arrival("1", report("report_no_stock", 1, reason="sold out")), now=1, rules=ASKING)
    assert verdicts(database) == [("report_no_stock", "waiting")]
    assert fired(database, 3) == 1, "the reminder; the urge rests"
    take(database, arrival("1", report("report_no_stock", 1, reason="sold out"), placing=False), now=3, rules=ASKING)
    assert verdicts(database) == [("report_no_stock", "waiting")], "its repeat changes nothing"
    decide(database, "1", Answer(Way.yes, KIM), day(3.5), ASKING)
    assert verdicts(database) == [("report_no_stock", "applied")]
    assert case_of(database).attempt.supplier == "alt-1"
    assert whole(database)


def test_a_report_that_stays_is_noted_and_its_orders_clocks_run_on(database):
    take(database, arrival("1", report("report_no_stock", 1)), now=1, rules=ASKING)
    decide(database, "1", Answer(Way.stay, KIM, reason="he will find some"), day(3), ASKING)
    assert verdicts(database) == [("report_no_stock", "applied")]
    assert fired(database, 3) == 1
    assert case_of(database).state is State.overdue_urged
    assert whole(database)


def test_what_would_ask_meanwhile_waits_behind_and_is_judged_when_that_has_ended(database):
    take(database, arrival("1", report("report_no_stock", 1), report("report_oversized", 1.5)), now=2, rules=ASKING)
    assert verdicts(database) == [("report_no_stock", "waiting"), ("report_oversized", "waiting")]
    assert len(case_of(database).decisions) == 1
    decide(database, "1", Answer(Way.stay, KIM), day(3), ASKING)
    assert case_of(database).decision.trigger == "report_oversized"
    take(database, arrival("1", report("ship", 4), placing=False), now=4, rules=ASKING)
    assert verdicts(database) == [("report_no_stock", "applied"), ("report_oversized", "applied"), ("ship", "applied")]
    assert case_of(database).decision is None
    assert whole(database)


def test_what_was_said_of_a_supplier_that_was_left_asks_nothing_of_the_next_one(database):
    out_of_stock, silent = report("report_no_stock", 1), report("report_unresponsive", 1.5)
    take(database, arrival("1", out_of_stock, silent), now=2, rules=ASKING)
    decide(database, "1", Answer(Way.yes, KIM), day(3), ASKING)
    case = case_of(database)
    assert (case.state, case.attempt.supplier, case.decision) == (State.rerouted, "alt-1", None)
    assert verdicts(database) == [("report_no_stock", "applied"), ("report_unresponsive", "applied")]
    take(database, arrival("1", report("report_no_stock", 4), placing=False), now=4, rules=ASKING)
    assert case_of(database).decision.trigger == "report_no_stock", "this one is about the next supplier"
    assert whole(database)


def test_a_person_who_reports_instead_of_deciding_is_not_asked_about_the_next_supplier(database):
    take(database, arrival("1", report("report_no_stock", 1)), now=1, rules=ASKING)
    take(database, arrival("1", replace(report("report_no_stock", 2), actor=KIM), placing=False), now=2, rules=ASKING)
    case = case_of(database)
    assert (case.state, case.attempt.supplier, case.decision) == (State.rerouted, "alt-1", None)
    assert whole(database)


def test_what_a_person_reports_is_their_word(database):
    told = replace(report("report_no_stock", 1), actor=KIM)
    take(database, arrival("1", told), now=1, rules=ASKING)
    assert case_of(database).state is State.rerouted


@pytest.mark.parametrize(
    ("action", "state"), [("fire", State.rerouted), ("cancel", State.overdue_urged), ("postpone", State.overdue_urged)]
)
def test_what_is_done_to_a_timer_that_waits_is_an_answer(asked, action, state):
    command = TimerCommand(action, KIM, to=day(9) if action == "postpone" else None)
    (done,) = apply_command(asked, Selection(triggers=("reroute",)), command, day(5), ASKING)
    assert done.refused is None
    case = case_of(asked)
    assert case.state is state
    assert (case.decision is None) is (action != "postpone")
    assert whole(asked)


def test_a_timer_that_waits_is_not_paused_and_not_moved_with_others(asked):
    (refused,) = apply_command(asked, Selection(triggers=("reroute",)), TimerCommand("pause", KIM), day(5), ASKING)
    assert "it waits for a decision" in refused.refused
    assert case_of(asked).decision is not None


def test_orders_with_decisions_fire_as_others_do(database):
    take(database, *(arrival(str(number)) for number in range(30)), rules=ASKING)
    take(database, *(arrival(str(number), alternatives=()) for number in range(30, 40)), rules=ASKING)
    assert fired(database, 2) == 40
    assert fired(database, 4) == 40
    with database.read() as connection:
        cases = [queries.stored_case(connection, str(number)).case for number in range(40)]
    assert {case.decision.trigger for case in cases} == {"reroute"}
    assert whole(database)


def test_a_merchant_is_not_told_of_a_decision_that_has_been_taken(asked):
    rules = rules_of("[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\n[effects]\ndefault_channels = ['log']")
    take(asked, arrival("2", report("report_no_stock", 4)), now=4, rules=rules)
    decide(asked, "1", Answer(Way.yes, KIM), day(5), rules)
    compose_due(asked, day(5), rules, Messenger({}, Letters()))
    notices = {row["order_id"]: row["status"] for row in _effects(asked) if row["kind"] == "notify_merchant"}
    assert notices == {1: "dropped", 2: "written"}


def test_the_last_reminder_is_not_escalated_once_the_decision_is_taken(asked):
    rules = rules_of("[effects.modes]\nplace_supply = 'ask'\n[effects]\ndefault_channels = ['log']")
    for at in range(5, 12):
        fire_due(asked, day(at), rules)
    assert "escalate" in statuses(asked)
    decide(asked, "1", Answer(Way.stay, KIM), day(21), rules)
    compose_due(asked, day(21), rules, Messenger({}, Letters()))
    assert {row["status"] for row in _effects(asked) if row["kind"] in ("escalate", "notify_merchant")} == {"dropped"}
