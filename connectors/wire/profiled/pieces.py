"""What a profile's calls are made of: texts with places in them, groups of names, bodies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from hub.contract import Piece, Place, Profile

_PLACE = re.compile(r"\{([^{}]*)\}")


def text(value: Any) -> str:
    """A value of a record as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def encoded(value: str) -> str:
    """Percent-encoded as a whole, slashes too."""
    return quote(value, safe="")


def filled(profile: Profile, at: Place, template: Any, roots: tuple[str, ...], quoted: Callable[[str], str]) -> Piece:
    """A text with places such as `{value}` in it, each filled with what `quoted` makes of the value.

    Raises ValueError, when it is filled, where a whole step of a path would be empty or lead elsewhere.
    """
    if not isinstance(template, str):
        raise profile.error(at, "a path or an address is a text such as /contacts/{id}")
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
            put = quoted(text(value)) if value is not None else ""
            if (value is None and literal.endswith("/")) or put in (".", ".."):
                raise ValueError("nothing that can stand in its path")
            written += [literal, put]
        return "".join(written) + tail

    return made


def group_of(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> list[tuple[str, Piece]]:
    """Names, each with a path (to a group or a list as well, which a mapping's field may not name) or its words."""
    if not isinstance(value, dict):
        raise profile.error(at, f"`{at[-1]}` is a group of names, each with a path or its words")
    return [
        (name, (profile.path if isinstance(told, str) else profile.field)((*at, name), told, roots))
        for name, told in value.items()
    ]


def body_of(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Piece:
    """A body: a path to a whole group (`fields`), or a group of names. A dot in a name makes an inner group, a number after
    it a list: `any.0.field`. What has no value is left out."""
    if isinstance(value, str):
        return profile.path(at, value, roots)
    pieces = group_of(profile, at, value, roots)

    def made(facts: Mapping[str, Any]) -> Any:
        body = _Group()
        for name, piece in pieces:
            value = piece(facts)
            if value is None:
                continue
            *outer, last = name.split(".")
            inner = body
            for step in outer:
                inner = inner.setdefault(step, _Group())
            inner[last] = value
        return _listed(body)

    return made


class _Group(dict[str, Any]):
    """A group that dots have made; what a value holds by itself stays as it is."""


def _listed(value: Any) -> Any:
    if not isinstance(value, _Group):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
