"""Our key in SAP's reference field, which has room for 35 letters and searches with wildcards."""

from __future__ import annotations

import base64
import hashlib
import re

LONGEST = 35
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/@-]*(?<! )")


def stored_key(key: str) -> str:
    """The key as it stands in SAP: itself where it is short and plain, else a digest of it, which is as unique."""
    if len(key) <= LONGEST and _PLAIN.fullmatch(key) and not key.startswith("PB."):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return "PB." + base64.b32encode(digest).decode()[: LONGEST - 3]


def bare_id(id: str) -> str:
    """An id without the zeros that SAP fills it up with: 0001000394 is 1000394."""
    return id.lstrip("0") if id.isdecimal() else id
