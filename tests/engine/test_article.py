"""The article's situations, told from the first report to the end: by the clock, through the database and the outbox."""

import pytest

from effects.letters import Letters
from engine.claim_evidence import Submission, add_evidence
from engine.composing import Messenger
from engine.firing import fire_due
from engine.sending import deliver_due
from evidence.vault import S3Access, Vault
from storage import queries, timers
from tests.factories import arrival, day, report, rules_of, take
from tests.pictures import photo, video
from workflow.case.case import Line
from workflow.vocabulary import State

RULES = rules_of("[effects]\ndefault_channels = ['file']")
LINES = (Line("LAMP-01", "Desk lamp", 1, 2_590), Line("MUG-22", "Enamel mug", 3, 990))
PAID = 2_590 + 3 * 990


class Shop:
    """One shop's order, its clock, and what has left the engine about it."""

    def __init__(self, database, folder) -> None:
        self.database, self.left = database, []
        self.folder, self.vault = folder, Vault(str(folder / "vault"), S3Access())
        self.messenger = Messenger({"file": self}, Letters())

    def send(self, message) -> None:
        self.left.append(message)

    def order(self, **facts) -> None:
        from dataclasses import replace

        placed = arrival("1", **{"supplier": "Yiwu", "paid": PAID, **facts})
        take(self.database, replace(placed, lines=LINES), rules=RULES)

    def report(self, trigger, at, **fields) -> None:
        self.until(at)
        (outcome, *_) = take(self.database, arrival("1", report(trigger, at, **fields), placing=False), now=at, rules=RULES)
        self.last = outcome.received[0]
        deliver_due(self.database, day(at), RULES, self.messenger)

    def evidence(self, at, *paths) -> None:
        self.until(at)
        add_evidence(self.database, self.vault, Submission("1", paths, "person:kim"), day(at), RULES)
        deliver_due(self.database, day(at), RULES, self.messenger)

    def until(self, at) -> "Shop":
        """Let the clock run, firing every timer at its own instant and sending what may leave."""
        while True:
            with self.database.read() as connection:
                due_at = timers.next_wake(connection)
            if due_at is None or due_at > day(at):
                return self
            fire_due(self.database, due_at, RULES)
            deliver_due(self.database, due_at, RULES, self.messenger)

    @property
    def case(self):
        with self.database.read() as connection:
            return queries.stored_case(connection, "1").case

    @property
    def state(self) -> State:
        return self.case.state

    def kinds(self) -> list[str]:
        return [message.kind for message in self.left]

    def letter(self, kind) -> str:
        return next(f"{one.subject}\n{one.body}" for one in reversed(self.left) if one.kind == kind)


@pytest.fixture
def shop(database, tmp_path) -> Shop:
    return Shop(database, tmp_path)


def test_no_stock_turns_to_another_supplier_and_asks_the_first_for_the_money_back(shop):
    shop.order()
    shop.report("report_no_stock", 1, reason="sold out")
    assert shop.state is State.rerouted
    assert shop.kinds() == ["place_supply", "recover_supply"]
    assert "Yiwu" not in shop.letter("place_supply"), "no supplier learns of another"
    shop.report("ship", 2)
    shop.report("deliver", 9)
    assert shop.until(24).state is State.closed


def test_no_stock_anywhere_ends_in_a_refund(shop):
    shop.order(alternatives=())
    shop.report("report_no_stock", 1)
    assert "55.60 CNY" in shop.letter("request_refund")
    shop.report("settle_refund", 5)
    assert shop.state is State.refunded


def test_an_oversized_item_is_refunded(shop):
    shop.order()
    shop.report("report_oversized", 1, reason="over 30 kg")
    assert shop.state is State.refunding
    shop.until(32)
    assert shop.kinds().count("chase_refund") == 2
    shop.report("settle_refund", 33)
    assert shop.state is State.refunded


def test_a_shipment_that_is_overdue_by_2_days_has_its_supplier_urged(shop):
    shop.order()
    assert shop.until(1.99).kinds() == []
    assert shop.until(2).kinds() == ["urge_supplier"]
    assert shop.state is State.overdue_urged
    assert "order main/1" in shop.letter("urge_supplier")
    shop.report("ship", 3)
    assert shop.until(4).state is State.shipped


def test_a_shipment_that_is_overdue_by_4_days_goes_to_another_supplier(shop):
    shop.order()
    assert shop.until(3.99).state is State.overdue_urged
    assert shop.until(4).state is State.rerouted
    assert shop.case.attempt.supplier == "alt-1"
    assert "recover_supply" in shop.kinds()


def test_an_unresponsive_supplier_leads_to_a_refund(shop):
    shop.order()
    shop.until(2)
    shop.report("report_unresponsive", 3)
    assert shop.state is State.refunding
    shop.report("settle_refund", 4)
    assert shop.state is State.refunded


