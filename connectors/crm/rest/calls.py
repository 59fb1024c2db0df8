"""A request as a profile declares it: method and path, query, headers, and a body as JSON or as a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from msgspec import Struct

from connectors.wire.profiled.pieces import body_of, encoded, filled, group_of, text
from hub.contract import Place, Profile
from hub.errors import Rejected

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Made(Struct, frozen=True, kw_only=True):
    """A request, made of facts."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes | None
    content_type: str


class Call:
    """One declared request; `roots` are the names that it may speak of."""

    WORDS: ClassVar[tuple[str, ...]] = (*METHODS, "query", "headers", "json", "form")

    def __init__(self, profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> None:
        words = profile.group(at, value, self.WORDS)
        methods = [word for word in METHODS if word in words]
        if len(methods) != 1:
            raise profile.error(
                at, f"a request has one of {', '.join(METHODS)} with its path, such as `GET: /contacts`"
            )
        if "json" in words and "form" in words:
            raise profile.error((*at, "form"), "a request has one body: `json` or `form`")
        self.method = methods[0]
        self._path = filled(profile, (*at, self.method), words[self.method], roots, encoded)
        self._query = group_of(profile, (*at, "query"), words.get("query", {}), roots)
        self._headers = group_of(profile, (*at, "headers"), words.get("headers", {}), roots)
        self._form = group_of(profile, (*at, "form"), words["form"], roots) if "form" in words else None
        self._json = body_of(profile, (*at, "json"), words["json"], roots) if "json" in words else None

    def made(self, facts: Mapping[str, Any]) -> Made:
        """The request of these facts; what is absent is left out. Raises Rejected where a value does not fit."""
        try:
            query = [(name, one) for name, piece in self._query for one in _texts(piece(facts))]
            headers = {name: text(value) for name, piece in self._headers if (value := piece(facts)) is not None}
            body, kind = self._made_body(facts)
            path = self._path(facts)
        except ValueError as error:
            raise Rejected(f"the profile cannot make its request: {error}") from error
        if any("\r" in value or "\n" in value for value in headers.values()):
            raise Rejected("a header of the profile's request would have a line end in it")
        return Made(method=self.method, path=path, query=query, headers=headers, body=body, content_type=kind)

    def _made_body(self, facts: Mapping[str, Any]) -> tuple[bytes | None, str]:
        if self._json is not None:
            try:
                return json.dumps(self._json(facts), ensure_ascii=False, default=text).encode(), "application/json"
            except UnicodeEncodeError as error:
                raise Rejected("a text that is no Unicode cannot be sent") from error
        if self._form is not None:
            pairs = [(name, one) for name, piece in self._form for one in _texts(piece(facts))]
            told = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
            return told.encode(), "application/x-www-form-urlencoded"
        return None, ""


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text(one) for one in values if one is not None]
