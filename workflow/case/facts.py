"""The facts of an order: as reports tell them, and as its history writes them."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from workflow.case.case import LINKS, PERSONAL, Attempt, Case, Detail, Details, Line, Order, Report, replace_fields

OF_ATTEMPT = ("supplier", "supplier_number", "ship_by", "paid")
"""Facts of an attempt; those of the first one are the order's too."""
FACTS = tuple(name for name in Order.__dataclass_fields__ if name not in ("shop", "number", *LINKS))
"""All facts that an order has besides its identity and its chain of replacements."""
_INSTANTS = ("ship_by", "placed_at")


def told(fields: Details) -> Iterator[tuple[str, object]]:
    """Yield the facts that a report tells, with their values."""
    return ((name, as_fact(name, fields[name])) for name in FACTS if fields.get(name) is not None)


def emptied(fields: Details) -> list[str]:
    """Return the facts of which it is told that they are not known."""
    return [name for name in str(fields.get("emptied") or "").split(";") if name in FACTS]


def all_of(order: Order, lines: Sequence[Line], was: Case) -> dict[str, Detail]:
    """Return the fields that make the facts of a case those of another order: what is not known of that is emptied."""
    fields = {name: as_detail(value) for name in FACTS if (value := getattr(order, name)) is not None}
    gone = [name for name in FACTS if name not in fields and getattr(was.order, name) is not None]
    links = {name: getattr(order, name) for name in LINKS} if order.replaces else {}
    return {**fields, **links, "emptied": ";".join(gone) or None, "lines": written_lines(lines), "attempt": 1, "taken_up": True}


def known(case: Case, name: str, fields: Details) -> object:
    """Return a fact as it is known: of the order, or of the attempt that a report is about."""
    attempt = attempt_of(case, fields)
    if name == "paid":
        return case.paid_for(attempt.number)
    return getattr(attempt, name) if name in OF_ATTEMPT else getattr(case.order, name)


def attempt_of(case: Case, fields: Details) -> Attempt:
    """Return the attempt whose facts a report tells: the current one by default."""
    number = fields.get("attempt")
    return case.attempt if number is None else case.attempts[int(number) - 1]


def as_detail(value: object) -> Detail:
    """Return a fact as the history writes it."""
    if isinstance(value, tuple):
        return ";".join(value)
    if isinstance(value, datetime):
        return value.isoformat()
    assert value is None or isinstance(value, str | int), "facts are texts, instants, sums and lists of names"
    return value


def as_fact(name: str, written: Detail) -> object:
    """Return a fact that the history has written."""
    if name == "alternatives":
        return tuple(filter(None, str(written or "").split(";")))
    return datetime.fromisoformat(str(written)) if name in _INSTANTS and written is not None else written


def with_former_buyer(case: Case, report: Report) -> Report:
    """Return a report that amends who the buyer is, with who it was: an erasure looks for both."""
    gone = emptied(report.fields)
    told = [name for name in PERSONAL if name in gone or report.fields.get(name) is not None]
    amended = [name for name in told if getattr(case.order, name) is not None]
    return replace_fields(report, fields={**report.fields, **{f"was_{name}": getattr(case.order, name) for name in amended}})


def written_lines(lines: Sequence[Line]) -> str:
    """Return the lines of an order as the history writes them."""
    return json.dumps([[one.sku, one.title, one.quantity, one.price, one.sale] for one in lines], ensure_ascii=False)


def read_lines(written: str) -> tuple[Line, ...]:
    """Return the lines that the history has written."""
    return tuple(Line(*one) for one in json.loads(written))


def before(order: Order, lines: tuple[Line, ...], details: Details, told: Details) -> tuple[Order, tuple[Line, ...]]:
    """Return the facts of an order before a step amended them, by its details; of the buyer, by what the report `told`."""
    amended = str(details["amended"]).split(";")
    details = {**details, **{f"was_{name}": told.get(f"was_{name}") for name in PERSONAL}}
    if details.get("attempt", 1) != 1:
        amended = [name for name in amended if name not in OF_ATTEMPT]
    if "lines" in amended:
        lines = read_lines(str(details["was_lines"]))
    was = {name: as_fact(name, details.get(f"was_{name}")) for name in amended if name in FACTS}
    return replace_fields(order, **was), lines