def test_a_customs_hold_is_told_to_the_merchant_with_words_for_the_buyer(shop):
    shop.order(route="international", merchant_email="shop@example.com")
    shop.report("ship", 1)
    shop.report("hold", 8, wants="payment")
    assert "payment" in shop.letter("customs_reminder")
    assert "forward this to your buyer" in shop.letter("customs_reminder")
    assert shop.left[-1].recipient == "shop@example.com"
    shop.until(12)
    assert shop.kinds().count("customs_reminder") == 2
    shop.report("release", 13)
    shop.report("deliver", 15)
    assert shop.state is State.delivered


def _delivered_and_claimed(shop, kind, lines) -> None:
    shop.order()
    shop.report("ship", 1)
    shop.report("deliver", 10)
    shop.report("open_claim", 12, kind=kind, lines=lines)
    assert "photos or a video" in shop.letter("ask_evidence")


def test_a_wrong_item_is_verified_and_sent_again(shop):
    _delivered_and_claimed(shop, "wrong", "LAMP-01:1")
    shop.evidence(13, photo(shop.folder / "wrong.jpg"), video(shop.folder / "wrong.mp4"))
    assert "wrong" in shop.letter("request_verification")
    shop.report("approve", 14)
    assert "choose money back or a replacement" in shop.letter("notify_merchant")
    shop.report("choose_reissue", 15)
    assert "1 × Desk lamp" in shop.letter("place_reissue")
    shop.report("confirm_reissue", 17, new_order="1-R")
    assert shop.state is State.reissued
    with shop.database.read() as connection:
        again = queries.stored_case(connection, "1-R").case
    assert (again.state, again.order.replaces) == (State.placed, "1")


def test_a_missing_item_is_verified_and_refunded(shop):
    _delivered_and_claimed(shop, "missing", "MUG-22:2")
    shop.evidence(13, photo(shop.folder / "parcel.png", "PNG"))
    shop.report("approve", 14)
    shop.report("choose_refund", 15)
    assert "19.80 CNY for 2 × Enamel mug" in shop.letter("request_refund")
    shop.report("settle_refund", 20)
    assert shop.state is State.refunded


def test_a_damaged_item_is_refunded_when_the_15_working_days_end_and_nobody_has_chosen(shop):
    _delivered_and_claimed(shop, "damaged", "MUG-22:1")
    shop.evidence(13, photo(shop.folder / "shards.webp", "WEBP"))
    shop.until(16.4)
    assert "waits for your verdict" in shop.letter("chase_verification")
    shop.report("approve", 17)
    shop.until(37)
    assert shop.state is State.disputed
    assert shop.kinds().count("notify_merchant") >= 3, "told of the chase, the approval and the first reminder"
    assert "Still to do: choose money back or a replacement" in shop.letter("notify_merchant")
    assert shop.until(40).state is State.refunding
    assert "9.90 CNY" in shop.letter("request_refund")


def test_a_cancelled_domestic_order_is_intercepted_and_refunded(shop):
    shop.order()
    shop.report("cancel", 1, reason="ordered twice")
    assert "the customer has cancelled" in shop.letter("request_interception")
    shop.report("confirm_interception", 2)
    assert shop.state is State.refunding
    shop.report("settle_refund", 6)
    assert shop.state is State.refunded


def test_a_domestic_interception_that_nobody_confirms_fails_after_two_days_and_the_parcel_goes_on(shop):
    shop.order()
    shop.report("ship", 1)
    shop.report("cancel", 1.5)
    assert shop.until(3.5).state is State.shipped


def test_a_cancelled_international_order_goes_on_and_the_refusal_is_told(shop):
    shop.order(route="international")
    shop.report("cancel", 1)
    assert shop.state is State.placed
    assert "neither intercepts nor refunds an international one" in str(shop.last.error)
    assert shop.until(2).kinds() == ["urge_supplier"]


def test_a_wrong_address_of_a_domestic_order_is_intercepted_with_the_right_one(shop):
    shop.order()
    shop.report("ship", 1)
    shop.report("correct_address", 1.2, address="2 Short Street")
    assert "the address is wrong" in shop.letter("request_interception")
    assert "2 Short Street" in shop.letter("request_interception")
    shop.report("confirm_interception", 2)
    assert shop.state is State.refunding


def test_a_wrong_address_of_an_international_order_goes_on_and_the_refusal_is_told(shop):
    shop.order(route="international")
    shop.report("ship", 1)
    shop.report("correct_address", 1.2, address="2 Short Street")
    assert shop.state is State.shipped
    assert "neither intercepts nor refunds an international one" in str(shop.last.error)
