"""What is known of the buyer kept out of the history (rule 6.3)."""

import re
from collections.abc import Iterable

from workflow.order import PERSONAL, Order

SHORTEST = 3
"""Characters; a shorter name would be found in every other word."""
STANDS_FOR_IT = "(the buyer)"


def without_buyer(order: Order, text: str, also: Iterable[str] = ()) -> str:
    """Return a text in which the buyer's name and addresses, as the order has them, and what is `also` theirs are replaced.

    >>> from datetime import UTC, datetime
    >>> order = Order("main", "1", datetime(2025, 3, 3, tzinfo=UTC), "CNY", buyer_name="Kim Lee")
    >>> without_buyer(order, "called kim lee")
    'called (the buyer)'
    """
    known = [getattr(order, name) for name in PERSONAL]
    theirs = {value for value in (*known, *also) if value and len(value) >= SHORTEST}
    for value in sorted(theirs, key=len, reverse=True):
        text = re.sub(re.escape(value), STANDS_FOR_IT, text, flags=re.IGNORECASE)
    return text
