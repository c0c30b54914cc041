"""Making and upgrading the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from storage.database import SCHEMA, Database, repeated
from storage.locks import Lock, take


@repeated
def upgrade(database: Database) -> str | None:
    """Bring the tables to this program's version; return the version they had, None where there were none.

    A failing migration leaves everything as it was.
    """
    database.create_file()
    before = database.schema()
    if before != SCHEMA:
        with database.write() as connection:
            take(connection, Lock.tables)
            command.upgrade(config(connection), "head")
    return before


def config(connection: Connection | None = None) -> Config:
    """Return the configuration of the migrations that come with the program."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
