"""The store's schema as it grew: Alembic revisions. `hub.store.upgrade` applies them when the hub opens its store."""
