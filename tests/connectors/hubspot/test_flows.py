"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Query
from sandbox.frame import Served, serving
from sandbox.hubspot import HubSpotSandbox, exports
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("hubspot")
CONNECTION = """\
  hubspot:
    connector: hubspot
    url: {url}
    token: {token}
    portal: "{portal}"
    pull_fields: [contacts.consent_to_call, contacts.do_not_call]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(HubSpotSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("hubspot", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["hubspot_list_to_dialer", "hubspot_mail_to_ticket", "hubspot_wrap_up_to_call"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("hubspot", name, running.hub.connections)


def stored(served: Served, object: str, **values: str) -> list[Any]:
    return [one for one in served.sandbox.portal.all(object)
            if all(one.properties.get(name) == told for name, told in values.items())]  # fmt: skip


def test_a_wrapped_up_call_becomes_one_call_on_its_contact_and_company(running: WholeHub, served: Served) -> None:
    portal = served.sandbox.portal
    (lucia,) = stored(served, "contacts", email="lucia.romero@naranja-viva.example")
    more = {
        "wrap_up": {"code": "SALE", "comment": "Wants the <red> one"},
        "agent": {"id": "a-17", "email": "ana@example.com"},
    }
    interaction = {
        "id": "hubspot-1",
        "channel": "voice",
        "direction": "inbound",
        "remote": "+34612345678",
        "talk_seconds": 184,
    }
    running.take_call("hubspot-1", "softphone", **more, interaction=interaction)
    running.deliver()
    running.take_call("hubspot-1", "softphone", **more, interaction=interaction, id="e-again")
    running.deliver()
    (call,) = portal.all("calls")
    assert portal.associated("calls", call.id, "contacts") == [lucia.id]
    assert portal.associated("calls", call.id, "companies") == [lucia.properties["associatedcompanyid"]]
    told = call.properties
    assert told["hs_call_title"] == "Call inbound: SALE" and "&lt;red&gt;" in told["hs_call_body"]
    assert portal.owners[told["hubspot_owner_id"]]["email"] == "ana@example.com"
    assert told["hs_call_duration"] == "184000" and told["hub_key"]


def test_a_customer_s_mail_becomes_one_ticket(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my order?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (ticket,) = stored(served, "tickets", subject="Where is my order?")
    (marta,) = stored(served, "contacts", email="marta.ferrer@example.org")
    assert served.sandbox.portal.associated("tickets", ticket.id, "contacts") == [marta.id]


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["hubspot"].connector
    (row, *_) = next(iter(connector.pages(Query(object="contacts", where={"list": "May be called"})))).rows
    wanted = {"mobilephone", "phone", "country", "consent_to_call", "do_not_call", "firstname", "lastname", "email",
              "company", "id"}  # fmt: skip
    assert wanted <= set(row) and row["consent_to_call"] == "true"


def test_a_large_list_is_loaded_by_one_export_and_who_is_taken_off_is_taken_off(
    running: WholeHub, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "STATES", ())  # complete at once: nobody waits here
    connector: Any = running.hub.connections["hubspot"].connector
    monkeypatch.setattr(connector._puller, "_bulk_from", 2)
    portal = served.sandbox.portal
    (listed,) = (one for one in portal.lists.values() if one.name == "May be called")
    before = served.sandbox.faults.calls.copy()
    first = running.hub.lists.pull("hubspot_list_to_dialer")
    made = served.sandbox.faults.calls - before
    assert first.read == len(listed.members) and first.sent > 1
    assert made["POST", "/crm/v3/exports/export/async"] == 1 and not any("memberships" in path for _, path in made)
    gone = next(one for one in listed.members if portal.one("contacts", one).properties.get("mobilephone"))
    portal.one("contacts", gone).properties["lastmodifieddate"] = "2026-01-01T00:00:00.000Z"
    portal.leave(listed, gone)
    changed, full = (running.hub.lists.pull("hubspot_list_to_dialer") for _ in range(2))
    assert changed.removed == 0 and full.removed == 1  # HubSpot tells that somebody left, and not who
    assert full.sent == 0  # a row of an export is the row of a read
