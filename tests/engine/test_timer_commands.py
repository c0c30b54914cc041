"""Timers moved by people, policies that differ, and deadlines that move with them (rules 3.9 and 3.10)."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlmodel import col

from engine.firing import fire_due
from engine.rules import rules_in_force
from engine.timer_commands import TimerCommand, apply_command, settle_closures, settle_provisional
from storage import audits, policies, queries, timers
from storage.tables import OrderRow, TimerRow
from storage.timers import Selection
from tests.factories import arrival, day, report, rules_of, state, take
from workflow.errors import Refused
from workflow.policy.calendars import WorkingCalendar
from workflow.policy.durations import Duration
from workflow.policy.policy import Policy, PolicyError, Rules, read_policy
from workflow.timer_commands import act
from workflow.vocabulary import State

RULES = rules_of()
KIM = "person:kim"


def keep(database, action, at=1.0, rules=RULES, wanted=None, dry_run=False, **how):
    command = TimerCommand(action, KIM, **how)
    return apply_command(database, wanted or Selection(triggers=("urge",)), command, day(at), rules, dry_run=dry_run)


def timer(database, trigger="urge", number="1"):
    with database.read() as connection:
        case = queries.stored_case(connection, number).case
    return next((one for one in case.timers if one.trigger == trigger), None)


def history(database, number="1"):
    with database.read() as connection:
        rows = queries.history(connection, queries.resolve_id(connection, number))
        assert [*audits.broken_orders(connection)] == []
    return rows


def test_a_postponed_timer_fires_at_its_new_instant_and_not_before(database):
    take(database, arrival("1"))
    keep(database, "postpone", to=day(3), reason="they called")
    assert fire_due(database, day(2.9), RULES).count == 0
    assert fire_due(database, day(3), RULES).count == 1
    row = history(database)[1]
    assert (row.trigger, row.actor, row.reason) == ("postpone_timer", KIM, "they called")


def test_a_selection_is_shifted_after_a_dry_run_that_changes_nothing(database):
    take(database, arrival("1"), arrival("2", supplier="Yiwu"), arrival("3", shop="other"))
    tried = keep(database, "shift", by=Duration(7, "d").span(), dry_run=True)
    assert [(one.was_due, one.due_at) for one in tried] == [(day(2), day(9))] * 3
    assert timer(database).due_at == day(2)
    assert len(history(database)) == 1
    chosen = (
        Selection(shops=("other",)),
        Selection(suppliers=("yiwu",)),
        Selection(due_before=day(2)),
        Selection(routes=("international",)),
    )
    assert [len(keep(database, "pause", wanted=one, dry_run=True)) for one in chosen] == [1, 1, 0, 0]
    keep(database, "shift", by=Duration(7, "d").span())
    assert timer(database, number="2").due_at == day(9)


def test_a_persons_pause_outlasts_an_interception_and_the_paused_span_is_added(database):
    take(database, arrival("1"))
    keep(database, "pause", at=0.5)
    take(database, arrival("1", report("correct_address", 1), placing=False), now=1)
    take(database, arrival("1", report("fail_interception", 1.5), placing=False), now=1.5)
    assert timer(database).status == "paused"
    assert fire_due(database, day(5), RULES).count == 0
    (refused,) = keep(database, "pause", at=5)
    assert refused.refused == "person:kim has paused it already"
    keep(database, "resume", at=6)
    assert timer(database).due_at == day(7.5)
    (refused,) = keep(database, "resume", at=6)
    assert refused.refused == "no person has paused it"


def test_what_is_resumed_during_an_interception_stays_paused_until_that_ends(database):
    take(database, arrival("1"))
    take(database, arrival("1", report("correct_address", 1), placing=False), now=1)
    keep(database, "pause", at=1.2)
    keep(database, "resume", at=1.4)
    assert timer(database).status == "paused"
    take(database, arrival("1", report("fail_interception", 1.5), placing=False), now=1.5)
    assert (timer(database).status, timer(database).due_at) == ("pending", day(2.5))


def test_a_clock_that_waits_is_paused_and_resumed_with_its_instant_moved(database):
    told = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    take(database, arrival("1", *told), now=3)
    close = Selection(triggers=("close",))
    keep(database, "pause", at=4, wanted=close)
    keep(database, "resume", at=6, wanted=close)
    assert (timer(database, "close").status, timer(database, "close").due_at) == ("paused", day(19))
    take(database, arrival("1", report("withdraw", 7), placing=False), now=7)
    assert (timer(database, "close").status, timer(database, "close").due_at) == ("pending", day(19))


def test_a_named_person_fires_a_timer_early_and_the_history_says_who(database):
    take(database, arrival("1"))
    keep(database, "fire", at=1)
    assert state(database) is State.overdue_urged
    row = history(database)[-1]
    assert (row.trigger, row.actor, row.due, row.occurred) == ("urge", KIM, day(2), day(1))
    assert timer(database, "reroute").due_at == day(4)


def test_a_paused_timer_is_not_fired_and_a_cancelled_one_never(database):
    take(database, arrival("1"))
    keep(database, "pause")
    (refused,) = keep(database, "fire")
    assert "resume it first" in refused.refused
    keep(database, "cancel")
    assert timer(database) is None
    assert keep(database, "fire") == []


def test_a_person_and_the_daemon_that_meet_leave_one_firing(database):
    take(database, arrival("1"))
    with database.read() as connection:
        due = timers.running(connection, Selection())
    assert fire_due(database, day(2), RULES).count == 1
    assert keep(database, "fire", at=2, wanted=Selection(timers=tuple(due))) == []
    assert [row.trigger for row in history(database)] == ["place", "urge"]


def new_rules(database, text):
    with database.write() as connection:
        version = policies.version_of(connection, text, day(0))
    return Rules(version, read_policy(text), RULES.calendar)


def test_a_changed_policy_moves_running_timers_only_when_that_is_asked_for(database):
    old = new_rules(database, "")
    take(database, arrival("1"), rules=old)
    keep(database, "shift", by=timedelta(hours=12), rules=old)
    new = new_rules(database, '[overdue]\nurge_after = "3d"')
    assert timer(database).due_at == day(2.5)
    keep(database, "retime", rules=new)
    assert (timer(database).due_at, timer(database).policy) == (day(3.5), new.version)
    assert history(database)[-1].trigger == "retime_timer"
    assert keep(database, "retime", rules=new) == []


def test_a_date_that_a_person_has_given_is_not_moved_by_a_changed_policy(database):
    take(database, arrival("1"))
    keep(database, "postpone", to=day(6))
    assert keep(database, "retime", rules=rules_of('[overdue]\nurge_after = "3d"')) == []
    assert (timer(database).due_at, timer(database).promised) == (day(6), True)


def test_a_timer_that_the_new_policy_does_not_have_ends(database):
    take(database, arrival("1"))
    keep(database, "retime", rules=rules_of('[overdue]\nroutes = ["international"]'))
    assert timer(database) is None


def test_repeating_clocks_are_retimed_too(database):
    take(database, arrival("1", report("ship", 0)), now=0)
    fire_due(database, day(10), RULES)
    keep(database, "retime", at=11, rules=rules_of('[transit]\nstall_every = "12d"'), wanted=Selection(triggers=("stall",)))
    assert timer(database, "stall").due_at == day(22)


SUPPLIERS = """
[[overrides]]
route = "domestic"
overdue.urge_after = "5d"
[[overrides]]
supplier = "Yiwu"
overdue.urge_after = "1d"
[[overrides]]
supplier = "Yiwu"
shop = "main"
overdue.urge_after = "3d"
[[overrides]]
supplier = "Late"
claims.window = "9wd"
"""


@pytest.mark.parametrize(
    ("order", "due", "line"),
    [
        ({"route": "international"}, 2, "overdue.urge_after = 2d"),
        ({}, 5, "overdue.urge_after = 5d (overrides 1: route domestic)"),
        ({"supplier": "Yiwu", "shop": "b"}, 1, "overdue.urge_after = 1d (overrides 2: supplier Yiwu)"),
        ({"supplier": "Yiwu"}, 3, "overdue.urge_after = 3d (overrides 3: shop main, supplier Yiwu)"),
        ({"supplier": "Late"}, 5, "overdue.urge_after = 5d (overrides 1: route domestic)"),
    ],
)
def test_the_most_specific_line_of_the_policy_decides_and_is_named(story, order, due, line):
    from workflow.rules.timers import deciding_lines

    told = story(SUPPLIERS, **order)
    assert told.timer("urge").due_at == day(due)
    assert deciding_lines(told.case, told.rules, told.timer("urge")) == (line,)


def test_a_recovery_is_chased_by_the_numbers_of_the_supplier_that_was_left(story):
    policy = '[[overrides]]\nsupplier = "Yiwu"\nmoney.chase_recovery_at = ["5d", "6d"]'
    told = story(policy, supplier="Yiwu")
    told.report("report_no_stock", 1)
    assert told.timer("chase_recovery").due_at == day(6)
    told.until(8)
    assert told.fired("chase_recovery") == [day(6), day(7)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[[overrides]]\noverdue.urge_after = "1d"', "names no shop, supplier or route"),
        (
            '[[overrides]]\nshop = "a"\noverdue.urge_after = "soon"',
            r"overrides 1.overdue.urge_after\]: 'soon' is not a duration",
        ),
        ('[[overrides]]\nshop = "a"\noverdue.urg_after = "1d"', "did you mean urge_after"),
        ('[[overrides]]\nshop = "a"\ncontacts.merchant = "a@b.cn"', "contacts"),
        ('[[overrides]]\nshop = "a"\nsupply = {no_stock = "refund"}\n' * 2, "the same orders as overrides 1"),
        ('[[overrides]]\nshop = "a"', "changes nothing"),
        ('[[overrides]]\nshopp = "a"', r"overrides 1.shopp\] is not a setting of the policy; did you mean shop"),
    ],
)
def test_a_wrong_override_is_found_when_the_policy_is_read(text, why):
    with pytest.raises(PolicyError, match=why):
        read_policy(text)


class Unannounced(WorkingCalendar):
    """A calendar before its make-up days of 2025 are announced."""

    def is_working_day(self, day):
        return day.weekday() < 5

    def is_provisional(self, start, deadline):
        return deadline.year >= 2025


def test_provisional_deadlines_are_recomputed_when_their_year_is_announced(database):
    guessed = Rules(1, Policy(), Unannounced())
    take(database, arrival("1", report("report_oversized", 1)), now=1, rules=guessed)
    before = timer(database, "chase_refund")
    assert before.provisional
    assert settle_provisional(database, day(2), guessed) == 0
    take(database, arrival("2", report("report_oversized", 1)), now=1)
    assert settle_provisional(database, day(2), rules_of()) == 1
    after = timer(database, "chase_refund")
    assert not after.provisional
    assert after.due_at == timer(database, "chase_refund", "2").due_at
    assert history(database)[-1].actor == "timer"


def test_chases_that_downtime_has_overtaken_come_at_the_planned_distances(story):
    told = story()
    told.report("report_oversized", 0)
    from workflow.step import fire

    first = told.timer("chase_refund")
    told.case = fire(told.case, first, day(90), told.rules).case
    second = told.timer("chase_refund")
    assert second.due_at == told.rules.calendar.deadline(day(90), 5)
    told.case = fire(told.case, second, second.due_at, told.rules).case
    assert told.timer("chase_refund").due_at == told.rules.calendar.deadline(second.due_at, 5)


def test_a_timer_that_an_order_does_not_have_is_not_acted_on(story):
    told = story()
    with pytest.raises(Refused, match="does not run any more"):
        act(told.case, "pause", 99, day(1), KIM, told.rules, {})


def test_carrier_news_do_not_end_a_persons_pause(database):
    take(database, arrival("1", report("ship", 1)), now=1)
    keep(database, "pause", at=2, wanted=Selection(triggers=("stall",)))
    take(database, arrival("1", report("note_transit", 3), placing=False), now=3)
    assert (timer(database, "stall").status, timer(database, "stall").paused_by) == ("paused", KIM)


def test_what_a_person_fires_early_counts_on_from_then(database):
    take(database, arrival("1", report("ship", 1)), now=1)
    keep(database, "fire", at=2, wanted=Selection(triggers=("stall",)))
    assert timer(database, "stall").due_at == day(12)


@pytest.mark.parametrize("days", [9_999_999, -999_999])
def test_a_timer_is_not_moved_out_of_the_years_of_the_living(database, days):
    take(database, arrival("1"))
    (refused,) = keep(database, "shift", by=timedelta(days=days))
    assert "outside the years 1990-2199" in refused.refused


def test_a_timer_that_was_set_aside_is_tried_again_when_a_person_says_so(database):
    take(database, arrival("1"))
    with database.write() as connection:
        for _ in range(timers.TRIES):
            timers.set_back(connection, (1, 1), day(2), "broken")
    assert fire_due(database, day(9), RULES).count == 0
    with database.write() as connection:
        assert timers.retry(connection, timers.running(connection, Selection(status="failed"))) == [(1, 1)]
    assert fire_due(database, day(9), RULES).count == 1


def test_a_timer_that_was_ended_meanwhile_is_not_set_back(database):
    take(database, arrival("1"))
    keep(database, "cancel")
    with database.write() as connection:
        assert timers.set_back(connection, (1, 1), day(2), "broken") is False
    assert fire_due(database, day(9), RULES).count == 0


def test_refunds_of_one_chain_that_are_asked_for_at_once_share_what_was_paid(database):
    steps = ("ship", "deliver", "open_claim", "submit_evidence", "approve", "choose_reissue", "confirm_reissue")
    fields = {"open_claim": {"kind": "damaged", "lines": "sku:1"}, "confirm_reissue": {"new_order": "r1"}}
    said = [report(trigger, n / 10, **fields.get(trigger, {})) for n, trigger in enumerate(steps, 1)]
    take(database, arrival("1", *said, paid=1_000), now=1)
    for number, lines in (("1", "sku:1"), ("r1", None)):
        again = [
            report("ship", 1.1),
            report("deliver", 1.2),
            report("open_claim", 1.3, kind="wrong", **({"lines": lines} if lines else {})),
        ]
        again += [report("submit_evidence", 1.4), report("approve", 1.5)]
        take(database, arrival(number, *again, placing=False), now=2)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE orders SET paid = 700 WHERE number = '1'")
    keep(database, "fire", at=3, wanted=Selection(triggers=("lapse_window",)))
    with database.read() as connection:
        asked = [queries.stored_case(connection, number).case.ledger[0].amount for number in ("1", "r1")]
    assert sum(asked) <= 700


CLOSED = '[[closures]]\nsupplier = "Yiwu"\nfrom = 2025-03-04\nto = 2025-03-06\n'


def urges(database):
    with database.read() as connection:
        due = select(OrderRow.number, TimerRow.due_at).join(TimerRow, col(TimerRow.order_id) == col(OrderRow.id))
        running = due.where(col(TimerRow.trigger) == "urge", col(TimerRow.status) == "pending")
        return dict(connection.execute(running.order_by(OrderRow.number)).all())


def test_timers_that_run_follow_the_closures_of_their_suppliers_once(database):
    plain = rules_in_force(database, "", day(0))
    suppliers = {"1": "Yiwu", "2": "Ningbo", "3": "Yiwu"}
    take(database, *(arrival(number, supplier=one) for number, one in suppliers.items()), rules=plain)
    postponed = TimerCommand("postpone", "person:kim", "promised by phone", to=day(4))
    apply_command(database, Selection(timers=[(3, 1)]), postponed, day(0.1), plain)
    assert settle_closures(database, day(0.2), plain) == 0
    changed = rules_in_force(database, CLOSED + '[overdue]\nurge_after = "9d"\n', day(0.3))
    assert settle_closures(database, day(0.3), changed) == 1
    assert urges(database) == {"1": day(5), "2": day(2), "3": day(4)}, "the numbers are those of their own policy"
    assert settle_closures(database, day(0.4), changed) == 0
    again = rules_in_force(database, "", day(0.5))
    assert settle_closures(database, day(0.5), again) == 1
    assert urges(database)["1"] == day(2)
    assert settle_closures(database, day(0.6), changed) == 1
    assert urges(database)["1"] == day(5)
