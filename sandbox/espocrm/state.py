"""The records of the stand-in, by entity type and id, under one lock; what EspoCRM checks before it saves."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from hub.store.sample.people import sample_people
from sandbox.espocrm.schema import DUPLICATE_CHECKED, ENTITY_DEFS, PARENTS, attributes, link_of
from sandbox.espocrm.where import folded

Record = dict[str, Any]
PROTECTED = ("id", "deleted", "createdAt", "modifiedAt", "createdById", "modifiedById", "number")


class Problem(Exception):
    """What EspoCRM refuses: the status, X-Status-Reason, and a body where it has one."""

    def __init__(self, status: int, reason: str = "", body: Any = None) -> None:
        self.status, self.reason, self.body = status, reason, body
        super().__init__(reason)


class Records:
    """Everything that is stored."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self._dice = random.Random(seed)
        self._stored: dict[str, dict[str, Record]] = {name: {} for name in ENTITY_DEFS}
        self._related: dict[tuple[str, str, str], dict[str, None]] = {}
        self._count = 0
        self.owner = self.put("User", userName="patchbay", lastName="Patchbay", emailAddress="patchbay@example.com")
        self._seed(rows)

    # --- reading ----------------------------------------

    def all(self, entity: str) -> list[Record]:
        """Every record, by ascending id, as it would be read alone."""
        with self.lock:
            return [self.shown(entity, record) for _, record in sorted(self._stored[entity].items())]

    def kept(self, entity: str) -> list[Record]:
        """Every record as it is kept."""
        return list(self._stored[entity].values())

    def one(self, entity: str, id: str) -> Record:
        """One record as it is kept. Raises Problem."""
        record = self._stored[entity].get(id)
        if record is None:
            raise Problem(404, f"Record {id} does not exist.")
        return record

    def related(self, entity: str, id: str, link: str) -> list[str]:
        """The ids of the records that are related."""
        return list(self._related.get((entity, id, link), {}))

    def shown(self, entity: str, record: Record) -> Record:
        """A record with what is computed: the names of links, the first number, related ids."""
        told = {name: record.get(name) for name in attributes(entity)}
        for name, field in ENTITY_DEFS[entity]["fields"].items():
            if field["type"] == "link":
                to = ENTITY_DEFS[entity]["links"].get(name, {}).get("entity", "")
                other = self._stored.get(to, {}).get(str(record.get(f"{name}Id")))
                told[f"{name}Name"] = other and other.get("name")
            elif field["type"] == "linkMultiple":
                told[f"{name}Ids"] = self.related(entity, record["id"], name)
            elif field["type"] in ("email", "phone"):
                data = record.get(f"{name}Data") or []
                told[name] = next((one[name] for one in data if one.get("primary")), None)
        told.pop("phoneNumberNumeric", None)
        return told

    def values(self, entity: str, record: Record, name: str) -> list[Any]:
        """All values by which `where` finds the record."""
        if name == "phoneNumberNumeric":
            return [
                "".join(c for c in one["phoneNumber"] if c.isdecimal()) for one in record.get("phoneNumberData") or ()
            ]
        if name in ("phoneNumber", "emailAddress"):
            return [one[name] for one in record.get(f"{name}Data") or ()]
        if name.endswith("Name") and name not in record:
            return [self.shown(entity, record).get(name)]
        return [record.get(name)]

    # --- writing ----------------------------------------

    def put(self, entity: str, **fields: Any) -> str:
        """Put a record there, unchecked; its id."""
        with self.lock:
            self._count += 1
            id = f"{0x64F00000 + self._count:08x}{self._dice.randrange(16**9):09x}"
            now = _now()
            record: Record = {"id": id, "createdAt": now, "modifiedAt": now}
            self._stored[entity][id] = record
            self._set(entity, record, fields)
            if "number" in ENTITY_DEFS[entity]["fields"]:
                record["number"] = self._count
            return id

    def create(self, entity: str, told: Mapping[str, Any], *, skip_check: bool) -> Record:
        """A new record. Raises Problem."""
        with self.lock:
            fields = dict(told)
            for name, field in ENTITY_DEFS[entity]["fields"].items():
                default = field.get("default")
                if default is not None and not str(default).startswith("javascript:"):
                    fields.setdefault(name, default)
            self._checked(entity, fields, new=True)
            alike = [] if skip_check else self._duplicates(entity, fields)
            if alike:
                raise Problem(409, "duplicate", alike)
            id = self.put(entity, **{name: value for name, value in fields.items() if name not in PROTECTED})
            return self.shown(entity, self._stored[entity][id])

    def update(self, entity: str, id: str, told: Mapping[str, Any]) -> Record:
        """A changed record. Raises Problem."""
        with self.lock:
            record = self.one(entity, id)
            self._checked(entity, told, new=False)
            self._set(entity, record, {name: value for name, value in told.items() if name not in PROTECTED})
            record["modifiedAt"] = _now()
            return self.shown(entity, record)

    def delete(self, entity: str, id: str) -> None:
        """Takes a record away, and its relations. Raises Problem."""
        with self.lock:
            self.one(entity, id)
            del self._stored[entity][id]
            for key, ids in list(self._related.items()):
                if key[:2] == (entity, id):
                    del self._related[key]
                elif link_of(key[0], key[2]) == entity:
                    ids.pop(id, None)

    def relate(self, entity: str, id: str, link: str, ids: Iterable[str]) -> None:
        """Relates records. Raises Problem."""
        with self.lock:
            self.one(entity, id)
            other = link_of(entity, link)
            for one in ids:
                self.one(other, str(one))
                self._related.setdefault((entity, id, link), {})[str(one)] = None

    def unrelate(self, entity: str, id: str, link: str, ids: Iterable[str]) -> None:
        """Takes relations away."""
        with self.lock:
            self.one(entity, id)
            for one in ids:
                self._related.get((entity, id, link), {}).pop(str(one), None)

    # --- what is checked ----------------------------------------

    def _checked(self, entity: str, told: Mapping[str, Any], *, new: bool) -> None:
        for name, field in ENTITY_DEFS[entity]["fields"].items():
            kind = field["type"]
            attribute = f"{name}Id" if kind in ("link", "linkParent") else name
            value = told.get(attribute)
            if field.get("required") and (new or attribute in told) and value in (None, ""):
                raise _invalid(entity, name, "required")
            if value in (None, ""):
                continue
            if kind == "enum" and value not in field["options"]:
                raise _invalid(entity, name, "valid")
            if kind == "varchar" and (not isinstance(value, str) or len(value) > field.get("maxLength", 255)):
                raise _invalid(entity, name, "maxLength")
            if field.get("pattern") == "$noBadCharacters" and set(str(value)) & set("<>="):
                raise _invalid(entity, name, "pattern")
            if field.get("after") and str(value) < str(told.get(field["after"]) or ""):
                raise _invalid(entity, name, "after")
            if kind == "datetime" and not field.get("readOnly") and not _is_moment(value):
                raise _invalid(entity, name, "valid")
            if kind == "email" and ("@" not in str(value) or len(str(value)) > 255):
                raise _invalid(entity, name, "emailAddress")
            if kind == "link" and not field.get("readOnly"):
                self._exists(ENTITY_DEFS[entity]["links"][name]["entity"], value)
            if kind == "linkParent":
                if told.get(f"{name}Type") not in PARENTS:
                    raise _invalid(entity, name, "valid")
                self._exists(str(told[f"{name}Type"]), value)
        for name in told:
            link = name.removesuffix("Ids")
            if name.endswith("Ids") and link_of(entity, link):
                if not isinstance(told[name], list):
                    raise _invalid(entity, link, "array")
                for one in told[name]:
                    self._exists(link_of(entity, link), one)

    def _exists(self, entity: str, id: Any) -> None:
        if entity in self._stored and str(id) not in self._stored[entity]:
            body = {"label": "cannotRelateNonExisting", "scope": None, "data": {"foreignEntityType": entity}}
            raise Problem(403, "Can't relate with non-existing record.", {"messageTranslation": body})

    def _duplicates(self, entity: str, fields: Mapping[str, Any]) -> list[Record]:
        """Who has the same name or address; EspoCRM's default check."""
        if entity not in DUPLICATE_CHECKED:
            return []
        name, mail = folded(_name(entity, fields)), str(fields.get("emailAddress") or "").lower()
        return [self.shown(entity, one) for one in self._stored[entity].values()
                if (name and folded(one.get("name") or "") == name)
                or (mail and mail in [str(m).lower() for m in self.values(entity, one, "emailAddress")])]  # fmt: skip

    def _set(self, entity: str, record: Record, told: Mapping[str, Any]) -> None:
        known = attributes(entity)
        for name, value in told.items():
            if name not in known:
                continue  # as EspoCRM does: an attribute that it does not know is passed over
            kind = known[name]["type"]
            if kind in ("email", "phone"):
                first = [{name: value, "primary": True, "optOut": False, "invalid": False}] if value else []
                others = [one for one in record.get(f"{name}Data") or () if not one.get("primary")]
                record[f"{name}Data"] = first + others
            elif kind == "linkMultiple":
                self._related[entity, record["id"], name.removesuffix("Ids")] = dict.fromkeys(map(str, value or ()))
            elif kind == "linkParent" or name != "name":
                record[name] = value
            else:
                record["name"] = value
        if known.get("name", {}).get("type") == "personName":
            record["name"] = _name(entity, record)

    # --- the sample ----------------------------------------

    def _seed(self, rows: int) -> None:
        cast = sample_people()
        accounts: dict[str, str] = {}
        owners: dict[str, str] = {}
        contacts, leads = cast.contacts[:rows], cast.leads[: max(1, rows // 5)]
        named = {one.get("account") for one in contacts}
        for one in [*cast.accounts, *contacts, *leads]:
            mail = one["owner"]
            if mail not in owners:
                name = mail.partition("@")[0]
                owners[mail] = self.put("User", userName=name, lastName=name.title(), emailAddress=mail)
        for one in cast.accounts:
            if one["account_key"] in named:
                accounts[one["account_key"]] = self.put(
                    "Account", name=one["name"], phoneNumber=one["phone"], billingAddressCountry=one["country"],
                    website=one["website"], assignedUserId=owners[one["owner"]])  # fmt: skip
        members = []
        for one in contacts:
            id = self.put("Contact", **_person(one), accountId=accounts.get(one.get("account") or ""),
                          assignedUserId=owners[one["owner"]], patchbayKey=one["contact_key"])  # fmt: skip
            if one.get("mobile") and one.get("phone"):
                self._stored["Contact"][id]["phoneNumberData"].append({"phoneNumber": one["phone"], "primary": False})
            members.append(id)
        spring = self.put("TargetList", name="Spring campaign")
        self.relate("TargetList", spring, "contacts", members[: max(1, rows // 2)])
        prospects = [
            self.put("Lead", **_person(one), accountName=one.get("company"), status="New",
                     assignedUserId=owners[one["owner"]], patchbayKey=one["lead_key"])
            for one in leads
        ]  # fmt: skip
        self.relate("TargetList", spring, "leads", prospects)


def _person(one: Mapping[str, Any]) -> Record:
    return {"firstName": one["first_name"], "lastName": one["last_name"], "emailAddress": one.get("email"),
            "phoneNumber": one.get("mobile") or one.get("phone"), "addressCountry": one["country"],
            "doNotCall": bool(one.get("do_not_call")), "cConsent": bool(one.get("consent"))}  # fmt: skip


def _name(entity: str, fields: Mapping[str, Any]) -> str:
    if ENTITY_DEFS[entity]["fields"]["name"]["type"] != "personName":
        return str(fields.get("name") or "")
    return " ".join(str(fields[name]) for name in ("firstName", "lastName") if fields.get(name))


def _invalid(entity: str, field: str, check: str) -> Problem:
    body = {
        "messageTranslation": {"label": "validationFailure", "scope": None, "data": {"field": field, "type": check}}
    }
    return Problem(400, f"Field validation failure; entityType: {entity}, field: {field}, type: {check}.", body)


def _is_moment(value: Any) -> bool:
    try:
        dt.datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return False
    return True


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
