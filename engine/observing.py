"""Going live after `import --observe`: what is held goes on as the policy says (rule 5.4)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.views import Source
from language import tr
from storage import lists, outbox
from storage.database import Database, reading, repeated, writing
from storage.notifications import notify_daemons
from workflow.errors import UsageError
from workflow.policy.policy import Policy
from workflow.suggestions import did_you_mean
from workflow.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Observation:
    """The observed orders, and how many effects of which kind are held, by what becomes of them when the shop goes live.

    `decisions` is how many steps of these orders wait for a person's decision.
    """

    orders: int
    held: Mapping[Mode, Mapping[str, int]]
    decisions: int


def observation(source: Source, shop: str | None, policy: Policy) -> Observation:
    """Return what is observed, of one shop or of all.

    Raises:
        UsageError: no order is of that shop.

    """
    with reading(source) as connection:
        shops = outbox.observed_shops(connection)
        if shop is not None and shop not in shops:
            raise UsageError(tr("no order is of the shop {shop!r}{hint}", shop=shop, hint=did_you_mean(shop, shops)))
        held: dict[Mode, Counter[str]] = {mode: Counter() for mode in Mode}
        for kind, by_a_person, count in outbox.held_kinds(connection, shop):
            mode = policy.mode(kind)
            held[Mode.auto if mode is Mode.ask and by_a_person else mode][kind] += count
        orders = sum(count for name, count in shops.items() if shop in (None, name))
        return Observation(orders, held, lists.count_decisions(connection, shop))


@repeated
def end_observation(target: Database, shop: str | None, policy: Policy, by: str, at: datetime) -> Observation:
    """Let the effects of observed orders go on as the policy says, and those orders cause effects like any other.

    Returns what was observed.
    """
    with writing(target) as connection:
        was = observation(connection, shop, policy)
        for kind in {kind for kinds in was.held.values() for kind in kinds}:
            outbox.release(connection, shop, kind, policy.mode(kind), by, at)
        outbox.observe_no_more(connection, shop)
        notify_daemons(connection)
    return was
