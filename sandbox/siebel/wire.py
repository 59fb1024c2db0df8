"""Siebel's REST API on the wire: who calls, the data API, describe, business services, and how errors look.

Inference: the status of errors that the guide shows without one (500, as it has them for business services), 404 for a
resource that there is not, and how a status object looks in JSON.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from markupsafe import escape
from msgspec import structs
from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.siebel.describing import document, older
from sandbox.siebel.schema import COMPONENTS, INTEGRATION_OBJECTS, LISTS, SERVICES, VALUES, Component
from sandbox.siebel.state import Problem, Record, Records, outwardly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT, PAGES, TOKENS = "/siebel/v1.0", "/siebel/app/", "/oauth2/token"
PAGE, LARGEST_PAGE, LOWERED_PAGE, LARGEST_QUERY = 10, 100, 20, 9900
LARGEST_ARRAY, LONGEST_TARGET = 100, 8190
NOTHING = "There is no data for the requested resource"
HIDES = ("Personal",)  # view modes in which our user, who owns nothing, sees nothing


class Service:
    """The web service."""

    def __init__(self, records: Records, faults: Faults, users: Mapping[str, str], clients: Mapping[str, str]) -> None:
        self._records, self._faults, self._users, self._clients = records, faults, users, clients
        self._tokens: set[str] = set()

    def at(self, url: str) -> WSGIApplication:
        """The application, told where it is reached."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                answer = self._answered(Request(environ), url)
            except Problem as problem:
                answer = _failed(problem)
            return answer(environ, start_response)

        return app

    def _answered(self, request: Request, url: str) -> Response:
        if request.path == TOKENS:
            return self._token(request)
        if request.path.startswith(PAGES):
            return _page(request)
        # The raw path, so that a slash within a row id stays part of it.
        raw = str(request.environ.get("RAW_URI") or request.path)
        path = raw.partition("?")[0].rstrip("/")
        if not path.startswith(f"{ROOT}/"):
            return Response("Not Found", 404, mimetype="text/html")
        self._signed_in(request)
        if len(raw) > LONGEST_TARGET:
            return Response("Request-URI Too Long", 414, mimetype="text/html")
        self._troubled()
        kind, *rest = [unquote(part) for part in path.removeprefix(f"{ROOT}/").split("/")]
        if kind == "service" and len(rest) == 2 and request.method == "POST":
            return self._served(rest[0], rest[1], _body(request))
        if kind != "data" or len(rest) < 2:
            raise Problem(404, f"Invalid resource '{'/'.join(rest) or kind}'", "SBL-EAI-50257")
        return self._data(request, rest, url)

    def _troubled(self) -> None:
        if self._faults.take("forbidden"):
            raise Problem(403, "Access to Resource of type BUS_COMP is denied", "SBL-DAT-00825")
        if self._faults.take("server_error"):
            raise Problem(500, "Internal Server Error")
        if self._faults.take("object_manager"):
            raise Problem(500, "Internal: the object manager is not available", "SBL-SVR-01042")

    # --- the data API ----------------------------------------

    def _data(self, request: Request, rest: list[str], url: str) -> Response:
        describes = rest[-1] == "describe"
        rest = rest[:-1] if describes else rest
        component, parent, id = self._found(rest)
        shown = component
        if self._faults.take("no_updated"):
            kept = tuple(field for field in component.fields if field.name not in ("Created", "Updated"))
            shown = structs.replace(component, fields=kept)
        if describes:
            if request.args.get("openapiversion") == "2":
                return _json(older(shown, url.partition("://")[2], ROOT))
            return _json(document(shown, url, ROOT))
        match request.method:
            case "GET":
                return self._query(request, component, shown, parent, id, url)
            case "POST" | "PUT":
                return self._written(request, component, parent, id, url)
            case "DELETE":
                told = json.loads(request.get_data() or "null")
                ids = [str(one.get("Id", "")) for one in told] if isinstance(told, list) else [id]
                _short_enough(ids)
                with self._records.transaction():
                    for one in ids:
                        self._modified()
                        self._records.delete(component, one)
                return Response("", 200, mimetype="application/json")
        raise Problem(405, "Not Allowed")

    def _found(self, rest: list[str]) -> tuple[Component, str, str]:
        """The component that a path means, its parent's row id and the record's."""
        for at, parent in ((2, ""), (4, rest[2] if len(rest) > 2 else "")):
            names = [*rest[:2], "{key}", *rest[3:4]] if at == 4 else rest[:2]
            component = COMPONENTS.get("/".join(names))
            if component is not None and len(rest) in (at, at + 1):
                return component, parent, rest[at] if len(rest) > at else ""
        raise Problem(404, f"Invalid resource '{'/'.join(rest)}'", "SBL-EAI-50257")

    def _query(
        self, request: Request, component: Component, shown: Component, parent: str, id: str, url: str
    ) -> Response:
        told = {name.lower(): value for name, value in request.args.items()}  # the guide writes them in both ways
        names = [name.strip() for name in told.get("fields", "").split(",") if name.strip()]
        for name in names:
            if shown.field(name) is None:
                raise Problem(400, f"Field '{name}' is not valid for '{component.name}'", "SBL-EAI-50258")
        size = int(told.get("pagesize") or PAGE)
        start = int(told.get("startrownum") or 0)
        most = LOWERED_PAGE if self._faults.take("small_pages") else LARGEST_PAGE
        if size > most:
            words = f"PageSize method argument cannot be greater than '{most}' specified by server parameter"
            raise Problem(500, words, "SBL-EAI-04447")
        if start + size > LARGEST_QUERY and told.get("executionmode", "").lower() != "forwardonly":
            words = "There were more rows than could be returned. Please refine your query to bring back fewer rows"
            raise Problem(500, words, "SBL-DAT-00500")
        found = self._records.query(component, told.get("searchspec", ""), parent)
        if id:
            found = [record for record in found if record["Id"] == id]
        if told.get("viewmode") in HIDES:
            found = []
        for one in reversed(told.get("sortspec", "").split(",")):
            name, _, order = one.partition(":")
            if name.strip():
                found.sort(key=lambda record: str(record.get(name.strip(), "")), reverse=order.strip() == "desc")
        if self._faults.take("other_order"):
            found.reverse()
        page = outwardly(found[start : start + size])
        if not page:
            if self._faults.take("no_content"):
                return Response("", 204)
            raise Problem(404, NOTHING)
        items = [_item(record, component, url, names) for record in page]
        headers = {"Total-Record-Count": str(len(found))} if told.get("recordcountneeded", "").lower() == "true" else {}
        uniform = told.get("uniformresponse", "").lower() in ("y", "yes")
        if len(items) == 1 and (not uniform or self._faults.take("bare_records")):
            return _json(items[0], headers=headers)
        link = {"rel": "self", "href": f"{url}{request.full_path}", "name": component.name}
        return _json({"items": items, "Link": [link]}, headers=headers)

    def _written(self, request: Request, component: Component, parent: str, id: str, url: str) -> Response:
        body = _body(request)
        told = body if isinstance(body, list) else [{**body, "Id": id} if id else body]
        if not told or not all(isinstance(one, dict) for one in told):
            raise Problem(400, "The body holds no records")
        _short_enough(told)
        done: list[Record] = []
        changed = False
        with self._records.transaction():
            for one in told:
                self._modified()
                if request.method == "POST":
                    record, what = self._records.insert(component, _without_id(one), parent), "Insert"
                else:
                    record, what = self._records.upsert(component, one)
                changed = changed or bool(what)
                sent = {name: record.get(name, "") for name in one if name != "Id"}
                done.append({**sent, "Id": record["Id"], "Link": _links(component, record, url)[0]})
        if not changed:
            return Response("", 304)
        return _json(done if isinstance(body, list) else {"items": done[0]})

    def _modified(self) -> None:
        if self._faults.take("modified"):
            words = "The selected record has been modified by another user since it was retrieved. Please continue."
            raise Problem(500, words, "SBL-DAT-00523")

    # --- business services ----------------------------------------

    def _served(self, service: str, method: str, body: Any) -> Response:
        if (service, method) == LISTS:
            return _json({"ListsTopElementResult": _lists(body)})
        takes = SERVICES.get((service, method))
        if takes is None:
            raise Problem(404, f"Invalid resource '{service}/{method}'", "SBL-EAI-50257")
        told = body.get("body", {}) if isinstance(body, dict) else {}
        message = told.get("SiebelMessage", {})
        object = message.get("IntObjectName", "")
        if object not in takes:
            raise Problem(500, f"Integration object '{object}' is not known to '{service}'", "SBL-EAI-04127")
        name, path, key = INTEGRATION_OBJECTS[object]
        component, listed = COMPONENTS[path], f"ListOf{object}"
        rows = message.get(listed, {}).get(name, [])
        status = []
        with self._records.transaction():
            for one in rows if isinstance(rows, list) else [rows]:
                self._modified()
                record, what = self._records.upsert(component, one, key)
                status.append({"Id": record["Id"], key: record[key], "Operation": (what or "Update").lower()})
        answer: dict[str, Any] = {"PrimaryRowId": status[-1]["Id"] if status else ""}
        if str(told.get("StatusObject", "")).lower() == "true" and not self._faults.take("no_status"):
            head = {one: message[one] for one in ("MessageId", "MessageType", "IntObjectName") if one in message}
            answer["SiebelMessage"] = {**head, "IntObjectFormat": "Siebel Hierarchical", listed: {name: status}}
        return _json(answer)

    # --- who calls ----------------------------------------

    def _signed_in(self, request: Request) -> None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        known = (kind == "Basic" and _is_known(value, self._users)) or (kind == "Bearer" and value in self._tokens)
        if self._faults.take("refused") or self._faults.take("expired") or not known:
            raise Problem(401, "Invalid credentials")

    def _token(self, request: Request) -> Response:
        """The server beside it that gives out tokens, which Siebel asks about them."""
        told = request.headers.get("Authorization", "").removeprefix("Basic ")
        if not _is_known(told, self._clients) or request.form.get("grant_type") != "client_credentials":
            return _json({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})


