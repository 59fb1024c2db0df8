"""What the organisation holds: rows by table, versions, what was deleted, and the rules by which a row is written."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.dynamics.errors import (
    DUPLICATE,
    INVALID_ARGUMENT,
    KEY_NOT_THERE,
    NOT_THERE,
    QUERY,
    STATE,
    VERSION,
    DataverseError,
    bad_payload,
    not_there,
)
from sandbox.dynamics.filters import plain
from sandbox.dynamics.schema import BY_SET, PARTIES, TABLES, Column, Table
from sandbox.dynamics.values import value_for

Row = dict[str, Any]
GUID = re.compile(r"^\{?([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\}?$")
# By these characters a key cannot be used in an address ("Use an alternate key to reference a record").
NOT_IN_KEYS = set("/<>*%&:\\?+")
_PAIR = re.compile(r"(\w+)=('(?:[^']|'')*'|[^,]+),?")


class Records:
    """All rows. Not thread-safe: whoever calls holds the organisation's lock."""

    def __init__(self, now: Callable[[], dt.datetime], me: str) -> None:
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.gone: list[tuple[int, str, str]] = []
        self.version = 1000
        self.me = me
        self._now = now
        self._journal: list[tuple[str, str, Row | None]] = []
        self._tickets = itertools.count(1001)

    # --- a unit of work ----------------------------------------

    def begin(self) -> int:
        """Where a unit of work begins."""
        return len(self._journal)

    def undo(self, mark: int) -> None:
        """Take back everything since `mark`."""
        while len(self._journal) > mark:
            table, id, before = self._journal.pop()
            if before is None:
                self.rows[table].pop(id, None)
            else:
                self.rows[table][id] = before
                self.gone = [one for one in self.gone if one[1:] != (table, id)]

    def done(self) -> None:
        """What was done stays."""
        self._journal.clear()

    # --- reading ----------------------------------------

    def row(self, table: Table, key: str) -> Row:
        """The row that the text between an address's parentheses names. Raises DataverseError."""
        id = self.id_of(table, key)
        found = self.rows[table.name].get(id) if id else None
        if found is None:
            raise (
                not_there(table.name, key)
                if GUID.match(key)
                else DataverseError(
                    404,
                    KEY_NOT_THERE,
                    "A record with the specified key values does not exist in " + table.name + " entity",
                )
            )
        return found

    def id_of(self, table: Table, key: str) -> str | None:
        """The id that an address names: a GUID as it stands, an alternate key as far as a row has it."""
        if guid := GUID.match(key):
            return guid.group(1).lower()
        if key.startswith(f"{table.id}="):
            return self.id_of(table, key.partition("=")[2])
        wanted = self.key_values(table, key)
        return next((id for id, row in self.rows[table.name].items()
                     if all(plain(row.get(name)) == plain(value) for name, value in wanted.items())), None)  # fmt: skip

    def key_values(self, table: Table, key: str) -> Row:
        """The columns of an alternate key in an address."""
        pairs = {
            name: value[1:-1].replace("''", "'") if value[0] == "'" else value for name, value in _PAIR.findall(key)
        }
        active = [set(one.columns) for one in table.keys if one.status == "Active"]
        if not pairs or set(pairs) not in active:
            names = ", ".join(pairs) or key
            raise DataverseError(
                400, QUERY, f"The key in the request URI is not valid for resource '{table.name}': {names}."
            )
        if any(NOT_IN_KEYS & set(value) for value in pairs.values()):
            raise DataverseError(400, QUERY, "Bad Request - Error in query syntax.")
        return dict(pairs)

    def changed_since(self, table: Table, version: int) -> tuple[list[Row], list[str]]:
        """Rows that were made or changed after `version`, and the ids of those that were deleted."""
        rows = [row for row in self.rows[table.name].values() if row["versionnumber"] > version]
        return rows, [id for at, name, id in self.gone if name == table.name and at > version]

    # --- writing ----------------------------------------

    def create(self, table: Table, body: Mapping[str, Any], id: str | None = None) -> Row:
        """A new row; its id may be chosen by the client. Raises DataverseError."""
        values, parties = self._read(table, body, create=True)
        chosen = str(values.pop(table.id, None) or id or uuid.uuid4()).lower()
        if chosen in self.rows[table.name]:
            raise DataverseError(412, DUPLICATE, "A record with matching key values already exists.")
        row: Row = {name: column.default for name, column in table.columns.items() if column.default is not None}
        if "ownerid" in table.columns:
            row |= {"ownerid": ("systemuser", self.me)}
        if table.name == "incident":
            row["ticketnumber"] = f"CAS-{next(self._tickets):05}-X{chosen[:4].upper()}"
        row |= {table.id: chosen, "createdon": self._moment()} | values
        if "statecode" in table.columns:
            self._state(table, row, values)
        self._keep(table, row)
        self._parties(table, row, parties)
        return row

    def update(self, table: Table, id: str, body: Mapping[str, Any], match: str = "") -> Row:
        """A row changed. `match` is what If-Match says. Raises DataverseError."""
        before = self.rows[table.name].get(id)
        if before is None:
            raise not_there(table.name, id)
        if match not in ("", "*") and match != etag(before):
            raise DataverseError(
                412, VERSION, "The version of the existing record doesn't match the RowVersion property provided."
            )
        values, parties = self._read(table, body, create=False)
        if table.activity and before["statecode"] != 0 and not {"statecode"} & set(values):
            raise DataverseError(400, INVALID_ARGUMENT, "Cannot update Closed or Cancelled Activity")
        if table.activity and before["statecode"] != 0 and set(values) - {"statecode", "statuscode"}:
            raise DataverseError(400, INVALID_ARGUMENT, "Cannot update Closed or Cancelled Activity")
        row = before | values
        if {"statecode", "statuscode"} & set(values):
            self._state(table, row, values)
        self._keep(table, row)
        self._parties(table, row, parties)
        return row

    def delete(self, table: Table, id: str) -> None:
        """A row gone, and the parties of an activity with it."""
        before = self.rows[table.name].pop(id, None)
        if before is None:
            raise not_there(table.name, id)
        self._journal.append((table.name, id, before))
        self.version += 1
        self.gone.append((self.version, table.name, id))
        if table.activity:
            for party in self.parties(id):
                self.delete(TABLES["activityparty"], party["activitypartyid"])

    def parties(self, activity: str) -> list[Row]:
        """The parties of an activity."""
        return [row for row in self.rows["activityparty"].values() if row["activityid"][1] == activity]

    def merge(self, table: Table, survivor: str, other: str) -> None:
        """`other` is merged into `survivor`: it stays, inactive, and says who its master is."""
        row = self.rows[table.name][other] | {
            "merged": True, "masterid": (table.name, survivor), "statecode": 1, "statuscode": 2}  # fmt: skip
        self._keep(table, row)

    def _keep(self, table: Table, row: Row) -> None:
        self._unique(table, row)
        if "owninguser" in table.columns:
            owner = row.get("ownerid")
            row["owninguser"] = owner if owner and owner[0] == "systemuser" else None
        if "fullname" in table.columns and "firstname" in table.columns:
            row["fullname"] = " ".join(part for part in (row.get("firstname"), row.get("lastname")) if part) or None
        self.version += 1
        row |= {"modifiedon": self._moment(), "versionnumber": self.version}
        id = row[table.id]
        self._journal.append((table.name, id, self.rows[table.name].get(id)))
        self.rows[table.name][id] = row

    def _unique(self, table: Table, row: Row) -> None:
        for key in table.keys:
            wanted = [plain(row.get(name)) for name in key.columns]
            if key.status != "Active" or any(value is None for value in wanted):
                continue
            if any([plain(other.get(name)) for name in key.columns] == wanted and other[table.id] != row[table.id]
                   for other in self.rows[table.name].values()):  # fmt: skip
                raise DataverseError(412, DUPLICATE, "A record with matching key values already exists.")

    def _state(self, table: Table, row: Row, values: Row) -> None:
        reasons = table.columns["statuscode"].state_of
        state = row["statecode"]
        if "statuscode" not in values:
            row["statuscode"] = next(number for number, of in reasons.items() if of == state)
        elif reasons.get(row["statuscode"]) != state:
            where = f"state code {state} on {table.name} with Id {row[table.id]}"
            raise DataverseError(400, STATE, f"{row['statuscode']} is not a valid status code for {where}.")

    def _parties(self, table: Table, row: Row, parties: list[Mapping[str, Any]] | None) -> None:
        """The whole list of parties is replaced by the one that was sent."""
        if parties is None:
            return
        kind = TABLES["activityparty"]
        for old in self.parties(row[table.id]):
            self.delete(kind, old["activitypartyid"])
        masks = {PARTIES[name] for name in PARTIES if name in table.columns}
        for party in parties:
            mask = party.get("participationtypemask")
            if mask not in masks:
                raise bad_payload(f"participationtypemask {mask} is not supported by {table.name}.")
            self.create(kind, {**party, "activityid_" + table.name + "@odata.bind": f"/{table.set}({row[table.id]})"})

    def _moment(self) -> str:
        return self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # --- a body ----------------------------------------

    def _read(
        self, table: Table, body: Mapping[str, Any], *, create: bool
    ) -> tuple[Row, list[Mapping[str, Any]] | None]:
        values: Row = {}
        parties: list[Mapping[str, Any]] | None = None
        for name, value in body.items():
            if name.endswith("@odata.bind"):
                column, reference = self._bound(table, name.removesuffix("@odata.bind"), value)
                values[column.name] = reference
            elif "@" in name:
                continue
            elif name == f"{table.name}_activity_parties" and table.activity:
                parties = list(value)
            else:
                column = self._column(table, name, create)
                values[name] = value_for(table, column, value)
        return values, parties

    def _column(self, table: Table, name: str, create: bool) -> Column:
        column = table.columns.get(name)
        if column is None:
            raise bad_payload(
                f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table.name}'. Make sure to only use "
                "property names that are defined by the type."
            )
        if column.targets:
            raise bad_payload(f"CRM do not support direct update of Entity Reference properties, Use Navigation properties "
                              f"instead: '{name}'.")  # fmt: skip
        if not (column.create if create else column.update) and name != table.id:
            raise DataverseError(400, INVALID_ARGUMENT, f"Attribute {name} of {table.name} is not valid for "
                                 f"{'create' if create else 'update'}.")  # fmt: skip
        return column

    def _bound(self, table: Table, navigation: str, value: Any) -> tuple[Column, tuple[str, str] | None]:
        columns = {(column, target): name for (column, target), name in table.navigation.items() if name == navigation}
        if table.name == "activityparty" and navigation.startswith("activityid_"):
            columns = {("activityid", navigation.removeprefix("activityid_")): navigation}
        if not columns:
            raise bad_payload(
                f"An undeclared property '{navigation}' which only has property annotations in the payload but no property "
                "value was found in the payload. In OData, only declared navigation properties and declared named streams "
                "can be represented as properties without values."
            )
        column = table.columns[next(iter(columns))[0]]
        if value is None:
            return column, None
        found = re.search(r"(\w+)\(([^)]*)\)$", str(value))
        target = BY_SET.get(found.group(1)) if found else None
        if found is None or target is None or (column.name, target.name) not in columns:
            raise bad_payload(f"Invalid address in '{navigation}@odata.bind'.")
        id = self.id_of(target, found.group(2))
        if id is None or id not in self.rows[target.name]:
            raise DataverseError(404, NOT_THERE, f"Entity '{target.name}' With Id = {found.group(2)} Does Not Exist")
        return column, (target.name, id)


def etag(row: Row) -> str:
    """The version of a row."""
    return f'W/"{row["versionnumber"]}"'
