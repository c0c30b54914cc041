"""Symbols: placeholders for an order's varying values while the process is traced."""

import hashlib
import re
from collections.abc import Callable, Container, Hashable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from json.encoder import encode_basestring, encode_basestring_ascii
from operator import methodcaller
from typing import Any

from workflow.columns import Columns, Condition, Mapped, Offset, Slot, Text, Values


class Untraceable(Exception):
    """The process has read something that is not known of the orders being traced."""


class Symbol:
    """The value in a slot, or of an instant or a sum what lies `offset` from it.

    It can be passed on, moved by a fixed amount and compared; anything else reads its concrete value.
    """

    __slots__ = ("_trace", "offset", "slot")

    def __init__(self, trace: "Trace", slot: Slot, offset: Offset = None) -> None:
        self._trace, self.slot, self.offset = trace, slot, offset

    def concrete(self) -> Any:
        """Read the value: the result then holds only for orders with this value."""
        return self._trace.evaluate(("value", self.slot, None, self.offset))

    def is_same_symbol(self, other: object) -> bool:
        """Say whether both are the same symbol, without reading either."""
        return isinstance(other, Symbol) and (self.slot, self.offset) == (other.slot, other.offset)

    def map(self, function: Callable[..., Any], *extra_args: Hashable) -> "Symbol":
        """Return the symbol of a function's result, without reading the value."""
        return Symbol(self._trace, Mapped(function, self.slot, self.offset, extra_args))

    def digest_of(self, text: str) -> "Symbol":
        """Return the symbol of the digest of a text that follows this one."""
        return self._trace.digest_of(text)

    def astimezone(self, zone: tzinfo) -> "_Local":
        """Return the instant in a time zone."""
        return _Local(self, zone)

    def local_date(self, zone: tzinfo) -> date:
        """Read only the local date in a zone."""
        answer: date = self._trace.evaluate(("date", self.slot, zone, self.offset))
        return answer

    def __add__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            offset: Any = self.offset
            return Symbol(self._trace, self.slot, (other if offset is None else offset + other) or None)
        return self.concrete() + _concrete(other)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            return self + -other
        if isinstance(other, Symbol) and other.slot == self.slot:  # the difference is the same for all orders
            return _distance(self.offset, other.offset) or (timedelta(0) if self._trace.is_instant(self) else 0)
        return self.concrete() - _concrete(other)

    def __radd__(self, other: Any) -> Any:
        return other + self.concrete()

    def __rsub__(self, other: Any) -> Any:
        return other - self.concrete()

    def __lt__(self, other: Any) -> bool:
        return self._trace.before(self, other)

    def __gt__(self, other: Any) -> bool:
        return self._trace.before(other, self)

    def __le__(self, other: Any) -> bool:
        return not self._trace.before(other, self)

    def __ge__(self, other: Any) -> bool:
        return not self._trace.before(self, other)

    def __eq__(self, other: object) -> bool:
        if other is None or self.is_same_symbol(other):
            return other is not None
        if self._trace.is_instant(self) and isinstance(other, Symbol | datetime):  # few orders share an instant
            return not (self < other or self > other)
        return bool(self.concrete() == _concrete(other))

    def __hash__(self) -> int:
        return hash(self.concrete())

    def __bool__(self) -> bool:
        return self._trace.truth(self)

    def __str__(self) -> str:
        return str(self.concrete())

    def __int__(self) -> int:
        return int(self.concrete())

    def __len__(self) -> int:
        return len(self.concrete())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.concrete())

    def __format__(self, spec: str) -> str:
        """Write the symbol's marker into a text, which is filled in later."""
        return self._trace.marker_for(self) if not spec else format(self.concrete(), spec)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.concrete(), name)


class _Local:
    """An instant in a time zone, of which the date alone can be read."""

    __slots__ = ("_symbol", "_zone")

    def __init__(self, symbol: Symbol, zone: tzinfo) -> None:
        self._symbol, self._zone = symbol, zone

    def date(self) -> date:
        return self._symbol.local_date(self._zone)

    @property
    def year(self) -> int:
        return self.date().year

    def __getattr__(self, name: str) -> Any:
        return getattr(self._symbol.concrete().astimezone(self._zone), name)


class Opaque:
    """A value that was not loaded; reading it is untraceable."""

    __slots__ = ()

    def _refuse(self, *_: object) -> Any:
        raise Untraceable

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __radd__ = __getattr__ = _refuse
    __hash__ = __bool__ = __str__ = __int__ = __len__ = __iter__ = __format__ = __contains__ = _refuse


OPAQUE = Opaque()


def _concrete(value: Any) -> Any:
    return value.concrete() if isinstance(value, Symbol) else value


