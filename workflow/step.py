"""One step of one order: a case and an event go in, everything that the step writes comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from workflow.case.case import PERSONAL, Case, Detail, Timer, replace_fields
from workflow.case.history import HistoryRow, sealed
from workflow.case.personal import digest, without_buyer
from workflow.case.sealing import written
from workflow.draft import Draft, EffectDraft, Event, Replacement
from workflow.machine import decide
from workflow.process import (
    CANNOT_RETURN_TO,
    DECIDED_BY_POLICY,
    KEEP_CLAIM_OPEN,
    KEEP_RETURN_STATE,
    NOT_RETURNED_TO,
    RECORDS,
    REMEDIES_BY_HAND,
    STAYS_DONE,
    WAITING_RECORDS,
)
from workflow.reports import FIELDS
from workflow.rules import timers
from workflow.rules.changes import CHANGES, begin
from workflow.rules.choosing import of_the_catalogue
from workflow.rules.decision_changes import settle
from workflow.rules.money_changes import has_booked
from workflow.rules.needs import obsolete
from workflow.table import EFFECT_OF
from workflow.values import value_class
from workflow.vocabulary import PERSON, ClaimStatus, Mode, Party, Row, State, Target, TimerStatus

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


@value_class(frozen=True)
class Step:
    """Everything that a step writes; it is stored together or not at all (rule 5.1)."""

    case: Case
    history: HistoryRow
    timers: Mapping[int, Timer]
    effects: tuple[EffectDraft, ...]
    obsolete: tuple[tuple[str, int], ...]
    flags: tuple[str, ...]
    cleared: tuple[str, ...] = ()
    """Flags that are pointless after it."""
    replacement: Replacement | None = None
    suppliers: Mapping[int, str] = field(default_factory=dict)
    """By their numbers: attempts whose supplier has another name from now on."""

    @property
    def waits(self) -> bool:
        """Whether it only lets another step wait for a person's decision."""
        return self.history.trigger in WAITING_RECORDS


def step(case: Case, event: Event, rules: Rules) -> Step:
    """Take one step.

    Raises:
        InvalidTransition: the trigger is not allowed in the case's state.
        Refused: a guard turned it down.

    """
    event = without_booked_money(case, event)
    row, target = decide(case, event.trigger, event.fields, rules, event.at, event.parcels, event.recorded)
    if _is_history(case, event) and ("place_supply" in row.effects or asks(event, rules, row)):
        return _note(case, event, rules, row)
    return _ask(case, event, rules, row) if asks(event, rules, row) else carry_out(case, event, rules, row, target)


def without_booked_money(case: Case, event: Event) -> Event:
    """Return an event without the sum that its report named when it asked for a decision: that was booked then (rule 4.8)."""
    if event.report is None or "amount" not in event.fields or not has_booked(case, event.report):
        return event
    return replace(event, fields={name: value for name, value in event.fields.items() if name != "amount"})


def _is_history(case: Case, event: Event) -> bool:
    """Say whether something is told of an order that was old when it was imported, and no person moves it (rule 7.7)."""
    return case.historical and not event.actor.startswith(PERSON)


def _note(case: Case, event: Event, rules: Rules, row: Row) -> Step:
    """Write a report into the history; the order stays as it is."""
    noted = replace(row, target=Target.stays, changes=(), effects=(), flag=None, set_return_state=None)
    told: dict[str, Detail] = {**event.fields, "noted": True}
    if "place_supply" in row.effects:
        told["next"] = of_the_catalogue(case, rules, event.recorded)
    return carry_out(case, replace(event, fields=told), rules, noted, None)


def asks(event: Event, rules: Rules, row: Row) -> bool:
    """Say whether a person decides on a step first: one that no person takes, with an effect in the mode ask (rule 5.9)."""
    if rules.asked.isdisjoint(row.effects) or row.trigger in DECIDED_BY_POLICY:
        return False
    return not event.actor.startswith(PERSON)


