"""A shop of 200 orders over two months: deadlines act by themselves, or nothing moves goods or money without a person."""

import json
from collections import Counter
from itertools import cycle, islice

from engine.firing import fire_due
from storage import audits, queries
from storage.tables import AttentionRow, DecisionRow, EffectRow, OrderRow, TimerRow, table_of
from tests.factories import arrival, day, report, rules_of, take
from workflow.process import CLOCKS, EFFECTS
from workflow.vocabulary import DecisionStatus, TimerStatus

BY_ITSELF = rules_of()
ASKING = rules_of("[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\nplace_reissue = 'ask'\n")
CLAIMED = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
EVIDENCE = report("submit_evidence", 4)
APPROVED = (*CLAIMED, EVIDENCE, report("approve", 5))
LIVES = (
    (),
    (report("report_no_stock", 1),),
    (report("report_unresponsive", 1), report("report_no_stock", 3), report("report_no_stock", 6)),
    (report("report_oversized", 1),),
    (report("cancel", 1),),
    (report("ship", 1),),
    (report("ship", 1), report("cancel", 2)),
    (report("ship", 1), report("cancel", 2), report("confirm_interception", 3)),
    (report("ship", 1), report("hold", 2)),
    (report("ship", 1), report("hold", 2), report("lose", 9)),
    (report("ship", 1), report("deliver", 2)),
    CLAIMED,
    (*CLAIMED, EVIDENCE),
    APPROVED,
    (*APPROVED, report("choose_refund", 6)),
    (*APPROVED, report("choose_reissue", 6)),
)
ORDERS, DAYS = 200, 60
MOVING = {effect.kind for effect in EFFECTS if effect.moves}


def lived(database, rules):
    """Let the shop live: reports come on their days, and a pass runs after them and twice a day."""
    lives = {str(number): life for number, life in enumerate(islice(cycle(LIVES), ORDERS), 1)}
    told = sorted(((one.at, number, one) for number, life in lives.items() for one in life), key=lambda one: one[:2])
    take(database, *(arrival(number, paid=1_000) for number in lives), rules=rules)
    for half in range(2 * DAYS + 1):
        at = half / 2
        come = [arrival(number, one, placing=False) for when, number, one in told if day(at - 0.5) < when <= day(at)]
        take(database, *come, now=at, rules=rules)
        while fire_due(database, day(at), rules).count:
            pass


def rows(database, model):
    with database.read() as connection:
        return [*connection.execute(table_of(model).select()).mappings()]


def urged_unplaced(database):
    """Return the attempts after the first whose suppliers were urged for an order that was never placed with them."""
    effects = [(row["kind"], row["order_id"], row["attempt"]) for row in rows(database, EffectRow)]
    placed = {(order, attempt) for kind, order, attempt in effects if kind == "place_supply"}
    return {(order, attempt) for kind, order, attempt in effects if kind == "urge_supplier" and attempt > 1} - placed


def test_on_the_default_policy_every_deadline_acts_by_itself(database):
    lived(database, BY_ITSELF)
    fired = {row["trigger"] for row in rows(database, TimerRow) if row["status"] == TimerStatus.fired}
    assert fired == {clock.trigger for clock in CLOCKS} - {"remind_decision"}
    assert rows(database, DecisionRow) == []
    assert urged_unplaced(database) == set()


def test_where_the_policy_asks_and_nobody_answers_nothing_moves_goods_or_money_but_what_was_ordered_before(database):
    lived(database, ASKING)
    effects = rows(database, EffectRow)
    moved = Counter((row["kind"], json.loads(row["details"])["about"]) for row in effects if row["kind"] in MOVING)
    approved = sum(life[: len(APPROVED)] == APPROVED for life in islice(cycle(LIVES), ORDERS))
    assert moved == {("request_refund", "lapse_window"): approved}, "the policy says what happens when the window has ended"
    standing = [row for row in rows(database, DecisionRow) if row["status"] == DecisionStatus.standing]
    asking = {"reroute", "report_no_stock", "report_unresponsive", "report_oversized", "confirm_interception"}
    assert {row["trigger"] for row in standing} == asking
    flagged = {row["order_id"] for row in rows(database, AttentionRow) if row["flag"] == "undecided" and not row["resolved_at"]}
    assert {row["order_id"] for row in standing} == flagged, "each was reminded of three times, and then needs a person"
    assert urged_unplaced(database) == set()
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        states = {key: queries.stored_case(connection, number).case for key, number in _numbers(connection)}
    assert all(states[row["order_id"]].decision.number == row["number"] for row in standing)


def _numbers(connection):
    o = table_of(OrderRow)
    return connection.execute(o.select().with_only_columns(o.c.id, o.c.number)).all()
