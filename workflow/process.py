"""The whole process on one screen: transitions, clocks, effects and flags as data (docs/process.md).

Nothing here runs. `workflow.table` checks these tables against each other when they are loaded,
`workflow.machine` hands them to `transitions`, and `docs/state_machine.md` is drawn from them.
"""

from workflow.vocabulary import Clock, Effect, Party, Row, State, Target

S, STAYS, BACK = State, Target.stays, Target.back

UNSHIPPED = (S.placed, S.overdue_urged, S.rerouted)
ON_ITS_WAY = (S.shipped, S.customs_hold)
PAUSED = (S.intercepting,)
FROM_SHIPPED_ON = tuple(state for state in State if state not in UNSHIPPED)
ANYWHERE = tuple(State)

DISPUTED = (S.disputed,)
CLAIMABLE = (S.delivered, S.refunded, S.reissued)
CLAIMED = ("request_verification",)
PIECES = ("names_its_lines", "pieces_left")
FIRST_OF_ROUND = ("claim_open", "verification_due")
CHASED = ("chase_verification", "notify_merchant")
VERDICT = ("claim_open", "evidence", "no_verdict")
CHOOSES = ("claim_open", "approved", "generation_left", "no_reissue_chosen")
CONFIRMS = ("claim_open", "reissue_chosen", "new_order_is_free")
LATE_REISSUE = ("reissue_asked_for", "generation_left")
SETTLES = ("names_the_refund", "sum_is_known", "within_what_was_paid")
OTHER_CAME = "earlier_attempt_shipped"
REOPENED_FROM = (S.shipped, S.customs_hold, S.delivered, S.refunded, S.reissued)
REOPENS = ("a_claim_was_rejected", "where_it_went_back_to", "in_time_to_reopen", "new_evidence", "its_pieces_are_left")
OPEN_RECOVERY = ("a_recovery_is_open", "names_an_open_recovery")
RETURN = ("take_shipment", "return_to_that_attempt")


def next_supplier(trigger: str, sources: tuple[State, ...], *guards: str) -> Row:
    """Order again from the next supplier, and ask the old one for the money back."""
    does, effects = ("turn_to_the_next_supplier",), ("place_supply", "recover_supply")
    return Row(trigger, sources, S.rerouted, (*guards, "candidate_left"), does, effects)


def refund(trigger: str, sources: tuple[State, ...]) -> Row:
    """Request the refund of the whole order."""
    return Row(trigger, sources, S.refunding, (), ("ask_for_a_refund",), ("request_refund",))


def refund_claim(trigger: str, *guards: str, does: tuple[str, ...] = ()) -> Row:
    """Request the refund of what the open claim is about."""
    return Row(trigger, DISPUTED, S.refunding, guards, (*does, "choose_refund", "ask_for_a_refund"), ("request_refund",))


