"""effects name their supplier"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EFFECTS = sa.table("effects", sa.column("id"), sa.column("details"), sa.column("supplier"))


def upgrade() -> None:
    with op.batch_alter_table("effects") as batch_op:
        batch_op.add_column(sa.Column("supplier", sa.String(), nullable=True))
    connection = op.get_bind()
    for key, details in connection.execute(sa.select(EFFECTS.c.id, EFFECTS.c.details)).all():
        supplier = json.loads(details).get("supplier")
        if supplier is not None:
            connection.execute(EFFECTS.update().where(EFFECTS.c.id == key).values(supplier=supplier))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
