"""The words of ASGI that the plain roads use: headers and a bounded body in, an answer or a problem out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, cast

import msgspec

from hub.web.problems import MEDIA_TYPE, Problem, problem_body

LINGER_SECONDS, LINGER_BYTES = 2.0, 8 << 20

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Pair = tuple[bytes, bytes]  # a header's name and value
Pairs = list[Pair]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gone(Exception):
    """The client hung up before its body was whole."""


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers, names in lower case; one that came several times is joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def declared_length(headers: Mapping[str, str]) -> int | None:
    """The body's length as the client declares it; None where it does not."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else None


async def body_of(receive: Receive, headers: Mapping[str, str], at_most: int, seconds: float) -> bytes:
    """The whole body. Raises Gone where the client hangs up, Problem where it is too large or does not come to an end."""
    declared = declared_length(headers)
    if declared is not None and declared > at_most:
        raise _too_large(at_most)
    # What asyncio.timeout does, by hand: it costs a tenth of all that is done for a hook before the store.
    task, late = cast("asyncio.Task[Any]", asyncio.current_task()), False

    def give_up() -> None:
        nonlocal late
        late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, give_up)
    try:
        return await _chunks(receive, at_most)
    except asyncio.CancelledError:
        if not late or task.uncancel():
            raise
        raise Problem(408, f"The body was not whole after {seconds:.0f} seconds.", kind="too-slow") from None
    finally:
        timer.cancel()


async def _chunks(receive: Receive, at_most: int) -> bytes:
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > at_most:
            raise _too_large(at_most)
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def answer(
    send: Send, status: int, body: bytes, media: bytes = b"application/json", headers: Iterable[Pair] = ()
) -> None:
    """Answer with a whole body."""
    whole = [(b"content-type", media), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": whole})
    await send({"type": "http.response.body", "body": body})


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    problem: Problem,
    *,
    linger: bool = False,
    headers: Iterable[Pair] = (),
) -> None:
    """Answer with a problem. `linger`: the body was not read, and may be anything.

    Then the connection is closed, but only after the client had a moment to read the answer: a close with bytes unread
    resets the connection, and the client would see that reset instead of the reason.
    """
    body = msgspec.json.encode(problem_body(problem, scope["path"]))
    whole = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), *headers]
    whole += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in problem.headers.items()]
    if linger:
        whole.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": whole})
    await send({"type": "http.response.body", "body": body, "more_body": linger})
    if linger:
        if problem.status != HTTPStatus.REQUEST_TIMEOUT:
            await _let_go(receive)
        await send({"type": "http.response.body", "body": b""})


async def _let_go(receive: Receive) -> None:
    """Let what the client still sends pass by, for a bounded while."""
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _too_large(at_most: int) -> Problem:
    return Problem(413, f"The body is larger than {at_most} bytes; send less at once.", kind="too-large")
