"""What the commands that read a file of offers share."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import click

from admin.order_files import fitting, ready_or_named
from inbound.files import columns_of
from inbound.mapping import Mapping
from inbound.mapping_document import load_mapping
from inbound.offers import Usual, own_offer_mapping, read_offers
from language import tr
from workflow.catalogue import Catalogue, Chooser, Offer
from workflow.errors import UsageError

CATALOGUE = click.option(
    "--catalogue",
    "catalogue_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of offers: who can deliver orders that name no alternatives",
)
CATALOGUE_MAPPING = click.option(
    "--catalogue-mapping",
    type=click.Path(path_type=Path),
    callback=ready_or_named,
    help="TOML file that says what its columns mean",
)


def offer_mapping_of(file: Path, mapping_file: Path | None) -> Mapping:
    """Return the mapping that was named, or the one that a file's own column names give."""
    return load_mapping(mapping_file) if mapping_file else own_offer_mapping(columns_of(file))


def read_catalogue(file: Path | None, mapping_file: Path | None, currency: str) -> Chooser | None:
    """Return the catalogue of a file, for a command that stores nothing; none where no file is named.

    Raises:
        UsageError: the file cannot be read, or one of its rows cannot.

    """
    if file is None:
        if mapping_file is not None:
            raise UsageError(tr("--catalogue-mapping goes with --catalogue FILE"))
        return None
    with fitting(file, mapping_file, "catalogue new"):
        found = read_offers(file, offer_mapping_of(file, mapping_file), Usual(currency))
    if found.rejected:
        first = found.rejected[0]
        where = tr("{file}, line {line}", file=file, line=first.line)
        raise UsageError(f"{where}: {first.column or ''} {first.reason}".replace(":  ", ": "))
    return Catalogue(_of_products(found.offers))


def _of_products(offers: Iterable[Offer]) -> Callable[[Collection[str]], list[Offer]]:
    by_sku: dict[str, list[Offer]] = {}
    for one in offers:
        by_sku.setdefault(one.sku, []).append(one)
    return lambda skus: [one for sku in skus for one in by_sku.get(sku, ())]
