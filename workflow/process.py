"""The whole process as data: states, transitions, clocks, effects, parcels and flags (docs/process.md).

Nothing here runs. `workflow.checks` checks these tables against each other and against the functions, settings and
texts that they name, when the process is loaded; `workflow.machine` hands the transitions to `transitions`, and
`docs/state_machine.md` is drawn from them.
"""

from collections.abc import Mapping
from dataclasses import replace

from workflow.vocabulary import ClaimStatus, Clock, Effect, Party, Position, Row, State, Target, Turn

S, STAYS, BACK = State, Target.stays, Target.back

UNSHIPPED = (S.placed, S.overdue_urged, S.rerouted)
ON_ITS_WAY = (S.shipped, S.customs_hold)
INTERCEPTING = (S.intercepting,)
DISPUTED = (S.disputed,)
BEFORE_THE_REQUEST = ("request_has_not_left", "occurred_before_the_request")
THE_REFUND = ("something_came", "names_the_refund", "sum_is_known", "within_what_was_paid", "no_more_than_was_asked_for")
UNASKED = ("names_a_sum", "something_came", "within_what_was_paid")
A_SETTLEMENT = ("names_a_settled_row", "corrects_something", "corrected_within_what_was_paid")
A_FACT = ("changes_a_fact", "currency_is_free", "paid_is_enough", "parcels_may_be_made_one")
AFTER_A_CLAIM = (S.shipped, S.customs_hold, S.delivered, S.refunded, S.reissued)
FROM_SHIPPED_ON = tuple(state for state in State if state not in UNSHIPPED)
ANYWHERE = tuple(State)

STATE_MEANINGS: Mapping[State, str] = {
    S.placed: "paid and sent to a supplier, not shipped",
    S.overdue_urged: "the supplier is late and has been urged",
    S.rerouted: "ordered again from another supplier, not shipped",
    S.shipped: "on its way",
    S.customs_hold: "held by customs; the merchant has been told",
    S.delivered: "arrived; claims may be opened until the claim window ends",
    S.disputed: "a claim is being worked",
    S.intercepting: "the supplier was asked to stop the parcel",
    S.refunding: "the money is awaited: its refund was requested, or who closed the order pays it back",
    S.refunded: "the refund is settled: the ledger says what has come",
    S.reissued: "a replacement has been ordered",
    S.closed: "the claim window is over and nothing is open",
}


def next_supplier(trigger: str, sources: tuple[State, ...], *guards: str) -> Row:
    """Order again from the next supplier, and ask the old one for the money back."""
    return Row(
        trigger,
        sources,
        S.rerouted,
        guards=(*guards, "candidate_left"),
        changes=("turn_to_the_next_supplier",),
        effects=("place_supply", "recover_supply"),
    )


def refund(trigger: str, sources: tuple[State, ...]) -> tuple[Row, Row]:
    """Request the refund of the whole order; where all that was paid is back already, it is refunded."""
    return (
        Row(trigger, sources, S.refunded, guards=("all_is_back",)),
        Row(trigger, sources, S.refunding, changes=("ask_for_a_refund",), effects=("request_refund",)),
    )


def refund_claim(trigger: str, *guards: str, changes: tuple[str, ...] = ()) -> Row:
    """Request the refund of what the open claim is about."""
    changes = (*changes, "choose_refund", "ask_for_a_refund")
    return Row(trigger, DISPUTED, S.refunding, guards=guards, changes=changes, effects=("request_refund",))


def sent_after_all(row: Row) -> Row:
    """A supplier that was left has sent the goods after all: it is current again, and the later order is called off."""
    return replace(
        row,
        guards=(*row.guards, "earlier_attempt"),
        changes=("return_to_that_attempt", *row.changes),
        effects=("cancel_supply",),
        flag="earlier_attempt_shipped",
    )


def of_either_attempt(row: Row) -> tuple[Row, Row]:
    """What the current supplier has sent, and what one has that was left."""
    return replace(row, guards=(*row.guards, "current_attempt")), sent_after_all(row)


