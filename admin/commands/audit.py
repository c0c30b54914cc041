"""audit: verify histories, and hold them against anchors that are kept elsewhere."""

import click

from admin.app import App, now
from admin.text import safe
from engine.auditing import Anchor, anchor, audit, changed_since
from workflow.plurals import counted


@click.command("audit")
@click.option("--deep", is_flag=True, help="Tell each history again, and hold timers, claims and money against it (slow)")
@click.option("--anchor", "make_anchor", is_flag=True, help="Print a digest over all histories, to be kept elsewhere")
@click.option("--since", metavar="ANCHOR", help="Check that nothing recorded before this anchor was changed")
@click.pass_context
def audit_command(ctx: click.Context, deep: bool, make_anchor: bool, since: str | None) -> None:
    """Check every order's history: an edited, deleted, reordered or cut-off row is found, and a deleted order.

    A person with write access can also recompute a whole chain: only a check against an anchor shows that.
    """
    app = App(ctx)
    database = app.ready()
    if make_anchor:
        click.echo(str(anchor(database, now())))
        return
    kept = Anchor.parse(since) if since else None
    found = audit(database, now(), app.rules_for_reading() if deep else None)
    for name, wrong in found.broken:
        click.echo(f"{safe(name)}: {wrong}")
    click.echo(f"{counted(found.orders, 'history', 'histories')} checked, {len(found.broken)} broken.")
    if found.untold:
        click.echo(f"{counted(found.untold, 'history', 'histories')} of an older program could not be told again.")
    changed = changed_since(database, kept) if kept else None
    if kept:
        click.echo(f"Since the anchor of {app.when(kept.at)}: {changed or 'nothing recorded before it was changed'}.")
    ctx.exit(1 if found.broken or changed else 0)
