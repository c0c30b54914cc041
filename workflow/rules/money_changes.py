"""What the reports about money do to the ledger (docs/process.md, part 4)."""

from collections.abc import Sequence

from workflow.case import claims
from workflow.case.case import Case, LedgerRow, Report, replace_fields
from workflow.draft import Draft
from workflow.process import LEAVE_A_SUPPLIER
from workflow.rules import choosing, timers
from workflow.vocabulary import ClaimStatus, LedgerSide, LedgerStatus, State


def ask_for_a_refund(draft: Draft) -> None:
    """Write the refund into the ledger: of the open claim's pieces, else of the whole order (rules 4.2 and 8.6)."""
    claim = draft.case.claim
    amount = claims.to_ask_for(draft.case, claim)
    draft.add_ledger(LedgerSide.refund, amount, attempt=draft.case.current, claim=claim.number if claim else None)
    draft.note(amount=amount, pieces=claims.written(draft.case, dict(claim.pieces)) if claim else None)
    if draft.event.trigger in LEAVE_A_SUPPLIER:
        draft.note(passed_over=choosing.passed_over_in_vain(draft.was, draft.rules, draft.event.recorded))


def settle_refund(draft: Draft) -> None:
    """All that was asked for is back, or the rest will not come; what was claimed is made good (rules 4.3 and 8.6)."""
    if requested := draft.case.open_refund:
        book(draft, requested, _came(draft), is_final=True)
    draft.change_claim(status=ClaimStatus.refunded)


def settle_a_part(draft: Draft) -> None:
    """A part of the refund is back; the rest stays requested (rule 4.3)."""
    requested = draft.case.open_refund
    assert requested is not None, "in refunding a refund is open"
    book(draft, requested, _came(draft))


def decline_refund(draft: Draft) -> None:
    """The platform will not pay; a claim can be remedied otherwise, and its window does not run any more (rule 4.4)."""
    if requested := draft.case.open_refund:
        close(draft, requested, LedgerStatus.declined)
    draft.change_claim(chosen=None)


def decline_the_rest(draft: Draft) -> None:
    """The platform has paid a part of the refund, and will not pay the rest (rule 4.4)."""
    requested = draft.case.open_refund
    assert requested is not None, "the guard has seen the part"
    book(draft, requested, 0, is_final=True)
    draft.change_claim(status=ClaimStatus.refunded)


def settle_recovery(draft: Draft) -> None:
    """The old supplier has paid back, all of it or a part (rule 4.5)."""
    book(draft, _named_recovery(draft), _came(draft), is_final=bool(draft.event.fields.get("final")))


def decline_recovery(draft: Draft) -> None:
    """The old supplier will not pay back, or not the rest (rule 4.5)."""
    row = _named_recovery(draft)
    if row.settled_amount:
        book(draft, row, 0, is_final=True)
    else:
        close(draft, row, LedgerStatus.declined)


def enter_unasked_money(draft: Draft) -> None:
    """Money has come that was not asked for: it is that of an open recovery where it fits one, else a refund (rule 4.6)."""
    came = _came(draft)
    fitting = [row for row in draft.case.open_recoveries() if claims.rest(row) == came]
    book(draft, fitting[0] if len(fitting) == 1 else _unasked(draft, came), came)


def settle_the_claim(draft: Draft) -> None:
    """All that the open claim is worth has come before it was asked for (rule 4.6)."""
    came, claim = _came(draft), draft.case.claim
    assert claim is not None, "the guard has seen the claim"
    book(draft, _unasked(draft, came, claim=claim.number), came)


def _unasked(draft: Draft, came: int | None, claim: int | None = None) -> LedgerRow:
    return draft.add_ledger(LedgerSide.refund, came, attempt=draft.case.current, claim=claim)


def correct_settlement(draft: Draft) -> None:
    """A sum that had come was wrong; what is missing now is asked for again, of a refund in refunding alone (rule 4.7)."""
    fields = draft.event.fields
    row = next(one for one in draft.case.ledger if one.number == fields["row"])
    came, was = int(fields["amount"] or 0), row.settled_amount or 0
    correction = draft.add_ledger(row.side, came - was, attempt=row.attempt, claim=row.claim)
    corrected = {"status": LedgerStatus.corrected, "decided_at": draft.event.at, "corrects": row.number}
    draft.change_ledger(replace_fields(correction, **corrected))
    awaited = row.side is LedgerSide.recovery or draft.row.target is State.refunding or row.status is LedgerStatus.requested
    missing = claims.missing_after(draft.was, row, came) if awaited else 0
    draft.note(was_amount=was)
    if declined := claims.declined_with(draft.was, row):
        row = _share_anew(draft, row, declined, came)
    draft.change_ledger(_after_the_correction(draft, row, came, missing))
    _end_chases(draft, row)
    if missing and row.side is LedgerSide.recovery:
        timers.start(draft, "chase_recovery", ledger=row.number)
    elif missing:
        again = {"status": ClaimStatus.open}
        draft.change(
            claims=tuple(replace_fields(one, **again) if one.number == row.claim else one for one in draft.case.claims)
        )
        timers.restart_if_running(draft, "chase_refund")


