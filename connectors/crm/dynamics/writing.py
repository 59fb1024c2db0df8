"""Write: one change set per row in one `$batch`, so every row is done whole or not at all and none stops another.

A row's id is its key's own for ever (UUIDv5), and a new row is a PATCH of that id with `If-None-Match: *`. Where it
is there already the answer is 412, and then it is read and changed. So the same key can never make two rows, and a
batch of new rows is one call; of rows that are there three (refused, read, changed), of rows in doubt two (read,
written).

With an alternate key as the target's key the row is looked up by that column first: in an address Dataverse takes no
key with `/ < > * % & : \\ ? +` in it ("Use an alternate key to reference a record"), and every key of the hub's has a
colon. The key column's own uniqueness is the second guard there.

A completed activity is read-only. A late fact opens it, writes, and completes it again, in one change set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.dynamics.api import Api, literal, query, refusal, throttled
from connectors.crm.dynamics.errors import Duplicate
from connectors.crm.dynamics.fields import (
    KEPT_BY_THE_SERVER,
    MASKS,
    OPEN,
    Body,
    body,
    columns_to_read,
    differs,
    guid_in,
    id_for,
    parties_expanded,
)
from connectors.crm.dynamics.people import PEOPLE, TYPE_OF
from connectors.crm.dynamics.tables import Table, Tables
from connectors.wire.odata_batch import Part, Reply
from hub.errors import ConnectorError, NotFound, Rejected, Unsupported
from hub.model import Receipt, Row, Target

RECORD_ID = "id"
LOOKED_UP_AT_ONCE = 100  # rows of one filter
NEW = {"If-None-Match": "*"}
THERE = {"If-Match": "*"}
NEVER_REMOVED = (*PEOPLE, "incident")
Told = Mapping[str, Any]
Seen = dict[str, Told]  # by the value of the key, folded: the row that is there


class Outcome(Struct, frozen=True):
    """What became of one row."""

    word: str
    id: str = ""
    error: ConnectorError | None = None


class Writer:
    """Writes batches of rows and gives one receipt per row."""

    def __init__(self, api: Api, tables: Tables, link: Callable[[str, str], str]) -> None:
        self._api, self._tables, self._link = api, tables, link

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it. What is wrong
        with the target is wrong with each row."""
        if not rows:
            return []
        try:
            table = self._table(target)
        except (NotFound, Rejected) as wrong:
            return [Receipt(key=row.key, outcome="failed", error=wrong) for row in rows]
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            batch = [rows[place] for place in turn.values()]
            outcomes = _Turn(self._api, table, self._tables.sets(), target.key, batch).outcomes()
            for place, outcome in zip(turn.values(), outcomes, strict=True):
                receipts[place] = self._receipt(table, rows[place], outcome)
        return [receipts[place] for place in range(len(rows))]

    def _table(self, target: Target) -> Table:
        table = self._tables.known(target.object)
        if target.key not in (RECORD_ID, table.id, *table.keys):
            raise Rejected(
                f"{table.name}.{target.key} is no key: it takes {', '.join((table.id, *sorted(table.keys)))}"
            )
        return table

    def _receipt(self, table: Table, row: Row, outcome: Outcome) -> Receipt:
        if outcome.error is not None:
            return Receipt(key=row.key, outcome="failed", error=outcome.error)
        url = self._link(table.name, outcome.id) if outcome.id and outcome.word != "removed" else ""
        return Receipt(key=row.key, outcome=outcome.word, id=outcome.id, url=url)  # type: ignore[arg-type]


