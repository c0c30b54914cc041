"""Rows of JSON and JSON Lines files. Of a JSON file one order at a time is in memory, however long it is."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

from inbound.rows import Cell, Layout, Row
from language import tr

MOST_INNER = 100
"""So many objects of a list inside an object have cells."""
ITSELF = "."
"""The place of the document itself: one order, or a list of them."""
_AT_ONCE = 1 << 16
"""Characters that are read at once."""


def json_rows(file: TextIO, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a JSON file: an array of objects, or one that stands in a wrapper.

    Raises:
        ValueError: it is not JSON, or has no such array.

    """
    for number, value in enumerate(elements_of(file, layout), 1):
        yield from _object_rows(number, value, layout)


def elements_of(file: TextIO, layout: Layout) -> Iterator[Any]:
    """Yield the objects of a JSON file, each with its numbers as texts.

    Raises:
        ValueError: it is not JSON, or has no array of them.

    """
    return _Document(file).elements(layout.records)


def json_lines(file: TextIO, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object on each line; of a wrapper on a line, the objects in it."""
    for number, text in enumerate(file, 1):
        if text.strip():
            try:
                value = _DECODER.decode(text)
                for one in _inside(value, layout.records) if layout.records else [value]:
                    yield from _object_rows(number, one, layout)
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, tr("is not JSON: {error}", error=error))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(tr("an object names {doubled!r} twice", doubled=doubled))
    return made


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
"""Reads every number as its own text, so that nothing is rounded."""
_OF_NUMBERS = "0123456789.eE+-"
_SPACE = re.compile(r"[ \t\r\n]*")


class _Document:
    """A JSON document, read value by value."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at, self._passed, self._is_whole = file, "", 0, 0, False

    def is_list(self) -> bool:
        """Say whether it is a list."""
        return self._next() == "["

    def elements(self, records: tuple[str, ...]) -> Iterator[Any]:
        """Yield the objects of the array that the document is, or that stands at one of the places `records`.

        Raises:
            ValueError: it is not JSON, or has no such array.

        """
        if self._next() == "[" and (not records or ITSELF in records):
            yield from self._array()
        elif len(records) == 1 and ITSELF not in records:
            yield from self._wrapped(records)
        else:
            yield from _inside(self._value(), records)
        if self._next():
            raise ValueError(tr("is not JSON: something follows its end"))

    def _wrapped(self, records: tuple[str, ...]) -> Iterator[Any]:
        """Yield what stands at one place; only the objects on the way to it are opened."""
        name, _, rest = records[0].partition(".")
        if self._next() != "{":
            yield from _inside(self._value(), records)
            return
        self._at += 1
        found, others = False, []
        while self._next() != "}":
            key = self._value()
            self._expect(":")
            if key == name and found:
                raise ValueError(tr("an object names {doubled!r} twice", doubled=key))
            if key == name:
                found = True
                if rest:
                    yield from self._wrapped((rest,))
                elif self._next() == "[":
                    yield from self._array()
                else:
                    yield from _as_list(self._value())
            else:
                others.append(str(key))
                self._value()
            if self._next() != "}":
                self._expect(",")
        self._at += 1
        if not found:
            raise ValueError(_no_place(name, others))

    def _array(self) -> Iterator[Any]:
        self._expect("[")
        while self._next() != "]":
            yield self._value()
            if self._next() != "]":
                self._expect(",")
        self._at += 1

    def _next(self) -> str:
        """Return the next character that is no space, where reading goes on; an empty text at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            where = self._passed + self._at + 1
            raise ValueError(tr("is not JSON: {mark!r} is expected at its character {where}", mark=mark, where=where))
        self._at += 1

    def _value(self) -> Any:
        """Return the next value; more is read until it is whole."""
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                where = self._passed + error.pos + 1
                if self._more():
                    continue
                raise ValueError(tr("is not JSON: {error} at its character {where}", error=error.msg, where=where)) from None
            may_go_on = not self._text[end:].strip(_OF_NUMBERS) and self._text[self._at] not in '"[{'
            if not may_go_on or not self._more():  # a number at the end of what was read may go on
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, twice as much as is waited for; return whether there was more."""
        if self._is_whole:
            return False
        self._passed, self._text = self._passed + self._at, self._text[self._at :]
        self._at = 0
        block = self._file.read(max(_AT_ONCE, len(self._text)))
        self._is_whole = not block
        self._text += block
        return bool(block)


def _inside(value: Any, places: tuple[str, ...]) -> list[Any]:
    """Return the list of objects at the first of some places of a wrapper that is there; one object alone is a list of one."""
    problem = ""
    for place in places:
        found = value
        for name in place.split(".") if place != ITSELF else ():
            if not isinstance(found, dict) or name not in found:
                problem = problem or _no_place(name, [*found] if isinstance(found, dict) else [tr("a list")])
                break
            found = found[name]
        else:
            return _as_list(found)
    if problem:
        raise ValueError(problem)
    lists = ", ".join(_lists_in(value)) if isinstance(value, dict) else ""
    if lists:
        raise ValueError(tr("its orders stand in a list of an object: say records = … ({lists})", lists=lists))
    raise ValueError(tr("the file must hold one JSON array of objects"))


def _no_place(name: str, others: list[str]) -> str:
    return tr("its JSON has no {name!r} where records says so: there is {there}", name=name, there=", ".join(others))


def places_of_lists(file: TextIO) -> list[str] | None:
    """Return where lists of objects stand in the wrapper that a document is; None: it is no wrapper, but a list itself.

    Raises:
        ValueError: it is not JSON.

    """
    document = _Document(file)
    if document.is_list():
        return None
    value = next(document.elements((ITSELF,)), None)
    return [*_lists_in(value)] if isinstance(value, dict) else []


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _lists_in(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield where lists of objects stand in a wrapper."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _lists_in(inner, f"{prefix}{name}.")
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            yield prefix + name


def _object_rows(line: int, value: Any, layout: Layout) -> Iterator[Row]:
    """Yield the row of an object, or one for each of its lines."""
    if not isinstance(value, dict):
        yield Row(line, {}, tr("is not a JSON object"))
        return
    cells = dict(_flat("", value, layout.lines))
    lines = _at(value, layout.lines.split(".")) if layout.lines else []
    for one in lines or [None]:
        if isinstance(one, dict):
            yield Row(line, cells | dict(_flat(f"{layout.lines}.", one, None)))
        else:
            yield Row(line, cells | ({str(layout.lines): _text(one)} if one is not None else {}))


def _at(value: Any, path: list[str]) -> list[Any]:
    """Return the list that stands at a path of an object; through a list the path leads into each of its objects."""
    if isinstance(value, list):
        return [found for one in value for found in _at(one, path)]
    if not path:
        return [] if value is None else [value]
    return _at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _flat(prefix: str, value: dict[str, Any], without: str | None) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of an object: of an object inside it as `outer.inner`, of a list of objects as `outer.0.inner`.

    `without` is the list that becomes rows of their own.
    """
    for name, inner in value.items():
        path = prefix + name
        if path == without:
            yield path, ""
        elif isinstance(inner, dict) and inner:
            yield from _flat(f"{path}.", inner, without)
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            if without and without.startswith(f"{path}."):
                yield without, ""
                continue
            for number, one in enumerate(inner[:MOST_INNER]):
                yield from _flat(f"{path}.{number}.", one, without) if isinstance(one, dict) else ()
        else:
            yield path, "" if isinstance(inner, dict) else _text(inner)


def _text(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    return str(value).strip()
