"""What comes after something else leaves after it, or not at all; what has lost its point does not (rules 5.7 and 5.8)."""

from collections import defaultdict

import pytest

from effects.letters import Letters
from engine.composing import Messenger, compose_due
from engine.deciding import close_exception, resolve
from engine.firing import fire_due
from engine.sending import deliver_due
from storage import attention, queries
from tests.factories import RULES, all_effects, arrival, day, decide, report, rules_of, statuses, take

BY_ITSELF = rules_of("[effects]\ndefault_channels = ['file']")


class Sink:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def send(self, message) -> None:
        self.kinds.append(message.kind)


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def pass_by(database, sink):
    """Fires what is due and sends what may leave, as a pass does."""

    def call(at, rules):
        while fire_due(database, day(at), rules).count:
            pass
        deliver_due(database, day(at), rules, Messenger({"file": sink}, Letters()))
        return sink.kinds

    return call


@pytest.fixture
def rerouted(database, pass_by):
    """An observed order that has gone to its second supplier: what it says is held, until a person lets each go."""
    take(database, arrival("1"), now=0, rules=BY_ITSELF, observed=True)
    pass_by(2, BY_ITSELF)
    assert pass_by(4, BY_ITSELF) == []
    assert statuses(database) == {"urge_supplier": "dropped", "place_supply": "held", "recover_supply": "held"}
    assert decided(database, "approve", "recover_supply", 5) == 1
    return pass_by


def decided(database, action, kind, at):
    with database.read() as connection:
        chosen = [row for row in all_effects(connection) if row["kind"] == kind]
    return decide(database, action, chosen, "person:kim", day(at))


def test_the_old_supplier_is_not_asked_for_the_money_before_the_next_one_has_the_order(database, rerouted):
    assert rerouted(5, BY_ITSELF) == []
    assert statuses(database)["recover_supply"] == "waits"
    assert decided(database, "approve", "place_supply", 5.5) == 1
    assert rerouted(5.5, BY_ITSELF) == ["place_supply", "recover_supply"]


def test_by_itself_the_order_leaves_first_and_the_recovery_behind_it(database, pass_by):
    take(database, arrival("1"), rules=BY_ITSELF)
    pass_by(2, BY_ITSELF)
    assert pass_by(4, BY_ITSELF) == ["urge_supplier", "place_supply", "recover_supply"]


def test_the_next_supplier_is_not_urged_for_an_order_that_it_never_got(database, rerouted):
    rerouted(6, BY_ITSELF)
    assert decided(database, "approve", "urge_supplier", 6) == 1
    rerouted(6, BY_ITSELF)
    with database.read() as connection:
        second = next(row for row in all_effects(connection, "waits") if row["kind"] == "urge_supplier")
    assert second["attempt"] == 2
    assert decided(database, "drop", "place_supply", 7) == 1
    with database.read() as connection:
        assert [(row["kind"], row["status"]) for row in all_effects(connection)] == [
            ("urge_supplier", "dropped"),
            ("recover_supply", "dropped"),
            ("place_supply", "dropped"),
            ("urge_supplier", "dropped"),
        ]


def test_after_a_report_of_no_stock_the_money_is_asked_for_at_once(database, pass_by):
    take(database, arrival("1", report("report_no_stock", 1)), now=1, rules=BY_ITSELF, observed=True)
    assert decided(database, "approve", "recover_supply", 1) == 1
    assert pass_by(1, BY_ITSELF) == ["recover_supply"]


@pytest.mark.parametrize("policy", ["ask", "off"])
def test_a_refund_is_chased_only_if_it_was_requested(database, pass_by, policy):
    rules = rules_of(f"[effects.modes]\nrequest_refund = '{policy}'\n[effects]\ndefault_channels = ['file']")
    take(database, arrival("1", report("report_oversized", 1)), now=1, rules=rules)
    kinds = pass_by(40, rules)
    assert ("chase_refund" in kinds) is (policy == "off"), "what the merchant does by hand counts as left"


def test_what_was_done_by_hand_lets_others_go(database, rerouted):
    rerouted(5, BY_ITSELF)
    assert decided(database, "done", "place_supply", 5.5) == 1
    assert rerouted(5.5, BY_ITSELF) == ["recover_supply"]
    with database.read() as connection:
        done = next(row for row in all_effects(connection) if row["kind"] == "place_supply")
    assert (done["status"], done["decided_by"]) == ("sent", "person:kim")


def test_a_supplier_that_has_shipped_counts_as_ordered_from(database, rerouted):
    rerouted(5, BY_ITSELF)
    take(database, arrival("1", report("ship", 6), placing=False), now=6, rules=BY_ITSELF)
    assert statuses(database)["place_supply"] == "dropped"
    assert rerouted(6, BY_ITSELF)[-1] == "recover_supply"


CLAIM = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))