# fmt: off
ROWS: tuple[Row, ...] = (
    # before shipping
    Row("place", None, S.placed),
    Row("promise", UNSHIPPED, STAYS, changes=("take_promise",)),
    Row("urge", (S.placed, S.rerouted), S.overdue_urged, changes=("note_urge",), effects=("urge_supplier",)),
    next_supplier("reroute", (S.overdue_urged,)),
    *refund("reroute", (S.overdue_urged,)),
    next_supplier("report_no_stock", UNSHIPPED, "no_stock_reroutes", "not_cancelled"),
    *refund("report_no_stock", UNSHIPPED + INTERCEPTING),
    next_supplier("report_unresponsive", UNSHIPPED, "unresponsive_reroutes", "not_cancelled"),
    *refund("report_unresponsive", UNSHIPPED),
    *refund("report_oversized", UNSHIPPED + INTERCEPTING),
    replace(next_supplier("report_closed", UNSHIPPED, "within_what_was_paid", "no_stock_reroutes", "not_cancelled"),
        changes=("turn_to_the_next_supplier", "settle_what_came"), effects=("place_supply",)),
    Row("report_closed", UNSHIPPED + INTERCEPTING, S.refunded, guards=("within_what_was_paid", "all_is_back")),
    Row("report_closed", UNSHIPPED + INTERCEPTING, S.refunded, guards=("within_what_was_paid", "all_of_it_is_named"),
        changes=("ask_for_a_refund", "settle_what_came")),
    Row("report_closed", UNSHIPPED + INTERCEPTING, S.refunding, guards=("within_what_was_paid",),
        changes=("ask_for_a_refund", "settle_what_came")),
    # on the way
    *of_either_attempt(Row("ship", UNSHIPPED, S.shipped, changes=("take_shipment",))),
    Row("ship", (S.delivered,), S.shipped, guards=("another_parcel",), changes=("take_shipment",)),
    Row("ship", (S.closed,), STAYS, guards=("another_parcel",), changes=("take_shipment",), flag="sent_after_the_end"),
    Row("ship", DISPUTED, STAYS, guards=("another_parcel", "was_delivered"),
        changes=("take_shipment",), set_return_state=S.shipped),
    *of_either_attempt(Row("ship", (S.delivered, S.disputed, S.closed), STAYS, changes=("take_shipment",))),
    Row("ship", ON_ITS_WAY, STAYS, guards=("another_parcel",), changes=("take_shipment",)),
    Row("ship", ON_ITS_WAY, STAYS, guards=("gives_a_number",), changes=("take_shipment",)),
    Row("note_transit", FROM_SHIPPED_ON, STAYS, changes=("take_carrier_news",)),
    Row("stall", (S.shipped,), STAYS, changes=("repeat",), effects=("notify_merchant",), flag="stalled"),
    Row("hold", (S.shipped,), S.customs_hold, guards=("one_is_held",), effects=("customs_reminder",)),
    Row("hold", (S.customs_hold,), STAYS, guards=("one_more_is_held",), effects=("customs_reminder",)),
    Row("remind_customs", (S.customs_hold,), STAYS, changes=("repeat",), effects=("customs_reminder",), flag="customs"),
    Row("release", (S.customs_hold,), S.shipped, guards=("others_are_on_their_way",)),
    Row("release", (S.customs_hold,), STAYS, guards=("one_less_is_held",)),
    Row("lose", ON_ITS_WAY, S.disputed, guards=("all_are_lost", "anything_left"),
        changes=("open_claim_of_lost_parcel", "ask_for_verification"), effects=("request_verification",)),
    Row("lose", ON_ITS_WAY, S.delivered, guards=("all_have_arrived",), changes=("take_delivery",), flag="parcel_lost"),
    Row("lose", (S.customs_hold,), S.shipped, guards=("others_are_on_their_way",), flag="parcel_lost"),
    Row("lose", ON_ITS_WAY, STAYS, guards=("one_more_is_lost", "others_are_left"), flag="parcel_lost"),
    Row("lose", (S.delivered,), STAYS, flag="parcel_lost"),
    Row("deliver", ON_ITS_WAY, S.delivered, guards=("all_have_arrived",), changes=("take_delivery",)),
    Row("deliver", (S.delivered,), STAYS, guards=("current_attempt", "one_more_has_arrived"),
        changes=("take_delivery", "count_the_window_anew")),
    Row("deliver", (S.closed,), STAYS, guards=("current_attempt", "one_more_has_arrived"), changes=("take_delivery",)),
    Row("deliver", (S.customs_hold,), S.shipped, guards=("others_are_on_their_way",), changes=("take_delivery",)),
    Row("deliver", ON_ITS_WAY, STAYS, guards=("one_more_has_arrived",), changes=("take_delivery",)),
    *of_either_attempt(Row("deliver", UNSHIPPED, S.delivered, changes=("take_delivery", "mark_gap"))),
    # before the request for a refund had left
    *of_either_attempt(Row("ship", (S.refunding,), S.shipped, guards=BEFORE_THE_REQUEST,
        changes=("take_the_request_back", "take_shipment"))),
    *of_either_attempt(Row("deliver", (S.refunding,), S.delivered, guards=BEFORE_THE_REQUEST,
        changes=("take_the_request_back", "take_delivery", "mark_gap"))),
    # cancelled or wrongly addressed
    Row("cancel", (*UNSHIPPED, S.shipped), S.intercepting, guards=("domestic",),
        changes=("note_cancellation",), effects=("request_interception",)),
    Row("correct_address", (*UNSHIPPED, S.shipped), S.intercepting, guards=("domestic",), effects=("request_interception",)),
    *refund("confirm_interception", INTERCEPTING),
    Row("fail_interception", INTERCEPTING, BACK, guards=("cancelled_and_unshipped",),
        changes=("stop_overdue_clocks",), flag="cancelled_unshipped"),
    Row("fail_interception", INTERCEPTING, BACK),
    *of_either_attempt(Row("ship", INTERCEPTING, STAYS, guards=("was_unshipped",),
        changes=("take_shipment",), set_return_state=S.shipped)),
    Row("ship", INTERCEPTING, STAYS, guards=("another_parcel",), changes=("take_shipment",)),
    Row("ship", INTERCEPTING, STAYS, guards=("gives_a_number",), changes=("take_shipment",)),
    Row("hold", INTERCEPTING, STAYS, guards=("was_shipped", "one_is_held"),
        effects=("customs_reminder",), set_return_state=S.customs_hold),
    Row("hold", INTERCEPTING, STAYS, guards=("was_held", "one_more_is_held"), effects=("customs_reminder",)),
    Row("release", INTERCEPTING, STAYS, guards=("was_held", "others_are_on_their_way"), set_return_state=S.shipped),
    Row("release", INTERCEPTING, STAYS, guards=("was_held", "one_less_is_held")),
    *of_either_attempt(Row("deliver", INTERCEPTING, S.delivered, guards=("was_unshipped",),
        changes=("take_delivery", "mark_gap"))),
    Row("deliver", INTERCEPTING, S.delivered, guards=("current_attempt", "all_have_arrived"), changes=("take_delivery",)),
    Row("deliver", INTERCEPTING, STAYS, guards=("current_attempt", "was_held", "others_are_on_their_way"),
        changes=("take_delivery",), set_return_state=S.shipped),
    Row("deliver", INTERCEPTING, STAYS, guards=("current_attempt", "one_more_has_arrived"), changes=("take_delivery",)),
    # claims
    Row("open_claim", (S.delivered, S.refunded, S.reissued), S.disputed,
        guards=("claim_window", "names_its_lines", "pieces_left"), changes=("open_claim",), effects=("ask_evidence",)),
    Row("open_claim", ON_ITS_WAY, S.disputed, guards=("whole_not_received",),
        changes=("open_claim",), effects=("ask_evidence",)),
    Row("open_claim", ON_ITS_WAY, S.disputed,
        guards=("a_parcel_has_arrived", "claim_window", "names_its_lines", "pieces_left"),
        changes=("open_claim",), effects=("ask_evidence",)),
    Row("open_claim", DISPUTED, STAYS, guards=("no_claim_open", "names_its_lines", "pieces_left"),
        changes=("open_claim",), effects=("ask_evidence",)),
    Row("open_claim", DISPUTED, STAYS, guards=("claim_open", "no_verdict", "names_its_lines", "pieces_left"),
        changes=("add_to_claim",)),
    Row("submit_evidence", DISPUTED, STAYS, guards=("claim_open", "verification_due"),
        changes=("take_evidence", "ask_for_verification"), effects=("request_verification",)),
    Row("submit_evidence", DISPUTED, STAYS, guards=("claim_open",), changes=("take_evidence",)),
    Row("lapse_evidence", DISPUTED, BACK, changes=("lapse_claim",), effects=("notify_merchant",)),
    Row("ask_more", DISPUTED, STAYS, guards=("claim_open", "evidence", "no_verdict"),
        changes=("begin_next_round",), effects=("ask_evidence",)),
    Row("chase_verification", DISPUTED, STAYS, changes=("repeat",),
        effects=("chase_verification", "notify_merchant"), flag="unverified"),
    Row("approve", DISPUTED, STAYS, guards=("claim_open", "evidence", "no_verdict"),
        changes=("approve_claim",), effects=("notify_merchant",)),
    Row("reject", DISPUTED, BACK, guards=("claim_open", "evidence", "no_verdict"),
        changes=("reject_claim",), effects=("notify_merchant",)),
    Row("reopen_claim", AFTER_A_CLAIM, S.disputed,
        guards=("a_claim_was_rejected", "where_it_went_back_to", "in_time_to_reopen", "new_evidence", "its_pieces_are_left"),
        changes=("reopen_claim", "ask_for_verification"), effects=("request_verification",)),
    Row("withdraw", DISPUTED, BACK, guards=("no_remedy_chosen",), changes=("withdraw_claim",)),
    refund_claim("choose_refund", "claim_open", "approved", "something_is_left_to_ask_for"),
    Row("choose_reissue", DISPUTED, STAYS, guards=("claim_open", "approved", "generation_left", "no_reissue_chosen"),
        changes=("choose_reissue",), effects=("place_reissue",)),
    Row("confirm_reissue", DISPUTED, S.reissued, guards=("claim_open", "reissue_chosen", "new_order_is_free"),
        changes=("place_replacement",)),
    Row("remind_window", (S.disputed, S.refunding), STAYS, changes=("repeat",), effects=("notify_merchant",)),
    Row("lapse_window", DISPUTED, STAYS, guards=("window_escalates",),
        changes=("end_window",), effects=("escalate",), flag="window_ended"),
    Row("lapse_window", DISPUTED, STAYS, guards=("reissue_asked_for", "generation_left"),
        changes=("end_window", "choose_reissue"), effects=("place_reissue",), flag="window_ended"),
    Row("lapse_window", DISPUTED, STAYS, guards=("nothing_is_left_to_ask_for",),
        changes=("end_window",), effects=("escalate",), flag="window_ended"),
    refund_claim("lapse_window", changes=("end_window",)),
    Row("lapse_window", (S.refunding,), STAYS,
        changes=("end_window",), effects=("chase_refund", "escalate"), flag="window_ended"),
    Row("hold", DISPUTED, STAYS, guards=("was_shipped", "one_is_held"),
        effects=("customs_reminder",), set_return_state=S.customs_hold),
    Row("hold", DISPUTED, STAYS, guards=("was_held", "one_more_is_held"), effects=("customs_reminder",)),
    Row("hold", DISPUTED, STAYS, guards=("claimed_after_delivery",)),
    Row("release", DISPUTED, STAYS, guards=("was_held", "others_are_on_their_way"), set_return_state=S.shipped),
    Row("release", DISPUTED, STAYS, guards=("was_held", "one_less_is_held")),
    Row("release", DISPUTED, STAYS, guards=("claimed_after_delivery",)),
    Row("deliver", DISPUTED, STAYS, guards=("was_on_its_way", "all_have_arrived"),
        changes=("take_delivery",), set_return_state=S.delivered),
    Row("deliver", DISPUTED, STAYS, guards=("was_held", "others_are_on_their_way"),
        changes=("take_delivery",), set_return_state=S.shipped),
    Row("deliver", DISPUTED, STAYS, guards=("was_on_its_way", "one_more_has_arrived"), changes=("take_delivery",)),
    Row("deliver", DISPUTED, STAYS, guards=("claimed_after_delivery",)),
    # money
    Row("settle_refund", (S.refunding,), S.refunded, guards=(*THE_REFUND, "all_has_come"), changes=("settle_refund",)),
    Row("settle_refund", (S.refunding,), STAYS, guards=THE_REFUND, changes=("settle_a_part",)),
    Row("settle_refund", (S.placed, S.overdue_urged, S.intercepting), S.refunded,
        guards=(*UNASKED, "nothing_was_sent", "all_that_was_paid"), changes=("enter_unasked_money",)),
    Row("settle_refund", DISPUTED, S.refunded, guards=(*UNASKED, "the_claim_is_paid"), changes=("settle_the_claim",)),
    Row("settle_refund", tuple(state for state in State if state is not S.refunding), STAYS, guards=UNASKED,
        changes=("enter_unasked_money",), flag="money_unasked"),
    Row("correct_settlement", (S.refunded,), S.refunding, guards=(*A_SETTLEMENT, "of_a_refund", "something_is_missing"),
        changes=("correct_settlement",)),
    Row("correct_settlement", (S.refunding,), S.refunded, guards=(*A_SETTLEMENT, "of_the_open_refund", "nothing_is_missing"),
        changes=("correct_settlement",)),
    Row("correct_settlement", ANYWHERE, STAYS, guards=A_SETTLEMENT, changes=("correct_settlement",)),
    Row("chase_refund", (S.refunding,), STAYS, changes=("repeat",), effects=("chase_refund",), flag="refund_unsettled"),
    Row("decline_refund", (S.refunding,), S.refunded, guards=("names_the_refund", "a_part_has_come"),
        changes=("decline_the_rest",)),
    Row("decline_refund", (S.refunding,), BACK, guards=("names_the_refund",),
        changes=("decline_refund", "end_window"), flag="refund_declined"),
    Row("chase_recovery", ANYWHERE, STAYS, changes=("repeat",), effects=("chase_recovery",), flag="recovery_unsettled"),
    Row("settle_recovery", ANYWHERE, STAYS,
        guards=("something_came", "a_recovery_is_open", "names_an_open_recovery", "no_more_than_was_owed"),
        changes=("settle_recovery",)),
    Row("decline_recovery", ANYWHERE, STAYS, guards=("a_recovery_is_open", "names_an_open_recovery"),
        changes=("decline_recovery",)),
    # decisions
    Row("remind_decision", ANYWHERE, STAYS, changes=("repeat",), effects=("notify_merchant",), flag="undecided"),
    # facts
    Row("amend", ON_ITS_WAY, S.delivered, guards=(*A_FACT, "makes_parcels_one", "all_have_arrived"),
        changes=("amend", "take_delivery")),
    Row("amend", (S.customs_hold,), S.shipped, guards=(*A_FACT, "makes_parcels_one", "others_are_on_their_way"),
        changes=("amend",)),
    Row("amend", (S.refunding,), S.refunded, guards=(*A_FACT, "all_that_is_said_to_be_paid_has_come"),
        changes=("amend", "end_refund")),
    Row("amend", ANYWHERE, STAYS, guards=A_FACT, changes=("amend",)),
    # the end
    Row("close", (S.delivered,), S.closed),
    Row("override", ANYWHERE, Target.named, changes=("move_by_hand",), effects=("notify_merchant",)),
)

