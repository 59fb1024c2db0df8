"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Query
from sandbox.frame import Served, serving
from sandbox.ondemand import OnDemandSandbox
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("oracle_ondemand")
CONNECTION = """\
  ondemand:
    connector: oracle_ondemand
    url: {url}
    user: {user}
    password: {password}
    wsdl: {wsdl}
    pull_fields: [Contact.bPhone_Consent]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OnDemandSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("oracle_ondemand", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["contacts_to_dialer", "mail_to_service_request", "wrap_up_to_interaction"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("oracle_ondemand", name, running.hub.connections)


def stored(served: Served, kind: str, **values: Any) -> list[dict[str, Any]]:
    found = served.sandbox.records.all(kind)
    return [one for one in found if all(one.get(name) == told for name, told in values.items())]


def test_a_wrapped_up_call_becomes_one_interaction_on_its_contact(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "Contact", ContactEmail="lucia.romero@naranja-viva.example")
    interaction = {"id": "call-1", "channel": "voice", "direction": "inbound", "remote": "+34612345678",
                   "started_at": "2026-11-23T10:02:00Z"}  # fmt: skip
    more: dict[str, Any] = {"interaction": interaction, "wrap_up": {"code": "SALE", "comment": "Wants the red one"}}
    for id in ("e-1", "e-again"):
        running.take_call("call-1", "softphone", **more, id=id)
        running.deliver()
    (activity,) = stored(served, "Activity", PrimaryContactId=lucia["Id"])
    assert activity["Subject"] == "Call inbound: SALE" and activity["SubType"] == "Inbound Call"
    assert activity["Description"] == "Wants the red one" and activity["ResolutionCode"] == "SALE"
    assert activity["AgentOfferTime"] == "1795428120" and served.sandbox.records.is_wrapped_up(activity["Id"])


def test_a_customer_s_mail_becomes_one_request(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my order?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (request,) = stored(served, "ServiceRequest", Subject="Where is my order?")
    (marta,) = stored(served, "Contact", ContactEmail="marta.ferrer@example.org")
    assert request["ContactId"] == marta["Id"] and request["ExternalSystemId"]


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["ondemand"].connector
    (row, *_) = next(iter(connector.pages(Query(object="Contact", where={"ContactType": "Prospect"})))).rows
    assert {"CellularPhone", "WorkPhone", "HomePhone", "PrimaryCountry", "bPhone_Consent", "NeverCall", "ContactFirstName",
            "ContactLastName", "ContactEmail", "AccountName", "id"} <= set(row)  # fmt: skip
