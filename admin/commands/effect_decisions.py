"""What `effects` shows of one effect, and what a person decides about effects."""

from collections.abc import Sequence

import click

from admin.app import App, now, on_terminal, person
from admin.commands.effects import DECISIONS, KIND
from admin.effect_summary import effect_summary
from admin.options import ROW, Choice
from admin.output import print_wrapped
from admin.plans import check_plan, plan_of, planned, shown_at
from admin.text import safe
from effects.email.html import as_html
from effects.letter_samples import causes, samples
from effects.letters import LANGUAGES, ClaimTerms, Letters
from engine import views
from engine.deciding import DECIDABLE, ChosenEffect, Decided, EffectAction, decide_as_shown, decide_effects, effects_for
from engine.effect_detail import effect_detail
from engine.views import EffectSummary, Filter
from language import counted, tr
from workflow.errors import UsageError
from workflow.process import EFFECTS
from workflow.table import EFFECT_OF

SHOWN = 20


@click.command("show")
@click.argument("effect_id", type=ROW, metavar="ID")
@click.pass_context
def show_command(ctx: click.Context, effect_id: int) -> None:
    """Show the effect ID with its messages, as they left or as they would be written now."""
    app = App(ctx)
    detail = effect_detail(app.ready(), effect_id, app.rules_for_reading().policy, app.messenger())
    one = detail.effect
    by = (
        tr(" by {decided_by}, {decided_at}", decided_by=safe(one.decided_by), decided_at=app.when(one.decided_at))
        if one.decided_by
        else ""
    )
    about = effect_summary(one.kind, one.details, one.currency) or tr("no details")
    print_wrapped(
        tr(
            "Effect {id} of order {order}: {kind}, {status}{by}; {about}",
            id=one.id,
            order=safe(one.order),
            kind=one.kind,
            status=one.status,
            by=by,
            about=about,
        )
    )
    if one.error:
        print_wrapped(tr("The last failure: {error}", error=safe(one.error)))
    for message in detail.messages:
        status: str = message.status or (tr("never written") if detail.never_leaves else tr("not written yet"))
        if message.error:
            tries = counted(message.tries, "try", "tries")
            again = tr("; again {at}", at=app.when(message.next_try_at)) if message.status == "waiting" else ""
            status = tr(
                "{status} after {tries}: {error}{again}", status=status, tries=tries, error=safe(message.error), again=again
            )
        print_wrapped(
            tr(
                "\nby {channel} to {recipient} ({status})\n{subject}\n",
                channel=message.channel,
                recipient=safe(message.recipient or "-"),
                status=status,
                subject=safe(message.subject),
            )
        )
        click.echo(safe(message.body))


@click.command("preview")
@click.argument("kind", type=Choice([effect.kind for effect in EFFECTS]), metavar="KIND")
@click.option("--about", help="Only what this trigger brings about, such as approve")
@click.option("--language", type=Choice(LANGUAGES), default="en", show_default=True)
@click.option("--orders", "count", type=click.IntRange(1, 20), default=1, show_default=True, help="A digest of so many orders")
@click.option("--html", "as_html_page", is_flag=True, help="Print the HTML that a mail has beside the text")
@click.pass_context
def preview_command(ctx: click.Context, kind: str, about: str | None, language: str, count: int, *, as_html_page: bool) -> None:
    """Show the letters of a KIND as your templates write them, of an invented order: nothing is stored or sent.

    The same kind reads differently by what has brought it about; all of them are shown, or with --about one.
    """
    app, of_kind = App(ctx), causes(kind)
    if about is not None and about not in of_kind:
        raise UsageError(tr("{about} brings no {kind} about: {causes} do", about=about, kind=kind, causes=", ".join(of_kind)))
    policy, letters = app.settings.read_policy(), Letters(app.settings.templates)
    terms = ClaimTerms(policy.claims.window, policy.claims.reopen_within, policy.claims.at_the_end)
    for place, cause in enumerate(of_kind if about is None else (about,)):
        letter = letters.write(kind, language, samples(kind, cause, now(), terms, count), app.zone())
        if as_html_page:
            click.echo(as_html(letter.subject, letter.body, language))
            continue
        if place:
            click.echo()
        click.secho(tr("{kind}, after {cause}", kind=kind, cause=cause), bold=True)
        click.echo(f"{safe(letter.subject)}\n\n{safe(letter.body.rstrip())}")


