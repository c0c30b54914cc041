"""Photos and videos added to a claim: looked at, kept, and reported, or nothing at all."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.outcomes import Arrival, Outcome
from engine.reporting import apply
from evidence.media import BadEvidence
from evidence.uploads import Upload, examine, gather
from evidence.vault import ORIGINALS, SHOWN, Vault, VaultFailed
from language import counted, tr
from storage import evidence_files as records
from storage import queries
from storage.database import Database, repeated
from storage.evidence_files import EvidenceFile
from storage.locks import Lock
from workflow.case.case import Case, Report, own_key
from workflow.policy.policy import Rules
from workflow.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding files: the report's outcome, and the files, with other claims that have the same."""

    outcome: Outcome
    files: tuple[EvidenceFile, ...]
    new: int


@dataclass(frozen=True, slots=True)
class Submission:
    """Who adds which files to the claim of which order; `trigger` is submit_evidence or reopen_claim."""

    identity: str
    paths: Sequence[Path]
    actor: str
    trigger: str = "submit_evidence"
    reason: str | None = None


def add_evidence(database: Database, vault: Vault, submission: Submission, at: datetime, rules: Rules) -> Added:
    """Look at every file, keep them, and report them; if one is bad, or the report is refused, nothing is kept.

    Raises:
        BadEvidence: names the file and the reason.
        OrderError: the order takes no evidence now.

    """
    limits = rules.policy.evidence
    files = gather(submission.paths)
    if len(files) > limits.files_per_claim:
        raise BadEvidence(
            tr(
                "{files}: more than a claim may have ({files_per_claim})",
                files=counted(len(files), "file"),
                files_per_claim=limits.files_per_claim,
            )
        )
    with vault.workspace() as folder:
        uploads = [examine(path, limits, folder, number) for number, path in enumerate(files, 1)]
        with database.exclusive(Lock.evidence_files):  # so that no other process removes them before they are reported
            try:
                _keep(vault, uploads)
                return _report(database, submission, uploads, at, rules)
            except BaseException:
                _give_up(database, vault, uploads)
                raise


def _keep(vault: Vault, uploads: Sequence[Upload]) -> None:
    for one in uploads:
        vault.put(ORIGINALS, one.sha256, one.original)
        vault.put(SHOWN, one.sha256, one.seen.shown)


def _give_up(database: Database, vault: Vault, uploads: Sequence[Upload]) -> None:
    """Remove the files again that no claim has; a store that fails now keeps them, under names that say nothing."""
    with database.read() as connection:
        unclaimed = records.of_nobody(connection, (one.sha256 for one in uploads))
    with suppress(VaultFailed):
        for sha256 in unclaimed:
            vault.remove(sha256)


@repeated
def _report(database: Database, submission: Submission, uploads: Sequence[Upload], at: datetime, rules: Rules) -> Added:
    trigger, actor = submission.trigger, submission.actor
    fields = {"evidence": " ".join(one.sha256 for one in uploads), "reason": submission.reason}
    with database.write() as connection:
        stored = queries.stored_case(connection, submission.identity)
        _check_count(records.count(connection, stored.order_id, len(stored.case.claims)), uploads, rules)
        report = Report(trigger, at, actor, own_key(trigger, at), actor, fields)
        (outcome,) = apply(connection, [Arrival(stored.case.order, (report,))], at, rules)
        received = outcome.received[0]
        if received.verdict is not Verdict.applied:
            raise received.error or BadEvidence(tr("the same was reported a moment ago: nothing changed"))
        rows = [_row(one, outcome.case, at, actor) for one in uploads]
        new = records.add(connection, stored.order_id, rows)
        mine = {one.sha256 for one in uploads}
        kept = [one for one in records.of_order(connection, stored.order_id) if one.sha256 in mine]
    return Added(outcome, tuple(one for one in kept if one.claim == len(outcome.case.claims)), new)


def _check_count(before: int, uploads: Sequence[Upload], rules: Rules) -> None:
    most = rules.policy.evidence.files_per_claim
    if before + len(uploads) > most:
        raise BadEvidence(
            tr(
                "the claim has {files}; with {count} more it would exceed the limit of {most}",
                files=counted(before, "file"),
                count=len(uploads),
                most=most,
            )
        )


def _row(upload: Upload, case: Case, at: datetime, actor: str) -> EvidenceFile:
    seen = upload.seen
    return EvidenceFile(
        claim=len(case.claims),
        sha256=upload.sha256,
        name=upload.name,
        kind=seen.kind,
        bytes=upload.bytes,
        width=seen.width,
        height=seen.height,
        shown=seen.shown_kind,
        added_at=at,
        added_by=actor,
    )
