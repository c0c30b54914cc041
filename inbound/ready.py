"""Mappings that come with the program, each for a form of file that was really found (docs/mappings.md)."""

from pathlib import Path

from language import tr
from workflow.errors import UsageError
from workflow.suggestions import did_you_mean

FOLDER = Path(__file__).parent / "mappings"


def path_of(name: str) -> Path | None:
    """Return where a ready mapping stands; None if there is none of that name."""
    return FOLDER / f"{name}.toml" if name in described() else None


def named(said: str) -> Path:
    """Return the file of a mapping: the one that is named, or the ready one of that name.

    Raises:
        UsageError: it looks like the name of a ready one, and there is none of that name.

    """
    path = Path(said)
    if path.exists():
        return path
    found = path_of(said)
    if found is None and not path.suffix:
        hint = did_you_mean(said, described())
        raise UsageError(tr("there is no file {name}, nor a ready mapping of that name{hint}", name=said, hint=hint))
    return found or path


def described() -> dict[str, str]:
    """Return what each ready mapping is for, by name."""
    return {
        "shopify-csv": tr("Shopify: orders exported as CSV"),
        "shopify-json": tr("Shopify: orders of its API and webhooks (JSON)"),
        "woocommerce-json": tr("WooCommerce: orders of its REST API and webhooks (JSON)"),
        "woocommerce-advanced": tr("WooCommerce: CSV of Advanced Order Export; set time_zone in a copy"),
        "taobao-orders": tr("Taobao and Tmall: the order report, first of two files"),
        "taobao-lines": tr("Taobao and Tmall: the goods report, which adds the lines"),
        "dsers-csv": tr("DSers: orders to be placed by CSV; set time_zone in a copy"),
        "17track": tr("17TRACK: what happened to parcels (JSON)"),
        "aftership": tr("AfterShip: what happened to parcels (JSON)"),
        "easypost": tr("EasyPost: what happened to parcels (JSON)"),
        "parcelpanel": tr("ParcelPanel: what happened to parcels (JSON)"),
        "ship24": tr("Ship24: what happened to parcels (JSON); set time_zone in a copy"),
        "trackingmore": tr("TrackingMore: what happened to parcels (JSON); set time_zone in a copy"),
        "aliexpress-tracking": tr("AliExpress: notes on parcels, as order.tracking.get answers (JSON)"),
    }
