"""Traces, cached: one run with symbols serves every input that meets the same path conditions.

Conditions are the branches of a tree, results its leaves. So no rule is written a second time for speed.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from tracing.expressions import Columns, Expression
from tracing.symbols import Trace, Untraceable

Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)
TRIAL_TRACES = 30
"""Give up if fewer than half of the first traces were reused; this is how many traces are tried before that."""
MOST_LEAVES = 200
"""Results kept for one signature; more would take up too much memory."""


class Make(Protocol[Made]):
    """Runs the function with symbols for one of the inputs."""

    def __call__(self, trace: Trace, number: int) -> Made:
        """Return the result for the input with this number, with symbols in it.

        Raises:
            Untraceable: this input has to be processed on its own.

        """


@dataclass(slots=True)
class Branch:
    """A condition that was read, and what follows for each answer."""

    condition: Expression
    branches: dict[Hashable, "Branch | Leaf[Any]"] = field(default_factory=dict)


@dataclass(slots=True)
class Leaf(Generic[Result]):
    """A result shared by all inputs that reach it; None: each is processed on its own."""

    result: Result | None


class TraceCache(Generic[Result]):
    """The traces of the inputs of one signature."""

    def __init__(self) -> None:
        self._root: Branch | Leaf[Result] | None = None
        self._matched = self._recorded = 0
        self.given_up = False
        """Whether tracing does not pay for these inputs, because values are read that each has of its own."""

    def group(self, columns: Columns, make: Make[Result]) -> list[tuple[Result, list[int]]]:
        """Return the results with the numbers of their inputs; those that cannot be grouped are left out.

        `make` traces the function for an input that matches no leaf yet.
        """
        found: dict[int, tuple[Leaf[Result], list[int]]] = {}
        unmatched: Sequence[int] = range(columns.count)
        while unmatched and not self.given_up:
            unmatched = self._match(columns, unmatched, found)
            if unmatched:
                self._record(columns.one(unmatched[0]), partial(make, number=unmatched[0]))
        return [(leaf.result, numbers) for leaf, numbers in found.values() if leaf.result is not None]

    def _match(self, columns: Columns, numbers: Sequence[int], found: dict[int, tuple[Leaf[Result], list[int]]]) -> list[int]:
        """Match inputs to leaves; return those that match none yet."""
        unmatched: list[int] = []
        walking: list[tuple[Branch | Leaf[Any] | None, Sequence[int]]] = [(self._root, numbers)]
        while walking:
            at, subset = walking.pop()
            if at is None:
                unmatched += subset
            elif isinstance(at, Leaf):
                found.setdefault(id(at), (at, []))[1].extend(subset)
                self._matched += len(subset) if at.result is not None else 0
            else:
                answers, branches = columns.of(at.condition), defaultdict[Hashable, list[int]](list)
                for number in subset:
                    branches[answers[number]].append(number)
                walking += [(at.branches.get(answer), those) for answer, those in branches.items()]
        return sorted(unmatched)

    def _record(self, given: Columns, make: Any) -> None:
        """Trace the function for one input and add its leaf."""
        self._recorded += 1
        if self._recorded > MOST_LEAVES or (self._recorded > TRIAL_TRACES and self._matched < self._recorded):
            self.given_up, self._root = True, None
            return
        trace = Trace(given)
        try:
            leaf: Leaf[Result] = Leaf(make(trace))
        except Untraceable:
            if not trace.path_conditions:
                self.given_up = True
                return
            leaf = Leaf(None)
        self._insert([*trace.path_conditions.items()], leaf)

    def _insert(self, path: Sequence[tuple[Expression, Hashable]], leaf: Leaf[Result]) -> None:
        """Insert a leaf under its conditions; the function reads in the same order after the same answers."""
        if not path:
            self._root = leaf
            return
        if self._root is None:
            self._root = Branch(path[0][0])
        at: Any = self._root
        for number, (condition, answer) in enumerate(path):
            assert at.condition == condition, "the function reads the same after the same answers"
            last = number + 1 == len(path)
            at = at.branches.setdefault(answer, leaf if last else Branch(path[number + 1][0]))
