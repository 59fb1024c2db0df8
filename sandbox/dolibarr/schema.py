"""The tables of the stand-in: what answers have, the columns behind it, dictionaries and extra fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Record = dict[str, Any]


class Column(Struct, frozen=True):
    """A property of answers, its column, and what the column takes."""

    field: str
    column: str = ""  # the property's own name
    type: str = "text"  # text, html, int, moment
    most: int = 0

    @property
    def name(self) -> str:
        """The column's name in filters."""
        return self.column or self.field


def _texts(**lengths: int) -> tuple[Column, ...]:
    return tuple(Column(name, most=most) for name, most in lengths.items())


def _ints(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, type="int") for name in names)


_STAMPS = (Column("date_creation", "datec", "moment"), Column("date_modification", "tms", "moment"))
_NOTES = (Column("note_private", type="html"), Column("note_public", type="html"))
_PLACE = (*_texts(address=255, zip=25, town=50), Column("country_id", "fk_pays", "int"),
          Column("state_id", "fk_departement", "int"))  # fmt: skip


class Table(Struct, frozen=True, kw_only=True):
    """One object: its endpoint, its table and what it must have."""

    name: str
    element: str
    extras: str  # the alias of the table of its extra fields
    columns: tuple[Column, ...]
    needs: tuple[str, ...]
    what: str  # as its messages call it
    id_column: str = "rowid"
    hides: tuple[str, ...] = ()
    empty_is_404: bool = False

    def column(self, field: str) -> Column | None:
        """The column of a property."""
        return next((one for one in self.columns if one.field == field), None)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            name="contacts", element="socpeople", extras="te", what="contact", needs=("lastname",),
            columns=(
                *_texts(firstname=50, lastname=50), Column("phone_pro", "phone", most=30),
                *_texts(phone_perso=30, phone_mobile=30, fax=30, email=255, poste=80), Column("civility_code", "civility",
                most=6), Column("socid", "fk_soc", "int"), *_PLACE, Column("birthday", type="moment"), *_NOTES,
                *_texts(default_lang=6), *_ints("no_email", "statut"), *_texts(ref_ext=128), *_STAMPS,
            ),
        ),
        Table(
            name="thirdparties", element="societe", extras="ef", what="thirdparty", needs=("name",), empty_is_404=True,
            columns=(
                Column("name", "nom", most=128), *_texts(name_alias=128, phone=30, fax=30, email=128, url=255),
                *_ints("client", "fournisseur"), *_texts(code_client=24, code_fournisseur=24), *_PLACE,
                Column("idprof1", "siren", most=128), *_texts(tva_intra=20), *_NOTES, *_texts(default_lang=6),
                *_ints("no_email", "status"), *_texts(ref_ext=255), *_STAMPS,
            ),
        ),
        Table(
            name="agendaevents", element="actioncomm", extras="ef", what="event", id_column="id",
            needs=("userownerid", "type_code"), hides=("ref_ext",),
            columns=(
                Column("type_code", "code", most=50), Column("type_id", "fk_action", "int"), *_texts(label=255),
                Column("datep", type="moment"), Column("datef", "datep2", "moment"), Column("percentage", "percent", "int"),
                *_ints("fulldayevent"), *_texts(location=128), Column("note_private", "note", "html"),
                Column("socid", "fk_soc", "int"), Column("userownerid", "fk_user_action", "int"),
                *_ints("fk_project", "fk_element"), *_texts(elementtype=255), *_ints("priority", "transparency"),
                *_texts(email_msgid=255, email_from=255, email_to=255, email_subject=255, ref_ext=255),
                Column("datec", type="moment"), Column("datem", "tms", "moment"),
            ),
        ),
        Table(
            name="tickets", element="ticket", extras="ef", what="ticket", needs=("subject", "message"),
            columns=(
                *_texts(ref=128, track_id=128, subject=255), Column("message"),
                *_texts(type_code=32, severity_code=32, category_code=32), *_ints("fk_soc", "fk_user_assign", "fk_project"),
                *_texts(origin_email=128), Column("status", "fk_statut", "int"), *_ints("progress",
                "notify_tiers_at_create"), *_texts(email_msgid=255), Column("datec", type="moment"),
                Column("date_modification", "tms", "moment"),
            ),
        ),
        Table(
            name="users", element="user", extras="ef", what="user", needs=("login",),
            columns=(
                *_texts(login=50, firstname=50, lastname=50, email=255, office_phone=20, user_mobile=20, job=128),
                Column("status", "statut", "int"), *_STAMPS,
            ),
        ),
        Table(
            name="categories", element="categorie", extras="ef", what="category", needs=("label", "type"),
            columns=(*_texts(label=180), Column("type", type="int"), Column("description", type="html"), *_ints("fk_parent"),
                     *_STAMPS),
        ),
    )
}  # fmt: skip
CATEGORY_TYPES: Mapping[str, int] = {"product": 0, "supplier": 1, "customer": 2, "member": 3, "contact": 4}
CATEGORY_OF = {"contacts": "contact", "thirdparties": "customer"}

