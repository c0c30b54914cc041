"""several parcels of an attempt"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ONE_OF_EACH_ATTEMPT = """
INSERT INTO parcels (order_id, number, attempt, news, carrier, tracking_number)
SELECT order_id, row_number() OVER (PARTITION BY order_id ORDER BY number), number, parcel, carrier, tracking_number
FROM attempts WHERE parcel <> '[]' OR carrier IS NOT NULL OR tracking_number IS NOT NULL
"""
OF_MOVED_ORDERS = """
INSERT INTO parcels (order_id, number, attempt, news)
SELECT id, 1 + (SELECT count(*) FROM parcels known WHERE known.order_id = orders.id), "current", {news}
FROM orders WHERE state IN ('shipped', 'customs_hold', 'delivered', 'closed') AND NOT EXISTS (
    SELECT 1 FROM parcels sent WHERE sent.order_id = orders.id AND sent.attempt = orders."current")
"""
"""A person has moved these orders: their parcels are where the order is."""
SINCE = {
    "sqlite": "replace(since, ' ', 'T') || '+00:00'",
    "postgresql": """to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
}
POSITION = "CASE state WHEN 'shipped' THEN 'shipped' WHEN 'customs_hold' THEN 'held' ELSE 'delivered' END"


def upgrade() -> None:
    op.create_table(
        "parcels",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("news", sa.Text(), nullable=False),
        sa.Column("same_as", sa.Integer(), nullable=True),
        sa.Column("carrier", sa.String(), nullable=True),
        sa.Column("tracking_number", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("order_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("parcels_tracking_number", "parcels", ["tracking_number"])
    op.execute(ONE_OF_EACH_ATTEMPT)
    written = SINCE[op.get_bind().dialect.name]
    op.execute(OF_MOVED_ORDERS.format(news=f"""'[["' || {written} || '","' || {POSITION} || '"]]'""").replace(":", r"\:"))
    for name in ("parcel", "carrier", "tracking_number"):
        op.drop_column("attempts", name)


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
