"""effects that wait for others, found by an index of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("status = 'waits'")
    op.create_index("effects_waiting", "effects", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
