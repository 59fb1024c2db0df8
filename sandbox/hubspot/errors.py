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

    def envelope(self, trace: str = "") -> dict[str, Any]:
        """The body; within a 207 with the row's trace id."""
        told: dict[str, Any] = {"status": "error", "message": self.message}
        if not trace:
            told["correlationId"] = str(uuid.uuid4())
        told["category"] = self.category
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace else {})}
        return {**told, **({"context": context} if context else {}), **({"errors": self.errors} if self.errors else {}),
                **self.more}  # fmt: skip


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
