"""How a system is asked: what differs between REST, SOAP and SQL, as the shared rooms see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from hub.contract import Piece, Place, Profile


class Answer(Struct, frozen=True, kw_only=True):
    """A good answer. `body` is None where there is none; `status` and `headers` are HTTP's, where it is spoken."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """As a profile's paths see it: `answer`, `status`, `header`."""
        return {"answer": self.body, "status": self.status, "header": self.headers}


ANSWER = ("answer", "status", "header")


class Asks(Protocol):
    """One system, and how its profile's calls are made."""

    words: tuple[str, ...]  # the words that a call is made of

    def call(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> Any:
        """A declared call, compiled; `roots` are the names that it may speak of."""

    def batch(self, profile: Profile, at: Place, value: dict[str, Any]) -> Any:
        """A call for many rows: it is given `rows`, a group with the list of them under the profile's name for it."""

    def row(self, profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Piece:
        """How one row of a batch looks."""

    def asked(
        self, call: Any, facts: Mapping[str, Any], *, changes: bool, none: frozenset[int] = frozenset()
    ) -> Answer:
        """The answer to a call. A status in `none` is an answer without a body. Raises what a refusal means."""

    def asked_at(self, url: str, call: Any, facts: Mapping[str, Any]) -> Answer:
        """The answer at an address that the system gave itself, such as the next page's."""
