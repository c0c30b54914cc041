"""several reports under one key, where their sender says something else"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UNIQUE = "uq_reports_order_id_source_key"
"""SQLite has no name for it, and alembic makes one by this pattern."""


def upgrade() -> None:
    shared = op.get_bind().dialect.name == "postgresql"
    naming = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}
    with op.batch_alter_table("reports", naming_convention=naming) as batch_op:
        batch_op.add_column(sa.Column("nth", sa.Integer(), nullable=False, server_default=sa.text("1")))
        batch_op.drop_constraint("reports_order_id_source_key_key" if shared else UNIQUE, type_="unique")
        batch_op.create_unique_constraint("reports_by_key", ["order_id", "source", "key", "nth"])


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
