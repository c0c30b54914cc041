"""What the rows about claims do to the case file (docs/process.md, part 8)."""

from dataclasses import replace

from workflow.case import claims
from workflow.case.case import Claim, Detail, replace_fields
from workflow.draft import Draft, Replacement
from workflow.process import WINDOW_CLOCKS
from workflow.rules import timers
from workflow.rules.guards import evidence_of
from workflow.vocabulary import ClaimKind, ClaimStatus, ClaimVerdict, Remedy, State


def open_claim(draft: Draft) -> None:
    """Open a claim on the pieces that the report names; the customer has some days to send evidence (rule 8.2)."""
    _open(draft, ClaimKind(str(draft.event.fields["kind"])))
    _start(draft, "lapse_evidence")
    tell_of_claim(draft)


def open_claim_of_lost_parcel(draft: Draft) -> None:
    """The carrier has lost the parcel: its report is the evidence that nothing was received (rule 8.2)."""
    _open(draft, ClaimKind.not_received)
    draft.change_claim(evidence=("the carrier's report",))


def _open(draft: Draft, kind: ClaimKind) -> None:
    case, fields = draft.case, draft.event.fields
    pieces = claims.named(case, _text(fields.get("lines"))) or {}
    remedy = Remedy(_text(fields.get("remedy")) or Remedy.refund)
    assert draft.came_from is not None, "only an order that was placed can be claimed"
    came_from = case.returns_to or State.delivered if case.state is State.disputed else draft.came_from
    number, written = len(case.claims) + 1, tuple(sorted(pieces.items()))
    draft.change(claims=(*case.claims, Claim(number, kind, draft.event.at, came_from, written, remedy)))


def add_to_claim(draft: Draft) -> None:
    """Add pieces to the open claim (rule 8.2)."""
    claim = _the_claim(draft)
    pieces = dict(claim.pieces)
    for number, quantity in (claims.named(draft.case, _text(draft.event.fields.get("lines"))) or {}).items():
        pieces[number] = pieces.get(number, 0) + quantity
    draft.change_claim(pieces=tuple(sorted(pieces.items())))
    tell_of_claim(draft)


def take_evidence(draft: Draft) -> None:
    """Record what the customer has sent; the evidence clock ends (rule 8.3)."""
    _add_evidence(draft)
    timers.end_all(draft, "lapse_evidence")


def take_up_again(draft: Draft) -> None:
    """A person has moved the order into its dispute: the open claim's clocks count from then (rules 2.11 and 8.3)."""
    claim = draft.case.claim
    if claim is None:
        draft.flags.append("no_claim")
        return
    draft.change_claim(chosen=None)
    timers.end_all(draft, "chase_verification", *WINDOW_CLOCKS)
    if claim.verdict is ClaimVerdict.approved:
        _start(draft, *WINDOW_CLOCKS)
    elif claim.evidence and not claim.verification_due:
        _start(draft, "chase_verification")
    else:
        _start(draft, "lapse_evidence")


def _add_evidence(draft: Draft) -> None:
    claim = _the_claim(draft)
    sent = evidence_of(draft.event.fields) or ("reported",)
    draft.change_claim(evidence=tuple(dict.fromkeys((*claim.evidence, *sent))))


def ask_for_verification(draft: Draft) -> None:
    """The platform is asked for its verdict, and chased until it gives one (rule 8.3)."""
    draft.change_claim(verification_due=False)
    _start(draft, "chase_verification")
    tell_of_claim(draft)


def begin_next_round(draft: Draft) -> None:
    """The platform wants more: the customer has some days again (rule 8.3)."""
    draft.change_claim(verification_due=True)
    _start(draft, "lapse_evidence")
    tell_of_claim(draft)


def lapse_claim(draft: Draft) -> None:
    """The claim lapses without evidence (rule 8.3)."""
    tell_of_claim(draft)
    draft.change_claim(status=ClaimStatus.lapsed)


def approve_claim(draft: Draft) -> None:
    """The window for the remedy begins (rule 8.5)."""
    draft.change_claim(verdict=ClaimVerdict.approved, decided_at=draft.event.at)
    timers.end_all(draft, "lapse_evidence", "chase_verification")
    _start(draft, *WINDOW_CLOCKS)
    tell_of_claim(draft)


def reject_claim(draft: Draft) -> None:
    """The platform sees no ground for the claim; it can be opened again once, with new evidence (rule 8.4)."""
    tell_of_claim(draft)
    back = draft.case.returns_to
    draft.change_claim(verdict=ClaimVerdict.rejected, decided_at=draft.event.at, status=ClaimStatus.rejected, went_back_to=back)


def reopen_claim(draft: Draft) -> None:
    """Open a rejected claim again with its new evidence (rule 8.4)."""
    last, case = draft.case.claims[-1], draft.case
    assert draft.came_from is not None, "the guard has seen where the order is"
    again = replace_fields(
        last, status=ClaimStatus.open, verdict=None, decided_at=None, reopened=True, came_from=draft.came_from
    )
    draft.change(claims=(*case.claims[:-1], again))
    _add_evidence(draft)


def withdraw_claim(draft: Draft) -> None:
    """The customer does not insist."""
    draft.change_claim(status=ClaimStatus.withdrawn)


def choose_refund(draft: Draft) -> None:
    """Money back; a replacement that was asked for before may have left already, which a person must see to (rule 8.5)."""
    if draft.case.claim and draft.case.claim.chosen is Remedy.reissue:
        draft.flags.append("replacement_asked")
    draft.change_claim(chosen=Remedy.refund)


def choose_reissue(draft: Draft) -> None:
    """A replacement (rule 8.5)."""
    draft.change_claim(chosen=Remedy.reissue)
    tell_of_claim(draft)


def place_replacement(draft: Draft) -> None:
    """The platform has placed the new order: what was claimed is made good by it (rule 8.7)."""
    case, claim, number = draft.case, _the_claim(draft), str(draft.event.fields["new_order"])
    draft.replacement = Replacement(*claims.replacement(case, claim, number, draft.event.at))
    draft.change_claim(status=ClaimStatus.reissued, replacement=number)
    draft.change(order=replace(case.order, chain=case.order.chain or case.order.number))


def end_window(draft: Draft) -> None:
    """The time for the remedy is over (rule 8.5)."""
    timers.end_all(draft, *WINDOW_CLOCKS)
    if draft.case.open_refund:
        draft.note(amount=claims.rest(draft.case.open_refund))


def tell_of_claim(draft: Draft) -> None:
    """Note what a message about the open claim speaks of, and until when the remedy must be done."""
    claim = _the_claim(draft)
    draft.note(claim=claim.number, kind=claim.kind, pieces=claims.written(draft.case, dict(claim.pieces)))
    draft.note(evidence_until=_due(draft, "lapse_evidence"))
    if claim.verdict is ClaimVerdict.approved:
        draft.note(chosen=claim.chosen, window_ends=_due(draft, "lapse_window"))


def _due(draft: Draft, trigger: str) -> str | None:
    """Return when a clock of the claim is due, as the history writes it."""
    return next((one.due_at.isoformat() for one in draft.case.timers if one.trigger == trigger), None)


def _start(draft: Draft, *triggers: str) -> None:
    """Start clocks of the open claim, which is the last one."""
    for trigger in triggers:
        timers.start(draft, trigger, claim=len(draft.case.claims))


def _the_claim(draft: Draft) -> Claim:
    claim = draft.case.claim
    assert claim is not None, "the guards and the timers have seen the claim"
    return claim


def _text(value: Detail) -> str | None:
    return None if value is None else str(value)
