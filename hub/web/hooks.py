"""Hooks in: POST /hooks/{connection}, plain ASGI. 202 is answered when the events are durable, never before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

import structlog

from hub.clock import now
from hub.config import Config
from hub.connections import Connections
from hub.contract import HookRequest
from hub.errors import InvalidEvent, SenderRefused, Unreadable
from hub.flow.intake.accept import Accepted, TooBusy
from hub.model import Event
from hub.web.asgi_wire import Gone, Receive, Scope, Send, answer, body_of, headers_of, refuse
from hub.web.problems import Problem

PREFIX = "/hooks/"
READ_SECONDS = 30.0  # for a whole body: who sends a byte now and then does not hold a place for ever
LARGE = 64 << 10  # bytes; what is larger is read by a thread, so that it holds up nobody else

log = structlog.get_logger()


class Accepts(Protocol):
    """What the hooks ask of the acceptor."""

    async def accepted(self, connection: str, events: Sequence[Event]) -> Accepted: ...

    async def kept_unread(self, connection: str, request: HookRequest, reason: str) -> None: ...


class HookHub(Protocol):
    """What the hooks ask of the hub."""

    @property
    def config(self) -> Config: ...

    @property
    def connections(self) -> Connections: ...

    @property
    def acceptor(self) -> Accepts: ...


class Hooks:
    """The ASGI application behind /hooks/. `counted(connection, status)` is told of every answer."""

    def __init__(
        self,
        hub: HookHub,
        counted: Callable[[str, int], None] = lambda _connection, _status: None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._hub, self._counted, self._read_seconds = hub, counted, read_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, headers = scope["path"][len(PREFIX) :], headers_of(scope)
        whole = False  # whether the body was read to its end
        try:
            read = self._receiver(name)
            _check_head(scope["method"], headers)
            body = await body_of(receive, headers, self._hub.config.max_body_bytes, self._read_seconds)
            whole = True
            query = _query(scope["query_string"])
            request = HookRequest(method="POST", query=query, headers=headers, body=body, received_at=now())
            said = await self._taken(name, read, request)
        except Gone:
            return
        except Problem as problem:
            known = name if problem.status != 404 else ""
            self._counted(known, problem.status)
            log.info("hook refused", connection=known, status=problem.status, kind=problem.kind)
            await refuse(scope, receive, send, problem, linger=not whole)
            return
        self._counted(name, 202)
        await answer(send, 202, said)

    def _receiver(self, name: str) -> Callable[[HookRequest], Sequence[Event]]:
        connection = self._hub.connections.get(name)
        read = getattr(connection.connector, "receive", None) if connection is not None else None
        if not callable(read):  # one answer for both: it tells nobody what else there is
            raise Problem(404, "There is no connection of this name that takes hooks.", kind="not-found")
        return read  # type: ignore[no-any-return]

    async def _taken(self, name: str, read: Callable[[HookRequest], Sequence[Event]], request: HookRequest) -> bytes:
        """Take a proven hook in and say what came of it. Raises Problem."""
        try:
            events = await asyncio.to_thread(read, request) if len(request.body) > LARGE else read(request)
            done = await self._hub.acceptor.accepted(name, events)
            return b'{"accepted":%d,"duplicates":%d}' % (done.accepted, done.duplicates)
        except Unreadable as unreadable:
            reason = str(unreadable)
        except Exception as error:  # noqa: BLE001 (a sender whose hook failed comes again only if it hears so)
            raise _problem(error, name) from None
        try:
            await self._hub.acceptor.kept_unread(name, request, reason)
        except Exception as error:  # noqa: BLE001 (as above)
            raise _problem(error, name) from None
        return b'{"accepted":0,"duplicates":0,"unread":1}'


def _query(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}


def _check_head(method: str, headers: Mapping[str, str]) -> None:
    if method != "POST":
        raise Problem(405, "Hooks are posted.", kind="method-not-allowed", headers={"Allow": "POST"})
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            f'The body is encoded as "{encoding[:40]}"; send it plain, without Content-Encoding.',
            kind="encoded-body",
            headers={"Accept-Encoding": "identity"},
        )


def _problem(error: Exception, connection: str) -> Problem:
    if isinstance(error, SenderRefused):
        return Problem(401, str(error), kind="sender-refused", headers={"WWW-Authenticate": "Signature"})
    if isinstance(error, InvalidEvent):
        return Problem(422, str(error), kind="invalid-event", errors={error.field: error.problem})
    if isinstance(error, TooBusy):
        return Problem(503, f"Nothing was kept: {error}. Send it again.", kind="busy", headers={"Retry-After": "1"})
    # By name only: the message of a database error holds the row.
    log.error("hook failed", connection=connection, error=type(error).__name__)
    return Problem(500, "Nothing was kept: the hub failed on this hook. Send it again.", kind="internal")
