"""The unit of work on cases: load them, and store all that a batch of steps leaves behind, or nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, or_, select, tuple_, update
from sqlmodel import SQLModel, col

from storage import codec
from storage.bulk import insert_rows, update_rows
from storage.persons import raise_flags
from storage.portions import portions
from storage.tables import (
    AttemptRow,
    ClaimRow,
    EffectRow,
    HistoryTableRow,
    LedgerTableRow,
    LineRow,
    OrderRow,
    ReportRow,
    TimerRow,
    table_of,
)
from storage.waking import announce, is_soon
from workflow.errors import OrderChanged
from workflow.intake import Received, Verdict
from workflow.order import Case
from workflow.process import PARCEL
from workflow.step import Step

Identity = tuple[str, str]
"""Shop and number of an order."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one order in one transaction, to be stored as one.

    `before` is the case as it was loaded (None: the order is new), `after` as it is now; `observed` says
    whether its effects are held.
    """

    after: Case
    steps: Sequence[Step]
    received: Sequence[Received]
    at: datetime
    order_id: int | None = None
    before: Case | None = None
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A case as it stands in the database."""

    order_id: int
    case: Case
    observed: bool
    """Whether its effects are held until a person has decided on the first (rule 5.4)."""
    erased: bool
    """Whether its buyer was erased (rule 6.4)."""


def find(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, int]:
    """Return the ids of the orders that are known."""
    known: dict[Identity, int] = {}
    for some in portions(identities):
        columns = select(col(OrderRow.shop), col(OrderRow.number), col(OrderRow.id))
        named = tuple_(col(OrderRow.shop), col(OrderRow.number)).in_(some)
        known |= {(shop, number): order_id or 0 for shop, number, order_id in connection.execute(columns.where(named))}
    return known


def load(connection: Connection, order_ids: Iterable[int], *, for_timers: bool = False) -> dict[int, Stored]:
    """Load the cases of orders; those of a server are locked until the transaction ends.

    `for_timers` leaves out what no timer looks at: the lines of orders that nothing was claimed of.
    """
    stored: dict[int, Stored] = {}
    for some in portions(order_ids):
        orders = _locked(connection, some)  # before their parts are read
        attempts = _by_order(connection, AttemptRow, some)
        timers = _by_order(connection, TimerRow, some, col(TimerRow.status).in_(("pending", "paused")))
        ledger = _by_order(connection, LedgerTableRow, some)
        claimed = [row["id"] for row in orders if row["claims_made"]]
        claims = _by_order(connection, ClaimRow, claimed)
        lines = _by_order(connection, LineRow, claimed if for_timers else some)
        waiting = _by_order(connection, ReportRow, some, *_WAITING)
        for row in orders:
            key = row["id"]
            case = codec.read_case(
                row,
                lines=lines[key],
                attempts=attempts[key],
                timers=timers[key],
                ledger=ledger[key],
                claims=claims[key],
                waiting=waiting[key],
            )
            stored[key] = Stored(key, case, row["observed"], row["erased"])
    return stored


def _locked(connection: Connection, order_ids: Sequence[int]) -> list[RowMapping]:
    """Return the rows of orders; a server locks them, and the first orders of their chains, always in the same order."""
    o = table_of(OrderRow)
    wanted: ColumnElement[bool] = o.c.id.in_(order_ids)
    if connection.dialect.name == "postgresql":
        chains = select(o.c.shop, o.c.chain).where(o.c.id.in_(order_ids), o.c.chain.is_not(None))
        wanted |= tuple_(o.c.shop, o.c.number).in_(chains)
    asked = set(order_ids)
    rows = connection.execute(select(o).where(wanted).order_by(o.c.id).with_for_update()).mappings()
    return [row for row in rows if row["id"] in asked]


def known_keys(connection: Connection, order_ids: Iterable[int]) -> set[tuple[int, str, str]]:
    """Return (order, source, key) of every report that the orders have had."""
    keys: set[tuple[int, str, str]] = set()
    columns = select(col(ReportRow.order_id), col(ReportRow.source), col(ReportRow.key))
    for some in portions(order_ids):
        keys |= {
            (one, source, key) for one, source, key in connection.execute(columns.where(col(ReportRow.order_id).in_(some)))
        }
    return keys


