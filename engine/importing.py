"""A file's orders and reports stored in batches, with a point to resume from."""

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from engine import unread
from engine.halves import in_halves
from engine.outcomes import Tally
from engine.replay import BATCH, Progress, arrival_of
from engine.reporting import apply
from engine.unread import FileSays
from inbound.order_rows import Incoming
from inbound.orders import OrderFile, shop_in
from inbound.rejections import Rejection
from language import tr
from storage import cases, imports, queries
from storage.attention import raise_flags
from storage.cases import Identity
from storage.database import Database, repeated, without_cyclic_gc
from workflow.errors import AftersalesError, describe_error
from workflow.policy.policy import Rules


@dataclass(slots=True)
class Imported:
    """What an import did; `resumed_after` counts the orders that an interrupted run had stored before."""

    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejection] = field(default_factory=list)
    left_out: list[Rejection] = field(default_factory=list)
    """Cells that could not be read, and that no order needs."""
    rows_to_mend: dict[int, str] = field(default_factory=dict)
    """The rows of all orders of which something was rejected or left out, and what is wrong with each."""
    rounded: int = 0
    """Sums that had a share of their currency's minor unit."""
    unchanged: int = 0
    """Orders whose rows were those of their last import, and to which nothing has happened since."""
    resumed_after: int = 0

    def keep_rows(self, rejections: Sequence[Rejection], incoming: Incoming | None) -> None:
        """Keep the rows of an order of which something was rejected or left out."""
        for line in incoming.rows if incoming and rejections else ():
            self.rows_to_mend.setdefault(line, "")
        for one in rejections:
            said, why = self.rows_to_mend.get(one.line), f"{one.column}: {one.reason}" if one.column else one.reason
            self.rows_to_mend[one.line] = f"{said}; {why}" if said else why

    def reject(self, incoming: Incoming, why: str) -> None:
        """Reject an order that was read."""
        order = incoming.order
        rejection = Rejection(incoming.line, None, why, order.name, order.placed_at)
        self.rejected.append(rejection)
        self.keep_rows([rejection], incoming)


def import_orders(
    database: Database,
    file: OrderFile,
    now: datetime,
    rules: Rules,
    *,
    observed: bool = False,
    urge_historical: bool = False,
    progress: Progress = lambda rows: None,
) -> Imported:
    """Store a file's orders and apply all its reports at `now`, before timers are looked at (rule 7.1).

    `observed` holds every effect that the new orders cause (rule 5.4); `urge_historical` lets old ones be urged too
    (rule 7.7). A second run changes nothing; a run that was interrupted goes on behind its last stored batch.
    """
    imported = Imported()
    older_than = None if urge_historical else rules.policy.orders.historical_after.span()
    digest = _digest(file)
    with database.write() as connection:
        done, begun = imports.begin(connection, digest, file.path.name, now)
        shops = {name.lower() for name in queries.shops(connection)}
        standing = imports.standing(connection)
    if not file.places_orders:  # which orders its rows name may have changed since: it begins again, and repeats nothing
        done = 0
    imported.resumed_after = done
    stored_before = begun + rules.policy.reports.ahead_of_now.span()
    orders = (
        (number, order)
        for number, order in _acceptable(file, now, rules, imported, progress, shops)
        if number > done or order.order.placed_at > stored_before  # the interrupted run left these to a later one
    )
    says = FileSays({source.trigger for source in file.reports}, states_all=file.places_orders)
    storing = _Storing(database, digest, done, now, rules, imported, standing, says, observed=observed, older_than=older_than)
    while True:
        with without_cyclic_gc():
            batch = [*islice(orders, BATCH)]
            storing.store(batch)
        if len(batch) < BATCH:
            break
    with database.write() as connection:
        imports.finish(connection, digest)
    imported.rounded, imported.unchanged = file.rounded, file.unchanged
    imported.tally.orders += file.unchanged
    return imported


