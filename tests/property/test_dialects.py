"""A shop's orders written in twenty dialects and read back: equal to the last cent and second."""

import tomllib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from inbound.mapping_document import parse_mapping
from inbound.orders import OrderFile
from inbound.proposing import propose
from tests.property.dialects import DIALECTS, shops
from workflow.policy.policy import Orders

NOW = datetime(2026, 11, 28, tzinfo=UTC)
DRAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(dialect, shop, tmp_path):
    path = tmp_path / f"orders{dialect.ending}"
    dialect.write(shop, path)
    return path


def read(path, table):
    """Return what a mapping reads of a file, as the shop would tell it."""
    found = list(OrderFile(path, parse_mapping(table), Orders()))
    assert [rejection for _, rejections, _ in found for rejection in rejections] == []
    return [
        (
            *(one.order.number, one.order.placed_at, one.order.paid, one.order.currency, one.order.buyer_name),
            [(line.sku, line.quantity, line.price) for line in one.lines],
            [(report.trigger, report.at, report.fields["tracking_number"]) for report in one.reports],
        )
        for one, _, _ in found
        if one
    ]


def as_told(shop):
    return [
        (
            *(order.number, order.placed, order.paid, "EUR", order.buyer),
            [(item.sku, item.quantity, item.price) for item in order.items],
            [("ship", order.shipped, order.parcel)] if order.shipped else [],
        )
        for order in shop
    ]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@given(shop=shops())
@DRAWS
def test_a_stated_mapping_reads_back_what_was_written(dialect, shop, tmp_path):
    assert read(written(dialect, shop, tmp_path), dialect.mapping()) == as_told(shop)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@given(shop=shops())
@DRAWS
def test_a_proposal_reads_back_what_was_written_or_asks(dialect, shop, tmp_path):
    path = written(dialect, shop, tmp_path)
    proposal = propose(path, ZoneInfo(dialect.zone) if dialect.zone else None, NOW)
    if proposal.questions:
        assert dialect.asks, proposal.questions
    else:
        assert read(path, tomllib.loads(proposal.text)) == as_told(shop)
