"""What can be made to go wrong in a sandbox: the ways in which any web service fails, and the vendor's own.

    POST /_sandbox/faults    {"fault": "down", "times": 2, "path": "/services", "after": 0, "seconds": 1.0}
    GET  /_sandbox/faults    the names that there are, and what is switched on
    GET  /_sandbox/calls     how many requests came, by method and path

`times` -1 is for ever, `after` lets so many requests pass first, `path` and `method` say which requests are meant. A fault
of the vendor's own is taken by the sandbox's code where it happens: `faults.take("lock")`.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Any web service: what a caller sees.
FAULTS: Mapping[str, str] = {
    "down": "503 with an HTML page; nothing is done",
    "throttled": "429 with Retry-After in seconds; nothing is done",
    "throttled_until": "429 with Retry-After as a date; nothing is done",
    "reset": "the connection breaks before anything is done",
    "reset_after": "the connection breaks after the work was done",
    "failed_after": "500 after the work was done",
    "slow": "waits `seconds` before anything is done",
    "truncated": "the work is done and the answer ends in the middle",
    "login_page": "302 to a sign-in page that answers 200 with HTML; nothing is done",
    "html": "200 with an HTML page; nothing is done",
    "gzip": "the answer comes compressed",
}
CONTROL = "/_sandbox/"
LOGIN = "/_sandbox/login"
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class UnknownFault(ValueError):
    """No such fault here."""


class Switched:
    """One fault that is switched on."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.name = str(told["fault"])
        self.times = int(told.get("times", 1))
        self.after = int(told.get("after", 0))
        self.path = str(told.get("path", "/"))
        self.method = str(told.get("method", "")).upper()
        self.seconds = float(told.get("seconds", 1.0))

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is one of those that are meant."""
        return path.startswith(self.path) and self.method in ("", method)

    def shown(self) -> dict[str, Any]:
        """As the control page tells it."""
        return {"fault": self.name, "times": self.times, "after": self.after, "path": self.path, "method": self.method}


class Faults:
    """The faults of one sandbox. `own` names the vendor's, each with what it does."""

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self.known = {**FAULTS, **(own or {})}
        self._lock = threading.Lock()
        self._on: list[Switched] = []
        self.calls: Counter[tuple[str, str]] = Counter()

    def set(self, fault: str, **told: Any) -> None:
        """Switch a fault on. Raises UnknownFault."""
        if fault not in self.known:
            raise UnknownFault(f"there is no fault {fault}; known: {', '.join(self.known)}")
        with self._lock:
            self._on.append(Switched({"fault": fault, **told}))

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._on.clear()

    def take(self, name: str, method: str = "", path: str = "") -> Switched | None:
        """The fault `name` where it is switched on and due now; it is used up so. Without a path, any request is meant."""
        with self._lock:
            for fault in self._on:
                if fault.name != name or (path and not fault.meets(method, path)):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times == 0:
                    continue
                fault.times -= fault.times > 0
                return fault
        return None

    def shown(self) -> dict[str, Any]:
        """What there is and what is on."""
        with self._lock:
            return {"known": self.known, "on": [fault.shown() for fault in self._on if fault.times]}

    @property
    def call_count(self) -> int:
        """How many requests came to the vendor's paths."""
        with self._lock:
            return sum(self.calls.values())

    def came(self, method: str, path: str) -> None:
        """A request came."""
        with self._lock:
            self.calls[method, path] += 1


class FaultyApp:
    """A WSGI application with the faults of any web service before and after it, and the control paths beside it."""

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        self._app, self._faults = app, faults

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # To its end, and first: a server that answers and closes before resets the connection, and the answer may be lost.
        environ["wsgi.input"] = io.BytesIO(get_input_stream(environ).read())
        request = Request(environ)
        if request.path.startswith(CONTROL):
            return self._control(request)(environ, start_response)
        method, path = request.method, request.path
        self._faults.came(method, path)

        def taken(name: str) -> Switched | None:
            return self._faults.take(name, method, path)

        if fault := taken("slow"):
            time.sleep(fault.seconds)
        if taken("reset"):
            return _broken_off(environ)
        for name, answer in _INSTEAD.items():
            if fault := taken(name):
                return answer(fault)(environ, start_response)
        after = next((name for name in ("reset_after", "failed_after", "truncated", "gzip") if taken(name)), None)
        if after is None:
            return self._app(environ, start_response)
        body, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        whole = b"".join(body)
        if after == "reset_after":
            return _broken_off(environ)
        if after == "failed_after":
            return Response(_PAGE.format("Internal error"), 500, mimetype="text/html")(environ, start_response)
        if after == "truncated":  # the length of the whole is announced, half of it is sent
            start_response(status, list(headers.items()))
            return [whole[: len(whole) // 2]]
        headers["Content-Encoding"] = "gzip"
        headers.pop("Content-Length", None)
        return Response(gzip.compress(whole), status, headers)(environ, start_response)

    def _control(self, request: Request) -> Response:
        if request.path == LOGIN:
            return Response(_PAGE.format("Sign in"), mimetype="text/html")
        if request.path == f"{CONTROL}calls":
            return _json([{"method": m, "path": p, "count": n} for (m, p), n in sorted(self._faults.calls.items())])
        if request.path == f"{CONTROL}faults" and request.method == "POST":
            told = request.get_json(silent=True)
            if not isinstance(told, dict) or "fault" not in told:
                return _json({"problem": 'send {"fault": NAME, "times": 1}'}, 400)
            try:
                if told["fault"] == "none":
                    self._faults.clear()
                else:
                    self._faults.set(**told)
            except (UnknownFault, TypeError, ValueError) as error:
                return _json({"problem": str(error)}, 422)
        elif request.path != f"{CONTROL}faults":
            return _json({"problem": "known: faults, calls"}, 404)
        return _json(self._faults.shown())


def _throttled(retry_after: Callable[[Switched], str]) -> Callable[[Switched], Response]:
    return lambda fault: Response("Too many requests", 429, {"Retry-After": retry_after(fault)}, "text/plain")


_INSTEAD: Mapping[str, Callable[[Switched], Response]] = {
    "down": lambda _: Response(_PAGE.format("Service unavailable"), 503, mimetype="text/html"),
    "throttled": _throttled(lambda fault: str(max(1, int(fault.seconds)))),
    "throttled_until": _throttled(lambda fault: formatdate(time.time() + fault.seconds, usegmt=True)),
    "login_page": lambda _: Response("", 302, {"Location": LOGIN}),
    "html": lambda _: Response(_PAGE.format("Welcome"), mimetype="text/html"),
}


def _json(told: object, status: int = 200) -> Response:
    return Response(json.dumps(told, indent=1), status, mimetype="application/json")


def _broken_off(environ: WSGIEnvironment) -> Iterable[bytes]:
    """The connection ends without an answer: a reset, where the platform can make one."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())  # closing it would wait for those who still hold its files
    raise ConnectionAbortedError