def _ask(case: Case, event: Event, rules: Rules, row: Row) -> Step:
    """Let the step wait for a person's decision, or behind the one that stands; it waits from when that is recorded."""
    told = {"asks": event.trigger, "timer": event.timer.number if event.timer else None, "would": ", ".join(row.effects)}
    record = RECORDS["queue" if case.decision else "ask"]
    asked = Event(record.trigger, event.recorded, event.recorded, event.actor, told, report=event.report)
    return carry_out(case, asked, rules, record, None)


def fire(case: Case, timer: Timer, at: datetime, rules: Rules) -> Step:
    """Let a timer fire at the instant `at`, which is never before it is due (rule 3.8)."""
    assert at >= timer.due_at, f"timer {timer.number} of {case.name} would fire early"
    return step(case, Event(timer.trigger, at, at, "timer", timer=timer), rules)


def carry_out(case: Case, event: Event, rules: Rules, row: Row, target: State | None) -> Step:
    """Carry out a row of the process table: the case as it is afterwards, and all that comes of it."""
    draft = Draft(case, case, event, rules, row)
    if event.timer:
        draft.drop_timer(replace_fields(event.timer, status=TimerStatus.fired, fired_at=event.at))
    if case.state is None:
        begin(draft)
    if case.historical and target and not _is_history(case, event):
        draft.change(historical=False)
    if event.parcels is not None:
        draft.change(parcels=event.parcels)
    for name in row.changes:
        CHANGES[name](draft)
    if row.set_return_state:
        draft.change(returns_to=row.set_return_state)
        draft.change_claim(came_from=row.set_return_state)
        timers.return_later_to(draft, row.set_return_state)
    settle(draft, target)
    if target:
        _move(draft, target)
    elif event.parcels is not None:
        timers.follow_parcels(draft)
    _speak(draft)
    return _finish(draft)


def _move(draft: Draft, target: State) -> None:
    came_from = _goes_back_to(draft, target)
    if target not in KEEP_CLAIM_OPEN:  # an order that a person has moved out of its dispute leaves the claim behind
        draft.change_claim(status=REMEDIES_BY_HAND.get(target, ClaimStatus.overridden))
    draft.change(state=target, since=draft.event.at, returns_to=came_from)
    if draft.row.target is Target.back:
        timers.go_back(draft, target)
    else:
        timers.enter(draft, target)


def _goes_back_to(draft: Draft, target: State) -> State | None:
    """Return the state that the order may go back to from `target`; a dispute goes back to where its claim was opened."""
    case = draft.case
    if target not in KEEP_RETURN_STATE:
        return None
    if target is State.disputed and case.claim:
        return case.claim.came_from
    stays = case.state is target or case.state in CANNOT_RETURN_TO or (case.state, target) in NOT_RETURNED_TO
    before = case.returns_to if stays else case.state
    return State.delivered if before is target else before


_OF_CHOICE = ("cost", "goods", "ready_in", "passed_over")
_TOLD_TO_THE_CHOSEN = ("cost", "goods")
_TOLD_TO_THE_MERCHANT = ("cost",)
"""Of what is noted of the choice of a supplier: what that supplier and the merchant are told; nobody else is (rule 5.10)."""


def _speak(draft: Draft) -> None:
    """Collect the row's effects and flag; a clock that repeats sets its flag only after the last time.

    A person's reason is theirs: it stays in the history, and no effect carries it (rule 5.10).
    """
    own = ("reason", "now") if draft.event.actor.startswith(PERSON) else ()
    fields = {name: value for name, value in draft.event.fields.items() if value is not None and name not in own}
    noted = {name: value for name, value in draft.details.items() if name not in _OF_CHOICE}
    for kind in draft.row.effects:
        if kind in draft.left_out:
            continue
        if _is_history(draft.case, draft.event) and EFFECT_OF[kind].party in (Party.supplier, Party.platform):
            continue
        number = _attempt_concerned(draft, kind)
        supplier = draft.case.attempts[number - 1].supplier
        told = {name: value for name, value in fields.items() if name != "tell"} if kind == "place_supply" else fields
        chosen = {name: draft.details[name] for name in _of_choice(kind) if name in draft.details}
        details = {
            **told,
            **noted,
            **chosen,
            "about": draft.event.trigger,
            "supplier": supplier,
        }
        mode = draft.rules.policy.mode(kind)  # who was to be asked has decided by now
        leaves_at = _may_be_undone_until(draft, kind)
        draft.effects.append(EffectDraft(kind, number, details, Mode.auto if mode is Mode.ask else mode, leaves_at))
    if draft.row.flag and "repeat" not in draft.row.changes:
        draft.flags.append(draft.row.flag)


