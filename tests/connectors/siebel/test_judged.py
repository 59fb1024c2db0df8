"""The sandbox and the connector, judged by somebody else's reading of OpenAPI: Siebel's `describe` is such a document.

There is no client of Siebel's REST API on PyPI or npm, so schemathesis and jsonschema-rs judge: that the documents are
right, that what the sandbox answers to requests they make up is what it describes, and that what the connector sends fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from hub.model import Row, Target
from sandbox.frame import Served, serving
from sandbox.siebel import SiebelSandbox
from tests.connectors.siebel.peer import Peer
from tests.contract.given import a_key

API = "/siebel/v1.0"
# The document does not tell what a searchspec or a bounded pick list takes, so what is made up may be refused; and the
# user's password is put on top of the one that is made up.
UNTOLD = [not_a_server_error, positive_data_acceptance, ignored_auth]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(SiebelSandbox(rows=20)) as running:
        yield running


def described(served: Served, path: str, query: str = "") -> Any:
    auth = (served.sandbox.user, served.sandbox.password)
    return requests.get(f"{served.url}{API}/data/{path}/describe{query}", auth=auth, timeout=10).json()


@pytest.mark.parametrize("query", ["", "?openapiversion=2"])
@pytest.mark.parametrize("path", ["Contact/Contact", "List Mgmt/List Mgmt Lists/{key}/List Mgmt Prospective Contact"])
def test_a_description_is_a_document_of_openapi(served: Served, path: str, query: str) -> None:
    schemathesis.openapi.from_dict(described(served, path, query)).validate()


@pytest.mark.parametrize(
    ("path", "verb"), [("Contact/Contact", "GET"), ("Opportunity/Opportunity", "POST"), ("Action/Action", "PUT")]
)
def test_what_is_answered_is_what_is_described(served: Served, path: str, verb: str) -> None:
    document = described(served, path)
    operation = schemathesis.openapi.from_dict(document)[f"/data/{path}/"][verb]
    auth = (served.sandbox.user, served.sandbox.password)

    @given(case=operation.as_strategy())
    @settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def judged(case: Any) -> None:
        answer = case.call(base_url=f"{served.url}{API}", auth=auth, timeout=10)
        assert str(answer.status_code) in document["paths"][f"/data/{path}/"][verb.lower()]["responses"]
        case.validate_response(answer, excluded_checks=UNTOLD)

    judged()


def test_what_is_stored_is_answered_as_it_is_described(served: Served) -> None:
    for path in ("Contact/Contact", "Account/Account"):
        operation = schemathesis.openapi.from_dict(described(served, path))[f"/data/{path}/"]["GET"]
        auth = (served.sandbox.user, served.sandbox.password)
        answer = requests.get(f"{served.url}{API}/data/{path}/", {"PageSize": 20}, auth=auth, timeout=10)
        assert answer.status_code == 200 and len(answer.json()["items"]) > 1
        operation.validate_response(answer)


def test_what_the_connector_sends_fits_the_description(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, Any]] = []
    for name in ("insert", "upsert"):
        kept = getattr(peer.sandbox.records, name)

        def noted(component: Any, told: Any, *more: Any, kept: Any = kept) -> Any:
            sent.append((component.path, told))
            return kept(component, told, *more)

        monkeypatch.setattr(peer.sandbox.records, name, noted)
    rows = [peer.row(a_key(), "text") for _ in range(3)]
    request = [Row(key=a_key(), fields={"Abstract": "Where?", "Description": None, "Contact Id": "1-1"})]
    contact = [Row(key=a_key(), fields={"Last Name": "King", "Suppress All Calls": True, "Birth Date": "1815-12-10"})]
    for _ in range(2):
        peer.connector.write(peer.target, rows)
        peer.connector.write(Target(object="Service Request", key="Integration Id"), request)
        peer.connector.write(Target(object="Contact", key="Integration Id"), contact)
    assert {path for path, _ in sent} == {"Action/Action", "Service Request/Service Request", "Contact/Contact"}
    for path, told in sent:
        schemas = described(peer.served, path)["components"]["schemas"]
        record = {**schemas[f"data_{path.replace('/', '_')}_"], "additionalProperties": False}
        record["properties"]["Id"] = {"type": "string"}
        record["required"] = [one for one in record["required"] if "x-siebel-readOnly" not in record["properties"][one]]
        jsonschema_rs.validator_for(record).validate(told)
        assert all(isinstance(value, str) for value in told.values())
