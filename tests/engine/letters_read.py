"""An independent reading of the letters that left: what each says, held against the history as it stood when it left.

It knows nothing of the engine: it reads the rows of the history up to that instant, and the texts in English.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from storage.tables import EffectRow, HistoryTableRow, MemberRow, MessageRow, OrderRow, table_of

URGED_AFTER = timedelta(days=2)
UNSHIPPED = ("placed", "overdue_urged", "rerouted")
REASONS = {
    "report_no_stock": "the supplier has no stock",
    "report_unresponsive": "the supplier does not answer",
    "report_oversized": "the goods are too large",
    "report_closed": "has cancelled the order",
    "reroute": "the supplier has not shipped",
    "confirm_interception": "was stopped before it arrived",
    "choose_refund": "the claim was approved",
    "lapse_window": "the time for another remedy is over",
}
REASONS_OF_ITS_OWN = {"report_no_stock": "you have no stock", "report_unresponsive": "we have had no answer from you"}
"""What the supplier itself is told."""
CARRIER_NEWS = ("ship", "note_transit", "release", "hold")


@dataclass
class Attempt:
    """A supplier's turn, as the history tells it."""

    supplier: str
    placed_at: datetime
    left_by: str | None = None
    shipped: bool = False
    paid: int | None = None
    came: int = 0
    declined: bool = False


@dataclass
class Told:
    """What the history says of an order at an instant."""

    order: Any
    rows: list[Any]
    state: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    current: int = 1
    cancelled: bool = False
    evidence: str = ""
    verdict: str | None = None
    chosen: str | None = None
    window_ends: str | None = None
    refunding_since: str = ""
    """The trigger that has asked for the refund."""
    standing: tuple[int, str] | None = None
    """The decision that stands, with what it is about."""
    counts: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.attempts = [Attempt(self.order["supplier"], self.order["placed_at"], paid=self.order["paid"])]
        for row in self.rows:
            self._take(row, json.loads(row["details"]))

    @property
    def attempt(self) -> Attempt:
        return self.attempts[self.current - 1]

    def _take(self, row: Any, details: dict[str, Any]) -> None:
        trigger = row["trigger"]
        if row["state_changes"] or "way" in details:
            self.standing = None
        self._goods(row, trigger, details)
        self._claim(row, trigger, details)
        if trigger in ("settle_refund", "settle_recovery"):
            self._settle(trigger, details)
        if trigger == "ask":
            self.standing = details["decision"], details["asks"]
        if row["target"] == "refunding" != row["source"]:
            self.refunding_since = trigger
        self.counts[trigger] += 1
        if trigger in CARRIER_NEWS:
            self.counts["stall"] = 0
        self.state = row["target"]

    def _goods(self, row: Any, trigger: str, details: dict[str, Any]) -> None:
        if "left_attempt" in details:
            self.attempts[details["left_attempt"] - 1].left_by = trigger
            self.attempts.append(Attempt(details["supplier"], row["occurred"]))
            self.current = details["attempt"]
        if "called_off" in details:
            self.current = [one.supplier for one in self.attempts].index(details["supplier"]) + 1
            self.attempt.left_by = None
        if trigger in ("ship", "deliver"):
            self.attempt.shipped = True
        if trigger in ("cancel", "correct_address"):
            self.cancelled = trigger == "cancel"

    def _claim(self, row: Any, trigger: str, details: dict[str, Any]) -> None:
        match trigger:
            case "open_claim":
                self.evidence, self.verdict, self.chosen = "", None, None
            case "ask_more":
                self.evidence = ""
            case "lose" if row["target"] == "disputed":
                self.evidence = "the carrier's report"
            case "submit_evidence":
                self.evidence = details.get("evidence", "some")
            case "approve":
                self.verdict, self.window_ends = "approved", details["window_ends"]
            case "reject":
                self.verdict = "rejected"
            case "choose_refund" | "choose_reissue":
                self.chosen = trigger

    def _settle(self, trigger: str, details: dict[str, Any]) -> None:
        if trigger == "settle_refund":
            self.attempt.came += details.get("amount") or 0
        else:
            left = [one for one in self.attempts if one.left_by]
            left[0].came += details.get("amount") or 0


def names(name: str, text: str) -> bool:
    """Say whether a text names an order, and not only one whose number begins like its own."""
    return re.search(rf"{re.escape(name)}(?!\w)", text) is not None


def part_about(name: str, body: str) -> str:
    """Return what a letter says of one order: its part of a digest, or its item of a list with what stands around that."""
    parts = [part for part in body.split("\n--------\n") if names(name, part)]
    items = re.split(r"\n(?=- )", parts[0]) if parts else [body]
    last, _, behind = items[-1].partition("\n\n")
    items[-1] = last
    return "\n".join([items[0], *(one for one in items[1:] if names(name, one)), behind])


