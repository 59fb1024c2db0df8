"""What Dolibarr's objects are to us: their endpoints, the columns behind their properties, keys, pages.

An answer has properties (`phone_pro`), a filter asks for columns of the database (`t.phone`), and the two often differ.
Fields of the administrator's ("extra fields") are told as `options_<name>` here; on the wire they stand in
`array_options`, and in filters under an alias that differs by endpoint.
Source: Dolibarr/dolibarr, `htdocs/*/class/api_*.class.php` and the `fetch` of contact.class.php, societe.class.php,
actioncomm.class.php, ticket.class.php, user.class.php; `htdocs/install/mysql/tables`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hub.errors import ConfigError, Rejected, Unsupported, nearest

CONTACTS, THIRDPARTIES, EVENTS, TICKETS, USERS = "contacts", "thirdparties", "agendaevents", "tickets", "users"
PEOPLE = (CONTACTS, THIRDPARTIES)
OPTION = "options_"
PEOPLE_OF_EVENT = "socpeopleassigned"
MOMENTS = frozenset(
    ["datep", "datef", "datec", "datem", "date_creation", "date_modification", "date_read", "date_close"]
)
DATES = frozenset(["birthday", "date_birth"])
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

Found = dict[str, Any]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of object."""

    name: str  # the endpoint
    label: str
    element: str  # its name in setup/extrafields
    extras: str = "ef"  # under what name filters see its extra fields
    columns: Mapping[str, str] = {}  # property → column, where they differ
    key: str = ""  # the property that a look-up by key means
    key_shown: bool = True  # whether answers show it
    key_public: bool = False  # customers see it, so it is made unguessable
    reads: tuple[str, ...]  # what a look-up and a pull read
    links: tuple[str, str, str] = ("", "", "")  # the pages of a record, of a list, of a new record
    category: str = ""  # what its categories are called

    @property
    def id_column(self) -> str:
        """The column of the record's id."""
        return f"t.{self.columns.get('id', 'rowid')}"

    def shows(self, property: str) -> bool:
        """Whether answers show a property that keys are kept in."""
        return self.key_shown or property != self.key

    def column(self, property: str) -> str:
        """The column that a filter names for a property. Raises Rejected."""
        if property == "id":
            return self.id_column
        if not WORD.fullmatch(property):
            raise Rejected(f"{self.name} have no such field", {"where": "no name of a field"})
        if property.startswith(OPTION):
            return f"{self.extras}.{property.removeprefix(OPTION)}"
        return f"t.{self.columns.get(property, property)}"


_PERSON = ("id", "ref_ext", "email", "address", "zip", "town", "country_code", "date_creation", "date_modification",
           "array_options")  # fmt: skip
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name=CONTACTS, label="Contact", element="socpeople", extras="te", key="ref_ext",
            columns={"phone_pro": "phone", "socid": "fk_soc", "country_id": "fk_pays", "state_id": "fk_departement",
                     "civility_code": "civility", "date_creation": "datec", "date_modification": "tms"},
            reads=(*_PERSON, "firstname", "lastname", "socid", "socname", "poste", "phone_pro", "phone_perso",
                   "phone_mobile", "statut", "no_email"),
            links=("/contact/card.php?id={id}", "/contact/list.php?{words}", "/contact/card.php?action=create{fields}"),
            category="contact",
        ),
        Kind(
            name=THIRDPARTIES, label="Third party", element="societe", key="ref_ext",
            columns={"name": "nom", "country_id": "fk_pays", "state_id": "fk_departement", "date_creation": "datec",
                     "date_modification": "tms", "idprof1": "siren", "idprof2": "siret", "idprof3": "ape"},
            reads=(*_PERSON, "name", "name_alias", "phone", "phone_mobile", "client", "fournisseur", "code_client",
                   "status", "no_email"),
            links=("/societe/card.php?socid={id}", "/societe/list.php?{words}",
                   "/societe/card.php?action=create{fields}"),
            category="customer",
        ),
        Kind(
            name=EVENTS, label="Event", element="actioncomm", key="ref_ext", key_shown=False,
            columns={"id": "id", "socid": "fk_soc", "contact_id": "fk_contact", "userownerid": "fk_user_action",
                     "datef": "datep2", "note_private": "note", "percentage": "percent", "type_code": "code",
                     "type_id": "fk_action", "datem": "tms"},
            reads=("id", "type_code", "label", "datep", "datef", "percentage", "socid", "userownerid", "datec", "datem",
                   "array_options"),
            links=("/comm/action/card.php?id={id}", "/comm/action/list.php?{words}",
                   "/comm/action/card.php?action=create{fields}"),
        ),
        Kind(
            name=TICKETS, label="Ticket", element="ticket", key="track_id", key_public=True,
            columns={"status": "fk_statut", "date_modification": "tms", "socid": "fk_soc"},
            reads=("id", "ref", "track_id", "subject", "fk_soc", "type_code", "severity_code", "category_code", "status",
                   "fk_user_assign", "datec", "date_modification", "array_options"),
            links=("/ticket/card.php?id={id}", "/ticket/list.php?{words}", "/ticket/card.php?action=create{fields}"),
        ),
        Kind(
            name=USERS, label="User", element="user", key="login",
            columns={"date_creation": "datec", "date_modification": "tms", "status": "statut"},
            reads=("id", "login", "firstname", "lastname", "email", "office_phone", "user_mobile", "job", "status",
                   "array_options"),
            links=("/user/card.php?id={id}", "/user/list.php?{words}", "/user/card.php?action=create{fields}"),
        ),
    )
}  # fmt: skip


