"""JSON as it is hashed and kept: without spaces, and the same in every version.

orjson takes a fifth of the time of the standard library, which writes what orjson does otherwise: texts in ASCII,
numbers above 64 bits, halves of surrogate pairs.
"""

import json
from datetime import datetime
from typing import Any

import orjson


def ascii_json(value: Any) -> str:
    """Return JSON in ASCII, as it is hashed; keys stay in their order."""
    try:
        written = orjson.dumps(value, default=plain)
    except TypeError:
        written = b"\x7f"
    if written.isascii() and b"\x7f" not in written:
        return written.decode()
    return json.dumps(value, separators=(",", ":"), default=plain)


def kept_json(value: Any) -> str:
    """Return JSON with its keys sorted, as it is kept in the tables."""
    try:
        return orjson.dumps(value, default=plain, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=plain)


def plain(value: Any) -> str:
    """Write what JSON does not know: an instant as ISO 8601, all else as Python formats it."""
    return value.isoformat() if isinstance(value, datetime) else f"{value}"
