"""policy: show or check the policy; move running timers to it."""

from pathlib import Path

import click

from admin.app import App, person
from admin.commands.timer_changes import How, changing, run_timer_command
from admin.output import print_json
from engine.timer_commands import Selection, TimerCommand


@click.group("policy")
def policy_command() -> None:
    """Show or check the policy; move running timers to it."""


@policy_command.command("show")
@click.option("--defaults", is_flag=True, help="The one that comes with the program, with every number and its meaning")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every number in force")
@click.pass_context
def show_policy(ctx: click.Context, defaults: bool, as_json: bool) -> None:
    """Print the policy in force, as its file stands."""
    settings = App(ctx).settings
    settings = settings.model_copy(update={"policy": None}) if defaults else settings
    policy = settings.read_policy()
    if as_json:
        print_json(policy.model_dump(mode="json"))
    else:
        click.echo(settings.policy_text(), nl=False)


@policy_command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_context
def check_policy(ctx: click.Context, file: Path | None) -> None:
    """Check the policy in force, or the one in FILE."""
    settings = App(ctx).settings
    if file:
        settings = settings.model_copy(update={"policy": file})
    settings.read_policy()
    click.echo(f"{file or settings.policy or 'The policy that comes with the program'}: no errors")


@click.command("retime")
@changing
def retime_command(app: App, wanted: Selection, how: How) -> None:
    """Recompute running timers under the policy in force.

    What a person or a pause has moved stays moved by as much. Timers that come out the same are left alone.
    """
    run_timer_command(app, wanted, TimerCommand("retime", person(), how.reason), how)


policy_command.add_command(retime_command)
