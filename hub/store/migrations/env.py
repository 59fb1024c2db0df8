"""Alembic's entry: on the connection that `hub.store.upgrade` hands over, inside its transaction and under its lock."""

from __future__ import annotations

from alembic import context

from hub.store.upgrade import complete_metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=complete_metadata(),
    transaction_per_migration=False,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
