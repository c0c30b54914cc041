"""resolve: clear the flags of an order that needs a person."""

import click

from admin.app import App, now, person
from admin.options import Note
from storage import attention, queries
from workflow.errors import UsageError
from workflow.suggestions import did_you_mean


@click.command("resolve")
@click.argument("identity", metavar="ID")
@click.argument("word", type=Note())
@click.option("--flag", help="Only this flag (default: every one that stands)")
@click.pass_context
def resolve_command(ctx: click.Context, identity: str, word: str, flag: str | None) -> None:
    """Clear what makes the order ID need a person, with a NOTE on what was done."""
    app = App(ctx)
    with app.ready().write() as connection:
        key = queries.resolve_id(connection, identity)
        standing = [row["flag"] for row in queries.attention(connection, key)]
        if flag and flag not in standing:
            raise UsageError(f"{flag!r} does not stand on that order{did_you_mean(flag, standing or ['none'])}")
        count = attention.resolve_flags(connection, key, flag, person(), word, now())
    click.echo(f"{count} resolved." if count else "Nothing to resolve.")
