"""what a step wrote of its order, sealed in its history row"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("history", sa.Column("wrote", sa.Text(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