def store(connection: Connection, changes: Sequence[Change], modes: dict[str, str]) -> None:
    """Store a batch of changes. `modes` gives each effect kind its mode: auto, ask or off.

    Raises:
        OrderChanged: an order was moved by somebody else since it was loaded; nothing may be committed.

    """
    new = [change for change in changes if change.before is None]
    old = [change for change in changes if change.before is not None and change.steps]
    _advance(connection, old)
    ids = _insert_orders(connection, new)
    placed = [*zip(ids, new, strict=True), *((change.order_id or 0, change) for change in changes if change.before)]
    _store_parts(connection, placed)
    _store_timers(connection, placed)
    _store_reports(connection, placed)
    leaves = _store_effects(connection, placed, modes)
    raise_flags(connection, [(key, flag, change.at, None) for key, change in placed for s in change.steps for flag in s.flags])
    if leaves or any(is_soon(made.timers.values(), change.at) for _, change in placed for made in change.steps):
        announce(connection)


def _advance(connection: Connection, changes: Sequence[Change]) -> None:
    """Move the orders on, each only if it is still as it was loaded."""
    if not changes:
        return
    rows = [
        {"id": change.order_id, "seen": change.before.steps, **codec.order_values(change.after)}
        for change in changes
        if change.before
    ]
    if update_rows(connection, OrderRow, ("id",), rows, seen="version") != len(rows):
        _name_the_loser(connection, changes)


def _name_the_loser(connection: Connection, changes: Sequence[Change]) -> None:
    ours = {change.order_id: change for change in changes}
    for some in portions(key for key in ours if key):
        versions = select(col(OrderRow.id), col(OrderRow.version)).where(col(OrderRow.id).in_(some))
        for key, version in connection.execute(versions):
            change = ours[key]
            if version != change.after.steps and change.before:
                trigger, state = change.steps[0].history.trigger, change.before.state
                why = "somebody else moved the order first; look at it again"
                raise OrderChanged(change.after.name, state, trigger, why)
    raise AssertionError("an order vanished while it was being moved")


def _insert_orders(connection: Connection, changes: Sequence[Change]) -> list[int]:
    if not changes:
        return []
    if connection.dialect.name == "postgresql":  # others may be placing orders too; on SQLite nobody else writes
        connection.execute(select(func.pg_advisory_xact_lock(_PLACING)))
    first = (connection.execute(select(func.max(OrderRow.id))).scalar() or 0) + 1
    ids = list(range(first, first + len(changes)))
    rows = [
        {"id": key, **codec.new_order_values(change.after, change.observed)} for key, change in zip(ids, changes, strict=True)
    ]
    insert_rows(connection, OrderRow, rows)
    lines = [
        codec.line_values(key, number, line)
        for key, change in zip(ids, changes, strict=True)
        for number, line in enumerate(change.after.lines, 1)
    ]
    insert_rows(connection, LineRow, lines)
    return ids


NUMBERED = ("order_id", "number")
"""What the process itself numbers is known by."""
_PLACING = 1688
"""The server-wide lock of whoever hands out the ids of new orders."""

Placed = Sequence[tuple[int, Change]]


def _store_parts(connection: Connection, placed: Placed) -> None:
    """Store history, attempts and ledger rows: new ones are added, changed ones replaced."""
    insert_rows(connection, HistoryTableRow, [codec.history_values(key, s.history) for key, c in placed for s in c.steps])
    parts: tuple[tuple[type[SQLModel], str, Callable[[int, Any], codec.Values]], ...] = (
        (AttemptRow, "attempts", codec.attempt_values),
        (LedgerTableRow, "ledger", codec.ledger_values),
        (ClaimRow, "claims", codec.claim_values),
    )
    for model, name, values in parts:
        added: list[codec.Values] = []
        changed: list[codec.Values] = []
        for key, change in placed:
            before = getattr(change.before, name) if change.before else ()
            after = getattr(change.after, name)
            added += [values(key, one) for one in after[len(before) :]]
            changed += [values(key, b) for a, b in zip(before, after, strict=False) if a is not b]
        insert_rows(connection, model, added)
        update_rows(connection, model, NUMBERED, changed)


