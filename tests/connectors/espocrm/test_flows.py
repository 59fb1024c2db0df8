"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.model import Query
from sandbox.espocrm import EspoSandbox
from sandbox.frame import Served, serving
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("espocrm")
CONNECTION = """\
  espocrm:
    connector: espocrm
    url: {url}
    api_key: {api_key}
    assigned_user: {assigned_user}
    pull_fields: [Contact.cConsent]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(EspoSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("espocrm", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def stored(served: Served, entity: str, **values: Any) -> list[dict[str, Any]]:
    found = served.sandbox.records.all(entity)
    return [one for one in found if all(one[name] == told for name, told in values.items())]


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["espocrm_mail_to_case", "espocrm_target_list_to_dialer", "espocrm_wrap_up_to_call"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("espocrm", name, running.hub.connections)


def test_a_wrapped_up_call_becomes_one_call_on_its_contact(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "Contact", emailAddress="lucia.romero@naranja-viva.example")
    (ana,) = stored(served, "User", emailAddress="ana@example.com")
    more = {
        "wrap_up": {"code": "SALE", "comment": "Wants the red one"},
        "agent": {"id": "a-17", "email": "ana@example.com"},
    }
    running.take_call("espo-1", "softphone", **more)
    running.deliver()
    (call,) = stored(served, "Call", parentId=lucia["id"])
    assert (call["name"], call["status"], call["direction"]) == (
        "Call from Lucía Romero Ibáñez: SALE",
        "Held",
        "Inbound",
    )
    assert (call["parentType"], call["contactsIds"], call["assignedUserId"]) == ("Contact", [lucia["id"]], ana["id"])
    assert call["description"] == "Wants the red one" and len(call["dateStart"]) == 19 and call["patchbayKey"]
    served.sandbox.records.update("Call", call["id"], {"name": "By a person"})
    more["wrap_up"] = {"code": "SALE", "comment": "Wants the blue one"}
    later = datetime(2026, 11, 23, 10, 6, tzinfo=UTC)
    running.take_call("espo-1", "softphone", **more, id="e-again", occurred_at=later)
    running.deliver()
    (call,) = stored(served, "Call", parentId=lucia["id"])
    assert (call["name"], call["description"]) == ("By a person", "Wants the blue one")
    assert call["contactsIds"] == [lucia["id"]]


def test_a_customer_s_mail_becomes_one_case(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my <order>?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (case,) = stored(served, "Case", name="Where is my (order)?")
    (marta,) = stored(served, "Contact", emailAddress="marta.ferrer@example.org")
    assert case["contactId"] == marta["id"] and case["status"] == "New"


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["espocrm"].connector
    (row, *_) = next(iter(connector.pages(Query(object="Contact", where={"targetList": "Spring campaign"})))).rows
    wanted = {"phoneNumber", "addressCountry", "cConsent", "doNotCall", "name", "firstName", "lastName", "emailAddress",
              "accountName", "id"}  # fmt: skip
    assert wanted <= set(row)