RECORDS: Mapping[str, Row] = {row.trigger: row for row in (
    # which reports of files cannot be read (rule 7.10)
    Row("unread", None, STAYS, changes=("note_unread",)),
    # what a person does to a timer (rule 3.10)
    Row("postpone_timer", None, STAYS, changes=("move_timer", "promise_its_date")),
    Row("shift_timer", None, STAYS, changes=("move_timer",)),
    Row("pause_timer", None, STAYS, changes=("pause_timer",)),
    Row("resume_timer", None, STAYS, changes=("resume_timer",)),
    Row("cancel_timer", None, STAYS, changes=("cancel_timer",)),
    Row("retime_timer", None, STAYS, changes=("retime_timer",)),
    # what waits for a person's decision, and what waits behind it (rule 5.9)
    Row("ask", None, STAYS, changes=("ask",), effects=("notify_merchant",)),
    Row("queue", None, STAYS, changes=("queue",)),
    Row("stay", None, STAYS, changes=("stay",)),
    # an order that was known already turns out to be a replacement (rule 8.7), a person takes their last step back
    # (rule 2.19), and a buyer is erased (rule 6.4)
    Row("link", None, STAYS, changes=("link",)),
    Row("unlink", None, STAYS, changes=("unlink",)),
    Row("undo", None, STAYS, changes=("take_back",)),
    Row("erase", None, STAYS),
)}
"""Steps that no report and no deadline causes: they are recorded in any state, and the order stays."""

