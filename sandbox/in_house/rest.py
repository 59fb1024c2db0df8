"""The in-house CRM's REST interface.

    POST /oauth/token                         client credentials; tokens end after an hour
    GET  /api/me                              who we are
    GET  /api/customers?phone_ends|email|ref  {"items": [...]}
    GET  /api/customers/{id}                  one; 301 is never sent, a merged id gives the customer that is left
    PUT  /api/calls/{ref}                     201 made, 200 changed
    POST /api/calls/batch                     {"calls": [...]} → {"results": [{"ref", "id", "status", "error"}]}
    GET  /api/calls?ref                       {"items": [...]}
    DELETE /api/calls/{ref}                   204, or 404
    GET  /api/segments/{name}/members?size&cursor&since   {"items", "left", "next"}

Errors are `{"error": {"code", "message", "fields": [{"field", "message"}]}}`.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import Any

from flask import Flask, Response, jsonify, request

from sandbox.frame import Faults
from sandbox.in_house.books import Books, Refused

OWN_FAULTS = {
    "token_ended": "the token is not taken any more; a new one is",
    "unauthorized": "no token is taken, and none is given",
    "locked": "the first call of a batch, or the one call, is locked: code LOCKED",
    "quota": "code QUOTA_DAY: the day's requests are used up",
    "ok_false": "200 with an error in it",
}
BATCH_AT_MOST = 100
CLIENT, SECRET = "patchbay", "in-house-secret"


class InHouseSandbox:
    """The CRM and its interface."""

    def __init__(self, rows: int = 200, seed: int = 1878) -> None:
        self.faults = Faults(OWN_FAULTS)
        self.books = Books(rows, seed)
        self._tokens: set[str] = set()
        self._lock = threading.Lock()

    def credentials(self) -> dict[str, Any]:
        """A client, for `sign_in: oauth2`. `sign_in_url` is the address with /oauth/token."""
        return {"sign_in": "oauth2", "client_id": CLIENT, "client_secret": SECRET}

    def app(self, _url: str) -> Flask:
        """The web service."""
        app = Flask("sandbox.in_house")
        app.json.sort_keys = False  # type: ignore[attr-defined]
        app.before_request(self._admitted)
        app.register_error_handler(Refused, _refused)
        app.add_url_rule("/oauth/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/api/me", "me", lambda: jsonify(login="patchbay", name="The hub"))
        app.add_url_rule("/api/customers", view_func=self._customers)
        app.add_url_rule("/api/customers/<path:id>", "customer", lambda id: jsonify(self.books.customer(id)))
        app.add_url_rule("/api/calls/batch", view_func=self._batch, methods=["POST"])
        app.add_url_rule("/api/calls", view_func=self._calls)
        app.add_url_rule("/api/calls/<path:ref>", view_func=self._call, methods=["PUT", "DELETE"])
        app.add_url_rule("/api/segments/<path:name>/members", view_func=self._members)
        return app

    # --- who may come in ----------------------------------------

    def _token(self) -> Any:
        told = request.form
        good = hmac.compare_digest(told.get("client_secret", "").encode(), SECRET.encode())
        refused = self.faults.take("unauthorized", "POST", "/oauth/token") is not None
        if told.get("grant_type") != "client_credentials" or told.get("client_id") != CLIENT or not good or refused:
            return jsonify(error="invalid_client"), 401
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens.add(token)
        return jsonify(access_token=token, token_type="Bearer", expires_in=3600)  # noqa: S106

    def _admitted(self) -> Any:
        if request.path == "/oauth/token":
            return None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            if self.faults.take("token_ended"):
                self._tokens.clear()
            known = token in self._tokens
        if not known or self.faults.take("unauthorized", request.method, request.path):
            raise Refused(401, "UNAUTHORIZED", "sign in first")
        if self.faults.take("quota"):
            raise Refused(429, "QUOTA_DAY", "the requests of the day are used up")
        if self.faults.take("ok_false"):
            return jsonify(error={"code": "BUSY", "message": "try again"})
        return None

    # --- customers, calls, segments ----------------------------------------

    def _customers(self) -> Any:
        asked = {name: request.args.get(name, "") for name in ("phone_ends", "email", "ref")}
        if not any(asked.values()):
            raise Refused(400, "NO_FILTER", "say phone_ends, email or ref")
        return jsonify(items=self.books.customers(**asked))

    def _calls(self) -> Any:
        call = self.books.call(request.args.get("ref", ""))
        return jsonify(items=[call] if call else [])

    def _call(self, ref: str) -> Any:
        self._unlocked()
        if request.method == "DELETE":
            if not self.books.drop_call(ref):
                raise Refused(404, "NO_SUCH_CALL", "there is no such call")
            return "", 204
        call, new = self.books.put_call(ref, _told())
        return jsonify(call), 201 if new else 200

    def _batch(self) -> Any:
        calls = _told().get("calls")
        if not isinstance(calls, list) or len(calls) > BATCH_AT_MOST:
            raise Refused(413, "TOO_MANY", f"send a list of at most {BATCH_AT_MOST} calls")
        return jsonify(results=[self._one_of_batch(call) for call in calls])

    def _one_of_batch(self, told: Any) -> dict[str, Any]:
        ref = str(told.get("ref", "")) if isinstance(told, dict) else ""
        try:
            self._unlocked()
            call, new = self.books.put_call(ref, {k: v for k, v in told.items() if k != "ref"})
        except Refused as refused:
            return {"ref": ref, "status": "error", "error": _error(refused)}
        return {"ref": ref, "id": call["id"], "status": "created" if new else "updated"}

    def _unlocked(self) -> None:
        if self.faults.take("locked"):
            raise Refused(409, "LOCKED", "somebody else has it open")

    def _members(self, name: str) -> Any:
        size = min(int(request.args.get("size", "100")), 500)
        since = request.args.get("since")
        items, left, following = self.books.members(name, request.args.get("cursor", ""), size, since)
        return jsonify(items=items, left=left, next=following)


def _told() -> dict[str, Any]:
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        raise Refused(400, "NO_JSON", "a JSON object is needed")
    return told


def _error(refused: Refused) -> dict[str, Any]:
    fields = [{"field": name, "message": what} for name, what in refused.fields.items()]
    return {"code": refused.code, "message": str(refused), "fields": fields}


def _refused(refused: Refused) -> tuple[Response, int]:
    return jsonify(error=_error(refused)), refused.status
