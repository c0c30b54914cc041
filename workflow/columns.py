"""The values of many orders of one shape, place by place, and what is asked and written of all of them at once."""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

Values = Sequence[Any]
"""The values of one order, each at its place."""
Column = Sequence[Any]
"""The values of all orders at one place."""
Shift = timedelta | int | None
"""How far from the value at its place something lies; None: it is that value."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The place of what a function makes of the value at another place; it is worked out for each order."""

    function: Callable[..., Any]
    place: "Place"
    shift: Shift
    more: tuple[Hashable, ...] = ()
    """What else the function is given."""


Place = int | Derived
Question = tuple[str, Place, Any, Shift]
"""Its kind, the place that is asked about, what it is compared with or read in, and how far from its value."""
Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is filled in: what stands between its blanks, and of each the place, the shift, and how it is written."""

    between: tuple[str, ...]
    blanks: tuple[tuple[Place, Shift, Callable[[Any], str]], ...]


class Columns:
    """The values of many orders; what is worked out from them is worked out once.

    They are kept as they were stored, and read by `reads` where anything else than a copy is wanted. `common` holds
    the values of the first places, which are the same for all orders.
    """

    def __init__(self, stored: Sequence[Column], count: int, reads: Mapping[int, Read], common: Values = ()) -> None:
        self.count, self._stored, self._reads, self._common = count, stored, reads, common
        self._known: dict[Hashable, Column] = {}
        self._seals: list[Column] = []

    @classmethod
    def of_one(cls, values: Values) -> "Columns":
        """Return the columns of a single order."""
        return cls([[value] for value in values], 1, {})

    def row(self, order: int) -> Values:
        """Return the values of one order."""
        return [self.of(place, None)[order] for place in range(len(self._common) + len(self._stored))]

    def some(self, orders: Sequence[int]) -> "Columns":
        """Return the columns of some of the orders."""
        if len(orders) == self.count:
            return self
        stored = [[column[order] for order in orders] for column in self._stored]
        return Columns(stored, len(orders), self._reads, self._common)

    def seal(self, texts: Sequence[Text]) -> None:
        """Work out the SHA-256 of texts; their places follow those of the values, and the next text may name the last."""
        self._seals = []
        for text in texts:
            self._seals.append([hashlib.sha256(filled.encode()).hexdigest() for filled in self.texts(text)])

    def stored(self, place: int) -> Column:
        """Return the values of a place as they were stored."""
        at = place - len(self._common)
        if at < 0:
            return [self._common[place]] * self.count
        return self._stored[at] if at < len(self._stored) else self._seals[at - len(self._stored)]

    def of(self, place: Place, shift: Shift) -> Column:
        """Return the values of a place, or what lies a fixed distance from them."""
        if shift is not None:
            return self._once((place, shift), lambda: [value + shift for value in self.of(place, None)])
        if isinstance(place, Derived):
            made = place
            return self._once(made, lambda: [made.function(one, *made.more) for one in self.of(made.place, made.shift)])
        read = self._reads.get(place)
        stored = self.stored(place)
        if read is None or place < len(self._common):
            return stored
        return self._once((place, read), lambda: [None if value is None else read(value) for value in stored])

    def written(self, place: Place, shift: Shift, write: Callable[[Any], Any]) -> Column:
        """Return the values of a place, each as `write` writes it."""
        if isinstance(place, int) and place < len(self._common):
            value = self._common[place]
            return [write(value if shift is None else value + shift)] * self.count
        return self._once((place, shift, write), lambda: [*map(write, self.of(place, shift))])

    def texts(self, text: Text) -> Sequence[str]:
        """Return a text filled in for each order."""
        form = "%s".join(part.replace("%", "%%") for part in text.between)
        return [form % row for row in zip(*(self.written(*blank) for blank in text.blanks), strict=True)]

    def answers(self, question: Question, orders: Sequence[int]) -> Sequence[Hashable]:
        """Return what some of the orders answer to a question."""
        kind, place, other, shift = question
        asked = self.of(place, shift)
        match kind:
            case "value":
                return [asked[order] for order in orders]
            case "truth":
                return [bool(asked[order]) for order in orders]
            case "date":
                return [asked[order].astimezone(other).date() for order in orders]
            case "before":
                than = self.of(other, None)
                return [asked[order] < than[order] for order in orders]
            case "before the constant":
                return [asked[order] < other for order in orders]
            case _:
                return [other < asked[order] for order in orders]

    def _once(self, key: Hashable, make: Callable[[], Column]) -> Column:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
