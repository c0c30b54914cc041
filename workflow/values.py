"""Classes of values, which nothing changes once they are made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

__all__ = ["value_class"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value_class
else:

    def value_class(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """Make a dataclass whose values the type checker alone keeps from being changed.

        One that is frozen at run time too sets each of its fields by a call, and takes six times as long to make: a tenth
        of an import.
        """
        assert frozen, "values do not change"
        return dataclass(unsafe_hash=True, slots=slots)
