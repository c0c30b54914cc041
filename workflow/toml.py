"""TOML parsed safely."""

import tomllib
from typing import Any

from language import tr


def parse(text: str) -> dict[str, Any]:
    """Return the tables of a document.

    Raises:
        ValueError: it is not TOML, is nested too deeply, or holds a number that is out of range.

    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError(tr("it is nested too deeply")) from None
