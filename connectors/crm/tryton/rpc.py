"""Tryton's JSON-RPC: sign in, call, and what its answers mean.

`POST /<database>/rpc/` with `{"id", "method", "params"}`; the last parameter is the context. One call is one transaction:
it is done as a whole or not at all. A business error comes with status 200 in `error`, everything else by the status.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import requests
from msgspec import Struct

from connectors.wire import answers
from connectors.wire.answers import moment, nothing_done, retry_after
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
)

# What a status means where nothing of the call was done. 404 is a wrong database name or a server before 8.0: no row's
# fault, so the connection pauses as for wrong credentials.
STATUSES: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    403: NotPermitted,
    404: CredentialsRefused,
    413: Rejected,
    422: Rejected,
    423: Locked,
}

# A UserError says what is wrong in words only; the calls ask for English, so the words can be read.
REASONS: tuple[tuple[re.Pattern[str], type[ConnectorError]], ...] = (
    (re.compile(r"that don't exist|does not exist"), NotFound),
    (re.compile(r"not allowed to modify the field"), Rejected),
    (re.compile(r"not allowed to|^Calling button .* is not allowed"), NotPermitted),
)
MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")
# Which field a message is about: the field's label, or a word of Tryton's own sentences.
_LABELLED = re.compile(r'field "([^"]+)"')
_WORDED = {"phone number": "phone", "email address": "email", "code on party": "code", "can not call": "state"}

Found = dict[str, Any]


class SignedIn(Struct, frozen=True, kw_only=True):
    """One session at Tryton."""

    header: str
    user_id: int
    context: dict[str, Any]
    administrator: bool


class Rpc:
    """Calls to one database as one user. A session that ran out is renewed once, out of the caller's sight."""

    def __init__(self, session: requests.Session, url: str, database: str, user: str, password: str) -> None:
        self._session = session
        self._root = url.rstrip("/")
        self._url = f"{self._root}/{database}/rpc/"
        self._user, self._password = user, password
        self._lock = threading.Lock()
        self._signed_in: SignedIn | None = None
        self.server_time: dt.datetime | None = None  # when the last answer came, by Tryton's own clock

    def read(self, method: str, *params: Any) -> Any:
        """The result of a method that changes nothing: whatever goes wrong on the way, nothing was done."""
        with nothing_done():
            return self._called(method, params, changes=False)

    def search(self, object: str, domain: list[Any], read: Sequence[str], size: int | None = None) -> list[Found]:
        """Records by ascending id, with these fields."""
        found: list[Found] = self.read(
            f"model.{object}.search_read", domain, 0, size, [["id", "ASC"]], list(dict.fromkeys(read))
        )
        return found

    def change(self, method: str, *params: Any) -> Any:
        """The result of a method that changes something there: no answer or a 5xx leaves the outcome unknown."""
        return self._called(method, params, changes=True)

    def version(self) -> str:
        """Tryton's series, such as `8.2`."""
        with nothing_done():
            answer = self._posted(f"{self._root}/rpc/", "common.server.version", [])
        return str(_result(answer, "common.server.version", changes=False))

    def signed_in(self, instead_of: SignedIn | None = None) -> SignedIn:
        """The session; a new one where there is none yet or `instead_of` is the one that ran out."""
        with self._lock:
            if self._signed_in is None or self._signed_in is instead_of:
                self._signed_in = None
                with nothing_done():
                    self._signed_in = self._new_session()
            return self._signed_in

    def _new_session(self) -> SignedIn:
        answer = self._posted(self._url, "common.db.login", [self._user, {"password": self._password}, "en"])
        if answer.status_code == 401:
            raise CredentialsRefused(f'Tryton refuses the user "{self._user}" or the password')
        user_id, token, *_ = _result(answer, "common.db.login", changes=False)
        header = "Session " + base64.b64encode(f"{self._user}:{user_id}:{token}".encode()).decode()
        # What its own clients do: the user's companies belong in every call's context, or the rules hide the records.
        method = "model.res.user.get_preferences"
        answer = self._posted(self._url, method, [True, {}], header)
        preferences = _result(answer, method, changes=False)
        return SignedIn(
            header=header,
            user_id=int(user_id),
            context={**preferences, "language": "en"},
            administrator=bool(preferences.get("administrator")),
        )

    def _called(self, method: str, params: tuple[Any, ...], changes: bool) -> Any:
        who = self.signed_in()
        answer = self._posted(self._url, method, [*params, who.context], who.header)
        if answer.status_code == 401:
            who = self.signed_in(instead_of=who)
            answer = self._posted(self._url, method, [*params, who.context], who.header)
            if answer.status_code == 401:
                raise CredentialsRefused(f"Tryton takes the password but refuses {method}")
        return _result(answer, method, changes)

    def _posted(self, url: str, method: str, params: list[Any], header: str = "") -> requests.Response:
        answer = self._session.post(
            url,
            data=json.dumps({"id": 1, "method": method, "params": params}, default=_typed),
            headers={"Content-Type": "application/json", **({"Authorization": header} if header else {})},
            allow_redirects=False,
        )
        if date := answer.headers.get("Date"):
            self.server_time = moment(date) or self.server_time
        return answer


