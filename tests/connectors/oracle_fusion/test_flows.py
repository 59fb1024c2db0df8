"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Query
from sandbox.frame import Served, serving
from sandbox.oracle import OracleSandbox
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("oracle_fusion")
CONNECTION = """\
  fusion:
    connector: oracle_fusion
    url: {url}
    user: {user}
    password: {password}
    pull_fields: [contacts.PhoneConsent_c, contacts.PreferredContactMethod]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OracleSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("oracle_fusion", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["contacts_to_dialer", "mail_to_service_request", "wrap_up_to_activity"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("oracle_fusion", name, running.hub.connections)


def stored(served: Served, resource: str, **values: Any) -> list[dict[str, Any]]:
    found = served.sandbox.records.all(resource)
    return [one for one in found if all(one[name] == told for name, told in values.items())]


def test_a_wrapped_up_call_becomes_one_activity_on_its_contact(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "contacts", EmailAddress="lucia.romero@naranja-viva.example")
    more = {"wrap_up": {"code": "SALE", "comment": "Wants the red one"}, "agent": {"id": "a-17", "name": "Ana"}}
    running.take_call("fusion-1", "softphone", **more)
    running.deliver()
    running.take_call("fusion-1", "softphone", **more, id="e-again")
    running.deliver()
    (activity,) = stored(served, "activities", PrimaryContactId=lucia["PartyId"])
    assert activity["Subject"] == "Call inbound: SALE" and activity["ActivityTypeCode"] == "CALL"
    assert activity["ActivityDescription"] == "Wants the red one\nAgent: Ana"
    assert activity["AccountId"] == lucia["AccountPartyId"] and activity["StatusCode"] == "COMPLETE"
    assert activity["PatchbayKey_c"]


def test_a_customer_s_mail_becomes_one_request(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my order?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (request,) = stored(served, "serviceRequests", Title="Where is my order?")
    (marta,) = stored(served, "contacts", EmailAddress="marta.ferrer@example.org")
    assert request["PrimaryContactPartyId"] == marta["PartyId"]


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["fusion"].connector
    (row, *_) = next(iter(connector.pages(Query(object="contacts")))).rows
    wanted = {"RawMobileNumber", "RawWorkPhoneNumber", "Country", "PhoneConsent_c", "DoNotCallFlag", "ContactName",
              "FirstName", "LastName", "EmailAddress", "AccountName", "id"}  # fmt: skip
    assert wanted <= set(row)
