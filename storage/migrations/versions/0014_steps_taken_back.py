"""how the steps of people can be taken back"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "undoable",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("recorded", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("reports", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order_id", "first"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