def _item(record: Record, component: Component, url: str, names: list[str]) -> dict[str, Any]:
    wanted = dict.fromkeys((*names, "Id")) if names else record
    return {**{name: record.get(name, "") for name in wanted}, "Link": _links(component, record, url)}


def _links(component: Component, record: Record, url: str) -> list[dict[str, str]]:
    href = f"{url}{ROOT}/data/{quote(component.path)}/{quote(record['Id'], safe='')}"
    return [{"rel": rel, "href": href, "name": component.name} for rel in ("self", "canonical")]


def _without_id(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "Id"}


def _short_enough(told: list[Any]) -> None:
    if len(told) > LARGEST_ARRAY:
        raise Problem(400, f"A request holds at most {LARGEST_ARRAY} records")


def _body(request: Request) -> Any:
    if request.mimetype not in ("application/json", ""):
        raise Problem(415, "Unsupported Media Type")
    try:
        return json.loads(request.get_data())
    except ValueError:
        raise Problem(400, "The body is no JSON") from None


def _lists(body: Any) -> dict[str, Any]:
    """Lists of values, as siebelapp.js of blacksheep IT consulting asks for and reads them: one comes as itself."""
    asked = body.get("body", {}).get("ListsTopElementQuery", {}).get("ListOfList Query", {}).get("List", [])
    found = []
    for one in asked if isinstance(asked, list) else [asked]:
        values = [
            {"Active": "Y" if active else "N", "Display Value": value, "Value": value, "Language Code": "ENU"}
            for type, value, active in VALUES
            if type == one.get("Type") and (active or one.get("Active") != "Y")
        ]
        found.append({"Type": one.get("Type"), "List Value": values[0] if len(values) == 1 else values})
    head = {"MessageType": "Integration Object", "IntObjectName": "List Result"}
    return {**head, "List": found[0] if len(found) == 1 else found}


def _failed(problem: Problem) -> Response:
    """An error as the guide shows it: the code stands behind the words."""
    return _json({"ERROR": f"{problem.words}({problem.code})" if problem.code else problem.words}, problem.status)


def _json(told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(told), status, headers, content_type="application/json")


def _is_known(value: str, known: Mapping[str, str]) -> bool:
    try:
        name, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return False
    return bool(password) and secrets.compare_digest(known.get(name, ""), password)


def _page(request: Request) -> Response:
    """What a browser opens: the words that it came with."""
    told = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in request.args.items())
    return Response(f"<!DOCTYPE html><title>Siebel</title><h1>Siebel</h1><dl>{told}</dl>", mimetype="text/html")
