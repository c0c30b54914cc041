"""How the names of suppliers are compared."""

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=10_000)
def folded(name: str) -> str:
    """Return a supplier's name as it is compared: without regard to case, width, and spaces around its words."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
