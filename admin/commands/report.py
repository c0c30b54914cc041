"""report: report something about an order."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import click

from admin.app import App, now, on_terminal, person
from admin.consequences import caused, flagged, is_or_would_be, moved, next_deadlines
from admin.lazy import translated
from admin.options import Instant
from admin.output import print_wrapped
from admin.text import safe
from engine import views
from engine.money import PLATFORM
from engine.outcomes import Outcome
from engine.reporting import report
from engine.views import Filter
from inbound.cells import BadCell, report_field
from inbound.times import read_instant
from language import tr
from workflow.case.case import Detail, Report, own_key
from workflow.case.claims import rest
from workflow.case.history import HistoryRow
from workflow.case.money import show_amount
from workflow.errors import UsageError
from workflow.reports import FIELDS, MEANINGS, Field
from workflow.suggestions import did_you_mean
from workflow.table import EFFECT_OF
from workflow.vocabulary import LedgerSide, LedgerStatus, Verdict

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the triggers with what each of them says, whole."""
        with formatter.section(tr("Commands")):
            formatter.write_dl([(trigger, tr(MEANINGS[trigger])) for trigger in TRIGGERS])


def _option(name: str, field: Field) -> click.Option:
    is_flag, names = field.kind == "flag", [f"--{name.replace('_', '-')}", name]
    if is_flag:
        return click.Option(names, required=field.required, help=field.help, is_flag=True, flag_value="yes")
    return click.Option(names, required=field.required, help=field.help)  # a flag_value would let the value be left out


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
    outcomes = report(database, identity, reported, moment, rules, dry_run=dry_run)
    _print_outcomes(app, outcomes, reported, would=dry_run)
    _hint_at_the_same_number(app, outcomes[0], reported)
    _hint_at_another_shop(app, reported)


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
        print_wrapped(moved(outcome.case, trigger, would=would))
        if when < order.placed_at:
            told = app.when(when, how_far=False)
            print_wrapped(tr("  {told} is before it was placed: taken as the instant of placing", told=told))
        _print_consequences(app, outcome)
        for other in outcomes[1:]:
            print_wrapped(
                tr(
                    "  order {name} {be} {state}, with clocks of its own",
                    name=safe(other.case.name),
                    be=is_or_would_be(would),
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
    currency, step = outcome.case.order.currency, outcome.steps[0].history
    for line in (*_changes(step, currency), *_money(outcome), *caused(outcome.steps[0].effects, currency, app.when)):
        print_wrapped(line)
    if outcome.steps[0].history.trigger == "ship" and len(outcome.case.parcels) > 1:
        parcel = outcome.case.parcels[-1].number
        print_wrapped(
            tr("  parcel {parcel} of this order (a number that was wrong is corrected by amend --parcel)", parcel=parcel)
        )
    if outcome.steps[0].history.trigger == "open_claim":
        print_wrapped(tr("  claims {pieces}", pieces=safe(str(outcome.steps[0].history.details["pieces"]))))
    if missing := told.get("rest") or _missing_after_a_correction(outcome):
        is_declined = told.get("final") or outcome.steps[0].history.trigger.startswith("decline")
        what = tr("are declined") if is_declined else tr("are still missing")
        click.echo(f"  {show_amount(int(missing), currency)} {what}")
    for line in (*flagged(outcome.steps[0].flags), *next_deadlines(outcome.case.timers, app.when)):
        print_wrapped(line)


def _changes(step: HistoryRow, currency: str) -> Iterator[str]:
    """Yield what an amendment has changed; of what tells of the buyer only that it has."""
    amended = str(step.details.get("amended") or "").split(";") if step.trigger == "amend" else []
    for fact in amended:
        if fact not in FIELDS["amend"] or fact == "parcel":
            continue
        if FIELDS["amend"][fact].personal:
            yield tr("  {fact} was changed", fact=fact)
            continue
        before, after = (_shown(fact, step.details.get(name), currency) for name in (f"was_{fact}", fact))
        yield tr("  {fact}: {before} → {after}", fact=fact, before=before, after=after)


def _shown(fact: str, value: Detail, currency: str) -> str:
    if value is None or value == "":
        return tr("not known")
    is_amount = FIELDS["amend"][fact].kind == "amount"
    return show_amount(int(value), currency) if is_amount else safe(str(value))


def _money(outcome: Outcome) -> Iterator[str]:
    """Yield the sums that are not asked for any more because of a step, and which one has settled what was not known."""
    at = outcome.steps[0].history.occurred
    for row in outcome.case.ledger:
        if row.status is LedgerStatus.settled and row.decided_at == at and row.amount is None:
            yield tr(
                "  taken for all that was asked for, whose sum is not known (correct_settlement --row {row})", row=row.number
            )
        if row.status is LedgerStatus.withdrawn and row.decided_at == at:
            supplier = outcome.case.attempts[(row.attempt or 1) - 1].supplier
            party = tr(PLATFORM) if row.side is LedgerSide.refund else supplier or tr("the supplier")
            amount = tr("a sum that is not known") if row.amount is None else show_amount(row.amount, row.currency)
            yield tr("  no longer asked for: {amount} of {party}", amount=amount, party=safe(party))


def _hint_at_the_same_number(app: App, outcome: Outcome, reported: Report) -> None:
    """Say which other orders have a parcel with the number that was reported: one of them may be mistyped."""
    number = reported.fields.get("tracking_number")
    if not outcome.steps or number is None:
        return
    found = views.list_orders(app.database, Filter(tracking_numbers=(str(number),)), 5).rows
    others = [f"{one.shop}/{one.number}" for one in found if f"{one.shop}/{one.number}" != outcome.case.name]
    if others:
        print_wrapped(tr("  {number} is also a parcel of {others}", number=safe(str(number)), others=safe(", ".join(others))))


def _hint_at_another_shop(app: App, reported: Report) -> None:
    """Say that the number of a new order is one of another shop too."""
    number = reported.fields.get("new_order")
    names = views.named(app.database, str(number)) if number is not None else []
    if len(names) > 1:
        print_wrapped(tr("  several shops have that number: {names}", names=safe(", ".join(names))))


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
