"""OData `$batch` as multipart/mixed, versions 2 and 4: many requests in one, a change set done whole or not at all.

OData 4.01 part 1, 11.7.7 and OData 2.0 "Batch Processing": a part is an HTTP message of its own; a change set is a multipart
within the multipart, and where it fails, one answer stands in its place.
"""

from __future__ import annotations

import email.policy
import uuid
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser

from msgspec import Struct

LINE = b"\r\n"


class Part(Struct, frozen=True, kw_only=True):
    """One request. `url` is what the service wants: absolute, or relative to it. `id` can be referred to as `$id`."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    id: str = ""


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to one part. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    id: str = ""


ChangeSet = Sequence[Part]


def encoded(parts: Sequence[Part | ChangeSet]) -> tuple[str, bytes]:
    """The content type and the body of a batch; a sequence of parts within it is a change set."""
    boundary = f"batch_{uuid.uuid4()}"
    pieces = [_part(part) if isinstance(part, Part) else _change_set(part) for part in parts]
    return f"multipart/mixed; boundary={boundary}", _joined(boundary, pieces)


def decoded(content_type: str, body: bytes) -> list[Reply | list[Reply]]:
    """The answers in the parts' order; a list for a change set that was done. Raises ValueError where it is no batch."""
    return [_reply(part) if part.get_content_type() != "multipart/mixed" else _replies(part)
            for part in _parts(_parsed(content_type, body))]  # fmt: skip


def _change_set(parts: ChangeSet) -> bytes:
    boundary = f"changeset_{uuid.uuid4()}"
    head = f"Content-Type: multipart/mixed; boundary={boundary}".encode()
    return head + LINE * 2 + _joined(boundary, [_part(part) for part in parts])


def _joined(boundary: str, pieces: Sequence[bytes]) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + LINE + piece + LINE for piece in pieces) + mark + b"--" + LINE


def _part(part: Part) -> bytes:
    outer = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if part.id:
        outer.append(f"Content-ID: {part.id}")
    inner = [f"{part.method} {part.url} HTTP/1.1", *(f"{name}: {value}" for name, value in part.headers.items())]
    if part.body:
        inner.append(f"Content-Length: {len(part.body)}")
    if any("\r" in line or "\n" in line for line in (*outer, *inner)):
        raise ValueError("a line end in the head of a batch part")
    return LINE.join(line.encode() for line in (*outer, "", *inner, "")) + LINE + part.body


def _parsed(content_type: str, body: bytes) -> Message:
    head = f"Content-Type: {content_type}".encode() + LINE * 2
    return BytesParser(policy=email.policy.compat32).parsebytes(head + body)


def _parts(message: Message) -> list[Message]:
    parts = message.get_payload()
    if not isinstance(parts, list) or not all(isinstance(part, Message) for part in parts) or message.defects:
        raise ValueError("no multipart/mixed answer")
    return parts  # type: ignore[return-value]


def _replies(change_set: Message) -> list[Reply]:
    return [_reply(part) for part in _parts(change_set)]


def _reply(part: Message) -> Reply:
    whole = part.get_payload(decode=True)
    if not isinstance(whole, bytes):
        raise ValueError("a part of the answer is no HTTP message")
    head, _, body = (
        whole.replace(b"\r\n", b"\n").partition(b"\n\n") if b"\r\n\r\n" not in whole else whole.partition(b"\r\n\r\n")
    )
    first, *lines = head.decode("latin-1").splitlines()
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        raise ValueError("a part of the answer has no status")
    named = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    # Dataverse puts the id beside the part's type, others among the answer's own headers.
    return Reply(status=int(words[1]), headers=headers, body=body.rstrip(b"\r\n"),
                 id=str(part.get("Content-ID") or headers.get("content-id") or ""))  # fmt: skip
