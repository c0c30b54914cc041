"""What the commands that read a file of orders share: opening it, its progress, and what was rejected."""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Counts
from contextlib import contextmanager
from pathlib import Path

import click

from admin.output import print_wrapped
from admin.tables import padded, print_rows
from config.documents import read_document
from engine.known_orders import StoredOrders
from engine.summaries import in_words
from engine.summaries import rejections_json as rejections_json
from inbound import ready
from inbound.files import columns_of
from inbound.mapping import Mapping, own_mapping
from inbound.mapping_document import load_mapping
from inbound.orders import OrderFile
from inbound.rejections import Rejection
from language import tr
from workflow.errors import UsageError
from workflow.policy.policy import Orders

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


def ready_or_named(ctx: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    """Return the file of a mapping: the one that is named, or the ready one of that name."""
    return value if value is None else ready.named(str(value))


MAPPING = click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    callback=ready_or_named,
    help="TOML file that says what the columns mean, or the name of a ready one (`mapping list`)",
)


SHOWN_REJECTIONS = 20


def open_orders(file: Path, mapping_file: Path | None, defaults: Orders, stored: StoredOrders | None = None) -> OrderFile:
    """Open a file of orders with the mapping that was named, or with the one that its own column names give.

    `stored` are the orders that it may add to, or has told of before.
    """
    with fitting(file, mapping_file):
        text = read_document(mapping_file) if mapping_file else ""
        return OrderFile(file, mapping_of(file, mapping_file), defaults, stored, stored, text)


def mapping_of(file: Path, mapping_file: Path | None) -> Mapping:
    """Return the mapping that was named, or the one that a file's own column names give."""
    return load_mapping(mapping_file) if mapping_file else own_mapping(columns_of(file))


@contextmanager
def fitting(file: Path, mapping_file: Path | None, proposing: str = "mapping new") -> Iterator[None]:
    """Say of a file that no mapping was written for which command proposes one, where it cannot be read.

    Raises:
        UsageError: the file cannot be read, or lacks a column.

    """
    try:
        yield
    except UsageError as error:
        if file.is_file() and (mapping_file is None or ready.FOLDER in mapping_file.parents):
            hint = tr("`aftersales {command} {file}` proposes a mapping for it", command=proposing, file=file)
            raise UsageError(f"{error} ({hint})") from None
        raise


def print_summary(summary: Counts[str, object]) -> None:
    """Print names with their counts, one a line."""
    for label, value in in_words(summary):
        print_wrapped(f"{padded(label, 18, right=True)}  {value}")


def print_rejections(rejected: Sequence[Rejection], left_out: Sequence[Rejection]) -> None:
    """Print the first rejected rows and the first cells that were left out, and how many more there are."""
    for title, some in ((tr("Rejected rows"), rejected), (tr("Cells that were left out, of orders that were taken"), left_out)):
        if some:
            click.echo()
            rows = [(one.line, one.column, one.order, one.reason) for one in some[:SHOWN_REJECTIONS]]
            print_rows(title, ("line", "column", "order", "reason"), rows, "")
            if len(some) > SHOWN_REJECTIONS:
                click.echo(tr("… and {count} more: --json lists them all", count=len(some) - SHOWN_REJECTIONS))
