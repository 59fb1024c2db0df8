"""The embedded CRM's values: what a row may hold, how it is kept, how it is shown. No SQL."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hub import phone
from hub.clock import from_ms, to_ms
from hub.errors import nearest
from hub.model import Field
from hub.store.crm.schema import OBJECTS, CrmObject

Check = Callable[[Any], Any]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_WEB = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_SEVERAL = re.compile(r"\s*[/;,|\n]\s*|\s+(?:o|or|ou|oder|y|und|et|e)\s+", re.IGNORECASE)


class WrongValue(ValueError):
    """A value that a field does not take; the message says what would be right."""


def checked(crm_object: CrmObject, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """`fields` as they are kept, and what is wrong by field. References are checked later, against the store."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    checks = _CHECKS[crm_object.name]
    for name, value in fields.items():
        check = checks.get(name)
        if check is None:
            problems[name] = _no_such_field(crm_object, name)
            continue
        try:
            values[name] = None if value is None else check(value)
        except WrongValue as wrong:
            problems[name] = str(wrong)
    return values, problems


def kept(field: Field, value: Any) -> Any:
    """One value of `field` as it is kept. Raises WrongValue."""
    return None if value is None else _CHECK_BY_TYPE[field.type](field)(value)


def shown(crm_object: CrmObject, row: Mapping[str, Any]) -> dict[str, Any]:
    """A kept record by its declared fields; moments as ISO text in UTC."""
    return {
        f.name: iso(row[f.name]) if f.type == "datetime" and row[f.name] is not None else row[f.name]
        for f in crm_object.fields
    }


def is_text(value: str) -> bool:
    """Whether every engine can keep and compare `value`: no NUL, no half of a surrogate pair."""
    if "\x00" in value:
        return False
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:
        return False
    return True


def iso(ms: int) -> str:
    """A moment as ISO text in UTC, such as `2026-11-23T10:05:40Z`."""
    return from_ms(ms).isoformat(timespec="milliseconds" if ms % 1000 else "seconds").replace("+00:00", "Z")


def folded(*texts: str | None) -> str:
    """Texts as search compares them: lower case, without accents, one space between words."""
    text = unicodedata.normalize("NFKD", " ".join(t for t in texts if t))
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).casefold().split())


def folded_email(email: str) -> str:
    """An e-mail address as look-ups compare it."""
    return email.strip().lower()


def numbers(raw: str | None, country: str) -> tuple[str, ...]:
    """The numbers in what somebody typed, as look-ups compare them: E.164, or the bare digits of what cannot be read so.

    `91 411 22 33 / 612 34 56 78` holds two.
    """
    if not raw:
        return ()
    whole = phone.e164(raw, country)
    if whole:
        return (whole,)
    parts = [part for part in _SEVERAL.split(raw) if part]
    read = [number for number in (phone.e164(part, country) for part in parts) if number] if len(parts) > 1 else []
    bare = phone.digits(raw)
    return tuple(dict.fromkeys(read)) or ((bare,) if bare else ())


def title(crm_object: CrmObject, row: Mapping[str, Any]) -> str:
    """What a person calls the record."""
    if crm_object.name in ("contact", "lead"):
        name = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
    elif crm_object.name in ("account", "campaign"):
        name = row["name"]
    elif crm_object.name == "campaign_member":
        name = row["member_key"]
    else:
        name = row["subject"]
    return name or row["id"]


def derived(crm_object: CrmObject, row: Mapping[str, Any]) -> dict[str, str | None]:
    """The folded texts by which the record is found."""
    if crm_object.name == "account":
        return {"search_folded": folded(row["name"], row["website"])}
    if crm_object.name in ("contact", "lead"):
        email = row["email"]
        return {
            "email_folded": folded_email(email) if email else None,
            "search_folded": folded(row["first_name"], row["last_name"], row.get("company"), email),
        }
    return {}


# --- the checks, one by type ----------------------------------------


def _text(field: Field) -> Check:
    longest = field.max_length or 255

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            raise WrongValue(f"is {_kind(value)}, not a text")
        if len(value) > longest:
            raise WrongValue(f"has {len(value)} characters, at most {longest} fit")
        if not is_text(value):
            raise WrongValue("holds a NUL or half a character (a lone surrogate), which no text can")
        return value or None

    return check


def _email(field: Field) -> Check:
    text = _text(field)

    def check(value: Any) -> str | None:
        email: str | None = text(value)
        if email is not None and not _EMAIL.fullmatch(email.strip()):
            raise WrongValue("is no e-mail address such as ana@example.com")
        return email and email.strip()

    return check


def _url(field: Field) -> Check:
    text = _text(field)

    def check(value: Any) -> str | None:
        url: str | None = text(value)
        if url is not None and not _WEB.fullmatch(url):
            raise WrongValue("is no address that begins with http:// or https://")
        return url

    return check


def _picklist(field: Field) -> Check:
    words = frozenset(field.picklist)

    def check(value: Any) -> str | None:
        if value == "":
            return None
        if not isinstance(value, str):
            raise WrongValue(f"is {_kind(value)}, not one of {', '.join(field.picklist)}")
        if value not in words:
            raise WrongValue(
                f'has no value "{value[:40]}"{nearest(value, words)}; it takes {", ".join(field.picklist)}'
            )
        return value

    return check


def _boolean(_field: Field) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise WrongValue(f"is {_kind(value)}, not true or false")
        return value

    return check


def _integer(_field: Field) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value % 1:  # NaN, 1.5
            raise WrongValue(f"is {_kind(value)}, not a whole number")
        if not -(2**53) <= value <= 2**53:
            raise WrongValue("is a number beyond all reason")
        return int(value)

    return check


def _datetime(_field: Field) -> Check:
    def check(value: Any) -> int | None:
        if value == "":
            return None
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise WrongValue("is no date and time such as 2026-11-23T10:05:40Z") from None
        if not isinstance(value, datetime):
            raise WrongValue(f"is {_kind(value)}, not a date and time such as 2026-11-23T10:05:40Z")
        if value.tzinfo is None:
            raise WrongValue("lacks its zone; write it such as 2026-11-23T10:05:40Z")
        try:
            return to_ms(value.astimezone(UTC))
        except OverflowError:
            raise WrongValue("is beyond the calendar") from None

    return check


_CHECK_BY_TYPE: dict[str, Callable[[Field], Check]] = {
    "text": _text,
    "longtext": _text,
    "phone": _text,
    "reference": _text,
    "email": _email,
    "url": _url,
    "picklist": _picklist,
    "boolean": _boolean,
    "integer": _integer,
    "datetime": _datetime,
}


_CHECKS: dict[str, dict[str, Check]] = {
    name: {f.name: _CHECK_BY_TYPE[f.type](f) for f in crm_object.fields if f.writable}
    for name, crm_object in OBJECTS.items()
}


def _no_such_field(crm_object: CrmObject, name: str) -> str:
    if name in crm_object.by_name:
        return "is given by the CRM and cannot be written"
    return f"is no field of {crm_object.name}{nearest(name, _CHECKS[crm_object.name])}"


def _kind(value: Any) -> str:
    words: Iterable[tuple[type, str]] = (
        (bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text"), (datetime, "a moment"),
        (list, "a list"), (tuple, "a list"), (dict, "an object"),
    )  # fmt: skip
    return next((word for kind, word in words if isinstance(value, kind)), f"a {type(value).__name__}")
