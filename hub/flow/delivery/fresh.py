"""People that a delivery has just created: remembered, so that a screen pop finds them before the CRM's index does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.connections import Connection
from hub.errors import ConnectorError
from hub.flow.delivery.calls import called
from hub.flow.delivery.consignment import Parcel
from hub.model import Description, FieldType, Receipt
from hub.phone import e164
from hub.store.fresh import Fresh


class FreshPeople:
    """Sees who was created in one connection. What an object's fields are is asked once."""

    def __init__(self, connection: Connection, country: str) -> None:
        self._connection, self._country = connection, country
        self._types: dict[str, dict[str, FieldType]] = {}

    def among(self, parcels: Iterable[Parcel]) -> list[Fresh]:
        """The people created by these."""
        people = self._connection.manifest.people
        return [
            fresh
            for parcel in parcels
            if isinstance(receipt := parcel.fate, Receipt)
            and receipt.outcome == "created"
            and parcel.mapping.target.write in people
            and receipt.id
            and (fresh := self._fresh(parcel, receipt)) is not None
        ]

    def _fresh(self, parcel: Parcel, receipt: Receipt) -> Fresh | None:
        object = parcel.mapping.target.write
        types = self._types_of(object)
        country = parcel.mapping.target.country or self._country
        phone = email = None
        for name, value in parcel.fields.items():
            kind = types.get(name)
            if phone is None and (kind == "phone" or (kind is None and str(value).startswith("+"))):
                phone = e164(str(value), country)
            elif email is None and (kind == "email" or (kind is None and _like_email(value))):
                email = str(value).strip().lower()
        if phone is None and email is None:
            return None
        names = [
            str(value) for name, value in parcel.fields.items() if "name" in name.lower() and isinstance(value, str)
        ]
        return Fresh(
            connection=self._connection.name,
            object=object,
            record_id=receipt.id,
            phone=phone,
            email=email,
            title=" ".join(names) or email or phone or receipt.id,
            url=receipt.url,
        )

    def _types_of(self, object: str) -> dict[str, FieldType]:
        if object not in self._types:
            self._types[object] = self._described(object)
        return self._types[object]

    def _described(self, object: str) -> dict[str, FieldType]:
        if not self._connection.can("describe"):
            return {}
        connector: Any = self._connection.connector
        try:
            description: Description = called(self._connection, lambda: connector.describe(object))
        except ConnectorError:
            return {}  # then by the values: the record is written, and this must not undo that
        return {field.name: field.type for field in description.fields}


def _like_email(value: Any) -> bool:
    return (
        isinstance(value, str) and value.count("@") == 1 and "." in value.partition("@")[2] and " " not in value.strip()
    )
