"""Proofs in an answer: one that refuses may repeat ours ("invalid key …"), and its words end up on attempts and pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from urllib.parse import quote

SHORTEST = 6  # what is shorter is found in any text
LEFT_OUT = b"***"
# Headers that prove nothing; which ones do, each vendor has a name of its own for.
PLAIN = frozenset({
    "accept", "accept-encoding", "accept-language", "connection", "content-length", "content-type", "host",
    "idempotency-key", "if-match", "if-modified-since", "if-none-match", "odata-maxversion", "odata-version", "prefer",
    "soapaction", "user-agent",
})  # fmt: skip


def without_proofs(body: bytes, headers: Mapping[str, str | bytes], secrets: Iterable[str]) -> bytes:
    """`body` without the values of the request's own headers, and without the connection's secrets, however written."""
    for proof in sorted({*_in_headers(headers), *secrets}, key=len, reverse=True):
        if len(proof) >= SHORTEST:
            for form in _written(proof):
                body = body.replace(form.encode(), LEFT_OUT)
    return body


def _written(proof: str) -> set[str]:
    """As it is, in JSON (PHP escapes the slash too), in a URL, and in XML or HTML."""
    in_json = {json.dumps(proof, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    in_php = {form.replace("/", r"\/") for form in in_json}
    return {proof, *in_json, *in_php, quote(proof, safe=""), escape(proof), escape(proof, quote=False)}


def _in_headers(headers: Mapping[str, str | bytes]) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() in PLAIN:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        yield text
        scheme, _, proof = text.partition(" ")
        yield proof.strip()
        if scheme.lower() == "basic":
            yield from _password(proof)


def _password(proof: str) -> Iterator[str]:
    try:
        user, _, password = base64.b64decode(proof).decode("utf-8", "replace").partition(":")
    except binascii.Error:
        return
    yield from (f"{user}:{password}", password)
