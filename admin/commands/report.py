"""report: report something about an order."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import click

from admin.app import App, now, on_terminal, person
from admin.effect_summary import caused
from admin.lazy import translated
from admin.options import Instant
from admin.output import print_wrapped
from admin.text import safe
from engine import views
from engine.outcomes import Outcome
from engine.reporting import report
from inbound.cells import BadCell, report_field
from inbound.times import read_instant
from language import tr
from workflow.case.case import Detail, Report, own_key
from workflow.case.claims import rest
from workflow.case.money import show_amount
from workflow.errors import UsageError
from workflow.process import FLAGS
from workflow.reports import FIELDS, MEANINGS, Field
from workflow.suggestions import did_you_mean
from workflow.table import EFFECT_OF
from workflow.vocabulary import LedgerStatus, Verdict

TRIGGERS = tuple(trigger for trigger in FIELDS if trigger != "place")


class Triggers(click.Group):
    """One subcommand per trigger, made from the fields that it may carry."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the triggers in the order of the table."""
        return [*TRIGGERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the trigger's command; `report ID --help` is a question about `report`."""
        if cmd_name in ctx.help_option_names:
            click.echo(ctx.get_help())
            ctx.exit()
        if cmd_name not in TRIGGERS:
            ctx.fail(tr("{cmd_name!r} is not a report{hint}", cmd_name=cmd_name, hint=did_you_mean(cmd_name, TRIGGERS)))
        at = click.Option(["--at"], type=Instant(), help="When it occurred (default: now)")
        fields = [_option(name, field) for name, field in FIELDS[cmd_name].items()]
        dry = click.Option(["--dry-run", "dry_run"], is_flag=True, help="Only say what would come of it")
        yes = click.Option(["--yes", "agreed"], is_flag=True, help="Do not ask")
        params: list[click.Parameter] = [at, *fields, dry, yes]
        return translated(click.Command(cmd_name, params=params, callback=partial(_report, cmd_name), help=MEANINGS[cmd_name]))


def _option(name: str, field: Field) -> click.Option:
    is_flag, names = field.kind == "flag", [f"--{name.replace('_', '-')}", name]
    return click.Option(names, required=field.required, help=field.help, is_flag=is_flag, flag_value="yes" if is_flag else None)


@click.command("report", cls=Triggers)
@click.argument("identity", metavar="ID")
@click.pass_context
def report_command(ctx: click.Context, identity: str) -> None:
    """Report something about the order ID; each TRIGGER has fields of its own (see its --help).

    On a terminal you are shown first, and asked, what would move goods or money, and what a claim without lines is about.
    """
    ctx.meta["identity"] = identity


def _report(trigger: str, at: datetime | None, dry_run: bool, agreed: bool, **given: str | None) -> None:
    """Report it, and say what came of it. What is refused is kept with its verdict, and told as an error."""
    ctx = click.get_current_context()
    app = App(ctx)
    database, moment = app.ready(), now()
    rules = app.rules_for_reading() if dry_run else app.rules()
    identity, when = ctx.meta["identity"], at or moment
    fields = _fields(trigger, given, views.currency_of(database, identity), app.zone())
    names = "+".join(sorted(fields)) if trigger == "amend" else ""
    who, key = person(), f"{own_key(trigger, when)}{f':{names}' if names else ''}"
    reported = Report(trigger, when, source=who, key=key, actor=who, fields=fields)
    if not dry_run and not agreed and on_terminal():
        would = report(database, identity, reported, moment, rules, dry_run=True)
        if _is_to_be_asked(would[0], reported):
            _print_outcomes(app, would, reported, would=True)
            click.confirm(tr("Report it?"), abort=True)
    _print_outcomes(app, report(database, identity, reported, moment, rules, dry_run=dry_run), reported, would=dry_run)


def _is_to_be_asked(outcome: Outcome, reported: Report) -> bool:
    """Say whether a report would move goods or money, or claims all that is left without naming it."""
    moves = any(EFFECT_OF[effect.kind].moves for step in outcome.steps for effect in step.effects)
    return moves or (bool(outcome.steps) and reported.trigger == "open_claim" and reported.fields.get("lines") is None)


def _print_outcomes(app: App, outcomes: Sequence[Outcome], reported: Report, *, would: bool) -> None:
    trigger, when, outcome = reported.trigger, reported.at, outcomes[0]
    order = outcome.case.order
    first = outcome.received[0]
    if first.verdict is Verdict.duplicate:
        print_wrapped(
            tr("That was reported before: nothing changed. If it is another one of that time, give it another time (--at).")
        )
    elif first.error is not None:
        raise first.error
    else:
        print_wrapped(
            tr(
                "Order {name} {be} {state} after {trigger}.",
                name=safe(order.name),
                be=tr("would be") if would else tr("is"),
                state=outcome.case.state,
                trigger=trigger,
            )
        )
        if when < order.placed_at:
            told = app.when(when, how_far=False)
            print_wrapped(tr("  {told} is before it was placed: taken as the instant of placing", told=told))
        _print_consequences(app, outcome)
        for other in outcomes[1:]:
            print_wrapped(
                tr(
                    "  order {name} {be} {state}, with clocks of its own",
                    name=safe(other.case.name),
                    be=tr("would be") if would else tr("is"),
                    state=other.case.state,
                )
            )


def _print_consequences(app: App, outcome: Outcome) -> None:
    if not outcome.steps:
        print_wrapped(tr("  It is noted: it adds nothing to what was reported before."))
        return
    told = outcome.steps[0].history.details
    if told.get("noted"):
        supplier = f" ({told['supplier']})" if told.get("supplier") else ""
        whose = tr("attempt {attempt}{supplier}", attempt=told["attempt"], supplier=supplier)
        print_wrapped(
            tr(
                "  It is noted of {whose}, which the order has left: nothing moves. --attempt names another one.",
                whose=safe(whose),
            )
        )
    currency = outcome.case.order.currency
    for line in caused(outcome.steps[0].effects, currency, app.when):
        click.echo(line)
    if outcome.steps[0].history.trigger == "open_claim":
        print_wrapped(tr("  claims {pieces}", pieces=safe(str(outcome.steps[0].history.details["pieces"]))))
    if missing := told.get("rest") or _missing_after_a_correction(outcome):
        is_declined = told.get("final") or outcome.steps[0].history.trigger.startswith("decline")
        what = tr("are declined") if is_declined else tr("are still missing")
        click.echo(f"  {show_amount(int(missing), currency)} {what}")
    for flag in outcome.steps[0].flags:
        print_wrapped(tr("  needs a person: {flags}", flags=tr(FLAGS[flag])))
    for timer in sorted(outcome.case.timers, key=lambda one: one.due_at)[:3]:
        if timer.status == "pending":
            print_wrapped(tr("  next: {trigger}, {due_at}", trigger=timer.trigger, due_at=app.when(timer.due_at)))


def _missing_after_a_correction(outcome: Outcome) -> int | None:
    """Return what is asked for again after a sum that had come was corrected, in minor units."""
    told = outcome.steps[0].history
    if told.trigger != "correct_settlement":
        return None
    row = next(one for one in outcome.case.ledger if one.number == told.details["row"])
    return rest(row) if row.status is LedgerStatus.requested else None


def _fields(trigger: str, given: dict[str, str | None], currency: str, zone: ZoneInfo) -> dict[str, Detail]:
    fields: dict[str, Detail] = {}
    instants = partial(read_instant, zone=zone)
    for name, value in given.items():
        if FIELDS[trigger][name].required and not (value or "").strip():
            raise UsageError(
                tr("--{value} is empty: {help}", value=name.replace("_", "-"), help=tr(FIELDS[trigger][name].help))
            )
        if value is not None and value.strip():
            try:
                fields[name] = report_field(FIELDS[trigger][name], value.strip(), currency, instants)
            except BadCell as bad:
                raise UsageError(f"--{name.replace('_', '-')}: {bad}") from None
    return fields
