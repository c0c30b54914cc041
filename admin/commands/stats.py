"""stats."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from admin.app import App, now
from admin.options import JSON, Choice, Instant
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import amount, print_rows, unknown_amount
from admin.text import span
from engine.health import statistics_of
from engine.scorecards import Score, scores_of
from engine.views import Filter
from language import counted, tr
from workflow.errors import UsageError

PERIOD = timedelta(days=90)
"""What is told of suppliers by default, and what the choice of `most_reliable` looks at."""
MOST_PERIODS = 500


@click.command("stats")
@click.option("--since", type=Instant(), help="Suppliers: what they were given from then on (default: the last 90 days)")
@click.option("--until", type=Instant(), help="Suppliers: what they were given before then (default: now)")
@click.option("--by", type=Choice(("week", "month", "quarter")), help="Suppliers: each period by itself")
@click.option("--shop", "shops", multiple=True, help="Suppliers: only orders of this shop (repeatable)")
@click.option("--supplier", "suppliers", multiple=True, help="Suppliers: only this one (repeatable)")
@JSON
@click.pass_context
def stats_command(
    ctx: click.Context,
    since: datetime | None,
    until: datetime | None,
    by: str | None,
    shops: tuple[str, ...],
    suppliers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count orders, timers, effects and reports; say how late timers fired, and how each supplier does.

    Of suppliers it tells what has become until now of the orders that they were given within the period; orders that were old
    when they were imported do not count. Due are those that were shipped, or should have been; on time those that were
    shipped before their supplier had to be urged. Left are those that went to another supplier or were refunded because of this
    one: it shipped late, had no stock, did not answer or cancelled. Suppliers with the most orders that were not on time come
    first. Sums in --json are in minor units (cents).
    """
    app, at = App(ctx), now()
    bounds = _bounds(since, until or at, by, app.zone())
    database = app.ready()
    found = statistics_of(database)
    scores = scores_of(database, bounds, at, Filter(shops=shops, suppliers=suppliers))
    if as_json:
        parts = {"lateness": [fields_of(one) for one in found.lateness], "suppliers": [_fields(one) for one in scores]}
        print_json({**found.counts, **parts, "since": bounds[0], "until": bounds[-1]})
        return
    for name, counts in found.counts.items():
        print_wrapped(f"{name:>10}  {', '.join(f'{key} {count}' for key, count in counts.items()) or '-'}")
    rows = [(one.trigger, one.fired, _late(one.mean_seconds), _late(one.most_seconds)) for one in found.lateness]
    click.echo()
    print_rows("Lateness", ("clock", "fired", "late on average", "at most"), rows, "No timer has fired yet.")
    click.echo()
    shown = _shown(bounds, app.zone())
    given = tr("orders given since {since:%Y-%m-%d}", **shown)
    if until:
        given = tr("orders given from {since:%Y-%m-%d} until before {until:%Y-%m-%d}", **shown)
    _print_scores(scores, by, app.zone(), given)
    _print_money(scores, by, app.zone())


def _print_scores(scores: list[Score], by: str | None, zone: ZoneInfo, when: str) -> None:
    """Print how each supplier has done."""
    card = [
        (
            one.supplier,
            _name_of(one, by, zone) if by else None,
            one.attempts,
            one.due,
            one.on_time,
            None if one.on_time_share is None else f"{one.on_time_share:.0%}",
            one.urged,
            one.left,
            one.no_stock,
            one.shipped,
            one.days_to_ship,
            one.claims,
        )
        for one in scores
    ]
    columns = (
        "supplier",
        "period",
        "attempts",
        tr("were due"),
        tr("on time"),
        tr("on time %"),
        "urged",
        "left",
        tr("no stock"),
        "shipped",
        tr("days to ship"),
        "claims",
    )
    print_rows(tr("Suppliers, {when}", when=when), columns, card, tr("No supplier was given an order in this time."))


def _print_money(scores: list[Score], by: str | None, zone: ZoneInfo) -> None:
    """Print what suppliers were asked to pay back, if any was."""
    owed = [
        (
            one.supplier,
            _name_of(one, by, zone) if by else None,
            money.orders,
            amount(money.amount, money.currency) if money.amount else unknown_amount(money.currency),
            amount(money.back or None, money.currency),
            amount(money.declined or None, money.currency),
            amount(money.open or None, money.currency),
            money.unknown or None,
            money.settled,
            money.days,
        )
        for one in scores
        for money in one.money
    ]
    if owed:
        titles = (
            "supplier",
            "period",
            "orders",
            "asked",
            "back",
            "declined",
            "open",
            "unknown",
            tr("sums paid"),
            tr("days to pay"),
        )
        click.echo()
        print_rows(tr("Money asked back of suppliers"), titles, owed, "")


def _fields(score: Score) -> dict[str, object]:
    return {**fields_of(score), "money": [fields_of(one) for one in score.money]}


def _bounds(since: datetime | None, until: datetime, by: str | None, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which periods begin, and the last one ends.

    Raises:
        UsageError: nothing lies between the two, or too many periods do.

    """
    first = since or until - PERIOD
    if by is not None and since is None:
        first = _begin(first, by, zone)
    if first >= until:
        raise UsageError(tr("--since is not before --until: nothing lies between"))
    bounds = [first]
    while by is not None and (following := _begin(bounds[-1], by, zone, ahead=1)) < until:
        bounds.append(following)
        if len(bounds) > MOST_PERIODS:
            most = counted(MOST_PERIODS, "period")
            raise UsageError(tr("that is more than {most}: choose longer periods, or a later --since", most=most))
    return [*bounds, until]


def _begin(at: datetime, by: str, zone: ZoneInfo, ahead: int = 0) -> datetime:
    """Return when the period of an instant begins, or one that lies so many periods ahead."""
    local = at.astimezone(zone)
    day = datetime(local.year, local.month, local.day)
    if by == "week":
        return (day + timedelta(days=7 * ahead - day.weekday())).replace(tzinfo=zone)
    months = 3 if by == "quarter" else 1
    number = day.year * 12 + (day.month - 1) // months * months + months * ahead
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=zone)


def _name_of(score: Score, by: str, zone: ZoneInfo) -> str:
    """Write the period of a scorecard, and whether it is a part of one."""
    local = score.since.astimezone(zone)
    if by == "week":
        name = f"{local:%G-W%V}"
    else:
        name = f"{local:%Y}-Q{(local.month + 2) // 3}" if by == "quarter" else f"{local:%Y-%m}"
    is_whole = (score.since, score.until) == (_begin(score.since, by, zone), _begin(score.since, by, zone, ahead=1))
    return name if is_whole else tr("{name} (part)", name=name)


def _shown(bounds: list[datetime], zone: ZoneInfo) -> dict[str, datetime]:
    return {"since": bounds[0].astimezone(zone), "until": bounds[-1].astimezone(zone)}


def _late(seconds: float) -> str:
    """Write how late something was: seconds with a decimal, and from two minutes on in larger units."""
    return f"{seconds:,.1f} s" if seconds < 120 else span(timedelta(seconds=seconds))
