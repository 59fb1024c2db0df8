"""A request as a profile declares it: method and path, query, headers, and a body as JSON or as a form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from msgspec import Struct

from connectors.wire.declared import text
from hub.contract import Piece, Place, Profile
from hub.errors import Rejected

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PLACE = re.compile(r"\{([^{}]*)\}")


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
        self._path = filled(profile, (*at, self.method), words[self.method], roots)
        self._query = _group(profile, (*at, "query"), words.get("query", {}), roots)
        self._headers = _group(profile, (*at, "headers"), words.get("headers", {}), roots)
        self._form = _group(profile, (*at, "form"), words["form"], roots) if "form" in words else None
        self._json = _body(profile, (*at, "json"), words["json"], roots) if "json" in words else None

    @staticmethod
    def body(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Piece:
        """A JSON body: a path to a whole group (`fields`), or a group; a dot in a name makes an inner group."""
        return _body(profile, at, value, roots)

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


def addressed(profile: Profile) -> Callable[[Place, Any], Piece]:
    """What compiles a profile's address for a browser: `{id}`, `{search}` and the fields of a new record."""
    return lambda at, value: filled(profile, at, value, ("id", "search", "fields"))


def filled(profile: Profile, at: Place, template: Any, roots: tuple[str, ...]) -> Piece:
    """A path or an address with places such as `{value}` in it; what is put there is percent-encoded as a whole."""
    if not isinstance(template, str):
        raise profile.error(at, "a path is a text such as /contacts/{id}")
    pieces: list[tuple[str, Piece]] = []
    before = 0
    for found in _PLACE.finditer(template):
        pieces.append((template[before : found.start()], profile.path(at, found.group(1).strip(), roots)))
        before = found.end()
    tail = template[before:]

    def made(facts: Mapping[str, Any]) -> str:
        written = []
        for literal, piece in pieces:
            value = piece(facts)
            # An empty step would name the whole collection, and `..` somebody else's.
            encoded = quote(text(value), safe="") if value is not None else ""
            if (value is None and literal.endswith("/")) or encoded in (".", ".."):
                raise ValueError("nothing that can stand in its path")
            written += [literal, encoded]
        return "".join(written) + tail

    return made


def _group(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> list[tuple[str, Piece]]:
    if not isinstance(value, dict):
        raise profile.error(at, f"`{at[-1]}` is a group of names, each with a path or its words")
    return [(name, _leaf(profile, (*at, name), told, roots)) for name, told in value.items()]


def _body(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Piece:
    if isinstance(value, str):
        return profile.path(at, value, roots)
    pieces = _group(profile, at, value, roots)

    def made(facts: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, piece in pieces:
            value = piece(facts)
            if value is None:
                continue
            *outer, last = name.split(".")
            inner = body
            for step in outer:
                inner = inner.setdefault(step, {})
            inner[last] = value
        return body

    return made


def _leaf(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Piece:
    """A path may name a group or a list as well, which a field of a mapping may not."""
    return profile.path(at, value, roots) if isinstance(value, str) else profile.field(at, value, roots)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text(one) for one in values if one is not None]
