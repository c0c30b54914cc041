"""Why an order is where it is, what fires next, and what a person may do: in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage import queries
from storage.database import Database
from workflow.history import HistoryRow
from workflow.order import Case, Timer
from workflow.process import FLAGS
from workflow.table import allowed_now
from workflow.words import State

MEANING = {
    State.placed: "paid and sent to a supplier, not shipped",
    State.overdue_urged: "the supplier is late and has been urged",
    State.rerouted: "ordered again from another supplier, not shipped",
    State.shipped: "on its way",
    State.customs_hold: "held by customs; the merchant has been told",
    State.delivered: "arrived; claims may be opened until the claim window ends",
    State.disputed: "a claim is being worked",
    State.intercepting: "the supplier was asked to stop the parcel",
    State.refunding: "a refund has been requested and is not settled",
    State.refunded: "the money is back",
    State.reissued: "a replacement has been ordered",
    State.closed: "the claim window is over and nothing is open",
}
WHAT_FIRES = {
    "urge": "the supplier is urged to ship",
    "reroute": "it is ordered from the next supplier, or refunded when none is left",
    "stall": "the merchant is told that the carrier is silent",
    "remind_customs": "the merchant is reminded of the customs hold",
    "fail_interception": "the interception counts as failed and the order goes back to where it was",
    "close": "the claim window ends and the order is closed",
    "lapse_evidence": "the claim lapses for want of evidence, and the order goes back to where it was",
    "chase_verification": "the platform is chased for its verdict",
    "remind_window": "the merchant is reminded of the remedy that is still to be done",
    "lapse_window": "the time for the remedy ends",
    "chase_refund": "the platform is chased for the refund",
    "chase_recovery": "the old supplier is chased for the money",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answers, for one order."""

    case: Case
    why: HistoryRow
    """The step that brought the order into its state."""
    timers: tuple[Timer, ...]
    allowed: tuple[str, ...]
    attention: tuple[tuple[str, str, str | None], ...]
    """Flag, meaning, and what was noted when it was raised."""
    waiting: tuple[tuple[int, str], ...]
    """Effects that wait for a person: id and kind."""
    exceptions: int
    refused: tuple[tuple[str, datetime, str], ...]
    """Reports that a guard turned down: trigger, instant and reason."""
    observed: bool

    @property
    def meaning(self) -> str:
        """What the state means."""
        assert self.case.state is not None, "a stored order has a state"
        return MEANING[self.case.state]

    @property
    def supplier(self) -> str:
        """Whose turn it is: the supplier's name, or the attempt where it has none."""
        return self.case.attempt.supplier or f"attempt {self.case.current}"


def explain(database: Database, identity: str) -> Explanation:
    """Explain an order.

    Raises:
        UnknownOrder: no order, or more than one, has that identity.

    """
    with database.read() as connection:
        stored = queries.stored_case(connection, identity)
        steps = queries.history(connection, stored.order_id)
        flags = queries.attention(connection, stored.order_id)
        exceptions = queries.reports(connection, stored.order_id, "exception")
        effects = queries.effects(connection, stored.order_id)
        refused = queries.reports(connection, stored.order_id, "refused")
    case = stored.case
    return Explanation(
        case=case,
        why=_entered(steps),
        timers=tuple(sorted(case.timers, key=lambda timer: (timer.status != "pending", timer.due_at))),
        allowed=allowed_now(case),
        attention=tuple((row["flag"], FLAGS[row["flag"]], row["detail"]) for row in flags),
        exceptions=len(exceptions),
        waiting=tuple((row["id"], row["kind"]) for row in reversed(effects) if row["status"] in ("asked", "held")),
        refused=tuple((row["trigger"], row["occurred"], row["reason"]) for row in refused),
        observed=stored.observed,
    )


def _entered(steps: Sequence[HistoryRow]) -> HistoryRow:
    return next((step for step in reversed(steps) if step.source != step.target), steps[-1])
