"""The Fusion sandbox against Oracle's documented examples: there is no client of Fusion's that others wrote, so these
are its judge.

Source: docs.oracle.com: Fusion Sales REST (faaps: Status Codes, Manage Collections, Perform Batch Actions, Set the
REST Framework Version, Create an activity), ADF "Consuming RESTful Web Services" (ETag, upsert), App Builder "Making
Batch Requests".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.frame import Served, serving
from sandbox.oracle import OracleSandbox
from tests.waiting import PATIENCE

BATCH = {"Content-Type": "application/vnd.oracle.adf.batch+json"}
NEW = {"REST-Framework-Version": "4", "Accept": "application/json, application/vnd.oracle.adf.error+json"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OracleSandbox(rows=30)) as running:
        yield running


@pytest.fixture
def pod(served: Served) -> Iterator[Any]:
    with requests.Session() as session:
        session.auth = (served.sandbox.user, served.sandbox.password)
        base = f"{served.url}/crmRestApi/resources/11.13.18.05"

        def call(method: str, path: str, **more: Any) -> requests.Response:
            return session.request(method, base + path, timeout=PATIENCE, **more)

        yield call


def test_the_catalogue_of_versions(served: Served) -> None:
    url = f"{served.url}/crmRestApi/resources/"
    assert requests.get(url, timeout=PATIENCE).status_code == 401
    told = requests.get(url, auth=(served.sandbox.user, served.sandbox.password), timeout=PATIENCE).json()
    assert told["items"][0]["version"] == "11.13.18.05" and told["items"][0]["isLatest"]
    assert told["items"][0]["adf:extension"]["defaultFrameworkVersion"] == "1"


def test_a_collection_says_how_much_and_whether_more_follows(pod: Any) -> None:
    told = pod("GET", "/contacts?limit=2&totalResults=true&fields=PartyNumber").json()
    assert (told["count"], told["limit"], told["offset"], told["hasMore"]) == (2, 2, 0, True) and told[
        "totalResults"
    ] >= 30
    assert set(told["items"][0]) == {"PartyNumber", "links"} and told["links"][0]["kind"] == "collection"
    last = pod("GET", f"/contacts?limit=2&offset={told['totalResults'] - 1}&onlyData=true").json()
    assert (last["count"], last["hasMore"]) == (1, False) and "links" not in last["items"][0]
    assert pod("GET", "/contacts").json()["limit"] == 25 and pod("GET", "/contacts?limit=9999").json()["limit"] == 500


def test_the_first_framework_knows_only_queries_by_example(pod: Any) -> None:
    example, expanded = "Country=ES;LastName=Ferrer", "Country = 'ES' and LastName = 'Ferrer'"
    old = pod("GET", "/contacts", params={"q": expanded})
    assert old.status_code == 400 and old.headers["Content-Type"].startswith("text/plain")
    new = pod("GET", "/contacts", params={"q": expanded}, headers=NEW)
    assert [one["FirstName"] for one in new.json()["items"]] == ["Marta"]
    wrong = pod("GET", "/contacts", params={"q": example}, headers=NEW)
    assert wrong.status_code == 400 and wrong.headers["Content-Type"] == "application/vnd.oracle.adf.error+json"
    assert wrong.json()["o:errorDetails"][0]["detail"] and wrong.json()["status"] == "400"


def test_a_record_is_made_read_changed_and_deleted(pod: Any) -> None:
    task = {"ActivityFunctionCode": "TASK", "Subject": "Call back", "PrimaryContactId": 300000100000001}
    made = pod("POST", "/activities", json=task)
    number = made.json()["ActivityNumber"]
    assert made.status_code == 201 and made.json()["ActivityId"] and made.headers["ETag"]
    stale = made.headers["ETag"]
    assert (
        pod("PATCH", f"/activities/{number}", json={"StatusCode": "COMPLETE"}, headers={"If-Match": stale}).status_code
        == 200
    )
    assert pod("PATCH", f"/activities/{number}", json={"Subject": "x"}, headers={"If-Match": stale}).status_code == 412
    assert pod("GET", f"/activities/{number}").json()["StatusCode"] == "COMPLETE"
    assert pod("DELETE", f"/activities/{number}").status_code == 204
    assert pod("GET", f"/activities/{number}").status_code == 404


def test_an_upsert_makes_and_then_changes(pod: Any) -> None:
    party = {"PartyNumber": "DOC-1", "LastName": "Lovelace"}
    answers = [pod("POST", "/contacts", json=party, headers={"Upsert-Mode": "true"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len({answer.json()["PartyId"] for answer in answers}) == 1
    assert pod("POST", "/contacts", json=party).status_code == 400


def test_a_batch_does_all_or_nothing_and_lists_what_failed(pod: Any) -> None:
    parts = [
        {
            "id": "part1",
            "path": "/contacts",
            "operation": "create",
            "payload": {"LastName": "B", "PartyNumber": "DOC-2"},
        },
        {"id": "part2", "path": "/contacts/DOC-2", "operation": "update", "payload": {"FirstName": "A"}},
        {"id": "part3", "path": "/contacts/DOC-2", "operation": "get"},
        {"id": "part4", "path": "/contacts/DOC-2", "operation": "delete"},
    ]
    done = pod("POST", "", json={"parts": parts}, headers=BATCH)
    assert done.status_code == 200 and [part["id"] for part in done.json()["parts"]] == [part["id"] for part in parts]
    assert done.json()["parts"][2]["payload"]["ContactName"] == "A B" and "payload" not in done.json()["parts"][3]
    bad = {"id": "part5", "path": "/contacts", "operation": "create", "payload": {"FirstName": "No last name"}}
    refused = pod("POST", "", json={"parts": [parts[0], bad]}, headers=BATCH)
    assert refused.status_code == 400 and [part["id"] for part in refused.json()["parts"]] == ["part5"]
    assert pod("GET", "/contacts/DOC-2").status_code == 404
    assert pod("POST", "", json={"parts": parts}).status_code == 400  # not the batch's own content type


def test_chunked_bodies_and_a_slash_at_the_end_are_taken(pod: Any) -> None:
    body = iter([b'{"LastName": "Chun', b'ked", "PartyNumber": "DOC-3"}'])
    made = pod("POST", "/contacts/", data=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 201 and pod("GET", "/contacts/DOC-3/").json()["LastName"] == "Chunked"
