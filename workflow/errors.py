"""Errors of the application, under one base class.

What a person reads is the message: it says what, where and what to do.
"""

from collections.abc import Iterable


class AftersalesError(Exception):
    """Anything the application refuses or cannot do, said so that a person can act on it."""


class UsageError(AftersalesError):
    """The call itself is wrong: a file, a mapping, a setting or an option that cannot be used."""


class OrderError(AftersalesError):
    """Something about one order; carries the order, its state and the trigger."""

    def __init__(self, order: str, state: str | None, trigger: str, why: str, allowed: Iterable[str] = ()) -> None:
        self.order, self.state, self.trigger, self.why = order, state or "nothing", trigger, why
        self.allowed = tuple(allowed)
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        allowed = f" Allowed here: {', '.join(self.allowed)}." if self.allowed else ""
        return f"Order {self.order} is {self.state}; {self.trigger} was not applied: {self.why}.{allowed}"


class InvalidTransition(OrderError):
    """The trigger is not allowed in the order's state."""


class Refused(OrderError):
    """The trigger is allowed in the order's state, and a guard refused it."""


class OrderChanged(OrderError):
    """Another writer changed the order first; nothing of this step was stored."""


class UnknownOrder(AftersalesError):
    """No order, or more than one, has that identity."""
