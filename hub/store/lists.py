"""Contact lists in SQL: their runs, their members, who must not be called, and the deliveries that a page makes."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, func, select, update

from hub.store.many import Into, among, bulk, insert
from hub.store.schema import deliveries, do_not_call, list_members, list_runs, own_numbers, schedule_ticks

LIST_LOCK = 0x6C697374  # "list": the first half of the advisory lock that orders the writers of one list
MEMBER_ID = (func.length(list_members.c.member), list_members.c.member)  # 9 comes before 10


class Member(NamedTuple):
    """One row of `list_members` to write."""

    mapping: str
    member: str
    run: int
    state: str  # on | left_out | removed
    reason: str | None
    phone: str | None
    content: str
    body: str | None = None


class Outgoing(NamedTuple):
    """One delivery to queue."""

    mapping: str
    subject: str
    connection: str
    action: str  # upsert | remove
    body: str
    lane: int
    at: int


def lock_list(conn: Connection, mapping: str) -> None:
    """One writer of this list at a time, until the transaction ends: a page and an opt-out never cross. SQLite has one
    writer anyway."""
    if conn.dialect.name == "postgresql":
        half = zlib.crc32(mapping.encode()) - (1 << 31)
        conn.execute(select(func.pg_advisory_xact_lock(LIST_LOCK, half)))


# --- runs ----------------------------------------


def latest_run(conn: Connection, mapping: str) -> Row[Any] | None:
    """The newest run of this list."""
    return conn.execute(
        select(list_runs).where(list_runs.c.mapping == mapping).order_by(list_runs.c.id.desc()).limit(1)
    ).first()


def latest_done(conn: Connection, mapping: str, version: int, *, full: bool = False) -> Row[Any] | None:
    """The newest run (with `full`: full run) of this list that came to its end under this version of the mapping."""
    done = select(list_runs).where(
        list_runs.c.mapping == mapping, list_runs.c.mapping_version == version, list_runs.c.state == "done"
    )
    if full:
        done = done.where(list_runs.c.full)
    return conn.execute(done.order_by(list_runs.c.id.desc()).limit(1)).first()


def abandoned_runs(conn: Connection, now: int) -> list[str]:
    """The lists whose running pull has lost its node."""
    return list(
        conn.scalars(select(list_runs.c.mapping).where(list_runs.c.state == "running", list_runs.c.lease_until < now))
    )


def add_run(conn: Connection, **columns: Any) -> int | None:
    """Start a run and give its number; None when another one of this list is running."""
    statement = insert(conn, list_runs).values(state="running", **columns).on_conflict_do_nothing()
    return conn.execute(statement.returning(list_runs.c.id)).scalar()


def take_run(conn: Connection, run: int, *, state: str, owner: str, lease_until: int, now: int) -> bool:
    """Go on with a run that failed, or whose node died. False when somebody else was first."""
    mine = update(list_runs).where(list_runs.c.id == run, list_runs.c.state == state)
    if state == "running":
        mine = mine.where(list_runs.c.lease_until < now)
    taken = mine.values(state="running", lease_owner=owner, lease_until=lease_until, finished_at=None, error=None)
    return conn.execute(taken).rowcount == 1


def update_run(conn: Connection, run: int, owner: str, **columns: Any) -> bool:
    """Note how far a running pull has come. False when its lease was lost to another node: then nothing may be kept."""
    mine = (list_runs.c.id == run, list_runs.c.state == "running", list_runs.c.lease_owner == owner)
    return conn.execute(update(list_runs).where(*mine).values(**columns)).rowcount == 1


def give_up(conn: Connection, run: int, now: int) -> None:
    """End a run that nobody goes on with: its node died and the mapping is another one now."""
    ended = {"state": "failed", "finished_at": now, "error": "abandoned", "cursor": None}
    conn.execute(update(list_runs).where(list_runs.c.id == run).values(ended))


# --- members ----------------------------------------


def members(conn: Connection, mapping: str, ids: Collection[str]) -> dict[str, Any]:
    """What is known of these members."""
    columns = (list_members.c.member, list_members.c.state, list_members.c.phone, list_members.c.content)
    known = select(*columns, list_members.c.reason, list_members.c.run)
    rows = conn.execute(known.where(list_members.c.mapping == mapping, among(conn, list_members.c.member, ids)))
    return {row.member: row for row in rows.all()}


def holders(conn: Connection, mapping: str, phones: Collection[str]) -> dict[str, str]:
    """By number, the member that is on the list with it."""
    held = select(list_members.c.phone, list_members.c.member).where(
        list_members.c.mapping == mapping, among(conn, list_members.c.phone, phones), list_members.c.state == "on"
    )
    return {row.phone: row.member for row in conn.execute(held)}


def waiting(conn: Connection, mapping: str, phones: Collection[str], since_run: int) -> Sequence[Any]:
    """The duplicates, seen since that run, that wait for one of these numbers, in the order of their ids."""
    columns = (list_members.c.member, list_members.c.phone, list_members.c.content, list_members.c.body)
    return conn.execute(
        select(*columns, list_members.c.run)
        .where(list_members.c.mapping == mapping, among(conn, list_members.c.phone, phones))
        .where(list_members.c.state == "left_out", list_members.c.body.is_not(None), list_members.c.run >= since_run)
        .order_by(*MEMBER_ID)
    ).all()


def unseen(conn: Connection, mapping: str, run: int, after: str, limit: int) -> Sequence[Any]:
    """Members after `after` that this full run did not see and that are not removed yet."""
    return conn.execute(
        select(list_members.c.member, list_members.c.state, list_members.c.phone)
        .where(list_members.c.mapping == mapping, list_members.c.member > after)
        .where(list_members.c.run < run, list_members.c.state != "removed")
        .order_by(list_members.c.member)
        .limit(limit)
    ).all()


def opted_out(conn: Connection, mapping: str, limit: int) -> Sequence[Any]:
    """Members that are on the list although their number must not be called any more."""
    return conn.execute(
        select(list_members.c.member, list_members.c.phone, list_members.c.run)
        .join(do_not_call, do_not_call.c.phone == list_members.c.phone)
        .where(list_members.c.mapping == mapping, list_members.c.state == "on")
        .limit(limit)
    ).all()


def suppressed(conn: Connection, phones: Collection[str]) -> set[str]:
    """Those of the numbers that must not be called."""
    return set(conn.scalars(select(do_not_call.c.phone).where(among(conn, do_not_call.c.phone, phones))))


def reason_word(reason: Any) -> Any:
    """The kind of a reason, in SQL: `duplicate of 7` is a duplicate, `not mapped: …` is not mapped."""
    return case(
        *((reason.like(f"{word}%"), word) for word in ("duplicate", "not mapped", "not wanted")),
        else_=reason,
    )


def member_counts(conn: Connection, mapping: str) -> tuple[int, dict[str, int]]:
    """How many members are on the list, and how many are left out by reason."""
    word = reason_word(list_members.c.reason).label("word")
    rows = conn.execute(
        select(list_members.c.state, word, func.count().label("members"))
        .where(list_members.c.mapping == mapping, list_members.c.state != "removed")
        .group_by(list_members.c.state, word)
    ).all()
    on = sum(row.members for row in rows if row.state == "on")
    return on, {row.word: row.members for row in rows if row.state == "left_out"}


def left_out(conn: Connection, mapping: str, *, reason: str, after: str, limit: int) -> Sequence[Any]:
    """Members that are left out, by the order of their ids, from the one after `after`; of one kind of reason if given."""
    statement = select(list_members.c.member, list_members.c.reason).where(
        list_members.c.mapping == mapping, list_members.c.state == "left_out"
    )
    if reason:
        statement = statement.where(reason_word(list_members.c.reason) == reason)
    if after:
        size = func.length(list_members.c.member)
        statement = statement.where(
            (size > len(after)) | ((size == len(after)) & (list_members.c.member > after)),
        )
    return conn.execute(statement.order_by(*MEMBER_ID).limit(limit)).all()


def keep_members(conn: Connection, rows: Sequence[Member]) -> None:
    """Write members as they are now. A member may be there once."""
    bulk(conn, _MEMBERS, rows)


def queue(conn: Connection, rows: Sequence[Outgoing]) -> None:
    """Queue deliveries. One that waits already for the same member is replaced: the newest counts."""
    bulk(conn, _DELIVERIES, rows)


# --- schedules ----------------------------------------


def claim_tick(conn: Connection, schedule: str, tick: int, node: str) -> bool:
    """Whether this node is the one that fires this tick."""
    claim = insert(conn, schedule_ticks).values(schedule=schedule, tick=tick, node=node).on_conflict_do_nothing()
    return conn.execute(claim.returning(schedule_ticks.c.tick)).first() is not None


def forget_ticks(conn: Connection, before: int) -> None:
    """Forget ticks that no node can claim any more."""
    conn.execute(schedule_ticks.delete().where(schedule_ticks.c.tick < before))


# --- a scratch copy, for a simulation ----------------------------------------


def copied(source: Connection, mapping: str, size: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """What a pull of this list reads, table by table and in portions: its runs, its members,
    who must not be called, our own numbers."""
    for table, wanted in (
        (list_runs, select(list_runs).where(list_runs.c.mapping == mapping, list_runs.c.state != "running")),
        (list_members, select(list_members).where(list_members.c.mapping == mapping)),
        (do_not_call, select(do_not_call)),
        (own_numbers, select(own_numbers)),
    ):
        rows = source.execution_options(yield_per=size).execute(wanted).mappings()
        for portion in rows.partitions(size):
            yield table, [dict(row) for row in portion]


# --- many rows at once ----------------------------------------

_MEMBERS: Into = (
    list_members.name,
    {"mapping": "text", "member": "text", "run": "bigint", "state": "text", "reason": "text", "phone": "text",
     "content": "text", "body": "text"},
    {},
    "(mapping, member) DO UPDATE SET run = excluded.run, state = excluded.state, reason = excluded.reason,"
    " phone = excluded.phone, content = excluded.content, body = excluded.body",
)  # fmt: skip
_DELIVERIES: Into = (
    deliveries.name,
    {"mapping": "text", "subject": "text", "connection": "text", "action": "text", "body": "text", "lane": "integer",
     "due_at": "bigint"},
    {"state": "'pending'", "provisional": "false", "in_doubt": "false", "attempts": "0", "collapsed": "0",
     "created_at": "due_at", "updated_at": "due_at"},
    "(subject, mapping) WHERE state = 'pending' DO UPDATE SET action = excluded.action, body = excluded.body,"
    " collapsed = deliveries.collapsed + 1, updated_at = excluded.updated_at",
)  # fmt: skip
