"""import: bring in orders and reports from a file."""

from pathlib import Path

import click

from admin.app import App, now
from admin.options import JSON
from admin.order_files import FILE, MAPPING, SHOWN_REJECTIONS, open_orders, print_rejections, print_summary, rejections_json
from admin.output import print_json, print_wrapped
from admin.progress import progress
from admin.tables import print_rows
from engine import summaries
from engine.importing import Imported, import_orders
from engine.known_orders import StoredOrders
from inbound.rows_to_mend import check_target, write_rows
from language import counted, tr


@click.command("import")
@FILE
@MAPPING
@click.option(
    "--rejected",
    "to_mend",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file for the rows of all orders of which something was rejected or left out: mend it, and import it alone",
)
@click.option("--observe", is_flag=True, help="Hold every effect of the new orders until `observe end`")
@click.option("--urge-historical", is_flag=True, help="Let the suppliers and the platform be written to about old orders too")
@JSON
@click.pass_context
def import_command(
    ctx: click.Context,
    file: Path,
    mapping_file: Path | None,
    to_mend: Path | None,
    observe: bool,
    urge_historical: bool,
    as_json: bool,
) -> None:
    """Bring in orders and reports from a FILE: CSV, JSON, JSON Lines, or a workbook.

    A second run changes nothing. Of orders older than [orders] historical_after of the policy only the merchant hears.
    Rows that cannot be read are listed, and the exit code is 3. A mapping without placed_at adds to orders that are known.
    """
    app = App(ctx)
    policy = app.settings.read_policy()
    orders = open_orders(file, mapping_file, policy.orders, StoredOrders(app.database))
    if to_mend:
        check_target(orders.path, orders.layout, to_mend)
    database = app.made()
    with progress(orders.path.name, orders.rows, quiet=as_json) as bar:
        done = import_orders(
            database,
            orders,
            now(),
            app.rules(),
            observed=observe,
            urge_historical=urge_historical,
            progress=bar.advance,
        )
    if to_mend and done.rows_to_mend:
        write_rows(orders.path, orders.layout, done.rows_to_mend, to_mend)
    if as_json:
        why = [
            {"report": trigger, "reason": why, "count": count} for (trigger, why), count in done.tally.why_refused.most_common()
        ]
        print_json({**summaries.of_orders(done), "why_refused": why, **rejections_json(done.rejected, done.left_out)})
    else:
        _print_done(done, to_mend)
    ctx.exit(3 if done.rejected else 0)


def _print_done(done: Imported, to_mend: Path | None) -> None:
    """Print what an import has done, and what is left for a person."""
    print_summary(summaries.of_orders(done))
    print_rejections(done.rejected, done.left_out)
    if done.tally.why_refused:
        click.echo()
        reasons = [(count, trigger, why) for (trigger, why), count in done.tally.why_refused.most_common(SHOWN_REJECTIONS)]
        print_rows("Reports that were refused", ("count", "report", "reason"), reasons, "")
    if done.rows_to_mend:
        _say_what_to_do(done, to_mend)
    if done.tally.waiting:
        print_wrapped(tr("{reports} to be decided by you: aftersales decisions", reports=counted(done.tally.waiting, "report")))
    if done.tally.exceptions:
        print_wrapped(
            tr(
                "{reports} kept for you as exceptions: aftersales exceptions",
                reports=counted(done.tally.exceptions, "report"),
            )
        )
    if done.tally.historical:
        old = counted(done.tally.historical, "order is", "orders are")
        print_wrapped(
            tr("{old} historical: nobody is urged, chased or asked for money (--urge-historical changes that).", old=old)
        )


def _say_what_to_do(done: Imported, to_mend: Path | None) -> None:
    """Say how what was rejected or left out is mended."""
    click.echo()
    if held := done.tally.held:
        print_wrapped(
            tr(
                "{orders} with reports that cannot be read: neither urged nor ordered elsewhere until they are mended",
                orders=counted(held, "order"),
            )
        )
    if to_mend:
        rows = counted(len(done.rows_to_mend), "row")
        print_wrapped(tr("{rows} written to {path}: mend them there, and import that file", rows=rows, path=to_mend))
    else:
        print_wrapped(tr("--rejected FILE writes these orders' rows to a file of their own, to be mended"))
