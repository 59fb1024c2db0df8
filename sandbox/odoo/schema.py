"""The models of the stand-in and their fields, as `fields_get` tells them. Names and types are Odoo's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class FieldOf(Struct, frozen=True, kw_only=True):
    """One field."""

    type: str
    string: str = ""
    required: bool = False
    readonly: bool = False
    relation: str = ""
    selection: tuple[str, ...] = ()
    size: int = 0
    default: Any = None

    def shown(self, name: str) -> dict[str, Any]:
        """As the service tells it."""
        told: dict[str, Any] = {"type": self.type, "string": self.string or name.replace("_", " ").capitalize(),
                                "required": self.required, "readonly": self.readonly, "store": True, "searchable": True,
                                "sortable": True, "name": name}  # fmt: skip
        if self.relation:
            told["relation"] = self.relation
        if self.selection:
            told["selection"] = [[one, one.replace("_", " ").title()] for one in self.selection]
        if self.size:
            told["size"] = self.size
        return told


def _f(type: str, **more: Any) -> FieldOf:
    return FieldOf(type=type, **more)


_ALL: Mapping[str, FieldOf] = {
    "id": _f("integer", readonly=True),
    "display_name": _f("char", readonly=True),
    "create_date": _f("datetime", readonly=True),
    "write_date": _f("datetime", readonly=True),
}
_NUMBERS: Mapping[str, FieldOf] = {
    "phone": _f("char"),
    "phone_sanitized": _f("char", readonly=True),
    "phone_mobile_search": _f("char", readonly=True),
    "email_normalized": _f("char", readonly=True),
}
_ACTIVE: Mapping[str, FieldOf] = {"active": _f("boolean", default=True)}
SCHEMA: Mapping[str, Mapping[str, FieldOf]] = {
    "res.partner": {
        **_ALL, **_ACTIVE, **_NUMBERS,
        "name": _f("char", required=True), "mobile": _f("char"), "email": _f("char"), "ref": _f("char"), "vat": _f("char"),
        "is_company": _f("boolean", default=False), "parent_id": _f("many2one", relation="res.partner"),
        "user_id": _f("many2one", relation="res.users"), "comment": _f("html"), "city": _f("char"),
        "country_code": _f("char", readonly=True), "website": _f("char"),
        "type": _f("selection", selection=("contact", "invoice", "delivery", "other"), default="contact"),
        "x_may_be_called": _f("boolean", default=False), "x_do_not_call": _f("boolean", default=False),
    },
    "crm.lead": {
        **_ALL, **_ACTIVE, **_NUMBERS,
        "name": _f("char", required=True), "contact_name": _f("char"), "partner_name": _f("char"), "email_from": _f("char"),
        "type": _f("selection", required=True, selection=("lead", "opportunity"), default="lead"),
        "user_id": _f("many2one", relation="res.users"), "partner_id": _f("many2one", relation="res.partner"),
        "description": _f("html"), "priority": _f("selection", selection=("0", "1", "2", "3"), default="0"),
        "expected_revenue": _f("monetary"),
    },
    "mail.message": {
        **_ALL,
        "model": _f("char"), "res_id": _f("many2one_reference"), "body": _f("html"), "subject": _f("char"),
        "date": _f("datetime"), "message_type": _f("selection", required=True, default="comment",
            selection=("email", "comment", "email_outgoing", "notification", "auto_comment", "user_notification")),
        "author_id": _f("many2one", relation="res.partner"), "email_from": _f("char"),
        "partner_ids": _f("many2many", relation="res.partner"),
    },
    "mail.activity": {
        **_ALL,
        "res_model_id": _f("integer"), "res_id": _f("many2one_reference"), "summary": _f("char"), "note": _f("html"),
        "date_deadline": _f("date", required=True, default="2026-11-26"), "user_id": _f("many2one", relation="res.users"),
    },
    "mailing.contact": {
        **_ALL, "name": _f("char"), "email": _f("char"), "company_name": _f("char"),
        "email_normalized": _f("char", readonly=True),
        "country_id": _f("many2one", relation="res.country"), "list_ids": _f("many2many", relation="mailing.list"),
    },
    "mailing.list": {**_ALL, **_ACTIVE, "name": _f("char", required=True)},
    "calendar.event": {**_ALL, **_ACTIVE, "name": _f("char", required=True), "start": _f("datetime", required=True)},
    "res.users": {**_ALL, **_ACTIVE, "login": _f("char", required=True), "name": _f("char", required=True),
                  "partner_id": _f("many2one", relation="res.partner")},
    "ir.model.data": {**_ALL, "module": _f("char", required=True), "name": _f("char", required=True),
                      "model": _f("char", required=True), "res_id": _f("many2one_reference"), "noupdate": _f("boolean")},
}  # fmt: skip
# The methods that can be called, with their parameters; those of records take their ids first.
MODEL_METHODS: Mapping[str, tuple[str, ...]] = {
    "search": ("domain", "offset", "limit", "order"),
    "search_count": ("domain", "limit"),
    "search_read": ("domain", "fields", "offset", "limit", "order"),
    "name_search": ("name", "domain", "operator", "limit"),
    "fields_get": ("allfields", "attributes"),
    "default_get": ("fields",),
    "create": ("vals_list",),
    "load": ("fields", "data"),
    "context_get": (),
}
RECORD_METHODS: Mapping[str, tuple[str, ...]] = {
    "read": ("fields", "load"),
    "write": ("vals",),
    "unlink": (),
    "get_external_id": (),
}
