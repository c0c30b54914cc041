"""What is computed of many inputs, column by column: the values of a slot, and what is made of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Protocol

Column = Sequence[Any]
"""One value for each input."""


class Expression(Hashable, Protocol):
    """Something that has a value for each input."""

    @property
    def is_uniform(self) -> bool:
        """Whether it is the same for all inputs of a batch."""

    def column(self, columns: "Columns") -> Column:
        """Compute its values; `Columns.of` keeps them."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An input value, by its number."""

    number: int
    is_uniform = False

    def column(self, columns: "Columns") -> Column:
        """Return the values of the slot, read."""
        stored, read = columns.stored(self.number), columns.reads.get(self.number)
        return stored if read is None else [None if value is None else read(value) for value in stored]


@dataclass(frozen=True, slots=True)
class Shared:
    """A value that all inputs of a batch share, by its number."""

    number: int
    is_uniform = True

    def column(self, columns: "Columns") -> Column:
        """Return the value for each input."""
        return [columns.shared[self.number]] * columns.count


@dataclass(frozen=True, slots=True)
class Moved:
    """A value with a fixed amount added."""

    of: Expression
    by: timedelta | int

    @property
    def is_uniform(self) -> bool:
        """Whether what is moved is the same for all inputs."""
        return self.of.is_uniform

    def column(self, columns: "Columns") -> Column:
        """Return the moved values."""
        return [value + self.by for value in columns.of(self.of)]


@dataclass(frozen=True, slots=True)
class Constant:
    """One value for all inputs of all batches."""

    value: Any
    is_uniform = True

    def column(self, columns: "Columns") -> Column:
        """Return the value for each input."""
        return [self.value] * columns.count


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a function returns for other expressions."""

    function: Callable[..., Any]
    arguments: tuple[Expression, ...]

    @property
    def is_uniform(self) -> bool:
        """Whether its arguments are the same for all inputs."""
        return all(one.is_uniform for one in self.arguments)

    def column(self, columns: "Columns") -> Column:
        """Call the function for each input, or once."""
        if self.is_uniform:
            return [self.function(*(columns.of(one)[0] for one in self.arguments))] * columns.count
        return [*map(self.function, *map(columns.of, self.arguments))]


@dataclass(frozen=True, slots=True)
class Text:
    """A text with values in it: the parts between them, and each value with how it is written."""

    between: tuple[str, ...]
    values: tuple[tuple[Expression, Callable[[Any], str]], ...]
    is_uniform = False

    def column(self, columns: "Columns") -> Column:
        """Return the text filled in for each input."""
        form = "%s".join(part.replace("%", "%%") for part in self.between)
        written = (columns.of(Mapped(write, (value,))) for value, write in self.values)
        return [form % row for row in zip(*written, strict=True)]


@dataclass(frozen=True, slots=True)
class Truth:
    """Whether a value is true."""

    of: Expression
    is_uniform = False

    def column(self, columns: "Columns") -> Column:
        """Return the answers."""
        return [*map(bool, columns.of(self.of))]


@dataclass(frozen=True, slots=True)
class Before:
    """Whether one value is before another."""

    one: Expression
    other: Expression
    is_uniform = False

    def column(self, columns: "Columns") -> Column:
        """Return the answers."""
        return [one < other for one, other in zip(columns.of(self.one), columns.of(self.other), strict=True)]


@dataclass(frozen=True, slots=True)
class LocalDate:
    """The date of an instant in a time zone."""

    of: Expression
    zone: tzinfo
    is_uniform = False

    def column(self, columns: "Columns") -> Column:
        """Return the dates."""
        return [value.astimezone(self.zone).date() for value in columns.of(self.of)]


class Columns:
    """The values of many inputs, slot by slot, and what was computed of them.

    They are kept as stored; `reads` says how the values of a slot are read where they are needed. `shared` are values
    that all inputs share.
    """

    def __init__(
        self,
        stored: Sequence[Column],
        count: int,
        reads: Mapping[int, Callable[[Any], Any]] = MappingProxyType({}),
        shared: Sequence[Any] = (),
    ) -> None:
        self.count, self.reads, self.shared = count, reads, shared
        self._stored = stored
        self._computed: dict[Expression, Column] = {}

    @property
    def slots(self) -> range:
        """The numbers of the slots."""
        return range(len(self._stored))

    def stored(self, number: int) -> Column:
        """Return the values of a slot as stored."""
        return self._stored[number]

    def of(self, expression: Expression) -> Column:
        """Return the values of an expression."""
        computed = self._computed.get(expression)
        if computed is None:
            computed = self._computed[expression] = expression.column(self)
        return computed

    def one(self, number: int) -> "Columns":
        """Return one of the inputs alone, with its values read."""
        return Columns([[self.of(Slot(slot))[number]] for slot in self.slots], 1, shared=self.shared)

    def subset(self, numbers: Sequence[int]) -> "Columns":
        """Return some of the inputs."""
        if len(numbers) == self.count:
            return self
        stored = [[column[number] for number in numbers] for column in self._stored]
        some = Columns(stored, len(numbers), self.reads, self.shared)
        for expression, column in self._computed.items():
            if isinstance(expression, Mapped):  # the functions that are called for each input are what takes time
                some._computed[expression] = [column[number] for number in numbers]
        return some