def _of_choice(kind: str) -> tuple[str, ...]:
    """Return the names of what an effect tells of the choice of a supplier."""
    if kind == "place_supply":
        return _TOLD_TO_THE_CHOSEN
    return _TOLD_TO_THE_MERCHANT if EFFECT_OF[kind].party is Party.merchant else ()


def _may_be_undone_until(draft: Draft, kind: str) -> datetime | None:
    """Return until when what a person causes does not leave; None: what tells the merchant's own people leaves at once."""
    event, is_told_at_once = draft.event, EFFECT_OF[kind].party in (Party.merchant, Party.contact)
    may_be_undone = event.actor.startswith(PERSON) and event.trigger not in STAYS_DONE
    if is_told_at_once or not may_be_undone or event.fields.get("now"):
        return None
    return event.recorded + draft.rules.policy.effects.undo_within.span()


def _attempt_concerned(draft: Draft, kind: str) -> int:
    """Return the attempt that an effect speaks about: mostly the current one."""
    match kind:
        case "recover_supply":
            return int(draft.details["left_attempt"] or 1)
        case "cancel_supply":
            return int(draft.details["called_off"] or 1)
        case "chase_recovery":
            return next(row.attempt or 1 for row in draft.case.ledger if row.number == draft.details["ledger"])
        case _:
            return draft.case.current


def _finish(draft: Draft) -> Step:
    before, event = draft.case, draft.event
    assert before.state is not None, "every row leads to a state or stays in one"
    fields = {
        "sequence": before.steps + 1,
        "trigger": event.trigger,
        "source": draft.came_from,
        "target": before.state,
        "occurred": event.at,
        "due": event.timer.due_at if event.timer else None,
        "recorded": event.recorded,
        "actor": event.actor,
        "reason": _reason(draft),
        "details": _details(draft),
        "policy": draft.rules.version,
        "wrote": written(draft.was, before, draft.timers),
    }
    row = sealed(before.name, before.last_hash, fields)
    draft.change(steps=row.sequence, last_hash=row.hash)
    case = draft.case
    dropped = tuple(obsolete(draft.was, case))
    flags, cleared = tuple(draft.flags), tuple(draft.cleared)
    return Step(case, row, draft.timers, tuple(draft.effects), dropped, flags, cleared, draft.replacement, draft.suppliers)


def _reason(draft: Draft) -> str | None:
    reason = draft.event.fields.get("reason")
    return None if reason is None else without_buyer(draft.case.order, str(reason), _personal(draft))


def _personal(draft: Draft) -> list[str | None]:
    """Return what the report itself says of the buyer, and what was known before it or before an amendment."""
    known, was = FIELDS.get(draft.event.trigger, {}), draft.was.order
    told: list[str | None] = [
        str(value) for name, value in draft.event.fields.items() if name in known and known[name].personal
    ]
    told += draft.case.former_buyer
    return told if was is draft.case.order else [*told, *(getattr(was, name) for name in PERSONAL)]


def _details(draft: Draft) -> dict[str, Detail]:
    """Return what the history keeps: the report's fields and the step's notes, personal data as digests."""
    known, case = FIELDS.get(draft.event.trigger, {}), draft.case
    details, also = dict[str, Detail](), _personal(draft) if draft.event.fields else ()
    for name, value in draft.event.fields.items():
        if value is None or name == "reason":
            continue
        if name in known and known[name].personal:
            details[name] = digest(case.salt, str(value))
        elif isinstance(value, str) and (name not in known or known[name].kind == "text"):
            details[name] = without_buyer(case.order, value, also)
        else:
            details[name] = value
    details.update(draft.details)
    if pieces := draft.details.get("pieces"):
        details["pieces"] = without_buyer(case.order, str(pieces))
    return details
