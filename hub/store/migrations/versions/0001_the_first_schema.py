"""The first schema."""

from __future__ import annotations

from alembic import op

from hub.store.upgrade import complete_metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    complete_metadata().create_all(op.get_bind())
