"""The database: records by model, made, changed and deleted under one lock; external ids; `load()` as one transaction."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import phonenumbers

from hub.store.sample.people import sample_people
from sandbox.odoo.domain import Wrong, predicate
from sandbox.odoo.schema import SCHEMA, FieldOf

LOGIN, COUNTRY = "patchbay@acme.example", "ES"
MOMENT = "%Y-%m-%d %H:%M:%S"
_LONG_ENOUGH = 3  # letters that a search by number needs
Record = dict[str, Any]


class Problem(Exception):
    """What Odoo refuses: the exception's name there, its words, and the status that JSON-2 gives it."""

    def __init__(self, name: str, message: str, status: int = 422, field: str = "") -> None:
        self.name, self.message, self.status, self.field = name, message, status, field
        super().__init__(message)


def value_error(words: str) -> Problem:
    """A wrong argument or field: JSON-2 answers 500 where the model itself stumbles."""
    return Problem("builtins.ValueError", words, 500)


class Database:
    """Everything that is stored."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self.stored: dict[str, dict[int, Record]] = {name: {} for name in SCHEMA}
        self._next = dict.fromkeys(SCHEMA, 0)
        self._seed(rows, seed)

    # --- reading ----------------------------------------

    def fields(self, model: str) -> Mapping[str, FieldOf]:
        """A model's fields. Raises Problem."""
        if model not in SCHEMA:
            raise Problem("werkzeug.exceptions.NotFound", f"the model {model[:80]!r} does not exist", 404)
        return SCHEMA[model]

    def search(self, model: str, domain: Any, context: Mapping[str, Any]) -> list[Record]:
        """What the domain fits, by ascending id; archived records only where the context or the domain says so."""
        fields = self.fields(model)
        named = {str(item[0]) for item in domain or [] if isinstance(item, list) and len(item) == 3}
        for name in named:
            if name.partition(".")[0] not in fields:
                raise value_error(f"Invalid field {model}.{name} in condition")
        try:
            fits = predicate(domain or [], lambda record, path: self._at(model, record, path))
        except Wrong as wrong:
            raise value_error(str(wrong)) from None
        hides = "active" in fields and "active" not in named and context.get("active_test", True)
        with self.lock:
            return [record for _, record in sorted(self.stored[model].items())
                    if not (hides and not record["active"]) and fits(record)]  # fmt: skip

    def shown(self, model: str, record: Record, names: Iterable[str] | None, load: str = "_classic_read") -> Record:
        """A record as `read` gives it: `false` for nothing, a reference as id and name (or, told so, as its id)."""
        fields = self.fields(model)
        told: Record = {"id": record["id"]}
        for name in names if names else fields:
            if name not in fields:
                raise value_error(f"Invalid field {name!r} on {model!r}")
            value = record.get(name)
            if name == "phone_mobile_search":
                value = None
            if fields[name].type == "many2one" and value and load == "_classic_read":
                other = self.stored.get(fields[name].relation, {}).get(value, {})
                value = [value, other.get("display_name", "")]
            told[name] = False if value is None else value
        return told

    def records(self, model: str, ids: Sequence[Any]) -> list[Record]:
        """The records with these ids. Raises Problem."""
        with self.lock:
            stored = self.stored[model] if model in SCHEMA else {}
            self.fields(model)
            if any(id not in stored for id in ids):
                raise Problem("odoo.exceptions.MissingError", "Record does not exist or has been deleted.", 404)
            return [stored[id] for id in ids]

    def _at(self, model: str, record: Record, path: str) -> list[Any]:
        name, _, rest = path.partition(".")
        if name == "phone_mobile_search":
            typed = [str(record.get(one) or "") for one in ("phone", "mobile")]
            return [re.sub(r"[^\d+]", "", one) for one in typed if len(one) >= _LONG_ENOUGH]
        field = SCHEMA[model].get(name)
        value = record.get(name)
        found = value if isinstance(value, list) else [value]
        if not rest or field is None:
            return found or [None]
        others = self.stored.get(field.relation, {})
        return [one for id in found if id in others for one in self._at(field.relation, others[id], rest)]

    # --- writing ----------------------------------------

    def create(self, model: str, values: Mapping[str, Any]) -> Record:
        """A new record. Raises Problem."""
        with self.lock:
            fields = self.fields(model)
            defaults = {name: one.default for name, one in fields.items() if one.default is not None}
            kept = self._checked(model, {**defaults, **values})
            for name, one in fields.items():
                if one.required and kept.get(name) in (None, "", False):
                    label = one.string or name.replace("_", " ").capitalize()
                    words = f"Missing required value for the field '{label}' ({name})"
                    raise Problem("odoo.exceptions.ValidationError", words, field=name)
            self._next[model] += 1
            at = _now()
            record: Record = {"id": self._next[model], "create_date": at}
            self.stored[model][record["id"]] = record
            self._put(model, record, kept, at)
            return record

    def write(self, model: str, record: Record, values: Mapping[str, Any]) -> None:
        """A record with other values. Raises Problem."""
        with self.lock:
            self._put(model, record, self._checked(model, values), _now())

    def unlink(self, model: str, ids: Sequence[int]) -> None:
        """Deletes, with the external ids."""
        with self.lock:
            for record in self.records(model, ids):
                del self.stored[model][record["id"]]
            data = self.stored["ir.model.data"]
            for id in [one["id"] for one in data.values() if one["model"] == model and one["res_id"] in ids]:
                del data[id]

    def load(self, model: str, names: Sequence[str], data: Sequence[Sequence[str]]) -> dict[str, Any]:
        """All rows or none: the records' ids, or messages that name the rows that are wrong."""
        fields = self.fields(model)
        for name in names:
            if name not in ("id", ".id") and name.partition("/")[0] not in fields:
                words = f"The field {name!r} does not exist on {model}"
                return {
                    "ids": False,
                    "messages": [_message(place, words, name) for place in range(len(data))],
                    "nextrow": 0,
                }
        with self.lock:
            kept = {name: {id: dict(one) for id, one in made.items()} for name, made in self.stored.items()}
            ids: list[int] = []
            messages = []
            for place, row in enumerate(data):
                try:
                    ids.append(self._imported(model, dict(zip(names, row, strict=True))))
                except Problem as problem:
                    messages.append(_message(place, problem.message, problem.field))
            if messages:
                self.stored = kept
                return {"ids": False, "messages": messages, "nextrow": 0}
            return {"ids": ids, "messages": [], "nextrow": 0}

    def _imported(self, model: str, row: Mapping[str, str]) -> int:
        values = {name.partition("/")[0]: self._cell(model, name, cell) for name, cell in row.items()
                  if name not in ("id", ".id")}  # fmt: skip
        external, number = row.get("id", ""), row.get(".id", "")
        known: Record | None = None
        if number:
            known = self.stored[model].get(int(number) if number.isdecimal() else 0)
            if known is None:
                raise Problem("odoo.exceptions.ValidationError", f"Unknown database identifier '{number}'", field=".id")
        module, _, name = external.partition(".")
        if external:
            data = [
                one for one in self.stored["ir.model.data"].values() if (one["module"], one["name"]) == (module, name)
            ]
            known = self.stored[model].get(data[0]["res_id"]) if data else None
        if known is not None:
            self.write(model, known, values)
            return int(known["id"])
        record = self.create(model, values)
        if external:
            self.create("ir.model.data", {"module": module, "name": name, "model": model, "res_id": record["id"]})
        return int(record["id"])

    def _cell(self, model: str, name: str, cell: str) -> Any:
        """A cell of an import as the field's value; empty empties it."""
        plain, _, way = name.partition("/")
        field = SCHEMA[model][plain]
        label = field.string or plain
        if not isinstance(cell, str):
            raise value_error("a cell of load() is a text")
        if cell == "":
            return False
        if field.type in ("many2one", "many2many"):
            ids = [int(one) if one.isdecimal() else 0 for one in cell.split(",")]
            known = self.stored.get(field.relation, {})
            if way != ".id" or any(id not in known for id in ids):
                words = f"No matching record found for database id '{cell}' in field '{label}'"
                raise Problem("odoo.exceptions.ValidationError", words, field=plain)
            return ids if field.type == "many2many" else ids[0]
        if field.type == "boolean":
            return cell.lower() not in ("0", "false", "no")
        if field.type in ("integer", "many2one_reference", "float", "monetary"):
            whole = field.type in ("integer", "many2one_reference")
            if not re.fullmatch(r"-?\d+" if whole else r"-?\d+(\.\d+)?", cell):
                words = f"'{cell[:40]}' does not seem to be a number for field '{label}'"
                raise Problem("odoo.exceptions.ValidationError", words, field=plain)
            return int(cell) if whole else float(cell)
        return cell

    def _checked(self, model: str, values: Mapping[str, Any]) -> Record:
        fields = self.fields(model)
        kept: Record = {}
        for name, value in values.items():
            field = fields.get(name)
            if field is None:
                raise value_error(f"Invalid field {name!r} on {model!r}")
            if value in (None, False) and field.type != "boolean":
                kept[name] = None
                continue
            if isinstance(value, str) and "\0" in value:
                raise value_error("A string literal cannot contain NUL (0x00) characters.")
            wrong = ""
            if field.type == "selection" and value not in field.selection:
                wrong = f"Value '{str(value)[:40]}' not found in selection field '{field.string or name}'"
            elif field.type == "datetime" and not _reads(str(value), MOMENT):
                wrong = f"'{str(value)[:40]}' does not seem to be a valid datetime for field '{field.string or name}'"
            elif field.type == "date" and not _reads(str(value), "%Y-%m-%d"):
                wrong = f"'{str(value)[:40]}' does not seem to be a valid date for field '{field.string or name}'"
            if wrong:
                raise Problem("odoo.exceptions.ValidationError", wrong, field=name)
            kept[name] = value
        return kept

    def _put(self, model: str, record: Record, values: Mapping[str, Any], at: str) -> None:
        record.update(values)
        record["write_date"] = at
        name = record.get("name") or record.get("subject") or f"{model},{record['id']}"
        parent = self.stored["res.partner"].get(record.get("parent_id") or 0) if model == "res.partner" else None
        record["display_name"] = f"{parent['name']}, {name}" if parent else name
        if "phone_sanitized" in SCHEMA[model]:
            record["phone_sanitized"] = next(
                filter(None, map(_e164, (record.get("mobile"), record.get("phone")))), None
            )
        if "email_normalized" in SCHEMA[model]:
            mail = str(record.get("email") or record.get("email_from") or "").strip().lower()
            record["email_normalized"] = mail if "@" in mail else None

    # --- the sample ----------------------------------------

    def _seed(self, rows: int, seed: int) -> None:
        made = sample_people(seed) if seed != 1 else sample_people()
        users: dict[str, int] = {}
        self.create("res.users", {"login": LOGIN, "name": "Patchbay"})

        def user(mail: str | None) -> int | None:
            if mail and mail not in users:
                users[mail] = self.create("res.users", {"login": mail, "name": mail.partition("@")[0].title()})["id"]
            return users.get(mail or "")

        companies: dict[str, int] = {}
        for row in made.accounts[: max(1, rows // 5)]:
            values = {"name": row["name"], "is_company": True, "phone": row.get("phone"), "website": row.get("website"),
                      "user_id": user(row.get("owner"))}  # fmt: skip
            companies[row["account_key"]] = self.create("res.partner", values)["id"]
        for row in made.contacts[:rows]:
            record = self.create("res.partner", {
                "name": f"{row['first_name']} {row['last_name']}", "email": row.get("email"), "phone": row.get("phone"),
                "mobile": row.get("mobile"), "parent_id": companies.get(row.get("account") or ""),
                "user_id": user(row.get("owner")), "x_may_be_called": bool(row.get("consent")),
                "x_do_not_call": bool(row.get("do_not_call"))})  # fmt: skip
            record["country_code"] = row["country"]
        for row in made.leads[: max(1, rows // 5)]:
            name = f"{row['first_name']} {row['last_name']}"
            values = {"name": row.get("company") or name, "contact_name": name, "email_from": row.get("email"),
                      "phone": row.get("mobile") or row.get("phone")}  # fmt: skip
            self.create("crm.lead", values)
        self.create("mailing.list", {"name": "Newsletter"})


def _message(place: int, words: str, field: str) -> dict[str, Any]:
    return {
        "type": "error",
        "message": words,
        "record": place,
        "rows": {"from": place, "to": place},
        "field": field or False,
    }


def _reads(text: str, pattern: str) -> bool:
    try:
        dt.datetime.strptime(text, pattern)
    except ValueError:
        return False
    return True


def _e164(typed: Any) -> str | None:
    try:
        number = phonenumbers.parse(str(typed or ""), COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime(MOMENT)
