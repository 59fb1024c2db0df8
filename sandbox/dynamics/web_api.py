"""The Web API: an address and a method to what they do. Single requests and the parts of a `$batch` come the same
way."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.dynamics.definitions import Definitions
from sandbox.dynamics.errors import (
    DEADLOCK,
    PRIVILEGE,
    QUERY,
    REASONS,
    SQL_TIMEOUT,
    THROTTLED,
    UNEXPECTED,
    VERSION,
    DataverseError,
    bad_payload,
    not_there,
    throttled,
)
from sandbox.dynamics.fetchxml import fetched
from sandbox.dynamics.messages import body_of, nothing, ok, resolved, segments_of
from sandbox.dynamics.metadata import metadata_id
from sandbox.dynamics.queries import MOST, Views, Wish
from sandbox.dynamics.records import GUID, Records, Row, etag
from sandbox.dynamics.schema import BY_SET, TABLES, Table
from sandbox.frame.faults import Faults
from sandbox.frame.odata_batch import Answer, Asked, answered, asked

ROOT = re.compile(r"^(?:https?://[^/]+)?/api/data/v9\.\d/")
MOST_OPERATIONS = 1000
LONGEST_PART_ADDRESS = 64 << 10
_SEGMENT = re.compile(r"^([\w.$]+?)(?:\((.*)\))?$", re.DOTALL)
WRITES = {"POST": "Create", "PATCH": "Write", "DELETE": "Delete"}
# Faults of one operation: what it answers instead of being done.
INSTEAD: Mapping[str, tuple[int, str, str]] = {
    "deadlock": (500, DEADLOCK, "SQL Server deadlock: the transaction was chosen as the victim."),
    "sql_timeout": (500, SQL_TIMEOUT, "SQL timeout expired."),
    "failed_part": (500, UNEXPECTED, "An unexpected error occurred from ISV code."),
    "version_mismatch": (412, VERSION, "The version of the existing record doesn't match the RowVersion property provided."),
    "privilege": (403, PRIVILEGE, "Principal user (Id=…, type=8) is missing a privilege for entity 'phonecall'."),
}  # fmt: skip


class Service:
    """One organisation's Web API. Not thread-safe: whoever calls holds the organisation's lock."""

    def __init__(self, records: Records, root: str, faults: Faults, denied: set[str]) -> None:
        self.records, self.root, self.faults, self.denied = records, root, faults, denied
        self.views = Views(records, root)
        self.definitions = Definitions(faults)

    # --- batches ----------------------------------------

    def batch(self, content_type: str, body: bytes, wish: Wish) -> Answer:
        """A `$batch`: without `odata.continue-on-error` it ends at the first error, and that is its status."""
        try:
            parts = asked(content_type, body)
        except ValueError as error:
            return DataverseError(400, QUERY, f"Error while parsing the batch: {error}").answer()
        count = sum(len(part) if isinstance(part, list) else 1 for part in parts)
        if not parts or count > MOST_OPERATIONS:
            return DataverseError(400, QUERY, f"The number of operations {count} is not allowed in one batch.").answer()
        answers: list[Answer | list[Answer]] = []
        status = 200
        for part in parts:
            done = self._change_set(part) if isinstance(part, list) else self.one(part, in_batch=True)
            answers.append(done)
            if isinstance(done, Answer) and done.status >= 400 and not wish.continue_on_error:
                status = done.status
                break
        kind, whole = answered(answers)
        return Answer(status=status, reason=REASONS[status], headers={"Content-Type": kind}, body=whole)

    def _change_set(self, parts: Sequence[Asked]) -> Answer | list[Answer]:
        mark = self.records.begin()
        answers: list[Answer] = []
        known: dict[str, str] = {}
        for part in parts:
            if part.method == "GET":
                self.records.undo(mark)
                return DataverseError(400, QUERY, "A change set may not contain a GET request.").answer()
            done = self._done(resolved(part, known), in_batch=True)
            if done.status >= 400:
                self.records.undo(mark)
                return done
            if part.id and (place := done.headers.get("OData-EntityId")):
                known[part.id] = place
            answers.append(
                Answer(status=done.status, reason=done.reason, headers=done.headers, body=done.body, id=part.id)
            )
        self.records.done()
        return answers

    # --- one request ----------------------------------------

    def one(self, request: Asked, in_batch: bool = False) -> Answer:
        """A request of its own: done, or nothing of it."""
        mark = self.records.begin()
        done = self._done(request, in_batch)
        if done.status >= 400:
            self.records.undo(mark)
        self.records.done()
        return done

    def _done(self, request: Asked, in_batch: bool = False) -> Answer:
        wish = Wish.of(request.headers)
        try:
            if in_batch:
                self._fail_where_switched_on(request)
                if len(request.url) > LONGEST_PART_ADDRESS:
                    raise DataverseError(400, QUERY, "The address of a part is too long.")
            if ROOT.match(request.url) is None and "://" in request.url:
                raise DataverseError(404, QUERY, "Resource not found for this address.")
            path, _, query = ROOT.sub("", request.url).partition("?")
            told = dict(parse_qsl(query, keep_blank_values=True))
            segments = [unquote(segment) for segment in segments_of(path)]
            return self._routed(request, segments, told, wish)
        except DataverseError as error:
            return error.answer(request.id)

    def _fail_where_switched_on(self, request: Asked) -> None:
        if self.faults.take("throttled_part"):
            raise throttled("throttled_requests", 12)
        if request.method in WRITES:
            for name, (status, code, message) in INSTEAD.items():
                if self.faults.take(name):
                    raise DataverseError(status, code, message)

    def _routed(self, request: Asked, path: list[str], query: dict[str, str], wish: Wish) -> Answer:
        first = _SEGMENT.match(path[0]) if path else None
        if first is None:
            raise DataverseError(404, QUERY, "Resource not found for an empty segment.")
        name, key = first.group(1), first.group(2)
        if name in FUNCTIONS:
            return ok(FUNCTIONS[name](self))
        if name == "RetrieveMetadataChanges":
            return ok(self.definitions.changes(key or "", query))
        if name == "EntityDefinitions":
            return ok(self.definitions.told(key, path[1:], query))
        if name not in BY_SET:
            raise DataverseError(404, "0x8006088a", f"Resource not found for the segment '{name}'.")
        table = BY_SET[name]
        if len(path) > 1:
            return self._beneath(request, table, key, path[1:], query, wish)
        if key is None:
            return self._collection(request, table, query, wish)
        return self._record(request, table, key, query, wish)

    def _collection(self, request: Asked, table: Table, query: Mapping[str, str], wish: Wish) -> Answer:
        if request.method == "GET":
            if "fetchXml" in query:
                return ok(fetched(query["fetchXml"], self.records, wish, table.set, self.root))
            if self.faults.known and "$deltatoken" in query and self.faults.take("delta_expired"):
                raise DataverseError(
                    400,
                    "0x80044352",
                    "Version stamp associated with the client has expired. Please perform a full sync.",
                )
            return ok(self.views.many(table, query, wish))
        if request.method != "POST":
            raise DataverseError(405, QUERY, f"The requested resource does not support http method '{request.method}'.")
        self._allowed("Create", table)
        return self._written(table, self.records.create(table, body_of(request)), query, wish, 201)

    def _record(self, request: Asked, table: Table, key: str, query: Mapping[str, str], wish: Wish) -> Answer:
        match request.method:
            case "GET":
                row = self.records.row(table, key)
                if request.headers.get("if-none-match") == etag(row):
                    return Answer(status=304, reason=REASONS[304], headers={})
                return ok(self.views.one(table, row, query, wish))
            case "PATCH":
                return self._upsert(request, table, key, query, wish)
            case "DELETE":
                self._allowed("Delete", table)
                self.records.delete(table, self.records.row(table, key)[table.id])
                return nothing({})
        raise DataverseError(405, QUERY, f"The requested resource does not support http method '{request.method}'.")

    def _upsert(self, request: Asked, table: Table, key: str, query: Mapping[str, str], wish: Wish) -> Answer:
        body = body_of(request)
        id = self.records.id_of(table, key)
        there = id is not None and id in self.records.rows[table.name]
        if there and id is not None:
            if request.headers.get("if-none-match") == "*":
                raise DataverseError(412, "0x80040237", "A record with matching key values already exists.")
            self._allowed("Write", table)
            row = self.records.update(table, id, body, request.headers.get("if-match", ""))
            return self._written(table, row, query, wish, 200, key)
        if request.headers.get("if-match"):
            raise not_there(table.name, key)
        self._allowed("Create", table)
        values = {} if id else self.records.key_values(table, key)
        row = self.records.create(table, {**values, **body}, id)
        return self._written(table, row, query, wish, 201, key)

    def _written(
        self, table: Table, row: Row, query: Mapping[str, str], wish: Wish, status: int, key: str = ""
    ) -> Answer:
        if wish.representation:
            return ok(self.views.one(table, row, query, wish), status, {"Preference-Applied": "return=representation"})
        # An alternate key is echoed as it was asked for: the id is not told.
        place = f"{self.root}{table.set}({key or row[table.id]})"
        return nothing({"OData-EntityId": place, "Location": place})

    def _allowed(self, action: str, table: Table) -> None:
        name = f"prv{action}{table.schema}"
        if name in self.denied:
            who = f"Principal user (Id={self.records.me}, type=8, roleCount=1)"
            what = f"{name} privilege (Id={metadata_id('privilege', action, table.name)})"
            where = f"OTC={table.code} for entity '{table.name}'"
            raise DataverseError(403, PRIVILEGE, f"{who} is missing {what} on {where}.")

    # --- what is bound to a set or a record ----------------------------------------

    def _beneath(
        self, request: Asked, table: Table, key: str | None, rest: list[str], query: dict[str, str], wish: Wish
    ) -> Answer:
        name = rest[0].removesuffix("()").removeprefix("Microsoft.Dynamics.CRM.")
        if key is None:
            if name == "$count" and request.method == "GET":
                count = str(min(len(self.views.many(table, query, wish)["value"]), MOST)).encode()
                return Answer(status=200, reason=REASONS[200], headers={"Content-Type": "text/plain"}, body=count)
            if name in MULTIPLE and request.method == "POST":
                return MULTIPLE[name](self, table, body_of(request).get("Targets", []))
            raise DataverseError(404, QUERY, f"Resource not found for the segment '{rest[0]}'.")
        row = self.records.row(table, key)
        if (table.name, name) == ("systemuser", "RetrieveUserPrivileges"):
            known = [one for kind in TABLES for one in self.definitions.of(kind)["Privileges"]]
            held = [
                {"PrivilegeId": one["PrivilegeId"], "PrivilegeName": one["Name"], "Depth": "Global"}
                for one in known
                if one["Name"] not in self.denied
            ]
            return ok({"@odata.context": f"{self.root}$metadata#…", "RolePrivileges": held})
        if table.name == "list" and name.endswith("_association"):
            return self._members(row, name, request, query, wish)
        raise DataverseError(404, QUERY, f"Resource not found for the segment '{rest[0]}'.")

    def _members(self, row: Row, name: str, request: Asked, query: dict[str, str], wish: Wish) -> Answer:
        kind = TABLES.get(name.removeprefix("list").removesuffix("_association"))
        if kind is None or request.method != "GET":
            raise DataverseError(404, QUERY, f"Resource not found for the segment '{name}'.")
        of = {
            one["entityid"][1] for one in self.records.rows["listmember"].values() if one["listid"][1] == row["listid"]
        }
        rows = [one for id, one in self.records.rows[kind.name].items() if id in of]
        return ok(self.views.many(kind, query, wish, rows, f"lists({row['listid']})/{name}"))

    def create_multiple(self, table: Table, targets: Sequence[Mapping[str, Any]]) -> Answer:
        """All or none."""
        self._allowed("Create", table)
        ids = [self.records.create(table, target)[table.id] for target in targets]
        return ok({"@odata.context": f"{self.root}$metadata#…CreateMultipleResponse", "Ids": ids})

    def update_multiple(self, table: Table, targets: Sequence[Mapping[str, Any]]) -> Answer:
        """All or none; each names its id."""
        for target in targets:
            rest = {name: value for name, value in target.items() if name != table.id}
            self.records.update(table, str(target.get(table.id, "")).lower(), rest)
        return nothing({})

    def upsert_multiple(self, table: Table, targets: Sequence[Mapping[str, Any]]) -> Answer:
        """All or none; each is named by `@odata.id`, and nothing is told of what was made."""
        for target in targets:
            place = _SEGMENT.match(str(target.get("@odata.id", "")).rpartition("/")[2])
            if not place or not place.group(2):
                raise bad_payload("a target needs @odata.id.")
            id = self.records.id_of(table, place.group(2))
            if id and id in self.records.rows[table.name]:
                self.records.update(table, id, target)
            else:
                values = {} if GUID.match(place.group(2)) else self.records.key_values(table, place.group(2))
                self.records.create(table, {**values, **target}, id)
        return nothing({})

    def who_am_i(self) -> dict[str, Any]:
        """The calling user."""
        return {"@odata.context": f"{self.root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
                "BusinessUnitId": str(uuid.UUID(int=1)), "UserId": self.records.me,
                "OrganizationId": next(iter(self.records.rows["organization"]))}  # fmt: skip

    def version(self) -> dict[str, Any]:
        """The server's version."""
        return {"@odata.context": f"{self.root}$metadata#…RetrieveVersionResponse", "Version": "9.2.26111.00184"}


FUNCTIONS: Mapping[str, Callable[[Service], dict[str, Any]]] = {
    "WhoAmI": Service.who_am_i,
    "RetrieveVersion": Service.version,
}
MULTIPLE: Mapping[str, Callable[[Service, Table, Any], Answer]] = {
    "CreateMultiple": Service.create_multiple,
    "UpdateMultiple": Service.update_multiple,
    "UpsertMultiple": Service.upsert_multiple,
}
LIMITS = tuple(THROTTLED)
