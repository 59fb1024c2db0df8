"""The EspoCRM sandbox against the documented examples: nobody else's client of EspoCRM is to be had as a package, and no
OpenAPI document of it either, so these are its judge.

Source: docs.espocrm.com: "REST API", "CRUD operations", "Related records", "API search parameters", "Metadata";
espocrm/espocrm: `SearchParamsFetcher`, `ErrorOutput`, `Logins/Hmac`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.espocrm import EspoSandbox
from sandbox.espocrm.where import folded, php
from sandbox.frame import Served, serving
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(EspoSandbox(rows=30)) as running:
        yield running


@pytest.fixture
def call(served: Served) -> Iterator[Any]:
    with requests.Session() as session:
        session.headers["X-Api-Key"] = served.sandbox.api_key

        def called(method: str, path: str, **more: Any) -> requests.Response:
            return session.request(method, f"{served.url}/api/v1/{path}", timeout=PATIENCE, **more)

        yield called


def test_who_signs_in(served: Served, call: Any) -> None:
    url = f"{served.url}/api/v1/App/user"
    assert call("GET", "App/user").json()["user"]["userName"] == "patchbay"
    assert requests.get(url, timeout=PATIENCE).status_code == 401
    assert requests.get(url, headers={"X-Api-Key": "wrong"}, timeout=PATIENCE).status_code == 401
    # The documents: base64Encode(apiKey + ':' + hashHmacSha256(method + ' /' + uri, secretKey)), without the query.
    sandbox = served.sandbox
    proof = hmac.new(sandbox.hmac_secret.encode(), b"GET /Lead", hashlib.sha256).hexdigest()
    header = {"X-Hmac-Authorization": base64.b64encode(f"{sandbox.hmac_key}:{proof}".encode()).decode()}
    assert requests.get(f"{served.url}/api/v1/Lead?maxSize=1", headers=header, timeout=PATIENCE).status_code == 200
    assert requests.get(f"{served.url}/api/v1/Contact", headers=header, timeout=PATIENCE).status_code == 401
    for wrong in ("", "Zm9v", "é", "Zm9vOmJhcg=="):
        bad = {"X-Hmac-Authorization": wrong.encode()}
        assert requests.get(url, headers=bad, timeout=PATIENCE).status_code == 401


def test_a_list_is_paged_and_counted_or_not(call: Any) -> None:
    told = call("GET", "Contact?offset=0&maxSize=2&orderBy=createdAt&order=desc").json()
    assert len(told["list"]) == 2 and told["total"] == 30
    quiet = {"X-No-Total": "true"}
    assert call("GET", "Contact?maxSize=2", headers=quiet).json()["total"] == -1
    assert call("GET", "Contact?maxSize=2&offset=28", headers=quiet).json()["total"] == -2
    assert set(call("GET", "Contact?maxSize=1&select=name").json()["list"][0]) == {"id", "name"}
    refused = call("GET", "Contact?maxSize=201")
    assert refused.status_code == 403 and "Max size" in refused.headers["X-Status-Reason"]
    assert call("GET", "Contact?maxSize=many").status_code == 400


def test_where_as_php_has_it_and_as_json(call: Any) -> None:
    either = [("where[0][type]", "or"), ("where[0][value][0][type]", "equals"), ("where[0][value][0][attribute]", "status"),
              ("where[0][value][0][value]", "New"), ("where[0][value][1][type]", "isNull"),
              ("where[0][value][1][attribute]", "status")]  # fmt: skip
    assert call("GET", "Lead", params=either).json()["total"] == 6
    where = [{"type": "in", "attribute": "status", "value": ["New", "Assigned"]}]
    params = {"searchParams": json.dumps({"where": where, "maxSize": 1})}
    told = call("GET", "Lead", params=params).json()
    assert told["total"] == 6 and len(told["list"]) == 1
    assert call("GET", "Lead", params={"searchParams": "{"}).status_code == 400
    for wrong in ({"where[0][type]": "sounds", "where[0][attribute]": "name"},
                  {"where[0][type]": "equals", "where[0][attribute]": "noSuchField"}, {"where": "x"}):  # fmt: skip
        assert call("GET", "Lead", params=wrong).status_code == 400


def test_php_reads_a_thousand_variables_and_no_more() -> None:
    assert php([("a[b][]", "1"), ("a[b][]", "2"), ("c", "3")]) == {"a": {"b": ["1", "2"]}, "c": "3"}
    assert php([("a[1][x]", "1"), ("a[0]", "2")]) == {"a": [{"x": "1"}, "2"]}
    assert len(php([(f"a[{n}]", "1") for n in range(2_000)])["a"]) == 1_000
    assert folded("ÉLOÏSE ") == "eloise"


def test_numbers_are_found_by_their_digits_and_wildcards_are_wild(call: Any) -> None:
    def found(type: str, value: str, attribute: str = "phoneNumber") -> list[str]:
        where = {"where[0][type]": type, "where[0][attribute]": attribute, "where[0][value]": value}
        return [one["name"] for one in call("GET", "Contact", params=where).json()["list"]]

    lucia = ["Lucía Romero Ibáñez"]
    assert found("endsWith", "2345678", "phoneNumberNumeric") == found("contains", "612 34 56") == lucia
    assert found("contains", "2345678") == []  # typed with blanks
    assert found("like", "%6%1%2%3%4%5%6%7%8") == lucia and found("equals", "612 34 56 78") == lucia
    assert len(found("contains", "_")) > 5 and found("contains", "\\_") == []


def test_a_list_shows_the_first_number_and_a_record_all_of_them(served: Served, call: Any) -> None:
    id = served.sandbox.records.put("Contact", lastName="Numbers", phoneNumber="612 00 00 01")
    record = served.sandbox.records.one("Contact", id)
    record["phoneNumberData"].append({"phoneNumber": "612 00 00 02", "primary": False})
    where = {"where[0][type]": "equals", "where[0][attribute]": "phoneNumber", "where[0][value]": "612 00 00 02"}
    (listed,) = call("GET", "Contact", params=where).json()["list"]
    assert listed["phoneNumber"] == "612 00 00 01" and "phoneNumberData" not in listed
    assert len(call("GET", f"Contact/{id}").json()["phoneNumberData"]) == 2


def test_a_record_is_made_read_changed_related_and_deleted(call: Any) -> None:
    made = call("POST", "Account", json={"name": "Test", "unknownAttribute": 1})
    assert made.status_code == 200 and "unknownAttribute" not in made.json()
    id = made.json()["id"]
    assert call("PUT", f"Account/{id}", json={"website": "https://a.example"}).json()["website"] == "https://a.example"
    assert call("PATCH", f"Account/{id}", json={"type": "Partner"}).json()["type"] == "Partner"
    list_id = call("POST", "TargetList", json={"name": "L"}).json()["id"]
    assert call("POST", f"TargetList/{list_id}/accounts", json={"id": id}).json() is True
    assert call("POST", f"TargetList/{list_id}/accounts", json={"ids": [id]}).json() is True
    assert [one["id"] for one in call("GET", f"TargetList/{list_id}/accounts").json()["list"]] == [id]
    linked = {"where[0][type]": "linkedWith", "where[0][attribute]": "targetLists", "where[0][value][]": list_id}
    assert [one["id"] for one in call("GET", "Account", params=linked).json()["list"]] == [id]
    assert call("DELETE", f"TargetList/{list_id}/accounts", json={"id": id}).json() is True
    assert call("GET", f"TargetList/{list_id}/accounts").json()["list"] == []
    assert call("DELETE", f"Account/{id}").json() is True
    for method in ("GET", "DELETE"):
        assert call(method, f"Account/{id}").status_code == 404
    assert (
        call("GET", "NoSuchEntity").status_code == 404
        and call("POST", f"TargetList/{list_id}/x", json={}).status_code == 404
    )


def test_what_is_refused_says_why(call: Any) -> None:
    refused = call("POST", "Call", json={"name": "x", "dateStart": "2026-11-23T10:00:00Z"})
    assert refused.status_code == 400 and "field: dateStart, type: valid" in refused.headers["X-Status-Reason"]
    assert refused.json()["messageTranslation"]["data"] == {"field": "dateStart", "type": "valid"}
    assert call("POST", "Contact", json={}).json()["messageTranslation"]["data"]["type"] == "required"
    assert call("POST", "Contact", data="no json").status_code == 400
    twin = {"firstName": "Éloïse", "lastName": "Béranger"}
    duplicate = call("POST", "Contact", json=twin)
    assert duplicate.status_code == 409 and duplicate.headers["X-Status-Reason"] == "duplicate"
    assert [one["name"] for one in duplicate.json()] == ["Éloïse Béranger"]
    assert call("POST", "Contact", json=twin, headers={"X-Skip-Duplicate-Check": "true"}).status_code == 200


def test_metadata_in_parts_and_whole(call: Any) -> None:
    assert "Held" in call("GET", "Metadata?key=entityDefs.Call.fields.status.options").json()
    assert call("GET", "Metadata?key=entityDefs.Nothing").json() is None
    assert set(call("GET", "Metadata").json()) == {"entityDefs", "scopes"}


def test_chunked_bodies_and_a_slash_at_the_end_are_taken(call: Any) -> None:
    body = iter([b'{"lastName": "Chun', b'ked"}'])
    made = call("POST", "Lead/", data=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 200 and call("GET", f"Lead/{made.json()['id']}/").json()["lastName"] == "Chunked"
