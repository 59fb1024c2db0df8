"""One schema, every SQL statement, migrations; SQLite and PostgreSQL."""
