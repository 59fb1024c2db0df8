"""The one schema. Times are integers: milliseconds since 1970 in UTC. JSON is kept as text, as it was written."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# BIGINT, but SQLite numbers rows by itself only for INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger

# --- what came in ----------------------------------------

events = Table(
    "events",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what its deliveries are about: see hub.flow.subject
    Column("occurred_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("body", Text, nullable=False),  # the canonical event's JSON
    UniqueConstraint("connection", "source_id"),
    Index(None, "subject"),
)

unread = Table(
    "unread",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("connection", "digest"),
)

interactions = Table(
    "interactions",
    metadata,
    Column("connection", Text, nullable=False),
    Column("key", Text, nullable=False),  # the platform's own id
    Column("channel", Text),
    Column("direction", Text),
    Column("state", Text, nullable=False),
    Column("remote_e164", Text),
    Column("agent", Text),
    Column("facts", Text, nullable=False),  # hub.model.Facts as JSON
    Column(
        "triggered", Text, nullable=False
    ),  # JSON list: the mappings whose event has come; later facts go to them too
    Column("last_occurred_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "key"),
    Index(None, "remote_e164"),
    Index(None, "updated_at"),
)

# --- what goes out ----------------------------------------

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("mapping", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("connection", Text, nullable=False),  # the target's
    Column("lane", Integer, nullable=False),  # 0 interactive, 1 wrap-ups, 2 lists
    Column("action", Text, nullable=False),  # upsert | remove
    Column("state", Text, nullable=False),  # pending | sending | delivered | skipped | parked | superseded
    Column("provisional", Boolean, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_since", Moment),  # when the first of these attempts was; null: none yet
    Column("collapsed", Integer, nullable=False),  # how many older waiting ones this one stands for
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("lease_owner", Text),
    Column("body", Text),  # the source row of a contact list; null where the facts are the subject's own
    Column("reason", Text),  # JSON: why it is parked, skipped or waiting
    Column("object", Text),
    Column("record_id", Text),
    Column("record_url", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_deliveries_due", "connection", "lane", "due_at", sqlite_where=text("state = 'pending'"),
          postgresql_where=text("state = 'pending'")),
    Index("uq_deliveries_pending", "subject", "mapping", unique=True, sqlite_where=text("state = 'pending'"),
          postgresql_where=text("state = 'pending'")),
    Index("uq_deliveries_sending", "subject", "mapping", unique=True, sqlite_where=text("state = 'sending'"),
          postgresql_where=text("state = 'sending'")),
    Index("ix_deliveries_parked", "connection", sqlite_where=text("state = 'parked'"),
          postgresql_where=text("state = 'parked'")),
    Index(None, "subject"),
)  # fmt: skip

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("delivery", RowNumber, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("outcome", Text, nullable=False),  # created | updated | unchanged | removed | skipped | failed
    Column("sent", Text),  # JSON: the fields as they were sent
    Column("notes", Text),  # JSON: cuts, fields left to a person, and what else was not silent
    Column("error", Text),  # JSON: {"name", "message", "fields"}
    Index(None, "delivery"),
)

connection_states = Table(
    "connection_states",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("state", Text, nullable=False),  # active | paused
    Column("reason", Text),
    Column("since", Moment, nullable=False),
    Column("until", Moment),  # when it resumes by itself; null: by hand
    Column("day", Text, nullable=False),  # the UTC day that `calls` counts
    Column("calls", Integer, nullable=False),
)

# Calls by quarter of an hour: a day's use by lane, and the rate that the forecast goes on.
call_slots = Table(
    "call_slots",
    metadata,
    Column("connection", Text, nullable=False),
    Column("slot", Moment, nullable=False),  # when the quarter of an hour began
    Column("lane", Integer, nullable=False),  # as of deliveries; what a person waits for is 0
    Column("calls", Integer, nullable=False),
    PrimaryKeyConstraint("connection", "slot", "lane"),
)

quotas = Table(
    "quotas",
    metadata,
    Column("connection", Text, nullable=False),
    Column("window_seconds", Integer, nullable=False),
    Column("calls_limit", BigInteger, nullable=False),
    Column("calls_used", BigInteger, nullable=False),
    Column("until", Moment),  # when the window ends; null: it rolls, or the vendor does not say
    Column("seen_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "window_seconds"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("state", Text, nullable=False),  # good | refused, as the last call that told found them
    Column("message", Text),
    Column("expires_at", Moment),  # null: nobody says
    Column("checked_at", Moment, nullable=False),
)

# Records that a CRM merged into others: what an old id is called now.
merged_records = Table(
    "merged_records",
    metadata,
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("old_id", Text, nullable=False),
    Column("new_object", Text, nullable=False),
    Column("new_id", Text, nullable=False),
    Column("learned_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "old_id", "object"),
    Index(None, "connection", "new_id"),
)

# --- declared things, versioned ----------------------------------------

mapping_versions = Table(
    "mapping_versions",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),  # grows: what is newest wins on every node
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),  # the YAML, never changed
    Column("digest", Text, nullable=False),
    Column("published_by", Text, nullable=False),  # "files" or a person
    Column("published_at", Moment, nullable=False),
    Column("note", Text),
    UniqueConstraint("name", "version"),
)

# --- contact lists ----------------------------------------

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("schedule", Text, nullable=False),
    Column("tick", Moment, nullable=False),
    Column("node", Text, nullable=False),
    PrimaryKeyConstraint("schedule", "tick"),
)

list_runs = Table(
    "list_runs",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("mapping", Text, nullable=False),
    Column("state", Text, nullable=False),  # running | done | failed
    Column("full", Boolean, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("cursor", Text),
    Column("watermark", Text),
    Column("counts", Text, nullable=False),  # JSON: {"read", "sent", "unchanged", "removed", "left_out": {reason: n}}
    Column("error", Text),
    Column("mapping_version", Integer, nullable=False),  # another version is a first load again
    Column("lease_owner", Text),
    Column("lease_until", Moment),  # a running pull whose lease is over is taken over
    Index(None, "mapping"),
    Index("uq_list_runs_running", "mapping", unique=True, sqlite_where=text("state = 'running'"),
          postgresql_where=text("state = 'running'")),
)  # fmt: skip

list_members = Table(
    "list_members",
    metadata,
    Column("mapping", Text, nullable=False),
    Column("member", Text, nullable=False),  # the id that the CRM's page gave
    Column("run", RowNumber, nullable=False),  # the last full run that saw it
    Column("state", Text, nullable=False),  # on | left_out | removed
    Column("reason", Text),
    Column("phone", Text),
    Column("content", Text, nullable=False),  # digest of what was sent
    Column("body", Text),  # the row of a duplicate, for the day when it takes the other's place
    PrimaryKeyConstraint("mapping", "member"),
    Index(None, "mapping", "phone"),
)

do_not_call = Table(
    "do_not_call",
    metadata,
    Column("phone", Text, primary_key=True),  # E.164; once in, only a person with a reason takes it out
    Column("since", Moment, nullable=False),
    Column("source", Text, nullable=False),
)

# --- the customer directory ----------------------------------------

directory_sources = Table(
    "directory_sources",
    metadata,
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("fresh_at", Moment),  # all that the CRM had then is known; null: the first load is not done
    PrimaryKeyConstraint("connection", "object"),
)

directory_records = Table(
    "directory_records",
    metadata,
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what a screen pop needs, and the record's own identifiers
    Column("run", RowNumber, nullable=False),  # the last run that read it
    Column("seen_at", Moment, nullable=False),  # when that was
    PrimaryKeyConstraint("connection", "object", "id"),
)

directory_entries = Table(
    "directory_entries",
    metadata,
    Column("value", Text, nullable=False),  # an E.164 number, a folded e-mail address, or `key:` and a key
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("id", Text, nullable=False),
    PrimaryKeyConstraint("value", "connection", "object", "id"),
    sqlite_with_rowid=False,  # the index is the table: half the pages, and numbers come in no order
)

# --- the desk ----------------------------------------

dials = Table(
    "dials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),  # of the request: the same key with another body is refused
    Column("connection", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("record", Text),  # JSON: connection, object, id
    Column("state", Text, nullable=False),  # requested | accepted | refused | unknown
    Column("reason", Text),
    Column("note", Text),  # what the agent is told beside the outcome
    Column("interaction", Text),
    Column("double_of", Text),  # the dial that this one, a double click under another key, stands for
    Column("created_at", Moment, nullable=False),
    Index(None, "agent", "created_at"),
    Index(None, "connection", "interaction"),
)

own_numbers = Table(
    "own_numbers",
    metadata,
    Column("number", Text, primary_key=True),  # E.164, or an extension's digits
    Column("connection", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
)

fresh_records = Table(
    "fresh_records",
    metadata,
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("phone", Text),
    Column("email", Text),
    Column("title", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "object", "record_id"),
    Index(None, "phone"),
    Index(None, "email"),
)

# --- what has to be known before it hurts ----------------------------------------

alerts = Table(
    "alerts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),  # one trouble has one key: while it is open it is not raised again
    Column("kind", Text, nullable=False),
    Column("connection", Text),
    Column("mapping", Text),
    Column("field", Text),
    Column("message", Text, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),  # when it was last found to be so
    Column("cleared_at", Moment),
    Index("uq_alerts_open", "key", unique=True, sqlite_where=text("cleared_at IS NULL"),
          postgresql_where=text("cleared_at IS NULL")),
)  # fmt: skip

descriptions = Table(
    "descriptions",
    metadata,
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what `describe` said last
    Column("asked_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "object"),
)

read_back = Table(
    "read_back",
    metadata,
    Column("connection", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the mapping: a mended one begins anew
    Column("field", Text, nullable=False),
    Column("checked", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("cut", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("longest_sent", Integer),  # characters, of those that were cut
    Column("longest_kept", Integer),
    Column("lately", Text, nullable=False),  # the last verdicts, a letter each, the newest last
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    PrimaryKeyConstraint("connection", "mapping", "version", "field"),
)

read_back_queue = Table(
    "read_back_queue",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("delivery", RowNumber, nullable=False),  # its last attempt has what was sent
    Column("country", Text, nullable=False),  # by whose rules numbers are compared
    Column("noted_at", Moment, nullable=False),
    Column(
        "due_at", Moment, nullable=False
    ),  # while it is being read: when it comes again if whoever reads does not come back
    Column("tries", Integer, nullable=False),
    UniqueConstraint("connection", "object", "record_id", "mapping"),
    Index(None, "connection", "due_at"),
    sqlite_autoincrement=True,  # an id that is gone is nobody's again: whoever still reads by it must not meet a newer row
)

# --- who may do what ----------------------------------------

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the token; the token itself is shown once
    Column("scopes", Text, nullable=False),  # JSON list
    Column("created_at", Moment, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),  # a salted scrypt hash
    Column("created_at", Moment, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("name", Text, primary_key=True),  # such as the session cookie's signing key
    Column("value", Text, nullable=False),
)
