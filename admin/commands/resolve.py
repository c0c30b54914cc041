"""resolve: clear the flags of an order that needs a person."""

import click

from admin.app import App, now, person
from admin.options import Note
from engine.deciding import resolve
from language import counted, tr


@click.command("resolve")
@click.argument("identity", metavar="ID")
@click.argument("note", type=Note())
@click.option("--flag", help="Only this flag (default: all of them)")
@click.pass_context
def resolve_command(ctx: click.Context, identity: str, note: str, flag: str | None) -> None:
    """Clear what makes the order ID need a person, with a NOTE on what was done."""
    app = App(ctx)
    resolved = resolve(app.ready(), identity, [flag] if flag else None, person(), note, now(), app.rules())
    click.echo(
        tr("{flags} resolved: {resolved}.", flags=counted(len(resolved), "flag"), resolved=", ".join(resolved))
        if resolved
        else tr("Nothing to resolve.")
    )