class _Turn:
    """One batch of rows with different keys."""

    def __init__(self, api: Api, table: Table, sets: Mapping[str, str], key: str, rows: Sequence[Row]) -> None:
        self._api, self._table, self._sets, self._rows = api, table, sets, rows
        self._by_column = key if key in table.keys else ""
        self._must_be_there = key == RECORD_ID
        self._ids = [self._id(key, row) for row in rows]
        self._outcomes: dict[int, Outcome] = {}
        self._count = 0  # of operations: each has a Content-ID of its own

    def outcomes(self) -> list[Outcome]:
        places = range(len(self._rows))
        first = [place for place in places if self._looks_first(self._rows[place])]
        seen = self._seen(first)
        self._send([place for place in places if place not in self._outcomes], seen, frozenset(first))
        again = [place for place, outcome in self._outcomes.items() if isinstance(outcome.error, Duplicate)]
        if again:
            for place in again:
                del self._outcomes[place]
            self._send(again, self._seen(again), frozenset(again))
        all_throttled = throttled([outcome.error for outcome in self._outcomes.values()])
        if all_throttled is not None:
            raise all_throttled
        return [self._outcomes[place] for place in places]

    def _id(self, key: str, row: Row) -> str:
        if key == RECORD_ID:
            return guid_in(row.fields.get(RECORD_ID) or row.key) or ""
        return id_for(self._table.name, key, row.key)

    def _looks_first(self, row: Row) -> bool:
        """Whether a row has to be read before it is written: it may be there, or has no id that is known."""
        if row.action == "remove":
            return bool(self._by_column)
        return row.in_doubt or self._must_be_there or bool(self._by_column)

    # --- what is there ----------------------------------------

    def _mark(self, place: int) -> str:
        """By what a row is known when it is read."""
        return self._rows[place].key.casefold() if self._by_column else self._ids[place]

    def _seen(self, places: Sequence[int]) -> Seen:
        """The rows that are there, with all that these rows want to write. Raises where they cannot be read."""
        table, column = self._table, self._by_column or self._table.id
        fields = {name: None for place in places for name in self._rows[place].fields}
        select, parties = columns_to_read(
            table, [*fields, column, *(("statecode", "statuscode") if table.activity else ())]
        )
        expand = parties_expanded(table) if parties else ""
        wanted = [self._rows[place].key if self._by_column else self._ids[place] for place in places]
        terms = [f"{column} eq {literal(value) if self._by_column else value}" for value in wanted if value]
        paths = [
            f"{table.set}?"
            + query(select=",".join(select), expand=expand, filter=" or ".join(terms[at : at + LOOKED_UP_AT_ONCE]))
            for at in range(0, len(terms), LOOKED_UP_AT_ONCE)
        ]  # fmt: skip
        seen: Seen = {}
        for told in self._api.read(paths) if paths else ():
            if isinstance(told, ConnectorError):
                raise told
            seen.update((str(row[column]).casefold(), row) for row in told["value"])
        return seen

    # --- what is sent ----------------------------------------

    def _send(self, places: Sequence[int], seen: Seen, looked: frozenset[int]) -> None:
        """Write these rows in one call; those in `looked` as what was seen says, the others as new ones."""
        parts: dict[int, list[Part]] = {}
        words: dict[int, str] = {}
        for place in places:
            there = seen.get(self._mark(place)) if place in looked else None
            try:
                word, made = self._parts(place, there, place in looked)
            except ConnectorError as error:
                self._outcomes[place] = Outcome("failed", error=error)
                continue
            id = str(there[self._table.id]) if there else self._ids[place]
            if made:
                parts[place], words[place] = made, word
            else:
                self._outcomes[place] = Outcome(word, id if there else "")
        units = [made[0] if made[0].method == "DELETE" else made for made in parts.values()]
        for place, reply in zip(parts, self._api.batch(units, changes=True), strict=True):
            there = seen.get(self._mark(place)) if place in looked else None
            id = str(there[self._table.id]) if there else self._ids[place]
            self._outcomes[place] = self._outcome(reply, words[place], id)

    def _outcome(self, reply: Reply | list[Reply], word: str, id: str) -> Outcome:
        replies = reply if isinstance(reply, list) else [reply]
        error = next((error for one in replies if (error := refusal(one, changes=True))), None)
        if word == "removed" and isinstance(error, NotFound):
            return Outcome("unchanged")
        return Outcome("failed", error=error) if error else Outcome(word, id)

    def _parts(self, place: int, there: Told | None, looked: bool) -> tuple[str, list[Part]]:
        """What becomes of a row if all goes well, and the operations that do it; none where nothing is to do."""
        row, table = self._rows[place], self._table
        if row.action == "remove":
            return self._removal(place, there)
        if there is not None:
            return self._change(row, there)
        if self._must_be_there:
            raise NotFound(f"there is no {table.name} with this id")
        if looked and not (row.in_doubt or self._by_column):
            raise Rejected(f"another {table.name} has the same values in a key that may be there only once")
        new = body(table, row.fields, self._sets, new=True)
        values = dict(new.values)
        if self._by_column:
            values[self._by_column] = row.key
        if new.parties:
            values[f"{table.name}_activity_parties"] = [one for parties in new.parties.values() for one in parties]
        parts = [self._patch(self._ids[place], values, NEW)]
        return "created", parts + ([self._patch(self._ids[place], new.later, THERE)] if new.later else [])

    def _removal(self, place: int, there: Told | None) -> tuple[str, list[Part]]:
        table = self._table
        if table.name in NEVER_REMOVED:
            raise Unsupported(f"{table.name} is not removed by the hub; write its statecode")
        if self._by_column and there is None:
            return "unchanged", []
        id = str(there[table.id]) if there else self._ids[place]
        return ("removed", [self._api.part("DELETE", f"{table.set}({id})")]) if id else ("unchanged", [])

    def _change(self, row: Row, there: Told) -> tuple[str, list[Part]]:
        table, id = self._table, str(there[self._table.id])
        fields = {name: value for name, value in row.fields.items()
                  if name not in (RECORD_ID, table.id) and differs(table, name, value, there)}  # fmt: skip
        if not fields:
            return "unchanged", []
        if "statuscode" in fields and "statecode" in row.fields:
            fields["statecode"] = row.fields["statecode"]
        if "statecode" in fields and "statuscode" in row.fields:
            fields["statuscode"] = row.fields["statuscode"]
        wanted = body(table, fields, self._sets, new=False)
        values = dict(wanted.values)
        if wanted.parties:
            values[f"{table.name}_activity_parties"] = self._parties(wanted, there)
        closed = table.activity and there.get("statecode") not in (None, OPEN)
        parts: list[Part] = []
        if values and closed:
            parts.append(self._patch(id, self._state(OPEN), THERE))
        if values:
            parts.append(self._patch(id, values, THERE))
        former = {name: there[name] for name in ("statecode", "statuscode")} if values and closed else {}
        if later := wanted.later or former:
            parts.append(self._patch(id, later, THERE))
        return ("updated", parts) if parts else ("unchanged", [])

    def _parties(self, wanted: Body, there: Told) -> list[dict[str, Any]]:
        """All parties: Dataverse takes the list as a whole, so those of which the row says nothing are sent again. [K]"""
        said = {MASKS[name] for name in wanted.parties}
        kept = [party for party in there.get(f"{self._table.name}_activity_parties") or ()
                if party["participationtypemask"] not in (*said, *KEPT_BY_THE_SERVER)]  # fmt: skip
        return [*(one for parties in wanted.parties.values() for one in parties), *map(self._as_written, kept)]

    def _as_written(self, party: Told) -> dict[str, Any]:
        mask = {"participationtypemask": party["participationtypemask"]}
        table, id = str(party.get(f"_partyid_value{TYPE_OF}") or ""), party.get("_partyid_value")
        if table in self._sets and id:
            return {f"partyid_{table}@odata.bind": f"/{self._sets[table]}({id})", **mask}
        return {"addressused": party.get("addressused"), **mask}

    def _state(self, state: int) -> dict[str, int]:
        reasons = self._table.columns["statuscode"].state_of if "statuscode" in self._table.columns else {}
        first = next((number for number, of in reasons.items() if of == state), None)
        return {"statecode": state, **({} if first is None else {"statuscode": first})}

    def _patch(self, id: str, values: Mapping[str, Any], condition: Mapping[str, str]) -> Part:
        self._count += 1
        return self._api.part("PATCH", f"{self._table.set}({id})", values, condition, id=str(self._count))
