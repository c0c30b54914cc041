"""undo: take a person's last step back."""

import click

from admin.app import App, now, on_terminal, person
from admin.text import safe
from engine.undoing import Undone, undo_last


@click.command("undo")
@click.argument("identity", metavar="ID")
@click.option("--reason", help="Why; it is kept in the history")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it")
@click.option("--yes", "agreed", is_flag=True, help="Do not ask")
@click.pass_context
def undo_command(ctx: click.Context, identity: str, reason: str | None, dry_run: bool, agreed: bool) -> None:
    """Take back what a person has last reported or decided of the order ID.

    The order, its clocks, its money and its flags are as they were before, and what that step has caused does not leave.
    A deadline that has passed meanwhile fires late. It is refused once a letter has left to a supplier or the platform, or
    something has happened to the order since. What was reported may be reported again.
    """
    app = App(ctx)
    database, moment = app.ready(), now()
    rules = app.rules_for_reading() if dry_run else app.rules()
    asks = on_terminal() and not agreed
    if dry_run or asks:
        _print(app, undo_last(database, identity, person(), moment, rules, reason=reason, dry_run=True), would=True)
        if dry_run:
            return
        click.confirm("Take it back?", abort=True)
    _print(app, undo_last(database, identity, person(), moment, rules, reason=reason), would=False)


def _print(app: App, undone: Undone, *, would: bool) -> None:
    taken = f"{'would be' if would else 'is'} taken back"
    click.echo(f"{undone.trigger} of {safe(undone.by)}, {app.when(undone.recorded)}, {taken}.")
    case = undone.case
    click.echo(f"Order {safe(case.name)} {'would be' if would else 'is'} {case.state}.")
    for timer in sorted(case.timers, key=lambda one: one.due_at)[:3]:
        if timer.status == "pending":
            click.echo(f"  next: {timer.trigger}, {app.when(timer.due_at)}")
    if undone.told:
        click.echo(f"  you have been told of that step already ({', '.join(undone.told)}): it counts no more")
    if (other := undone.replacement) is not None:
        click.echo(f"Order {safe(other.name)} {'would be' if would else 'is'} {other.state}, and no replacement of it.")
    if case.decision:
        click.echo(f"  {case.decision.trigger} waits for your decision")
