"""claims: what buyers claim, with their photos and videos."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from admin.app import App, now
from admin.lazy import LazyGroup
from admin.lists import Paging, list_options, print_page
from admin.options import Choice
from admin.tables import overdue
from engine import views
from engine.views import ClaimSummary, Filter
from language import tr
from workflow.case.case import Claim
from workflow.vocabulary import ClaimStatus, ClaimVerdict, Remedy

OF_ONE_ORDER: dict[str, str] = {
    "show": "Show the claims of an order; with --images as one HTML file that needs no other.",
    "preview": "Say what a refund of the open claim would ask for, and what a replacement would hold.",
    "evidence": "Add photos and videos to a claim; save one.",
}


@click.group("claims", cls=LazyGroup, module="admin.commands.claim_detail", described=OF_ONE_ORDER, invoke_without_command=True)
@click.option("--status", type=Choice((*map(str, ClaimStatus), "all")), default="open", show_default=True)
@list_options("the claim was opened")
@click.pass_context
def claims_command(
    ctx: click.Context,
    status: str,
    wanted: Filter,
    paging: Paging,
) -> None:
    """List claims, those with the nearest deadline first.

    Claims are opened and moved with `aftersales report ID open_claim`, approve, choose_refund and so on.
    """
    if ctx.invoked_subcommand:
        return
    app = App(ctx)
    wanted = replace(wanted, statuses=() if status == "all" else (status,))
    page = views.list_claims(app.ready(), wanted, paging.limit, paging.after)

    def cells(one: ClaimSummary) -> Sequence[Any]:
        due = overdue(app.brief(one.next_due), one.next_due, now())
        return one.order, one.number, one.kind, one.written, stage(one), due

    columns = ("order", "claim", "kind", "pieces", "stage", tr("next deadline"))
    print_page("claims", page, paging, columns, cells, "No such claims.")


def stage(claim: Claim | ClaimSummary) -> str:
    """Say what an open claim waits for, or what has become of one that has ended."""
    if claim.status is not ClaimStatus.open:
        return claim.status
    if claim.verdict is ClaimVerdict.approved:
        choices = {
            Remedy.refund: tr("approved: the refund is awaited"),
            Remedy.reissue: tr("approved: the replacement is awaited"),
        }
        return choices[claim.chosen] if claim.chosen else tr("approved: choose refund or reissue")
    evidence, verification_due = bool(claim.evidence), claim.verification_due
    if evidence and not verification_due:
        return tr("the platform's verdict is awaited")
    return tr("more evidence is awaited") if evidence else tr("evidence is awaited")
