"""The tables. Their rows are the truth; everything that runs can be killed and started again from them.

Keys are (order, number) where the process itself numbers things, so that nothing waits for the
database to hand out an id. Instants are UTC; amounts are minor units; `details` and `fields` are JSON.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Table, Text, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from storage import sqlite

KEYED = {"sqlite_with_rowid": False}


class AsciiText(Text):
    """JSON in ASCII, kept as it was hashed."""


def belongs_to_order() -> ForeignKeyConstraint:
    """Return the constraint that a row of a step belongs to an order that there is.

    None on PostgreSQL: checking it for every row of a step, whose order is locked anyway, cost a fifth of the work.
    """
    return ForeignKeyConstraint(["order_id"], ["orders.id"]).ddl_if(dialect=sqlite.NAME)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that meet a condition.

    That of PostgreSQL is made by the migrations: to name it here would import its dialect for every command.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where))


def table_of(model: type[SQLModel]) -> Table:
    """Return the table of a model, for statements that need no objects."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


class OrderRow(SQLModel, table=True):
    """One order and its state. `version` counts its steps and serves as the optimistic lock."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop", "number"),
        Index("orders_by_number", "number"),
        Index("orders_by_state", "state"),
        partial_index("orders_by_chain", "shop", "chain", where="chain IS NOT NULL"),
        partial_index("orders_unread", "id", where="unread IS NOT NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    shop: str
    number: str
    placed_at: datetime
    group: str | None = None
    supplier: str | None = None
    alternatives: str = Field(sa_type=Text)
    route: str
    country: str | None = None
    currency: str
    paid: int | None = Field(default=None, sa_type=BigInteger)
    ship_by: datetime | None = None
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_address: str | None = None
    merchant_email: str | None = None
    language: str
    supplier_number: str | None = None
    sale: int | None = Field(default=None, sa_type=BigInteger)
    replaces: str | None = None
    generation: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    chain: str | None = None
    salt: str
    observed: bool = False
    erased: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    state: str
    since: datetime
    current: int
    returns_to: str | None = None
    cancelled: bool = False
    gap: bool = False
    historical: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    unread: str | None = None
    carrier_status: str | None = None
    timers_made: int
    claims_made: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    decisions_made: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    version: int
    last_hash: str


class LineRow(SQLModel, table=True):
    """One line of an order."""

    __tablename__ = "order_lines"
    __table_args__ = KEYED

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    sku: str
    title: str
    quantity: int
    price: int | None = Field(default=None, sa_type=BigInteger)
    sale: int | None = Field(default=None, sa_type=BigInteger)


class AttemptRow(SQLModel, table=True):
    """One supplier's turn at an order."""

    __tablename__ = "attempts"
    __table_args__ = KEYED

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    supplier: str | None = None
    placed_at: datetime
    ship_by: datetime | None = None
    urged_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    counts_from: datetime | None = None
    supplier_number: str | None = None
    paid: int | None = Field(default=None, sa_type=BigInteger)
    returned_at: datetime | None = None


class ParcelRow(SQLModel, table=True):
    """A parcel of an attempt. `news` is a JSON list of [instant, trigger]."""

    __tablename__ = "parcels"
    __table_args__ = (Index("parcels_tracking_number", "tracking_number"), KEYED)

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    attempt: int
    news: str = Field(sa_type=Text)
    same_as: int | None = None
    carrier: str | None = None
    tracking_number: str | None = None


class UndoableRow(SQLModel, table=True):
    """Steps of an order that a person brought about: what they have changed as it was, and verdicts of their reports.

    `was` is JSON by field of the case; `reports` JSON of the reports ([source, key, nth, verdict before or null]), the flags
    raised and cleared, and the effects dropped. Of older programs it is the list of the reports alone.
    """

    __tablename__ = "undoable"
    __table_args__ = KEYED

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    first: int = Field(primary_key=True)
    last: int
    trigger: str
    recorded: datetime
    was: str = Field(sa_type=Text)
    reports: str = Field(sa_type=Text)


class TimerRow(SQLModel, table=True):
    """A deadline. `wake_at` is when it is tried: its due instant, or later after a failed try."""

    __tablename__ = "timers"
    __table_args__ = (
        partial_index("timers_pending", "wake_at", "order_id", "number", where="status = 'pending'"),
        partial_index("timers_provisional", "due_at", where="provisional"),
        belongs_to_order(),
        KEYED,
    )

    order_id: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    trigger: str
    due_at: datetime
    planned_at: datetime
    wake_at: datetime
    counts_from: datetime
    policy: int
    status: str
    nth: int
    ledger: int | None = None
    claim: int | None = None
    provisional: bool
    paused_at: datetime | None = None
    paused_by: str | None = None
    fired_at: datetime | None = None
    promised: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    tries: int = 0
    error: str | None = None


