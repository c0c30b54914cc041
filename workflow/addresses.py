"""Email addresses: one, plainly written."""

import re

from language import tr

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII)


def email_address(text: str) -> str:
    """Return `text` if it is one email address.

    Raises:
        ValueError: it is not.

    """
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise ValueError(
            tr(
                "{given!r} is not an email address: write one such as kim@example.com (plain letters, digits, . _ + -)",
                given=text[:60],
            )
        )
    return text
