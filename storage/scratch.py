"""A database for one run, that is not meant to outlive it."""

from sqlalchemy import text
from sqlmodel import SQLModel

from storage import tables  # noqa: F401  (registers the tables)
from storage.database import SCHEMA, Database


def create_tables(database: Database) -> None:
    """Make the tables at once, without the migrations (which lead to the same)."""
    database.create_file()
    with database.write() as connection:
        SQLModel.metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": SCHEMA})
