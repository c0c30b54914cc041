"""Sample orders: realistic, of several countries and currencies, and always the same."""

import random
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.outcomes import Arrival
from workflow.case.case import Detail, Line, Order, Report, own_key

COUNT = 200
OVERDUE = 8
DAYS = 45
_MARKETS = (("US", "USD"), ("BR", "BRL"), ("DE", "EUR"), ("JP", "JPY"), ("GB", "GBP"), ("KW", "KWD"), ("CN", "CNY"))
_SUPPLIERS = ("Yiwu Trading", "Shenzhen Bright", "Hangzhou Silk", "Guangzhou Home", "Ningbo Tools")
_GOODS = (("LAMP-01", "Desk lamp", 2_590), ("SCARF-7", "Silk scarf", 1_899), ("MUG-22", "Enamel mug", 990))
Told = tuple[str, float, dict[str, Detail]]
_ARRIVES: tuple[Told, ...] = (("ship", 1.2, {"carrier": "Cainiao", "tracking_number": "LP00{n}"}), ("deliver", 9.0, {}))
_STORIES: dict[str, tuple[Told, ...]] = {
    "smooth": _ARRIVES,
    "late": (("ship", 3.1, {"carrier": "Yanwen"}), ("deliver", 16.4, {})),
    "never": (),
    "no_stock": (("report_no_stock", 0.6, {"reason": "sold out"}), ("ship", 2.1, {}), ("deliver", 14.0, {})),
    "oversized": (("report_oversized", 0.9, {"reason": "over 30 kg"}), ("settle_refund", 12.0, {})),
    "unresponsive": (("report_unresponsive", 2.6, {"reason": "no answer for two days"}), ("settle_refund", 15.0, {})),
    "customs": (("ship", 1.5, {}), ("hold", 8.0, {"wants": "documents"})),
    "released": (("ship", 1.5, {}), ("hold", 8.0, {"wants": "payment"}), ("release", 12.5, {}), ("deliver", 17.0, {})),
    "silent": (("ship", 1.1, {}), ("note_transit", 4.0, {"status": "left the sorting centre"})),
    "lost": (("ship", 1.1, {}), ("lose", 14.0, {"reason": "lost in transit"}), ("approve", 17.0, {})),
    "wrong": (
        *_ARRIVES,
        ("open_claim", 11.0, {"kind": "wrong", "remedy": "reissue", "reason": "another colour"}),
        ("submit_evidence", 12.0, {"evidence": "photo-{n}.jpg video-{n}.mp4"}),
        ("approve", 15.0, {}),
        ("choose_reissue", 16.0, {}),
        ("confirm_reissue", 18.0, {"new_order": "{n}-R"}),
    ),
    "missing": (
        *_ARRIVES,
        ("open_claim", 10.0, {"kind": "missing", "lines": "1:1"}),
        ("submit_evidence", 11.5, {"evidence": "parcel-{n}.jpg"}),
        ("approve", 14.0, {}),
        ("choose_refund", 15.0, {}),
        ("settle_refund", 24.0, {}),
    ),
    "damaged": (*_ARRIVES, ("open_claim", 10.0, {"kind": "damaged", "reason": "broken on arrival"})),
    "damaged_and_verified": (
        *_ARRIVES,
        ("open_claim", 10.0, {"kind": "damaged"}),
        ("submit_evidence", 11.0, {"evidence": "shards-{n}.jpg"}),
        ("approve", 13.0, {}),
    ),
    "damaged_and_rejected": (
        *_ARRIVES,
        ("open_claim", 10.0, {"kind": "damaged"}),
        ("submit_evidence", 11.0, {"evidence": "blurred-{n}.jpg"}),
        ("reject", 13.0, {"reason": "nothing can be seen"}),
    ),
    "cancelled": (("cancel", 0.8, {"reason": "ordered twice"}), ("confirm_interception", 1.9, {})),
    "cancelled_in_vain": (("cancel", 0.8, {"reason": "changed my mind"}),),
    "cancelled_abroad": (("cancel", 0.8, {"reason": "changed my mind"}), *_ARRIVES),
    "misaddressed": (
        ("ship", 1.2, {}),
        ("correct_address", 1.6, {"address": "Flat 2, 5 New Road"}),
        ("confirm_interception", 2.5, {}),
    ),
    "misaddressed_abroad": (("correct_address", 0.8, {"address": "Flat 2, 5 New Road"}), *_ARRIVES),
    "shipped_after_refund": (("report_unresponsive", 1.0, {}), ("ship", 2.5, {})),
}
_DOMESTIC = ("cancelled", "cancelled_in_vain", "misaddressed")
"""Stories that only a domestic order can have; those that end in `_abroad` only an international one."""


def sample_arrivals(end: datetime) -> list[Arrival]:
    """Return what came in over the weeks up to `end`, one report each, in order of occurrence."""
    dice = random.Random(1688)  # noqa: S311  (sample orders, no secrets)
    told: list[Arrival] = []
    for n in range(COUNT - OVERDUE):
        placed_at = end - timedelta(days=DAYS * (1 - n / COUNT), seconds=dice.randrange(3_600))
        story = [*_STORIES][n] if n < len(_STORIES) else dice.choice([*_STORIES])  # the first ones tell each story once
        told += _tell(n, placed_at, story, dice)
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
    abroad = [market for market in _MARKETS if market[0] != "CN"]
    country, currency = dice.choice(abroad if story.endswith("_abroad") else _MARKETS)
    route = "domestic" if country == "CN" or story in _DOMESTIC else "international"
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


def sample_photo() -> bytes:
    """Return a small generated PNG: a mug with a crack."""
    width, height = 160, 120
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        for x in range(width):
            rows += bytes(_pixel(x, y))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(bytes(rows))) + _chunk(b"IEND", b"")


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    if abs(x - 75 - (y * 7 % 11)) < 2 and 25 < y < 95:
        return 40, 40, 40  # the crack
    if 40 < x < 105 and 25 < y < 100:
        return 200, 90, 70  # the mug
    ring = (x - 105) ** 2 + (y - 60) ** 2
    return (200, 90, 70) if 300 < ring < 620 and x > 104 else (235, 232, 225)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
