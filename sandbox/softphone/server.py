"""The softphone's HTTP side: a bearer token, JSON in and out, and faults that a test can switch on.

Faults (`POST /v1/faults {"fault", "times", "path", "seconds"}`): `down` answers 503 and does nothing; `throttled` 429 with
Retry-After; `failed` 500 after the work was done; `reset` breaks the connection after the work was done; `slow` waits
first; `none` ends them all.
"""

from __future__ import annotations

import hmac
import socket
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.softphone.hooks import HookSender
from sandbox.softphone.platform import Platform, Refused

VERSION = "1"
ROWS_AT_MOST = 1000
FAULTS = ("none", "down", "throttled", "failed", "reset", "slow")


class Faults:
    """What goes wrong next, so often, on paths that begin so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: dict[str, Any] = {}

    def set(self, told: dict[str, Any]) -> None:
        """Switch a fault on (or all off)."""
        if told.get("fault") not in FAULTS:
            raise Refused(422, f"there is no fault {told.get('fault')}; known: {', '.join(FAULTS)}")
        with self._lock:
            self._set = {"times": 1, "path": "/v1/", "seconds": 1.0, **told}

    def next(self, path: str) -> dict[str, Any]:
        """The fault of this request; empty where all is well."""
        with self._lock:
            if (
                self._set.get("fault", "none") == "none"
                or not path.startswith(self._set["path"])
                or self._set["times"] < 1
            ):
                return {}
            self._set["times"] -= 1
            return dict(self._set)


def softphone_app(platform: Platform, hooks: HookSender, faults: Faults, token: str) -> Flask:
    """The application."""
    app = Flask("sandbox.softphone")
    app.config["MAX_CONTENT_LENGTH"] = 16 << 20

    @app.before_request
    def _first() -> Any:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            return _problem(401, "send the token as `Authorization: Bearer …`")
        if request.path == "/v1/faults":
            return None
        fault = faults.next(request.path)
        request.environ["fault"] = fault
        if fault.get("fault") == "slow":
            time.sleep(float(fault["seconds"]))
        if fault.get("fault") == "down":
            return _problem(503, "the platform is down")
        if fault.get("fault") == "throttled":
            answer = _problem(429, "too many requests")
            answer.headers["Retry-After"] = str(int(fault["seconds"]))
            return answer
        return None

    @app.after_request
    def _last(answer: Response) -> Response:
        fault = request.environ.get("fault", {}).get("fault")
        if fault == "failed":
            return _problem(500, "the platform failed")
        if fault == "reset":
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    @app.errorhandler(Refused)
    def _refused(refused: Refused) -> Response:
        return _problem(refused.status, refused.problem)

    @app.get("/v1/me")
    def me() -> Response:
        return jsonify(user="softphone", system="Patchbay softphone", version=VERSION)

    @app.post("/v1/calls")
    def dial() -> tuple[Response, int]:
        told, key = _told(), request.headers.get("Idempotency-Key", "")
        if not key:
            raise Refused(400, "an Idempotency-Key is needed")
        if not told.get("to") or not told.get("agent"):
            raise Refused(422, "to and agent are needed")
        call, new = platform.dial(key, str(told["to"]), str(told["agent"]), str(told.get("dial") or ""))
        return jsonify(platform.call(call["id"])), 201 if new else 200

    @app.get("/v1/calls/<id>")
    def call(id: str) -> Response:
        return jsonify(platform.call(id))

    @app.put("/v1/lists/<path:name>/contacts")
    def put_contacts(name: str) -> Response:
        rows = _told().get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Refused(422, "rows has to be a list of contacts")
        if len(rows) > ROWS_AT_MOST:
            raise Refused(413, f"{len(rows)} rows; at most {ROWS_AT_MOST} a call")
        return jsonify(results=platform.put_contacts(name, rows))

    @app.get("/v1/lists/<path:name>/contacts")
    def contacts(name: str) -> Response:
        return jsonify(contacts=platform.contacts(name))

    @app.post("/v1/lists/<path:name>/run")
    def run_list(name: str) -> tuple[Response, int]:
        return jsonify(interactions=platform.run_list(name, _told())), 202

    @app.post("/v1/play")
    def play() -> tuple[Response, int]:
        told = _told()
        return jsonify(interactions=platform.play(str(told.pop("script", "inbound")), told)), 202

    @app.post("/v1/faults")
    def set_fault() -> Response:
        faults.set(_told())
        return jsonify(ok=True)

    @app.get("/v1/hooks")
    def sent_hooks() -> Response:
        return jsonify(sent=hooks.sent, waiting=hooks.waiting, retried=hooks.retried, given_up=hooks.given_up)

    return app


class SoftphoneServer:
    """The softphone on a thread: for tests, for `make run` and for the demo. `port` 0 takes a free one."""

    def __init__(
        self,
        *,
        hook_url: str,
        secret: str,
        token: str,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        seed: int = 1,
        run: str = "",
        lists: Path | None = None,
    ) -> None:
        self.hooks = HookSender(hook_url, secret)
        self.platform = Platform(self.hooks, speed=speed, seed=seed, run=run, lists=lists)
        self.faults = Faults()
        app = softphone_app(self.platform, self.hooks, self.faults, token)
        self._server: BaseWSGIServer = make_server(host, port, app, threaded=True, request_handler=_Quiet)
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="softphone", daemon=True)

    def start(self) -> SoftphoneServer:
        """Serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and sending."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(10)
        self._server.server_close()
        self.hooks.close()

    def __enter__(self) -> SoftphoneServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Quiet(WSGIRequestHandler):
    """Numbers of people stand in the paths and bodies; nothing of a request is printed."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def _told() -> dict[str, Any]:
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        raise Refused(400, "a JSON object is needed")
    return told


def _problem(status: int, problem: str) -> Response:
    answer = jsonify(problem=problem)
    answer.status_code = status
    return answer
