"""undo: take a person's last step back."""

import click

from admin.app import App, now, on_terminal, person
from admin.consequences import is_or_would_be, next_deadlines
from admin.output import print_wrapped
from admin.text import safe
from engine.undoing import Undone, undo_last
from language import tr


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
        click.confirm(tr("Take it back?"), abort=True)
    _print(app, undo_last(database, identity, person(), moment, rules, reason=reason), would=False)


def _print(app: App, undone: Undone, *, would: bool) -> None:
    taken = tr("would be taken back") if would else tr("is taken back")
    print_wrapped(
        tr(
            "{trigger} of {by}, {recorded}, {taken}.",
            trigger=undone.trigger,
            by=safe(undone.by),
            recorded=app.when(undone.recorded),
            taken=taken,
        )
    )
    case = undone.case
    print_wrapped(tr("Order {name} {be} {state}.", name=safe(case.name), be=is_or_would_be(would), state=case.state))
    for line in next_deadlines(case.timers, app.when):
        print_wrapped(line)
    if undone.told:
        print_wrapped(tr("  you have been told of that step already ({told}): it counts no more", told=", ".join(undone.told)))
    if (other := undone.replacement) is not None:
        print_wrapped(
            tr(
                "Order {name} {be} {state}, and no replacement of it.",
                name=safe(other.name),
                be=is_or_would_be(would),
                state=other.state,
            )
        )
    if case.decision:
        print_wrapped(tr("  {trigger} waits for your decision", trigger=case.decision.trigger))
