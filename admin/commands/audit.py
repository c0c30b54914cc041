"""audit: verify histories, and hold them against anchors that are kept elsewhere."""

import click

from admin.app import App, now
from admin.output import print_wrapped
from admin.progress import progress
from admin.text import safe
from engine.auditing import Anchor, Deep, anchor, audit, changed_since
from language import counted, tr


@click.command("audit")
@click.option("--deep", is_flag=True, help="Also take every step again by the rules, and read the files of evidence (slow)")
@click.option("--anchor", "make_anchor", is_flag=True, help="Print a digest over all histories, to be kept elsewhere")
@click.option("--since", metavar="ANCHOR", help="Check that nothing recorded before this anchor was changed")
@click.pass_context
def audit_command(ctx: click.Context, deep: bool, make_anchor: bool, since: str | None) -> None:
    """Check every order's history: an edited, deleted, reordered or cut-off row is found, and a deleted order.

    Each step sealed what it wrote: suppliers' turns, timers, money and claims that no step wrote so are found too.
    A person with write access can also recompute a whole chain: only a check against an anchor shows that.
    """
    if make_anchor and (deep or since is not None):
        raise click.UsageError(tr("--anchor prints a digest and checks nothing: give it alone."))
    kept = Anchor.parse(since) if since is not None else None
    app = App(ctx)
    database = app.ready()
    if make_anchor:
        made = anchor(database, now())
        click.echo(str(made))
        covers = tr(
            "{histories} as recorded by {at}",
            histories=counted(made.orders, "history", "histories"),
            at=app.when(made.at, how_far=False),
        )
        click.echo(
            tr("It covers {covers}; what is younger may still be written by a transaction that is open.", covers=covers),
            err=True,
        )
        return
    with progress(tr("histories")) as bar:
        found = audit(database, Deep(app.rules_for_reading(), app.vault()) if deep else None, bar.reach)
    for name, wrong in found.broken:
        click.echo(f"{safe(name)}: {wrong}")
    print_wrapped(
        tr(
            "{histories} checked, {count} broken.",
            histories=counted(found.orders, "history", "histories"),
            count=len(found.broken),
        )
    )
    if found.unsealed:
        begun = counted(found.unsealed, "history", "histories")
        more = "" if deep else tr(": audit --deep tells them again")
        print_wrapped(
            tr(
                "Of {begun} that an older program began, only what was written since could be compared{more}.",
                begun=begun,
                more=more,
            )
        )
    if found.untold:
        untold, first = counted(len(found.untold), "history", "histories"), ", ".join(found.untold[:5])
        print_wrapped(
            tr(
                "{untold} could not be told again (older programs, erased buyers, orders of a chain, steps that were taken back"
                " twice in one instant): {first}{more}",
                untold=untold,
                first=safe(first),
                more=", …" if len(found.untold) > 5 else "",
            )
        )
    changed = changed_since(database, kept) if kept else None
    if kept:
        print_wrapped(
            tr(
                "Since the anchor of {at}: {changed}.",
                at=app.when(kept.at),
                changed=changed or tr("nothing recorded before it was changed"),
            )
        )
    ctx.exit(1 if found.broken or changed else 0)
