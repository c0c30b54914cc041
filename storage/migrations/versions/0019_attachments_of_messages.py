"""attachments of messages: photos and videos that a letter carries, by their digests; the order that one is about; settings of daemons"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("attachments", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("thread", sa.String(), nullable=True))
    op.add_column("heartbeats", sa.Column("settings", sa.String(), nullable=True))
    op.add_column("heartbeats", sa.Column("refused", sa.String(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