def _store_timers(connection: Connection, placed: Placed) -> None:
    added: list[codec.Values] = []
    changed: list[codec.Values] = []
    for key, change in placed:
        touched = {number: timer for step in change.steps for number, timer in step.timers.items()}
        made = change.before.timers_made if change.before else 0
        for number, timer in touched.items():
            (added if number > made else changed).append(codec.timer_values(key, timer))
    insert_rows(connection, TimerRow, added)
    update_rows(connection, TimerRow, NUMBERED, changed)


def _store_reports(connection: Connection, placed: Placed) -> None:
    """Keep each report as it came; one that was kept before has only its verdict changed."""
    added: list[codec.Values] = []
    changed: list[codec.Values] = []
    for key, change in placed:
        for received in change.received:
            report = received.report
            verdict = {"verdict": str(received.verdict), "reason": received.error and received.error.why}
            if report.id is not None:
                changed.append({"of_report": report.id, **verdict})
            elif received.verdict is not Verdict.duplicate:
                told = {"source": report.source, "key": report.key, "trigger": report.trigger, "occurred": report.at}
                kept = {"received": change.at, "actor": report.actor, "fields": codec.dump(dict(report.fields))}
                added.append({"order_id": key, **told, **kept, **verdict})
    insert_rows(connection, ReportRow, added)
    if changed:
        values: codec.Values = {"verdict": bindparam("verdict"), "reason": bindparam("reason")}
        connection.execute(_update_table(ReportRow).where(col(ReportRow.id) == bindparam("of_report")).values(values), changed)


def _store_effects(connection: Connection, placed: Placed, modes: dict[str, str]) -> bool:
    """Store effects, and drop those that have lost their point; return whether any may leave."""
    rows: list[codec.Values] = []
    for key, change in placed:
        for made in change.steps:
            for effect in made.effects:
                status = "held" if change.observed else _STATUS_BY_MODE[modes[effect.kind]]
                rows.append({**codec.effect_values(key, made.history, effect), "status": status})
    insert_rows(connection, EffectRow, rows)
    _withdraw(
        connection,
        [
            {"of_order": key, "of_kind": kind, "of_attempt": attempt, "at": change.at, "before": made.history.sequence}
            for key, change in placed
            for made in change.steps
            for kind, attempt in made.withdrawn
        ],
    )
    return any(row["status"] == "ready" for row in rows)


_STATUS_BY_MODE = {"auto": "ready", "ask": "asked", "off": "off"}
NOT_LEFT = ("held", "asked", "ready")
"""Statuses of effects that no message carries yet."""


def _withdraw(connection: Connection, moot: Sequence[codec.Values]) -> None:
    """Drop effects of earlier steps that have not left yet and have lost their point (rule 5.7)."""
    if not moot:
        return
    same = (col(EffectRow.order_id) == bindparam("of_order")) & (col(EffectRow.kind) == bindparam("of_kind"))
    same &= (col(EffectRow.attempt) == bindparam("of_attempt")) & (col(EffectRow.sequence) < bindparam("before"))
    dropped: codec.Values = {"status": "dropped", "decided_by": "the process", "decided_at": bindparam("at")}
    unsent = or_(*(col(EffectRow.status) == status for status in NOT_LEFT))
    connection.execute(_update_table(EffectRow).where(same & unsent).values(dropped), moot)


_WAITING = (
    col(ReportRow.verdict).in_(("exception", "refused")),
    col(ReportRow.resolved_at).is_(None),
    col(ReportRow.trigger).in_(PARCEL),
)


def _update_table(model: type[SQLModel]) -> Any:
    return update(table_of(model))


def _by_order(
    connection: Connection, model: type[SQLModel], order_ids: Sequence[int], *conditions: Any
) -> dict[int, list[RowMapping]]:
    """Return the rows of a table by order, each order's in the order of their keys."""
    if not order_ids:
        return defaultdict(list)
    table = table_of(model)
    query = select(table).where(table.c.order_id.in_(order_ids), *conditions).order_by(*table.primary_key.columns)
    found: dict[int, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["order_id"]].append(row)
    return found
