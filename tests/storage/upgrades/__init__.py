"""Lived databases of every schema so far, as INSERT statements that SQLite and PostgreSQL both take."""
