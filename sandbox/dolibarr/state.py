"""The records of the stand-in under one lock, and what Dolibarr does to a record before it saves it."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from hub.store.sample.people import sample_people
from sandbox.dolibarr.cleaning import line, note
from sandbox.dolibarr.schema import (
    CATEGORY_OF,
    CATEGORY_TYPES,
    EVENT_TYPES,
    EXTRA_FIELDS,
    PICKLISTS,
    TABLES,
    Column,
    Record,
)

ZONE = dt.timezone(dt.timedelta(hours=2))  # the server's: its database keeps local times
FIELDS_OF_NOTES = ("note", "note_private", "note_public", "desc", "description")
LONGEST_LABEL = 128
COUNTRIES = {"ES": "4", "FR": "1", "DE": "5", "GB": "7", "PT": "25", "IT": "3"}


class Problem(Exception):
    """What Dolibarr refuses: the status, its message, and what the object said."""

    def __init__(self, status: int, message: str = "", details: tuple[str, ...] = ()) -> None:
        self.status, self.message, self.details = status, message, details
        super().__init__(message)


class Records:
    """Everything that is stored."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self._dice = random.Random(seed)
        self._stored: dict[str, dict[int, Record]] = {name: {} for name in TABLES}
        self._members: dict[int, dict[int, None]] = {}
        self.me = self.put("users", login="patchbay", lastname="Patchbay", email="patchbay@example.com", status="1")
        self._seed(rows)

    # --- reading ----------------------------------------

    def all(self, name: str) -> list[Record]:
        """Every record, by ascending id, as it is kept, for tests."""
        with self.lock:
            return [dict(record) for _, record in sorted(self._stored[name].items())]

    def kept(self, name: str) -> list[Record]:
        """Every record as it is kept."""
        return list(self._stored[name].values())

    def one(self, name: str, id: Any) -> Record:
        """One record as it is kept. Raises Problem."""
        record = self._stored[name].get(int(id)) if str(id).isdecimal() else None
        if record is None:
            what = TABLES[name].what
            raise Problem(404, f"{what[0].upper()}{what[1:]} not found")
        return record

    def row(self, name: str, record: Record) -> Mapping[str, Any]:
        """A record as filters see it: column → value."""
        table = TABLES[name]
        told = {one.name: _in_column(one, record.get(one.field)) for one in table.columns}
        extras = {f"{table.extras}.{field}": record["array_options"].get(f"options_{field}")
                  for field in EXTRA_FIELDS.get(table.element, {})}  # fmt: skip
        return {**told, **extras, table.id_column: int(record["id"])}

    def shown(self, name: str, record: Record) -> Record:
        """A record as answers have it."""
        told = {field: value for field, value in record.items() if field not in TABLES[name].hides}
        told["array_options"] = told["array_options"] or []  # an empty array of PHP
        if name == "contacts":
            company = self._stored["thirdparties"].get(int(record["socid"] or 0))
            told |= {"socname": company and company["name"], "fk_soc": record["socid"]}
        if name == "tickets":
            told["socid"] = record["fk_soc"]
        return told

    def members(self, category: Any) -> dict[int, None]:
        """The ids of who is in a category."""
        return self._members.setdefault(int(category), {})

    # --- writing ----------------------------------------

    def put(self, kind: str, /, **fields: Any) -> str:
        """Put a record there, unchecked; its id."""
        with self.lock:
            id = max(self._stored[kind], default=0) + 1
            now = int(time.time())
            record: Record = {
                "id": str(id),
                "entity": "1",
                "country_code": None,
                **{one.field: None for one in TABLES[kind].columns},
            }
            record |= {one.field: now for one in TABLES[kind].columns if one.name in ("datec", "tms")}
            record["array_options"] = {f"options_{field}": None for field in EXTRA_FIELDS.get(TABLES[kind].element, {})}
            if kind == "agendaevents":
                record |= {"socpeopleassigned": {}, "userassigned": {}}
            self._set(kind, record, fields)
            self._stored[kind][id] = record
            return str(id)

    def create(self, name: str, told: Mapping[str, Any], *, old: bool) -> int:
        """A new record's id. Raises Problem."""
        table = TABLES[name]
        with self.lock:
            for field in table.needs if not (old and name == "agendaevents") else ():
                if told.get(field) is None:
                    raise Problem(400, f"{field} field missing")
            fields = {field: _cleaned(field, value) for field, value in told.items()}
            wrong = f"Error creating {table.what}"
            if name == "agendaevents":
                if fields.get("userownerid") in (None, ""):
                    raise Problem(500, wrong, ("", "ErrorActionCommPropertyUserowneridNotDefined"))
                fields = _event(fields, wrong)
            elif name == "tickets":
                fields["track_id"] = fields.get("track_id") or f"{self._dice.randrange(16**16):016x}"
                fields["ref"] = fields.get("ref") or f"TS2611-{len(self._stored[name]) + 1:04d}"
                fields.setdefault("status", "0")
            self._checked(name, fields, wrong)
            if name == "tickets" and any(one["track_id"] == fields["track_id"] for one in self.kept(name)):
                raise Problem(500, wrong, (f"Duplicate entry '{fields['track_id']}' for key 'uk_ticket_track_id'",))
            return int(self.put(name, **fields))

    def update(self, name: str, id: Any, told: Mapping[str, Any]) -> Record:
        """A changed record. Raises Problem."""
        with self.lock:
            record = self.one(name, id)
            fields = {field: _cleaned(field, value) for field, value in told.items() if field != "id"}
            self._checked(name, fields, "")
            if name == "agendaevents" and fields.get("datep") and fields.get("datef"):
                fields["datef"] = max(int(fields["datef"]), int(fields["datep"]))
            self._set(name, record, fields)
            record["date_modification" if "date_modification" in record else "datem"] = int(time.time())
            return self.shown(name, record)

    def delete(self, name: str, id: Any) -> None:
        """Takes a record away. Raises Problem."""
        with self.lock:
            self.one(name, id)
            del self._stored[name][int(id)]
            if name in CATEGORY_OF:
                for category in self._stored["categories"].values():
                    if category["type"] == str(CATEGORY_TYPES[CATEGORY_OF[name]]):
                        self.members(category["id"]).pop(int(id), None)

    def merge(self, id: Any, gone: Any) -> Record:
        """A third party takes over from another, which is deleted. Raises Problem."""
        with self.lock:
            left, other = self.one("thirdparties", id), self.one("thirdparties", gone)
            for one in TABLES["thirdparties"].columns:
                left[one.field] = left[one.field] or other[one.field]
            for contact in self.kept("contacts"):
                contact["socid"] = str(id) if contact["socid"] == str(gone) else contact["socid"]
            self.delete("thirdparties", gone)
            return self.shown("thirdparties", left)

    # --- what is checked ----------------------------------------

    def _checked(self, name: str, fields: Mapping[str, Any], wrong: str) -> None:
        for field, value in fields.items():
            column = TABLES[name].column(field)
            if column is None or value in (None, ""):
                continue
            if column.most and len(str(value)) > column.most:
                raise Problem(500, wrong, (f"Data too long for column '{column.name}' at row 1",))
            if column.type == "int" and not str(value).lstrip("-").isdecimal():
                raise Problem(500, wrong, (f"Incorrect integer value: '{value}' for column '{column.name}' at row 1",))
            if field == "email" and ("@" not in str(value) or " " in str(value)):
                raise Problem(500, wrong, ("ErrorBadEMail",))
            allowed = PICKLISTS.get((name, field))
            if allowed is not None and value not in allowed:
                raise Problem(500, wrong, (f"ErrorBadValueForParameter {field}",))
        company = fields.get("socid") if name == "contacts" else None
        if company and int(company) and int(company) not in self._stored["thirdparties"]:
            raise Problem(500, wrong, ("Cannot add or update a child row: a foreign key constraint fails",))

    def _set(self, name: str, record: Record, told: Mapping[str, Any]) -> None:
        for field, value in told.items():
            column = TABLES[name].column(field)
            if field == "array_options" and isinstance(value, Mapping):
                for option, one in value.items():
                    if option in record["array_options"]:
                        record["array_options"][option] = None if one in (None, "") else str(one)
            elif field in ("socpeopleassigned", "userassigned") and isinstance(value, Mapping):
                record[field] = {str(id): {"id": str(id), "mandatory": "0", "answer_status": "0", "transparency": "0"}
                                 for id in value}  # fmt: skip
            elif column is not None:
                record[field] = _in_answers(column, value)
            elif field == "country_code":
                record |= {"country_code": value, "country_id": COUNTRIES.get(str(value))}

    # --- the sample ----------------------------------------

    def _seed(self, rows: int) -> None:
        cast = sample_people()
        contacts, leads = cast.contacts[:rows], cast.leads[: max(1, rows // 5)]
        named = {one.get("account") for one in contacts}
        for mail in dict.fromkeys(one["owner"] for one in [*cast.accounts, *contacts, *leads]):
            login = mail.partition("@")[0]
            self.put("users", login=login, lastname=login.title(), email=mail, status="1")
        companies = {
            one["account_key"]: self.put("thirdparties", name=one["name"], phone=one["phone"], url=one["website"],
                                         client="1", status="1", country_code=one["country"], ref_ext=one["account_key"])
            for one in cast.accounts if one["account_key"] in named
        }  # fmt: skip
        people = [
            self.put("contacts", firstname=one["first_name"], lastname=one["last_name"], email=one.get("email"),
                     phone_pro=one.get("phone"), phone_mobile=one.get("mobile"), country_code=one["country"], statut="1",
                     socid=companies.get(one.get("account") or ""), ref_ext=one["contact_key"],
                     array_options={"options_consent": int(bool(one.get("consent"))),
                                    "options_donotcall": int(bool(one.get("do_not_call")))})
            for one in contacts
        ]  # fmt: skip
        prospects = [
            self.put("thirdparties", name=one.get("company") or f"{one['first_name']} {one['last_name']}", client="2",
                     phone=one.get("phone") or one.get("mobile"), email=one.get("email"), country_code=one["country"],
                     status="1", ref_ext=one["lead_key"])
            for one in leads
        ]  # fmt: skip
        for kind, ids in (("contact", people[: max(1, rows // 2)]), ("customer", [*companies.values(), *prospects])):
            spring = self.put("categories", label="Spring campaign", type=str(CATEGORY_TYPES[kind]))
            self.members(spring).update(dict.fromkeys(map(int, ids)))


def _event(fields: Record, wrong: str) -> Record:
    """A new event as `ActionComm::create` makes it."""
    codes = {code: id for id, code, _, _ in EVENT_TYPES}
    code = fields.get("type_code")
    if code not in codes:
        raise Problem(500, wrong, (f"ErrorActionCommBadType {fields.get('type_id') or ''}, {code}",))
    label = str(fields.get("label") or "").strip()
    label = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
    begin = int(fields.get("datep") or time.time())
    end = fields.get("datef")
    owner = str(fields["userownerid"])
    assigned = {owner: {"id": owner}} if owner != "0" else {}
    return {
        **fields,
        "type_id": codes[code],
        "label": label,
        "datep": begin,
        "datef": None if end in (None, "") else max(begin, int(str(end))),
        "percentage": fields.get("percentage") or 0,
        "userassigned": assigned,
    }


def _cleaned(field: str, value: Any) -> Any:
    """A value after the check of the API."""
    if isinstance(value, Mapping):
        return {name: _cleaned(str(name), one) for name, one in value.items()}
    if isinstance(value, list):
        return {str(place): _cleaned(str(place), one) for place, one in enumerate(value)}
    if isinstance(value, bool):
        value = int(value)
    return (note if field in FIELDS_OF_NOTES else line)("" if value is None else str(value))


def _in_answers(column: Column, value: Any) -> Any:
    if value is None or (value == "" and column.type in ("int", "moment")):
        return None
    if column.type == "moment":
        return int(value) if str(value).lstrip("-").isdecimal() else None
    return str(value)  # as PHP reads a database: numbers too are texts


def _in_column(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "moment":
        return dt.datetime.fromtimestamp(value, ZONE)
    return int(value) if column.type == "int" else value
