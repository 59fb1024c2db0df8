"""The Odoo sandbox, judged by clients that we did not write: OdooRPC (JSON-RPC) and Odoo's own odoo-client-lib (both)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import odoolib  # type: ignore[import-untyped]
import odoorpc  # type: ignore[import-untyped]
import pytest
from odoolib.tools import AuthenticationError  # type: ignore[import-untyped]

from sandbox.frame import Served, serving
from sandbox.odoo import OdooSandbox

LUCIA = [["phone_mobile_search", "like", "12345678"]]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(OdooSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def rpc(served: Served) -> Any:
    place = urlsplit(served.url)
    client = odoorpc.ODOO(place.hostname, port=place.port)
    client.login("acme", "patchbay@acme.example", served.sandbox.key)
    return client


@pytest.fixture(params=["json2", "jsonrpc"])
def library(request: pytest.FixtureRequest, served: Served) -> Any:
    place = urlsplit(served.url)
    return odoolib.get_connection(hostname=place.hostname, port=place.port, protocol=request.param, database="acme",
                                  login="patchbay@acme.example", password=served.sandbox.key)  # fmt: skip


def test_odoorpc_signs_in_browses_and_writes(rpc: Any) -> None:
    assert rpc.version == "19.0" and rpc.env.uid == 1
    partners = rpc.env["res.partner"]
    (id,) = partners.search(LUCIA)
    lucia = partners.browse(id)
    assert lucia.name == "Lucía Romero Ibáñez" and lucia.parent_id.name.startswith("Naranja Viva") and not lucia.ref
    lucia.city = "Madrid"
    assert partners.read([id], ["city"]) == [{"id": id, "city": "Madrid"}]
    new = partners.create({"name": "Judge"})
    assert partners.search_count([["name", "=", "Judge"]]) == 1 and partners.unlink([new])
    with pytest.raises(odoorpc.error.RPCError) as gone:
        partners.read([new], ["name"])
    assert gone.value.info["data"]["name"] == "odoo.exceptions.MissingError"


def test_odoorpc_loads_by_external_ids(rpc: Any, served: Served) -> None:
    fields = ["id", "name", "parent_id/.id", "is_company"]
    first = rpc.execute("res.partner", "load", fields, [["judge.a", "A", "", "true"], ["judge.b", "B", "1", "false"]])
    second = rpc.execute("res.partner", "load", fields, [["judge.a", "A2", "", "true"], ["judge.b", "B", "1", "false"]])
    assert first["ids"] == second["ids"] and first["messages"] == []
    assert rpc.execute("res.partner", "get_external_id", first["ids"]) == {str(first["ids"][0]): "judge.a",
                                                                          str(first["ids"][1]): "judge.b"}  # fmt: skip
    wrong = rpc.execute(
        "res.partner", "load", ["id", "name", "type"], [["judge.a", "A3", "contact"], ["judge.c", "C", "none"]]
    )
    assert wrong["ids"] is False and [(one["type"], one["record"]) for one in wrong["messages"]] == [("error", 1)]
    assert rpc.env["res.partner"].browse(first["ids"][0]).name == "A2", "all or none"


def test_odoo_client_lib_agrees_by_both_interfaces(library: Any) -> None:
    assert library.get_user_context()["lang"] == "en_US"
    partners = library.get_model("res.partner")
    (lucia,) = partners.search_read(LUCIA, ["name", "phone_sanitized"])
    assert lucia["name"] == "Lucía Romero Ibáñez" and lucia["phone_sanitized"] == "+34612345678"
    everyone = partners.search([], order="id desc", limit=5)
    assert everyone == sorted(everyone, reverse=True) and len(everyone) == 5
    fields = partners.fields_get(attributes=["type", "required"])
    assert fields["name"] == {"type": "char", "required": True}
    assert partners.write([lucia["id"]], {"ref": "L-1"}) is True
    assert partners.search_count(["|", ["ref", "=", "L-1"], ["ref", "=", "none"]]) == 1
    assert partners.search_count(["!", ["ref", "=", "L-1"]]) == partners.search_count([]) - 1


def test_a_wrong_key_and_a_wrong_argument_are_refused(served: Served) -> None:
    place = urlsplit(served.url)
    told = {"hostname": place.hostname, "port": place.port, "database": "acme", "login": "patchbay@acme.example"}
    assert odoolib.get_connection(**told, protocol="json2", password="wrong").check_login() is False
    with pytest.raises(AuthenticationError):
        odoolib.get_connection(**told, protocol="jsonrpc", password="wrong").get_model("res.partner").search([])
    good = odoolib.get_connection(**told, protocol="json2", password=served.sandbox.key)
    with pytest.raises(ValueError, match="unexpected keyword"):
        good.get_model("res.partner").search(domain=[], sorted="yes")
    with pytest.raises(ValueError, match="404"):
        good.get_model("no.such.model").search(domain=[])
