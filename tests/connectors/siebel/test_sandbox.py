"""The Siebel sandbox against requests as Oracle's guide writes them, and as a program that runs against Siebel sends them.

Source: Siebel REST API Guide (E74890, E88140, G30558): "Querying for a Siebel CRM Business Component with a Search
Specification", "… with Pagination", "… with a Sort Specification", "Querying Records Using the ExecutionMode Parameter",
"Retrieving the Record Count", "Inserting", "Upserting" and "Deleting Multiple Siebel CRM Business Components", "Upserting an
Account Using a Siebel Account Business Service", "Using the Describe Parameter"; siebelapp.js of blacksheep IT consulting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox.frame import Served, serving
from sandbox.siebel import SiebelSandbox
from sandbox.siebel.schema import COMPONENTS

CONTACT, ACTION, ACCOUNT = "/data/Contact/Contact", "/data/Action/Action", "/data/Account/Account"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(SiebelSandbox(rows=20)) as running:
        yield running


@pytest.fixture
def siebel(served: Served) -> Iterator[Any]:
    with requests.Session() as session:
        session.auth = (served.sandbox.user, served.sandbox.password)

        def call(method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
            told = {} if body is None else {"data": json.dumps(body), "headers": JSON}
            return session.request(method, f"{served.url}/siebel/v1.0{path}", timeout=10, **told, **more)

        yield call


def names(answer: requests.Response) -> list[str]:
    return [f"{one['First Name']} {one['Last Name']}" for one in answer.json()["items"]]


def person(siebel: Any, first: str, last: str) -> str:
    return str(siebel("POST", CONTACT, {"First Name": first, "Last Name": last}).json()["items"]["Id"])


# --- queries ----------------------------------------


def test_a_search_specification(siebel: Any) -> None:
    for first, last in (("Jane", "Adams"), ("John", "Abbot"), ("Jane", "Baker"), ("Mia", "Adams")):
        person(siebel, first, last)
    spec = "([First Name] LIKE 'J*' AND [Last Name] LIKE 'A*')"
    assert sorted(names(siebel("GET", f"{CONTACT}?searchspec={spec}"))) == ["Jane Adams", "John Abbot"]
    spec = "[First Name] ~LIKE '*JANE*' OR [Last Name] ~LIKE'*bbo*'"
    assert len(names(siebel("GET", f"{CONTACT}?searchspec={spec}"))) == 3
    spec = "[First Name] = 'JANE' OR [Last Name] ~= 'BAKER' AND NOT [Id] IS NULL"
    assert names(siebel("GET", f"{CONTACT}/?searchspec={spec}&uniformresponse=Y")) == ["Jane Baker"]
    found = siebel("GET", f"{CONTACT}?searchspec=[Last Name] = 'Abbot'").json()
    assert found["First Name"] == "John" and "items" not in found  # one alone comes as itself


def test_pages_fields_and_links(siebel: Any) -> None:
    told = siebel("GET", f"{CONTACT}?Fields=Id,Last Name&Childlinks=None&StartRowNum=0&PageSize=2").json()
    assert len(told["items"]) == 2 and set(told["items"][0]) == {"Id", "Last Name", "Link"}
    assert [link["rel"] for link in told["items"][0]["Link"]] == ["self", "canonical"]
    assert len(siebel("GET", CONTACT).json()["items"]) == 10
    assert siebel("GET", f"{CONTACT}?PageSize=101").json()["ERROR"].endswith("(SBL-EAI-04447)")
    one = siebel("GET", f"{CONTACT}/{told['items'][1]['Id']}").json()
    assert one["Last Name"] == told["items"][1]["Last Name"]
    nothing = siebel("GET", f"{CONTACT}?searchspec=[Id] = '1-NO'")
    assert (nothing.status_code, nothing.json()["ERROR"]) == (404, "There is no data for the requested resource")


def test_an_order_a_count_and_a_long_way(siebel: Any) -> None:
    told = siebel("GET", f"{CONTACT}?sortspec=Last Name:desc&recordcountneeded=true&PageSize=100")
    lasts = [one["Last Name"] for one in told.json()["items"]]
    assert lasts == sorted(lasts, reverse=True) and int(told.headers["Total-Record-Count"]) == len(lasts)
    assert "Total-Record-Count" not in siebel("GET", CONTACT).headers
    far = f"{CONTACT}?StartRowNum=9900&PageSize=100"
    assert siebel("GET", far).json()["ERROR"].endswith("(SBL-DAT-00500)")
    assert siebel("GET", f"{far}&ExecutionMode=ForwardOnly").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{CONTACT}?searchspec=[No Field] = 'x'", 500, "SBL-DAT-00416"),
        (f"{CONTACT}?searchspec=[Created] > '2026-11-23'", 500, "SBL-DAT-00359"),
        (f"{CONTACT}?searchspec=[Last Name] = 'x\" OR", 500, "SBL-DAT-00403"),
        (f"{CONTACT}?fields=No Field", 400, "SBL-EAI-50258"),
        ("/data/Nothing/Nothing", 404, "SBL-EAI-50257"),
        ("/service/Nothing/Query", 404, "SBL-EAI-50257"),
    ],
)
def test_what_is_wrong_is_said_by_a_code(siebel: Any, path: str, status: int, code: str) -> None:
    answer = siebel("POST" if path.startswith("/service") else "GET", path, {} if path.startswith("/service") else None)
    assert answer.status_code == status and answer.json()["ERROR"].endswith(f"({code})")


def test_phone_numbers_are_queried_as_the_administration_guide_says(siebel: Any) -> None:
    for last, number in (("Spain", "+34 612 000 111"), ("America", "+12125550123"), ("France", "+33612000111")):
        siebel("POST", CONTACT, {"First Name": "Phone", "Last Name": last, "Cellular Phone #": number})

    def found(number: str) -> list[str]:
        spec = quote(f"[First Name] = 'Phone' AND [Cellular Phone #] LIKE '{number}'", safe="")
        answer = siebel("GET", f"{CONTACT}?searchspec={spec}&uniformresponse=y&fields=First Name,Last Name")
        return [] if answer.status_code == 404 else [name.split()[1] for name in names(answer)]

    assert found("+34612000111*") == ["Spain"] and found("612000111*") == ["Spain"]  # of the locale's own country
    assert found("+1212*") == ["America"] and len(found("+1*")) == 3  # North America's code finds everything


# --- writing ----------------------------------------


def test_one_record_is_made_changed_and_removed(siebel: Any) -> None:
    made = siebel("POST", f"{ACCOUNT}/", {"Name": "Hilton Hotels", "Location": "HQ"}).json()
    id = made["items"]["Id"]
    assert set(made) == {"items"} and made["items"]["Link"]["rel"] == "self"
    changed = siebel("PUT", f"{ACCOUNT}/{id}", {"Description": "New"})
    assert changed.status_code == 200 and changed.json()["items"]["Id"] == id
    assert siebel("PUT", ACCOUNT, {"Id": id, "Description": "New"}).status_code == 304
    again = siebel("POST", ACCOUNT, {"Name": "Hilton Hotels", "Location": "HQ"})
    assert again.status_code == 409 and "(SBL-EAI-04383)" in again.text
    assert siebel("PUT", ACCOUNT, {"Id": "1-NEW", "Name": "By PUT"}).json()["items"]["Id"] != id
    assert siebel("DELETE", f"{ACCOUNT}/{id}").status_code == 200
    assert siebel("GET", f"{ACCOUNT}/{id}").status_code == 404


def test_several_are_written_all_or_none(siebel: Any) -> None:
    rows = [{"Activity UID": f"many-{n}", "Type": "Other"} for n in range(3)]
    made = siebel("POST", ACTION, rows)
    ids = [one["Id"] for one in made.json()]
    assert made.status_code == 200 and len(set(ids)) == 3
    clash = siebel("POST", ACTION, [{"Activity UID": "many-9", "Type": "Other"}, rows[1]])
    assert (
        clash.status_code == 409 and "(SBL-EAI-04383)" in clash.text and '[Activity UID] = \\"many-1\\"' in clash.text
    )
    assert siebel("GET", f"{ACTION}?searchspec=[Activity UID] = 'many-9'").status_code == 404
    changed = siebel("PUT", ACTION, [{"Id": ids[0], "Description": "a"}, {"Id": ids[1], "Description": "b"}])
    assert [one["Id"] for one in changed.json()] == ids[:2]
    gone = siebel("DELETE", ACTION, [{"Id": ids[0]}, {"Id": "1-NO"}])
    assert gone.status_code == 400 and "(SBL-EAI-04378)" in gone.text
    assert siebel("GET", f"{ACTION}/{ids[0]}").status_code == 200
    assert siebel("DELETE", ACTION, [{"Id": id} for id in ids]).status_code == 200
    assert siebel("POST", ACTION, [{"Type": "Other"}] * 101).status_code == 400


def test_a_body_that_is_none(siebel: Any, served: Served) -> None:
    assert siebel("POST", ACTION, []).status_code == siebel("POST", ACTION, ["x"]).status_code == 400
    url, auth = f"{served.url}/siebel/v1.0{ACTION}", (served.sandbox.user, served.sandbox.password)
    assert requests.post(url, data="{", headers=JSON, auth=auth, timeout=10).status_code == 400
    assert (
        requests.post(url, data="a=b", headers={"Content-Type": "text/plain"}, auth=auth, timeout=10).status_code == 415
    )
    assert requests.patch(url, data="{}", headers=JSON, auth=auth, timeout=10).status_code == 405
    chunks = iter([b'{"Type": "Oth', b'er"}'])
    assert requests.post(url, data=chunks, headers=JSON, auth=auth, timeout=10).status_code == 200


# --- services ----------------------------------------


def upserted(siebel: Any, rows: Any, **more: Any) -> requests.Response:
    message = {
        "MessageId": "",
        "MessageType": "Integration Object",
        "IntObjectName": "Action Interface",
        "IntObjectFormat": "Siebel Hierarchical",
        "ListOfAction Interface": {"Action": rows},
    }
    answer: requests.Response = siebel(
        "POST", "/service/Siebel Action/InsertOrUpdate", {"body": {**more, "SiebelMessage": message}}
    )
    return answer


def test_a_service_upserts_by_its_user_key(siebel: Any) -> None:
    first = upserted(siebel, {"Activity UID": "by-service", "Type": "Other"})
    assert set(first.json()) == {"PrimaryRowId"}
    told = upserted(siebel, [{"Activity UID": "by-service", "Comment": "again"}], StatusObject="true").json()
    (one,) = told["SiebelMessage"]["ListOfAction Interface"]["Action"]
    assert one == {"Id": first.json()["PrimaryRowId"], "Activity UID": "by-service", "Operation": "update"}
    bad = upserted(siebel, [{"Activity UID": "rolled-back", "Type": "Other"}, {"Type": "Other"}])
    assert bad.status_code == 500 and "(SBL-EAI-04397)" in bad.text
    assert siebel("GET", f"{ACTION}?searchspec=[Activity UID] = 'rolled-back'").status_code == 404


def test_a_service_tells_lists_of_values(siebel: Any) -> None:
    head = {"MessageId": "", "MessageType": "Integration Object", "IntObjectName": "List Query"}
    wanted = [{"Active": "Y", "Language Code": "ENU", "Type": type} for type in ("TODO_TYPE", "SR_STATUS")]
    body = {"body": {"ListsTopElementQuery": {**head, "ListOfList Query": {"List": wanted}}}}
    told = siebel("POST", "/service/EAILOVService/GetListOfValues/?uniformresponse=Y", body).json()
    lists = told["ListsTopElementResult"]["List"]
    assert [one["Type"] for one in lists] == ["TODO_TYPE", "SR_STATUS"]
    assert "Fax" not in [value["Display Value"] for value in lists[0]["List Value"]]


# --- who calls, and what there is ----------------------------------------


def test_nobody_is_let_in_without_a_password_or_a_token(served: Served) -> None:
    url, sandbox = f"{served.url}/siebel/v1.0{CONTACT}", served.sandbox
    for auth in (None, ("PATCHBAY", ""), ("PATCHBAY", "wrong"), ("", ""), ("nobody", sandbox.password)):
        assert requests.get(url, auth=auth, timeout=10).status_code == 401
    for header in ("Bearer ", "Bearer x", "Basic ?", "Digest x"):
        assert requests.get(url, headers={"Authorization": header}, timeout=10).status_code == 401
    tokens, form = f"{served.url}/oauth2/token", {"grant_type": "client_credentials"}
    assert requests.post(tokens, form, auth=("patchbay", "wrong"), timeout=10).status_code == 401
    token = requests.post(tokens, form, auth=(sandbox.client_id, sandbox.client_secret), timeout=10).json()
    assert token["token_type"] == "Bearer"
    told = {"Authorization": f"Bearer {token['access_token']}"}
    assert requests.get(url, headers=told, timeout=10).status_code == 200


def test_every_component_describes_itself(siebel: Any) -> None:
    for path, component in COMPONENTS.items():
        document = siebel("GET", f"/data/{path}/describe").json()
        assert document["openapi"] == "3.0.1" and list(document["paths"]) == [f"/data/{path}/"]
        (whole, *_) = document["components"]["schemas"].values()
        assert len(whole["properties"]) == len(component.fields) - 1  # without Id
    older = siebel("GET", f"{CONTACT}/describe?openapiversion=2").json()
    assert older["swagger"] == "2.0" and older["definitions"]["data_Contact_Contact_"]["properties"]["Last Name"]


def test_a_page_shows_what_a_browser_came_with(served: Served) -> None:
    page = requests.get(f"{served.url}/siebel/app/callcenter/enu?SWECmd=GotoView&SWEView=<b>", timeout=10).text
    assert "<dd>GotoView" in page and "&lt;b&gt;" in page
    assert served.sandbox.password not in page
    assert requests.get(f"{served.url}/elsewhere", timeout=10).status_code == 404
