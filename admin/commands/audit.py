"""audit: verify the hash chain of every history."""

import click

from admin.app import App
from admin.text import safe
from engine.health import audit
from workflow.plurals import counted


@click.command("audit")
@click.pass_context
def audit_command(ctx: click.Context) -> None:
    """Check every order's history: an edited, deleted, reordered or cut-off row is found."""
    found = audit(App(ctx).ready())
    for name, wrong in found.broken:
        click.echo(f"{safe(name)}: {wrong}")
    click.echo(f"{counted(found.orders, 'history', 'histories')} checked, {len(found.broken)} broken.")
    ctx.exit(1 if found.broken else 0)
