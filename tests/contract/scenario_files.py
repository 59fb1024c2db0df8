"""Scenario files, `tests/connectors/<name>/*.yaml`: one behaviour of one connector each, and its whole test.

    about:      what is shown, in a sentence
    source:     where the wire facts are from
    call:       the verb and what it is asked; a list of calls plays each of them by itself
    exchanges:  the requests that have to come, in this order, and the answers; `fault: refused | timeout | reset` is none
    expect:     what the verb gives, or `raises`; a dict may have more than is told, a list may not
    before:     (optional) instead of the folder's own `before`, the exchanges that every call begins with

A file's name says what it shows: `<verb>_<case>.yaml`, with anything after one more `_`; `<case>.yaml` for several verbs.
`contract.yaml` in the same folder holds the connection's settings, `before`, and the waivers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import pytest
import requests
import responses

from hub.clock import now
from hub.config import ConnectionConfig
from hub.contract import Connector, HookRequest, Tools
from hub.errors import PatchbayError
from hub.installed import connector_class
from hub.language.profile import Profile
from hub.language.yaml_source import read_yaml
from hub.model import DialRequest, Lookup, Query, Row, Target
from hub.session import open_session
from tests.contract.likeness import unlike, written_out
from tests.contract.owed import cases_of
from tests.waiting import PATIENCE

FOLDER = Path(__file__).parent.parent / "connectors"
FAULTS = {
    "refused": requests.exceptions.ConnectTimeout("no connection"),
    "timeout": requests.exceptions.ReadTimeout("no answer"),
    "reset": requests.exceptions.ConnectionError("reset"),
}
WORDS = {"about", "source", "call", "exchanges", "expect", "before", "settings"}


@dataclass(frozen=True)
class Contract:
    """A connector's `contract.yaml`."""

    settings: dict[str, Any]
    before: list[dict[str, Any]]
    waivers: dict[str, str]


@dataclass(frozen=True)
class Scenario:
    """One call of one scenario file."""

    connector: str
    file: Path
    verb: str
    asked: Any
    told: dict[str, Any]

    @property
    def name(self) -> str | None:
        """`<verb> <case>`, by the file's name; None for a scenario beyond what is owed."""
        rest = self.file.stem.removeprefix(f"{self.verb}_") + "_"
        cases = [case for case in cases_of(self.verb) if rest.startswith(f"{case}_")]
        return f"{self.verb} {max(cases, key=len)}" if cases else None

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"{self.connector}-{self.verb}-{self.file.stem}"


def contract_of(name: str) -> Contract:
    """What `tests/connectors/<name>/contract.yaml` says; nothing where there is none."""
    file = FOLDER / name / "contract.yaml"
    told = read_yaml(file.read_text(), str(file)).value if file.exists() else {}
    waivers = {scenario: waiver["reason"] for scenario, waiver in (told.get("waivers") or {}).items()}
    return Contract(told.get("settings") or {}, told.get("before") or [], waivers)


def scenarios_of(name: str) -> Iterator[Scenario]:
    """All calls of all scenario files of the connector `name`."""
    for file in sorted((FOLDER / name).glob("*.yaml")):
        if file.name == "contract.yaml":
            continue
        told = read_yaml(file.read_text(), str(file)).value
        strange = set(told) - WORDS
        if strange or not told.get("about") or not told.get("source"):
            raise ValueError(f"{file}: {strange or 'about and source are needed'}")
        calls = told["call"] if isinstance(told["call"], list) else [told["call"]]
        for call in calls:
            ((verb, asked),) = call.items()
            yield Scenario(name, file, "describe" if verb == "objects" else verb, {verb: asked}, told)


def play(scenario: Scenario) -> None:
    """Make the call with the exchanges played, and compare."""
    contract = contract_of(scenario.connector)
    exchanges = scenario.told.get("before", contract.before) + (scenario.told.get("exchanges") or [])
    script = Script(written_out(exchanges))
    connector = built(scenario.connector, contract.settings | (scenario.told.get("settings") or {}))
    expected = written_out(scenario.told["expect"])
    with script.answering():
        try:
            outcome = told_by(connector, written_out(scenario.asked))
        except PatchbayError as error:
            outcome = {"raises": plain(error)}
    script.check_finished()
    if "raises" in expected and isinstance(expected["raises"], str):
        expected = {"raises": {"error": expected["raises"]}}
    problem = unlike(expected, outcome)
    assert problem is None, f"{scenario.file.name}: {problem}"


