"""Groups of commands that import a command only to run it, or to show its own help: a list starts without its siblings."""

import importlib
from collections.abc import Mapping
from keyword import kwlist
from typing import Any

import click

from workflow.suggestions import did_you_mean


class LazyGroup(click.Group):
    """Knows its commands by name and help; the function NAME_command of a module is imported when it is used."""

    def __init__(self, *args: Any, module: str, described: Mapping[str, str], **options: Any) -> None:
        """Take the module's name, in which {} stands for the command's, and the help of each command by its name."""
        super().__init__(*args, **options)
        self._module, self._described = module, described

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are described."""
        return [*self._described]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self._described:
            return None
        module = importlib.import_module(self._module.format(f"{cmd_name}_" if cmd_name in kwlist else cmd_name))
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command), cmd_name
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a mistyped one."""
        if args and not args[0].startswith("-") and args[0] not in self._described:
            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], self._described)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([*self._described.items()])
