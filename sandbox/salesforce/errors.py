"""How Salesforce refuses: an HTTP status and a JSON array of `{"message", "errorCode", "fields"}`.

Source: REST API Developer Guide, Status Codes and Error Responses; messages as real organisations give them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """What Salesforce says instead of doing it. `body` replaces the usual array where a resource has its own shape."""

    def __init__(
        self, code: str, message: str, fields: Sequence[str] = (), status: int = 400, body: Any = None
    ) -> None:
        self.code, self.message, self.fields, self.status, self.body = code, message, list(fields), status, body
        super().__init__(f"{code}: {message}")

    def told(self) -> Any:
        """The body of an answer."""
        if self.body is not None:
            return self.body
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return [error | ({"fields": self.fields} if self.fields else {})]

    def of_row(self) -> dict[str, Any]:
        """The same in a row's result: there the word is `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


def not_found(message: str = "The requested resource does not exist") -> Refused:
    """404."""
    return Refused("NOT_FOUND", message, status=404)


def no_such_column(name: str, object: str) -> Refused:
    """A field that is not there."""
    return Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {object}")


def malformed(what: str) -> Refused:
    """A SOQL or SOSL text that cannot be read."""
    return Refused("MALFORMED_QUERY", what)
