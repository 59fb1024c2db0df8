"""The sandbox by clients that we did not write: zeep by itself, and node `soap`, each by the WSDLs and their imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from zeep import Client
from zeep.exceptions import Fault, TransportError
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from sandbox.frame import Served, serving
from sandbox.sap_crm import WSDLS, SapCrmSandbox
from tests.judges import judged

CREATE, CHANGE = (f"ActivityCRM{verb}RequestConfirmation_In" for verb in ("Create", "Change"))
QUERY = "ActivityCRMByElementsQueryResponse_In"
CALL = {"ProcessTypeCode": "ICAL", "GroupCode": "0001", "ExternalReferenceID": "judge-1", "Description": "By a judge",
        "Text": [{"TypeCode": "A002", "ContentText": "<ñ> & 🦄"}]}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(SapCrmSandbox(rows=10)) as running:
        yield running


def client(served: Served, name: str, wsse: Any = None) -> Client:
    """zeep as it comes, with a session of its own."""
    session = requests.Session()
    session.trust_env = False
    session.auth = tuple(served.sandbox.credentials().values())
    return Client(f"{served.url}{WSDLS}{name}.wsdl", transport=Transport(session=session), wsse=wsse)


def test_zeep_creates_changes_and_finds(served: Served) -> None:
    activities = client(served, "activity").service
    header = {"ID": "1", "UUID": "11111111-1111-4111-8111-111111111111"}
    made = activities[CREATE](MessageHeader=header, Activity=CALL)
    assert made.Log.MaximumLogItemSeverityCode == "1" and made.MessageHeader.ReferenceUUID == header["UUID"]
    again = activities[CREATE](MessageHeader=header, Activity=CALL)
    assert again.Activity.ID == made.Activity.ID
    activities[CHANGE](Activity={"ID": made.Activity.ID, "StatusCode": "E0003"})
    selection = {"SelectionByExternalReferenceID": [{"LowerBoundaryExternalReferenceID": "judge-1"}]}
    found = activities[QUERY](ActivitySelectionByElements=selection)
    assert [(row.ID, row.StatusCode, row.Text[0].ContentText) for row in found.Activity] == [
        (made.Activity.ID, "E0003", "<ñ> & 🦄")
    ]
    refused = activities[CREATE](Activity={**CALL, "ProcessTypeCode": "NOPE"})
    assert refused.Log.MaximumLogItemSeverityCode == "3" and refused.Activity is None


def test_zeep_finds_partners_and_is_told_of_faults(served: Served) -> None:
    partners = client(served, "business_partner").service
    selection = {"SelectionByEmailAddress": [{"LowerBoundaryEmailAddress": "*@*"}]}
    found = partners.BusinessPartnerCRMByElementsQueryResponse_In(
        BusinessPartnerSelectionByElements=selection, ProcessingConditions={"QueryHitsMaximumNumberValue": 3}
    )
    assert len(found.BusinessPartner) == 3 and found.ProcessingConditions.MoreHitsAvailableIndicator is True
    served.sandbox.faults.set("business_fault")
    with pytest.raises(Fault) as failed:
        partners.BusinessPartnerCRMByElementsQueryResponse_In(BusinessPartnerSelectionByElements=selection)
    assert failed.value.code == "soap-env:Server" and failed.value.detail[0].tag.endswith("StandardMessageFault")


@pytest.mark.parametrize("digest", [False, True])
def test_zeep_proves_itself_by_ws_security(digest: bool) -> None:
    with serving(SapCrmSandbox(rows=3, token_only=True)) as served:
        user, password = served.sandbox.credentials().values()
        selection = {"SelectionByID": [{"LowerBoundaryID": "1"}]}
        right = client(served, "activity", UsernameToken(user, password, use_digest=digest))
        assert right.service[QUERY](ActivitySelectionByElements=selection).Activity == []
        for wrong in (None, UsernameToken(user, "wrong", use_digest=digest)):
            with pytest.raises((TransportError, Fault)):
                client(served, "activity", wrong).service[QUERY](ActivitySelectionByElements=selection)


@pytest.mark.parametrize("token", ["", "PasswordText", "PasswordDigest"])
def test_node_soap_creates_and_finds(served: Served, token: str) -> None:
    key = f"node-{token or 'basic'}"
    selection = {
        "ActivitySelectionByElements": {"SelectionByExternalReferenceID": [{"LowerBoundaryExternalReferenceID": key}]}
    }
    told = judged("soap_client", {
        "wsdl": f"{served.url}{WSDLS}activity.wsdl", **served.sandbox.credentials(), "token": token,
        "calls": [[CREATE, {"Activity": {**CALL, "ExternalReferenceID": key}}], [QUERY, selection],
                  [CREATE, {"Activity": {**CALL, "ProcessTypeCode": "NOPE"}}]]})  # fmt: skip
    created, found, refused = (one.get("answer") for one in told["answers"])
    assert created and str(created["Log"]["MaximumLogItemSeverityCode"]) == "1"
    row = found["Activity"][0] if isinstance(found["Activity"], list) else found["Activity"]
    assert row["ID"] == created["Activity"]["ID"] and row["Description"] == "By a judge"
    assert str(refused["Log"]["MaximumLogItemSeverityCode"]) == "3"


def test_node_soap_and_zeep_read_a_target_group_in_parts(served: Served) -> None:
    operation, group = "ZPB_TARGET_GROUP_MEMBERS", {"IV_TARGET_GROUP": "MAY_BE_CALLED"}
    members = client(served, "target_group").service[operation]
    every = [one.PARTNER for one in members(**group).ET_MEMBERS.item]
    assert every == sorted(every) and len(every) > 2
    part = members(**group, IV_AFTER=every[0], IV_MOST=1)
    assert [(one.PARTNER, one.CONSENT) for one in part.ET_MEMBERS.item] == [(every[1], "1")]
    told = judged("soap_client", {
        "wsdl": f"{served.url}{WSDLS}target_group.wsdl", **served.sandbox.credentials(), "token": "",
        "calls": [[operation, group], [operation, {"IV_TARGET_GROUP": "NONE"}]]})  # fmt: skip
    found, none = (one["answer"] for one in told["answers"])
    assert [one["PARTNER"] for one in found["ET_MEMBERS"]["item"]] == every
    wrong = none["ET_RETURN"]["item"]
    assert (wrong[0] if isinstance(wrong, list) else wrong)["TYPE"] == "E"
