"""decisions a person makes, and the reports that wait for them"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.add_column("orders", sa.Column("decisions_made", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "decisions",
        sa.Column("order_id", sa.Integer(), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("since", INSTANT(), nullable=False),
        sa.Column("timer", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("sleeps_until", INSTANT(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=True),
        sa.Column("passed_over", sa.String(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", INSTANT(), nullable=True),
        sqlite_with_rowid=False,
    )
    _index("decisions_standing", "decisions", "order_id", "status = 'standing'")
    _index("reports_waiting", "reports", "order_id", "verdict = 'waiting'")


def _index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
