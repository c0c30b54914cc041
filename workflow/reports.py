"""What may be reported, and the fields that each report may carry."""

from dataclasses import dataclass
from typing import Literal

from workflow.vocabulary import ClaimKind, Remedy, State

Kind = Literal["text", "instant", "amount", "count", "choice", "pieces", "number", "names", "email", "currency", "flag"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a report. A personal one never reaches the history in clear (rule 6.3).

    Of a choice, `words` are what may stand there.
    """

    kind: Kind
    help: str
    required: bool = False
    personal: bool = False
    words: tuple[str, ...] = ()


REASON = Field("text", "why, in a few words")
TELL = Field("text", "text for the recipient of the letter (of two suppliers: the former one); the reason is never sent")
ATTEMPT = Field("count", "which attempt it is about, from 1 (default: the one that was current at that time)")
SUPPLIER = Field("text", "which supplier it is about (instead of the attempt)")
WHOSE = {"attempt": ATTEMPT, "supplier": SUPPLIER}
RECOVERY = Field("count", "ledger row of the recovery (may be left out when only one is open)")
CUSTOMS_WANTS = ("documents", "payment", "processing")
CLAIM_KINDS, REMEDIES, STATE_NAMES = (tuple(map(str, words)) for words in (ClaimKind, Remedy, State))
REFUND = Field("count", "ledger row of the refund (may be left out)")
AMOUNT = Field("amount", "the sum that came back, such as 12.50")
WHOLE = {
    "final": Field("flag", "no more will come: the rest is declined"),
    "more": Field("flag", "it is right that more has come than was asked for"),
}
WHICH = {"tracking_number": Field("text", "which parcel is meant (default: all that are under way)")}
EVIDENCE = Field("text", "what was sent: names or digests of files, separated by spaces")

FIELDS: dict[str, dict[str, Field]] = {
    "place": {},
    "promise": {"ship_by": Field("instant", "the new promised ship date", required=True), **WHOSE, "reason": REASON},
    "report_no_stock": {**WHOSE, "tell": TELL, "reason": REASON},
    "report_unresponsive": {**WHOSE, "tell": TELL, "reason": REASON},
    "report_oversized": {**WHOSE, "tell": TELL, "reason": REASON},
    "report_closed": {"amount": AMOUNT, **WHOSE, "reason": REASON},
    "ship": {
        "carrier": Field("text", "who carries it"),
        "tracking_number": Field("text", "the carrier's number of the parcel; a further one is another parcel"),
        **WHOSE,
        "reason": REASON,
    },
    "note_transit": {**WHICH, "status": Field("text", "the carrier's latest status"), "reason": REASON},
    "hold": {
        **WHICH,
        "wants": Field("choice", "what customs wants: documents, payment or processing", words=CUSTOMS_WANTS),
        "until": Field("instant", "until when customs waits for it"),
        "reason": REASON,
    },
    "release": {**WHICH, "reason": REASON},
    "lose": {**WHICH, "reason": REASON},
    "deliver": {**WHICH, **WHOSE, "reason": REASON},
    "cancel": {"tell": TELL, "reason": REASON},
    "correct_address": {"address": Field("text", "the right address", personal=True), "tell": TELL, "reason": REASON},
    "confirm_interception": {"tell": TELL, "reason": REASON},
    "fail_interception": {"reason": REASON},
    "open_claim": {
        "kind": Field("choice", f"what is wrong: {', '.join(CLAIM_KINDS)}", required=True, words=CLAIM_KINDS),
        "lines": Field(
            "pieces", "what is claimed: line number or SKU, and quantity, as 1:2;MUG-22:1 (default: all that is left)"
        ),
        "remedy": Field("choice", "what the customer asks for: refund (default) or reissue", words=REMEDIES),
        "reason": REASON,
    },
    "submit_evidence": {"evidence": EVIDENCE, "tell": TELL, "reason": REASON},
    "ask_more": {"tell": TELL, "reason": REASON},
    "approve": {"tell": TELL, "reason": REASON},
    "reject": {"tell": TELL, "reason": REASON},
    "reopen_claim": {"evidence": EVIDENCE, "tell": TELL, "reason": REASON},
    "withdraw": {"reason": REASON},
    "choose_refund": {"tell": TELL, "reason": REASON},
    "choose_reissue": {"tell": TELL, "reason": REASON},
    "confirm_reissue": {
        "new_order": Field("number", "the platform's number of the new order", required=True),
        "reason": REASON,
    },
    "settle_refund": {"amount": AMOUNT, "refund": REFUND, **WHOLE, "reason": REASON},
    "decline_refund": {"refund": REFUND, "reason": REASON},
    "settle_recovery": {"recovery": RECOVERY, "amount": AMOUNT, **WHOLE, "reason": REASON},
    "decline_recovery": {"recovery": RECOVERY, "reason": REASON},
    "correct_settlement": {
        "row": Field("count", "the ledger row whose sum was wrong (`show` lists them)", required=True),
        "amount": Field("amount", "what has really come for that row, all its parts together, such as 12.50", required=True),
        "reason": Field("text", "why, in a few words", required=True),
    },
    "amend": {
        "supplier": Field("text", "the name of the supplier"),
        "attempt": Field(
            "count", "which attempt's supplier, number, ship date and sum are meant, from 1 (default: the current one's)"
        ),
        "supplier_number": Field("text", "the number that the supplier knows the order by"),
        "ship_by": Field("instant", "the promised ship date"),
        "paid": Field("amount", "what the merchant paid the supplier of that attempt, such as 12.50"),
        "sale": Field("amount", "what the buyer paid for the order, such as 25.00"),
        "currency": Field("currency", "the currency of all sums, while none is in the ledger"),
        "route": Field("choice", "domestic or international", words=("domestic", "international")),
        "country": Field("text", "where the order goes"),
        "alternatives": Field("names", "suppliers to turn to, best first, separated by ;"),
        "parcel": Field(
            "count", "which parcel's carrier or number is meant (may be left out when there is one; `show` lists them)"
        ),
        "carrier": Field("text", "who carries that parcel"),
        "tracking_number": Field("text", "the number of that parcel"),
        "same_as": Field("count", "the parcel that it really is: two numbers of one parcel were taken for two"),
        "buyer_name": Field("text", "the buyer's name", personal=True),
        "buyer_email": Field("email", "the buyer's address", personal=True),
        "buyer_address": Field("text", "where the buyer lives", personal=True),
        "merchant_email": Field("email", "whom of the merchant's people to write to"),
        "language": Field("text", "the language of letters, such as en or zh"),
        "reason": REASON,
    },
    "override": {
        "to": Field("choice", "the state to move the order to", required=True, words=STATE_NAMES),
        "tell": TELL,
        "reason": Field("text", "why, in a few words", required=True),
    },
}
"""Every trigger that a person, a file, the API or a carrier may report (rule 2.1)."""
ANYWAY = Field("flag", "accept a date before the order was placed, or before the last news of its parcel")
NOW = Field("flag", "let what it causes leave at once, and not only when the time is over in which it can be taken back")
for _trigger in FIELDS:
    if _trigger != "place":
        FIELDS[_trigger] |= {"anyway": ANYWAY, "now": NOW}

MEANINGS = {
    "place": "The order was paid and sent to a supplier.",
    "promise": "The supplier has promised another ship date.",
    "report_no_stock": "The supplier has no stock: turn to the next one, or refund, as the policy says.",
    "report_unresponsive": "The supplier does not answer: refund, or turn to the next one, as the policy says.",
    "report_oversized": "The goods are too large or too heavy to ship: refund.",
    "report_closed": "The supplier or the platform has cancelled the order by itself: the next supplier, or its money back.",
    "ship": "A supplier has shipped; an earlier one's parcel calls the later order off.",
    "note_transit": "The carrier has news.",
    "hold": "Customs holds the parcel.",
    "release": "Customs has released the parcel.",
    "lose": "The carrier has lost, returned or destroyed the parcel.",
    "deliver": "The parcel has arrived. An earlier supplier's calls the later order off.",
    "cancel": "The customer has cancelled: ask the supplier to stop it (domestic orders only).",
    "correct_address": "The address was wrong: ask the supplier to stop it (domestic orders only).",
    "confirm_interception": "The supplier has stopped the order: refund.",
    "fail_interception": "The supplier could not stop the order: it goes on.",
    "open_claim": "The customer claims that something is missing, wrong, damaged or not received.",
    "submit_evidence": "The customer has sent photos or videos.",
    "ask_more": "The platform wants more evidence.",
    "approve": "The platform has approved the claim.",
    "reject": "The platform has rejected the claim.",
    "reopen_claim": "There is new evidence for a claim that was rejected.",
    "withdraw": "The customer has withdrawn the claim.",
    "choose_refund": "The merchant wants the claimed lines refunded.",
    "choose_reissue": "The merchant wants a replacement.",
    "confirm_reissue": "The platform has placed the replacement.",
    "settle_refund": "Money of the platform has come: all of the refund, a part of it, or what was not asked for.",
    "decline_refund": "The platform will not refund.",
    "settle_recovery": "A supplier that was left has paid back, all of it or a part.",
    "decline_recovery": "A supplier that was left will not pay back.",
    "correct_settlement": "A sum that had come was reported wrongly.",
    "amend": "A fact of the order was wrong, or has changed: clocks that run count from the new one.",
    "override": "Move the order to any state by hand, with a reason.",
}
"""What each report says, in a sentence for people."""
PERSONS_ALONE = ("amend", "correct_settlement", "override")
"""Triggers that no file and no carrier may report."""