class Reader:
    """Reads every message that has left a database, and says what is not so."""

    def __init__(self, connection: Connection) -> None:
        m, member = table_of(MessageRow), table_of(MemberRow)
        self.orders = {row["id"]: row for row in connection.execute(select(table_of(OrderRow))).mappings()}
        self.effects = {row["id"]: row for row in connection.execute(select(table_of(EffectRow))).mappings()}
        self.history = defaultdict(list)
        h = table_of(HistoryTableRow)
        for row in connection.execute(select(h).order_by(h.c.order_id, h.c.sequence)).mappings():
            changes = row["trigger"] != "place" and row["source"] != row["target"]
            self.history[row["order_id"]].append({**row, "state_changes": changes})
        sent = select(m).where(m.c.status == "sent").order_by(m.c.sent_at, m.c.id)
        self.messages = [*connection.execute(sent).mappings()]
        self.members = defaultdict(list)
        for message_id, effect_id in connection.execute(select(member.c.message_id, member.c.effect_id)):
            self.members[message_id].append(effect_id)
        self.left: set[tuple[str, int, int]] = set()
        """What has left so far, as kind, order and attempt."""
        self.read = Counter()
        """How many letters of which kind, and about what, were read."""

    def untrue(self) -> Iterator[str]:
        """Yield what each letter says that was not so when it left."""
        for message in self.messages:
            for effect_id in self.members[message["id"]]:
                effect = self.effects[effect_id]
                rows = [row for row in self.history[effect["order_id"]] if row["recorded"] <= message["sent_at"]]
                told = Told(self.orders[effect["order_id"]], rows)
                about = json.loads(effect["details"])["about"]
                self.read[message["kind"], about if message["kind"] in ("notify_merchant", "escalate") else ""] += 1
                name = f"{told.order['shop']}/{told.order['number']}"
                part = part_about(name, message["body"])
                wrong = [*self._wrong({**message, "body": part}, effect, told, about)]
                if not names(name, part + message["subject"]):
                    wrong.append("does not name the order")
                yield from (f"{message['kind']} ({about}) of order {name} at {message['sent_at']}: {one}" for one in wrong)
            for effect_id in self.members[message["id"]]:
                effect = self.effects[effect_id]
                self.left.add((effect["kind"], effect["order_id"], effect["attempt"]))

    def _wrong(self, message: Any, effect: Any, told: Told, about: str) -> Iterator[str]:
        check = getattr(self, f"_{effect['kind']}", None)
        if check is None:
            yield "nothing reads this letter"
        elif effect["attempt"] > len(told.attempts):
            yield "it was not ordered there"
        else:
            wrong = (what for holds, what in check(message, effect, told, about) if not holds)
            yield from islice(wrong, 1)  # what is read later may rest on it

    def _has_left(self, kind: str, effect: Any, attempt: int | None = None) -> bool:
        return (kind, effect["order_id"], attempt or effect["attempt"]) in self.left

    def _urge_supplier(self, message, effect, told, about):
        late = told.attempt.placed_at + URGED_AFTER <= message["sent_at"]
        yield told.current == effect["attempt"], "that supplier has been left"
        yield told.attempt.supplier == effect["supplier"] == self._of(message), "it goes to another supplier"
        yield told.state == "overdue_urged", f"the order is {told.state}"
        yield not told.attempt.shipped, "it has shipped"
        yield late, "the promised date has not passed"
        yield effect["attempt"] == 1 or self._has_left("place_supply", effect), "it was never ordered there"

    def _of(self, message):
        """Return the supplier that a message is for: all its members are of one."""
        (supplier,) = {self.effects[one]["supplier"] for one in self.members[message["id"]]}
        return supplier

    def _place_supply(self, message, effect, told, about):
        others = {one.supplier for one in told.attempts} - {told.attempt.supplier}
        yield told.current == effect["attempt"], "that supplier has been left"
        yield told.state in UNSHIPPED, f"the order is {told.state}"
        yield not any(one.shipped for one in told.attempts), "a supplier has shipped"
        yield not any(one in message["body"] for one in others), "it names another supplier"

    def _cancel_supply(self, message, effect, told, about):
        yield told.current < effect["attempt"], "no former supplier has taken over"
        yield told.attempt.shipped, "the former supplier has not shipped"
        yield self._has_left("place_supply", effect), "it was never ordered there"

    def _recover_supply(self, message, effect, told, about):
        attempt = told.attempts[effect["attempt"] - 1]
        yield attempt.left_by == about, f"it was left by {attempt.left_by}"
        yield not attempt.shipped, "it has shipped"
        if "placed elsewhere" in message["body"]:
            yield about == "reroute" and self._has_left("place_supply", effect, effect["attempt"] + 1), "it was not"
        else:
            yield {**REASONS, **REASONS_OF_ITS_OWN}[about] in message["body"], "its reason is another"
        yield from self._asks_for(message, attempt)

    def _asks_for(self, message, attempt):
        missing = None if attempt.paid is None else attempt.paid - attempt.came
        yield missing != 0, "nothing is owed any more"
        written = "" if missing is None else f"{missing / 100:,.2f} CNY"
        yield written in message["body"], f"what is missing is {written}"

    def _chase_recovery(self, message, effect, told, about):
        attempt = told.attempts[effect["attempt"] - 1]
        by_itself = attempt.left_by == "report_closed"
        yield by_itself or self._has_left("recover_supply", effect), "its money was never asked for"
        yield attempt.left_by is not None and not attempt.shipped, "it was not left, or has shipped"
        yield from self._asks_for(message, attempt)

    def _request_refund(self, message, effect, told, about):
        yield told.state == "refunding", f"the order is {told.state}"
        yield told.refunding_since == about, f"it was asked for by {told.refunding_since}"
        yield REASONS[about] in message["body"], "its reason is another"
        if about in ("choose_refund", "lapse_window"):
            yield told.verdict == "approved", "the claim was not approved"
        else:
            yield not told.attempt.shipped or about == "confirm_interception", "it has shipped"
        yield from self._asks_for(message, told.attempt)

    def _chase_refund(self, message, effect, told, about):
        by_itself = told.refunding_since == "report_closed"
        yield by_itself or self._has_left("request_refund", effect), "it was never asked for"
        yield told.state == "refunding", f"the order is {told.state}"
        if "reminder" in message["body"]:
            yield f"reminder {told.counts['chase_refund']})" in message["body"], "it is another reminder"
        yield from self._asks_for(message, told.attempt)

    def _request_interception(self, message, effect, told, about):
        yield told.state == "intercepting", f"the order is {told.state}"
        yield ("the customer has cancelled" in message["body"]) == told.cancelled, "its reason is another"

    def _customs_reminder(self, message, effect, told, about):
        news = [row["trigger"] for row in told.rows if row["trigger"] in ("hold", "release", "deliver", "lose")]
        yield news[-1:] == ["hold"], "customs do not hold it"

    def _ask_evidence(self, message, effect, told, about):
        yield told.state == "disputed", f"the order is {told.state}"
        yield not told.evidence, "evidence has come"
        yield told.verdict is None, "there is a verdict"

    def _request_verification(self, message, effect, told, about):
        yield told.state == "disputed", f"the order is {told.state}"
        yield bool(told.evidence), "no evidence has come"
        yield told.verdict is None, "there is a verdict"

    def _chase_verification(self, message, effect, told, about):
        yield from self._request_verification(message, effect, told, about)
        yield self._has_left("request_verification", effect), "it was never asked for"
        yield f"reminder {told.counts['chase_verification']})" in message["body"], "it is another reminder"

    def _place_reissue(self, message, effect, told, about):
        yield told.state == "disputed", f"the order is {told.state}"
        yield told.verdict == "approved" and told.chosen == "choose_reissue", "no replacement was chosen"

    def _notify_merchant(self, message, effect, told, about):
        details, body = json.loads(effect["details"]), message["body"]
        match about:
            case "stall":
                yield told.state == "shipped", f"the order is {told.state}"
                yield f"(notice {told.counts['stall']})" in body, "it is another notice"
            case "lapse_evidence":
                yield told.rows[-1]["trigger"] == about, "the order has moved on"
            case "approve":
                yield told.state == "disputed" and told.verdict == "approved", "it was not approved"
                yield self._written(told.window_ends) in body, "the window ends at another instant"
            case "remind_window":
                yield told.state in ("disputed", "refunding"), f"the order is {told.state}"
                yield self._written(told.window_ends) in body, "the window ends at another instant"
                yield message["sent_at"] < datetime.fromisoformat(told.window_ends), "the window has ended"
                yield ("refund has been requested" in body) == (told.state == "refunding"), "of the refund that is not so"
                asked = told.chosen == "choose_reissue" and told.state == "disputed"
                yield ("replacement has been asked for" in body) == asked, "of the replacement that is not so"
                if asked:
                    yield self._has_left("place_reissue", effect), "it was never asked for"
                if told.state == "refunding":
                    yield self._has_left("request_refund", effect), "it was never asked for"
            case "chase_verification":
                yield self._has_left("request_verification", effect), "it was never asked for"
                yield told.verdict is None, "there is a verdict"
                yield f"reminder {told.counts['chase_verification']}." in body, "it is another reminder"
            case "ask" | "remind_decision":
                yield told.standing is not None, "no decision stands"
                yield told.standing == (details["decision"], details["asks"]), "another decision stands"
            case _:
                yield False, "nothing reads this letter"

    def _escalate(self, message, effect, told, about):
        match about:
            case "lapse_window":
                yield told.state in ("disputed", "refunding"), f"the order is {told.state}"
                yield told.counts["lapse_window"] == 1, "the window has not ended"
            case "remind_decision":
                yield told.standing is not None, "no decision stands"
                yield told.counts["remind_decision"] == 3, "it was not reminded of three times"
            case _:
                yield told.rows[-1]["trigger"] == about, "the order has moved on"
                yield told.rows[-1]["actor"] == "timer", "no timer has taken that step"

    def _written(self, instant):
        return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M} (UTC)"
