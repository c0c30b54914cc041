"""audit: verify histories, and hold them against anchors that are kept elsewhere."""

import click

from admin.app import App, now
from admin.text import safe
from engine.auditing import Anchor, Deep, anchor, audit, changed_since
from workflow.plurals import counted


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
        raise click.UsageError("--anchor prints a digest and checks nothing: give it alone.")
    kept = Anchor.parse(since) if since is not None else None
    app = App(ctx)
    database = app.ready()
    if make_anchor:
        made = anchor(database, now())
        click.echo(str(made))
        covers = f"{counted(made.orders, 'history', 'histories')} as recorded by {app.when(made.at, how_far=False)}"
        click.echo(f"It covers {covers}; what is younger may still be written by a transaction that is open.", err=True)
        return
    found = audit(database, Deep(app.rules_for_reading(), app.vault()) if deep else None)
    for name, wrong in found.broken:
        click.echo(f"{safe(name)}: {wrong}")
    click.echo(f"{counted(found.orders, 'history', 'histories')} checked, {len(found.broken)} broken.")
    if found.unsealed:
        begun = counted(found.unsealed, "history", "histories")
        more = "" if deep else ": audit --deep tells them again"
        click.echo(f"Of {begun} that an older program began, only what was written since could be compared{more}.")
    if found.untold:
        untold = counted(found.untold, "history", "histories")
        click.echo(f"{untold} could not be told again (older programs, erased buyers, orders of a chain).")
    changed = changed_since(database, kept) if kept else None
    if kept:
        click.echo(f"Since the anchor of {app.when(kept.at)}: {changed or 'nothing recorded before it was changed'}.")
    ctx.exit(1 if found.broken or changed else 0)
