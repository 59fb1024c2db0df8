"""What is to be read back, which a restart does not lose any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make its table."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "read_back_queue",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("delivery", number, nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_back_queue")),
        sa.UniqueConstraint(
            "connection",
            "object",
            "record_id",
            "mapping",
            name=op.f("uq_read_back_queue_connection_object_record_id_mapping"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_read_back_queue_connection_due_at"), "read_back_queue", ["connection", "due_at"])
