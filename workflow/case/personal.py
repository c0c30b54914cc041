"""Redacts the buyer's personal data from free text, in the history and when a buyer is erased (rules 6.3 and 6.4)."""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from workflow.case.case import PERSONAL, Order

SHORTEST_LATIN_NAME = 3
"""Shortest name in a Latin script that is redacted: shorter ones match by chance. In other scripts it is two characters."""
BUYER_PLACEHOLDER = "(the buyer)"


def digest(salt: str, text: str) -> str:
    """Return what stands for a personal text in the history of an order (rule 6.3)."""
    return f"sha256:{hashlib.sha256(f'{salt}{text}'.encode()).hexdigest()}"


def without_buyer(order: Order, text: str, also: Iterable[str | None] = ()) -> str:
    """Return a text in which the buyer's name and addresses, as the order has them, and what is `also` theirs are replaced.

    >>> from datetime import UTC, datetime
    >>> order = Order("main", "1", datetime(2025, 3, 3, tzinfo=UTC), "CNY", buyer_name="Kim Lee")
    >>> without_buyer(order, "called kim  lee")
    'called (the buyer)'
    """
    texts = (*(getattr(order, name) for name in PERSONAL), *also)
    if not any(_may_be_in(text, one.strip()) for one in texts if one and not one.isspace()):
        return text  # the pattern of each new buyer costs more than all else that is done with a report
    pattern = pattern_of(texts)
    return pattern.sub(BUYER_PLACEHOLDER, text) if pattern else text


def _may_be_in(text: str, name: str) -> bool:
    """Say whether a pattern of a name may match in a text: False only where it cannot, whatever the case of its letters."""
    if not text.isascii():
        return True
    if name.isascii():
        return name.split(maxsplit=1)[0].lower() in text.lower()
    return all(one.isascii() or one.lower() != one.upper() for one in name)  # a few letters beyond ASCII match one of it


@lru_cache(maxsize=1_024)
def pattern_of(texts: tuple[str | None, ...]) -> re.Pattern[str] | None:
    """Return what finds these texts as whole words, whatever their case and spaces; None where none is long enough."""
    words = {text.strip() for text in texts if text and is_name(text.strip())}
    if not words:
        return None
    return re.compile("|".join(_whole(text) for text in sorted(words, key=len, reverse=True)), re.IGNORECASE)


def is_name(text: str) -> bool:
    """Say whether a text is long enough to be looked for."""
    return len(text) >= (SHORTEST_LATIN_NAME if text.isascii() else 2)


def _whole(text: str) -> str:
    """Match a text between words; scripts that are written without spaces have no such borders."""
    found = r"\s+".join(re.escape(part) for part in text.split())
    before = r"(?<!\w)" if text[0].isascii() and text[0].isalnum() else ""
    after = r"(?!\w)" if text[-1].isascii() and text[-1].isalnum() else ""
    return f"{before}{found}{after}"
