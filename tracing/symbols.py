"""Symbols: placeholders for the values that vary from input to input, while a function is traced.

Passing a symbol on reads nothing. Comparing, hashing or testing one reads it, which adds a path condition: the trace
then holds for those inputs that answer the same.
"""

import hashlib
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from json.encoder import encode_basestring, encode_basestring_ascii
from operator import methodcaller
from typing import Any

from tracing.expressions import Before, Columns, Constant, Expression, LocalDate, Mapped, Moved, Shared, Slot, Text, Truth
from tracing.per_input import Traced


class Untraceable(Exception):
    """The function has read something that is not known of the inputs, or does what cannot be traced."""


class Symbol(Traced):
    """The value of an expression.

    It can be passed on, moved by a fixed amount and compared; anything else reads its concrete value.
    """

    __slots__ = ("_trace", "expression")

    def __init__(self, trace: "Trace", expression: Expression) -> None:
        self._trace, self.expression = trace, expression

    @property
    def trace(self) -> "Trace":
        """The trace that the symbol belongs to."""
        return self._trace

    def concrete(self) -> Any:
        """Read the value: the result then holds only for inputs with this value."""
        return self._trace.answer(self.expression)

    def is_same_symbol(self, other: object) -> bool:
        """Say whether both are the same symbol, without reading either."""
        return isinstance(other, Symbol) and self.expression == other.expression

    def applied(self, function: Callable[..., Any], arguments: Sequence[Any]) -> "Symbol":
        """Return the symbol of a function's result, which is computed for each input."""
        return Symbol(self._trace, Mapped(function, tuple(map(self._trace.argument, arguments))))

    def astimezone(self, zone: tzinfo) -> "_Local":
        """Return the instant in a time zone."""
        return _Local(self, zone)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            base, by = self._parts()
            by = other if by is None else by + other
            return Symbol(self._trace, Moved(base, by) if by else base)
        return self.concrete() + _concrete(other)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            return self + -other
        apart = self._apart(other)
        return self.concrete() - _concrete(other) if apart is None else apart

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
        if self._trace.is_instant(self) and self._trace.is_instant(other):  # few inputs share an instant
            return not (self < other or self > other)
        return bool(self.concrete() == _concrete(other))

    def __hash__(self) -> int:
        return hash(self.concrete())

    def __bool__(self) -> bool:
        return self._trace.is_instant(self) or bool(self._trace.answer(Truth(self.expression)))

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

    def _parts(self) -> tuple[Expression, Any]:
        moved = self.expression
        return (moved.of, moved.by) if isinstance(moved, Moved) else (moved, None)

    def _apart(self, other: object) -> timedelta | int | None:
        """Return how far it is from another symbol, if that is the same for all inputs."""
        if not isinstance(other, Symbol):
            return None
        (base, by), (their_base, theirs) = self._parts(), other._parts()
        if base != their_base:
            return None
        nothing: Any = timedelta(0) if self._trace.is_instant(self) else 0
        distance: timedelta | int = (by or nothing) - (theirs or nothing)
        return distance


class _Local:
    """An instant in a time zone, of which the date alone can be read."""

    __slots__ = ("_symbol", "_zone")

    def __init__(self, symbol: Symbol, zone: tzinfo) -> None:
        self._symbol, self._zone = symbol, zone

    def date(self) -> date:
        answer: date = self._symbol.trace.answer(LocalDate(self._symbol.expression, self._zone))
        return answer

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
    """One run of a function with symbols, and its path conditions, answered for the input at hand."""

    def __init__(self, given: Columns) -> None:
        """Take the values of the input to trace."""
        self._given = given
        values = [*given.shared, *(given.stored(slot)[0] for slot in given.slots)]
        self._marker = hashlib.sha256(repr(values).encode()).hexdigest()  # no text of the input can contain it
        self._find_marker = re.compile(f"(<{self._marker}[0-9]+>)").search
        self._markers: dict[str, Symbol] = {}
        self.path_conditions: dict[Expression, Hashable] = {}

    def symbol(self, number: int) -> Symbol:
        """Return the symbol of a slot."""
        return Symbol(self, Slot(number))

    def shared(self, number: int) -> Symbol:
        """Return the symbol of a value that all inputs share."""
        return Symbol(self, Shared(number))

    def answer(self, condition: Expression) -> Any:
        """Return what is so of the input at hand, and remember it as a path condition."""
        if condition not in self.path_conditions:
            (self.path_conditions[condition],) = self._given.of(condition)
        return self.path_conditions[condition]

    def is_instant(self, value: object) -> bool:
        """Say whether a value is an instant; of a symbol that reads nothing, for its values are of one type for all inputs."""
        return isinstance(self._value(value) if isinstance(value, Symbol) else value, datetime)

    def before(self, one: Any, other: Any) -> bool:
        """Say whether one value is before the other; at least one of them is a symbol."""
        apart = one._apart(other) if isinstance(one, Symbol) else None
        if apart is not None:
            nothing: Any = type(apart)(0)
            return bool(apart < nothing)
        return bool(self.answer(Before(_expression(one), _expression(other))))

    def marker_for(self, symbol: Symbol) -> str:
        """Return the marker that stands for a symbol in a text."""
        marker = f"<{self._marker}{len(self._markers)}>"
        self._markers[marker] = symbol
        return marker

    def is_marked(self, text: object) -> bool:
        """Say whether something is a text with symbols in it."""
        return isinstance(text, str) and self._marker in text

    def text(self, text: str, *, ascii_only: bool = False) -> Text:
        """Parse a JSON text with markers in it."""
        quote = encode_basestring_ascii if ascii_only else encode_basestring
        between, values = [], []
        rest = text
        while found := self._find_marker(rest):
            symbol = self._markers[found[1]]
            write = self._write(symbol, quote)
            quoted = '"' if write in _WITHOUT_QUOTES else ""
            between.append(rest[: found.start() - len(quoted)])
            values.append((symbol.expression, write))
            rest = rest[found.end() + len(quoted) :]
        return Text((*between, rest), tuple(values))

    def argument(self, value: Any) -> Expression:
        """Return the expression of a function's argument: a symbol, a JSON text in ASCII with symbols, or a constant."""
        return self.text(value, ascii_only=True) if self.is_marked(value) else _expression(value)

    def _write(self, symbol: Symbol, quote: Callable[[str], str]) -> Callable[[Any], str]:
        """Return how the values of a symbol are written into a JSON text."""
        value = self._value(symbol)
        if isinstance(value, datetime):
            return _iso
        if isinstance(value, bool):
            return _truth
        return _INSIDE[quote] if isinstance(value, str) else str

    def _value(self, symbol: Symbol) -> Any:
        return self._given.of(symbol.expression)[0]


def _expression(value: Any) -> Expression:
    return value.expression if isinstance(value, Symbol) else Constant(value)


_iso = methodcaller("isoformat")


def _truth(value: bool) -> str:
    return "true" if value else "false"


_WITHOUT_QUOTES = (str, _truth)
"""How numbers and truths are written."""


def _inside(quote: Callable[[str], str], text: str) -> str:
    return quote(text)[1:-1]


_INSIDE = {quote: partial(_inside, quote) for quote in (encode_basestring, encode_basestring_ascii)}
"""How a value is written within the quotes of a JSON string."""
