"""What scenarios are given: values that have broken systems before, and things with names of their own."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

from hub.clock import now
from hub.contract import HookRequest

HOSTILE = {
    "quotes": 'O\'Brien "the" `great`',
    "sql": "x'; DROP TABLE contacts; --",
    "always true": "' OR '1'='1",
    "percent": "%",
    "underscore": "_",
    "star": "*",
    "backslash": "back\\slash \\' \\n",
    "markup": "<script>alert(1)</script> & <b>",
    "template": "{{7*7}} ${PATH} %(name)s {0}",
    "formula": "=cmd|' /C calc'!A0",
    "lines": "one\ntwo\r\nthree\ttabbed",
    "emoji": "🦄 👩‍👩‍👧 é́",
    "right to left": "\u202eabc العربية עברית",
    "brackets": "[(]{}|&!<>=~^:;,",
    "soql": "x' OR Name LIKE '%' OR Name = 'x",
    "sosl": "x} IN ALL FIELDS RETURNING Contact(Id) {x",
    "odata": "x' or contains(name,'a') or 1 eq 1 or 'x' eq 'x",
    "xml": "]]></Note><Note>&lt;&b;<!--",
    "entity": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "json": '"}],"allOrNone":true,"x":[{"\\u0000',
    "domain": "x') or ('id','!=','0",
    "path": "../../x?a=b#c&d=e%2f",
    "long": "ñandú " * 16_667,
}

# What must find nobody, whatever a system's search takes for wildcards, and nothing.
WILD = ("", "\0", "+", "+34", "*", "*@*", "**********", "%%%%", "%@%", "_______", "\\%", "1 OR 1=1", 'x" OR "" = "')
# A name that has to come back as it is.
UGLY = 'O\'Brien "<b>&amp;" %_*\\ 🦄 עברית'


_count = itertools.count()


def a_number() -> str:
    """A valid Spanish mobile number that nothing else in this run has."""
    return f"+346{uuid.uuid4().int % 10**6:06d}{next(_count) % 100:02d}"


def a_mail() -> str:
    """An e-mail address that nothing else has."""
    return f"p{uuid.uuid4().hex}@example.com"


def a_key() -> str:
    """A key that nothing else has."""
    return f"softphone:call-{uuid.uuid4().hex}"


def an_event(id: str) -> dict[str, Any]:
    """A wrapped-up call."""
    return {
        "id": id,
        "type": "interaction.wrapped_up",
        "occurred_at": "2026-11-23T10:05:40Z",
        "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote": "+34 612 34 56 78"},
        "wrap_up": {"code": "SALE", "comment": "Wants the red one", "seconds": 12},
    }


def signed(peer: Any, told: object) -> HookRequest:
    """A hook with `told` as its JSON, signed now."""
    hook: HookRequest = peer.hook(json.dumps(told).encode(), now())
    return hook
