"""Odoo's models as the connector knows them: what is read of a record, where numbers and addresses are, what a field is.

Source: Odoo 19, `res.partner`, `crm.lead`, modules `phone_validation` (phone_sanitized, phone_mobile_search) and
`mail` (email_normalized); `fields_get`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.odoo.rpc import Rpc
from hub.errors import ConfigError, NotFound, nearest

PARTNER, LEAD, MESSAGE, USER = "res.partner", "crm.lead", "mail.message", "res.users"
# Beyond the name and the dates, which every model has.
READS: Mapping[str, tuple[str, ...]] = {
    PARTNER: ("name", "parent_id", "user_id", "is_company", "country_code"),
    LEAD: ("partner_name", "contact_name", "user_id", "partner_id", "type"),
    MESSAGE: ("model", "res_id", "date", "subject"),
    "mailing.contact": ("name", "email", "country_id", "company_name"),
}
MODELS = (PARTNER, LEAD, MESSAGE, "mail.activity", "mailing.contact", "calendar.event", USER)
ALWAYS = ("display_name", "create_date", "write_date")
ATTRIBUTES = ("string", "type", "required", "readonly", "selection", "relation", "size", "store")
Described = Mapping[str, Mapping[str, Any]]


class Model(Struct, frozen=True, kw_only=True):
    """One model: its name, and the fields that hold numbers and mail addresses as they were typed."""

    name: str
    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def all(self, more: Sequence[str] = ()) -> list[str]:
        """What is read of a record."""
        return list(dict.fromkeys((*ALWAYS, *self.reads, *self.phones, *self.mails, *more)))


class Catalogue:
    """The models that can be named, and what their fields are: asked once, and kept."""

    def __init__(self, rpc: Rpc, settings: Mapping[str, Any]) -> None:
        self._rpc = rpc
        self.names = tuple(dict.fromkeys((*MODELS, *settings["models"])))
        self._told = {
            name: self._by_model(name, settings[name]) for name in ("phone_fields", "mail_fields", "pull_fields")
        }
        self._lock = threading.Lock()
        self._fields: dict[str, Described] = {}

    def __getitem__(self, name: str) -> Model:
        """Raises NotFound with the nearest name."""
        if name not in self.names:
            raise NotFound(f"Odoo's model {name} is not one that is used{nearest(name, self.names)}; "
                           "others are named in the setting models")  # fmt: skip
        return Model(name=name, phones=self.told("phone_fields", name), mails=self.told("mail_fields", name),
                     reads=READS.get(name, ()))  # fmt: skip

    def told(self, setting: str, model: str) -> tuple[str, ...]:
        """What a setting of `model.field` says of one model."""
        return self._told[setting].get(model, ())

    def fields(self, model: str, *, anew: bool = False) -> Described:
        """The model's fields by name, as `fields_get` tells them."""
        with self._lock:
            if anew or model not in self._fields:
                told = self._rpc.ask(model, "fields_get", attributes=list(ATTRIBUTES))
                self._fields[model] = told if isinstance(told, dict) else {}
            return self._fields[model]

    def types(self, model: str) -> dict[str, str]:
        """The fields' types where they are known already; nothing is asked for it."""
        with self._lock:
            return {name: str(one.get("type")) for name, one in self._fields.get(model, {}).items()}

    def _by_model(self, setting: str, told: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for one in told:
            model, _, name = str(one).rpartition(".")
            if model not in self.names or not name:
                raise ConfigError(f'{setting}: "{one}" is no model.field{nearest(model, self.names)}')
            found[model] = (*found.get(model, ()), name)
        return found
