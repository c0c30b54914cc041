"""decide: answer what waits for a person's decision."""

from dataclasses import replace
from datetime import datetime

import click

from admin.app import App, now, on_terminal, person
from admin.consequences import caused, flagged, moved
from admin.options import Choice, InstantOrDuration
from admin.output import print_wrapped
from admin.text import safe
from engine.answering import Answered, decide, standing, yes_in_words
from language import tr
from workflow.arguments import argument
from workflow.case.money import show_amount
from workflow.decisions import Answer, Standing, done_by
from workflow.errors import UsageError
from workflow.vocabulary import Way

MEANINGS = {
    Way.yes: "take the step",
    Way.next: "take it with the supplier after that one",
    Way.refund: "request a refund instead",
    Way.stay: "do not take it; with --until not before then",
}


@click.command("decide")
@click.argument("identity", metavar="ID")
@click.argument("way", metavar="[yes|next|refund|stay]", type=Choice([*map(str, Way)]), required=False)
@click.option("--decision", "number", type=click.IntRange(min=1), help="Only if it is the decision with this number")
@click.option("--until", type=InstantOrDuration(), help="With stay: it sleeps until this instant, or for 2d, 36h, …")
@click.option("--reason", help="Why; it is kept in the history")
@click.option("--now", "at_once", is_flag=True, help="Let what it causes leave at once; what has left cannot be taken back")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it")
@click.option("--anyway", is_flag=True, help="Even if it does something else by now than was asked: the catalogue has changed")
@click.option("--yes", "agreed", is_flag=True, help="Do not ask")
@click.pass_context
def decide_command(
    ctx: click.Context,
    identity: str,
    way: str | None,
    number: int | None,
    until: datetime | None,
    reason: str | None,
    at_once: bool,
    dry_run: bool,
    anyway: bool,
    agreed: bool,
) -> None:
    """Answer what waits for a decision on the order ID; without an answer, say what waits.

    On a terminal, what the answer does is shown first.
    """
    app = App(ctx)
    database, moment = app.ready(), now()
    rules = app.rules_for_reading() if dry_run or way is None else app.rules()
    if way is None:
        if number or until or reason or at_once or dry_run or anyway or agreed:
            raise UsageError(tr("these options go with an answer: yes, next, refund or stay"))
        _print_standing(app, standing(database, identity, moment, rules), identity)
        return
    if until is not None and way != Way.stay:
        raise UsageError(tr("--until is for stay: until then the decision sleeps"))
    given = Answer(Way(way), person(), number, until, reason, at_once, anyway=anyway)
    asks = on_terminal() and not agreed
    if dry_run or asks:
        found = standing(database, identity, moment, rules)
        shown = number or (found.decision.number if found else None)
        tried = decide(database, identity, replace(given, number=shown, anyway=True), moment, rules, dry_run=True)
        given = replace(given, number=shown, shown=done_by(tried.step))
        _print_answered(app, tried, would=True)
        if tried.changed:
            refused = tr(": without --anyway it is refused") if dry_run and not anyway else ""
            print_wrapped(tr("  since it was asked {changed}{refused}", changed=safe(tried.changed), refused=refused))
        if dry_run:
            return
        click.confirm(tr("Decide so?"), abort=True)
    _print_answered(app, decide(database, identity, given, moment, rules), would=False)


def _print_standing(app: App, found: Standing | None, identity: str) -> None:
    if found is None:
        print_wrapped(tr("Nothing waits for a decision."))
        return
    one, case = found.decision, found.case
    sleeps = tr("; it sleeps until {sleeps_until}", sleeps_until=app.when(one.sleeps_until)) if one.sleeps(now()) else ""
    print_wrapped(
        tr(
            "Order {name} is {state}. Decision {number}: {trigger} waits, {since}{sleeps}.",
            name=safe(case.name),
            state=case.state,
            number=one.number,
            trigger=one.trigger,
            since=app.when(one.since),
            sleeps=sleeps,
        )
    )
    if found.ends:
        print_wrapped(tr("  The time for it ends {ends}: then the policy decides.", ends=app.when(found.ends)))
    for way in found.ways:
        would = _would(found) if way is Way.yes else ""
        print_wrapped(f"  aftersales decide {argument(safe(identity))} {way:<8}{tr(MEANINGS[way])}{would}")


def _would(found: Standing) -> str:
    """Say what the step would do."""
    asked = "" if found.amount is None else f" ({show_amount(found.amount, found.case.order.currency)})"
    said = yes_in_words(found, found.case.order.currency)
    return f": {safe(said)}{asked}" if said else ""


def _print_answered(app: App, answered: Answered, *, would: bool) -> None:
    case, made = answered.case, answered.step
    row = made.history
    if row.details["way"] == Way.stay:
        until = row.details.get("until")
        if until:
            at = app.when(datetime.fromisoformat(str(until)), how_far=False)
            asked = tr("{sleeps} until {at}", sleeps=tr("would sleep") if would else tr("sleeps"), at=at)
        else:
            taken = tr("would not be taken") if would else tr("is not taken")
            asked = tr("{taken}, and not asked about again (a new promise of the supplier starts its clock anew)", taken=taken)
        print_wrapped(
            tr(
                "Order {name} {be} {state}: {trigger} {asked}.",
                name=safe(case.name),
                be=tr("would stay") if would else tr("stays"),
                state=case.state,
                trigger=row.trigger,
                asked=asked,
            )
        )
    else:
        print_wrapped(moved(case, row.trigger, would=would))
    for line in (*caused(made.effects, case.order.currency, app.when), *flagged(made.flags)):
        print_wrapped(line)
    if case.decision and (not made.case.decision or case.decision.number != made.case.decision.number):
        print_wrapped(tr("  next decision: {trigger}", trigger=case.decision.trigger))
