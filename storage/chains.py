"""Chains of replacements: what was paid for the first order, and what has come back for each (rule 8.6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, or_, select, text, tuple_
from sqlalchemy import case as case_of
from sqlmodel import col

from storage import dialect
from storage.chunks import chunked
from storage.locks import take_chains
from storage.tables import AttemptRow, LedgerTableRow, OrderRow, table_of
from workflow.case.case import Case, replace_fields
from workflow.vocabulary import LedgerSide, LedgerStatus

Key = tuple[str, str]
"""Shop, and number of the chain's first order."""


@dataclass(slots=True)
class Chain:
    """The money of one chain. `refunds` holds what was settled and what is asked for, by order number."""

    paid: int | None
    refunds: dict[str, tuple[int, int]] = field(default_factory=dict)

    def within(self, case: Case) -> Case:
        """Return the case knowing what the others of its chain have had."""
        others = [sums for number, sums in self.refunds.items() if number != case.order.number]
        settled, requested = (sum(one[part] for one in others) for part in (0, 1))
        return replace_fields(case, chain_paid=self.paid, settled_elsewhere=settled, requested_elsewhere=requested)

    def take(self, case: Case) -> None:
        """Remember the refunds of a case as they stand now."""
        self.refunds[case.order.number] = (0, 0)
        for row in case.ledger:
            if row.side == LedgerSide.refund:
                self.add(case.order.number, row.status, row.amount, row.settled_amount)

    def add(self, number: str, status: str, amount: int | None, settled_amount: int | None) -> None:
        """Add one refund of an order to its sums."""
        settled, requested = self.refunds.get(number, (0, 0))
        settled += settled_amount or 0
        if status == LedgerStatus.requested:
            requested += (amount or 0) - (settled_amount or 0)
        self.refunds[number] = (settled, requested)


def key_of(case: Case) -> Key | None:
    """Return which chain a case belongs to, or None where it has no replacements."""
    return (case.order.shop, case.order.chain) if case.order.chain else None


def load(connection: Connection, cases: Iterable[Case], *, lock: bool = True) -> dict[Key, Chain]:
    """Load the chains of cases. With `lock`, PostgreSQL locks them: sums must not be raced."""
    chains: dict[Key, Chain] = {}
    wanted = {key for case in cases if (key := key_of(case))}
    if lock:
        take_chains(connection, wanted)
    for some in chunked(wanted):
        listed = dialect.at(connection).pairs(some)
        first = tuple_(col(OrderRow.shop), col(OrderRow.number)).in_(listed)
        whose = (col(AttemptRow.order_id) == col(OrderRow.id)) & (col(AttemptRow.number) == col(OrderRow.current))
        amount_paid = case_of((col(OrderRow.current) == 1, col(OrderRow.paid)), else_=col(AttemptRow.paid))
        paid = select(col(OrderRow.shop), col(OrderRow.number), amount_paid).join(AttemptRow, whose).where(first)
        paid = paid.order_by(col(OrderRow.id))
        for shop, number, amount in connection.execute(paid):
            chains[shop, number] = Chain(amount)
        o, ledger = table_of(OrderRow), table_of(LedgerTableRow)
        columns = (o.c.shop, o.c.chain, o.c.number, ledger.c.status, ledger.c.amount, ledger.c.settled_amount)
        members = select(*columns).join(ledger, ledger.c.order_id == o.c.id)
        in_chain = tuple_(col(OrderRow.shop), col(OrderRow.chain)).in_(listed) & text(
            "orders.chain IS NOT NULL"
        )  # as its index has it
        for shop, chain, number, status, amount, settled in connection.execute(
            members.where(in_chain, col(LedgerTableRow.side) == LedgerSide.refund)
        ):
            chains[shop, chain].add(number, status, amount, settled)
    return chains


def of(case: Case, chains: Mapping[Key, Chain]) -> Chain | None:
    """Return the chain of a case, if it has one."""
    key = key_of(case)
    return chains.get(key) if key else None


def members(shop: str, number: str, chain: str | None) -> ColumnElement[bool]:
    """Return the condition for being in one chain with an order; itself alone where it has none."""
    o, first = table_of(OrderRow), chain or number
    return (o.c.shop == shop) & or_(o.c.number == first, o.c.chain == first)
