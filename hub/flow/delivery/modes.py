"""Write modes of those who may make records and not change them: `once` and `append` (docs/adr/0009).

Both never write to a record that is there. Where an earlier try may have made it, its key is looked up first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hub.flow.delivery.calls import Failed
from hub.flow.delivery.consignment import Parcel, Skipped
from hub.flow.delivery.lookups import Asked
from hub.flow.delivery.ownership import Kept
from hub.language.fields import cut
from hub.model import Lookup, Receipt
from hub.store import deliveries
from hub.store.database import Store
from hub.store.deliveries import Written

CONTINUES = "Continues "
ENDED = ("missed", "voicemail")  # an interaction with such an outcome is not wrapped up by anybody
ByKey = Callable[[Parcel], Lookup]


class History:
    """What was sent before for the subjects of these parcels."""

    def __init__(self, store: Store, parcels: Sequence[Parcel]) -> None:
        subjects = {parcel.claimed.subject for parcel in parcels}
        with store.read() as conn:
            self._of = deliveries.written_for(conn, subjects) if subjects else {}

    def of(self, parcel: Parcel) -> list[Written]:
        """Every attempt of the parcel's subject by its mapping, the oldest first."""
        return self._of.get((parcel.claimed.subject, parcel.claimed.mapping), [])


def leave_written(parcels: Sequence[Parcel], store: Store) -> None:
    """`once`, before anybody is looked up: what is not final yet waits, what was written is left."""
    history = History(store, parcels)
    for parcel in parcels:
        arrived = [one for one in history.of(parcel) if one.arrived]
        mine = [one for one in arrived if one.delivery == parcel.claimed.id]
        if mine:
            parcel.notes.append(Kept(field="", what="once", text="it is written, and `mode: once` changes no record"))
            parcel.fate = _unchanged(parcel, mine[-1])
        elif arrived:
            why = f"it was written once, by delivery {arrived[-1].delivery}; `mode: once` leaves it as it is"
            parcel.fate = Skipped(why)
        elif not _is_final(parcel):
            parcel.fate = Skipped("the interaction is not final yet; `mode: once` writes it when it is")


def append(parcels: Sequence[Parcel], store: Store) -> None:
    """`append`, when the fields are made: each state is a record of its own, with a key of its own and a link back."""
    history = History(store, parcels)
    for parcel in parcels:
        before = history.of(parcel)
        arrived = [one for one in before if one.arrived]
        link = parcel.mapping.target.link
        if arrived and _without_link(arrived[-1].fields, link) == _without_link(parcel.fields, link):
            parcel.notes.append(Kept(field="", what="append", text="nothing is new, so no record is added"))
            parcel.fate = _unchanged(parcel, arrived[-1])
            continue
        # Attempts are never taken away, so the number is the same for every try of this state.
        earlier = {one.delivery for one in before if one.delivery < parcel.claimed.id}
        number = len(earlier) + sum(one.delivery == parcel.claimed.id for one in arrived)
        if number:
            parcel.key = f"{parcel.key}/{number}"
        if arrived:
            _link(parcel, arrived[0])


def look_before_writing(parcels: Sequence[Parcel], asked: Asked, by_key: ByKey, store: Store) -> None:
    """Where an earlier try of the same record may have been done, it is looked for: found, it is left as it is."""
    history = History(store, parcels)
    doubtful = [
        parcel
        for parcel in parcels
        if parcel.in_doubt or any(one.delivery == parcel.claimed.id and not one.arrived for one in history.of(parcel))
    ]
    if not doubtful:
        return
    asked.ask([by_key(parcel) for parcel in doubtful])
    for parcel in doubtful:
        answer = asked.answer(by_key(parcel))
        if isinstance(answer, Failed):
            parcel.fate = answer
        elif answer:
            text = f"an earlier try has made it, and `mode: {parcel.mapping.target.mode}` changes no record"
            parcel.notes.append(Kept(field="", what=parcel.mapping.target.mode, text=text))
            parcel.fate = Receipt(key=parcel.key, outcome="unchanged", id=answer[0].id, url=answer[0].url)


def _is_final(parcel: Parcel) -> bool:
    """Wrapped up, or ended in a way that nobody wraps up; or `after` has given it its time."""
    interaction = parcel.facts.get("interaction")
    outcome = interaction.get("outcome") if isinstance(interaction, dict) else None
    return bool(parcel.facts.get("final")) or outcome in ENDED or any(parcel.mapping.source.after.values())


def _unchanged(parcel: Parcel, written: Written) -> Receipt:
    return Receipt(
        key=parcel.key, outcome="unchanged", id=written.record_id or "", url=written.record_url or ""
    )  # fmt: skip


def _link(parcel: Parcel, first: Written) -> None:
    """Say in the link field which record this one goes on from, within what `max` allows."""
    name = parcel.mapping.target.link
    line = f"{CONTINUES}{first.record_url or first.record_id or parcel.key.rpartition('/')[0]}"
    most = next((plan.max for plan in parcel.mapping.plans if plan.name == name), None)
    text = str(parcel.fields.get(name, ""))
    room = None if most is None else most - len(line) - 2
    if room is not None and len(text) > room:
        text = cut(text, room) if room > 0 else ""
    parcel.fields[name] = f"{text}\n\n{line}" if text else line


def _without_link(fields: dict[str, Any], name: str) -> dict[str, Any]:
    text = fields.get(name)
    if not isinstance(text, str):
        return fields
    before, found, line = f"\n\n{text}".rpartition(f"\n\n{CONTINUES}")
    if not found or "\n" in line:
        return fields
    plain = {key: value for key, value in fields.items() if key != name}
    return plain | {name: before.removeprefix("\n\n")} if before else plain
