"""What Dolibarr's objects have, in the hub's words.

Dolibarr describes only its extra fields (`setup/extrafields`, to administrators) and its dictionaries; the fields of
its own are the same everywhere and stand here, their lengths as its tables have them.
Source: Dolibarr/dolibarr, `install/mysql/tables/llx_*.sql`, `api_setup.class.php`, `core/class/extrafields.class.php`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.dolibarr.objects import CONTACTS, EVENTS, OPTION, THIRDPARTIES, TICKETS, USERS
from hub.model import Field, FieldType


def _ro(name: str, type: FieldType = "datetime") -> Field:
    return Field(name=name, label=name, type=type, writable=False)


def _text(name: str, most: int, type: FieldType = "text", **more: Any) -> Field:
    return Field(name=name, label=name, type=type, max_length=most, **more)


def _to(name: str, *kinds: str, **more: Any) -> Field:
    return Field(name=name, label=name, type="reference", refers_to=kinds, **more)


def _any(name: str, type: FieldType, **more: Any) -> Field:
    return Field(name=name, label=name, type=type, **more)


def _key(name: str, most: int) -> Field:
    return Field(name=name, label=name, type="text", max_length=most, unique=True, fixed=True)


_ID = Field(name="id", label="id", type="integer", writable=False, unique=True)
_ADDRESS = (_text("address", 255), _text("zip", 25), _text("town", 50), _any("country_id", "integer"),
            _ro("country_code", "text"), _any("state_id", "integer"))  # fmt: skip
_NOTES = (_any("note_private", "longtext"), _any("note_public", "longtext"))
_STAMPS = (_ro("date_creation"), _ro("date_modification"))

OWN: Mapping[str, tuple[Field, ...]] = {
    CONTACTS: (
        _ID, _text("firstname", 50), _text("lastname", 50, required=True), _text("phone_pro", 30, "phone"),
        _text("phone_perso", 30, "phone"), _text("phone_mobile", 30, "phone"), _text("fax", 30, "phone"),
        _text("email", 255, "email"), _text("poste", 80), _text("civility_code", 6), _to("socid", THIRDPARTIES),
        _ro("socname", "text"), *_ADDRESS, _any("birthday", "date"), *_NOTES, _text("default_lang", 6),
        _any("no_email", "boolean"), _any("statut", "integer"), _key("ref_ext", 128), *_STAMPS,
    ),
    THIRDPARTIES: (
        _ID, _text("name", 128, required=True), _text("name_alias", 128), _text("phone", 30, "phone"),
        _text("phone_mobile", 30, "phone"), _text("fax", 30, "phone"), _text("email", 128, "email"),
        _text("url", 255, "url"),
        _any("client", "picklist", picklist=("0", "1", "2", "3")), _any("fournisseur", "picklist", picklist=("0", "1")),
        _text("code_client", 24), _text("code_fournisseur", 24), *_ADDRESS, _text("idprof1", 128), _text("idprof2", 128),
        _text("idprof3", 128), _text("tva_intra", 20), *_NOTES, _text("default_lang", 6), _any("no_email", "boolean"),
        _any("status", "integer"), _key("ref_ext", 255), *_STAMPS,
    ),
    EVENTS: (
        _ID, _any("type_code", "picklist", required=True), _text("label", 128), _any("datep", "datetime"),
        _any("datef", "datetime"), _any("percentage", "integer"), _any("fulldayevent", "boolean"), _text("location", 128),
        _any("note_private", "longtext"), _to("socid", THIRDPARTIES), _to("socpeopleassigned", CONTACTS),
        _to("userownerid", USERS), _any("fk_project", "integer"), _any("fk_element", "integer"), _text("elementtype", 255),
        _any("priority", "integer"), _any("transparency", "integer"), _text("email_msgid", 255), _text("email_from", 255),
        _text("email_to", 255), _text("email_subject", 255), _key("ref_ext", 255), _ro("datec"), _ro("datem"),
    ),
    TICKETS: (
        _ID, _ro("ref", "text"), _text("subject", 255, required=True), _any("message", "longtext", required=True),
        _any("type_code", "picklist"), _any("severity_code", "picklist"), _any("category_code", "picklist"),
        _to("fk_soc", THIRDPARTIES), _to("fk_user_assign", USERS), _any("fk_project", "integer"),
        _text("origin_email", 128, "email"), _any("status", "integer"), _any("progress", "integer"),
        _any("notify_tiers_at_create", "boolean"), _text("email_msgid", 255), _key("track_id", 128), _ro("datec"),
        _ro("date_modification"),
    ),
    USERS: (
        _ro("id", "integer"), _ro("login", "text"), _ro("firstname", "text"), _ro("lastname", "text"),
        _ro("email", "email"), _ro("office_phone", "phone"), _ro("user_mobile", "phone"), _ro("job", "text"),
        _ro("status", "integer"),
    ),
}  # fmt: skip

# Which dictionary has the codes of a picklist: (object, field) → path.
DICTIONARIES: Mapping[tuple[str, str], str] = {
    (EVENTS, "type_code"): "setup/dictionary/event_types",
    (TICKETS, "type_code"): "setup/dictionary/ticket_types",
    (TICKETS, "severity_code"): "setup/dictionary/ticket_severities",
    (TICKETS, "category_code"): "setup/dictionary/ticket_categories",
}
# The right to make and to change an object, within a user's `rights`.
RIGHTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    CONTACTS: (("societe", "contact", "creer"),),
    THIRDPARTIES: (("societe", "creer"),),
    EVENTS: (("agenda", "allactions", "create"), ("agenda", "myactions", "create")),
    TICKETS: (("ticket", "write"), ("ticket", "creer")),
}
TYPES: Mapping[str, FieldType] = {
    "varchar": "text", "text": "longtext", "html": "longtext", "int": "integer", "double": "decimal", "price": "decimal",
    "pricecy": "text", "date": "date", "datetime": "datetime", "datetimegmt": "datetime", "boolean": "boolean",
    "mail": "email", "phone": "phone", "url": "url", "ip": "text", "icon": "text", "password": "text", "link": "reference",
    "select": "picklist", "radio": "picklist", "sellist": "text", "checkbox": "text", "chkbxlst": "text",
}  # fmt: skip


def codes(told: Any) -> tuple[str, ...]:
    """The codes of a dictionary."""
    entries = told if isinstance(told, list) else []
    return tuple(dict.fromkeys(str(one["code"]) for one in entries if isinstance(one, dict) and one.get("code")))


def extras(told: Any, element: str) -> Iterator[Field]:
    """The extra fields of an object, as `setup/extrafields` has them: by element and name, every value as text."""
    of = told.get(element) if isinstance(told, dict) else None
    for name, one in of.items() if isinstance(of, dict) else ():
        kind = str(one.get("type") or "") if isinstance(one, dict) else ""
        if kind not in TYPES:
            continue  # a heading, or a type of a later version
        size = str(one.get("size") or "").partition(",")[0]
        computed = bool(one.get("computed"))
        yield Field(
            name=f"{OPTION}{name}",
            label=str(one.get("label") or name),
            type=TYPES[kind],
            max_length=int(size) if kind == "varchar" and size.isdecimal() else None,
            required=str(one.get("required")) == "1" and not computed and one.get("default") in (None, ""),
            writable=not computed,
            unique=str(one.get("unique")) == "1",
            picklist=tuple(_options(one.get("param"))) if TYPES[kind] == "picklist" else (),
        )


def named(names: Sequence[str]) -> Iterator[Field]:
    """Extra fields of which only the names are known, from the settings."""
    for name in names:
        yield Field(name=name, label=name.removeprefix(OPTION), type="text")


def may(rights: Any, name: str) -> bool | None:
    """What a user's rights say of making and changing an object; None: they do not say."""
    if name == USERS:
        return False
    if not isinstance(rights, dict) or not rights:
        return None
    return any(_at(rights, path) for path in RIGHTS[name])


def _at(rights: Any, path: Sequence[str]) -> bool:
    for word in path:
        rights = rights.get(word) if isinstance(rights, dict) else None
    return bool(rights) and str(rights) != "0"


def _options(param: Any) -> Iterator[str]:
    options = param.get("options") if isinstance(param, dict) else None
    yield from (str(one) for one in options if str(one)) if isinstance(options, dict) else ()
