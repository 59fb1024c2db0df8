"""Rows as Atom, which is what C4C answers with unless JSON is asked for."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

NAMESPACES = (
    'xmlns="http://www.w3.org/2005/Atom" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" '
    'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"'
)


def feed(name: str, rows: list[dict[str, Any]], following: str) -> str:
    """A list, with a link to its next page where there is one."""
    link = f'<link rel="next" href="{escape(following)}"/>' if following else ""
    entries = "".join(entry(name, row) for row in rows)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><feed {NAMESPACES}><id>{name}</id><title type="text">{name}</title>'
        f"{entries}{link}</feed>"
    )


def entry(name: str, row: dict[str, Any], namespaces: bool = False) -> str:
    """One entity."""
    fields = "".join(
        f"<d:{field}>{escape(str(value))}</d:{field}>" if value not in (None, "") else f"<d:{field}/>"
        for field, value in row.items()
        if not isinstance(value, dict)
    )
    return (
        f"<entry{' ' + NAMESPACES if namespaces else ''}><id>{escape(row['__metadata']['uri'])}</id>"
        f'<title type="text">{name}</title><content type="application/xml"><m:properties>{fields}</m:properties></content>'
        "</entry>"
    )