def _after_the_correction(draft: Draft, row: LedgerRow, came: int, missing: int) -> LedgerRow:
    """Return a row with the sum that has come: requested again where something is missing, else settled, or as it was."""
    if missing:
        asked = row.amount if row.amount == came + missing else came + missing  # what is equal is not sealed as a change
        again = {"amount": asked, "status": LedgerStatus.requested, "decided_at": None}
        return replace_fields(row, settled_amount=came, **again)
    status = row.status if row.status is LedgerStatus.withdrawn else LedgerStatus.settled
    return replace_fields(row, settled_amount=came, status=status, decided_at=draft.event.at)


def _share_anew(draft: Draft, row: LedgerRow, declined: Sequence[LedgerRow], came: int) -> LedgerRow:
    """Return a row whose rest was declined with its last part, with what it asks for now; all else is declined."""
    asked = claims.asked_after(draft.was, row, came)
    left = (row.amount or 0) + sum(one.amount or 0 for one in declined) - asked
    for one in reversed(declined):
        draft.change_ledger(replace_fields(one, amount=left, status=LedgerStatus.declined if left else LedgerStatus.withdrawn))
        left = 0
    return replace_fields(row, amount=max(asked, came))


def book_what_came_with(draft: Draft, report: Report) -> None:
    """Book the sum that a report names which waits for a decision: whatever is decided, the money has come (rule 4.8)."""
    came = report.fields.get("amount") if report.trigger == "report_closed" else None
    if came is not None and not has_booked(draft.was, report):
        book(draft, _unasked(draft, int(came)), int(came))


def has_booked(case: Case, report: Report) -> bool:
    """Say whether the sum that a report names was booked when it asked for a decision."""
    asked = {one.since for one in case.decisions if (one.source, one.key) == (report.source, report.key)}
    return any(row.side is LedgerSide.refund and row.requested_at in asked for row in case.ledger)


def settle_what_came(draft: Draft) -> None:
    """Who closed the order has named what is paid back: it is settled at once against that attempt's money (rule 4.8)."""
    came, case = _came(draft), draft.case
    if not came:
        return
    attempt = int(draft.details.get("left_attempt") or draft.details.get("attempt") or draft.case.current)
    owed = [row for row in case.open_recoveries() if row.attempt == attempt]
    owed += [case.open_refund] if case.open_refund and attempt == case.current else []
    if owed:
        book(draft, owed[0], came)
    else:
        book(draft, draft.add_ledger(LedgerSide.refund, came, attempt=attempt), came)
        draft.flags.append("money_unasked")


def book(draft: Draft, row: LedgerRow, came: int | None, *, is_final: bool = False) -> None:
    """Book money that has come for a ledger row; None: all that is missing of it.

    If it `is_final`, what is missing then is declined, in a row of its own.
    """
    had, asked = row.settled_amount or 0, row.amount
    total = asked if came is None else had + came
    rest = 0 if total is None or asked is None else max(0, asked - total)
    draft.note(**{row.side.value: row.number}, rest=rest or None)
    if rest and not is_final:
        draft.change_ledger(replace_fields(row, settled_amount=total))
        return
    if rest:
        row = replace_fields(row, amount=total)
        declined = draft.add_ledger(row.side, rest, attempt=row.attempt, claim=row.claim)
        draft.note(**{row.side.value: row.number})
        draft.change_ledger(replace_fields(declined, status=LedgerStatus.declined, decided_at=draft.event.at))
    draft.change_ledger(replace_fields(row, status=LedgerStatus.settled, settled_amount=total, decided_at=draft.event.at))
    _end_chases(draft, row)


def close(draft: Draft, row: LedgerRow, status: LedgerStatus) -> None:
    """Close a ledger row of which no more will come, and end the timer that chases it."""
    draft.change_ledger(replace_fields(row, status=status, decided_at=draft.event.at))
    draft.note(**{row.side.value: row.number})
    _end_chases(draft, row)


def end(draft: Draft, row: LedgerRow) -> None:
    """End what is asked for although nothing is missing any more: what has come of it is settled, else it is withdrawn."""
    if row.settled_amount:
        settled = {"status": LedgerStatus.settled, "amount": row.settled_amount, "decided_at": draft.event.at}
        draft.change_ledger(replace_fields(row, **settled))
        _end_chases(draft, row)
    else:
        close(draft, row, LedgerStatus.withdrawn)


def end_refund(draft: Draft) -> None:
    """All that was paid, as it is known now, has come back: nothing more is asked for (rule 4.2)."""
    requested = draft.case.open_refund
    assert requested is not None, "in refunding a refund is open"
    end(draft, requested)
    draft.change_claim(status=ClaimStatus.refunded)


def _end_chases(draft: Draft, row: LedgerRow) -> None:
    for timer in draft.case.timers:
        if timer.ledger == row.number:
            timers.end(draft, timer)


def _came(draft: Draft) -> int | None:
    """Return the sum that a report names."""
    amount = draft.event.fields.get("amount")
    return None if amount is None else int(amount)


def _named_recovery(draft: Draft) -> LedgerRow:
    named = draft.event.fields.get("recovery")
    return next(row for row in draft.case.open_recoveries() if named in (None, row.number))