def _decision(action: EffectAction, done: str, would_be: str) -> click.Command:
    """Make the command of one decision on effects; `done` and `would_be` say what becomes of them."""

    @click.argument("ids", nargs=-1, type=ROW)
    @click.option("--all", "everything", is_flag=True, help="Every effect that waits for this decision")
    @click.option("--order", "identity", help="Those of this order")
    @KIND
    @click.option("--dry-run", is_flag=True, help="Only say which")
    @click.option("--yes", "agreed", is_flag=True, help="Do not ask")
    @planned
    @click.pass_context
    def decide(
        ctx: click.Context,
        ids: tuple[int, ...],
        everything: bool,
        identity: str | None,
        kinds: tuple[str, ...],
        dry_run: bool,
        agreed: bool,
        plan: str | None,
    ) -> None:
        _check_choice(ids, everything or identity or kinds)
        database = App(ctx).ready()
        chosen, skipped = _chosen(database, action, ids, identity, kinds)
        _print_skipped(skipped, action)
        shown, what = [ChosenEffect(one.id, one.status) for one in chosen], [action, [(one.id, one.status) for one in chosen]]
        check_plan(plan, what)
        preview = f"{len(chosen)} {would_be}{_skipped(skipped)}."
        if dry_run:
            _print_chosen(chosen)
            print_wrapped(
                tr(
                    "{preview}\nPlan {what}: with --plan exactly this is done, or nothing.",
                    preview=preview,
                    what=plan_of(what, shown_at(ctx)),
                )
            )
        elif plan:
            decide_as_shown(database, action, shown, person(), now())
            click.echo(f"{len(shown)} {done}.")
        else:
            if not agreed:
                _ask(chosen, preview)
            decided = decide_effects(database, action, shown, person(), now())
            click.echo(f"{len(decided.done)} {done}{_skipped(skipped)}.")
            _print_changed(decided)
            if decided.changed:
                ctx.exit(1)

    return click.command(action, help=_help(action))(decide)


def _help(action: EffectAction) -> str:
    asked = tr("On a terminal you are shown first, and asked, what is more than one, or moves goods or money.")
    return tr(
        "{decisions}\n\nThose that are {decidable}. {asked}",
        decisions=tr(DECISIONS[action]),
        decidable=", ".join(DECIDABLE[action]),
        asked=asked,
    )


def _check_choice(ids: Sequence[int], chosen_by: object) -> None:
    if not (ids or chosen_by):
        raise click.UsageError(tr("Name effects by id, --order or --kind, or say --all."))
    if ids and chosen_by:
        raise click.UsageError(tr("Name effects by id, or choose them by --order, --kind or --all: not both."))


def _chosen(
    source: views.Source, action: EffectAction, ids: Sequence[int], identity: str | None, kinds: Sequence[str]
) -> tuple[Sequence[EffectSummary], Sequence[EffectSummary]]:
    """Return the effects that a decision is about, and those that were named and do not take it."""
    if not ids:
        order_id = views.order_id(source, identity) if identity else None
        return effects_for(source, action, Filter(order_id=order_id, kinds=kinds)), []
    named = views.effects_named(source, ids)
    takes = DECIDABLE[action]
    return [one for one in named if one.status in takes], [one for one in named if one.status not in takes]


def _ask(chosen: Sequence[EffectSummary], preview: str) -> None:
    """Show what is chosen and ask, on a terminal, where it is more than one effect or moves goods or money."""
    if chosen and on_terminal() and (len(chosen) > 1 or EFFECT_OF[chosen[0].kind].moves):
        _print_chosen(chosen)
        click.confirm(tr("{preview} Go on?", preview=preview), abort=True)


def _skipped(skipped: Sequence[EffectSummary]) -> str:
    return tr("; {count} skipped (wrong status)", count=len(skipped)) if skipped else ""


def _print_skipped(skipped: Sequence[EffectSummary], action: EffectAction) -> None:
    """Say which effects do not take an action, and why."""
    for one in skipped[:SHOWN]:
        click.echo(
            tr(
                "Effect {id} is {status}; {action} takes those that are {decidable}.",
                id=one.id,
                status=one.status,
                action=action,
                decidable=", ".join(DECIDABLE[action]),
            ),
            err=True,
        )
    if len(skipped) > SHOWN:
        click.echo(tr("… and {others}", others=counted(len(skipped) - SHOWN, "other")), err=True)


def _print_chosen(chosen: Sequence[EffectSummary]) -> None:
    for one in chosen[:SHOWN]:
        about = effect_summary(one.kind, one.details, one.currency)
        print_wrapped(f"{one.id}  {safe(one.order)}  {one.kind}  {one.status}{f'  {safe(about)}' if about else ''}")
    if len(chosen) > SHOWN:
        print_wrapped(tr("… and {count} more", count=len(chosen) - SHOWN))


def _print_changed(decided: Decided) -> None:
    """Say which effects were not decided on, because they changed after they were read."""
    for one in decided.changed[:SHOWN]:
        by = tr(" by {by}", by=safe(one.by)) if one.by else ""
        click.echo(
            tr("Effect {id} is {status}{by} meanwhile: nothing was done with it.", id=one.id, status=one.status, by=by),
            err=True,
        )
    if len(decided.changed) > SHOWN:
        click.echo(tr("… and {others}", others=counted(len(decided.changed) - SHOWN, "other")), err=True)


approve_command = _decision(EffectAction.approve, "approved", "would be approved")
drop_command = _decision(EffectAction.drop, "dropped", "would be dropped")
retry_command = _decision(EffectAction.retry, "will be tried again", "would be tried again")
done_command = _decision(EffectAction.done, "marked as done", "would be marked as done")
