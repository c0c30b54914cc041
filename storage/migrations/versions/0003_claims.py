"""claims and their evidence; chains of replacements; timers that a person moved; erased buyers"""

import json
from datetime import datetime

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ATTEMPTS = sa.table(
    "attempts",
    sa.column("order_id"),
    sa.column("number"),
    sa.column("parcel"),
    sa.column("delivered_at", sqlmodel.sql.sqltypes.UTCDateTime()),
)


INSTANT = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    _orders()
    _attempts_timers_and_ledger()
    _claims()
    _evidence()
    _remember_deliveries()


def _orders() -> None:
    op.add_column("orders", sa.Column("replaces", sa.String(), nullable=True))
    op.add_column("orders", sa.Column("generation", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("orders", sa.Column("chain", sa.String(), nullable=True))
    op.add_column("orders", sa.Column("claims_made", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("orders", sa.Column("erased", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("orders", sa.Column("historical", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "orders_by_chain",
        "orders",
        ["shop", "chain"],
        sqlite_where=sa.text("chain IS NOT NULL"),
        postgresql_where=sa.text("chain IS NOT NULL"),
    )


def _attempts_timers_and_ledger() -> None:
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.add_column(sa.Column("delivered_at", INSTANT(), nullable=True))
    with op.batch_alter_table("timers") as batch_op:
        batch_op.add_column(sa.Column("planned_at", INSTANT(), nullable=True))
        batch_op.add_column(sa.Column("claim", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("paused_by", sa.String(), nullable=True))
    op.execute("UPDATE timers SET planned_at = due_at")
    with op.batch_alter_table("timers") as batch_op:
        batch_op.alter_column("planned_at", existing_type=INSTANT(), nullable=False)
    op.create_index(
        "timers_provisional",
        "timers",
        ["due_at"],
        sqlite_where=sa.text("provisional"),
        postgresql_where=sa.text("provisional"),
    )
    with op.batch_alter_table("ledger") as batch_op:
        batch_op.add_column(sa.Column("claim", sa.Integer(), nullable=True))


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("opened_at", INSTANT(), nullable=False),
        sa.Column("came_from", sa.String(), nullable=False),
        sa.Column("pieces", sa.Text(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("verification_due", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("decided_at", INSTANT(), nullable=True),
        sa.Column("chosen", sa.String(), nullable=True),
        sa.Column("went_back_to", sa.String(), nullable=True),
        sa.Column("reopened", sa.Boolean(), nullable=False),
        sa.Column("replacement", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("claims_by_status", "claims", ["status"])


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("added_at", INSTANT(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("erased_at", INSTANT(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order_id", "claim", "sha256"),
        sqlite_with_rowid=False,
    )
    op.create_index("evidence_by_digest", "evidence", ["sha256"])


def _remember_deliveries() -> None:
    """The claim window counts from the delivery, which only the parcel's reports told until now."""
    connection = op.get_bind()
    delivered = sa.select(ATTEMPTS).where(ATTEMPTS.c.parcel.contains('"deliver"'))
    for row in connection.execute(delivered).all():
        at = max(datetime.fromisoformat(moment) for moment, trigger in json.loads(row.parcel) if trigger == "deliver")
        this = (ATTEMPTS.c.order_id == row.order_id) & (ATTEMPTS.c.number == row.number)
        connection.execute(ATTEMPTS.update().where(this).values(delivered_at=at))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
