"""simulate."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from admin.app import App, now
from admin.catalogue_files import CATALOGUE, CATALOGUE_MAPPING, read_catalogue
from admin.options import Instant
from admin.output import print_json, print_wrapped
from admin.tables import Cell, print_rows
from engine.simulate import Scenario, Timeline, TimelineEntry, simulate
from inbound.scenario import ScenarioReader
from language import tr
from workflow.case.case import Line
from workflow.case.money import show_amount
from workflow.errors import UsageError
from workflow.policy.policy import Rules, calendar_of
from workflow.table import CLOCK_OF


@click.command("simulate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--report", "reports", multiple=True, help='What is reported, after how long: "ship@36h", "hold@8d wants=payment"'
)
@click.option(
    "--line", "lines", multiple=True, metavar="SKU[:QUANTITY]", help="A line of the order, for the catalogue (repeatable)"
)
@click.option("--country", help="Where it goes to")
@CATALOGUE
@CATALOGUE_MAPPING
@click.option("--route", help="domestic or international")
@click.option("--supplier", help="The supplier (policies may differ by it)")
@click.option("--shop", help="The shop (policies may differ by it)")
@click.option("--alternatives", help="Suppliers to turn to, best first, separated by ;")
@click.option("--paid", help="What was paid, such as 25.90")
@click.option("--currency", help="ISO 4217")
@click.option("--placed-at", type=Instant(), help="When it is placed (default: now)")
@click.option("--days", type=click.IntRange(1, 3_650), help="Over how many days (default: 60)")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.pass_context
def simulate_command(
    ctx: click.Context,
    /,
    file: Path | None,
    reports: tuple[str, ...],
    lines: tuple[str, ...],
    catalogue_file: Path | None,
    catalogue_mapping: Path | None,
    placed_at: datetime | None,
    days: int | None,
    as_json: bool,
    **facts: str | None,
) -> None:
    """Simulate an order and print its timeline under the policy in force; nothing is stored or sent.

    Steps that the policy asks you about are taken at once.

    FILE is a scenario in TOML: [order] as in a mapping, [[line]], and [[report]] with trigger, after (36h, 3d, 15wd) and
    the report's fields; options count before it.

    \b
    aftersales simulate --route domestic --alternatives "B;C"
    aftersales simulate --report ship@1d --report deliver@9d --report "open_claim@12d kind=damaged"
    """  # noqa: D301  (click wants the mark itself)
    app = App(ctx)
    policy = app.settings.read_policy()
    chooser = read_catalogue(catalogue_file, catalogue_mapping, policy.orders.currency)
    rules = Rules(1, policy, calendar_of(policy), chooser=chooser)
    reader = ScenarioReader(now(), app.zone(), policy.orders, rules.calendar)
    given: dict[str, Any] = {name: value for name, value in facts.items() if value is not None}
    given |= {"placed_at": placed_at.isoformat()} if placed_at else {}
    scenario = _scenario(reader, file, given, reports, days)
    scenario = replace(scenario, lines=(*scenario.lines, *map(_line, lines)))
    timeline = simulate(scenario, rules)
    if as_json:
        print_json(_json(timeline))
    else:
        _print(app, scenario, timeline)


def _line(text: str) -> Line:
    """Read a line of an order: an SKU, and behind a colon how many pieces.

    Raises:
        UsageError: the number of pieces is none.

    """
    sku, _, quantity = text.rpartition(":") if ":" in text else (text, "", "1")
    if not (quantity.isascii() and quantity.isdigit() and int(quantity)):
        raise UsageError(tr("--line {given!r}: write an SKU and how many, such as MUG-22:2", given=text))
    return Line(sku, quantity=int(quantity))


def _scenario(
    reader: ScenarioReader, file: Path | None, given: dict[str, Any], reports: tuple[str, ...], days: int | None
) -> Scenario:
    lines: tuple[Line, ...] = ()
    if file:
        order, lines, told, of_file = reader.file(file, given)
    else:
        order, told, of_file = reader.order(given), (), None
    told += tuple(reader.words(text, order, len(told) + number) for number, text in enumerate(reports, 1))
    return Scenario(order, told, lines, days or of_file or 60)


def _print(app: App, scenario: Scenario, timeline: Timeline) -> None:
    placed_at, several = scenario.order.placed_at, len(timeline.cases) > 1
    rows = []
    for moment in timeline.moments:
        day = (moment.at - placed_at).total_seconds() / 86_400
        who = (moment.order,) if several else ()
        rows.append((f"{day:.1f}", app.stamp(moment.at), *who, _what(moment), _where(moment), _effects(moment)))
    columns = ("day", "when", *(("order",) if several else ()), "what", "state", "leaves")
    print_rows(tr("Timeline (in {zone} time)", zone=app.zone()), columns, rows, "")
    for case in timeline.cases:
        name = tr("Order {name}", name=case.name) if several else tr("It")
        print_wrapped(
            tr("{name} is {state} on {until}.", name=name, state=case.state, until=app.when(timeline.until, how_far=False))
        )
        for timer in sorted(case.timers, key=lambda one: one.due_at):
            if timer.status == "pending":
                print_wrapped(
                    tr(
                        "  then: {due_at}: {meaning} [{trigger}]",
                        due_at=app.when(timer.due_at, how_far=False),
                        meaning=tr(CLOCK_OF[timer.trigger].meaning),
                        trigger=timer.trigger,
                    )
                )


def _what(moment: TimelineEntry) -> str:
    if moment.refused is not None:
        return tr("{trigger} is not taken: {refused}", trigger=moment.trigger, refused=moment.refused)
    return Cell(f"⏰ {moment.trigger}", whole=True) if moment.by_timer else moment.trigger


def _where(moment: TimelineEntry) -> str | None:
    if moment.target is None or moment.source == moment.target:
        return moment.target
    return f"{moment.source} → {moment.target}" if moment.source else moment.target


def _effects(moment: TimelineEntry) -> str:
    kinds = [f"{one.kind} ({one.details['supplier']})" if one.kind == "place_supply" else one.kind for one in moment.effects]
    return ", ".join([*kinds, *(tr("needs a person ({flag})", flag=flag) for flag in moment.needs_a_person)])


def _json(timeline: Timeline) -> dict[str, Any]:
    moments = [
        {
            "order": one.order,
            "at": one.at,
            "trigger": one.trigger,
            "from": one.source,
            "to": one.target,
            "by_timer": one.by_timer,
            "effects": [{"kind": effect.kind, **effect.details} for effect in one.effects],
            "needs_a_person": one.needs_a_person,
            "refused": one.refused,
        }
        for one in timeline.moments
    ]
    ends = [
        {
            "order": case.name,
            "state": case.state,
            "ledger": [
                {
                    "side": row.side,
                    "status": row.status,
                    "amount": None if row.amount is None else show_amount(row.amount, row.currency),
                }
                for row in case.ledger
            ],
        }
        for case in timeline.cases
    ]
    return {"until": timeline.until, "timeline": moments, "orders": ends}
