"""the numbers that suppliers know orders by, what was paid to each, what buyers paid, and promised dates"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("orders", "attempts"):
        op.add_column(table, sa.Column("supplier_number", sa.String(), nullable=True))
    op.add_column("attempts", sa.Column("paid", sa.BigInteger(), nullable=True))
    op.add_column("timers", sa.Column("promised", sa.Boolean(), nullable=False, server_default=sa.false()))
    for table in ("orders", "order_lines"):
        op.add_column(table, sa.Column("sale", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
