"""effects name their supplier; attempts remember what an override made them count from"""

import json

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EFFECTS = sa.table("effects", sa.column("id"), sa.column("details"), sa.column("supplier"))


def upgrade() -> None:
    with op.batch_alter_table("effects") as batch_op:
        batch_op.add_column(sa.Column("supplier", sa.String(), nullable=True))
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.add_column(sa.Column("counts_from", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    connection = op.get_bind()
    for key, details in connection.execute(sa.select(EFFECTS.c.id, EFFECTS.c.details)).all():
        supplier = json.loads(details).get("supplier")
        if supplier is not None:
            connection.execute(EFFECTS.update().where(EFFECTS.c.id == key).values(supplier=supplier))


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
