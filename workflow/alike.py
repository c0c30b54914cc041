"""What the process makes of one order, worked out once for all orders that are alike.

The process runs on a case whose own values (its number, its instants, its supplier) are blanks. A blank is passed on
unseen; whoever looks at one asks a question, which the order at hand answers. Orders of one shape that give the same
answers get the same result, each with its own values in the blanks: the questions are the forks of a tree, and the
results stand at its ends. So no rule is written a second time for the sake of speed.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from workflow.blanks import Asked, CannotTell
from workflow.columns import Columns, Place, Question, Text, Values

Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)
ON_TRIAL = 30
"""So many orders may be new to a tree before it must have found the end of as many."""
MOST_ENDS = 200
"""Of one tree, which would else take up all memory."""


class Make(Protocol[Made]):
    """Lets the process run with blanks for one of the orders at hand."""

    def __call__(self, asked: Asked, order: int) -> Made:
        """Return what the process makes of it, with blanks in it."""


@dataclass(slots=True)
class _Fork:
    question: Question
    ways: dict[Hashable, "_Fork | End[Any]"] = field(default_factory=dict)


@dataclass(slots=True)
class End(Generic[Result]):
    """Where orders arrive that are alike: what the process makes of them, and the digests that it needs, in order."""

    made: Result
    seals: Sequence[Text]


_ALONE: End[Any] = End(None, ())
"""Where orders arrive of which the process must know more: each is looked at by itself."""


class Tree(Generic[Result]):
    """What the process makes of the orders of one shape, as far as it has been asked.

    The values of `unshared` places are never looked at: no two orders share them.
    """

    def __init__(self, unshared: Container[Place] = ()) -> None:
        self._unshared = unshared
        self._root: _Fork | End[Result] | None = None
        self._found = self._grown = 0
        self.closed = False
        """Whether it has turned out that these orders are not alike: the process looks at what each has of its own."""

    def sort(self, columns: Columns, make: Make[Result]) -> list[tuple[End[Result], list[int]]]:
        """Return at which ends the orders arrive; those that belong to none are left out.

        `make` lets the process run with blanks for one of them, whose like has not come by before.
        """
        arrived: dict[int, tuple[End[Result], list[int]]] = {}
        left: Sequence[int] = range(columns.count)
        while left and not self.closed:
            left = self._walk(columns, left, arrived)
            if left:
                self._grow(columns.row(left[0]), partial(make, order=left[0]))
        return [*arrived.values()]

    def _walk(self, columns: Columns, orders: Sequence[int], arrived: dict[int, tuple[End[Result], list[int]]]) -> list[int]:
        """Lead orders to their ends; return those whose way is not known."""
        lost: list[int] = []
        walking: list[tuple[_Fork | End[Any] | None, Sequence[int]]] = [(self._root, orders)]
        while walking:
            at, some = walking.pop()
            if at is None:
                lost += some
            elif isinstance(at, End):
                if at is _ALONE:
                    continue
                arrived.setdefault(id(at), (at, []))[1].extend(some)
                self._found += len(some)
            else:
                ways: dict[Hashable, list[int]] = defaultdict(list)
                for order, answer in zip(some, columns.answers(at.question, some), strict=True):
                    ways[answer].append(order)
                walking += [(at.ways.get(answer), those) for answer, those in ways.items()]
        return sorted(lost)

    def _grow(self, values: Values, make: Callable[[Asked], Result]) -> None:
        """Let the process run for an order that no end is known for."""
        self._grown += 1
        if self._grown > MOST_ENDS or (self._grown > ON_TRIAL and self._found < self._grown):
            self.closed, self._root = True, None
            return
        asked = Asked(values, self._unshared)
        try:
            end = End(make(asked), asked.seals)
        except (CannotTell, TypeError):
            if not asked.path:
                self.closed = True
                return
            end = _ALONE
        self._plant([*asked.path.items()], end)

    def _plant(self, forks: Sequence[tuple[Question, Hashable]], end: End[Result]) -> None:
        """Put an end where the answers lead; after the same answers the process asks the same."""
        below: _Fork | End[Result] = end
        for question, answer in reversed(forks):
            below = _Fork(question, {answer: below})
        if self._root is None:
            self._root = below
            return
        known: Any = self._root
        new: Any = below
        answers = iter([answer for _, answer in forks])
        while (answer := next(answers)) in known.ways:
            known, new = known.ways[answer], new.ways[answer]
            assert known.question == new.question, "the process asks the same after the same answers"
        known.ways[answer] = new.ways[answer]
