"""Where the parcels of an order are, and which of them a report is about (rules 2.6 and 2.18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from language import tr
from workflow.case.case import Attempt, Case, Parcel, replace_fields
from workflow.process import CORRECTED, PARCEL_FILLS, PARCEL_MOVES, PARCEL_POSITIONS
from workflow.values import value_class
from workflow.vocabulary import Position, State

if TYPE_CHECKING:
    from workflow.case.case import Report
    from workflow.draft import Event

UNDER_WAY = (Position.shipped, Position.held)
ONE_FOR_ALL = (Position.held, Position.shipped, Position.delivered, Position.lost)
"""Where an order is of whose parcels one is there, the first that applies."""
HELD = ("hold", str(Position.held))
"""News since which customs hold a parcel."""
_MOVED = {str(position): position for position in Position}
"""News of a parcel whose order a person has moved: it is where the order was moved to."""


@value_class(frozen=True, slots=True)
class News:
    """What a report makes of the parcels of an order.

    `about` are the parcels that it is about, as they were; `is_older` says that there is newer news of each of them.
    """

    parcels: tuple[Parcel, ...]
    about: tuple[Parcel, ...]
    is_older: bool


def of_attempt(parcels: Iterable[Parcel], attempt: int) -> tuple[Parcel, ...]:
    """Return the parcels of an attempt, without those that turned out to be another one."""
    return tuple(one for one in parcels if one.attempt == attempt and one.same_as is None)


def position(news: Iterable[tuple[datetime, str]], until: datetime | None = None) -> Position:
    """Return where a parcel is by its news, in order of occurrence, or was at an instant."""
    now = Position.unshipped
    for at, trigger in news:
        if until is None or at <= until:
            now = _MOVED.get(trigger) or PARCEL_MOVES.get((now, trigger), now)
    return now


def where(parcels: Iterable[Parcel]) -> Position:
    """Return where an order is, by its parcels: held while one is held, else on its way while one is (rule 2.18)."""
    return _where(position(one.news) for one in parcels)


def _where(positions: Iterable[Position]) -> Position:
    found = {*positions}
    return next((one for one in ONE_FOR_ALL if one in found), Position.unshipped)


def position_of(case: Case) -> Position | None:
    """Return where the case says that its parcels are, or would be after an interception or a dispute; None: it does not."""
    state = case.returns_to if case.state in (State.intercepting, State.disputed) else case.state
    return PARCEL_POSITIONS.get(state) if state else None


def last_arrival(parcels: Sequence[Parcel]) -> datetime | None:
    """Return when the last of some parcels arrived; None while one is under way."""
    if any(position(one.news) in UNDER_WAY for one in parcels):
        return None
    return max((at for one in parcels for at, trigger in one.news if trigger == "deliver"), default=None)


def first_shipping(parcels: Iterable[Parcel]) -> datetime:
    """Return when the first of some parcels left, of which one at least is known to have."""
    return min(at for one in parcels for at, trigger in one.news if trigger == "ship")


def last_news(some: Iterable[Parcel]) -> datetime | None:
    """Return when the carrier was last heard of some parcels that are under way."""
    return max((one.news[-1][0] for one in some if position(one.news) in UNDER_WAY), default=None)


def held_since(some: Iterable[Parcel]) -> datetime | None:
    """Return since when customs hold one of some parcels."""
    held = (one.news for one in some if position(one.news) is Position.held)
    return min((max(at for at, trigger in news if trigger in HELD) for news in held), default=None)


def lacks_shipping(parcel: Parcel) -> bool:
    """Say whether a parcel has arrived without having been reported as shipped."""
    triggers = {trigger for _, trigger in parcel.news}
    return "deliver" in triggers and "ship" not in triggers


def some_are_lost(parcels: Sequence[Parcel]) -> bool:
    """Say whether a parcel is lost."""
    return any(position(one.news) is Position.lost for one in parcels if one.same_as is None)


def take_in(case: Case, event: Event, attempt: Attempt) -> News | None:
    """Return what a report makes of the parcels of an attempt; None: it names a parcel that is not known."""
    event = _by_its_number(case, event)
    meant = _meant(of_attempt(case.parcels, attempt.number), event, Parcel(len(case.parcels) + 1, attempt.number))
    about = tuple(_named(one, event) for one in meant)
    if not about:
        return None
    is_older = all(one.news and event.at < one.news[-1][0] for one in about)
    if not case.parcels:
        return News((_with_news(about[0], event),), about, is_older)
    parcels = {one.number: one for one in case.parcels} | {one.number: _with_news(one, event) for one in about}
    return News(tuple(parcels.values()), about, is_older)


def in_order(case: Case, event: Event, attempt: Attempt, about: Sequence[Parcel]) -> tuple[bool, Position]:
    """Return whether a report would have been allowed in order of occurrence, and where the parcels are with it."""
    before = {one.number: _with_waiting(one, case.waiting) for one in (*of_attempt(case.parcels, attempt.number), *about)}
    told = (event.at, event.trigger)
    after = {**before, **{one.number: _sorted(before[one.number], told) for one in about}}
    was_allowed = any(_has_place(position(before[one.number], event.at), event.trigger) for one in about)
    return was_allowed, _where(map(position, after.values()))


def has_news(case: Case, told: Report, number: str) -> bool:
    """Say whether the parcel with a number, or the only one without, has the news that a report told of no parcel by name."""
    news = (told.at, told.trigger)
    return any(one.tracking_number in (number, None) and news in one.news for one in case.parcels if one.same_as is None)


def move(case: Case, to: Position, at: datetime) -> tuple[Parcel, ...]:
    """Return the parcels after a person has moved the order: those of its current attempt are where it was moved to."""
    mine = of_attempt(case.parcels, case.current)
    if where(mine) is to:
        return case.parcels
    new = () if mine else (Parcel(len(case.parcels) + 1, case.current),)
    moved = (at, str(to))
    return tuple(
        replace_fields(one, news=_sorted(one.news, moved)) if one in (*mine, *new) else one for one in (*case.parcels, *new)
    )


def correct(case: Case, event: Event, told: Report) -> tuple[Parcel, ...] | None:
    """Return the parcels after the carrier or the tracking number of one was reported otherwise than before (rule 2.14).

    None: it is not known which parcel that was, or another one has the number.
    """
    attempt = case.named_attempt(event.fields)
    mine = of_attempt(case.parcels, attempt.number) if attempt else ()
    was, number = told.fields.get("tracking_number"), event.fields.get("tracking_number")
    named = [one for one in mine if one.tracking_number == was] or (mine if len(mine) == 1 else ())
    if len(named) != 1 or any(one.tracking_number == number is not None for one in mine if one is not named[0]):
        return None
    return tuple(_named(one, event) if one is named[0] else one for one in case.parcels)


def amend(case: Case, event: Event) -> tuple[Parcel, ...] | str:
    """Return the parcels after a person has amended one (rule 2.15), or why that cannot be.

    Of one that is another one all news is that one's too.
    """
    named, same = event.fields.get("parcel"), event.fields.get("same_as")
    mine = [one for one in case.parcels if one.same_as is None]
    fitting = [one for one in mine if named in (None, one.number)]
    number = event.fields.get("tracking_number")
    if not fitting:
        return tr("the order has no parcel{word} (`show` lists them)", word=f" {named}" if mine else "")
    if len(fitting) > 1:
        return tr("it has {count} parcels: say which one is meant as `parcel` (`show` lists them)", count=len(fitting))
    others = [one for one in mine if one is not fitting[0]]
    if holder := next((one for one in others if one.tracking_number == number is not None), None):
        return tr("parcel {number} has that number: if they are one parcel, say so with `same_as`", number=holder.number)
    amended = {fitting[0].number: _named(fitting[0], event)}
    if same is not None:
        kept = next((one for one in others if one.number == same), None)
        if kept is None:
            return tr("there is no other parcel {same} that it could be (`show` lists them)", same=same)
        if kept.attempt != fitting[0].attempt:
            return tr("parcel {same} was sent by another supplier: they cannot be one", same=same)
        amended[kept.number] = _merged(kept, fitting[0])
        amended[fitting[0].number] = replace_fields(amended[fitting[0].number], same_as=kept.number)
    return tuple(amended.get(one.number, one) for one in case.parcels)


def _merged(kept: Parcel, other: Parcel) -> Parcel:
    """Return a parcel with all that was told of it under another number."""
    names = {name: getattr(kept, name) or getattr(other, name) for name in CORRECTED}
    return replace_fields(kept, news=_sorted(kept.news, *other.news), **names)


def _meant(parcels: tuple[Parcel, ...], event: Event, new: Parcel) -> tuple[Parcel, ...]:
    """Return the parcels that a report is about: the one that it names, else all that were under way then."""
    number = event.fields.get("tracking_number")
    if not parcels:
        return (new,)
    if number is not None:
        named = [one for known in (number, None) for one in parcels if one.tracking_number == known]
        return (*named[:1],) or ((new,) if event.trigger == "ship" else ())
    if event.trigger == "ship":
        return (next((one for one in parcels if lacks_shipping(one)), parcels[0]),)
    then = [(one, position(one.news, event.at)) for one in parcels]
    return tuple(one for one, at in then if at in UNDER_WAY and _has_place(at, event.trigger)) or parcels


def _by_its_number(case: Case, event: Event) -> Event:
    """Return a report of a parcel that has turned out to be another one as one of that."""
    number = event.fields.get("tracking_number")
    named = next((one for one in case.parcels if one.same_as is not None and one.tracking_number == number is not None), None)
    if named is None:
        return event
    by_number = {one.number: one for one in case.parcels}
    while named.same_as is not None:
        named = by_number[named.same_as]
    return replace(event, fields={**event.fields, "tracking_number": named.tracking_number})


def _has_place(at: Position, trigger: str) -> bool:
    return (at, trigger) in PARCEL_MOVES or (at, trigger) in PARCEL_FILLS or trigger == "note_transit"


def _with_waiting(parcel: Parcel, waiting: Sequence[Report]) -> tuple[tuple[datetime, str], ...]:
    """Return the news of a parcel with the reports about it that are kept until they have a place."""
    if not waiting:
        return parcel.news
    names = (None, parcel.tracking_number)
    return _sorted(parcel.news, *((one.at, one.trigger) for one in waiting if one.fields.get("tracking_number") in names))


def _with_news(parcel: Parcel, event: Event) -> Parcel:
    """Return a parcel with what is told of it; of the carrier's news the latest is kept."""
    news, told = parcel.news, (event.at, event.trigger)
    if not news:
        return replace_fields(parcel, news=(told,))
    if event.trigger == "note_transit":
        told = max([told, *(one for one in news if one[1] == event.trigger)])
        news = tuple(one for one in news if one[1] != event.trigger)
    return replace_fields(parcel, news=_sorted(news, told))


def _named(parcel: Parcel, event: Event) -> Parcel:
    """Return a parcel with the carrier and the tracking number that a report names."""
    told = {name: str(event.fields[name]) for name in CORRECTED if event.fields.get(name) is not None}
    return replace_fields(parcel, **told) if told else parcel


def _sorted(news: Iterable[tuple[datetime, str]], *more: tuple[datetime, str]) -> tuple[tuple[datetime, str], ...]:
    return tuple(sorted((*news, *more), key=lambda one: one[0]))
