"""Sample orders of our own making: realistic, of several countries and currencies, and always the same."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.apply import Arrival
from workflow.order import Detail, Line, Order, Report, own_key

COUNT = 200
OVERDUE = 8
DAYS = 45
_MARKETS = (("US", "USD"), ("BR", "BRL"), ("DE", "EUR"), ("JP", "JPY"), ("GB", "GBP"), ("KW", "KWD"), ("CN", "CNY"))
_SUPPLIERS = ("Yiwu Trading", "Shenzhen Bright", "Hangzhou Silk", "Guangzhou Home", "Ningbo Tools")
_GOODS = (("LAMP-01", "Desk lamp", 2_590), ("SCARF-7", "Silk scarf", 1_899), ("MUG-22", "Enamel mug", 990))
_STORIES: dict[str, tuple[tuple[str, float, dict[str, Detail]], ...]] = {
    "smooth": (("ship", 1.2, {"carrier": "Cainiao", "tracking_number": "LP00{n}"}), ("deliver", 11.0, {})),
    "late": (("ship", 3.1, {"carrier": "Yanwen"}), ("deliver", 16.4, {})),
    "never": (),
    "no_stock": (("report_no_stock", 0.6, {"reason": "sold out"}), ("ship", 2.1, {}), ("deliver", 14.0, {})),
    "oversized": (("report_oversized", 0.9, {"reason": "over 30 kg"}), ("settle_refund", 12.0, {})),
    "customs": (("ship", 1.5, {}), ("hold", 8.0, {"wants": "documents"})),
    "released": (("ship", 1.5, {}), ("hold", 8.0, {"wants": "payment"}), ("release", 12.5, {}), ("deliver", 17.0, {})),
    "silent": (("ship", 1.1, {}), ("note_transit", 4.0, {"status": "left the sorting centre"})),
    "cancelled": (("cancel", 0.8, {"reason": "ordered twice"}), ("confirm_interception", 1.9, {})),
    "cancelled_in_vain": (("cancel", 0.8, {"reason": "changed my mind"}),),
    "shipped_after_refund": (("report_unresponsive", 1.0, {}), ("ship", 2.5, {})),
}


def sample_arrivals(end: datetime) -> list[Arrival]:
    """Return what came in over the weeks up to `end`, one report each, in order of occurrence."""
    dice = random.Random(1688)  # noqa: S311  (sample orders, no secrets)
    told: list[Arrival] = []
    for n in range(COUNT - OVERDUE):
        placed_at = end - timedelta(days=DAYS * (1 - n / COUNT), seconds=dice.randrange(3_600))
        told += _tell(n, placed_at, dice.choice([*_STORIES]), dice)
    return sorted((one for one in told if one.reports[0].at < end - timedelta(minutes=1)), key=lambda a: a.reports[0].at)


def overdue_arrivals(begin: datetime, seconds: float) -> list[Arrival]:
    """Return a few orders that were placed two days ago, so that their urges fall due in the next `seconds`."""
    dice = random.Random(2)  # noqa: S311
    told: list[Arrival] = []
    for n in range(OVERDUE):
        placed_at = begin - timedelta(days=2) + timedelta(seconds=seconds * (n + 0.5) / (OVERDUE + 1))
        told += _tell(COUNT - OVERDUE + n, placed_at, "never", dice)
    return told


def _tell(n: int, placed_at: datetime, story: str, dice: random.Random) -> Iterator[Arrival]:
    country, currency = dice.choice(_MARKETS)
    route = "domestic" if country == "CN" or story.startswith("cancelled") else "international"
    sku, title, price = dice.choice(_GOODS)
    quantity = dice.randint(1, 3)
    first, *others = dice.sample(_SUPPLIERS, 3)
    order = Order(
        shop="demo",
        number=str(1000 + n),
        placed_at=placed_at,
        currency=currency,
        route=route,
        supplier=first,
        alternatives=tuple(others),
        country=country,
        paid=price * quantity,
        buyer_name=f"Buyer {n}",
        merchant_email="merchant@example.com",
    )
    line = Line(sku, title, quantity, price)
    yield Arrival(order, (_report(order, "place", placed_at, {}),), (line,))
    for trigger, days, fields in _STORIES[story]:
        at = placed_at + timedelta(days=days)
        yield Arrival(order, (_report(order, trigger, at, fields),))


def _report(order: Order, trigger: str, at: datetime, fields: dict[str, Detail]) -> Report:
    told = {name: v.format(n=order.number) if isinstance(v, str) else v for name, v in fields.items()}
    return Report(trigger, at, "import", own_key(trigger, at), "import:samples", told)
