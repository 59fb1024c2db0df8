"""The records of the stand-in, under one lock; what is refused takes back all that its request did."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hub import phone
from hub.store.sample.people import sample_people
from sandbox.siebel.schema import COMPONENTS, VALUES, Component, Field
from sandbox.siebel.searchspec import MOMENTS, Wrong, moment, predicate

Record = dict[str, Any]
USER, ROW_ID = "PATCHBAY", "1-PBAY1"
COUNTRY = "ES"  # of the locale that this server runs in
LIST, LIST_ID = "Spring campaign", "1-1A2B3"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Problem(Exception):
    """What the server refuses: the status, its words and Siebel's code."""

    def __init__(self, status: int, words: str, code: str = "") -> None:
        self.status, self.words, self.code = status, words, code
        super().__init__(words)


class Records:
    """Everything that is stored, by the component's path and the row id. A list's members have its row id as `_parent`."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self._stored: dict[str, dict[str, Record]] = {path: {} for path in COMPONENTS}
        self._next = 36**5  # so that all row ids have the same length
        self._undo: list[tuple[str, str, Record | None]] | None = None
        self._seed(rows, seed)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is done within, or nothing of it."""
        with self.lock:
            self._undo = []
            try:
                yield
            except BaseException:
                for path, id, before in reversed(self._undo):
                    self._stored[path].pop(id, None)
                    if before is not None:
                        self._stored[path][id] = before
                raise
            finally:
                self._undo = None

    def all(self, path: str, parent: str = "") -> list[Record]:
        """The records of a component by ascending row id."""
        with self.lock:
            stored = self._stored[path]
            return [stored[id] for id in sorted(stored) if stored[id].get("_parent", "") == parent]

    def query(self, component: Component, spec: str, parent: str = "") -> list[Record]:
        """Those that the searchspec fits. Raises Problem."""
        try:
            fits = predicate(spec, component) if spec else None
            return [record for record in self.all(component.path, parent) if fits is None or fits(record)]
        except Wrong as wrong:
            raise Problem(500, wrong.words, wrong.code) from None

    def one(self, component: Component, id: str) -> Record | None:
        """The record with this row id."""
        with self.lock:
            return self._stored[component.path].get(id)

    def insert(self, component: Component, told: Mapping[str, Any], parent: str = "", *, id: str = "") -> Record:
        """A new record. Its row id is the server's own, whatever was told, but for a seed's `id`. Raises Problem."""
        with self.lock:
            values = self._checked(component, told)
            for field in component.fields:
                if field.required and not field.read_only and not values.get(field.name):
                    raise Problem(500, f"'{field.name}' is a required field. Please enter a value for the field.",
                                  "SBL-DAT-00498")  # fmt: skip
            self._next += 1
            id, now = id or f"1-{_base36(self._next)}", _now()
            record: Record = {field.name: "" for field in component.fields}
            record |= {**values, "Id": id, "Created": now, "Created By": ROW_ID, "Updated": now, "Updated By": ROW_ID,
                       "Mod Id": "0", "Conflict Id": "0"}  # fmt: skip
            if component.field("SR Number"):
                record["SR Number"] = id
            if parent:
                record["_parent"] = parent
            self._unique(component, record)
            self._put(component, self._derived(component, record))
            return record

    def update(self, component: Component, record: Record, told: Mapping[str, Any]) -> tuple[Record, bool]:
        """A record with other values, and whether it changed. Raises Problem."""
        with self.lock:
            values = self._checked(component, told)
            changed = {name: value for name, value in values.items() if record.get(name) != value}
            if not changed:
                return record, False
            after = {**record, **changed, "Updated": _now(), "Mod Id": str(int(record["Mod Id"]) + 1)}
            self._unique(component, after)
            self._put(component, self._derived(component, after))
            return after, True

    def upsert(self, component: Component, told: Mapping[str, Any], key: str = "Id") -> tuple[Record, str]:
        """By the row id or another user key: the record and what was done, `Insert`, `Update` or ``. Raises Problem."""
        with self.lock:
            if not told.get(key):
                raise Problem(500, f"No user key can be used for the Integration Component instance '{component.name}'.",
                              "SBL-EAI-04397")  # fmt: skip
            found = [one for one in self.all(component.path) if one.get(key) == told[key]]
            if len(found) > 1:
                words = f"Multiple records found with the search specification '[{key}] = \"{told[key]}\"'."
                raise Problem(500, words, "SBL-EAI-04390")
            if not found:
                return self.insert(component, {name: value for name, value in told.items() if name != "Id"}), "Insert"
            record, changed = self.update(component, found[0], told)
            return record, "Update" if changed else ""

    def delete(self, component: Component, id: str) -> None:
        """Takes a record away. Raises Problem."""
        with self.lock:
            record = self._stored[component.path].pop(id, None)
            if record is None:
                raise Problem(400, f"No rows retrieved corresponding to the business component '{component.name}'",
                              "SBL-EAI-04378")  # fmt: skip
            if self._undo is not None:
                self._undo.append((component.path, id, record))

    # --- rules ----------------------------------------

    def _put(self, component: Component, record: Record) -> None:
        if self._undo is not None:
            self._undo.append((component.path, record["Id"], self._stored[component.path].get(record["Id"])))
        self._stored[component.path][record["Id"]] = record

    def _checked(self, component: Component, told: Mapping[str, Any]) -> Record:
        """The values as they are stored. What is read-only is passed over. Raises Problem."""
        values: Record = {}
        for name, value in told.items():
            field = component.field(name)
            if field is None:
                raise Problem(500, f"Field '{name}' does not exist in definition for business component "
                              f"'{component.name}'.", "SBL-DAT-00398")  # fmt: skip
            if not field.read_only:
                values[name] = _stored(component, field, value)
        return values

    def _unique(self, component: Component, record: Record) -> None:
        keys = [(one.name,) for one in component.fields if one.key] + (
            [component.together] if component.together else []
        )
        for names in keys:
            told = {name: record.get(name) for name in names}
            if not record.get(names[0]):
                continue
            for other in self._stored[component.path].values():
                if other["Id"] != record["Id"] and all(other.get(name) == value for name, value in told.items()):
                    spec = " AND ".join(f'[{name}] = "{value}"' for name, value in sorted(told.items()))
                    words = (
                        f"Insert operation on integration component '{component.name}' failed because a matching record in "
                        f"business component '{component.name}' with search specification '{spec}' was found."
                    )
                    raise Problem(409, words, "SBL-EAI-04383")

    def _derived(self, component: Component, record: Record) -> Record:
        if component.path == "Contact/Contact":
            account = self._stored["Account/Account"].get(record.get("Account Id") or "")
            record["Account"] = account["Name"] if account else ""
        return record

    # --- the sample ----------------------------------------

    def _seed(self, rows: int, seed: int) -> None:
        made = sample_people(seed) if seed != 1 else sample_people()
        contact, prospect = COMPONENTS["Contact/Contact"], COMPONENTS["List Mgmt/List Mgmt Prospective Contact"]
        accounts: dict[str, str] = {}
        for row in made.accounts[: max(1, rows // 5)]:
            told = {"Name": row["name"], "Location": row["country"], "Main Phone Number": row.get("phone")}
            accounts[row["account_key"]] = self.insert(COMPONENTS["Account/Account"], told)["Id"]
        for row in made.contacts[:rows]:
            told = {**_person(row), "Home Phone #": None, "Account Id": accounts.get(row.get("account") or "", "")}
            record = self.insert(contact, told)
            self.update(contact, record, {"Person UId": record["Id"]})
        lists = COMPONENTS["List Mgmt/List Mgmt Lists"]
        members = COMPONENTS["List Mgmt/List Mgmt Lists/{key}/List Mgmt Prospective Contact"]
        self.insert(lists, {"Name": LIST}, id=LIST_ID)
        for row in made.leads[: max(1, rows // 5)]:
            self.insert(prospect, _person(row))
            self.insert(members, _person(row), LIST_ID)


def _person(row: Mapping[str, Any]) -> Record:
    return {"First Name": row["first_name"], "Last Name": row["last_name"], "Email Address": row.get("email"),
            "Work Phone #": row.get("phone"), "Cellular Phone #": row.get("mobile"),
            "Suppress All Calls": "Y" if row.get("do_not_call") else "N",
            "X Call Consent": "Y" if row.get("consent") else "N"}  # fmt: skip


def _stored(component: Component, field: Field, told: Any) -> str:
    """A value as it is stored. Raises Problem."""
    value = "" if told is None else str(told)
    if not value:
        return ""
    if any(c < " " and c not in "\t\r\n" for c in value):
        raise Problem(500, f"The value of '{field.name}' holds a character that the database does not take.",
                      "SBL-DAT-00235")  # fmt: skip
    if field.type == "DTYPE_PHONE":
        return _phone(value)
    if field.type in MOMENTS:
        try:
            moment(value)
        except Wrong as wrong:
            raise Problem(500, wrong.words, wrong.code) from None
    if field.type == "DTYPE_BOOL" and value not in ("Y", "N"):
        raise Problem(500, f"The value of '{field.name}' is neither Y nor N.", "SBL-DAT-00225")
    if len(value) > field.length:
        raise Problem(500, f"The value of '{field.name}' is longer than {field.length}.", "SBL-DAT-00235")
    if field.values and value not in [one for type, one, active in VALUES if type == field.values and active]:
        words = (
            f"Field '{field.name}' in the integration component '{component.name}' contains value '{value}' which is "
            f"not in the list of the bounded picklist '{field.values}'."
        )
        raise Problem(500, words, "SBL-EAI-04401")
    return value


def _phone(text: str) -> str:
    """A number as Siebel stores it: + and digits, no code for North America, and the mask of a format that was typed."""
    full = phone.e164(text, COUNTRY)
    if full is None:
        return phone.digits(text) or text
    bare: str = full[2:] if full.startswith("+1") else full
    mask = re.sub(r"\d", "0", text.lstrip("+ "))
    return f"{bare}\n{mask}" if re.search(r"[ ().-]", text.strip()) else bare


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%m/%d/%Y %H:%M:%S")


def outwardly(records: Sequence[Record]) -> list[Record]:
    """Records without what only the stand-in knows of them."""
    return [{name: value for name, value in record.items() if not name.startswith("_")} for record in records]