def built(
    name: str, settings: dict[str, Any], private_network: bool = True, engine: Any = None, ca_file: str = ""
) -> Connector:
    """The connector `name` as the hub builds it, with the defaults of its settings."""
    kind = connector_class(name)
    full = {setting.name: setting.default for setting in kind.manifest.settings} | settings
    config = ConnectionConfig(
        "crm", name, full, timeout_seconds=PATIENCE, ca_file=ca_file or None, private_network=private_network
    )
    session = open_session(config, secrets=kind.manifest.secrets(full))
    return kind(full, Tools(connection="crm", session=session, now=now, country="ES",
                            public_url="https://hub.example", engine=engine,
                            profile=lambda file: Profile(file, "ES", "Europe/Madrid")))  # fmt: skip


class Script:
    """The exchanges of a scenario, answered in their order; a request that is not the next one fails the test."""

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        self._exchanges = exchanges
        self._next = 0

    def answering(self) -> responses.RequestsMock:
        """Every request is answered from here."""
        mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            mock.add_callback(method, _ANY_URL, callback=self._answer)
        return mock

    def check_finished(self) -> None:
        """Fails where an exchange did not take place."""
        left = [exchange["request"] for exchange in self._exchanges[self._next :]]
        assert not left, f"these requests did not come: {left}"

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        came = _request_in_words(request)
        if self._next >= len(self._exchanges):
            pytest.fail(f"one request too many: {came}")
        exchange = self._exchanges[self._next]
        problem = unlike(exchange["request"], came, f"request {self._next + 1}")
        if problem:
            pytest.fail(problem)
        self._next += 1
        told = exchange["response"]
        if fault := told.get("fault"):
            raise FAULTS[fault]
        body = json.dumps(told["json"]) if "json" in told else str(told.get("text", ""))
        kind = "application/json" if "json" in told else "text/html"
        return told.get("status", 200), {"Content-Type": kind, **(told.get("headers") or {})}, body


_ANY_URL = re.compile(".*")


def _request_in_words(request: requests.PreparedRequest) -> dict[str, Any]:
    url, body = urlsplit(request.url or ""), request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    kind = request.headers.get("Content-Type", "")
    return {
        "method": request.method,
        "host": url.netloc,
        "path": url.path,
        "query": {name: values[0] if len(values) == 1 else values for name, values in parse_qs(url.query).items()},
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "json": json.loads(text) if "json" in kind and text else None,
        "form": dict(parse_qsl(text)) if "form-urlencoded" in kind else None,
        "text": text,
    }


def told_by(connector: Any, call: dict[str, Any]) -> dict[str, Any]:
    """The verb's outcome by the word that `expect` uses for it."""
    ((verb, asked),) = call.items()
    match verb:
        case "check":
            return {"identity": plain(connector.check())}
        case "find":
            lookups = [_lookup(one) for one in (asked if isinstance(asked, list) else [asked])]
            found = [plain(list(records)) for records in connector.find(lookups)]
            return {"records": found if isinstance(asked, list) else found[0]}
        case "objects":
            return {"objects": list(connector.objects())}
        case "describe":
            described = connector.describe(asked)
            return {"label": described.label, "fields": {field.name: plain(field) for field in described.fields}}
        case "write":
            target = Target(object=asked["object"], key=asked["key"], options=asked.get("options") or {})
            rows = msgspec.convert(asked["rows"], list[Row])
            return {"receipts": [plain(receipt) for receipt in connector.write(target, rows)]}
        case "pages":
            return {"pages": [plain(page) for page in connector.pages(msgspec.convert(asked, Query))]}
        case "links":
            return {"url": connector.links(asked["kind"], asked["object"], asked.get("id", ""), asked.get("fields"))}
        case "dial":
            return {"receipt": plain(connector.dial(msgspec.convert(asked, DialRequest)))}
        case "receive":
            return {"events": [plain(event) for event in connector.receive(_hook(asked))]}
    raise ValueError(f"no verb {verb}")


def plain(value: Any) -> Any:
    """A noun or an error as a scenario file writes it."""
    if isinstance(value, PatchbayError):
        word = "".join("_" + c.lower() if c.isupper() else c for c in type(value).__name__).lstrip("_")
        return {"error": word, "message": str(value), **{name: plain(inner) for name, inner in vars(value).items()}}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _lookup(told: dict[str, Any]) -> Lookup:
    ((by, value),) = told["by"].items()
    return Lookup(told["object"], by, str(value), told.get("key_field", ""))


def _hook(told: dict[str, Any]) -> HookRequest:
    return HookRequest(
        method=told.get("method", "POST"),
        query=told.get("query") or {},
        headers=told.get("headers") or {},
        body=(json.dumps(told["json"]) if "json" in told else told.get("body", "")).encode(),
        received_at=datetime.fromisoformat(told["received_at"]) if told.get("received_at") else now(),
    )
