"""Calls by lane and quarter of an hour, what vendors say of their quotas, how credentials are, and merged records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "call_slots",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "slot", "lane", name=op.f("pk_call_slots")),
    )
    op.create_table(
        "quotas",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("window_seconds", sa.Integer(), nullable=False),
        sa.Column("calls_limit", sa.BigInteger(), nullable=False),
        sa.Column("calls_used", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "window_seconds", name=op.f("pk_quotas")),
    )
    op.create_table(
        "credentials",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_credentials")),
    )
    op.create_table(
        "merged_records",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("old_id", sa.Text(), nullable=False),
        sa.Column("new_object", sa.Text(), nullable=False),
        sa.Column("new_id", sa.Text(), nullable=False),
        sa.Column("learned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "old_id", "object", name=op.f("pk_merged_records")),
    )
    op.create_index(
        op.f("ix_merged_records_connection_new_id"), "merged_records", ["connection", "new_id"], unique=False
    )
    op.create_table(
        "crm_merges",
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("survivor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("object", "record", name=op.f("pk_crm_merges")),
    )
    op.create_index(op.f("ix_crm_merges_object_survivor"), "crm_merges", ["object", "survivor"], unique=False)
