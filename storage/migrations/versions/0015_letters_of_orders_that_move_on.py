"""which version of an order a message was written from"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_members", sa.Column("order_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