class HistoryTableRow(SQLModel, table=True):
    """One step of an order, chained to the one before."""

    __tablename__ = "history"
    __table_args__ = (belongs_to_order(), KEYED)

    order_id: int = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    trigger: str
    source: str | None = None
    target: str
    occurred: datetime
    due: datetime | None = None
    recorded: datetime
    actor: str
    reason: str | None = None
    details: str = Field(sa_type=Text)
    policy: int
    wrote: str | None = Field(default=None, sa_type=AsciiText)
    hash: str


class ReportRow(SQLModel, table=True):
    """A report as it came, with its verdict; `nth` numbers what was said under one key of one source."""

    __tablename__ = "reports"
    __table_args__ = (
        UniqueConstraint("order_id", "source", "key", "nth", name="reports_by_key"),
        partial_index("reports_open", "order_id", where="verdict IN ('exception', 'refused') AND resolved_at IS NULL"),
        partial_index("reports_waiting", "order_id", where="verdict = 'waiting'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id")
    source: str
    key: str
    trigger: str
    occurred: datetime
    received: datetime
    actor: str
    fields: str = Field(sa_type=Text)
    nth: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    verdict: str
    reason: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    word: str | None = None


class LedgerTableRow(SQLModel, table=True):
    """Money owed: a refund or a recovery."""

    __tablename__ = "ledger"
    __table_args__ = KEYED

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    side: str
    requested_at: datetime
    currency: str
    amount: int | None = Field(default=None, sa_type=BigInteger)
    attempt: int | None = None
    claim: int | None = None
    status: str
    settled_amount: int | None = Field(default=None, sa_type=BigInteger)
    decided_at: datetime | None = None
    corrects: int | None = None


class ClaimRow(SQLModel, table=True):
    """What a buyer claims of an order."""

    __tablename__ = "claims"
    __table_args__ = (Index("claims_by_status", "status"), KEYED)

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    kind: str
    opened_at: datetime
    came_from: str
    pieces: str = Field(sa_type=Text)
    remedy: str
    status: str
    evidence: str = Field(sa_type=Text)
    verification_due: bool
    verdict: str | None = None
    decided_at: datetime | None = None
    chosen: str | None = None
    went_back_to: str | None = None
    reopened: bool
    replacement: str | None = None


class DecisionRow(SQLModel, table=True):
    """A step that waits, or has waited, for a person's decision."""

    __tablename__ = "decisions"
    __table_args__ = (partial_index("decisions_standing", "order_id", where="status = 'standing'"), KEYED)

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    trigger: str
    since: datetime
    timer: int | None = None
    source: str | None = None
    key: str | None = None
    sleeps_until: datetime | None = None
    status: str
    way: str | None = None
    passed_over: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class EvidenceRow(SQLModel, table=True):
    """A photo or video of a claim. The files are kept under their digests: the original, and the copy that is shown."""

    __tablename__ = "evidence"
    __table_args__ = (Index("evidence_by_digest", "sha256"), KEYED)

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    claim: int = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    name: str | None = None
    kind: str
    bytes: int = Field(sa_type=BigInteger)
    width: int | None = None
    height: int | None = None
    shown: str
    added_at: datetime
    added_by: str
    erased_at: datetime | None = None


class EffectRow(SQLModel, table=True):
    """Something that leaves the engine because of one step of one order."""

    __tablename__ = "effects"
    __table_args__ = (
        Index("effects_by_order", "order_id"),
        partial_index("effects_ready", "id", where="status = 'ready'"),
        partial_index("effects_waiting", "id", where="status = 'waits'"),
        Index("effects_by_status", "status"),
        belongs_to_order(),
    )

    id: int | None = Field(default=None, primary_key=True)
    order_id: int
    sequence: int
    kind: str
    attempt: int
    supplier: str | None = None
    details: str = Field(sa_type=Text)
    status: str
    caused_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    tries: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    next_try_at: datetime | None = None
    error: str | None = None


class MessageRow(SQLModel, table=True):
    """A rendered text on its way through one channel; stored before its first try, never changed after.

    `attachments` is a JSON list of files that it carries (`Attached`), `thread` the name of the order that it is about alone.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("key"),
        partial_index("messages_waiting", "next_try_at", where="status = 'waiting'"),
        partial_index("messages_sending", "next_try_at", where="status = 'sending'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str
    kind: str
    channel: str
    recipient: str | None = None
    language: str
    subject: str
    body: str = Field(sa_type=Text)
    attachments: str | None = Field(default=None, sa_type=Text)
    thread: str | None = None
    status: str
    tries: int = 0
    written_at: datetime
    next_try_at: datetime
    sent_at: datetime | None = None
    error: str | None = None
    owner: str | None = None


class MemberRow(SQLModel, table=True):
    """Which effects a message carries."""

    __tablename__ = "message_members"
    __table_args__ = (Index("members_by_effect", "effect_id"), KEYED)

    message_id: int = Field(primary_key=True, foreign_key="messages.id")
    effect_id: int = Field(primary_key=True, foreign_key="effects.id")
    order_version: int | None = None
    """The version of the effect's order that the message was written from."""


class AttentionRow(SQLModel, table=True):
    """Why an order needs a person, until it is resolved."""

    __tablename__ = "attention"
    __table_args__ = (
        Index("attention_by_order", "order_id"),
        partial_index("attention_open", "order_id", "flag", unique=True, where="resolved_at IS NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id")
    flag: str
    raised_at: datetime
    detail: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    word: str | None = None


class PolicyRow(SQLModel, table=True):
    """A version of the policy, as its file stood."""

    __tablename__ = "policies"

    version: int | None = Field(default=None, primary_key=True)
    digest: str
    text: str = Field(sa_type=Text)
    since: datetime


class ImportRow(SQLModel, table=True):
    """A file that is being imported: how many of its orders are stored, so that it can be resumed."""

    __tablename__ = "imports"

    digest: str = Field(primary_key=True)
    file: str
    started_at: datetime
    orders_done: int = 0


class FileMarkRow(SQLModel, table=True):
    """The rows of a file that an order came in last: their digest, and the order's version when they had been taken."""

    __tablename__ = "file_marks"

    order_id: int = Field(primary_key=True, foreign_key="orders.id")
    digest: str
    version: int


class FileRow(SQLModel, table=True):
    """A file that was taken from the inbox, and what became of it.

    `content` is the digest of its content, `digest` that of its content and of all that says how it is read. `place` is where
    it lies, seen from the inbox; `lies_there` is false while it is still to be moved there. `summary` is JSON.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index("files_by_digest", "digest"),
        partial_index("files_moving", "id", where="NOT lies_there AND status <> 'taking'"),
        partial_index("files_open", "id", where="status = 'rejected'"),
        partial_index("files_taking", "digest", where="status = 'taking'", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    content: str
    digest: str
    mapping: str | None = None
    owner: str
    taken_at: datetime
    status: str
    place: str | None = None
    summary: str | None = Field(default=None, sa_type=Text)
    ended_at: datetime | None = None
    lies_there: bool = False
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    note: str | None = None


class CatalogueRow(SQLModel, table=True):
    """A change of the catalogue: an import, or the taking back of one (`undoes`)."""

    __tablename__ = "catalogues"

    version: int | None = Field(default=None, primary_key=True)
    file: str
    by: str
    since: datetime
    added: int
    ended: int
    undoes: int | None = None


class OfferRow(SQLModel, table=True):
    """That a supplier delivers a product. Rows are added and ended; what they say is never changed.

    `added_in` and `ended_in` are versions of the catalogue; `countries` is a JSON list.
    """

    __tablename__ = "offers"
    __table_args__ = (
        Index("offers_by_sku", "sku"),
        Index("offers_by_version", "added_in"),
    )

    id: int | None = Field(default=None, primary_key=True)
    supplier: str
    sku: str
    shop: str | None = None
    supplier_sku: str | None = None
    address: str | None = Field(default=None, sa_type=Text)
    price: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    handling_time: str | None = None
    countries: str = Field(sa_type=Text)
    rank: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    added_in: int
    ended_in: int | None = None


class HeartbeatRow(SQLModel, table=True):
    """An owner: a process that fires and sends, with its signs of life."""

    __tablename__ = "heartbeats"

    daemon: str = Field(primary_key=True)
    work: str
    host: str
    boot: str
    pid_space: str
    pid: int
    started: str
    started_at: datetime
    last_tick: datetime
    renewed_at: datetime
    lateness_seconds: float
    backlog: int
    stopped_at: datetime | None = None
    settings: str | None = None
    """A digest of the files that its settings come from."""
    refused: str | None = None
    """Why it has refused the settings as they have been changed, if it has."""


class OperationRow(SQLModel, table=True):
    """Work in several transactions or places: its plan, and how far it has come, until it has ended."""

    __tablename__ = "operations"
    __table_args__ = (partial_index("operations_open", "begun_at", where="ended_at IS NULL"),)

    id: str = Field(primary_key=True)
    kind: str
    by: str
    begun_at: datetime
    process: str
    plan: str = Field(sa_type=Text)
    done: int = 0
    ended_at: datetime | None = None


class ClockRow(SQLModel, table=True):
    """The clock of a database that is there to be tried out: it moves by `once --until` alone, and only forward."""

    __tablename__ = "test_clock"
    id: int = Field(primary_key=True)
    stands_at: datetime
