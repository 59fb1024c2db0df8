"""What the service says of its collections: asked at every `describe`, kept for what a write needs to know in between."""

from __future__ import annotations

from typing import Any

from connectors.crm.sap_c4c.edm import Collection, Property, collections, field
from connectors.crm.sap_c4c.objects import Objects
from connectors.crm.sap_c4c.odata import Service
from connectors.crm.sap_c4c.refusals import WHO
from hub.errors import NotFound
from hub.model import Description, Field

METADATA = "$metadata"


class Catalog:
    """The collections of one service."""

    def __init__(self, service: Service, objects: Objects, filtered: bool) -> None:
        self._service, self._objects, self._filtered = service, objects, filtered
        self._kept: dict[str, Collection] = {}

    def collection(self, object: str) -> Collection:
        """What is known of a collection; asked for once."""
        return self._kept.get(object) or self._asked(object)

    def description(self, object: str) -> Description:
        """The collection in the hub's words: one call for the metadata, one batch for its code lists."""
        told = self._asked(object)
        listed = [p for p in told.properties.values() if p.codes and not p.contextual and (p.creatable or p.updatable)]
        answers = self._service.lists([(p.codes, {}) for p in listed]) if listed else []
        codes = {p.name: _codes(rows) for p, rows in zip(listed, answers, strict=True)}
        # A key that cannot be searched is none.
        unique = {"ObjectID", self._objects.own_id(object), *self._objects.keys.get(object, ())}
        fields = [
            field(p, unique=p.name in unique and p.filterable, codes=codes.get(p.name, ()))
            for p in told.properties.values()
        ]
        return Description(
            object=object,
            label=told.label,
            fields=(*fields, *self._parts(told)),
            creatable=told.creatable,
            changeable=told.updatable,
        )

    def _parts(self, told: Collection) -> list[Field]:
        """The fields that are kept in parts of a record, where the service has these parts."""
        found = []
        for child in self._objects.children.get(told.name, {}).values():
            if child.name in told.properties or child.path not in told.children:
                continue
            inner = self._kept.get(told.children[child.path])
            held = (inner.properties if inner else {}).get(child.field) or Property(name=child.field, type="Edm.String")
            one = field(held, unique=False, codes=())
            found.append(Field(name=child.name, label=child.name, type=one.type, max_length=one.max_length))
        return found

    def _asked(self, object: str) -> Collection:
        self._objects.known(object)
        query = {"sap-label": "true"}
        if self._filtered:  # the whole document of c4codataapi has many megabytes
            kinds = [object, *(child.path for child in self._objects.children.get(object, {}).values())]
            query["$filter"] = ",".join(dict.fromkeys(kind.removesuffix("Collection") for kind in kinds))
        self._kept.update(collections(self._service.text(METADATA, query)))
        if object not in self._kept:
            raise NotFound(f"{WHO} has no collection {object} in this service")
        return self._kept[object]


def _codes(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row["Code"]) for row in rows if row.get("Code")))