EVENT_TYPES = (("1", "AC_TEL", "system", "Phone call"), ("2", "AC_FAX", "system", "Send Fax"),
               ("4", "AC_EMAIL", "system", "Send Email"), ("5", "AC_RDV", "system", "Rendez-vous"),
               ("6", "AC_EMAIL_IN", "system", "Reception Email"), ("40", "AC_OTH_AUTO", "systemauto", "Other (auto)"),
               ("50", "AC_OTH", "system", "Other (manual)"))  # fmt: skip
TICKET_CODES: Mapping[str, tuple[str, ...]] = {
    "ticket_types": ("COM", "HELP", "ISSUE", "PROBLEM", "REQUEST", "OTHER"),
    "ticket_severities": ("LOW", "NORMAL", "HIGH", "BLOCKING"),
    "ticket_categories": ("OTHER",),
}
PICKLISTS: Mapping[tuple[str, str], frozenset[str]] = {
    ("tickets", "type_code"): frozenset(TICKET_CODES["ticket_types"]),
    ("tickets", "severity_code"): frozenset(TICKET_CODES["ticket_severities"]),
    ("tickets", "category_code"): frozenset(TICKET_CODES["ticket_categories"]),
}


def _extra(id: str, element: str, label: str, type: str, size: str = "", **more: Any) -> Record:
    return {
        "id": id, "type": type, "label": label, "size": size, "elementtype": element, "default": None, "computed": None,
        "unique": "0", "required": "0", "param": {"options": {"": None}}, "pos": "100", "alwayseditable": "1",
        "perms": None, "list": "1", "printable": "0", "totalizable": "0", "langs": None, "help": None, "css": None,
        "cssview": None, "csslist": None, "fk_user_author": "1", "fk_user_modif": "1", "datec": "2026-01-28 13:49:51",
        "tms": "2026-01-28 13:49:51", **more,
    }  # fmt: skip


EXTRA_FIELDS: Mapping[str, Mapping[str, Record]] = {
    "socpeople": {
        "consent": _extra("1", "socpeople", "May be called", "boolean"),
        "donotcall": _extra("2", "socpeople", "Do not call", "boolean"),
    },
    "societe": {"tier": _extra("3", "societe", "Tier", "select", param={"options": {"A": "Gold", "B": "Silver"}})},
    "actioncomm": {
        "patchbaykey": _extra("4", "actioncomm", "Patchbay key", "varchar", "128", unique="1"),
        "seconds": _extra("5", "actioncomm", "Seconds", "int", "10"),
    },
    "ticket": {},
    "user": {},
}
RIGHTS: Record = {
    "societe": {"lire": 1, "creer": 1, "supprimer": 1, "client": {"voir": 1},
                "contact": {"lire": 1, "creer": 1, "supprimer": 1}},
    "agenda": {"myactions": {"read": 1, "create": 1, "delete": 1}, "allactions": {"read": 1, "create": 1, "delete": 1}},
    "ticket": {"read": 1, "write": 1, "delete": 1},
    "categorie": {"lire": 1},
    "user": {"self": {"creer": 1}},
}  # fmt: skip