class Trace:
    """One run of the process with symbols: its path conditions, evaluated for one order, and the digests it needs."""

    def __init__(self, values: Values, unique_slots: Container[Slot] = ()) -> None:
        """Take the values of the order to trace; reading one of `unique_slots` is untraceable, as no two orders share it."""
        self._values, self._columns, self._unique_slots = values, Columns.of_one(values), unique_slots
        self._marker = hashlib.sha256(repr(values).encode()).hexdigest()  # no text of the order can contain it
        self._find_marker = re.compile(f"(<{self._marker}[0-9]+>)").search
        self._markers: dict[str, Symbol] = {}
        self.path_conditions: dict[Condition, Hashable] = {}
        self.digests: list[Text] = []

    def symbol(self, slot: int) -> Symbol:
        """Return the symbol of a slot."""
        return Symbol(self, slot)

    def evaluate(self, condition: Condition) -> Any:
        """Evaluate a condition for the traced order, and record both.

        Raises:
            Untraceable: it reads a digest, which is computed later, or a value that no other order has.

        """
        if condition not in self.path_conditions:
            kind, slot, _, _ = condition
            if self._is_digest(slot) or (kind == "value" and slot in self._unique_slots):
                raise Untraceable
            self.path_conditions[condition] = self._columns.evaluate(condition, [0])[0]
        return self.path_conditions[condition]

    def is_instant(self, symbol: Symbol) -> bool:
        """Say whether the values of a symbol are instants; a slot has one type for all orders."""
        return isinstance(self._value(symbol), datetime)

    def _value(self, symbol: Symbol) -> Any:
        return None if self._is_digest(symbol.slot) else self._columns.of(symbol.slot, None)[0]

    def _is_digest(self, slot: Slot) -> bool:
        return isinstance(slot, int) and slot >= len(self._values)

    def truth(self, symbol: Symbol) -> bool:
        """Evaluate the truth of a value; every instant is true."""
        if self.is_instant(symbol):
            return True
        return bool(self.evaluate(("truth", symbol.slot, None, symbol.offset)))

    def before(self, one: Any, other: Any) -> bool:
        """Evaluate whether one value is before the other; at least one of them is a symbol."""
        if not isinstance(other, Symbol):
            return bool(self.evaluate(("before the constant", one.slot, other, one.offset)))
        if not isinstance(one, Symbol):
            return bool(self.evaluate(("after the constant", other.slot, one, other.offset)))
        apart = _distance(one.offset, other.offset)
        if one.slot == other.slot:
            return apart is not None and apart < type(apart)(0)
        return bool(self.evaluate(("before", one.slot, other.slot, apart)))

    def digest_of(self, text: str) -> Symbol:
        """Return the symbol of the SHA-256 of a text with symbols in it."""
        self.digests.append(self.text(text, encode_basestring_ascii))
        return Symbol(self, len(self._values) + len(self.digests) - 1)

    def marker_for(self, symbol: Symbol) -> str:
        """Return the marker that stands for a symbol in a text."""
        marker = f"<{self._marker}{len(self._markers)}>"
        self._markers[marker] = symbol
        return marker

    def is_marked(self, text: str) -> bool:
        """Say whether a text has symbols in it."""
        return self._marker in text

    def text(self, text: str, quote: Callable[[str], str] = encode_basestring) -> Text:
        """Parse a JSON text with markers in it; `quote` is how it writes its strings."""
        between, symbols = [], []
        rest = text
        while found := self._find_marker(rest):
            symbol = self._markers[found[1]]
            written = self._written(symbol, quote)
            quoted = '"' if written is str else ""  # a number stands without
            between.append(rest[: found.start() - len(quoted)])
            symbols.append((symbol.slot, symbol.offset, written))
            rest = rest[found.end() + len(quoted) :]
        return Text((*between, rest), tuple(symbols))

    def _written(self, symbol: Symbol, quote: Callable[[str], str]) -> Callable[[Any], str]:
        """Return how the values of a symbol are written into a JSON text."""
        if self._is_digest(symbol.slot):
            return _as_it_is
        value = self._value(symbol)
        if isinstance(value, datetime):
            return _iso
        return partial(_inside, quote) if isinstance(value, str) else str


def _distance(one: Any, other: Any) -> Any:
    if other is None:
        return one
    return (-other if one is None else one - other) or None


_iso = methodcaller("isoformat")


def _as_it_is(text: str) -> str:
    return text


def _inside(quote: Callable[[str], str], text: str) -> str:
    return quote(text)[1:-1]


def plain(value: Any) -> str:
    """Encode for JSON: a symbol as its marker, an instant as ISO 8601, everything else as Python formats it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value}"


def digest(previous: str, text: str) -> str:
    """Return the SHA-256 of a text; a symbol if the digest before it is one."""
    before: Any = previous
    sealed: Any = before.digest_of(text) if isinstance(before, Symbol) else hashlib.sha256(text.encode()).hexdigest()
    return sealed  # type: ignore[no-any-return]
