"""Every error as a problem detail (RFC 9457): what, where, and what would be right; never a stack trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog
from flask import Flask, Response, render_template, request
from jinja2 import TemplateNotFound
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from hub.errors import ConnectorError, PatchbayError, Then, Throttled

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:patchbay:problem:"

log = structlog.get_logger()


class Problem(PatchbayError):
    """An error to answer with. `kind` names its type, such as `missing-scope`; `errors` maps a field's path to its problem;
    `more` are further members, such as `connections`."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "",
        title: str = "",
        errors: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind, self.more = status, detail, kind, more
        self.title = title or HTTP_STATUS_CODES.get(status, "Problem")
        self.errors = list(errors.items() if isinstance(errors, Mapping) else errors)
        self.headers = dict(headers or {})


def not_found(detail: str) -> Problem:
    """The problem for a thing that is not there."""
    return Problem(404, detail, kind="not-found")


def problem_body(problem: Problem, instance: str) -> dict[str, Any]:
    """The problem's JSON members."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.kind if problem.kind else "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        body["errors"] = [{"field": field, "problem": what} for field, what in problem.errors]
    return body | problem.more


def connector_problem(error: ConnectorError) -> Problem:
    """The problem for a connector's failure: 503 where trying again may help, 502 else."""
    headers = {}
    if isinstance(error, Throttled) and error.retry_after:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    status = 503 if error.then is Then.RETRY else 502
    return Problem(status, str(error), kind=error.name.replace("_", "-"), headers=headers)


def register_problems(app: Flask) -> None:
    """Have `app` answer every error with a problem."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        return _answer(problem)

    @app.errorhandler(ConnectorError)
    def _connector(error: ConnectorError) -> Response:
        return _answer(connector_problem(error))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None and isinstance(error.response, Response):  # a redirect, or an answer made by hand
            return error.response
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        return _answer(Problem(error.code or 500, _detail(error), title=error.name, headers=headers))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.exception("request failed", path=_route(), error=type(error).__name__)
        return _answer(Problem(500, "Patchbay failed on this request; the log of the hub says why.", kind="internal"))


def _detail(error: HTTPException) -> str:
    if error.code == 404:
        return f"There is nothing at {request.path}."
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return f"{request.method} is not possible at {request.path}; possible: {allowed}."
    return error.description or ""


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "unknown"


def _answer(problem: Problem) -> Response:
    if _for_a_person():
        try:
            page = render_template("problem.html", problem=problem)
        except TemplateNotFound:
            page = ""
        if page:
            return Response(page, problem.status, problem.headers, mimetype="text/html")
    body = msgspec.json.encode(problem_body(problem, request.path))
    return Response(body, problem.status, problem.headers, mimetype=MEDIA_TYPE)


def _for_a_person() -> bool:
    accepts = request.accept_mimetypes
    return not request.path.startswith("/api/") and accepts["text/html"] > accepts["application/json"]
