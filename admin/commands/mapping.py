"""mapping: check the mapping of a foreign file."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from admin.app import App, now
from admin.options import JSON, Zone
from admin.order_files import FILE, MAPPING, fitting, mapping_of, print_rejections, print_summary, rejections_json
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import print_rows
from config.documents import read_document
from engine.known_orders import StoredOrders
from inbound import ready
from inbound.checking import Checked, check
from inbound.mapping import ORDER_FIELDS, SUMS
from inbound.orders import AsIfKnown, OrderFile
from inbound.proposing import propose
from language import tr
from workflow.case.case import Order
from workflow.case.money import show_amount
from workflow.errors import UsageError
from workflow.reports import FIELDS
from workflow.suggestions import did_you_mean


@click.group("mapping")
def mapping_command() -> None:
    """Propose, check and list mappings of foreign files."""


@mapping_command.command("list")
@JSON
def list_mappings(as_json: bool) -> None:
    """List the ready mappings: `--mapping NAME` takes one, and `mapping show NAME` prints it."""
    found = ready.described()
    if as_json:
        print_json({"mappings": [{"name": name, "about": about} for name, about in found.items()]})
    else:
        print_rows("Ready mappings", ("name", "about"), [*found.items()], "")
        print_wrapped(tr("Take one with --mapping NAME; copy and change one: aftersales mapping show NAME > mine.toml"))
        print_wrapped(tr("Without --mapping, columns are read by our own names: {names} …", names=", ".join(ORDER_FIELDS[:6])))


@mapping_command.command("show")
@click.argument("name")
def show_mapping(name: str) -> None:
    """Print the ready mapping NAME, to be copied and changed."""
    path = ready.path_of(name)
    if path is None:
        hint = did_you_mean(name, ready.described())
        raise UsageError(tr("{name!r} is not a ready mapping{hint}", name=name, hint=hint))
    click.echo(read_document(path), nl=False)


@mapping_command.command("new")
@FILE
@click.option("--time-zone", type=Zone(), help="The zone of times that name none (default: time_zone of the settings)")
@click.pass_context
def new_mapping(ctx: click.Context, file: Path, time_zone: ZoneInfo | None) -> None:
    """Propose a mapping for FILE, with its reasons, and with questions where the file proves nothing.

    It is printed, to be kept in a file: aftersales mapping new orders.csv > orders.toml
    """
    own_zone = App(ctx).settings.time_zone
    proposal = propose(file, time_zone or (ZoneInfo(own_zone) if own_zone else None), now())
    click.echo(proposal.text)
    if proposal.ready is not None:
        click.echo(tr("The ready mapping {name} fits: --mapping {name}", name=proposal.ready), err=True)
    for question in proposal.questions:
        click.echo(tr("QUESTION: {question}", question=question), err=True)


@mapping_command.command("check")
@FILE
@MAPPING
@JSON
@click.pass_context
def check_mapping(ctx: click.Context, file: Path, mapping_file: Path | None, as_json: bool) -> None:
    """Read FILE through its mapping and say what would be taken and rejected; nothing is stored.

    The first orders are shown as they are read, and each condition with what it meets.
    """
    app = App(ctx)
    policy = app.settings.read_policy()
    known = StoredOrders(app.ready()) if app.database.exists() else AsIfKnown(policy.orders.currency)
    with fitting(file, mapping_file):
        mapping = mapping_of(file, mapping_file)
        orders = OrderFile(file, mapping, policy.orders, known)
    latest, shops = now() + policy.reports.ahead_of_now.span(), known.shops() if isinstance(known, StoredOrders) else ()
    checked = check(orders, mapping, policy.contacts.suppliers, latest, shops)
    counts = {
        "orders": checked.orders,
        "lines": checked.lines,
        "reports": dict(checked.reports),
        "rounded": checked.rounded,
        "rejected": len(checked.rejected),
    }
    if as_json:
        print_json(
            {
                **counts,
                "rows": {"read": checked.rows, "left_out": checked.rows_left_out},
                "conditions": [fields_of(met) for met in checked.met],
                "never": [*dict.fromkeys(met.trigger for met in checked.met if not checked.reports[met.trigger])],
                "warnings": checked.warnings,
                **rejections_json(checked.rejected, checked.left_out),
            }
        )
    else:
        print_summary(counts)
        _print_first(app, checked)
        _print_conditions(checked)
        if isinstance(known, AsIfKnown) and not mapping.places_orders:
            print_wrapped(tr("Note: there is no database here, so that every order and parcel was taken as known"))
        for warning in checked.warnings:
            print_wrapped(tr("Note: {warning}", warning=warning))
        print_rejections(checked.rejected, checked.left_out)
    ctx.exit(3 if checked.rejected else 0)


def _print_first(app: App, checked: Checked) -> None:
    """Print the first orders as they were read."""
    for incoming in checked.first:
        click.echo()
        order = incoming.order
        click.echo(
            f"{order.name}  {tr('placed {when}', when=app.when(order.placed_at)) if incoming.known is None else ''}".rstrip()
        )
        sums = [(name, value) for name in SUMS if (value := getattr(order, name)) is not None]
        facts = [*((name, show_amount(value, order.currency)) for name, value in sums)]
        facts += [(name, str(value)) for name in _SHOWN if (value := getattr(order, name)) and (name in incoming.given)]
        if facts:
            print_wrapped("  " + ", ".join(f"{name} {value}" for name, value in facts))
        for line in incoming.lines[:_LINES_SHOWN]:
            prices = [(name, value) for name in ("price", "sale") if (value := getattr(line, name)) is not None]
            each = ", ".join(f"{name} {show_amount(value, order.currency)}" for name, value in prices)
            print_wrapped(f"  {line.quantity} × {' '.join(filter(None, (line.sku, line.title)))}  {each}".rstrip())
        if len(incoming.lines) > _LINES_SHOWN:
            click.echo(tr("  … and {count} more", count=len(incoming.lines) - _LINES_SHOWN))
        for report in incoming.reports:
            said = ", ".join(f"{name} {_shown(report.trigger, name, value, order)}" for name, value in report.fields.items())
            print_wrapped(f"  {report.trigger} {app.when(report.at, how_far=False)}  {said}".rstrip())


def _shown(trigger: str, name: str, value: object, order: Order) -> str:
    """Return a field of a report as a person reads it."""
    is_sum = FIELDS[trigger][name].kind == "amount" and isinstance(value, int)
    return show_amount(int(str(value)), order.currency) if is_sum else str(value)


_SHOWN = ("supplier", "supplier_number", "route", "country", "currency", "buyer_name", "buyer_email", "buyer_address")
_LINES_SHOWN = 5


def _print_conditions(checked: Checked) -> None:
    """Print what the conditions of the mapping meet."""
    rows = [
        (f"[reports.{met.trigger}]", met.dated, met.counted if met.has_condition else None) for met in checked.met if met.dated
    ]
    if checked.rows_left_out:
        rows.insert(0, ("when", checked.rows, checked.rows - checked.rows_left_out))
    if rows:
        click.echo()
        print_rows("Reports and conditions", ("of", "rows with a date", "meet its condition"), rows, "")
