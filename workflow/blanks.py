"""Blanks: what stands for an order's own values while the process works out what it makes of all orders like it."""

import hashlib
import re
import secrets
from collections.abc import Callable, Container, Hashable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from json.encoder import encode_basestring, encode_basestring_ascii
from operator import methodcaller
from typing import Any

from workflow.columns import Columns, Derived, Place, Question, Shift, Text, Values


class CannotTell(Exception):
    """The process has looked at something that is not known of the orders at hand."""


class Blank:
    """The value at a place; of an instant or a sum also what lies a fixed distance from it.

    Passing it on, moving it and comparing it is all that can be done without looking at it.
    """

    __slots__ = ("_asked", "place", "shift")

    def __init__(self, asked: "Asked", place: Place, shift: Shift = None) -> None:
        self._asked, self.place, self.shift = asked, place, shift

    def seen(self) -> Any:
        """Look at the value: from here on the result is that of orders with this very value."""
        return self._asked.ask(("value", self.place, None, self.shift))

    def same_as(self, other: object) -> bool:
        """Say, without looking, whether both are the same blank."""
        return isinstance(other, Blank) and (self.place, self.shift) == (other.place, other.shift)

    def through(self, function: Callable[..., Any], *more: Hashable) -> "Blank":
        """Return the blank of what a function makes of the value, without looking at either."""
        return Blank(self._asked, Derived(function, self.place, self.shift, more))

    def seal(self, text: str) -> "Blank":
        """Return the blank of the digest of a text; this one is what came before it."""
        return self._asked.seal(text)

    def astimezone(self, zone: tzinfo) -> "_Local":
        """Return the instant as it is read in a zone."""
        return _Local(self, zone)

    def local_date(self, zone: tzinfo) -> date:
        """Look at the date in a zone, and at no more."""
        answer: date = self._asked.ask(("date", self.place, zone, self.shift))
        return answer

    def __add__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            shift: Any = self.shift
            return Blank(self._asked, self.place, (other if shift is None else shift + other) or None)
        return self.seen() + _seen(other)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, timedelta | int):
            return self + -other
        if isinstance(other, Blank) and other.place == self.place:  # it is the same for all orders
            return _apart(self.shift, other.shift) or (timedelta(0) if self._asked.is_instant(self) else 0)
        return self.seen() - _seen(other)

    def __radd__(self, other: Any) -> Any:
        return other + self.seen()

    def __rsub__(self, other: Any) -> Any:
        return other - self.seen()

    def __lt__(self, other: Any) -> bool:
        return self._asked.before(self, other)

    def __gt__(self, other: Any) -> bool:
        return self._asked.before(other, self)

    def __le__(self, other: Any) -> bool:
        return not self._asked.before(other, self)

    def __ge__(self, other: Any) -> bool:
        return not self._asked.before(self, other)

    def __eq__(self, other: object) -> bool:
        if other is None or self.same_as(other):
            return other is not None
        if self._asked.is_instant(self) and isinstance(other, Blank | datetime):  # hardly two orders share an instant
            return not (self < other or self > other)
        return bool(self.seen() == _seen(other))

    def __hash__(self) -> int:
        return hash(self.seen())

    def __bool__(self) -> bool:
        return self._asked.truth(self)

    def __str__(self) -> str:
        return str(self.seen())

    def __int__(self) -> int:
        return int(self.seen())

    def __len__(self) -> int:
        return len(self.seen())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.seen())

    def __format__(self, spec: str) -> str:
        """Write the blank into a text, which is filled in later."""
        return self._asked.mark(self) if not spec else format(self.seen(), spec)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.seen(), name)


class _Local:
    """An instant as it is read in a zone; of it the date can be looked at alone."""

    __slots__ = ("_blank", "_zone")

    def __init__(self, blank: Blank, zone: tzinfo) -> None:
        self._blank, self._zone = blank, zone

    def date(self) -> date:
        return self._blank.local_date(self._zone)

    @property
    def year(self) -> int:
        return self.date().year

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blank.seen().astimezone(self._zone), name)


class Unread:
    """Stands for what was not even read of an order."""

    __slots__ = ()

    def _refuse(self, *_: object) -> Any:
        raise CannotTell

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __radd__ = __getattr__ = _refuse
    __hash__ = __bool__ = __str__ = __int__ = __len__ = __iter__ = __format__ = __contains__ = _refuse


UNKNOWN = Unread()


def _seen(value: Any) -> Any:
    return value.seen() if isinstance(value, Blank) else value


