"""Email addresses: one, plainly written."""

import re

_EMAIL = re.compile(r"[^@\s,;<>\"\x00-\x1f\x7f-\x9f]+@[^@\s,;<>\"\x00-\x1f\x7f-\x9f]+\.[^@\s,;<>\"\x00-\x1f\x7f-\x9f]+")


def email_address(text: str) -> str:
    """Return `text` if it is one email address.

    Raises:
        ValueError: it is not.

    """
    if not _EMAIL.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not an email address")
    return text
