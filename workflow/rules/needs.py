"""When an effect that has not left still has its point, by the names that the process uses (rule 5.7)."""

from collections.abc import Callable
from dataclasses import dataclass

from workflow.case.case import Case
from workflow.process import EFFECTS, INTERCEPTING, UNSHIPPED
from workflow.vocabulary import WHATEVER_ATTEMPT, Remedy, State


@dataclass(frozen=True, slots=True)
class Need:
    """A condition of a case, or (`of_attempt`) of one of its attempts; it never holds for a case without the `part`."""

    holds: Callable[[Case, int], bool]
    of_attempt: bool = False
    part: str = "attempts"


def _goes_on_in(case: Case) -> State | None:
    """Return the state of a case, or the one that it goes back to after an interception or a dispute."""
    return case.returns_to if case.state in (State.intercepting, State.disputed) else case.state


def _is_to_ship(case: Case, number: int) -> bool:
    """Say whether an attempt is current and neither shipped nor given up."""
    return number == case.current and _goes_on_in(case) in UNSHIPPED


def _was_urged(case: Case, number: int) -> bool:
    return case.attempts[number - 1].urged_at is not None and _is_to_ship(case, number)


def _recovery_is_open(case: Case, number: int) -> bool:
    return any(row.attempt == number for row in case.open_recoveries())


def _evidence_is_missing(case: Case) -> bool:
    claim = case.claim
    return claim is not None and claim.verdict is None and claim.verification_due


def _verdict_is_missing(case: Case) -> bool:
    claim = case.claim
    return claim is not None and claim.verdict is None


def _of_case(holds: Callable[[Case], bool], part: str = "attempts") -> Need:
    return Need(lambda case, _: holds(case), part=part)


NEEDS: dict[str, Need] = {
    "urged_supplier_is_to_ship": Need(_was_urged, of_attempt=True),
    "next_supplier_is_to_ship": Need(lambda case, number: number > 1 and _is_to_ship(case, number), of_attempt=True),
    "recovery_is_open": Need(_recovery_is_open, of_attempt=True, part="ledger"),
    "is_being_intercepted": _of_case(lambda case: case.state in INTERCEPTING),
    "customs_hold_it": _of_case(lambda case: _goes_on_in(case) is State.customs_hold),
    "evidence_is_missing": _of_case(_evidence_is_missing, "claims"),
    "verdict_is_missing": _of_case(_verdict_is_missing, "claims"),
    "refund_is_open": _of_case(lambda case: case.open_refund is not None, "ledger"),
    "replacement_is_chosen": _of_case(lambda case: case.claim is not None and case.claim.chosen is Remedy.reissue, "claims"),
}

_KINDS = {name: tuple(one.kind for one in EFFECTS if one.needed_while == name) for name in NEEDS}
_BY_PART = tuple(
    (part, tuple((NEEDS[name], _KINDS[name]) for name in NEEDS if NEEDS[name].part == part))
    for part in ("attempts", "ledger", "claims")
)


def obsolete(was: Case, now: Case) -> list[tuple[str, int]]:
    """Return the kinds of effects that have lost their point by a step, each with the attempt that it speaks about."""
    lost: list[tuple[str, int]] = []
    for part, needs in _BY_PART:
        if getattr(was, part):
            numbers = range(1, len(was.attempts) + 1)
            for need, kinds in needs:
                for number in numbers if need.of_attempt else (WHATEVER_ATTEMPT,):
                    if need.holds(was, number) and not need.holds(now, number):
                        lost += [(kind, number) for kind in kinds]
    return lost
