"""The hub's keys as Dolibarr can hold and find them.

Filters and checks of input let few signs through unharmed (see `filters`), and its databases see no capitals. So a key
of lower-case letters, digits and `. _ -` is kept as it is; of any other each further sign is written as its number,
`softphone:call-1` as `pb-softphone_3a_call-1`; one that would be too long becomes its SHA-256. No two keys become one.
"""

from __future__ import annotations

import hashlib
import re

LONGEST = 120  # the shortest column that holds a key has 128 letters
PREFIX = "pb-"
_PLAIN = re.compile(r"[a-z0-9._-]+")
_OTHER = re.compile(r"[^a-z0-9.-]")


def stored(key: str, *, unguessable: bool = False) -> str:
    """The key as it is kept there. `unguessable`: customers see it, and nobody should think up another's."""
    if not unguessable:
        if _PLAIN.fullmatch(key) and not key.startswith(PREFIX) and len(key) <= LONGEST:
            return key
        text = PREFIX + _OTHER.sub(lambda sign: f"_{ord(sign[0]):x}_", key)
        if len(text) <= LONGEST:
            return text
    return f"{PREFIX}sha256-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
