"""which row of the ledger corrects another one"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger", sa.Column("corrects", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