def _result(answer: requests.Response, method: str, changes: bool) -> Any:
    status = answer.status_code
    if status == 429:
        raise Throttled("Tryton takes no more calls just now", retry_after(answer))
    if kind := STATUSES.get(status):
        raise kind(f"Tryton answers {status} to {method}: {_NOTES.get(status, 'refused')}")
    lost = answers.lost(changes)
    if status >= 500:
        raise lost(f"Tryton answers {status} to {method}")
    if status != 200:  # a redirect to somebody's sign-in page, say: Tryton never saw the call
        raise Unavailable(f"{method} is answered {status}, not by Tryton")
    try:
        body = json.loads(answer.content, object_hook=_plain)
    except ValueError as error:
        raise lost(f"the answer to {method} cannot be read") from error
    if not isinstance(body, dict) or not ("result" in body or "error" in body):
        raise lost(f"the answer to {method} is not JSON-RPC")
    if "error" in body:
        raise failure(body["error"])
    return body["result"]


_NOTES = {
    403: "this user may not call it, or there is no such method",
    404: "there is no such database, or the server is older than 8.0",
    413: "too large",
}


def failure(error: object) -> ConnectorError:
    """What an `error` of JSON-RPC means. The transaction was rolled back: nothing was done."""
    match error:
        case ["UserError", [str(message), *_]]:
            kind = next((kind for pattern, kind in REASONS if pattern.search(message)), Rejected)
            return Rejected(message, _fields(message)) if kind is Rejected else kind(message)
        case ["UserWarning", [_, str(message), *_]]:
            return Rejected(f"Tryton wants a person to confirm: {message}")
        case ["ConcurrencyException", message]:
            return Locked(str(message))
        case ["LoginException", [*_]]:
            return CredentialsRefused("Tryton wants more than the password to sign in")
        case [str(text), *_] if re.fullmatch(r"'[\w.]+'", text):  # a KeyError's words, all that Tryton says of it
            return Rejected(f"Tryton knows no field or object {text}")
        case [str(text), *_]:
            return Rejected(f"Tryton fails: {text or 'it does not say why'}")
        case _:
            return Rejected("Tryton fails without saying why")


def _fields(message: str) -> dict[str, str]:
    labelled = _LABELLED.search(message)
    if labelled:
        return {labelled.group(1).lower().replace(" ", "_"): message}
    return {name: message for words, name in _WORDED.items() if words in message}


def _typed(value: Any) -> Any:
    """A value that JSON has no word for, as Tryton writes it. Its times are UTC without a zone."""
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC) if value.tzinfo else value
        return {"__class__": "datetime", **{word: getattr(value, word) for word in MOMENT}}
    if isinstance(value, dt.date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    raise Rejected(f"Tryton has no word for a value of type {type(value).__name__}")


def _plain(value: dict[str, Any]) -> Any:
    """The reverse of `_typed`, for each object of an answer."""
    match value.get("__class__"):
        case "datetime":
            return dt.datetime(**{word: value[word] for word in MOMENT}, tzinfo=dt.UTC)
        case "date":
            return dt.date(value["year"], value["month"], value["day"])
        case "Decimal":
            return Decimal(value["decimal"])
        case "timedelta":
            return float(value["seconds"])
        case _:
            return value
