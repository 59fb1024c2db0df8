"""Business services: native upserts by an integration object's user key, and the values of lists.

Source: Oracle, Siebel REST API Guide, "Upserting an Account Using a Siebel Account Business Service" (`body`,
`SiebelMessage`, `ListOf<integration object>`); Siebel Enterprise Application Integration, "Upsert Method" (applied to each
root component in turn), "About the EAI Siebel Adapter" (a message is one transaction), "Status Keys" (`StatusObject`, a
field `Operation` that says what was done). How a status object looks in JSON is unverified: what it does not tell is looked
up. Lists of values: Siebel Web UI Dynamic Developer Kit Guide, "About the LOV Service" (List Query, List Result); their JSON
as siebelapp.js of blacksheep IT consulting, which runs against Siebel's REST API, sends and reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.siebel.components import Catalogue
from connectors.crm.siebel.errors import Refusal
from connectors.crm.siebel.rest import Item, Rest
from hub.errors import ConfigError

ListValues = tuple[tuple[str, ...], tuple[str, ...]]  # those that a list takes, and those that are inactive
SHAPE = "Object.Field=Service/Method/Integration Object/Integration Component"


class Service(Struct, frozen=True, kw_only=True):
    """A method of a business service, and the integration object that it takes."""

    service: str
    method: str
    object: str
    component: str

    @property
    def listed(self) -> str:
        """The element that holds the components."""
        return f"ListOf{self.object}"


def services(told: Sequence[str], catalogue: Catalogue) -> dict[tuple[str, str], Service]:
    """The setting `upsert_by`, by component and key field."""
    found: dict[tuple[str, str], Service] = {}
    for one in told:
        left, _, right = one.partition("=")
        name, _, key = left.partition(".")
        parts = [part.strip() for part in right.split("/")]
        if name not in catalogue.components or not key or len(parts) != 4 or not all(parts):
            raise ConfigError(f'upsert_by: "{one}" is no {SHAPE}')
        service, method, object, component = parts
        found[name, key] = Service(service=service, method=method, object=object, component=component)
    return found


def upserted(rest: Rest, service: Service, records: Sequence[Item]) -> list[Item] | Refusal:
    """All records in one transaction: what the status object tells of them, perhaps nothing; or why nothing was done."""
    message = {
        "MessageId": "",
        "MessageType": "Integration Object",
        "IntObjectName": service.object,
        "IntObjectFormat": "Siebel Hierarchical",
        service.listed: {service.component: list(records)},
    }
    answer = rest.served(
        service.service, service.method, {"SiebelMessage": message, "StatusObject": "true"}, changes=True
    )
    return answer if isinstance(answer, Refusal) else _told(answer, service)


def _told(answer: Any, service: Service) -> list[Item]:
    """The components that an answer tells of."""
    message = answer.get("SiebelMessage") if isinstance(answer, Mapping) else None
    listed = message.get(service.listed) if isinstance(message, Mapping) else None
    found = listed.get(service.component) if isinstance(listed, Mapping) else None
    return _several(found)


def lists_of_values(rest: Rest, service: str, types: Sequence[str], language: str) -> dict[str, ListValues]:
    """By their types the lists of values, in one call; none where our user may not call the service."""
    name, _, method = service.partition("/")
    wanted = [{"Type": type, **({"Language Code": language} if language else {})} for type in types]
    message = {
        "MessageId": "",
        "MessageType": "Integration Object",
        "IntObjectName": "List Query",
        "IntObjectFormat": "Siebel Hierarchical",
        "ListOfList Query": {"List": wanted},
    }
    answer = rest.served(name, method, {"ListsTopElementQuery": message}, changes=False)
    told = answer.get("ListsTopElementResult") if isinstance(answer, Mapping) else None
    if isinstance(told, Mapping) and "List" not in told:
        told = next((one for one in told.values() if isinstance(one, Mapping)), None)  # below a ListOf… of its own
    found: dict[str, ListValues] = {}
    for one in _several(told.get("List") if isinstance(told, Mapping) else None):
        taken, retired = dict[str, None](), dict[str, None]()
        for value in _several(one.get("List Value")):
            if text := value.get("Display Value") or value.get("Value"):
                (retired if value.get("Active") == "N" else taken)[str(text)] = None
        found[str(one.get("Type"))] = tuple(taken), tuple(text for text in retired if text not in taken)
    return found


def _several(told: Any) -> list[Item]:
    """Siebel writes one element as itself, and several as a list."""
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]