TAKE_UP = Row("amend", None, STAYS, changes=("link", "take_up"))
"""What an order that was called off is when its number comes again: a new order, or a replacement once more (rule 2.19)."""

OLDER_NEWS: Mapping[str, Row] = {row.trigger: row for row in (
    Row("ship", None, STAYS, changes=("take_shipment",)),
    Row("note_transit", None, STAYS),
    Row("hold", None, STAYS),
    Row("release", None, STAYS),
    Row("deliver", None, STAYS),
)}
"""Reports about a parcel that come after newer ones: they fill the history, and the order stays (rule 2.6)."""

ABOUT_A_LEFT_ATTEMPT: Mapping[str, Row] = {row.trigger: row for row in (
    Row("promise", None, STAYS, changes=("note_attempt", "keep_promise")),
    Row("report_no_stock", None, STAYS, changes=("note_attempt",)),
    Row("report_unresponsive", None, STAYS, changes=("note_attempt",)),
    Row("report_oversized", None, STAYS, changes=("note_attempt",)),
    Row("report_closed", None, STAYS, changes=("note_attempt", "settle_what_came")),
)}
"""Reports of a supplier that is not current any more: they are noted on its attempt, and the order stays (rule 2.12)."""

CORRECTIONS: Mapping[str, Row] = {row.trigger: row for row in (
    Row("ship", None, STAYS, changes=("correct_shipment",)),
    Row("hold", None, STAYS),
)}
"""Reports that come again with more than before, or with another carrier or tracking number (rule 2.14)."""
CORRECTED = ("carrier", "tracking_number")
"""Fields that a correction may change; of the others it may only fill in those that were empty."""

