"""How a system is asked: what differs between REST, SOAP and SQL, as the shared rooms see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
Nothing = Callable[[Mapping[str, Any]], bool]  # whether an answer, or a fault, means that there is nothing


def nothing_of(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Nothing:
    """`none` of a profile: a status, a list of them, or a condition."""
    if isinstance(value, dict):
        return profile.condition(at, value, roots)
    statuses = frozenset(value if isinstance(value, list) else [value])
    if not statuses or not all(isinstance(one, int) for one in statuses):
        raise profile.error(at, "`none` is a status such as 404, a list of them, or a condition")
    return lambda facts: facts.get("status") in statuses


class Asks(Protocol):
    """One system, and how its profile's calls are made."""

    words: tuple[str, ...]  # the words that a call is made of
    roots: tuple[str, ...]  # what its answers and faults are called in a profile's paths
    addressed: bool  # whether its pages may have addresses of their own

    def reached(self) -> str:
        """Whether the system answers and does not refuse us; our user there, as far as that is known."""

    def call(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> Any:
        """A declared call, compiled; `roots` are the names that it may speak of."""

    def batch(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> tuple[Any, Piece]:
        """A call for many rows, and how each row looks (`row` of `value`, which may speak of `roots`).

        The call is given `rows`, a group with the list of them under the profile's name for it.
        """

    def asked(
        self, call: Any, facts: Mapping[str, Any], *, changes: bool, none: Nothing | None = None, at: str = ""
    ) -> Answer:
        """The answer to a call. Raises what a refusal means.

        What `none` fits is an answer without a body; `at` is an address that the system gave itself, the next page's.
        """
