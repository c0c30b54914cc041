"""Groups of commands that import a command only to run it, or to show its own help: a list starts without its siblings."""

import importlib
from collections.abc import Mapping
from inspect import cleandoc
from keyword import kwlist
from typing import Any

import click

from language import tr
from workflow.suggestions import did_you_mean


def translated(command: click.Command) -> click.Command:
    """Put the help of a command, its options and its own subcommands into the language of the screens; return it."""
    command.help = command.help and tr(cleandoc(command.help))
    for one in command.params:
        if isinstance(one, click.Option):
            one.help = one.help and tr(one.help)
    for other in command.commands.values() if isinstance(command, click.Group) else ():
        translated(other)
    return command


class LazyGroup(click.Group):
    """Knows its commands by name and help; the function NAME_command of a module is imported when it is used."""

    def __init__(self, *args: Any, module: str, described: Mapping[str, str], **options: Any) -> None:
        """Take the module's name, in which {} stands for the command's, and the help of each command by its name."""
        super().__init__(*args, **options)
        self._module, self.described = module, described

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are described."""
        return [*self.described]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.described:
            return None
        module = importlib.import_module(self._module.format(f"{cmd_name}_" if cmd_name in kwlist else cmd_name))
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command), cmd_name
        return translated(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a mistyped one."""
        if args and not args[0].startswith("-") and args[0] not in self.described:
            ctx.fail(tr("No such command {args!r}{hint}", args=args[0], hint=did_you_mean(args[0], self.described)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section(tr("Commands")):
            formatter.write_dl([(name, tr(what)) for name, what in self.described.items()])
