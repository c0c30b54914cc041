"""What a person does about exceptions."""

from collections.abc import Sequence

import click

from admin.app import App, now, person
from admin.commands.exceptions import DECISIONS
from admin.options import ROW, Note
from admin.output import print_wrapped
from admin.text import safe
from engine import deciding
from engine.judging_again import judge_again
from language import tr
from workflow.vocabulary import Verdict

BECAME = {
    Verdict.applied: "was applied",
    Verdict.refused: "was refused",
    Verdict.waiting: "waits for your decision",
    Verdict.exception: "is still an exception",
}


@click.command("retry", help=DECISIONS["retry"])
@click.argument("report_ids", type=ROW, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that are open")
@click.pass_context
def retry_command(ctx: click.Context, report_ids: Sequence[int], everything: bool) -> None:
    """Judge exceptions again."""
    if bool(report_ids) == everything:
        raise click.UsageError(tr("Name exceptions by id, or say --all."))
    app = App(ctx)
    judged = judge_again(app.ready(), None if everything else {*report_ids}, now(), app.rules())
    for one in judged:
        why = f": {one.why}" if one.why else ""
        click.echo(
            safe(
                tr(
                    "{id} ({trigger} of {order}) {became}{why}",
                    id=one.id,
                    trigger=one.trigger,
                    order=one.order,
                    became=tr(BECAME[one.verdict]),
                    why=why,
                )
            )
        )
    if not judged:
        print_wrapped(tr("No exceptions wait."))


@click.command("close", help=DECISIONS["close"])
@click.argument("report_id", type=ROW, metavar="ID")
@click.argument("note", type=Note())
@click.pass_context
def close_command(ctx: click.Context, report_id: int, note: str) -> None:
    """Close an exception."""
    deciding.close_exception(App(ctx).ready(), report_id, person(), note, now())
    print_wrapped(tr("Closed."))