# fmt: off
ROWS: tuple[Row, ...] = (
    # before shipping
    Row("place", None, S.placed),
    Row("promise", UNSHIPPED, STAYS, does=("take_promise",)),
    Row("urge", (S.placed, S.rerouted), S.overdue_urged, does=("note_urge",), effects=("urge_supplier",)),
    next_supplier("reroute", (S.overdue_urged,)),
    refund("reroute", (S.overdue_urged,)),
    next_supplier("report_no_stock", UNSHIPPED, "no_stock_reroutes", "not_cancelled"),
    refund("report_no_stock", UNSHIPPED + PAUSED),
    next_supplier("report_unresponsive", UNSHIPPED, "unresponsive_reroutes", "not_cancelled"),
    refund("report_unresponsive", UNSHIPPED),
    refund("report_oversized", UNSHIPPED + PAUSED),
    # on the way
    Row("ship", UNSHIPPED, S.shipped, ("current_attempt",), ("take_shipment",)),
    Row("ship", UNSHIPPED, S.shipped, ("earlier_attempt",), RETURN, ("cancel_supply",), OTHER_CAME),
    Row("ship", (S.delivered, S.disputed, S.closed), STAYS, ("current_attempt",), ("take_shipment",)),
    Row("ship", (S.delivered, S.disputed, S.closed), STAYS, ("earlier_attempt",), RETURN, ("cancel_supply",), OTHER_CAME),
    Row("note_transit", FROM_SHIPPED_ON, STAYS, does=("take_carrier_news",)),
    Row("stall", (S.shipped,), STAYS, does=("repeat",), effects=("notify_merchant",), flag="stalled"),
    Row("hold", (S.shipped,), S.customs_hold, effects=("customs_reminder",)),
    Row("remind_customs", (S.customs_hold,), STAYS, does=("repeat",), effects=("customs_reminder",), flag="customs"),
    Row("release", (S.customs_hold,), S.shipped),
    Row("lose", ON_ITS_WAY, S.disputed, ("anything_left",), ("open_claim_of_lost_parcel", "ask_for_verification"), CLAIMED),
    Row("deliver", ON_ITS_WAY, S.delivered, does=("take_delivery",)),
    Row("deliver", UNSHIPPED, S.delivered, does=("take_delivery", "mark_gap")),
    # cancelled or wrongly addressed
    Row("cancel", (*UNSHIPPED, S.shipped), S.intercepting, ("domestic",), ("note_cancellation",), ("request_interception",)),
    Row("correct_address", (*UNSHIPPED, S.shipped), S.intercepting, ("domestic",), (), ("request_interception",)),
    refund("confirm_interception", PAUSED),
    Row("fail_interception", PAUSED, BACK, ("cancelled_and_unshipped",), ("stop_overdue_clocks",), flag="cancelled_unshipped"),
    Row("fail_interception", PAUSED, BACK),
    Row("ship", PAUSED, STAYS, ("was_unshipped", "current_attempt"), ("take_shipment",), returns=S.shipped),
    Row("ship", PAUSED, STAYS, ("was_unshipped", "earlier_attempt"), RETURN, ("cancel_supply",), OTHER_CAME, S.shipped),
    Row("hold", PAUSED, STAYS, ("was_shipped",), effects=("customs_reminder",), returns=S.customs_hold),
    Row("release", PAUSED, STAYS, ("was_held",), returns=S.shipped),
    Row("deliver", PAUSED, S.delivered, ("was_unshipped",), ("take_delivery", "mark_gap")),
    Row("deliver", PAUSED, S.delivered, does=("take_delivery",)),
    # claims
    Row("open_claim", CLAIMABLE, S.disputed, ("claim_window", *PIECES), ("open_claim",), ("ask_evidence",)),
    Row("open_claim", ON_ITS_WAY, S.disputed, ("whole_not_received",), ("open_claim",), ("ask_evidence",)),
    Row("open_claim", DISPUTED, STAYS, ("no_claim_open", *PIECES), ("open_claim",), ("ask_evidence",)),
    Row("open_claim", DISPUTED, STAYS, ("claim_open", "no_verdict", *PIECES), ("add_to_claim",)),
    Row("submit_evidence", DISPUTED, STAYS, FIRST_OF_ROUND, ("take_evidence", "ask_for_verification"), CLAIMED),
    Row("submit_evidence", DISPUTED, STAYS, ("claim_open",), ("take_evidence",)),
    Row("lapse_evidence", DISPUTED, BACK, does=("lapse_claim",), effects=("notify_merchant",)),
    Row("ask_more", DISPUTED, STAYS, VERDICT, ("begin_next_round",), ("ask_evidence",)),
    Row("chase_verification", DISPUTED, STAYS, does=("repeat",), effects=CHASED, flag="unverified"),
    Row("approve", DISPUTED, STAYS, VERDICT, ("approve_claim",), ("notify_merchant",)),
    Row("reject", DISPUTED, BACK, VERDICT, ("reject_claim",), ("notify_merchant",)),
    Row("reopen_claim", REOPENED_FROM, S.disputed, REOPENS, ("reopen_claim", "ask_for_verification"), CLAIMED),
    Row("withdraw", DISPUTED, BACK, ("no_remedy_chosen",), ("withdraw_claim",)),
    refund_claim("choose_refund", "claim_open", "approved"),
    Row("choose_reissue", DISPUTED, STAYS, CHOOSES, ("choose_reissue",), ("place_reissue",)),
    Row("confirm_reissue", DISPUTED, S.reissued, CONFIRMS, ("place_replacement",)),
    Row("remind_window", (*DISPUTED, S.refunding), STAYS, does=("repeat",), effects=("notify_merchant",)),
    Row("lapse_window", DISPUTED, STAYS, ("window_escalates",), ("end_window",), ("escalate",), "window_ended"),
    Row("lapse_window", DISPUTED, STAYS, LATE_REISSUE, ("end_window", "choose_reissue"), ("place_reissue",), "window_ended"),
    refund_claim("lapse_window", does=("end_window",)),
    Row("lapse_window", (S.refunding,), STAYS, (), ("end_window",), ("chase_refund", "escalate"), "window_ended"),
    Row("hold", DISPUTED, STAYS, ("was_shipped",), effects=("customs_reminder",), returns=S.customs_hold),
    Row("hold", DISPUTED, STAYS, ("claimed_after_delivery",)),
    Row("release", DISPUTED, STAYS, ("was_held",), returns=S.shipped),
    Row("release", DISPUTED, STAYS, ("claimed_after_delivery",)),
    Row("deliver", DISPUTED, STAYS, ("was_on_its_way",), ("take_delivery",), returns=S.delivered),
    Row("deliver", DISPUTED, STAYS, ("claimed_after_delivery",)),
    # money
    Row("settle_refund", (S.refunding,), S.refunded, SETTLES, ("settle_refund",)),
    Row("chase_refund", (S.refunding,), STAYS, does=("repeat",), effects=("chase_refund",), flag="refund_unsettled"),
    Row("decline_refund", (S.refunding,), BACK, ("names_the_refund",), ("decline_refund",), flag="refund_declined"),
    Row("chase_recovery", ANYWHERE, STAYS, does=("repeat",), effects=("chase_recovery",), flag="recovery_unsettled"),
    Row("settle_recovery", ANYWHERE, STAYS, OPEN_RECOVERY, ("settle_recovery",)),
    Row("decline_recovery", ANYWHERE, STAYS, OPEN_RECOVERY, ("decline_recovery",)),
    # the end
    Row("close", (S.delivered,), S.closed),
    Row("override", ANYWHERE, Target.named, does=("move_by_hand",), effects=("notify_merchant",)),
)

