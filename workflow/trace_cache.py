"""Traces of the process, cached: one run with symbols serves every order that meets the same path conditions.

The process runs on a case whose varying values (number, instants, supplier) are symbols. Passing a symbol on reads
nothing; reading it (comparing, hashing, testing) adds a path condition, evaluated for the order being traced. Orders
with the same signature and the same condition values share one result, with their own values put in for the symbols.
Conditions are the branches of a tree, results its leaves. So no rule is written a second time for speed.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from workflow.columns import Columns, Condition, Slot, Text, Values
from workflow.symbols import Trace, Untraceable

Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)
TRIAL_TRACES = 30
"""Give up if fewer than half of the first traces were reused; this is how many traces are tried before that."""
MOST_LEAVES = 200
"""Results kept for one signature; more would take up too much memory."""


class Make(Protocol[Made]):
    """Runs the process with symbols for one of the orders."""

    def __call__(self, trace: Trace, order: int) -> Made:
        """Return the result for the order with this index, with symbols in it."""


@dataclass(slots=True)
class Branch:
    """A condition that was read, and what follows for each of its values."""

    condition: Condition
    branches: dict[Hashable, "Branch | Leaf[Any]"] = field(default_factory=dict)


@dataclass(slots=True)
class Leaf(Generic[Result]):
    """A result shared by all orders that reach it, and the texts whose digests it needs, in order."""

    result: Result
    digests: Sequence[Text]


NOT_GROUPABLE: Leaf[Any] = Leaf(None, ())
"""The leaf of orders that cannot be traced: each is processed on its own."""


class TraceCache(Generic[Result]):
    """The traces of the orders of one signature.

    Reading the value of one of `unique_slots` is untraceable: no two orders share it.
    """

    def __init__(self, unique_slots: Container[Slot] = ()) -> None:
        self._unique_slots = unique_slots
        self._root: Branch | Leaf[Result] | None = None
        self._matched = self._recorded = 0
        self.given_up = False
        """Whether tracing does not pay for these orders, because the process reads values that each has of its own."""

    def group(self, columns: Columns, make: Make[Result]) -> list[tuple[Leaf[Result], list[int]]]:
        """Return the leaves with the indexes of their orders; orders that cannot be grouped are left out.

        `make` traces the process for an order that matches no leaf yet.
        """
        groups: dict[int, tuple[Leaf[Result], list[int]]] = {}
        remaining: Sequence[int] = range(columns.count)
        while remaining and not self.given_up:
            remaining = self._match(columns, remaining, groups)
            if remaining:
                self._record(columns.row(remaining[0]), partial(make, order=remaining[0]))
        return [*groups.values()]

    def _match(self, columns: Columns, orders: Sequence[int], groups: dict[int, tuple[Leaf[Result], list[int]]]) -> list[int]:
        """Match orders to leaves; return those that match none yet."""
        unmatched: list[int] = []
        walking: list[tuple[Branch | Leaf[Any] | None, Sequence[int]]] = [(self._root, orders)]
        while walking:
            at, subset = walking.pop()
            if at is None:
                unmatched += subset
            elif isinstance(at, Leaf):
                if at is NOT_GROUPABLE:
                    continue
                groups.setdefault(id(at), (at, []))[1].extend(subset)
                self._matched += len(subset)
            else:
                branches: dict[Hashable, list[int]] = defaultdict(list)
                for order, answer in zip(subset, columns.evaluate(at.condition, subset), strict=True):
                    branches[answer].append(order)
                walking += [(at.branches.get(answer), those) for answer, those in branches.items()]
        return sorted(unmatched)

    def _record(self, values: Values, make: Callable[[Trace], Result]) -> None:
        """Trace the process for one order and add its leaf."""
        self._recorded += 1
        if self._recorded > MOST_LEAVES or (self._recorded > TRIAL_TRACES and self._matched < self._recorded):
            self.given_up, self._root = True, None
            return
        trace = Trace(values, self._unique_slots)
        try:
            leaf = Leaf(make(trace), trace.digests)
        except (Untraceable, TypeError):
            if not trace.path_conditions:
                self.given_up = True
                return
            leaf = NOT_GROUPABLE
        self._insert([*trace.path_conditions.items()], leaf)

    def _insert(self, forks: Sequence[tuple[Condition, Hashable]], leaf: Leaf[Result]) -> None:
        """Insert a leaf under its conditions; the process reads in the same order after the same values."""
        below: Branch | Leaf[Result] = leaf
        for condition, answer in reversed(forks):
            below = Branch(condition, {answer: below})
        if self._root is None:
            self._root = below
            return
        known: Any = self._root
        new: Any = below
        evaluate = iter([answer for _, answer in forks])
        while (answer := next(evaluate)) in known.branches:
            known, new = known.branches[answer], new.branches[answer]
            assert known.condition == new.condition, "the process reads the same after the same values"
        known.branches[answer] = new.branches[answer]
