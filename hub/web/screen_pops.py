"""The screen pop, plain ASGI: GET /api/v1/screen-pop. The declaration, the check of who asks and the problems are the API's
own (`hub.web.api.desk`, `access`, `problems`); only Flask is not asked, which took twice the time of the look-up.

What looks up runs on a few threads that never wait for a CRM: where one has to be waited for, the server's own thread does,
and the pop goes on when it has answered or the deadline is there. So a slow CRM takes nobody else's time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.datastructures import Headers
from werkzeug.sansio.request import Request
from werkzeug.urls import iri_to_uri
from werkzeug.utils import redirect

from hub.desk.asking import Wait
from hub.web.access import entitled, session_in, who
from hub.web.api.desk import popping
from hub.web.api.rooms import SCREEN_POP
from hub.web.asgi_wire import Pairs, Receive, Scope, Send, answer, refuse
from hub.web.flask_app import NEVER_KEPT, SECURITY_HEADERS
from hub.web.metrics import Metrics, metrics_of
from hub.web.problems import not_possible, problem_of

if TYPE_CHECKING:
    from flask import Flask

    from hub.assembly import Hub

PATH = SCREEN_POP.rule
METHODS = ("GET", "HEAD", "OPTIONS")
THREADS = 16  # each step of a pop holds one for a few small look-ups in the store, never for a CRM
ALWAYS: Pairs = [(name.lower().encode(), value.encode()) for name, value in {**SECURITY_HEADERS, **NEVER_KEPT}.items()]


class Answered(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    media: str = "application/json"
    headers: Iterable[tuple[bytes, bytes]] = ()


class ScreenPops:
    """The ASGI application behind PATH. A request comes here with its body read; a pop has no use for one."""

    def __init__(self, hub: Hub, flask: Flask) -> None:
        self._hub, self._flask = hub, flask
        self._metrics: Metrics | None = metrics_of(flask)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="screen-pop")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            told = await self._answered(scope)
        except Exception as error:  # noqa: BLE001 (whatever it is, whoever asked is told)
            await refuse(scope, receive, send, problem_of(error, PATH), headers=ALWAYS)
        else:
            await answer(send, told.status, told.body, told.media.encode(), [*told.headers, *ALWAYS])
        if self._metrics is not None:
            self._metrics.popped(SCREEN_POP.endpoint, time.perf_counter() - began)

    async def _answered(self, scope: Scope) -> Answered:
        method = scope["method"]
        if method == "OPTIONS":
            return Answered(HTTPStatus.OK, b"", "text/html; charset=utf-8", [(b"allow", ", ".join(METHODS).encode())])
        if method not in METHODS:
            raise not_possible(method, scope["path"], METHODS)
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        steps = self._steps(Request(method, "", None, "", PATH, scope["query_string"], headers, None))
        loop = asyncio.get_running_loop()
        while True:
            step = await loop.run_in_executor(self._threads, _next, steps)
            if isinstance(step, Answered):
                return step
            await _heard(step)

    def _steps(self, request: Request) -> Generator[Wait, None, Answered]:
        """Check who asks and what, look up, and say it. Runs on the threads, one step at a time."""
        says = SCREEN_POP.says
        authorization = request.headers.get("Authorization", "")
        entitled(who(self._hub.access, authorization, lambda: session_in(self._flask, request.cookies)), says.scope)
        query = says.asked(request.args)
        to_page = query.pop("redirect")
        pop = yield from popping(self._hub, query)
        if to_page:
            there = iri_to_uri(pop.url)
            page = redirect(there).get_data()
            return Answered(HTTPStatus.FOUND, page, "text/html; charset=utf-8", [(b"location", there.encode())])
        body, status = says.said(pop)
        return Answered(status, body, says.media)


def _next(steps: Generator[Wait, None, Answered]) -> Wait | Answered:
    """The next step: what has to be waited for, or the answer."""
    try:
        return next(steps)
    except StopIteration as done:
        made: Answered = done.value
        return made


async def _heard(wait: Wait) -> None:
    """Wait until all answers are there, or the deadline is."""
    loop = asyncio.get_running_loop()
    left, all_there = len(wait.answers), loop.create_future()

    def one_more() -> None:
        nonlocal left
        left -= 1
        if not left and not all_there.done():
            all_there.set_result(None)

    def there(_answer: Any) -> None:
        if not loop.is_closed():  # an answer that comes when the server has ended
            loop.call_soon_threadsafe(one_more)

    for one in wait.answers:
        one.add_done_callback(there)
    await asyncio.wait([all_there], timeout=max(0.0, wait.deadline - time.monotonic()))
