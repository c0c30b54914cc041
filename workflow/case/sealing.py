"""What a step wrote of its order, as its history row seals it, and an order's rows as they were sealed (rule 6.2)."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from language import tr
from workflow.case.canonical import ascii_json
from workflow.case.case import LINKS, Attempt, Case, Claim, Decision, LedgerRow, Order, Parcel, Timer
from workflow.vocabulary import TimerStatus

SEALED: Mapping[type, tuple[str, ...]] = {
    Order: ("currency", "paid", *LINKS),
    Case: ("current", "returns_to", "cancelled", "gap", "historical"),
    Attempt: ("supplier", "ship_by", "shipped_at", "delivered_at", "paid"),
    Parcel: ("attempt", "news", "same_as"),
    Timer: ("trigger", "due_at", "status", "nth", "ledger", "claim", "paused_at", "paused_by", "promised"),
    **{kind: tuple(one.name for one in fields(kind))[1:] for kind in (LedgerRow, Claim, Decision)},
}
"""What is sealed, besides the number of a part: neither what tells of the buyer, nor what carriers and people say in words.

New fields come last: what was sealed as a list keeps its meaning. The lists are short, for each row of a history has one.
"""
KINDS: Mapping[str, type] = {
    "order": Order,
    "case": Case,
    "attempts": Attempt,
    "parcels": Parcel,
    "timers": Timer,
    "ledger": LedgerRow,
    "claims": Claim,
    "decisions": Decision,
}
"""The parts of an order that are sealed."""
_SEALED_SINCE = ("parcels",)
"""Parts that older programs did not seal, although they sealed the others: one more of them proves nothing."""
WHOLE = ("order", "case")
"""The parts of which an order has one; the others are numbered."""
_ONE = {
    "attempts": "attempt",
    "parcels": "parcel",
    "timers": "timer",
    "ledger": "ledger row",
    "claims": "claim",
    "decisions": "decision",
}
_all_of: Mapping[type, Callable[[Any], tuple[Any, ...]]] = {kind: attrgetter(*names) for kind, names in SEALED.items()}


def _defaults_of(kind: Any) -> tuple[Any, ...]:
    defaults = {one.name: None if one.default is MISSING else one.default for one in fields(kind)}
    return tuple(defaults[name] for name in SEALED[kind])


_DEFAULTS: Mapping[type, tuple[Any, ...]] = {kind: _defaults_of(kind) for kind in SEALED}
_ENDED = (TimerStatus.fired, TimerStatus.cancelled)
_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch

Values = Mapping[str, Any]


def written(was: Case, now: Case, timers: Mapping[int, Timer]) -> str:
    """Return what a step wrote, as JSON in ASCII, by part and number.

    Of what is new it is a list of the sealed fields, without those at its end that have their defaults; of a timer that
    ran and ended its status; of all else the fields that changed. `timers` are those that the step added, changed or ended.
    """
    wrote: dict[str, Any] = {}
    if was.state is None:
        wrote["order"], wrote["case"] = _new(now.order), _new(now)
    else:
        if was.order is not now.order:
            wrote["order"] = _changed(was.order, now.order)
        if standing := _changed(was, now):
            wrote["case"] = standing
    if was.attempts is not now.attempts and (attempts := _numbered(was.attempts, now.attempts)):
        wrote["attempts"] = attempts
    if was.parcels is not now.parcels and (parcels := _numbered(was.parcels, now.parcels)):
        wrote["parcels"] = parcels
    if timers:
        known = {one.number: one for one in was.timers}
        wrote["timers"] = {str(number): _timer(known.get(number), one) for number, one in timers.items()}
    if was.ledger is not now.ledger:
        wrote["ledger"] = _numbered(was.ledger, now.ledger)
    if was.claims is not now.claims:
        wrote["claims"] = {number: _without_words(told) for number, told in _numbered(was.claims, now.claims).items()}
    if was.decisions is not now.decisions:
        wrote["decisions"] = _numbered(was.decisions, now.decisions)
    return ascii_json(wrote)


def _numbered(was: tuple[Any, ...], now: tuple[Any, ...]) -> dict[str, Any]:
    """Return what was written of parts that are numbered from 1; None for one that goes, with the step that made it."""
    wrote: dict[str, Any] = {}
    for old, new in zip(was, now, strict=False):
        if old is not new and (fields := _changed(old, new)):
            wrote[str(new.number)] = fields
    if len(was) != len(now):
        wrote |= {str(new.number): _new(new) for new in now[len(was) :]}
        wrote |= {str(gone.number): None for gone in was[len(now) :]}
    return wrote


def _timer(was: Timer | None, now: Timer) -> Any:
    if was is None:
        return _new(now)
    ended = was.status is TimerStatus.pending and now.status in _ENDED
    return now.status if ended else _changed(was, now)


def _new(part: Any) -> tuple[Any, ...]:
    values, defaults = _all_of[type(part)](part), _DEFAULTS[type(part)]
    count = len(values)
    while count and values[count - 1] is defaults[count - 1]:
        count -= 1
    return values[:count]


def _changed(was: Any, now: Any) -> Values:
    before, after = vars(was), vars(now)
    return {name: after[name] for name in SEALED[type(now)] if after[name] is not before[name]}


_EVIDENCE = SEALED[Claim].index("evidence")


def _without_words(told: Any) -> Any:
    """Of evidence seal the digests of files alone: words may name the buyer."""
    if told is None:
        return None
    if isinstance(told, tuple):
        return [digests(value) if place == _EVIDENCE else value for place, value in enumerate(told)]
    return {name: digests(value) if name == "evidence" else value for name, value in told.items()}


def digests(evidence: Any) -> list[str]:
    """Return which of the evidence of a claim are digests of files."""
    return [one for one in evidence if _is_digest(one)]


def meaning(wrote: str | None) -> Mapping[str, Any]:
    """Return what a step wrote, by part and number, whatever was left out of it as a default."""
    sealed = Sealed()
    sealed.take(wrote)
    return sealed.parts


class Sealed:
    """The parts of an order as its sealed history tells them: by part and number, each field as it was last written."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, dict[str, Any]]] = {}
        self.is_whole = True
        """Whether every step was sealed; if not, only what was written since is told."""

    def take(self, wrote: str | None) -> None:
        """Take what one step wrote; None: an older program took the step and sealed nothing."""
        if wrote is None:
            self.is_whole = False
            return
        for part, values in json.loads(wrote).items():
            rows = self.parts.setdefault(part, {})
            for number, told in [("", values)] if part in WHOLE else values.items():
                if told is None:
                    rows.pop(number, None)
                    continue
                rows[number] = _of_new(part, told) if isinstance(told, list) else rows.get(number, {}) | _as_fields(told)

    def difference(self, part: str, stored: Mapping[str, Values]) -> str | None:
        """Say what of a part's rows as they are stored, by number, is not what was sealed, or None."""
        sealed = self.parts.get(part, {})
        for number, told in sealed.items():
            if number not in stored:
                return tr("{part} is gone", part=_called(part, number))
            for name, value in told.items():
                if stored[number][name] != value:
                    return tr(
                        "{part}: {name} is {stored}, and its history wrote {value}",
                        part=_called(part, number),
                        name=name,
                        stored=stored[number][name],
                        value=value,
                    )
        is_whole = self.is_whole and part not in _SEALED_SINCE
        added = next((number for number in stored if number not in sealed), None) if is_whole else None
        return None if added is None else tr("{part} is not in its history", part=_called(part, added))


def _of_new(part: str, told: Sequence[Any]) -> dict[str, Any]:
    return _DEFAULT_FIELDS[part] | dict(zip(SEALED[KINDS[part]], told, strict=False))


def _as_fields(told: Any) -> dict[str, Any]:
    return {"status": told} if isinstance(told, str) else told


def as_sealed(name: str, value: Any) -> Any:
    """Return the value of a stored field as JSON gives it back."""
    if name == "evidence":
        return digests(value)
    if name == "news":
        return [[at.isoformat() if isinstance(at, datetime) else at, trigger] for at, trigger in value]
    return value.isoformat() if isinstance(value, datetime) else value


_DEFAULT_FIELDS = {
    part: {name: as_sealed(name, value) for name, value in zip(SEALED[kind], _DEFAULTS[kind], strict=True)}
    for part, kind in KINDS.items()
}


def _called(part: str, number: str) -> str:
    return f"{_ONE[part]} {number}" if part in _ONE else part
