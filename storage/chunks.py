"""Long lists of values, in portions that one statement can name."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

AT_MOST = 500
"""SQLite allows 32,766 parameters in one statement; short ones are prepared once and used again."""

Value = TypeVar("Value", bound=Any)


def chunked(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Yield the distinct values in order, in chunks that one statement can take."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), AT_MOST):
        yield distinct[start : start + AT_MOST]