WITHOUT_A_MOVE = tuple(row for rows in (RECORDS, OLDER_NEWS, ABOUT_A_LEFT_ATTEMPT, CORRECTIONS) for row in rows.values())
"""Rows that are taken in any state, and by themselves move no order."""

CLOCKS: tuple[Clock, ...] = (
    Clock("urge", starts_on=(S.placed, S.rerouted), runs_in=(S.placed, S.rerouted), pauses_in=INTERCEPTING,
          settings=("overdue.urge_after",), meaning="the supplier is urged to ship"),
    Clock("reroute", starts_on=(S.overdue_urged,), runs_in=(S.overdue_urged,), pauses_in=INTERCEPTING,
          settings=("overdue.reroute_after", "overdue.reroute_after_urge"),
          meaning="it is ordered from the next supplier, or refunded when none is left"),
    Clock("stall", starts_on=(S.shipped,), runs_in=(S.shipped,), pauses_in=(*INTERCEPTING, S.disputed),
          settings=("transit.stall_every",), meaning="the merchant is told that the carrier is silent"),
    Clock("remind_customs", starts_on=(S.customs_hold,), runs_in=(S.customs_hold,), pauses_in=(*INTERCEPTING, S.disputed),
          settings=("customs.remind_every",), meaning="the merchant is reminded of the customs hold"),
    Clock("fail_interception", starts_on=INTERCEPTING, runs_in=INTERCEPTING, settings=("interception.fail_after",),
          meaning="the interception counts as failed and the order goes back to where it was"),
    Clock("close", starts_on=(S.delivered,), runs_in=(S.delivered,), waits_in=DISPUTED,
          settings=("delivery.close_after",), meaning="the claim window ends and the order is closed"),
    Clock("lapse_evidence", starts_on=(), runs_in=DISPUTED, settings=("claims.evidence_within",),
          meaning="the claim lapses for want of evidence, and the order goes back to where it was"),
    Clock("chase_verification", starts_on=(), runs_in=DISPUTED, settings=("claims.chase_verification_every",),
          meaning="the platform is chased for its verdict"),
    Clock("remind_window", starts_on=(), runs_in=(S.disputed, S.refunding), settings=("claims.remind_window_at",),
          meaning="the merchant is reminded of the remedy that is still to be done"),
    Clock("lapse_window", starts_on=(), runs_in=(S.disputed, S.refunding), settings=("claims.window",),
          meaning="the time for the remedy ends"),
    Clock("chase_refund", starts_on=(S.refunding,), runs_in=(S.refunding,), settings=("money.chase_refund_at",),
          meaning="the platform is chased for the refund"),
    Clock("chase_recovery", starts_on=(), runs_in=ANYWHERE, settings=("money.chase_recovery_at",),
          meaning="the old supplier is chased for the money"),
    Clock("remind_decision", starts_on=(), runs_in=ANYWHERE, settings=("decisions.remind_every",),
          meaning="the merchant is reminded of what waits for a decision"),
)
WAITING_RECORDS = ("ask", "queue")
"""Records of steps that wait for a decision: their own one, or behind the one that stands."""
WINDOW_CLOCKS = ("remind_window", "lapse_window")
"""The clocks of the 15 working days for a remedy."""

