"""A file's past run through the process on a virtual clock: counted, or kept in a scratch database to be looked at."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.counting import Counting
from engine.outcomes import Arrival, Tally
from engine.reporting import apply
from engine.rules import rules_in_force
from inbound.order_rows import SOURCE, Incoming
from inbound.orders import OrderFile
from inbound.rejections import Rejection
from storage.database import Database
from storage.scratch import create_tables
from workflow.case.case import Report, own_key
from workflow.catalogue import Chooser
from workflow.policy.policy import Policy, Rules, calendar_of

BATCH = 500
Progress = Callable[[int], None]
"""Told how many rows were read since the last call."""


@dataclass(slots=True)
class Replayed:
    """What a replay did."""

    until: datetime
    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejection] = field(default_factory=list)
    left_out: list[Rejection] = field(default_factory=list)
    """Cells that could not be read, and that no order needs."""
    first: datetime | None = None


def placing(incoming: Incoming) -> Report:
    """Return the report by which an order of a file is placed."""
    order = incoming.order
    return Report("place", order.placed_at, SOURCE, own_key("place", order.placed_at), incoming.actor)


def arrival_of(incoming: Incoming) -> Arrival:
    """Return an order of a file as it comes to the engine."""
    told = (incoming.order, incoming.reports, incoming.lines, placing(incoming), incoming.line, incoming.given)
    return Arrival(*told, adds=incoming.known is not None, unsure=incoming.unsure)


def replay(
    file: OrderFile,
    until: datetime,
    policy: Policy,
    policy_text: str,
    *,
    keep: Path | None = None,
    chooser: Chooser | None = None,
    progress: Progress = lambda rows: None,
) -> Replayed:
    """Run the past of a file up to `until`, inclusive; what is placed or reported later does not exist.

    Nothing is sent. `chooser` says who can deliver orders that name no alternatives. `keep` names a new file for the scratch
    database, to be looked at afterwards. Without it, orders are counted in memory, unless the file links orders to each other.
    """
    replayed = Replayed(until)
    orders = _that_exist(file, replayed, progress)
    if keep is None and not file.links_orders:
        counting = Counting(until, Rules(1, policy, calendar_of(policy), asks=False, chooser=chooser), replayed.tally)
        orders = counting.left_of(orders)
    with _scratch(keep) as database:
        rules = rules_in_force(database, policy_text, until).without_asking().with_chooser(chooser)
        while batch := [*islice(orders, BATCH)]:
            with database.write() as connection:
                for outcome in apply(connection, batch, until, rules, until=until):
                    replayed.tally.add(outcome)
    return replayed


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Database]:
    with TemporaryDirectory(prefix="aftersales-") as folder:
        database = Database(f"sqlite:///{keep or Path(folder) / 'replay.db'}", scratch=True)
        create_tables(database)
        try:
            yield database
        finally:
            database.close()


def _that_exist(file: OrderFile, replayed: Replayed, progress: Progress) -> Iterator[Arrival]:
    """Yield what existed by the end of the replay; collect what was rejected of it."""
    until = replayed.until
    for incoming, rejections, rows in file:
        progress(rows)
        existed = [one for one in rejections if one.since is None or one.since <= until]
        replayed.rejected += [one for one in existed if not one.is_cell]
        replayed.left_out += [one for one in existed if one.is_cell]
        if incoming is not None and incoming.order.placed_at <= until:
            first, placed_at = replayed.first, incoming.order.placed_at
            replayed.first = placed_at if first is None else min(first, placed_at)
            arrival = arrival_of(incoming)
            yield replace(arrival, reports=_up_to(arrival.reports, until))


def _up_to(reports: Iterable[Report], until: datetime) -> tuple[Report, ...]:
    return tuple(report for report in reports if report.at <= until)
