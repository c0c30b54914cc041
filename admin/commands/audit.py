"""audit: verify the hash chain of every history."""

import click

from admin.app import App
from admin.text import safe
from storage import queries
from workflow.plurals import counted


@click.command("audit")
@click.pass_context
def audit_command(ctx: click.Context) -> None:
    """Check every order's history: an edited, deleted, reordered or cut-off row is found."""
    with App(ctx).ready().read() as connection:
        broken = [*queries.broken_chains(connection)]
        orders = sum(queries.counts(connection)["orders"].values())
    for name, wrong in broken:
        click.echo(f"{safe(name)}: {wrong}")
    click.echo(f"{counted(orders, 'history', 'histories')} checked, {len(broken)} broken.")
    ctx.exit(1 if broken else 0)
