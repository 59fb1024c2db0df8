"""The embedded interaction platform (sandbox/softphone): dials, contact lists and signed hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

import msgspec
import requests

from connectors.wire.canonical import events_of
from connectors.wire.standard_webhooks import prove
from hub.contract import HookRequest, Manifest, Setting, Tools
from hub.errors import (
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
    nearest,
)
from hub.model import Description, DialReceipt, DialRequest, Event, Field, Identity, Receipt, Row, Target

JSON = {"Content-Type": "application/json"}

CONTACT_LIST = Description(
    object="contact_list",
    label="Contact list",
    fields=(
        Field(name="phone", label="Phone", type="phone", required=True, max_length=32),
        Field(name="name", label="Name", max_length=120),
        Field(name="first_name", label="First name", max_length=80),
        Field(name="last_name", label="Last name", max_length=80),
        Field(name="email", label="E-mail", type="email", max_length=254),
        Field(name="company", label="Company", max_length=120),
        Field(name="country", label="Country", max_length=2),
        Field(name="language", label="Language", max_length=8),
        Field(name="crm_key", label="CRM key", max_length=200),
        Field(name="agent", label="Agent", max_length=80),
        Field(name="priority", label="Priority", type="integer"),
        Field(name="callback_at", label="Call back at", type="datetime"),
        Field(name="note", label="Note", type="longtext", max_length=2000),
    ),
)


class Softphone:
    """Patchbay's own platform: for a first try, for demos and for tests."""

    manifest: ClassVar[Manifest] = Manifest(
        name="softphone",
        title="Softphone",
        about="The embedded interaction platform: takes dials and contact lists, plays calls back as signed hooks.",
        family="platform",
        settings=(
            Setting(name="url", about="Where the platform listens.", kind="url", required=True,
                    example="http://127.0.0.1:8090"),
            Setting(name="token", about="The bearer token that it asks for.", kind="secret", required=True),
            Setting(name="secrets", about="What its hooks are signed with; several while one is replaced.",
                    kind="secrets", required=True, example="${PATCHBAY_WEBHOOK_SECRET}"),
        ),
        idempotency="native-upsert",
        rows_per_call=1000,
        source="sandbox/softphone",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._url = str(settings["url"]).rstrip("/")
        self._headers = {"Authorization": f"Bearer {settings['token']}"}
        given = settings["secrets"]
        self._secrets = (given,) if isinstance(given, str) else tuple(given)
        if not self._secrets or not all(self._secrets):
            raise ConfigError(f"{tools.connection}: secrets: at least one is needed, and none may be empty")
        self._session = tools.session

    def check(self) -> Identity:
        """Who the token is there."""
        answer = self._answer(self._session.get(f"{self._url}/v1/me", headers=self._headers))
        return Identity(user=str(answer["user"]), system=str(answer["system"]), version=str(answer["version"]))

    def receive(self, request: HookRequest) -> Sequence[Event]:
        """Canonical events, proven by Standard Webhooks."""
        prove(request, self._secrets)
        return events_of(request)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """Contacts of the list that the mapping's target names; a contact's id is the row's key, so upsert is native."""
        if target.object != CONTACT_LIST.object:
            raise Unsupported(f'the softphone has no "{target.object}"; it takes {CONTACT_LIST.object}')
        name = str(target.options.get("list") or "")
        if not name:
            raise Rejected("the target names no list; write `list: spring` beside `write: contact_list`")
        sent = [{"action": row.action, "id": row.key, "fields": row.fields} for row in rows]
        url = f"{self._url}/v1/lists/{quote(name, safe='')}/contacts"
        answer = self._answer(
            self._session.put(url, headers=self._headers | JSON, data=msgspec.json.encode({"rows": sent}))
        )
        results = answer.get("results")
        if not isinstance(results, list) or [_text(r, "id") for r in results] != [row.key for row in rows]:
            raise UnknownOutcome("the softphone did not answer for each contact; they may have been written")
        return [_receipt(name, result) for result in results]

    def dial(self, request: DialRequest) -> DialReceipt:
        """Originate once: the platform knows a repeated request by our id."""
        answer = self._session.post(
            f"{self._url}/v1/calls",
            headers={**self._headers, "Idempotency-Key": request.id},
            json={"to": request.to, "agent": request.agent, "dial": request.id},
        )
        if answer.status_code == 422:
            return DialReceipt(outcome="refused", reason=_problem(answer))
        return DialReceipt(outcome="accepted", interaction=str(self._answer(answer)["id"]))

    def objects(self) -> Sequence[str]:
        """A contact list is all that can be written."""
        return (CONTACT_LIST.object,)

    def describe(self, object: str) -> Description:
        """A contact's fields."""
        if object != CONTACT_LIST.object:
            raise NotFound(f'the softphone has no "{object}"{nearest(object, self.objects())}')
        return CONTACT_LIST

    def _answer(self, response: requests.Response) -> dict[str, Any]:
        if response.status_code >= 300:
            _fail(response)
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise UnknownOutcome("the softphone's answer cannot be read; it may have been done")
        return answer


_FAILURES: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    413: Rejected,
    422: Rejected,
    503: Unavailable,  # the platform says so before it begins anything
}


def _fail(response: requests.Response) -> NoReturn:
    status, problem = response.status_code, _problem(response)
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        raise Throttled(problem, float(wait) if wait.isdecimal() else None)
    if status in _FAILURES:
        raise _FAILURES[status](problem)
    if status < 500:
        raise Unavailable(problem)
    raise (
        Unavailable(problem)
        if response.request.method == "GET"
        else UnknownOutcome(f"{problem}; it may have been done")
    )


def _problem(response: requests.Response) -> str:
    try:
        said = response.json()
    except requests.JSONDecodeError:
        said = None
    text = _text(said, "problem")
    return f"the softphone answered {response.status_code}" + (f": {text}" if text else "")


def _receipt(name: str, result: Mapping[str, Any]) -> Receipt:
    key, outcome = _text(result, "id"), _text(result, "outcome")
    if outcome in ("created", "updated", "unchanged", "removed"):
        return Receipt(key=key, outcome=outcome, id=f"{name}/{key}")  # type: ignore[arg-type]
    wrong = result.get("fields")
    fields = {str(field): str(what) for field, what in wrong.items()} if isinstance(wrong, dict) else {}
    return Receipt(key=key, outcome="failed", error=Rejected(_text(result, "problem") or "refused", fields))


def _text(said: Any, name: str) -> str:
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) else ""
