"""The sandbox judged by clients that we did not write: Microsoft's Dataverse client with msal, and dynamics-web-api."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem

from sandbox.dynamics import CLIENT, ME, SECRET, TENANT, DynamicsSandbox
from sandbox.frame import Served, serving
from tests.judges import judged


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(DynamicsSandbox(rows=60), tls=True, folder=tmp_path_factory.mktemp("ca")) as running:
        yield running


def token_of(served: Served) -> dict[str, Any]:
    """What msal itself is given, with its own HTTP."""
    session = requests.Session()
    session.verify, session.trust_env = served.ca_file, False
    application = msal.ConfidentialClientApplication(
        CLIENT,
        client_credential=SECRET,
        authority=f"{served.url}/{TENANT}",
        instance_discovery=False,
        http_client=session,
    )
    first: dict[str, Any] = application.acquire_token_for_client([f"{served.url}/.default"])
    again = application.acquire_token_for_client([f"{served.url}/.default"])
    session.close()
    assert again["token_source"] == "cache"
    return first


class Credential:
    """A token that is there already, as azure-identity would give it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self._token, 2_000_000_000)


@pytest.fixture
def client(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    assert Path(served.ca_file).exists()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", served.ca_file)
    with DataverseClient(served.url, Credential(token_of(served)["access_token"])) as opened:
        yield opened


def test_msal_signs_in(served: Served) -> None:
    told = token_of(served)
    assert told["token_type"] == "Bearer" and told["expires_in"] > 3000 and told["token_source"] == "identity_provider"


def test_microsoft_s_client_writes_and_reads(client: DataverseClient, served: Served) -> None:
    id = client.records.create("contact", {"firstname": "Grace", "lastname": "Hopper", "telephone1": "+1 202 555 0100"})
    row = client.records.retrieve("contact", id, select=["fullname"])
    assert row is not None and row["fullname"] == "Grace Hopper"
    client.records.update("contact", id, {"jobtitle": "Admiral"})
    assert served.sandbox.rows("contact", contactid=id)[0]["jobtitle"] == "Admiral"
    many = client.records.create("contact", [{"lastname": f"Many {n}"} for n in range(3)])
    assert len(set(many)) == 3
    client.records.update("contact", many, {"department": "Navy"})
    found = client.records.list(
        "contact", filter="department eq 'navy'", select=["lastname"], orderby=["lastname desc"]
    )
    assert [one["lastname"] for one in found] == ["Many 2", "Many 1", "Many 0"]
    with pytest.raises(HttpError) as refused:
        client.records.create("contact", {"lastname": "L" * 51})
    assert refused.value.status_code == 400 and "0x80044331" in str(vars(refused.value))


def test_microsoft_s_client_upserts_by_key(client: DataverseClient, served: Served) -> None:
    keys = [{"new_customerno": "SDK-1"}, {"new_customerno": "SDK-2"}]
    for title in ("First", "Second"):
        items = [UpsertItem(alternate_key=key, record={"lastname": "Upserted", "jobtitle": title}) for key in keys]
        client.records.upsert("contact", items)
    rows = served.sandbox.rows("contact", lastname="Upserted")
    assert sorted((row["new_customerno"], row["jobtitle"]) for row in rows) == [
        ("SDK-1", "Second"),
        ("SDK-2", "Second"),
    ]


def test_microsoft_s_client_pages(client: DataverseClient) -> None:
    pages = list(client.records.list_pages("contact", select=["fullname"], page_size=25))
    sizes = [len(list(page)) for page in pages]
    assert len(sizes) > 2 and sizes[0] == 25 and sum(sizes) >= 60
    columns = '<attribute name="fullname"/><order attribute="contactid"/>'
    query = f'<fetch count="20"><entity name="contact">{columns}</entity></fetch>'
    fetched = client.query.fetchxml(query).execute()
    assert len({one["contactid"] for one in fetched}) == sum(sizes)


def test_microsoft_s_client_batches(client: DataverseClient, served: Served) -> None:
    batch = client.batch.new()
    batch.records.create("contact", {"lastname": "Batched"})
    batch.records.create("contact", {"lastname": "L" * 51})
    batch.records.create("contact", {"lastname": "Batched too"})
    result = batch.execute(continue_on_error=True)
    assert [one.status_code for one in result.responses] == [204, 400, 204]
    assert result.responses[0].entity_id and result.responses[1].error_code == "0x80044331"
    half = client.batch.new()
    with half.changeset() as together:
        together.records.create("contact", {"lastname": "Rolled back"})
        together.records.create("contact", {"lastname": "L" * 51})
    failed = half.execute(continue_on_error=True)
    assert [one.status_code for one in failed.responses] == [400]
    assert served.sandbox.rows("contact", lastname="Rolled back") == []
    stops = client.batch.new()
    stops.records.create("contact", {"lastname": "L" * 51})
    stops.records.create("contact", {"lastname": "Never"})
    assert len(stops.execute().responses) == 1
    assert served.sandbox.rows("contact", lastname="Never") == []


def test_microsoft_s_client_reads_metadata(client: DataverseClient) -> None:
    table = client.tables.get("phonecall")
    assert table is not None and table["entity_set_name"] == "phonecalls"
    (key,) = [key for key in client.tables.get_alternate_keys("contact") if key.key_attributes == ["new_customerno"]]
    assert key.status == "Active"
    column = client.tables.get_column("phonecall", "subject", typed=True)
    assert "200" in str(vars(column) if hasattr(column, "__dict__") else column)


def test_dynamics_web_api(served: Served) -> None:
    told = {"url": served.url, "token": token_of(served)["access_token"]}
    said = judged("dynamics_web_api", told, ca_file=served.ca_file)
    contacts = len(served.sandbox.rows("contact"))
    assert said["read"]["fullname"] == "Ada Judged" and said["read"]["etag"].startswith('W/"')
    assert (said["representation"], said["updated"], said["upserted"]) == ("Whole", "Judge", "Still By key")
    assert (said["stale"], said["createOnly"]) == (False, None)
    assert said["wrongCase"] == {"status": 400, "code": "0x80048d19"}
    assert said["stateOnCreate"]["status"] == said["completed"]["status"] == 400
    assert said["call"] == {"regarding": "contact", "state": "Completed", "parties": [1, 2]}
    assert said["firstPage"] == 40 and said["hasNext"] and said["all"] == 1 and said["tampered"]["status"] == 400
    assert said["fetched"] == said["counted"] == contacts
    (first,), (second,) = (
        served.sandbox.rows("contact", lastname="First of two"),
        served.sandbox.rows("phonecall", subject="Second of two"),
    )
    assert second["regardingobjectid"] == ("contact", first["contactid"])
    assert said["leads"] == len(served.sandbox.rows("lead", statecode=0))
    assert said["atomic"] == {"status": 400, "code": "0x80044331"} and said["afterAtomic"] == 0
    assert said["batch"] == ["Ada Judged", 2]
    assert said["entity"] == "contacts" and said["who"] == ME
    assert said["gone"] == {"status": 404, "code": "0x80040217"}