EFFECTS: tuple[Effect, ...] = (
    Effect("urge_supplier", Party.supplier, may_ask=True, needed_while="urged_supplier_is_to_ship", after=Turn("place_supply")),
    Effect("place_supply", Party.supplier, may_ask=True, moves=True, goes_alone=True,
           needed_while="next_supplier_is_to_ship"),
    Effect("cancel_supply", Party.supplier, moves=True, goes_alone=True, after=Turn("place_supply")),
    Effect("recover_supply", Party.supplier, may_ask=True, moves=True, needed_while="recovery_is_open",
           after=Turn("place_supply", of_step=True, triggers=("reroute",))),
    Effect("request_interception", Party.supplier, needed_while="is_being_intercepted", after=Turn("place_supply")),
    Effect("customs_reminder", Party.merchant, needed_while="customs_hold_it"),
    Effect("ask_evidence", Party.merchant, needed_while="evidence_is_missing"),
    Effect("request_verification", Party.platform, needed_while="verdict_is_missing"),
    Effect("chase_verification", Party.platform, needed_while="verdict_is_missing",
           after=Turn("request_verification", lapses=True)),
    Effect("request_refund", Party.platform, may_ask=True, moves=True, goes_alone=True, needed_while="refund_is_open"),
    Effect("chase_refund", Party.platform, needed_while="refund_is_open", after=Turn("request_refund", lapses=True)),
    Effect("chase_recovery", Party.supplier, needed_while="recovery_is_open", after=Turn("recover_supply", lapses=True)),
    Effect("place_reissue", Party.platform, may_ask=True, moves=True, goes_alone=True, needed_while="replacement_is_chosen"),
    Effect("notify_merchant", Party.merchant),
    Effect("escalate", Party.contact),
)