@dataclass(frozen=True, slots=True)
class _Storing:
    """Stores batches of a file's orders, each in a transaction; one that fails is halved, down to the order that fails."""

    database: Database
    digest: str
    done: int
    """How many orders of the file an interrupted run has passed."""
    at: datetime
    rules: Rules
    imported: Imported
    standing: Set[Identity]
    """Orders that stand still because a report could not be read."""
    says: FileSays
    _: KW_ONLY
    observed: bool
    older_than: timedelta | None
    failed: list[int] = field(default_factory=list)
    """Places of orders that could not be processed: a run that is interrupted begins again before the first of them."""

    def store(self, batch: Sequence[tuple[int, Incoming]]) -> None:
        """Store orders, given with their places in the file; one that cannot be processed is rejected (rule 9.5)."""
        in_halves(batch, self._apply, self._reject, concerns_all=lambda error: isinstance(error, AftersalesError))

    def _apply(self, batch: Sequence[tuple[int, Incoming]]) -> None:
        orders = [one for _, one in batch]
        arrivals = [arrival_of(one) for one in orders]

        @repeated
        def stored(database: Database) -> Tally:
            counted = Tally()  # the outcomes themselves are let go: the garbage collector would look through them
            with database.write() as connection:
                versions = dict[Identity, int]()
                for one in apply(connection, arrivals, self.at, self.rules, observed=self.observed, older_than=self.older_than):
                    counted.add(one)
                    versions[one.case.order.shop, one.case.order.number] = one.case.steps
                counted.held += unread.follow(connection, orders, self.standing, self.says, self.at, self.rules)
                whole = {(one.order.shop, one.order.number): one.digest for one in orders if one.digest}
                imports.mark(connection, {name: (digest, versions[name]) for name, digest in whole.items()})
                passed = min([batch[-1][0], *(place - 1 for place in self.failed)])
                imports.advance(connection, self.digest, max(self.done, passed))
            return counted

        self.imported.tally.take(stored(self.database))

    def _reject(self, placed: tuple[int, Incoming], error: Exception) -> None:
        """Reject an order, and if it is stored, say on it that its reports could not be processed."""
        (place, incoming), what = placed, describe_error(error)
        self.failed.append(place)
        order = incoming.order
        why = tr(
            "order {name} could not be processed ({what}): nothing of it was stored; import it again",
            name=order.name,
            what=what,
        )
        self.imported.reject(incoming, why)
        with self.database.write() as connection:
            known = cases.find(connection, [(order.shop, order.number)])
            raise_flags(connection, [(key, "report_failed", self.at, what) for key in known.values()])


def _acceptable(
    file: OrderFile, now: datetime, rules: Rules, imported: Imported, progress: Progress, shops: Set[str]
) -> Iterator[tuple[int, Incoming]]:
    """Yield the orders that can be stored, with their place in the file.

    One that is dated ahead of now waits in its file (rule 7.4). A number that begins with the name of one of the `shops`, in a
    file that names no shop, is the name of an order as screens show it, and would make a second order of it.
    """
    latest = now + rules.policy.reports.ahead_of_now.span()
    for number, (incoming, rejections, rows) in enumerate(file, 1):
        progress(rows)
        imported.rejected += (one for one in rejections if not one.is_cell)
        imported.left_out += (one for one in rejections if one.is_cell)
        imported.keep_rows(rejections, incoming)
        if incoming is not None and incoming.known:
            yield number, incoming
        elif incoming is not None and incoming.order.placed_at > latest:
            at, name = incoming.order.placed_at, incoming.order.name
            why = tr("order {name} is placed at {at}, ahead of now: import it again later", name=name, at=at.isoformat())
            imported.reject(incoming, why)
        elif incoming is not None and "shop" not in incoming.given and (shop := shop_in(incoming.order.number)) in shops:
            name = incoming.order.number
            why = tr(
                "{name} is how screens name an order of the shop {shop}: write the shop into a column", name=name, shop=shop
            )
            imported.reject(incoming, why)
        elif incoming is not None:
            yield number, incoming


def _digest(file: OrderFile) -> str:
    digest = hashlib.sha256(file.mapping_text.encode())
    with file.path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
