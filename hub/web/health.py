"""Is it alive, is it ready? For load balancers and containers."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from hub.store.health import answers
from hub.web.current import the_hub

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return _said(200, {"status": "alive"})


@pages.get("/readyz")
def ready() -> Response:
    """The store answers and the mappings are loaded: this node can take traffic."""
    checks = {"store": "ok", "mappings": "ok"}
    if not answers(the_hub().store):
        checks["store"] = "the store does not answer"
    if not the_hub().started:
        checks["mappings"] = "not loaded yet"
    good = all(said == "ok" for said in checks.values())
    return _said(200 if good else 503, {"status": "ready" if good else "not ready", "checks": checks})


def _said(status: int, what: object) -> Response:
    return Response(
        msgspec.json.encode(what), status, mimetype="application/json", headers={"Cache-Control": "no-store"}
    )
