"""Whole orders driven by random reports, clock moves, crashes and repeats, held against what must always be true."""

import json
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select
from sqlmodel import col

from effects.channel import NotSent, OutcomeUnknown, Outgoing
from effects.letters import Letters
from engine import firing
from engine.composing import Messenger
from engine.firing import fire_due
from engine.rebuild import as_known
from engine.reporting import apply
from engine.sending import deliver_due, recover
from engine.undoing import undo_last
from storage import attention, audits, cases, timers
from storage.database import Database
from storage.tables import EffectRow, HistoryTableRow, LedgerTableRow, OrderRow, ReportRow, TimerRow
from tests.factories import START, all_effects, arrival, decide, rules_of
from workflow.case.case import Report
from workflow.errors import Refused, UnknownOrder
from workflow.reports import FIELDS
from workflow.table import CLOCK_OF, EFFECT_OF

RULES = rules_of("[effects]\ndefault_channels = ['file', 'log']\n[effects.modes]\nplace_supply = 'auto'\n")
TRIGGERS = sorted(set(FIELDS) - {"place", "override"})
CLAIM_TRIGGERS = (
    "submit_evidence",
    "ask_more",
    "approve",
    "reject",
    "reopen_claim",
    "withdraw",
    "choose_refund",
    "choose_reissue",
    "confirm_reissue",
    "settle_refund",
    "decline_refund",
    "lose",
)
PLACED = ("1", "2", "3")
ORDERS = (*PLACED, "r1", "r2", "r3")
"""The last come into being as replacements."""
PAID = 1_000
ORDERED = 2
OUTCOMES = ("sent", "not_sent", "refused", "unknown", "killed")


class Crash(BaseException):
    """The process is gone: no handler of ours sees it."""