DAILY_DIGEST = "daily_digest"
"""The kind of the message that tells a merchant once a day what needs them: no step causes it."""

SUPPLIER_REPORTS = ("ship", "deliver", *ABOUT_A_LEFT_ATTEMPT)
"""Reports about the attempt that they name, or that was current when they occurred (rule 2.12)."""
PARCEL_REPORTS = ("ship", "note_transit", "hold", "release", "deliver")
"""Reports about one parcel: of these the one that occurred last decides (rule 2.6)."""
ABOUT_PARCELS = (*PARCEL_REPORTS, "lose")
"""Reports about the parcel that they name by its tracking number, else about all that are under way (rule 2.18)."""
PARCEL_MOVES: Mapping[tuple[Position, str], Position] = {
    (Position.unshipped, "ship"): Position.shipped,
    (Position.unshipped, "deliver"): Position.delivered,
    (Position.shipped, "hold"): Position.held,
    (Position.shipped, "deliver"): Position.delivered,
    (Position.held, "release"): Position.shipped,
    (Position.held, "deliver"): Position.delivered,
    (Position.shipped, "lose"): Position.lost,
    (Position.held, "lose"): Position.lost,
    (Position.lost, "hold"): Position.held,
    (Position.lost, "release"): Position.shipped,
    (Position.lost, "deliver"): Position.delivered,
}
"""Where a report takes a parcel, in order of occurrence."""
PARCEL_FILLS = ((Position.delivered, "ship"),)
"""Reports that are allowed without moving the parcel."""
PARCEL_POSITIONS: Mapping[State, Position] = {
    **dict.fromkeys(UNSHIPPED, Position.unshipped),
    S.shipped: Position.shipped,
    S.customs_hold: Position.held,
    S.delivered: Position.delivered,
    S.closed: Position.delivered,
}
"""Where the parcels are while their order is in a state; in other states parcels do not decide."""
# fmt: on

