"""owners of the database, tries of effects, and work in several places that leaves a record of what is open"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.add_column("messages", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("effects", sa.Column("tries", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("effects", sa.Column("next_try_at", INSTANT(), nullable=True))
    op.add_column("effects", sa.Column("error", sa.String(), nullable=True))
    op.drop_table("heartbeats")  # nothing runs while the tables are upgraded
    op.create_table(
        "heartbeats",
        sa.Column("daemon", sa.String(), nullable=False),
        sa.Column("work", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("boot", sa.String(), nullable=False),
        sa.Column("pid_space", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT(), nullable=False),
        sa.Column("last_tick", INSTANT(), nullable=False),
        sa.Column("renewed_at", INSTANT(), nullable=False),
        sa.Column("lateness_seconds", sa.Float(), nullable=False),
        sa.Column("backlog", sa.Integer(), nullable=False),
        sa.Column("stopped_at", INSTANT(), nullable=True),
        sa.PrimaryKeyConstraint("daemon"),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("begun_at", INSTANT(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("ended_at", INSTANT(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "test_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stands_at", INSTANT(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "operations_open",
        "operations",
        ["begun_at"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    raise RuntimeError("restore a backup instead")
