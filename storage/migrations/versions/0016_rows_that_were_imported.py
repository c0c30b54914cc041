"""what was imported of each order last, and what of it could not be read"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("unread", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.create_table(
        "file_marks",
        sa.Column("order_id", sa.Integer(), sa.ForeignKey("orders.id"), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