class Postman:
    """A channel that fails as it is told, and remembers what may have left."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.texts: dict[str, set[str]] = defaultdict(set)
        self.left: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}

    def send(self, message: Outgoing) -> None:
        self.texts[message.key].add(f"{message.recipient}\n{message.subject}\n{message.body}")
        self.kinds[message.key] = message.kind
        outcome = self.outcomes.pop() if self.outcomes else "sent"
        if outcome in ("not_sent", "refused"):
            raise NotSent(outcome, try_again=outcome == "not_sent")
        self.left[message.key] += 1
        if outcome == "unknown":
            raise OutcomeUnknown("cut off")
        if outcome == "killed":
            raise Crash


class WholeOrders(RuleBasedStateMachine):
    def __init__(self, make_database) -> None:
        super().__init__()
        self.database: Database = make_database()
        self.now = START
        self.told: list[tuple[str, Report]] = []
        self.postman = Postman()
        self.retried: set[str] = set()

    @initialize()
    def orders_are_placed(self):
        with self.database.write() as connection:
            apply(connection, [arrival(number, paid=PAID) for number in PLACED], self.now, RULES)

    @rule(
        number=st.sampled_from(ORDERS),
        trigger=st.sampled_from(TRIGGERS),
        hours_ago=st.integers(-1, 100),
        attempt=st.sampled_from([None, 1, 2, 3, 9]),
        amount=st.sampled_from([None, 1, PAID, PAID + 1]),
        parcel=st.sampled_from([None, None, "T1", "T2"]),
        actor=st.sampled_from(["carrier:test", "person:kim"]),
    )
    def somebody_reports(self, number, trigger, hours_ago, attempt, amount, parcel, actor):
        self._report(number, trigger, hours_ago, actor, attempt=attempt, amount=amount, tracking_number=parcel)

    @rule(
        number=st.sampled_from(ORDERS),
        kind=st.sampled_from(["damaged", "not_received"]),
        lines=st.sampled_from([None, "1:1", "sku:2", "9:1"]),
        remedy=st.sampled_from([None, "reissue"]),
    )
    def the_customer_claims(self, number, kind, lines, remedy):
        for trigger in ("ship", "deliver"):
            self._report(number, trigger, 0, "carrier:test")
        self._report(number, "open_claim", 0, "person:kim", kind=kind, lines=lines, remedy=remedy)

    @rule(
        number=st.sampled_from(ORDERS),
        trigger=st.sampled_from(CLAIM_TRIGGERS),
        evidence=st.sampled_from([None, "photo-1", "photo-2"]),
        new_order=st.sampled_from(ORDERS),
    )
    def the_claim_goes_on(self, number, trigger, evidence, new_order):
        self._report(number, trigger, 0, "person:kim", evidence=evidence, new_order=new_order)

    @rule(
        number=st.sampled_from(ORDERS),
        remedy=st.sampled_from(["choose_refund", "choose_reissue"]),
        new_order=st.sampled_from(ORDERS),
    )
    def the_platform_approves_and_the_merchant_chooses(self, number, remedy, new_order):
        for trigger in ("submit_evidence", "approve", remedy):
            self._report(number, trigger, 0, "person:kim")
        self._report(number, "confirm_reissue", 0, "person:kim", new_order=new_order)
        self._report(number, "settle_refund", 0, "person:kim")

    def _report(self, number, trigger, hours_ago, actor, **more):
        at = self.now - timedelta(hours=hours_ago)
        usual = {"kind": "missing", "new_order": "r1"}
        given = usual | {name: value for name, value in more.items() if value is not None}
        given |= {"ship_by": (at + timedelta(days=1)).isoformat(), "wants": "payment"}
        fields = {name: given[name] for name in FIELDS[trigger] if given.get(name) is not None}
        report = Report(trigger, at, actor, f"{trigger}@{at.isoformat()}@{len(self.told)}", actor, fields)
        self.told.append((number, report))
        self._tell(number, report)

    @rule(data=st.data())
    def somebody_repeats_a_report(self, data):
        if self.told:
            number, report = data.draw(st.sampled_from(self.told))
            before, was_applied = self._versions(), self._was_applied(report)
            self._tell(number, report)
            if was_applied:
                assert self._versions() == before
            else:  # it is judged again, and then it stays as it is
                before = self._versions()
                self._tell(number, report)
                assert self._versions() == before

    @rule(number=st.sampled_from(ORDERS), state=st.sampled_from(["placed", "shipped", "delivered", "refunding", "disputed"]))
    def a_person_overrides(self, number, state):
        fields = {"to": state, "reason": "agreed by phone"}
        report = Report("override", self.now, "person:kim", f"override-{len(self.told)}", "person:kim", fields)
        self.told.append((number, report))
        self._tell(number, report)

    @rule(number=st.sampled_from(ORDERS))
    def a_person_takes_the_last_thing_back(self, number):
        with suppress(Refused, UnknownOrder):
            undo_last(self.database, number, "person:kim", self.now, RULES)

    @rule(hours=st.sampled_from([1, 24, 48, 240, 9_000]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)

    @rule(number=st.sampled_from(ORDERS))
    def a_crash_before_the_commit_of_a_report_leaves_nothing_behind(self, number):
        before = self._versions()
        report = Report("ship", self.now, "test", "crash", "carrier:test", {})
        with suppress(Crash), self.database.write() as connection:
            apply(connection, [arrival(number, report, placing=False)], self.now, RULES)
            raise Crash
        assert self._versions() == before

    @rule(limit=st.sampled_from([1, 2, 1000]))
    def a_crash_before_the_commit_of_a_firing_leaves_nothing_behind(self, limit):
        before = self._versions()
        with suppress(Crash), self.database.write() as connection:
            firing.fire_timers(connection, timers.due(connection, self.now, limit), self.now, RULES)
            raise Crash
        assert self._versions() == before

    @rule(limit=st.sampled_from([1, 2, 1000]))
    def the_daemon_fires_a_batch(self, limit):
        fire_due(self.database, self.now, RULES, limit)

    @rule()
    def the_daemon_drains_without_a_burst_and_leaves_nothing_due(self):
        rounds = 0
        while fire_due(self.database, self.now, RULES).count:
            rounds += 1
            assert rounds < 5, "what repeats came in a burst"
        with self.database.read() as connection:
            assert timers.backlog(connection, self.now) == 0

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=6))
    def the_daemon_sends(self, outcomes):
        self.postman.outcomes = outcomes
        with suppress(Crash):
            deliver_due(self.database, self.now, RULES, Messenger({"file": self.postman, "log": self.postman}, Letters()))

    @rule()
    def another_daemon_takes_over(self):
        recover(self.database, self.now)

    @rule()
    def a_person_lets_everything_be_sent_again(self):
        with self.database.write() as connection:
            stuck = [row for row in all_effects(connection) if row["status"] in attention.STUCK]
            decide(connection, "retry", stuck, "person:kim", self.now)
            decide(connection, "approve", all_effects(connection, "asked"), "person:kim", self.now)
        self.retried |= {row["order"] for row in stuck}

    def teardown(self):
        """Every order can be told again, step by step, from what is stored."""
        with self.database.read() as connection:
            ids = [key for (key,) in connection.execute(select(OrderRow.id))]
            for key, stored in cases.load(connection, ids, lock=False).items():
                retaken = as_known(connection, key, self.now, RULES)
                if retaken.exact:
                    beside = {"waiting": (), "unsent_request": None}  # what was said and sent, not what the order is
                    assert replace(retaken.case, **beside) == replace(stored.case, **beside)
                else:
                    assert stored.case.order.chain, "only what a chain had at the time is not told again"

    def _tell(self, number, report):
        with self.database.write() as connection:
            apply(connection, [arrival(number, report, placing=False)], self.now, RULES)

    def _was_applied(self, report):
        mine = (col(ReportRow.source) == report.source) & (col(ReportRow.key) == report.key)
        with self.database.read() as connection:
            return connection.execute(select(ReportRow.verdict).where(mine)).scalar() == "applied"

    def _versions(self):
        with self.database.read() as connection:
            return connection.execute(select(OrderRow.id, OrderRow.version, OrderRow.state).order_by(OrderRow.id)).all()

    @invariant()
    def every_chain_holds_and_ends_in_the_orders_state(self):
        last = (col(HistoryTableRow.order_id) == col(OrderRow.id)) & (col(HistoryTableRow.sequence) == col(OrderRow.version))
        with self.database.read() as connection:
            assert [*audits.broken_orders(connection)] == []
            for state, target in connection.execute(select(OrderRow.state, HistoryTableRow.target).join(HistoryTableRow, last)):
                assert state == target

    @invariant()
    def nothing_fires_early_or_twice(self):
        with self.database.read() as connection:
            fired = select(TimerRow.due_at, TimerRow.fired_at).where(col(TimerRow.status) == "fired")
            rows = connection.execute(fired).all()
            h = (HistoryTableRow.order_id, HistoryTableRow.sequence, HistoryTableRow.trigger, HistoryTableRow.details)
            told = connection.execute(select(*h)).all()
            undone = {
                (order_id, taken_back)
                for order_id, sequence, trigger, details in told
                if trigger == "undo"
                for taken_back in range(json.loads(details)["first"], sequence)
            }
            timed = select(HistoryTableRow.order_id, HistoryTableRow.sequence).where(col(HistoryTableRow.due).is_not(None))
            assert len({(*row,) for row in connection.execute(timed)} - undone) == len(rows)
        assert all(due_at <= fired_at for due_at, fired_at in rows)

    @invariant()
    def running_timers_have_a_place_in_their_orders_state_and_none_runs_twice(self):
        query = select(OrderRow.state, TimerRow.order_id, TimerRow.trigger, TimerRow.ledger, TimerRow.status)
        query = query.join(TimerRow, col(TimerRow.order_id) == col(OrderRow.id))
        with self.database.read() as connection:
            rows = connection.execute(query.where(col(TimerRow.status).in_(("pending", "paused")))).all()
        for state, _, trigger, _, status in rows:
            clock = CLOCK_OF[trigger]
            assert state in (clock.runs_in if status == "pending" else (*clock.pauses_in, *clock.waits_in))
        assert len({row[1:4] for row in rows}) == len(rows)

    @invariant()
    def every_effect_has_the_step_that_caused_it(self):
        with self.database.read() as connection:
            steps = {(*row,) for row in connection.execute(select(HistoryTableRow.order_id, HistoryTableRow.sequence))}
            caused = connection.execute(select(EffectRow.order_id, EffectRow.sequence, EffectRow.kind)).all()
        assert {(order_id, sequence) for order_id, sequence, _ in caused} <= steps
        assert len(caused) == len(set(caused))

    @invariant()
    def no_more_money_goes_back_than_was_paid_for_the_first_order_of_a_chain(self):
        first = func.coalesce(OrderRow.chain, OrderRow.number)
        settled = select(first, func.sum(LedgerTableRow.settled_amount)).join(
            OrderRow, col(OrderRow.id) == col(LedgerTableRow.order_id)
        )
        of_the_first = col(LedgerTableRow.attempt) == 1  # what others cost is not known here
        settled = settled.where(col(LedgerTableRow.side) == "refund", of_the_first).group_by(first)
        with self.database.read() as connection:
            for _, amount in connection.execute(settled):
                assert (amount or 0) <= PAID

    @invariant()
    def no_more_pieces_are_made_good_than_were_ordered(self):
        refunded: Counter[str] = Counter()
        with self.database.read() as connection:
            ids = [key for (key,) in connection.execute(select(OrderRow.id))]
            stored = [one.case for one in cases.load(connection, ids, lock=False).values()]
        for case in stored:
            assert case.order.generation <= 2
            assert sum(claim.status == "open" for claim in case.claims) <= 1
            assert case.claim is None or case.state in ("disputed", "refunding", "intercepting")
            made_good = [claim for claim in case.claims if claim.status in ("refunded", "reissued")]
            pieces = {claim.status: 0 for claim in made_good}
            for claim in made_good:
                pieces[claim.status] += sum(quantity for _, quantity in claim.pieces)
            assert sum(pieces.values()) <= sum(line.quantity for line in case.lines)
            refunded[case.order.chain or case.order.number] += pieces.get("refunded", 0)
        assert all(quantity <= ORDERED for quantity in refunded.values())

    @invariant()
    def a_message_never_changes_and_what_moves_goods_or_money_leaves_once_without_a_persons_word(self):
        assert all(len(texts) == 1 for texts in self.postman.texts.values())
        for key, times in self.postman.left.items():
            if EFFECT_OF[self.postman.kinds[key]].moves and key.split(":")[0] not in self.retried:
                assert times == 1, key


def test_whole_orders_keep_what_must_always_hold(make_database):
    hurry = settings(
        max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[*HealthCheck], print_blob=False
    )
    run_state_machine_as_test(lambda: WholeOrders(make_database), settings=hurry)
