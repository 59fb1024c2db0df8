"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.model import Query
from sandbox.dolibarr import DolibarrSandbox
from sandbox.frame import Served, serving
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("dolibarr")
CONNECTION = """\
  dolibarr:
    connector: dolibarr
    url: {url}
    api_key: {api_key}
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(DolibarrSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("dolibarr", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def stored(served: Served, name: str, **values: Any) -> list[dict[str, Any]]:
    found = served.sandbox.records.all(name)
    return [one for one in found if all(one[field] == told for field, told in values.items())]


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["dolibarr_category_to_dialer", "dolibarr_mail_to_ticket", "dolibarr_wrap_up_to_event"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("dolibarr", name, running.hub.connections)


def test_a_wrapped_up_call_becomes_one_event_on_its_contact(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "contacts", email="lucia.romero@naranja-viva.example")
    (ana,) = stored(served, "users", email="ana@example.com")
    more = {
        "wrap_up": {"code": "SALE", "comment": "It's the red one"},
        "agent": {"id": "a-17", "email": "ana@example.com"},
    }
    running.take_call("doli-1", "softphone", **more)
    running.deliver()
    (call,) = stored(served, "agendaevents", type_code="AC_TEL")
    assert (call["label"], call["percentage"]) == ("Call from Lucía Romero Ibáñez: SALE", "100")
    assert (call["socid"], list(call["socpeopleassigned"]), call["userownerid"]) == (
        lucia["socid"],
        [lucia["id"]],
        ana["id"],
    )
    assert (
        call["note_private"] == "It's the red one"
        and isinstance(call["datep"], int)
        and call["ref_ext"].startswith("pb-")
    )
    served.sandbox.records.update("agendaevents", call["id"], {"label": "By a person"})
    more["wrap_up"] = {"code": "SALE", "comment": "It's the blue one"}
    later = datetime(2026, 11, 23, 10, 6, tzinfo=UTC)
    running.take_call("doli-1", "softphone", **more, id="e-again", occurred_at=later)
    running.deliver()
    (call,) = stored(served, "agendaevents", type_code="AC_TEL")
    assert (call["label"], call["note_private"]) == ("By a person", "It's the blue one")
    assert list(call["socpeopleassigned"]) == [lucia["id"]]


def test_a_customer_s_mail_becomes_one_ticket(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": 'Where is my <order> "7"?'}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Lucia.Romero@naranja-viva.example"})
    running.deliver()
    (ticket,) = stored(served, "tickets", subject="Where is my ‹order› ”7”?")
    (lucia,) = stored(served, "contacts", email="lucia.romero@naranja-viva.example")
    assert ticket["fk_soc"] == lucia["socid"] and ticket["message"] == ticket["subject"]


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["dolibarr"].connector
    query = Query(object="contacts", where={"category": "Spring campaign"})
    (row, *_) = next(iter(connector.pages(query))).rows
    wanted = {"phone_mobile", "phone_pro", "phone_perso", "country_code", "options_consent", "options_donotcall",
              "firstname", "lastname", "email", "socname", "id"}  # fmt: skip
    assert wanted <= set(row)
