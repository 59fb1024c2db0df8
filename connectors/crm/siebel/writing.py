"""Writing to Siebel: look the keys up, then arrays of up to a hundred new, changed and removed records.

An array is one transaction, and what refuses it does not say whose record is to blame, unless it quotes its key: then that
row fails and the others are sent again, else the array is sent in halves. With a business service that matches by the key
itself (`upsert_by`) nothing has to be looked up.

What our user's view mode hides is not found, and what is not found would be made twice. So the first new record of an
object is made alone and looked up at once; where it is not seen, nothing more is made.

Calls for 200 new rows: three look-ups (as many keys as fit into an address) and two POST; as many for 200 known ones,
by PUT. The first new record costs two more, a refused row some fourteen. By a business service two POST, and three
look-ups where its status object does not tell the row ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from connectors.crm.siebel.components import CREATED, ID, UPDATED, Catalogue, Component
from connectors.crm.siebel.dictionary import Dictionary
from connectors.crm.siebel.errors import DUPLICATE, Refusal
from connectors.crm.siebel.rest import Item, Rest
from connectors.crm.siebel.searchspec import askable, either, equals, field, portions
from connectors.crm.siebel.services import Service, upserted
from connectors.crm.siebel.values import Values, stored_key
from hub.errors import Ambiguous, ConnectorError, Locked, NotFound, NotPermitted, Rejected, Unsupported
from hub.model import Receipt, Row, Target

RECORD_ID = ("id", ID)  # as a target's key: the record's own row id
SYSTEM = (ID, "id", CREATED, UPDATED)
Verb = Literal["POST", "PUT", "DELETE", "upsert"]


class Part(Struct, frozen=True, kw_only=True):
    """What is to be done for one row. `key` is what the key field holds of it."""

    verb: Verb
    record: Item
    key: str


class Done(Struct, frozen=True, kw_only=True):
    """What became of it: the record, and whether it was new or did not have to be changed."""

    id: str = ""
    new: bool = False
    same: bool = False


class Writer:
    """Writes batches of rows and gives one receipt per row. `services` are those that upsert, by object and key field."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        dictionary: Dictionary,
        values: Values,
        services: Mapping[tuple[str, str], Service],
        link: Callable[[Component, str], str],
        *,
        rows_per_request: int,
    ) -> None:
        self._rest, self._catalogue, self._dictionary, self._values = rest, catalogue, dictionary, values
        self._services, self._link, self._size = services, link, rows_per_request
        # Objects, with their key field: those whose new records our user sees, and the key of the first one that it made.
        self._seen: set[tuple[str, str]] = set()
        self._first: dict[tuple[str, str], str] = {}

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        component = self._catalogue[target.object]
        if component.parent:
            raise Unsupported(
                f"{component.name} is written through its {component.parent}, which this connector does not"
            )
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            batch = [rows[place] for place in turn.values()]
            receipts.update(zip(turn.values(), self._batch(component, target, batch), strict=True))
        return [receipts[place] for place in range(len(rows))]

    def _batch(self, component: Component, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        name = ID if target.key in RECORD_ID else target.key
        field(name)
        service = self._services.get((component.name, name))
        failed: dict[int, ConnectorError] = {}
        keys = {place: self._key(name, row) for place, row in enumerate(rows)}
        sought = [key for place, key in keys.items() if service is None or rows[place].action == "remove"]
        there = self._there(component, name, sought)
        types = self._dictionary.types(component) if any(row.action == "upsert" for row in rows) else {}
        parts: dict[int, Part] = {}
        for place, row in enumerate(rows):
            try:
                part = self._part(component, name, row, keys[place], there.get(keys[place], []), types, service)
            except (Ambiguous, NotFound, Rejected) as error:
                failed[place] = error
                continue
            if part is not None:
                parts[place] = part
        done: dict[int, Done | ConnectorError] = {}
        for verb in ("POST", "PUT", "upsert", "DELETE"):
            mine = {place: part for place, part in parts.items() if part.verb == verb}
            done.update(self._sent(component, name, verb, mine, service))
        return [self._receipt(component, row, failed.get(place) or done.get(place), parts.get(place))
                for place, row in enumerate(rows)]  # fmt: skip

    # --- what is there ----------------------------------------

    @staticmethod
    def _key(name: str, row: Row) -> str:
        return str(row.fields.get("id") or row.fields.get(ID) or row.key) if name == ID else stored_key(row.key)

    def _there(self, component: Component, name: str, keys: Sequence[str]) -> dict[str, list[str]]:
        """By key the row ids of the records that have it."""
        found: dict[str, dict[str, None]] = {}
        clauses = [(key, equals(name, key)) for key in dict.fromkeys(keys) if askable(key)]
        for portion in portions(clauses):
            for item in self._rest.records(component, either(clause for _, clause in portion), (name,)):
                found.setdefault(str(item.get(name)), {})[str(item[ID])] = None
        return {key: list(ids) for key, ids in found.items()}

    # --- what has to be done ----------------------------------------

    def _part(
        self,
        component: Component,
        name: str,
        row: Row,
        key: str,
        there: Sequence[str],
        types: Mapping[str, str],
        service: Service | None,
    ) -> Part | None:
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {component.name} have the same {name}")
        if row.action == "remove":
            return Part(verb="DELETE", record={ID: there[0]}, key=key) if there else None
        record = {}
        for told, value in row.fields.items():
            if told not in SYSTEM:
                field(told)
                record[told] = self._values.told(value, types.get(told, ""))
        if name != ID:
            record[name] = key
        if service is not None:
            return Part(verb="upsert", record=record, key=key)
        if there:
            return Part(verb="PUT", record={ID: there[0], **record}, key=key)
        if name == ID:
            raise NotFound(f"there is no record of {component.name} with this id")
        return Part(verb="POST", record=record, key=key)

    # --- sending ----------------------------------------

    def _sent(
        self, component: Component, name: str, verb: Verb, parts: Mapping[int, Part], service: Service | None
    ) -> dict[int, Done | ConnectorError]:
        """By place what became of it, or why nothing did."""
        done: dict[int, Done | ConnectorError] = {}
        which = (component.name, name)
        unseen = verb == "POST" and bool(parts) and which not in self._seen
        if unseen and which in self._first and not self._sees(component, name, self._first[which]):
            return dict.fromkeys(parts, self._hidden(component))
        unseen = unseen and which not in self._seen
        waiting = self._lots(list(parts), unseen)
        while waiting:
            lot = waiting.pop()
            mine = [parts[place] for place in lot]
            outcome = self._lot(component, name, verb, mine, service)
            if not isinstance(outcome, Refusal):
                done.update(zip(lot, outcome, strict=True))
                if unseen:
                    rest = [place for one in waiting[::-1] for place in one]
                    if not self._sees(component, name, mine[0].key):
                        return {**done, **dict.fromkeys(rest, self._hidden(component))}
                    unseen, waiting = False, self._lots(rest, False)
                continue
            blamed = [place for place in lot if _quoted(parts[place].key, outcome.words)]
            if len(lot) == 1 or len(blamed) == 1:
                place = blamed[0] if len(blamed) == 1 else lot[0]
                done[place] = self._refused(parts[place], outcome, quoted=bool(blamed))
                rest = [one for one in lot if one != place]
                waiting += [rest] if rest else []
            else:
                middle = len(lot) // 2
                waiting += [lot[middle:], lot[:middle]]
        return done

    def _sees(self, component: Component, name: str, key: str) -> bool:
        """Whether our user sees the record that it has made with this key; then all that it makes."""
        self._first[component.name, name] = key
        if not self._there(component, name, [key]):
            return False
        self._seen.add((component.name, name))
        return True

    @staticmethod
    def _hidden(component: Component) -> NotPermitted:
        return NotPermitted(
            f"our user does not see the {component.name} that it made, so it would make each one twice: set view_mode or "
            "view_modes"
        )

    def _lots(self, places: list[int], alone: bool) -> list[list[int]]:
        """The places in lots, the first to send last. `alone`: each by itself, until one is made."""
        size = 1 if alone else self._size
        return [places[start : start + size] for start in range(0, len(places), size)][::-1]

    def _lot(
        self, component: Component, name: str, verb: Verb, parts: Sequence[Part], service: Service | None
    ) -> list[Done] | Refusal:
        records = [part.record for part in parts]
        if verb == "upsert":
            assert service is not None
            told = upserted(self._rest, service, records)
            if isinstance(told, Refusal):
                return told
            new = {str(one.get(name)): str(one.get("Operation", "")).lower() == "insert" for one in told}
            ids = self._ids(component, name, parts, told)
            return [Done(id=ids[part.key], new=new.get(part.key, False)) for part in parts]
        answer = self._rest.write(verb, component, records)
        if isinstance(answer, Refusal):
            return answer
        if verb == "POST":
            ids = self._ids(component, name, parts, answer or [])
            return [Done(id=ids[part.key], new=True) for part in parts]
        told_ids = [str(one.get(ID) or "") for one in answer or []]
        if verb == "DELETE" or len(told_ids) != len(parts) or not all(told_ids):
            return [Done(id=str(part.record[ID]), same=answer is None) for part in parts]
        # What somebody has removed since it was looked up, Siebel makes anew: an upsert by a row id that is none.
        return [Done(id=id, new=id != part.record[ID]) for id, part in zip(told_ids, parts, strict=True)]

    def _ids(self, component: Component, name: str, parts: Sequence[Part], told: Sequence[Item]) -> dict[str, str]:
        """By key the row id: as the answer tells, by the key field or else by its order; what it does not tell is looked
        up."""
        keyed = {str(one[name]): str(one[ID]) for one in told if one.get(name) and one.get(ID)}
        if len(told) == len(parts) and all(one.get(ID) and not one.get(name) for one in told):
            keyed = {part.key: str(one[ID]) for part, one in zip(parts, told, strict=True)}
        missing = [part.key for part in parts if part.key not in keyed]
        there = self._there(component, name, missing) if missing else {}
        return {part.key: keyed.get(part.key) or next(iter(there.get(part.key, [])), "") for part in parts}

    @staticmethod
    def _refused(part: Part, outcome: Refusal, *, quoted: bool) -> Done | ConnectorError:
        if part.verb == "DELETE" and isinstance(outcome.error, NotFound):
            return Done(same=True)  # somebody else has removed it meanwhile
        if outcome.code in DUPLICATE and quoted:
            return Locked(f"{outcome.error}; somebody else has just made it")  # the next look-up finds it
        return outcome.error

    def _receipt(
        self, component: Component, row: Row, done: Done | ConnectorError | None, part: Part | None
    ) -> Receipt:
        if isinstance(done, ConnectorError):
            return Receipt(key=row.key, outcome="failed", error=done)
        if done is None or part is None or (part.verb == "DELETE" and done.same):
            return Receipt(key=row.key, outcome="unchanged")
        url = self._link(component, done.id) if done.id else ""
        if part.verb == "DELETE":
            return Receipt(key=row.key, outcome="removed", id=done.id)
        return Receipt(
            key=row.key, outcome="created" if done.new else "unchanged" if done.same else "updated", id=done.id, url=url
        )


def _quoted(key: str, words: str) -> bool:
    """Whether an error quotes the key, as those that tell the user key's search do."""
    return any(f"{mark}{key}{mark}" in words for mark in ("'", '"', '\\"'))
