"""The audit: what shows that somebody has changed what was recorded (rule 6.2), and anchors that are kept elsewhere."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from engine.evidence_keeping import changed_files
from engine.rebuild import as_known
from evidence.vault import Vault
from language import tr
from storage import audits, cases, policies, queries
from storage.database import Database
from workflow.errors import UsageError, describe_error
from workflow.policy.policy import Rules

_DIGEST = re.compile(r"[0-9a-f]{64}")
EVER = datetime.max.replace(tzinfo=UTC)
"""Of a history all is told, also what was recorded under a clock that ran ahead."""
SETTLED = timedelta(minutes=2)
"""After so long every transaction that was open at an instant has ended: an anchor covers what was recorded before."""
FACTS = ("state", "since", "timers", "ledger", "claims", "attempts")
"""What the rows of an order have besides its history, and its history can be told again for."""


@dataclass(frozen=True, slots=True)
class Audit:
    """How many histories were checked, and what does not hold: the order's name, and what is wrong."""

    orders: int
    broken: Sequence[tuple[str, str]]
    unsealed: int = 0
    """Histories that an older program began: of their orders' rows only what was written since could be compared."""
    untold: Sequence[str] = ()
    """Histories that could not be told again."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A digest over the heads of all histories as they were at an instant, to be kept where the database is not."""

    at: datetime
    orders: int
    digest: str

    def __str__(self) -> str:
        return f"{self.at.isoformat().replace('+00:00', 'Z')}/{self.orders}/{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Anchor":
        """Read an anchor as it was printed.

        Raises:
            UsageError: it is not one.

        """
        try:
            at, orders, digest = text.strip().split("/")
            if not _DIGEST.fullmatch(digest.lower()):
                raise ValueError(digest)
            return cls(datetime.fromisoformat(at).astimezone(UTC), int(orders), digest.lower())
        except ValueError:
            raise UsageError(tr("that is not an anchor: give the line that `aftersales audit --anchor` printed")) from None


@dataclass(frozen=True, slots=True)
class Deep:
    """What a deep audit needs: the rules, to take every step again, and the store of evidence, to read its files."""

    rules: Rules
    vault: Vault


def audit(
    database: Database, deep: Deep | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Audit:
    """Verify every history, and hold each order's rows against what its steps sealed.

    `progress` is told how many of all histories are done; a deep audit goes through them twice.
    """
    with database.read() as connection:
        broken, unsealed = list[tuple[str, str]](), 0
        count = queries.count_orders(connection)
        total = count * (1 if deep is None else 2)
        for number, found in enumerate(audits.findings(connection), 1):
            progress(number, total)
            broken += [(found.order, found.wrong)] if found.wrong else []
            unsealed += not found.is_sealed
        broken += audits.missing_orders(connection)
        broken += [
            (tr("policy {version}", version=version), tr("its text was changed")) for version in policies.changed(connection)
        ]
        if deep is None:
            return Audit(count, broken, unsealed)
        untold, known = list[str](), {name for name, _ in broken}
        for name, wrong in _retold(connection, deep.rules, lambda done: progress(count + done, total)):
            if wrong is None:
                untold.append(name)
            elif name not in known:
                broken.append((name, wrong))
        broken += changed_files(database, deep.vault)
        return Audit(count, broken, unsealed, tuple(untold))


def anchor(database: Database, at: datetime) -> Anchor:
    """Return the anchor of what was recorded by shortly before an instant."""
    with database.read() as connection:
        return _anchor(connection, at - SETTLED)


def changed_since(database: Database, kept: Anchor) -> str | None:
    """Say what shows that something recorded before an anchor was changed, or None."""
    with database.read() as connection:
        now = _anchor(connection, kept.at)
    if now.orders != kept.orders:
        return tr(
            "the anchor counts {orders:,} histories, and there are {orders_2:,} of that time",
            orders=kept.orders,
            orders_2=now.orders,
        )
    if now.digest == kept.digest:
        return None
    return tr("a history of before the anchor is not what it was: it was changed, or an older backup was restored")


def _anchor(connection: Connection, at: datetime) -> Anchor:
    digest, orders = hashlib.sha256(), 0
    for order_id, count, last_hash in audits.heads_as_of(connection, at):
        digest.update(f"{order_id}:{count}:{last_hash}\n".encode())
        orders += 1
    return Anchor(at, orders, digest.hexdigest())


def _retold(connection: Connection, rules: Rules, done: Callable[[int], None]) -> Iterator[tuple[str, str | None]]:
    """Yield orders whose rows are not what their histories tell, and with None those whose histories cannot be told again."""
    for number, order_id in enumerate(queries.order_ids(connection), 1):
        done(number)
        try:
            stored = cases.load(connection, [order_id], lock=False)[order_id].case
            told = as_known(connection, order_id, EVER, rules)
        except Exception as error:
            yield (
                tr("order row {order_id}", order_id=order_id),
                tr("its rows cannot be read ({error})", error=describe_error(error)),
            )
            continue
        if told is None or not told.exact:
            yield stored.name, None
            continue
        differing = [name for name in FACTS if getattr(told.case, name) != getattr(stored, name)]
        if differing:
            yield stored.name, tr("not what its history tells: {differing}", differing=", ".join(differing))
