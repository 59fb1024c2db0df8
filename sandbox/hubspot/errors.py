"""HubSpot's error envelopes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """What the service refuses, as it says so."""

    def __init__(
        self, status: int, message: str, category: str = "VALIDATION_ERROR", *,
        errors: Sequence[Mapping[str, Any]] = (), context: Mapping[str, Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self.status, self.message, self.category = status, message, category
        self.errors, self.context, self.headers, self.more = (
            list(errors),
            dict(context or {}),
            dict(headers or {}),
            more,
        )
        super().__init__(message)

    def envelope(self) -> dict[str, Any]:
        """The body of an answer that is no success (the specification's Error)."""
        told: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": str(uuid.uuid4()),
                                "category": self.category}  # fmt: skip
        return {**told, **({"context": self.context} if self.context else {}),
                **({"errors": self.errors} if self.errors else {}), **self.more}  # fmt: skip

    def within(self, trace: str = "") -> dict[str, Any]:
        """One of a 207's errors (its StandardError), with the row's trace id where there is one."""
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context,
                "errors": self.errors, "links": {}}  # fmt: skip


def invalid(problems: Sequence[tuple[str, str, str]]) -> Problem:
    """Values that are not valid, each as property, code and words: the message repeats them as a list, as HubSpot's does."""
    listed = [{"isValid": False, "message": words, "error": code, "name": name, "localizedErrorMessage": words}
              for name, code, words in problems]  # fmt: skip
    details = [{"message": words, "code": code, "context": {"propertyName": [name]}} for name, code, words in problems]
    return Problem(400, f"Property values were not valid: {json.dumps(listed)}", errors=details)


def rate_limited(policy: str) -> Problem:
    """A 429 by its policy. It has no Retry-After."""
    words = {"SECONDLY": "secondly", "TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "DAILY": "daily"}[policy]
    return Problem(
        429, f"You have reached your {words} limit.", "RATE_LIMITS", errorType="RATE_LIMIT", policyName=policy
    )
