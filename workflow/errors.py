"""Errors of the application, under one base class.

What a person reads is the message: it says what, where and what to do.
"""

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from language import tr


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
        allowed = tr(" Allowed here: {allowed}.", allowed=", ".join(self.allowed)) if self.allowed else ""
        return tr(
            "Order {order} is {state}; {trigger} was not applied: {why}.{allowed}",
            order=self.order,
            state=self.state,
            trigger=self.trigger,
            why=self.why,
            allowed=allowed,
        )


class InvalidTransition(OrderError):
    """The trigger is not allowed in the order's state."""


class Refused(OrderError):
    """The trigger is allowed in the order's state, and a guard refused it."""


class OrderChanged(OrderError):
    """Another writer changed the order first; nothing of this step was stored."""


class UnknownOrder(AftersalesError):
    """No order, or more than one, has that identity."""


def describe_error(error: BaseException) -> str:
    """Describe an unexpected error without the values that its own message may quote: for messages, logs and rows.

    Of a database's error that is its kind, SQLSTATE and constraint; of any other that is not ours, its kind and the place
    in the program.
    """
    original: Any = getattr(error, "orig", None) or error
    kind, diagnosis = type(original).__name__, getattr(original, "diag", None)
    if diagnosis is not None:
        about = (diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name)
        return " ".join(filter(None, (kind, diagnosis.sqlstate, *about)))
    if isinstance(original, AftersalesError | OSError) or getattr(original, "sqlite_errorname", None):
        return f"{kind}: {original}"
    place = _place(original.__traceback__)
    return f"{kind} at {place}" if place else kind


def _place(trace: TracebackType | None) -> str | None:
    """Return the last line of this program in a traceback, as MODULE:LINE."""
    found = None
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in ROOMS:
            found = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


ROOMS = ("workflow", "tracing", "language", "storage", "engine", "jobs", "inbound", "effects", "evidence", "admin", "config")
