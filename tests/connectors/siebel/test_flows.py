"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.model import Query
from sandbox.frame import Served, serving
from sandbox.siebel import SiebelSandbox
from sandbox.siebel.schema import COMPONENTS
from sandbox.siebel.state import LIST_ID
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("siebel")
CONNECTION = """\
  siebel:
    connector: siebel
    url: {url}
    user: {user}
    password: {password}
    pull_fields: [Contact.X Call Consent, List Member.X Call Consent]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(SiebelSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("siebel", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def stored(served: Served, path: str, **values: Any) -> list[dict[str, Any]]:
    found = served.sandbox.records.all(path)
    return [one for one in found if all(one[name.replace("_", " ")] == told for name, told in values.items())]


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["siebel_contacts_to_dialer", "siebel_list_to_dialer", "siebel_mail_to_service_request",
                     "siebel_wrap_up_to_action"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("siebel", name, running.hub.connections)


def test_a_wrapped_up_call_becomes_one_activity_on_its_contact(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "Contact/Contact", Email_Address="lucia.romero@naranja-viva.example")
    more = {"wrap_up": {"code": "SALE", "comment": "Wants the red one"}, "agent": {"id": "a-17", "name": "Ana"}}
    running.take_call("siebel-1", "softphone", **more)
    running.deliver()
    (action,) = stored(served, "Action/Action", Primary_Contact_Id=lucia["Id"])
    assert (action["Type"], action["Description"], action["Status"]) == ("Call - Inbound", "Call inbound: SALE", "Done")
    assert action["Comment"] == "Wants the red one\nAgent: Ana" and action["Account Id"] == lucia["Account Id"] != ""
    assert len(action["Activity UID"]) <= 30 and len(action["Started"]) == len("11/23/2026 10:02:00")
    served.sandbox.records.update(COMPONENTS["Action/Action"], action, {"Description": "By a person"})
    more["wrap_up"] = {"code": "SALE", "comment": "Wants the blue one"}
    later = datetime(2026, 11, 23, 10, 6, tzinfo=UTC)
    running.take_call("siebel-1", "softphone", **more, id="e-again", occurred_at=later)
    running.deliver()
    (action,) = stored(served, "Action/Action", Primary_Contact_Id=lucia["Id"])
    assert (action["Description"], action["Comment"]) == ("By a person", "Wants the blue one\nAgent: Ana")


def test_a_customer_s_mail_becomes_one_request(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my order?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (request,) = stored(served, "Service Request/Service Request", Abstract="Where is my order?")
    (marta,) = stored(served, "Contact/Contact", Email_Address="marta.ferrer@example.org")
    assert request["Contact Id"] == marta["Id"] and request["Status"] == "Open"


@pytest.mark.parametrize("object", ["Contact", "List Member"])
def test_what_the_lists_name_is_pulled(running: WholeHub, served: Served, object: str) -> None:
    connector: Any = running.hub.connections["siebel"].connector
    where = {"List Id": LIST_ID} if object == "List Member" else {"X Call Consent": "Y"}
    (row, *_) = next(iter(connector.pages(Query(object=object, where=where)))).rows
    wanted = {"Cellular Phone #", "Work Phone #", "X Call Consent", "Suppress All Calls", "First Name", "Last Name",
              "Email Address", "id"}  # fmt: skip
    assert wanted <= set(row) and row["Suppress All Calls"] in (True, False)
