"""The mappings that come with the connector: they agree with the sandbox and carry an interaction through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Query
from sandbox.frame import Served, serving
from sandbox.odoo import OdooSandbox
from tests.shipped import agrees, hub_of, names_of
from tests.whole_hub import WholeHub

NAMES = names_of("odoo")
CONNECTION = """\
  odoo:
    connector: odoo
    url: {url}
    key: {key}
    database: {database}
    phone_fields: [res.partner.phone, res.partner.mobile, crm.lead.phone]
    pull_fields: [res.partner.x_may_be_called, res.partner.x_do_not_call]
    private_network: true
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OdooSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def running(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with hub_of("odoo", CONNECTION, served, tmp_path_factory.mktemp("hub")) as whole:
        yield whole


def test_there_is_one_for_each_flow() -> None:
    assert NAMES == ["odoo_mail_to_lead", "odoo_partners_to_dialer", "odoo_wrap_up_to_note"]


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_the_crm_describes(running: WholeHub, name: str) -> None:
    agrees("odoo", name, running.hub.connections)


def stored(served: Served, model: str, **values: Any) -> list[Any]:
    return [one for one in served.sandbox.database.stored[model].values()
            if all(one.get(name) == told for name, told in values.items())]  # fmt: skip


def test_a_wrapped_up_call_becomes_one_note_on_its_partner(running: WholeHub, served: Served) -> None:
    (lucia,) = stored(served, "res.partner", email="lucia.romero@naranja-viva.example")
    more = {"wrap_up": {"code": "SALE", "comment": "Wants the <red> one"}, "agent": {"id": "a-17", "name": "Ana"}}
    running.take_call("odoo-1", "softphone", **more)
    running.deliver()
    running.take_call("odoo-1", "softphone", **more, id="e-again")
    running.deliver()
    (note,) = stored(served, "mail.message")
    assert (note["model"], note["res_id"], note["subject"]) == ("res.partner", lucia["id"], "Call inbound: SALE")
    assert "Wants the &lt;red&gt; one" in note["body"] and "Agent: Ana" in note["body"] and note["date"]


def test_a_mail_becomes_one_lead(running: WholeHub, served: Served) -> None:
    mail = {"id": "m-1", "channel": "email", "direction": "inbound", "subject": "Where is my order?"}
    running.take("softphone", id="e-m1", interaction=mail, customer={"email": "Marta.Ferrer@example.org"})
    running.deliver()
    (lead,) = stored(served, "crm.lead", name="Where is my order?")
    (marta,) = stored(served, "res.partner", email_normalized="marta.ferrer@example.org")
    assert lead["partner_id"] == marta["id"] and lead["email_from"] == "marta.ferrer@example.org"


def test_what_the_list_names_is_pulled(running: WholeHub) -> None:
    connector: Any = running.hub.connections["odoo"].connector
    rows = [
        row for page in connector.pages(Query(object="res.partner", where={"is_company": False})) for row in page.rows
    ]
    wanted = {"phone", "country_code", "x_may_be_called", "x_do_not_call", "name", "email", "id"}
    assert wanted <= set(rows[0]) and any(row.get("parent_id_name") for row in rows)
