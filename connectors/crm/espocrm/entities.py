"""What EspoCRM's entity types are to us: who is a person, which attributes are read, how moments are written.

Source: espocrm/espocrm, `Modules/Crm/Resources/metadata/entityDefs`; docs.espocrm.com, "Date and time values":
`YYYY-MM-DD HH:mm:ss`, in UTC always.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.espocrm.api import Api, Found
from hub.errors import ConfigError, Unsupported

CONTACT, LEAD, ACCOUNT, USER, TARGET_LIST = "Contact", "Lead", "Account", "User", "TargetList"
PEOPLE = (CONTACT, LEAD, ACCOUNT)
LINKS_OF_LIST: Mapping[str, str] = {CONTACT: "contacts", LEAD: "leads", ACCOUNT: "accounts", USER: "users"}
KEPT = dt.timedelta(hours=1)  # so long definitions of fields are remembered for writes

ALWAYS = ("id", "name", "createdAt", "modifiedAt", "assignedUserId")
READS: Mapping[str, tuple[str, ...]] = {
    CONTACT: (*ALWAYS, "firstName", "lastName", "accountId", "accountName", "doNotCall", "addressCountry"),
    LEAD: (*ALWAYS, "firstName", "lastName", "accountName", "status", "doNotCall", "addressCountry"),
    ACCOUNT: (*ALWAYS, "website", "type", "billingAddressCountry"),
    USER: ("id", "name", "userName", "firstName", "lastName"),
    "Call": (*ALWAYS, "status", "direction", "dateStart", "dateEnd", "parentType", "parentId"),
    "Case": (*ALWAYS, "number", "status", "priority", "accountId", "accountName", "contactId"),
    TARGET_LIST: ("id", "name", "createdAt", "modifiedAt"),
}


class Fields(Struct, frozen=True):
    """The fields of an entity type that the settings name, as Entity.field."""

    told: Mapping[str, tuple[str, ...]]

    def of(self, entity: str) -> tuple[str, ...]:
        """Those of one entity type."""
        return self.told.get(entity, ())


def fields_told(setting: str, told: Sequence[str]) -> Fields:
    """A setting that is a list of Entity.field."""
    found: dict[str, tuple[str, ...]] = {}
    for one in told:
        entity, _, field = one.partition(".")
        if not entity or not field:
            raise ConfigError(f'{setting}: "{one}" is no Entity.field')
        found[entity] = (*found.get(entity, ()), field)
    return Fields(found)


class Definitions:
    """The definitions of entity types, as EspoCRM's metadata has them."""

    def __init__(self, api: Api, now: Callable[[], dt.datetime]) -> None:
        self._api, self._now = api, now
        self._known: dict[str, tuple[dt.datetime, Found]] = {}

    def asked(self, entity: str) -> Found:
        """An entity type's definition as it is now. Raises Unsupported where there is none."""
        told = self.metadata(f"entityDefs.{entity}") if entity.isalnum() and entity.isascii() else None
        if not isinstance(told, dict) or not isinstance(told.get("fields"), dict):
            raise Unsupported(f"EspoCRM has no entity type {entity}")
        self._known[entity] = (self._now() + KEPT, told)
        return told

    def remembered(self, entity: str) -> Found:
        """The same, from memory where it is not old."""
        until, told = self._known.get(entity, (None, {}))
        return told if until is not None and self._now() < until else self.asked(entity)

    def metadata(self, key: str) -> Any:
        """One part of the metadata. A version before 8.2 does not know `key` and answers with everything."""
        told = self._api.get("Metadata", [("key", key)])
        if isinstance(told, dict) and "entityDefs" in told and "scopes" in told:
            for word in key.split("."):
                told = told.get(word) if isinstance(told, dict) else None
        return told

    def types(self, entity: str) -> dict[str, str]:
        """By field its type."""
        fields = self.remembered(entity)["fields"]
        return {name: str(one.get("type", "")) for name, one in fields.items() if isinstance(one, dict)}


def moment(told: Any) -> dt.datetime | None:
    """A date and time of EspoCRM's."""
    try:
        return dt.datetime.fromisoformat(str(told)).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def wire_moment(value: dt.datetime) -> str:
    """A moment as EspoCRM reads it. One without a zone is UTC."""
    at = value.astimezone(dt.UTC) if value.tzinfo else value
    return at.strftime("%Y-%m-%d %H:%M:%S")
