"""What happens in a simulated shop: moves, whose fields say all of it, so that a story can be told again and shortened.

A story is written as Python: what is printed of a failing seed can be put into a test as it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from drills.simulation.faults import Fault
from workflow.case.case import Detail

Fields = Mapping[str, Detail]


@dataclass(frozen=True)
class Bought:
    """One new order."""

    number: str
    supplier: str | None = None
    alternatives: tuple[str, ...] = ()
    route: str = "domestic"
    paid: int | None = None
    buyer: str | None = None
    quantity: int = 1


@dataclass(frozen=True)
class Report:
    """What is said of an order; `ago` is how long before the move it occurred, in hours."""

    number: str
    trigger: str
    fields: Fields = field(default_factory=dict)
    ago: float = 0.0


@dataclass(frozen=True)
class Place:
    """Orders come in, with reports about them, in one batch."""

    orders: tuple[Bought, ...]
    reports: tuple[Report, ...] = ()
    observed: bool = False


@dataclass(frozen=True)
class File:
    """Orders come in by a file of which the end is torn off after so many characters; the whole file follows."""

    orders: tuple[Bought, ...]
    torn_at: int


@dataclass(frozen=True)
class Tell:
    """Somebody reports something."""

    report: Report
    actor: str


@dataclass(frozen=True)
class Repeat:
    """A report comes once more, as it was."""

    nth: int


@dataclass(frozen=True)
class Pass:
    """A daemon does all of its jobs, by a clock that is off by some seconds; the server answers as listed."""

    off: float = 0.0
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fire:
    """A daemon fires one batch."""

    most: int = 1_000
    grouped: bool = True


@dataclass(frozen=True)
class Send:
    """A daemon composes and sends one batch; the server answers as listed."""

    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decide:
    """A person decides on effects that wait: on every one of these numbers, counted from 0."""

    action: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """A person answers what waits for a decision on an order, if something does; `hours` from then on `stay` sleeps."""

    number: str
    way: str
    hours: float = 0.0


@dataclass(frozen=True)
class Undo:
    """A person takes back what was last reported or decided of an order, if that can be taken back."""

    number: str


@dataclass(frozen=True)
class Move:
    """A person moves timers: all, or those of an order or a supplier; under a name, twice if it was cut off."""

    action: str
    hours: float = 0.0
    number: str | None = None
    supplier: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Adopt:
    """Another policy is in force from now on."""

    policy: int


@dataclass(frozen=True)
class Erase:
    """A buyer is erased."""

    buyer: str


@dataclass(frozen=True)
class Tidy:
    """A person closes an exception and resolves the flags of an order."""

    number: str
    exception: int = 0


What = Place | File | Tell | Repeat | Pass | Fire | Send | Decide | Answer | Undo | Move | Adopt | Erase | Tidy


@dataclass(frozen=True)
class Happens:
    """A move: how long after the one before, in hours, by which process, what strikes it, and what happens meanwhile.

    `meanwhile` is what another process does before the nth transaction of this one.
    """

    hours: float
    what: What
    process: int = 0
    fault: Fault | None = None
    meanwhile: "tuple[int, Happens] | None" = None


Story = tuple[Happens, ...]


def written(value: Any) -> str:
    """Write a story, or a part of it, as Python that makes it; what has its default is left out.

    >>> written(Happens(1.5, Tell(Report("3", "ship"), "person:kim")))
    "Happens(1.5, Tell(Report('3', 'ship'), 'person:kim'))"
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))}{',' if len(value) == 1 else ''})"
    if not hasattr(value, "__dataclass_fields__"):
        return f"{value:.4g}" if isinstance(value, float) else repr(value)
    told, skipped = [], False
    for one in fields(value):
        given = getattr(value, one.name)
        default = one.default_factory() if callable(one.default_factory) else one.default
        if given == default:
            skipped = True
        else:
            told.append(f"{one.name}={written(given)}" if skipped else written(given))
    return f"{type(value).__name__}({', '.join(told)})"


def rounded(move: Happens) -> Happens:
    """Return a move as it is written: so that a story that is read back is the same story."""
    meanwhile = move.meanwhile and (move.meanwhile[0], rounded(move.meanwhile[1]))
    return replace(move, hours=float(f"{move.hours:.4g}"), meanwhile=meanwhile)
