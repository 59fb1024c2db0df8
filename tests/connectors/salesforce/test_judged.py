"""The sandbox, judged by clients that we did not write: simple-salesforce over TLS, and jsforce from npm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceMalformedRequest, SalesforceMoreThanOneRecord
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceResourceNotFound
from simple_salesforce.login import SalesforceLogin, token_login

from sandbox.frame import Served, serving
from sandbox.salesforce import SalesforceSandbox
from tests.judges import judged

pytestmark = pytest.mark.timeout(120)


class Redirected(requests.Session):
    """Sends `https://….salesforce.com` to the sandbox, as the library calls nothing else."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.trust_env, self.verify, self._url = False, served.ca_file, served.url

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        _, _, path = str(url).partition(".salesforce.com")
        return super().request(method, self._url + path if path else url, *args, **kwargs)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(SalesforceSandbox(rows=40, page=20), tls=True, folder=tmp_path_factory.mktemp("ca")) as one:
        yield one


@pytest.fixture
def client(served: Served) -> Salesforce:
    told = served.sandbox.credentials()
    session = Redirected(served)
    token, _ = token_login(f"{served.url}/services/oauth2/token", {"grant_type": "client_credentials", **told},
                           "patchbay.my", "key", None, None, session)  # fmt: skip
    return Salesforce(session_id=token, instance_url=served.url, session=session, version="61.0")


def test_simple_salesforce_signs_in_each_way(served: Served) -> None:
    session, door = Redirected(served), served.sandbox.door
    told = served.sandbox.jwt_credentials()
    for ways in (
        {"consumer_key": told["client_id"], "consumer_secret": door.client_secret, "domain": "patchbay.my"},
        {"consumer_key": told["client_id"], "username": told["username"], "privatekey": told["private_key"]},
        {"username": told["username"], "password": door.password, "security_token": door.security_token},
    ):
        token, host = SalesforceLogin(session=session, **ways)
        assert token and host == served.url.removeprefix("https://")
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
        SalesforceLogin(session=session, username=told["username"], password="wrong", security_token="x")
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        SalesforceLogin(session=session, consumer_key=told["client_id"], consumer_secret="wrong", domain="patchbay.my")


def test_simple_salesforce_does_its_work(client: Salesforce) -> None:
    made = client.Contact.create({"LastName": "O'Judge", "Phone": "+34 612 11 22 33", "Hub_Key__c": "py/1"})
    id = made["id"]
    assert made["success"] and client.Contact.get(id)["Name"] == "O'Judge"
    assert client.Contact.get_by_custom_id("Hub_Key__c", "py/1")["Id"] == id
    assert client.Contact.update(id, {"FirstName": "Ada"}) == 204
    assert client.Contact.upsert("Hub_Key__c/py%2F1", {"Title": "Judge"}) == 200
    assert client.Contact.upsert("Hub_Key__c/py%2F2", {"LastName": "Two"}) == 201
    found = client.query_all("SELECT Id, Name, Owner.Email FROM Contact WHERE Name LIKE '%O\\'Judge' LIMIT 5")
    assert [(one["Name"], one["Owner"]["Email"]) for one in found["records"]] == [
        ("Ada O'Judge", "patchbay@example.com")
    ]
    everybody = client.query_all("SELECT Id FROM Contact")
    assert len({one["Id"] for one in everybody["records"]}) == everybody["totalSize"] > 30  # over two answers
    told = client.search("FIND {612112233} IN PHONE FIELDS RETURNING Contact(Id, Phone)")
    assert [one["Id"] for one in told["searchRecords"]] == [id]
    assert client.Contact.describe()["fields"] and client.describe()["sobjects"]
    assert client.limits()["DailyApiRequests"]["Max"] == 15_000 and client.api_usage["api-usage"].total == 15_000
    assert client.Contact.delete(id) == 204
    with pytest.raises(SalesforceResourceNotFound):
        client.Contact.get(id)
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        client.Contact.create({"FirstName": "x"})
    for _ in range(2):
        client.Contact.create({"LastName": "Twin", "Legacy_Id__c": "twin"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        client.Contact.upsert("Legacy_Id__c/twin", {"LastName": "x"})


def test_simple_salesforce_s_collections_and_jobs(client: Salesforce) -> None:
    rows = [{"attributes": {"type": "Task"}, "Hub_Key__c": f"py-{n}", "Subject": f"Call {n}"} for n in range(200)]
    results = client.restful("composite/sobjects/Task/Hub_Key__c", method="PATCH",
                             data=json.dumps({"allOrNone": False, "records": rows}))  # fmt: skip
    assert results and [row["created"] for row in results] == [True] * 200
    (job,) = client.bulk2.Task.upsert(
        records=[{"Hub_Key__c": "py-0", "Subject": "a, \"b\"\nc"}, {"Hub_Key__c": "py-x", "Subject": "y" * 300}],
        external_id_field="Hub_Key__c", wait=0,
    )  # fmt: skip
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)
    told = client.bulk2.Task.get_all_ingest_records(job["job_id"])
    assert [row["sf__Created"] for row in told["successfulRecords"]] == ["false"]
    assert told["failedRecords"][0]["sf__Error"].startswith("STRING_TOO_LONG:") and told["unprocessedRecords"] == []
    parts = list(
        client.bulk2.Task.query("SELECT Id, Hub_Key__c FROM Task WHERE Hub_Key__c LIKE 'py-%'", max_records=90, wait=0)
    )
    assert [len(part.splitlines()) - 1 for part in parts] == [90, 90, 20]


def test_jsforce() -> None:
    with serving(SalesforceSandbox(rows=40, page=200)) as served:
        told = {"url": served.url, **served.sandbox.credentials(), **served.sandbox.password_credentials()}
        said = judged("salesforce_jsforce", told)
    assert said.pop("user") == said.pop("soap_user") == served.sandbox.org.me
    assert said.pop("objects") == 9
    assert said == {
        "soap_refused": "INVALID_LOGIN",
        "created": True,
        "retrieved": "Judge",
        "many": 250,
        "upserted": [True, True, True, False],
        "refused": ["STRING_TOO_LONG"],
        "upserted_one": [True, True],
        "queried": 250,
        "parent": "Judge",
        "pages": 2,
        "query_refused": "INVALID_FIELD",
        "counted": 3,
        "searched": [["Contact", "Judge"]],
        "described": ["Hub_Key__c"],
        "view": "To call back",
        "view_soql": True,
        "view_rows": True,
        "usage": 15_000,
        "bulk": [1, 1, 0],
        "bulk_error": "STRING_TOO_LONG",
        "exported": 250,
        "composite": ["PROCESSING_HALTED", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"],
        "deleted": True,
    }
