"""Run by Alembic: migrates over the connection that it is handed, inside that connection's transaction."""

from alembic import context
from sqlmodel import SQLModel

from storage import tables  # noqa: F401  (registers the tables)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
