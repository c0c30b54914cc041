"""What `claims` shows of one order's claims, and the files that are added to them."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from admin.app import App, now, person
from admin.commands.claims import stage
from admin.options import JSON
from admin.output import fields_of, new_file, print_json, print_wrapped, refuse_existing
from admin.tables import print_rows
from admin.text import safe
from engine.claim_views import EvidenceFile, claims_of, file_of, preview_remedies
from language import counted, tr
from workflow.case import claims
from workflow.case.case import Case, Claim
from workflow.case.money import show_amount
from workflow.errors import AftersalesError, OrderError, UsageError

if TYPE_CHECKING:
    from evidence.vault import Vault


@click.command("show")
@click.argument("identity", metavar="ID")
@click.option("--images", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with the photos to this new file")
@JSON
@click.pass_context
def show_command(ctx: click.Context, identity: str, images: Path | None, as_json: bool) -> None:
    """Show the claims of the order ID; with --images as one HTML file that needs no other."""
    app = App(ctx)
    found = claims_of(app.ready(), identity)
    case, files = found.case, found.files
    if images:
        _write_page(app, case, files, images)
        return
    if as_json:
        print_json({"order": case.name, "state": case.state, "claims": [_claim_json(case, one, files) for one in case.claims]})
        return
    print_wrapped(tr("Order {name} is {state}.", name=safe(case.name), state=case.state))
    for claim in case.claims:
        print_wrapped(tr("\nClaim {number}: {kind}", number=claim.number, kind=claim.kind))
        for name, value in _facts(app, case, claim, files):
            click.echo(f"  {name}: {safe(value)}")
        _print_files([one for one in files if one.claim == claim.number])


def _claim_json(case: Case, claim: Claim, files: Sequence[EvidenceFile]) -> dict[str, Any]:
    value = claims.worth(case, dict(claim.pieces))
    kept = [fields_of(one) for one in files if one.claim == claim.number]
    return {**fields_of(claim), "worth": None if value is None else show_amount(value, case.order.currency), "files": kept}


def _facts(app: App, case: Case, claim: Claim, files: Sequence[EvidenceFile]) -> Iterator[tuple[str, str]]:
    kept = {one.sha256 for one in files}
    value = claims.worth(case, dict(claim.pieces))
    yield tr("claimed"), claims.written(case, dict(claim.pieces))
    yield tr("worth"), tr("not known: no price") if value is None else show_amount(value, case.order.currency)
    yield tr("the customer asks for"), claim.remedy
    yield tr("opened"), app.when(claim.opened_at)
    yield tr("stage"), stage(claim)
    if claim.decided_at:
        yield tr("verdict"), f"{claim.verdict}, {app.when(claim.decided_at)}"
    named = [one for one in claim.evidence if one not in kept]
    if named:
        yield tr("evidence that is not kept here"), ", ".join(named)
    for timer in case.timers:
        if timer.claim == claim.number and timer.status == "pending":
            yield tr("deadline ({trigger})", trigger=timer.trigger), app.when(timer.due_at)
    if claim.replacement:
        yield tr("replacement"), tr("order {shop}/{replacement}", shop=case.order.shop, replacement=claim.replacement)


def _print_files(files: Sequence[EvidenceFile]) -> None:
    rows = [
        (
            one.name or tr("(erased)"),
            one.kind,
            f"{one.width} × {one.height}",
            f"{one.bytes:,} B",
            one.sha256[:12],
            ", ".join(one.elsewhere) or None,
        )
        for one in files
    ]
    print_rows("Files", ("name", "kind", "pixels", "size", "digest", "also in"), rows, "  no files")


def _write_page(app: App, case: Case, files: Sequence[EvidenceFile], target: Path) -> None:
    from jinja2 import Environment, FileSystemLoader

    refuse_existing(target)
    page = Environment(loader=FileSystemLoader(Path(__file__).parents[1] / "pages"), autoescape=True).get_template("claim.html")
    vault = app.vault()
    told = [
        {
            "number": claim.number,
            "kind": claim.kind,
            "facts": [(name, safe(value)) for name, value in _facts(app, case, claim, files)],
            "files": [_picture(app, vault, one) for one in files if one.claim == claim.number],
        }
        for claim in case.claims
    ]
    written = app.when(now(), how_far=False)
    text = page.render(order=safe(case.name), state=case.state, written=written, claims=told)
    with new_file(target) as file:
        file.write(text.encode())
    print_wrapped(
        tr(
            "Wrote {target}: {files} of {claims}.",
            target=target,
            files=counted(len(files), "file"),
            claims=counted(len(case.claims), "claim"),
        )
    )


def _picture(app: App, vault: "Vault", one: EvidenceFile) -> dict[str, Any]:
    """Return what the page shows of a file: of a photo the copy that carries nothing but its pixels."""
    from evidence.vault import SHOWN, VaultFailed

    image, instead = None, one.kind
    if one.erased_at:
        instead = "erased"
    elif one.shown == "image/jpeg":
        try:
            image = "data:image/jpeg;base64," + base64.b64encode(vault.get(SHOWN, one.sha256)).decode()
        except VaultFailed as error:
            instead = str(error)
    return {
        "image": image,
        "instead": instead,
        "name": safe(one.name or tr("(erased)")),
        "size": tr(
            "{kind}, {width} × {height} pixels, {bytes:,} bytes",
            kind=one.kind,
            width=one.width,
            height=one.height,
            bytes=one.bytes,
        ),
        "added": tr("{added_at} by {added_by}", added_at=app.when(one.added_at, how_far=False), added_by=safe(one.added_by)),
        "sha256": one.sha256,
        "elsewhere": [safe(location) for location in one.elsewhere],
    }


PREVIEWED = ("claimed", "worth", "refund would ask for", "could still come back", "replacement", "left to claim")
"""What a preview tells, as --json names it."""


@click.command("preview")
@click.argument("identity", metavar="ID")
@JSON
@click.pass_context
def preview_command(ctx: click.Context, identity: str, as_json: bool) -> None:
    """Say what a refund of the open claim would ask for, and what a replacement would hold; nothing is reported."""
    found = preview_remedies(App(ctx).ready(), identity)
    case, claim, currency = found.case, found.claim, found.case.order.currency
    asks_for = _sum(found.refund_asks_for, currency)
    values = (
        claims.written(case, dict(claim.pieces)),
        _sum(found.worth, currency),
        tr("the full amount paid; a person names the sum") if found.worth is None else asks_for,
        _sum(found.may_still_come_back, currency),
        tr("possible") if found.replacement_possible else tr("no: it is the second one already"),
        found.left_to_claim or tr("nothing"),
    )
    told = dict(zip(PREVIEWED, values, strict=True))
    if as_json:
        print_json({"order": case.name, "claim": claim.number, **told})
        return
    print_wrapped(tr("Order {name}, claim {number} ({kind}):", name=safe(case.name), number=claim.number, kind=claim.kind))
    for name, text in told.items():
        click.echo(f"  {tr(name)}: {safe(text)}")


def _sum(amount: int | None, currency: str) -> str:
    return tr("not known") if amount is None else show_amount(amount, currency)


@click.group("evidence")
def evidence_command() -> None:
    """Photos and videos of claims."""


@evidence_command.command("add")
@click.argument("identity", metavar="ID")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE_OR_FOLDER...")
@click.option("--reopen", is_flag=True, help="Open a rejected claim again with these files")
@click.option("--reason", help="A word on what they show")
@click.pass_context
def add_command(ctx: click.Context, identity: str, paths: tuple[Path, ...], reopen: bool, reason: str | None) -> None:
    """Add photos and videos (JPEG, PNG, WebP, MP4, MOV) to the open claim of the order ID.

    Every file is looked at first: if one is damaged, too large or something else, nothing is kept.
    """
    from engine.claim_evidence import Submission, add_evidence  # reads pictures, which lists do without

    app = App(ctx)
    database = app.ready()
    for path in paths:
        if not path.exists():
            raise UsageError(tr("{path} does not exist", path=path))
    trigger = "reopen_claim" if reopen else "submit_evidence"
    submission = Submission(identity, paths, person(), trigger, reason)
    try:
        added = add_evidence(database, app.vault(), submission, now(), app.rules())
    except OrderError as error:
        if reopen or "reopen_claim" not in error.allowed:
            raise
        raise AftersalesError(
            tr("{error} To open the rejected claim again with these files: --reopen.", error=error)
        ) from error
    case = added.outcome.case
    print_wrapped(
        tr(
            "Order {name} is {state}; claim {count} has {more_files}.",
            name=safe(case.name),
            state=case.state,
            count=len(case.claims),
            more_files=counted(added.new, "more file") if added.new else tr("these files already"),
        )
    )
    _print_files(added.files)
    for one in added.files:
        for location in one.elsewhere:
            print_wrapped(
                tr("Look twice: {name} is also in {location}.", name=safe(one.name or one.sha256[:12]), location=safe(location))
            )


@evidence_command.command("save")
@click.argument("identity", metavar="ID")
@click.argument("digest")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--original", is_flag=True, help="The sealed original, with all that the camera noted, instead of the copy")
@click.pass_context
def save_command(ctx: click.Context, identity: str, digest: str, target: Path, original: bool) -> None:
    """Save the file that begins with DIGEST, of a claim of the order ID, as the new file TARGET."""
    from evidence.vault import ORIGINALS, SHOWN

    app = App(ctx)
    refuse_existing(target)
    one = file_of(app.ready(), identity, digest)
    content = app.vault().get(ORIGINALS if original else SHOWN, one.sha256)
    with new_file(target) as file:
        file.write(content)
    print_wrapped(
        tr(
            "Saved {target} ({kind}, {count:,} bytes).",
            target=target,
            kind=one.kind if original else one.shown,
            count=len(content),
        )
    )