class Asked:
    """What is asked while the process runs with blanks, and what the order at hand answers."""

    def __init__(self, values: Values, unshared: Container[Place] = ()) -> None:
        """Take the values of the order at hand; those of `unshared` places are not looked at: no two orders share them."""
        self._values, self._columns, self._unshared = values, Columns.of_one(values), unshared
        self._marked: dict[str, Blank] = {}
        self.path: dict[Question, Hashable] = {}
        self.seals: list[Text] = []

    def blank(self, place: int) -> Blank:
        """Return the blank of a place."""
        return Blank(self, place)

    def ask(self, question: Question) -> Any:
        """Answer a question from the order at hand, and remember both.

        Raises:
            CannotTell: it is about a digest, which is made later, or about a value that no other order has.

        """
        if question not in self.path:
            kind, place, _, _ = question
            if self._is_digest(place) or (kind == "value" and place in self._unshared):
                raise CannotTell
            self.path[question] = self._columns.answers(question, [0])[0]
        return self.path[question]

    def is_instant(self, blank: Blank) -> bool:
        """Say whether the values of a blank are instants, as they are for all orders alike."""
        return isinstance(self._value(blank), datetime)

    def _value(self, blank: Blank) -> Any:
        return None if self._is_digest(blank.place) else self._columns.of(blank.place, None)[0]

    def _is_digest(self, place: Place) -> bool:
        return isinstance(place, int) and place >= len(self._values)

    def truth(self, blank: Blank) -> bool:
        """Say whether a value counts as true, as every instant does."""
        if self.is_instant(blank):
            return True
        return bool(self.ask(("truth", blank.place, None, blank.shift)))

    def before(self, one: Any, other: Any) -> bool:
        """Ask whether one value lies before the other; at least one of them is a blank."""
        if not isinstance(other, Blank):
            return bool(self.ask(("before the constant", one.place, other, one.shift)))
        if not isinstance(one, Blank):
            return bool(self.ask(("after the constant", other.place, one, other.shift)))
        apart = _apart(one.shift, other.shift)
        if one.place == other.place:
            return apart is not None and apart < type(apart)(0)
        return bool(self.ask(("before", one.place, other.place, apart)))

    def seal(self, text: str) -> Blank:
        """Return the blank of the SHA-256 of a text with blanks in it."""
        self.seals.append(self.text(text, encode_basestring_ascii))
        return Blank(self, len(self._values) + len(self.seals) - 1)

    def mark(self, blank: Blank) -> str:
        """Return what stands for a blank in a text."""
        mark = f"<{_MARK}{len(self._marked)}>"
        self._marked[mark] = blank
        return mark

    def text(self, text: str, quote: Callable[[str], str] = encode_basestring) -> Text:
        """Read a JSON text with marks in it; `quote` is how it writes its strings."""
        between, blanks = [], []
        rest = text
        while found := _FIND.search(rest):
            blank = self._marked[found[1]]
            written = self._written(blank, quote)
            quoted = '"' if written is str else ""  # a number stands without
            between.append(rest[: found.start() - len(quoted)])
            blanks.append((blank.place, blank.shift, written))
            rest = rest[found.end() + len(quoted) :]
        return Text((*between, rest), tuple(blanks))

    def _written(self, blank: Blank, quote: Callable[[str], str]) -> Callable[[Any], str]:
        """Return how the values of a blank are written into a JSON text."""
        if self._is_digest(blank.place):
            return _as_it_is
        value = self._value(blank)
        if isinstance(value, datetime):
            return _iso
        return partial(_inside, quote) if isinstance(value, str) else str


def _apart(one: Any, other: Any) -> Any:
    if other is None:
        return one
    return (-other if one is None else one - other) or None


_MARK = secrets.token_hex(8)
"""No text that anybody writes has this in it."""
_FIND = re.compile(f"(<{_MARK}[0-9]+>)")
_iso = methodcaller("isoformat")


def _as_it_is(text: str) -> str:
    return text


def _inside(quote: Callable[[str], str], text: str) -> str:
    return quote(text)[1:-1]


def plain(value: Any) -> str:
    """Write what JSON has no form for: a blank as its mark, everything else as Python writes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value}"


def is_marked(text: str) -> bool:
    """Say whether there are blanks in a text."""
    return _MARK in text


def digest(previous: str, text: str) -> str:
    """Return the SHA-256 of a text, as a blank where what comes before it is one."""
    before: Any = previous
    sealed: Any = before.seal(text) if isinstance(before, Blank) else hashlib.sha256(text.encode()).hexdigest()
    return sealed  # type: ignore[no-any-return]