LEAVE_A_SUPPLIER = tuple(dict.fromkeys(row.trigger for row in ROWS if "candidate_left" in row.guards))
"""Triggers that turn to another supplier where one is left."""
LEFT_IN = next(row.sources or () for row in ROWS if row.trigger == "reroute")
"""States in which a timer does so."""
CANNOT_RETURN_TO = (S.intercepting, S.refunding)
"""States that no order goes back to."""
KEEP_RETURN_STATE = (S.intercepting, S.refunding, S.disputed)
"""States that an order may go back from."""
NOT_RETURNED_TO = ((S.disputed, S.intercepting),)
"""(from, to): an interception that is forced upon a dispute goes back to where the dispute would; its claim is ended."""
KEEP_CLAIM_OPEN = (S.disputed, S.refunding)
"""States in which a claim stays open."""
REMEDIES_BY_HAND = {S.refunded: ClaimStatus.refunded, S.reissued: ClaimStatus.reissued}
"""Where a person moves an order whose claim was made good outside of the process."""
END_CLAIM_WITHOUT_REMEDY = ("reject", "lapse_evidence")
"""After these an order that could have closed meanwhile stays open for a while, so that the buyer can answer (rule 8.4)."""
CLOCKS_COUNT_FROM = frozenset({"supplier", "ship_by", "route"})
"""Facts on which the overdue clocks depend: amended ones let them count anew (rule 2.15)."""
TAKEN_BACK = ("reroute", "report_no_stock", "report_unresponsive", "report_oversized")
"""Triggers whose request for a refund a parcel that left before it takes back, while it has not left (rule 2.13)."""
NEED_A_PERSON = (
    *("settle_refund", "decline_refund", "settle_recovery", "decline_recovery", "report_closed"),
    *("confirm_interception", "lose", "deliver"),
)
"""Reports of money or the parcel's end: an order that has no place for one needs a person (rule 2.16)."""
HELD_BY_EXCEPTIONS = ("place_supply", "place_reissue", "recover_supply")
"""Effects that do not leave while a report does not fit their order that needs a person (rule 2.16)."""
UNPLACED = "report_unplaced"
"""The flag of an order with such a report."""
MONEY_CAME = ("settle_refund", "settle_recovery", "report_closed")
"""Reports of money that has come: one that cannot be entered is kept for a person, whatever turned it down."""
NOT_OF_HISTORICAL = ("urge", "reroute", "stall", "chase_verification", "chase_refund", "chase_recovery")
"""Clocks that do not run for an order that was old when it was imported (rule 7.7)."""
STOPPED_BY_CLOSURES = ("urge", "reroute", "fail_interception", "chase_recovery")
"""Clocks of what a supplier is to do: days on which it is closed do not count (rule 3.11)."""
STAYS_DONE = ("place", "submit_evidence", "unread")
"""What a person reports and cannot take back: the order itself, files of evidence, and that a report was seen to."""
REST_WHILE_UNREAD = ("urge", "reroute")
"""Clocks that rest while a report of a file cannot be read: it may say that the supplier has shipped (rule 7.10)."""
UNREAD = "report_unread"
"""The flag of an order with such a report, and by what its clocks are paused."""
REST_FOR_A_DECISION = ("urge", "reroute", "fail_interception")
"""Clocks that wait while a report waits for a decision."""
SET_BY_THE_PLATFORM = "lapse_window"
"""The clock of a time that the platform gives: whoever decides is told when it ends."""
DECIDED_BY_POLICY = ("lapse_window",)
"""Steps that no person is asked about: the policy has said what is to happen."""
FINAL_STATES = (S.closed, S.refunded, S.reissued)

FLAGS: Mapping[str, str] = {
    "earlier_attempt_shipped": "a supplier that was left has shipped after all; the later order must be called off",
    "parcel_lost": "one of its parcels is lost or was sent back: see what was in it",
    "sent_after_the_end": "another parcel has left after the order was closed: see what it is",
    "stalled": "the carrier has been silent for too long",
    "customs": "customs still holds the parcel after the last reminder",
    "cancelled_unshipped": "the customer cancelled, the interception failed, and nothing is shipped",
    "refund_unsettled": "the platform has not paid the refund after the last chase",
    "refund_declined": "the refund was declined",
    "recovery_unsettled": "the old supplier has not paid the money back after the last chase",
    "unverified": "the platform has not verified the claim after the last chase",
    "replacement_asked": "a replacement had been asked for before the refund: make sure that it does not come as well",
    "no_claim": "the order was moved into a dispute by hand, and no claim is open",
    "money_unasked": "money has come that was not asked for: see what it is for",
    "undecided": "a step waits for your decision, and the merchant was reminded for the last time",
    "window_ended": "the 15 working days for the remedy are over, and it is not done",
    "effect_stuck": "a message could not be delivered, or its outcome is unknown",
    "timer_failed": "a timer could not be fired and was set aside",
    "report_unplaced": "a report about money or the parcel's end does not fit the order: see its exceptions",
    "report_unread": "a report of it in a file cannot be read: it is neither urged nor ordered elsewhere until that is mended",
    "report_failed": "reports of a file could not be processed",
}
"""Why an order needs a person (rule 1.3)."""
