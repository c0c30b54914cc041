"""The values of many orders with one signature, column by column, and what is computed from them."""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

Values = Sequence[Any]
"""The values of one order, by slot."""
Column = Sequence[Any]
"""The values of all orders in one slot."""
Offset = timedelta | int | None
"""What is added to a slot's value; None: nothing."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The slot of a function's result for the value in another slot, computed per order."""

    function: Callable[..., Any]
    slot: "Slot"
    offset: Offset
    extra_args: tuple[Hashable, ...] = ()
    """Further arguments of the function."""


Slot = int | Mapped
Condition = tuple[str, Slot, Any, Offset]
"""Kind, slot, what it is compared with (or the zone it is read in), and offset."""
Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A text template: the parts between its symbols, and for each symbol its slot, offset and formatter."""

    between: tuple[str, ...]
    symbols: tuple[tuple[Slot, Offset, Callable[[Any], str]], ...]


class Columns:
    """The values of many orders; what is computed from them is computed once.

    They are kept as stored, and parsed by `reads` where they are needed as values. `common` holds the values of the
    first slots, which are the same for all orders.
    """

    def __init__(self, stored: Sequence[Column], count: int, reads: Mapping[int, Read], common: Values = ()) -> None:
        self.count, self._stored, self._reads, self._common = count, stored, reads, common
        self._known: dict[Hashable, Column] = {}
        self._digests: list[Column] = []

    @classmethod
    def of_one(cls, values: Values) -> "Columns":
        """Return the columns of a single order."""
        return cls([[value] for value in values], 1, {})

    def row(self, order: int) -> Values:
        """Return the values of one order."""
        return [self.of(slot, None)[order] for slot in range(len(self._common) + len(self._stored))]

    def subset(self, orders: Sequence[int]) -> "Columns":
        """Return the columns of some of the orders."""
        if len(orders) == self.count:
            return self
        stored = [[column[order] for order in orders] for column in self._stored]
        return Columns(stored, len(orders), self._reads, self._common)

    def compute_digests(self, texts: Sequence[Text]) -> None:
        """Compute the SHA-256 of texts; their slots follow those of the values, and each text may contain the digest before."""
        self._digests = []
        for text in texts:
            self._digests.append([hashlib.sha256(filled.encode()).hexdigest() for filled in self.texts(text)])

    def stored(self, slot: int) -> Column:
        """Return the values of a slot as stored."""
        at = slot - len(self._common)
        if at < 0:
            return [self._common[slot]] * self.count
        return self._stored[at] if at < len(self._stored) else self._digests[at - len(self._stored)]

    def of(self, slot: Slot, offset: Offset) -> Column:
        """Return the values of a slot, moved by the offset."""
        if offset is not None:
            return self._once((slot, offset), lambda: [value + offset for value in self.of(slot, None)])
        if isinstance(slot, Mapped):
            made = slot
            return self._once(made, lambda: [made.function(one, *made.extra_args) for one in self.of(made.slot, made.offset)])
        read = self._reads.get(slot)
        stored = self.stored(slot)
        if read is None or slot < len(self._common):
            return stored
        return self._once((slot, read), lambda: [None if value is None else read(value) for value in stored])

    def written(self, slot: Slot, offset: Offset, write: Callable[[Any], Any]) -> Column:
        """Return the values of a slot, each formatted by `write`."""
        if isinstance(slot, int) and slot < len(self._common):
            value = self._common[slot]
            return [write(value if offset is None else value + offset)] * self.count
        return self._once((slot, offset, write), lambda: [*map(write, self.of(slot, offset))])

    def texts(self, text: Text) -> Sequence[str]:
        """Return a text filled in for each order."""
        form = "%s".join(part.replace("%", "%%") for part in text.between)
        return [form % row for row in zip(*(self.written(*symbol) for symbol in text.symbols), strict=True)]

    def evaluate(self, condition: Condition, orders: Sequence[int]) -> Sequence[Hashable]:
        """Evaluate a condition for some of the orders."""
        kind, slot, other, offset = condition
        trace = self.of(slot, offset)
        match kind:
            case "value":
                return [trace[order] for order in orders]
            case "truth":
                return [bool(trace[order]) for order in orders]
            case "date":
                return [trace[order].astimezone(other).date() for order in orders]
            case "before":
                than = self.of(other, None)
                return [trace[order] < than[order] for order in orders]
            case "before the constant":
                return [trace[order] < other for order in orders]
            case _:
                return [other < trace[order] for order in orders]

    def _once(self, key: Hashable, make: Callable[[], Column]) -> Column:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