def kind_of(name: str) -> Kind:
    """The kind of object that has this name. Raises Unsupported."""
    kind = KINDS.get(name)
    if kind is None:
        raise Unsupported(f"this connection has no object {name}{nearest(name, KINDS)}")
    return kind


class Fields(Struct, frozen=True):
    """The fields of an object that the settings name, as object.field."""

    told: Mapping[str, tuple[str, ...]]

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Those of one kind."""
        return self.told.get(kind.name, ())


def fields_told(setting: str, told: Sequence[str]) -> Fields:
    """A setting that is a list of object.field."""
    found: dict[str, tuple[str, ...]] = {}
    for one in told:
        name, _, field = one.partition(".")
        if name not in KINDS:
            raise ConfigError(f'{setting}: "{one}": there is no object {name}{nearest(name, KINDS)}')
        if not WORD.fullmatch(field):
            raise ConfigError(f'{setting}: "{one}" is no object.field')
        found[name] = (*found.get(name, ()), field)
    return Fields(found)


def flat(item: Found) -> Found:
    """A record with its extra fields beside the others, its id as text, moments and the contacts of an event as mappings
    have them. PHP writes no extra fields as a list."""
    extras = item.get("array_options")
    more = {str(name): value for name, value in extras.items()} if isinstance(extras, dict) else {}
    rest = {name: _read(name, value) for name, value in item.items() if name != "array_options"}
    return {**rest, **more, "id": str(item.get("id") or item.get("rowid") or "")}


def _read(name: str, value: Any) -> Any:
    if name in MOMENTS and (at := moment(value)) is not None:
        return at.isoformat()
    if name in DATES and (at := moment(value)) is not None:
        return (at + dt.timedelta(hours=12)).date().isoformat()  # it is midnight there, wherever that is
    if name == PEOPLE_OF_EVENT and isinstance(value, dict | list):
        ids = [str(id) for id in value]
        return ids[0] if len(ids) == 1 else ids
    return value


def title_of(kind: Kind, item: Found) -> str:
    """What a person would call it."""
    names = {THIRDPARTIES: ("name",), EVENTS: ("label",), TICKETS: ("subject",)}.get(
        kind.name, ("firstname", "lastname")
    )
    return " ".join(str(item[name]).strip() for name in names if item.get(name)) or str(item["id"])


def moment(told: Any) -> dt.datetime | None:
    """A date and time as answers have it (seconds since 1970), or as `flat` has made it."""
    try:
        if isinstance(told, str) and not told.lstrip("-").isdecimal():
            return dt.datetime.fromisoformat(told)
        return None if told is None or isinstance(told, bool) else dt.datetime.fromtimestamp(int(told), dt.UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
