"""What is known of the buyer kept out of the history (rule 6.3)."""

import re

from workflow.order import PERSONAL, Order

SHORTEST = 3
"""Characters; a shorter name would be found in every other word."""
STANDS_FOR_IT = "(the buyer)"


def without_buyer(order: Order, text: str) -> str:
    """Return a text in which the buyer's name and addresses, as the order has them, are replaced.

    >>> from datetime import UTC, datetime
    >>> order = Order("main", "1", datetime(2025, 3, 3, tzinfo=UTC), "CNY", buyer_name="Kim Lee")
    >>> without_buyer(order, "called kim lee")
    'called (the buyer)'
    """
    known = [value for name in PERSONAL if (value := getattr(order, name)) and len(value) >= SHORTEST]
    for value in sorted(known, key=len, reverse=True):
        text = re.sub(re.escape(value), STANDS_FOR_IT, text, flags=re.IGNORECASE)
    return text
