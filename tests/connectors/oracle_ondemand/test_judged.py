"""The On Demand sandbox, judged by clients that we did not write: zeep, and `soap` of npm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from lxml import etree
from zeep import Client
from zeep.exceptions import Fault
from zeep.wsse.username import UsernameToken

from sandbox.frame import Served, serving
from sandbox.ondemand import OnDemandSandbox
from tests.judges import judged
from tests.waiting import PATIENCE

LUCIA = "+34612345678"
# As the guides write a request: the list in no namespace of its own.
REQUEST = """\
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">
 <soap:Header><wsse:Security><wsse:UsernameToken><wsse:Username>{user}</wsse:Username>
  <wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">{password}</wsse:Password>
 </wsse:UsernameToken></wsse:Security></soap:Header>
 <soap:Body><ContactQueryPage_Input xmlns="urn:crmondemand/ws/ecbs/contact/"><ViewMode>Personal</ViewMode>
  <ListOfContact pagesize="100" startrownum="0" recordcountneeded="true"><Contact>
   <ContactFirstName/><ContactType>LIKE 'Customer*'</ContactType><CreatedDate/></Contact></ListOfContact>
 </ContactQueryPage_Input></soap:Body></soap:Envelope>"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OnDemandSandbox(rows=20)) as running:
        yield running


def client(served: Served, name: str) -> Any:
    token = UsernameToken(served.sandbox.user, served.sandbox.password)
    return Client(f"{served.url}/wsdl/{name}.wsdl", wsse=token).service


def test_zeep_makes_an_interaction_once(served: Served) -> None:
    cti = client(served, "CTIActivity")
    key = {"InteractionId": "zeep-1", "AgentOfferTime": "1287786900", "ChannelType": "Inbound Call"}
    told = {"Interaction": [{**key, "Origin": LUCIA}]}
    (first,) = cti.CTIActivityInsert(ListOfInteraction=told)
    (second,) = cti.CTIActivityInsert(ListOfInteraction=told)
    assert (first.Status, second.Status) == ("OK", "Activity already exists")
    assert first.ActivityId == second.ActivityId and first.ScreenPopRecordType == "Contact"
    ended = [cti.CTIActivityWrapUp(ListOfInteraction={"Interaction": [key]})[0].Status for _ in range(2)]
    assert ended == ["OK", "Activity has already been wrapped up"]
    with pytest.raises(Fault, match="ListOfInteraction"):
        cti.CTIActivityInsert(ListOfInteraction={"Interaction": [key] * 6})


def test_zeep_pages_and_upserts(served: Served) -> None:
    upsert = client(served, "Account-1.0").AccountInsertOrUpdate
    rows = [{"ExternalSystemId": f"zeep-{n}", "AccountName": f"Engines {n}"} for n in range(20)]
    assert [one.Id for one in upsert({"Account": rows})] == [one.Id for one in upsert({"Account": rows})]
    query = client(served, "Account").AccountQueryPage
    template = {"searchspec": "[ExternalSystemId] LIKE 'zeep-*'", "Id": "", "AccountName": ""}
    seen, start, last = [], 0, "false"
    while last == "false":
        page = query(ListOfAccount={"pagesize": "8", "startrownum": str(start), "Account": template})
        seen += [one.AccountName for one in page.Account]
        start, last = start + len(page.Account), page.lastpage
    assert sorted(seen) == sorted(f"Engines {n}" for n in range(20))
    with pytest.raises(Fault, match="SBL-EAI-04447"):
        query(ListOfAccount={"pagesize": "200", "Account": template})
    with pytest.raises(Fault, match="SBL-EAI-04397"):
        upsert({"Account": [{"AccountName": "No key"}]})
    with pytest.raises(Fault, match="SBL-ODU-00271"):
        upsert({"Account": [*rows, {"ExternalSystemId": "x", "AccountName": "One too many"}]})


def test_a_request_as_the_guide_writes_it_is_understood(served: Served) -> None:
    body = REQUEST.format(user=served.sandbox.user, password=served.sandbox.password)
    parts = iter([body[:200].encode(), body[200:].encode()])  # without a Content-Length
    answer = requests.post(f"{served.url}/Services/Integration/", data=parts, timeout=PATIENCE)
    listed = etree.fromstring(answer.content).find(".//{urn:/crmondemand/xml/Contact/Data}ListOfContact")
    assert answer.status_code == 200 and listed is not None and listed.get("lastpage") == "true"
    assert len(listed) == int(str(listed.get("recordcount"))) > 0
    assert {etree.QName(one).localname for one in listed[0]} == {"ContactFirstName", "ContactType", "CreatedDate"}


def test_soap_of_npm_agrees(served: Served) -> None:
    told = {
        "wsdl": f"{served.url}/wsdl",
        "number": LUCIA,
        "user": served.sandbox.user,
        "password": served.sandbox.password,
    }
    said = judged("ondemand_soap", told)
    first, second = said["inserted"]
    assert (first["Status"], second["Status"]) == ("OK", "Activity already exists")
    assert first["ActivityId"] == second["ActivityId"] and first["ContactFullName"] == "Lucía Romero Ibáñez"
    assert said["ended"] == ["OK", "Activity has already been wrapped up", "Activity not found"]
    assert said["first"]["last"] == "false" and len(said["first"]["names"]) == 3
    assert said["last"]["last"] == "true" and len(said["last"]["names"]) == 1
    assert len(set(said["ids"])) == 1
    assert said["refused"].endswith("FailedAuthentication") and said["nokey"].endswith("Server")
