"""Send a consignment: look people up, render, leave to people what is theirs, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from hub.budget import WRAP_UPS
from hub.connections import Connection
from hub.errors import Ambiguous
from hub.flow.delivery.calls import Failed
from hub.flow.delivery.consignment import Consignment, Parcel, Spoiled, made
from hub.flow.delivery.following import Following
from hub.flow.delivery.lookups import Asked, resolve
from hub.flow.delivery.modes import append, leave_written, look_before_writing
from hub.flow.delivery.ownership import owned_fields
from hub.flow.delivery.writing import write
from hub.model import Lookup, Receipt
from hub.store import deliveries
from hub.store.database import Store


def send(
    connection: Connection,
    consignment: Consignment,
    store: Store,
    still_ours: Callable[[], None],
    following: Following,
    rows_per_write: int = 0,
) -> None:
    """Set the fate of every parcel. `still_ours` is called before each call of the CRM; what it raises ends everything."""
    lane = min((parcel.claimed.lane for parcel in consignment.parcels), default=WRAP_UPS)
    asked = Asked(connection, still_ours, following.merged, lane)
    leave_written(_of_mode(consignment, "once"), store)
    resolve(_upserts(consignment), asked, following.lookups)
    for parcel in _upserts(consignment):
        _render(parcel)
    following.redirect(consignment.going())
    append(_of_mode(consignment, "append"), store)
    never_changed = _of_mode(consignment, "once", "append")
    if never_changed and connection.can("find"):
        look_before_writing(never_changed, asked, _by_key, store)
    owned = [parcel for parcel in _upserts(consignment) if parcel.mapping.target.update == "owned"]
    if owned:
        _leave_to_people(owned, asked, store)
    if asked.stopped is not None:
        # The CRM does not take our calls just now: what needed no look-up waits as well.
        for parcel in consignment.going():
            parcel.fate = Failed(asked.stopped, sent=False)
    sent = consignment.going()
    write(connection, sent, still_ours, rows_per_write)
    again = following.mended(sent, asked)
    if again:
        write(connection, again, still_ours, rows_per_write)


def _upserts(consignment: Consignment) -> list[Parcel]:
    return [parcel for parcel in consignment.going() if parcel.claimed.action == "upsert"]


def _of_mode(consignment: Consignment, *modes: str) -> list[Parcel]:
    return [parcel for parcel in _upserts(consignment) if parcel.mapping.target.mode in modes]


def _render(parcel: Parcel) -> None:
    rendered = made(parcel, lambda: parcel.mapping.render(parcel.facts, parcel.found))
    if rendered is None:
        return
    parcel.fields, parcel.notes = rendered.fields, [*parcel.notes, *rendered.notes]
    if rendered.problems:
        parcel.fate = Spoiled(rendered.problems)


def _leave_to_people(parcels: Sequence[Parcel], asked: Asked, store: Store) -> None:
    asked.ask([_with_fields(parcel) for parcel in parcels])
    with store.read() as conn:
        history = deliveries.sent_for(conn, {parcel.claimed.subject for parcel in parcels})
    for parcel in parcels:
        answer = asked.answer(_with_fields(parcel))
        if isinstance(answer, Failed):
            parcel.fate = answer
        elif len(answer) > 1:
            parcel.fate = Failed(Ambiguous(f"{len(answer)} records have the key {parcel.target.key}={parcel.key}"))
        elif answer:
            record = answer[0]
            sent = history.get((parcel.claimed.subject, parcel.claimed.mapping), ())
            parcel.fields, kept = owned_fields(parcel.fields, record.fields, sent)
            parcel.notes += kept
            if not parcel.fields:
                parcel.fate = Receipt(key=parcel.key, outcome="unchanged", id=record.id, url=record.url)


def _by_key(parcel: Parcel) -> Lookup:
    target = parcel.target
    return Lookup(object=target.object, by="key", value=parcel.key, key_field=target.key)


def _with_fields(parcel: Parcel) -> Lookup:
    """By key, with what the mapping writes: whether a person changed it can only be seen where it is shown."""
    return replace(_by_key(parcel), fields=tuple(sorted(parcel.fields)))
