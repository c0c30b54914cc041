"""files of the inbox: what was taken, and what became of it"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOVING = sa.text("NOT lies_there AND status <> 'taking'")
UNREAD = sa.text("unread IS NOT NULL")
OPEN = sa.text("status = 'rejected'")
TAKING = sa.text("status = 'taking'")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("mapping", sa.String(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("taken_at", UTCDateTime(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("lies_there", sa.Boolean(), nullable=False),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
    )
    op.create_index("files_by_digest", "files", ["digest"])
    op.create_index("files_moving", "files", ["id"], sqlite_where=MOVING, postgresql_where=MOVING)
    op.create_index("files_open", "files", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("files_taking", "files", ["digest"], unique=True, sqlite_where=TAKING, postgresql_where=TAKING)
    op.create_index("orders_unread", "orders", ["id"], sqlite_where=UNREAD, postgresql_where=UNREAD)


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
