"""Where cases are kept: SQLModel tables, the unit of work, and read-only queries."""
