"""What the answers of SAP Cloud for Customer mean: by status first, and by text where SAP has nothing but a text.

Sources: SAP's developer guide for the OData API (SAP-archive/C4CODATAAPIDEVGUIDE) and SAP note 3048103 (csrf). Many business
errors come with status 500 and an OData error; what such an answer says was not done was not done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree
from msgspec import Struct

from connectors.wire.answers import lost, parsed
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Unavailable,
    Unsupported,
)

WHO = "SAP Cloud for Customer"
LONGEST_TEXT = 300  # of SAP's own words in our message

# 409 and 412: somebody changed the record between our look and our write; the next attempt looks again.
STATUSES: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    405: Unsupported,
    409: Locked,
    412: Locked,
    413: Rejected,
    414: Rejected,
    415: Rejected,
    422: Rejected,
    423: Locked,
    424: Unavailable,
    428: Locked,
    501: Unsupported,
}
# A refusal that has only words to tell what it is. Locks are a setting of their own (`lock_texts`).
TEXTS: Sequence[tuple[re.Pattern[str], type[ConnectorError]]] = (
    (re.compile(r"not authori[sz]ed|no authori[sz]ation|missing authori[sz]ation", re.I), NotPermitted),
    (re.compile(r"resource not found|does not exist in the system", re.I), NotFound),
)
_SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


class Told(Struct, frozen=True, kw_only=True):
    """An OData error: SAP's code, its words, and what is wrong by field."""

    code: str = ""
    text: str = ""
    fields: dict[str, str] = {}


def failure(status: int, body: bytes, locks: Sequence[re.Pattern[str]], *, changes: bool) -> ConnectorError:
    """What a refusal means. A 5xx without an OData error says nothing of what was done."""
    told = odata_error(body)
    if status == 401:
        return CredentialsRefused(f"{WHO} refuses the credentials")
    if told is not None and any(pattern.search(told.text) for pattern in locks):
        return Locked(f"{WHO}: somebody else holds the record")  # SAP's text names the person
    kind = STATUSES.get(status)
    if told is None:
        if kind is not None:
            return kind(f"{WHO} answers {status}")
        return lost(changes)(f"{WHO} answers {status}") if status >= 500 else Unavailable(f"{WHO} answers {status}")
    if kind is None or kind is Rejected:
        kind = next((kind for pattern, kind in TEXTS if pattern.search(told.text)), Rejected)
    if kind is Rejected:
        return Rejected(f"{WHO} refuses it: {told.text[:LONGEST_TEXT] or status}", told.fields)
    if kind is Locked:
        return Locked(f"{WHO}: the record was changed by somebody else just now")
    return kind(f"{WHO} answers {status}: {told.text[:LONGEST_TEXT]}")


def odata_error(body: bytes) -> Told | None:
    """The OData error in an answer, as JSON or as XML; None where it is none of SAP's."""
    start = body.lstrip()[:1]
    if start == b"{":
        try:
            told = parsed(body)
        except ValueError:
            return None
        error = told.get("error") if isinstance(told, dict) else None
        if not isinstance(error, dict):
            return None
        message = error.get("message")
        text = message.get("value") if isinstance(message, dict) else message
        inner = error.get("innererror")
        details = inner.get("errordetails") if isinstance(inner, dict) else None
        return Told(code=str(error.get("code") or ""), text=str(text or ""), fields=_fields(details))
    if start == b"<":
        try:
            root = etree.fromstring(body, _SAFE)
        except etree.XMLSyntaxError:
            return None
        if etree.QName(root).localname != "error":
            return None
        words = {etree.QName(child).localname: child.text or "" for child in root if isinstance(child.tag, str)}
        return Told(code=words.get("code", ""), text=words.get("message", ""))
    return None


def _fields(details: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and (name := detail.get("propertyref") or detail.get("target")):
            found[str(name).rpartition("/")[2]] = str(detail.get("message") or "")[:LONGEST_TEXT]
    return found
