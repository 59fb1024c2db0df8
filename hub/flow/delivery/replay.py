"""Replay: deliveries go out again, from the facts and the mapping as they are now, by the same keys."""

from __future__ import annotations

from msgspec import Struct

from hub.clock import now_ms
from hub.store import deliveries
from hub.store.database import Store, Transaction
from hub.store.deliveries import Candidate, Filter, Reason

AT_ONCE = 500


class Replayed(Struct, frozen=True, kw_only=True):
    """What a replay did: deliveries that are pending again, those that a waiting one of the same pair stands for, and
    why others could not be replayed."""

    replayed: int
    collapsed: int
    refused: dict[int, str]


def replay(store: Store, where: Filter, *, by: str, limit: int = 10_000) -> Replayed:
    """Make the deliveries that `where` describes pending, due now, with no attempts counted (by id: Filter(ids=…)).

    Pending, delivered, skipped and parked ones can be replayed. Refused: one in flight, a superseded one (the delivery
    that took its place is named), an old row of a contact list (it would bring old content back), an unknown id.
    """
    why = Reason(name="replayed", message=f"replayed by {by}")
    replayed = collapsed = seen = last = 0
    refused: dict[int, str] = {}
    while seen < limit:
        with store.write() as conn:
            some = deliveries.candidates(conn, where, after=last, limit=min(AT_ONCE, limit - seen))
            if not some:
                break
            put_back, folded, unfit = _sorted_out(some)
            _apply(conn, put_back, folded, why)
        replayed += len(put_back)
        collapsed += len(some) - len(put_back) - len(unfit)
        refused.update(unfit)
        seen, last = seen + len(some), some[-1].id
        store.wake("deliveries")
    refused.update(dict.fromkeys(_missing(store, where), "there is no delivery with this id"))
    return Replayed(replayed=replayed, collapsed=collapsed, refused=refused)


def _sorted_out(some: list[Candidate]) -> tuple[list[int], list[tuple[int, int]], dict[int, str]]:
    """(ids to put back, (older, newer) pairs to fold, why others are refused)."""
    state = {one.id: one.state for one in some}
    waiting: dict[tuple[str, str], int] = {}
    folded: list[tuple[int, int]] = []
    refused: dict[int, str] = {}
    for one in some:  # oldest first
        pair = (one.subject, one.mapping)
        why = _unfit(one)
        if why:
            refused[one.id] = why
            continue
        other = waiting.get(pair, one.waiting)
        if other is not None and other > one.id:
            folded.append((one.id, other))
            waiting[pair] = other
            continue
        if other is not None and other != one.id:
            folded.append((other, one.id))
        waiting[pair] = one.id
    # What was delivered or skipped was so: only what still waited for something is closed.
    folded = [(older, newer) for older, newer in folded if state.get(older, "pending") in ("pending", "parked")]
    return list(waiting.values()), folded, refused


def _unfit(one: Candidate) -> str | None:
    if one.state == "sending":
        return "it is being sent just now"
    if one.state == "superseded":
        return f"a newer delivery of the same subject and mapping took its place: replay {one.newest}"
    if one.has_body and one.id != one.newest:
        return f"it is an old row of this member of the contact list: replay {one.newest}"
    return None


def _apply(conn: Transaction, put_back: list[int], folded: list[tuple[int, int]], why: Reason) -> None:
    # The older ones leave first: at most one of a pair may be pending.
    now = now_ms()
    for older, newer in folded:
        stands = Reason(name="superseded", message=f"delivery {newer} of the same subject and mapping stands for it")
        deliveries.fold_into(conn, older, newer, stands, now=now)
    deliveries.put_back(conn, put_back, why, now=now)


def _missing(store: Store, where: Filter) -> set[int]:
    if not where.ids:
        return set()
    with store.read() as conn:
        there = deliveries.page(conn, Filter(ids=where.ids), limit=len(where.ids))
    return set(where.ids) - {one.id for one in there}
