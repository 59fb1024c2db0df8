"""The server's side of OData `$batch`: read what clients send (each has its dialect), write what a service answers.

Dialects that were seen: boundaries quoted or not, absolute, server-relative and service-relative addresses, parts with and
without Content-Length, bare line feeds.
"""

from __future__ import annotations

import email.policy
import uuid
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser

from msgspec import Struct


class Asked(Struct, frozen=True, kw_only=True):
    """One request of a batch. Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    id: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """The answer to one."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes = b""
    id: str = ""


def asked(content_type: str, body: bytes) -> list[Asked | list[Asked]]:
    """The requests in their order; a list is a change set. Raises ValueError where the body is no batch."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.compat32).parsebytes(head + body)
    return [_asked(part) if part.get_content_type() != "multipart/mixed" else [_asked(one) for one in _parts(part)]
            for part in _parts(message)]  # fmt: skip


def answered(answers: Sequence[Answer | Sequence[Answer]]) -> tuple[str, bytes]:
    """The content type and the body of the answer; a sequence within it is a change set that was done."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    pieces = []
    for answer in answers:
        if isinstance(answer, Answer):
            pieces.append(_answer(answer))
        else:
            inner = f"changesetresponse_{uuid.uuid4()}"
            whole = _joined(inner, [_answer(one) for one in answer])
            pieces.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode() + whole)
    return f"multipart/mixed; boundary={boundary}", _joined(boundary, pieces)


def _parts(message: Message) -> list[Message]:
    parts = message.get_payload()
    if not isinstance(parts, list):
        raise ValueError("no multipart/mixed")
    return [part for part in parts if isinstance(part, Message)]


def _asked(part: Message) -> Asked:
    whole = part.get_payload(decode=True)
    if not isinstance(whole, bytes):
        raise ValueError("a part is no HTTP message")
    text = whole.lstrip(b"\r\n")
    end = b"\r\n\r\n" if b"\r\n\r\n" in text else b"\n\n"
    head, _, body = text.partition(end)
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise ValueError(f"a part does not begin with a request line: {first[:80]}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "")
    body = body[: int(length)] if length.isdecimal() else body.rstrip(b"\r\n")
    return Asked(method=words[0], url=words[1], headers=headers, body=body,
                 id=str(part.get("Content-ID") or headers.get("content-id") or ""))  # fmt: skip


def _joined(boundary: str, pieces: Sequence[bytes]) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in pieces) + mark + b"--\r\n"


def _answer(answer: Answer) -> bytes:
    outer = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    if answer.id:
        outer += f"Content-ID: {answer.id}\r\n"
    lines = [
        f"HTTP/1.1 {answer.status} {answer.reason}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return (outer + "\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + answer.body