@pytest.mark.parametrize(
    ("reports", "kind"),
    [
        ((report("ship", 1), report("hold", 2), report("release", 3)), "customs_reminder"),
        ((report("ship", 1), report("hold", 2), report("deliver", 3)), "customs_reminder"),
        ((*CLAIM, report("submit_evidence", 4)), "ask_evidence"),
        ((*CLAIM, report("withdraw", 4)), "ask_evidence"),
        ((*CLAIM, report("submit_evidence", 4), report("approve", 5)), "request_verification"),
        ((*CLAIM, report("submit_evidence", 4), report("withdraw", 5)), "request_verification"),
        (
            (
                *CLAIM,
                report("submit_evidence", 4),
                report("approve", 5),
                report("choose_reissue", 6),
                report("choose_refund", 7),
            ),
            "place_reissue",
        ),
        ((report("cancel", 1), report("fail_interception", 2)), "request_interception"),
        ((report("report_oversized", 1), report("settle_refund", 2, amount=5)), "request_refund"),
        ((report("report_no_stock", 1), report("settle_recovery", 2, amount=5)), "recover_supply"),
        ((report("report_no_stock", 1), report("report_oversized", 2)), "place_supply"),
    ],
    ids=str,
)
def test_what_has_lost_its_point_is_dropped_by_itself(database, reports, kind):
    take(database, arrival("1", *reports), now=9, rules=BY_ITSELF)
    with database.read() as connection:
        assert {row["status"] for row in all_effects(connection) if row["kind"] == kind} == {"dropped"}


def test_what_still_has_its_point_stays(database):
    held_again = (report("ship", 1), report("hold", 2), report("cancel", 3))
    take(database, arrival("1", *held_again), arrival("2", *CLAIM), now=9, rules=BY_ITSELF)
    assert statuses(database)["customs_reminder"] == "ready"
    assert statuses(database)["ask_evidence"] == "ready"


def test_an_order_whose_stuck_message_was_decided_on_needs_no_person_for_it(database):
    rules = rules_of("[effects]\ndefault_channels = ['email']")
    take(database, arrival("1", report("report_oversized", 1)), now=1, rules=rules)
    deliver_due(database, day(1), rules, Messenger({}, Letters()))
    with database.read() as connection:
        assert [row["flag"] for row in queries.attention(connection, queries.resolve_id(connection, "1"))] == ["effect_stuck"]
    assert decided(database, "done", "request_refund", 2) == 1
    with database.read() as connection:
        assert queries.attention(connection, queries.resolve_id(connection, "1")) == []


def compose(database, at):
    compose_due(database, day(at), BY_ITSELF, Messenger({}, Letters()))
    return statuses(database)


def test_what_moves_goods_waits_while_a_report_about_money_does_not_fit(database):
    take(database, arrival("1", report("report_no_stock", 1), paid=5_000), now=1)
    take(database, arrival("1", report("confirm_interception", 1.5), placing=False), now=1.5)
    assert statuses(database) == {"place_supply": "ready", "recover_supply": "ready"}
    assert compose(database, 2) == {"place_supply": "waits", "recover_supply": "waits"}
    with database.read() as connection:
        (kept,) = attention.open_exceptions(connection, None)
    close_exception(database, kept["id"], "person:kim", "it was another order", day(3))
    assert statuses(database) == {"place_supply": "ready", "recover_supply": "ready"}
    assert compose(database, 3)["place_supply"] == "written"


def test_what_is_held_goes_on_when_the_flag_is_resolved_or_the_report_finds_a_place(database):
    for number in ("1", "2"):
        take(database, arrival(number, report("report_no_stock", 1), paid=5_000), now=1)
        take(database, arrival(number, report("lose", 1.5), placing=False), now=1.5)
    assert compose(database, 2) == {"place_supply": "waits", "recover_supply": "waits"}
    resolve(database, "1", ["report_unplaced"], "person:kim", "it goes on", day(3), RULES)
    with database.read() as connection:
        waits = {row["order_id"]: row["status"] for row in all_effects(connection) if row["kind"] == "place_supply"}
    assert sorted(waits.values()) == ["ready", "waits"]


def test_the_merchant_is_told_once_what_a_clock_has_told_again_meanwhile(database):
    take(database, arrival("1", report("ship", 1)), now=1)
    for at in (11, 21):
        fire_due(database, day(at), BY_ITSELF)
    compose(database, 21)
    with database.read() as connection:
        told = [(row["kind"], row["status"]) for row in all_effects(connection)]
    assert told == [("notify_merchant", "written"), ("notify_merchant", "dropped")]


def test_what_comes_after_an_effect_of_its_own_order_does_not_wait_for_those_of_others(database, pass_by):
    """The latest request and the latest order to a supplier are those of other orders, and were dropped."""
    no_stock, oversized = report("report_no_stock", 1), report("report_oversized", 1)
    take(database, arrival("1", no_stock), arrival("2", oversized), now=1, rules=BY_ITSELF)
    pass_by(1, BY_ITSELF)
    take(database, arrival("3", no_stock), arrival("4", oversized), now=1, rules=BY_ITSELF)
    with database.write() as connection:
        waiting = [row for row in all_effects(connection) if row["status"] == "ready"]
        assert decide(connection, "drop", waiting, "person:kim", day(1)) == 3
    pass_by(3, BY_ITSELF)
    assert urges_and_chases(database) == {(1, "urge_supplier"): {"sent"}, (3, "urge_supplier"): {"dropped"}}
    take(database, *(arrival(number, report("ship", 3), placing=False) for number in "13"), now=3, rules=BY_ITSELF)
    pass_by(26, BY_ITSELF)
    found = urges_and_chases(database)
    assert {key: found[key] for key in found if key[1] != "urge_supplier"} == {
        (1, "chase_recovery"): {"sent"},
        (2, "chase_refund"): {"sent"},
        (3, "chase_recovery"): {"dropped"},
        (4, "chase_refund"): {"dropped"},
    }


def urges_and_chases(database):
    found = defaultdict(set)
    with database.read() as connection:
        for row in all_effects(connection):
            if row["kind"] in ("urge_supplier", "chase_refund", "chase_recovery"):
                found[row["order_id"], row["kind"]].add(row["status"])
    return found