CLOCKS: tuple[Clock, ...] = (
    Clock("urge", starts_on=(S.placed, S.rerouted), runs_in=(S.placed, S.rerouted), pauses_in=PAUSED),
    Clock("reroute", starts_on=(S.overdue_urged,), runs_in=(S.overdue_urged,), pauses_in=PAUSED),
    Clock("stall", starts_on=(S.shipped,), runs_in=(S.shipped,), pauses_in=(*PAUSED, S.disputed)),
    Clock("remind_customs", starts_on=(S.customs_hold,), runs_in=(S.customs_hold,), pauses_in=(*PAUSED, S.disputed)),
    Clock("fail_interception", starts_on=PAUSED, runs_in=PAUSED),
    Clock("close", starts_on=(S.delivered,), runs_in=(S.delivered,), waits_in=DISPUTED),
    Clock("lapse_evidence", starts_on=(), runs_in=DISPUTED),
    Clock("chase_verification", starts_on=(), runs_in=DISPUTED),
    Clock("remind_window", starts_on=(), runs_in=(S.disputed, S.refunding)),
    Clock("lapse_window", starts_on=(), runs_in=(S.disputed, S.refunding)),
    Clock("chase_refund", starts_on=(S.refunding,), runs_in=(S.refunding,)),
    Clock("chase_recovery", starts_on=(), runs_in=ANYWHERE),
)
WINDOW = ("remind_window", "lapse_window")

EFFECTS: tuple[Effect, ...] = (
    Effect("urge_supplier", Party.supplier),
    Effect("place_supply", Party.supplier, mode="ask", moves=True),
    Effect("cancel_supply", Party.supplier, moves=True),
    Effect("recover_supply", Party.supplier, moves=True),
    Effect("request_interception", Party.supplier),
    Effect("customs_reminder", Party.merchant),
    Effect("ask_evidence", Party.merchant),
    Effect("request_verification", Party.platform),
    Effect("chase_verification", Party.platform),
    Effect("request_refund", Party.platform, mode="ask", moves=True),
    Effect("chase_refund", Party.platform),
    Effect("chase_recovery", Party.supplier),
    Effect("place_reissue", Party.platform, mode="ask", moves=True),
    Effect("notify_merchant", Party.merchant),
    Effect("escalate", Party.contact),
)
# fmt: on

OBSOLETE_ON: dict[str, tuple[State, ...]] = {
    "urge_supplier": (S.shipped, S.delivered, S.refunding),
    "place_supply": (S.shipped, S.delivered, S.refunding),
    "request_interception": (*UNSHIPPED, S.shipped, S.delivered, S.refunding),
    "request_refund": (*UNSHIPPED, *ON_ITS_WAY, S.delivered, S.disputed, S.refunded),
    "place_reissue": (S.reissued, S.refunding, S.delivered),
}
"""States that make an effect obsolete: what has not left when the order enters one of them is dropped (rule 5.7)."""

FINAL_STATES = (S.closed, S.refunded, S.reissued)
PARCEL_REPORTS = ("ship", "note_transit", "hold", "release", "deliver")
"""Reports about one parcel: of these the one that occurred last decides (rule 2.6)."""
FLAGS: dict[str, str] = {
    "earlier_attempt_shipped": "a supplier that was left has shipped after all; the later order must be called off",
    "stalled": "the carrier has been silent for too long",
    "customs": "customs still holds the parcel after the last reminder",
    "cancelled_unshipped": "the customer cancelled, the interception failed, and nothing is shipped",
    "refund_unsettled": "the platform has not paid the refund after the last chase",
    "refund_declined": "the refund was declined",
    "recovery_unsettled": "the old supplier has not paid the money back after the last chase",
    "unverified": "the platform has not verified the claim after the last chase",
    "replacement_asked": "a replacement had been asked for before the refund: make sure that it does not come as well",
    "no_claim": "the order was moved into a dispute by hand, and no claim is open",
    "window_ended": "the 15 working days for the remedy are over, and it is not done",
    "effect_stuck": "a message could not be delivered, or its outcome is unknown",
    "timer_failed": "a timer could not be fired and was set aside",
}
"""Why an order needs a person (rule 1.3)."""
