"""Every error as a problem detail (RFC 9457): what, where, and what would be right; never a stack trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog
from flask import Flask, Response, render_template, request
from jinja2 import TemplateNotFound
from werkzeug.exceptions import HTTPException, MethodNotAllowed
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


def problem_of(error: Exception, road: str) -> Problem:
    """The problem for whatever went wrong on `road`. What nobody has foreseen goes to the log, and none of it to who asked;
    to be called where it is handled."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ConnectorError):
        return connector_problem(error)
    log.exception("request failed", path=road, error=type(error).__name__)
    return Problem(500, "Patchbay failed on this request; the log of the hub says why.", kind="internal")


def not_possible(method: str, path: str, possible: Iterable[str]) -> Problem:
    """The problem for a method that a road does not have."""
    allowed = ", ".join(sorted(possible))
    detail = f"{method} is not possible at {path}; possible: {allowed}."
    return Problem(405, detail, headers={"Allow": allowed})


def register_problems(app: Flask) -> None:
    """Have `app` answer every error with a problem."""

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None and isinstance(error.response, Response):  # a redirect, or an answer made by hand
            return error.response
        if isinstance(error, MethodNotAllowed):
            return _answer(not_possible(request.method, request.path, error.valid_methods or ()))
        headers = {name: value for name, value in error.get_headers() if name == "Retry-After"}
        detail = f"There is nothing at {request.path}." if error.code == 404 else error.description or ""
        return _answer(Problem(error.code or 500, detail, title=error.name, headers=headers))

    @app.errorhandler(Exception)
    def _other(error: Exception) -> Response:
        return _answer(problem_of(error, request.url_rule.rule if request.url_rule else "unknown"))


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
