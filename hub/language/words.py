"""Words that several parts of a mapping have in common: names, durations, zones, countries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from hub.errors import nearest
from hub.language.converters import Unfit
from hub.language.paths import Facts, Path, PathError, Scope
from hub.language.yaml_source import Document, Step

At = tuple[Step, ...]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ISO = re.compile(r"[A-Z]{2}")
_DURATION = re.compile(r"([0-9]{1,6}) (second|minute|hour|day|week)s?")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}


def group(doc: Document, at: At, value: Any, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """`value` as a group that holds only `known` words, and all `needed` ones. Raises ConfigError."""
    where = str(at[-1]) if at else "a mapping"
    if not isinstance(value, dict):
        raise doc.error(at, f"{where} is a group of words: {', '.join(known)}")
    for word in value:
        if word not in known:
            raise doc.error((*at, word), f'there is no word "{word}" in {where}{right_word(word, known)}')
    for word in needed:
        if value.get(word) is None:
            raise doc.error(at, f"{where} has no `{word}`")
    return value


def right_word(word: Any, known: Iterable[str]) -> str:
    """The known word nearest to `word`, or all of them where none is near."""
    return nearest(str(word), known) or f" (known here: {', '.join(known)})"


def name_of(doc: Document, at: At, value: Any, what: str) -> str:
    """A name: small letters, digits and _, as it stands in a URL and as a file."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise doc.error(at, f"{what} is small letters, digits and _, beginning with a letter, at most 63")
    return value


def text_at(doc: Document, at: At, value: Any, what: str) -> str:
    """A text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise doc.error(at, f"{what} is a text")
    return value


def seconds_of(doc: Document, at: At, value: Any) -> float:
    """A duration, such as `30 seconds` or `1 day`, in seconds."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise doc.error(at, "a duration is a number and a unit, such as `30 seconds`, `15 minutes`, `2 hours`, `1 day`")
    return int(match.group(1)) * _SECONDS[match.group(2)]


def zone_of(doc: Document, at: At, value: Any) -> ZoneInfo:
    """A time zone by its IANA name."""
    if isinstance(value, str) and (found := zone_named(value)):
        return found
    raise doc.error(at, f'there is no time zone "{value}"; a zone is a name such as Europe/Madrid')


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone called `name`, if there is one."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder of zones
        return None


def country_code(doc: Document, at: At, value: Any) -> str:
    """A country by its ISO code."""
    if not isinstance(value, str) or value not in phonenumbers.SUPPORTED_REGIONS:
        raise doc.error(at, f'there is no country "{value}"; a country is its ISO code, such as ES')
    return value


def country_of(doc: Document, at: At, value: Any, scope: Scope) -> Path | str:
    """A country: an ISO code for all, or the path that holds each one's own."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        return country_code(doc, at, value)
    path = path_at(doc, at, value, scope)

    def code(facts: Facts) -> str:
        found = path(facts)
        if found is None:
            return ""
        word = found.strip().upper() if type(found) is str else ""
        if word not in phonenumbers.SUPPORTED_REGIONS:
            raise Unfit(found, f"a country ({path.text} has to hold an ISO code such as ES)")
        return word

    return Path(path.text, path.shape, code)


def path_at(doc: Document, at: At, value: Any, scope: Scope) -> Path:
    """The path that stands at `at`. Raises ConfigError."""
    try:
        return scope.path(value)
    except PathError as error:
        raise doc.error(at, str(error)) from None
