"""The whole process on one screen: transitions, clocks, effects and flags as data (docs/process.md).

Nothing here runs. `workflow.table` checks these tables against each other when they are loaded,
`workflow.machine` hands them to `transitions`, and `docs/state_machine.md` is drawn from them.
"""

from workflow.words import Clock, Effect, Goes, Party, Row, State

S, STAYS, BACK = State, Goes.stays, Goes.back

UNSHIPPED = (S.placed, S.overdue_urged, S.rerouted)
ON_ITS_WAY = (S.shipped, S.customs_hold)
PAUSED = (S.intercepting,)
FROM_SHIPPED_ON = tuple(state for state in State if state not in UNSHIPPED)
ANYWHERE = tuple(State)

CLAIMS = "claims_are_built"
OTHER_CAME = "earlier_attempt_shipped"
OPEN_RECOVERY = ("a_recovery_is_open", "names_an_open_recovery")
RETURN = ("take_shipment", "return_to_that_attempt")


def next_supplier(trigger: str, sources: tuple[State, ...], *guards: str) -> Row:
    """Order again from the next supplier, and ask the old one for the money back."""
    does, effects = ("turn_to_the_next_supplier",), ("place_supply", "recover_supply")
    return Row(trigger, sources, S.rerouted, (*guards, "candidate_left"), does, effects)


def refund(trigger: str, sources: tuple[State, ...]) -> Row:
    """Request the refund of the whole order."""
    return Row(trigger, sources, S.refunding, (), ("ask_for_a_refund",), ("request_refund",))


def claim(trigger: str, target: State | Goes, *sources: State) -> Row:
    """A line of the claims, which this version refuses as not yet available."""
    return Row(trigger, sources, target, (CLAIMS,))


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
    claim("lose", S.disputed, *ON_ITS_WAY),
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
    claim("open_claim", S.disputed, S.delivered, S.refunded, S.reissued, *ON_ITS_WAY),
    claim("open_claim", STAYS, S.disputed),
    claim("submit_evidence", STAYS, S.disputed),
    claim("lapse_evidence", BACK, S.disputed),
    claim("ask_more", STAYS, S.disputed),
    claim("chase_verification", STAYS, S.disputed),
    claim("approve", STAYS, S.disputed),
    claim("reject", BACK, S.disputed),
    claim("reopen_claim", S.disputed, S.shipped, S.customs_hold, S.delivered, S.refunded, S.reissued),
    claim("withdraw", BACK, S.disputed),
    claim("choose_refund", S.refunding, S.disputed),
    claim("choose_reissue", STAYS, S.disputed),
    claim("confirm_reissue", S.reissued, S.disputed),
    claim("remind_window", STAYS, S.disputed, S.refunding),
    claim("lapse_window", S.refunding, S.disputed),
    claim("lapse_window", STAYS, S.refunding),
    claim("hold", STAYS, S.disputed),
    claim("release", STAYS, S.disputed),
    claim("deliver", STAYS, S.disputed),
    # money
    Row("settle_refund", (S.refunding,), S.refunded, ("within_what_was_paid", "sum_is_known"), ("settle_refund",)),
    Row("chase_refund", (S.refunding,), STAYS, does=("repeat",), effects=("chase_refund",), flag="refund_unsettled"),
    Row("decline_refund", (S.refunding,), BACK, does=("decline_refund",), flag="refund_declined"),
    Row("chase_recovery", ANYWHERE, STAYS, does=("repeat",), effects=("chase_recovery",), flag="recovery_unsettled"),
    Row("settle_recovery", ANYWHERE, STAYS, OPEN_RECOVERY, ("settle_recovery",)),
    Row("decline_recovery", ANYWHERE, STAYS, OPEN_RECOVERY, ("decline_recovery",)),
    # the end
    Row("close", (S.delivered,), S.closed),
    Row("override", ANYWHERE, Goes.named, does=("count_from_now",), effects=("notify_merchant",)),
)

CLOCKS: tuple[Clock, ...] = (
    Clock("urge", starts_on=(S.placed, S.rerouted), runs_in=(S.placed, S.rerouted), pauses_in=PAUSED),
    Clock("reroute", starts_on=(S.overdue_urged,), runs_in=(S.overdue_urged,), pauses_in=PAUSED),
    Clock("stall", starts_on=(S.shipped,), runs_in=(S.shipped,), pauses_in=(*PAUSED, S.disputed)),
    Clock("remind_customs", starts_on=(S.customs_hold,), runs_in=(S.customs_hold,), pauses_in=(*PAUSED, S.disputed)),
    Clock("fail_interception", starts_on=PAUSED, runs_in=PAUSED),
    Clock("close", starts_on=(S.delivered,), runs_in=(S.delivered,)),
    Clock("chase_refund", starts_on=(S.refunding,), runs_in=(S.refunding,)),
    Clock("chase_recovery", starts_on=(), runs_in=ANYWHERE),
)
CLAIM_CLOCKS = ("lapse_evidence", "chase_verification", "remind_window", "lapse_window")

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

FINAL = (S.closed, S.refunded, S.reissued)
PARCEL = ("ship", "note_transit", "hold", "release", "deliver")
"""Reports about one parcel: of these the one that occurred last decides (rule 2.6)."""
FLAGS: dict[str, str] = {
    "earlier_attempt_shipped": "a supplier that was left has shipped after all; the later order must be called off",
    "stalled": "the carrier has been silent for too long",
    "customs": "customs still holds the parcel after the last reminder",
    "cancelled_unshipped": "the customer cancelled, the interception failed, and nothing is shipped",
    "refund_unsettled": "the platform has not paid the refund after the last chase",
    "refund_declined": "the refund was declined",
    "recovery_unsettled": "the old supplier has not paid the money back after the last chase",
    "effect_stuck": "a message could not be delivered, or its outcome is unknown",
    "timer_failed": "a timer could not be fired and was set aside",
}
"""Why an order needs a person (rule 1.3)."""
