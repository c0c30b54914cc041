"""The decorator by which a function says that it is called for each input, and not traced."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
Result = TypeVar("Result")


class Traced:
    """What stands in place of a value while a function is traced (`tracing.symbols.Symbol`)."""

    __slots__ = ()

    def applied(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """Return what stands for the result of a function that is called for each input."""
        raise NotImplementedError


def per_input(function: Callable[P, Result]) -> Callable[P, Result]:
    """Let a function be called for each input instead of being traced: given symbols, it returns the symbol of its result.

    Its arguments are given by position. One of them at least must be a symbol for this; texts with symbols in them must be
    JSON in ASCII.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Result:
        for one in args:
            if isinstance(one, Traced):
                assert not kwargs, f"{function.__name__} takes its arguments by position"
                return cast(Result, one.applied(function, args))
        return function(*args, **kwargs)

    return call
