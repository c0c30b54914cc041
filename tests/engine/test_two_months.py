"""A shop of 200 orders over two months: deadlines act by themselves, or nothing moves goods or money without a person."""

import json
from collections import Counter
from datetime import timedelta
from itertools import cycle, islice

from effects.letters import DETAILS, Letters
from engine.composing import Messenger
from engine.owning import owned
from jobs.passes import Runtime, passes_until
from storage import audits, queries
from storage.tables import AttentionRow, DecisionRow, EffectRow, OrderRow, TimerRow, table_of
from tests.engine.letters_read import Reader
from tests.factories import arrival, day, report, rules_of, take
from workflow.process import CLOCKS, EFFECTS
from workflow.vocabulary import DecisionStatus, TimerStatus

BY_ITSELF = rules_of("[effects]\ndefault_channels = ['file']\n")
ASKING = rules_of(
    "[effects]\ndefault_channels = ['file']\n"
    "[effects.modes]\nplace_supply = 'ask'\nrequest_refund = 'ask'\nplace_reissue = 'ask'\n"
)
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
    (report("report_closed", 1), report("settle_refund", 30, amount=400)),
    (report("report_no_stock", 1), report("settle_recovery", 5, amount=400)),
    (report("report_oversized", 1), report("settle_refund", 12, amount=300)),
    (report("report_no_stock", 1), report("ship", 1.5, attempt=1)),
)
ORDERS, DAYS = 200, 60
MOVING = {effect.kind for effect in EFFECTS if effect.moves}


class Post:
    """A channel that takes everything."""

    def send(self, message):
        pass


def lived(database, rules):
    """Let the shop live as with a test clock: reports come twice a day, and a pass runs at every instant that is due."""
    runtime = Runtime(database, rules, Messenger({"file": Post()}, Letters()))
    lives = {str(number): life for number, life in enumerate(islice(cycle(LIVES), ORDERS), 1)}
    told = sorted(((one.at, number, one) for number, life in lives.items() for one in life), key=lambda one: one[:2])
    take(database, *(arrival(number, paid=1_000, supplier="Yiwu") for number in lives), rules=rules)
    for half in range(2 * DAYS + 1):
        at = half / 2
        come = [arrival(number, one, placing=False) for when, number, one in told if day(at - 0.5) < when <= day(at)]
        take(database, *come, now=at, rules=rules)
        with owned(database, "once", day(at)) as owner:
            passes_until(runtime, owner, day(at), day(at + 0.5), lambda moment: None)


def rows(database, model):
    with database.read() as connection:
        return [*connection.execute(table_of(model).select()).mappings()]


def urged_unplaced(database):
    """Return the attempts after the first whose suppliers were urged for an order that was never placed with them."""
    effects = [(row["kind"], row["order_id"], row["attempt"]) for row in rows(database, EffectRow)]
    placed = {(order, attempt) for kind, order, attempt in effects if kind == "place_supply"}
    return {(order, attempt) for kind, order, attempt in effects if kind == "urge_supplier" and attempt > 1} - placed


def letters_read(database):
    """Return what was read of which kind in the letters that left, of which none is untrue."""
    with database.read() as connection:
        reader = Reader(connection)
        assert [*reader.untrue()] == []
    return reader.read


def test_on_the_default_policy_every_deadline_acts_by_itself(database):
    lived(database, BY_ITSELF)
    fired = {row["trigger"] for row in rows(database, TimerRow) if row["status"] == TimerStatus.fired}
    assert fired == {clock.trigger for clock in CLOCKS} - {"remind_decision"}
    assert rows(database, DecisionRow) == []
    assert urged_unplaced(database) == set()
    read = letters_read(database)
    assert {kind for kind, _ in read} == {effect.kind for effect in EFFECTS}
    assert sum(read.values()) > 1_000
    assert {name for row in rows(database, EffectRow) for name in json.loads(row["details"])} <= DETAILS
    alterations = (_later(timedelta(days=30)), _later(timedelta(days=-1)), _with_other_sums)
    seen = set[str]().union(*(altered(database, one) for one in alterations))
    assert seen == {effect.kind for effect in EFFECTS}, "what is not so is seen in every kind of letter"


def _later(span):
    return lambda letter: {**letter, "sent_at": letter["sent_at"] + span}


def _with_other_sums(letter):
    return {**letter, "body": letter["body"].replace("0 CNY", "1 CNY")}


def altered(database, alter):
    """Return the kinds of letters of which some are seen to be untrue when all are altered."""
    with database.read() as connection:
        reader = Reader(connection)
    reader.messages = [alter(one) for one in reader.messages]
    return {said.split(" ")[0] for said in reader.untrue()}


def test_where_the_policy_asks_and_nobody_answers_nothing_moves_goods_or_money_but_what_was_ordered_before(database):
    lived(database, ASKING)
    effects = rows(database, EffectRow)
    moved = Counter((row["kind"], json.loads(row["details"])["about"]) for row in effects if row["kind"] in MOVING)
    approved = sum(life[: len(APPROVED)] == APPROVED for life in islice(cycle(LIVES), ORDERS))
    letters_read(database)
    assert moved == {("request_refund", "lapse_window"): approved}, "the policy says what happens when the window has ended"
    standing = [row for row in rows(database, DecisionRow) if row["status"] == DecisionStatus.standing]
    asking = {"reroute", "report_closed", "report_no_stock", "report_unresponsive", "report_oversized", "confirm_interception"}
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
