"""The Dolibarr sandbox and our connector, judged by what we did not write: two clients of Dolibarr's API from PyPI,
`cli-dolibarr` and `dolibarrpy`, and the description of a real server's API (its own `swagger.json`, version 21) that the
first of them carries, with the answers of that server about its extra fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from cli_dolibarr.dolibarr.core.client import DolibarrAPIError, DolibarrClient  # type: ignore[import-untyped]
from dolibarrpy.Dolibarrpy import (  # type: ignore[import-untyped]
    ContactFilter,
    DolibarrListError,
    Dolibarrpy,
    TicketFilter,
)
from werkzeug.wrappers import Request

from hub.model import PERSON, Lookup, Query, Row, Target
from sandbox.dolibarr import DolibarrSandbox
from sandbox.frame import Served, serving
from tests.contract.given import a_key, a_number
from tests.contract.scenario_files import built

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Watched(DolibarrSandbox):
    """One that remembers what it was asked: method, path, the names of the parameters, the body."""

    def app(self, url: str) -> WSGIApplication:
        self.asked: list[tuple[str, str, set[str]]] = []
        inner = super().app(url)

        def watching(environ: WSGIEnvironment, start: StartResponse) -> Any:
            request = Request(environ)
            self.asked.append((request.method, request.path.removeprefix("/api/index.php"), set(request.args)))
            return inner(environ, start)

        return watching


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(Watched(rows=30)) as running:
        yield running


@pytest.fixture(scope="module")
def cli(served: Served) -> Iterator[Any]:
    client = DolibarrClient(served.url, served.sandbox.api_key)
    yield client
    client.session.close()


@pytest.fixture(scope="module")
def py(served: Served) -> Any:
    return Dolibarrpy(f"{served.url}/api/index.php/", served.sandbox.api_key, 10, False)


# --- cli-dolibarr ----------------------------------------


def test_cli_signs_in_or_is_told_why_not(served: Served, cli: Any) -> None:
    assert cli.test_connection() and cli.get("status")["success"]["dolibarr_version"] == "22.0.1"
    assert cli.get("users", "info", includepermissions=1)["rights"]["agenda"]["myactions"]["create"] == 1
    with pytest.raises(DolibarrAPIError) as refused:
        DolibarrClient(served.url, "wrong").get("status")
    assert refused.value.status_code == 401 and "user not valid" in refused.value.message


def test_cli_makes_changes_and_deletes_an_event(cli: Any) -> None:
    contact = cli.list("contacts", limit=1)[0]["id"]
    fields = {"userownerid": 1, "type_code": "AC_TEL", "label": "Call", "datep": 1795428120, "ref_ext": "cli-1",
              "socpeopleassigned": {contact: {"id": contact}}, "note_private": "<p>Hello</p>"}  # fmt: skip
    id = cli.post("agendaevents", fields)
    assert isinstance(id, int)
    got = cli.get("agendaevents", id)
    assert (got["label"], got["datep"], list(got["socpeopleassigned"])) == ("Call", 1795428120, [contact])
    assert "ref_ext" not in got and got["array_options"] == {"options_patchbaykey": None, "options_seconds": None}
    assert (
        cli.put("agendaevents", id, {"label": "Changed", "array_options": {"options_seconds": 7}})["label"] == "Changed"
    )
    by_key = {"sortfield": "t.id", "sqlfilters": "(t.ref_ext:=:'cli-1')"}
    (listed,) = cli.list("agendaevents", properties="id,label", **by_key)
    assert listed == {"id": str(id), "label": "Changed"}
    assert cli.delete("agendaevents", id)["success"]["code"] == 200
    assert cli.list("agendaevents", **by_key) == []
    for again in (cli.get, cli.delete):
        with pytest.raises(DolibarrAPIError) as gone:
            again("agendaevents", id)
        assert gone.value.status_code == 404
    with pytest.raises(DolibarrAPIError, match="type_code field missing") as missing:
        cli.post("agendaevents", {"userownerid": 1})
    assert missing.value.status_code == 400


def test_cli_s_own_hints_are_for_what_the_sandbox_says_too(cli: Any) -> None:
    """It knows what a real server says where a column is unknown or a right is missing, and adds what to do."""
    with pytest.raises(DolibarrAPIError, match=r"Unknown column .*（提示") as unknown:
        cli.list("agendaevents")  # its own order is by t.rowid, which events do not have
    assert unknown.value.status_code == 503
    with pytest.raises(DolibarrAPIError, match="Bad syntax of the search string: ") as syntax:
        cli.list("contacts", sqlfilters="ref like '%FR501%'")
    assert syntax.value.status_code == 400


def test_cli_pages_and_counts_third_parties(cli: Any) -> None:
    told = cli.list("thirdparties", limit=2, page=1, pagination_data=True)
    everyone = cli.list("thirdparties", limit=0)
    assert told["data"] == everyone[2:4] and told["pagination"]["total"] == len(everyone)
    assert {type(one["client"]) for one in everyone} == {int}  # it turns PHP's texts into numbers
    with pytest.raises(DolibarrAPIError) as nobody:
        cli.list("thirdparties", sqlfilters="(t.nom:=:'Nobody')")
    assert nobody.value.status_code == 404
    (lucia,) = cli.list("contacts", sqlfilters="(t.phone_mobile:like:'612%78') and (t.lastname:like:'romero%')")
    assert lucia["firstname"] == "Lucía" and lucia["array_options"]["options_consent"] == "1"


# --- dolibarrpy ----------------------------------------


def test_dolibarrpy_pages_contacts_strictly(py: Any) -> None:
    contacts = py.find_all_contacts(ContactFilter(limit=7))
    assert len(contacts) == 30 == len({one["id"] for one in contacts})
    assert py.find_all_contacts(ContactFilter(limit=7, sqlfilters="(t.lastname:=:'Nobody')")) == []
    with pytest.raises(DolibarrListError, match="400"):
        py.find_all_contacts(ContactFilter(limit=7, sqlfilters="(t.lastname='Nobody')"))
    assert py.get_contact_by_email(contacts[0]["email"])["id"] == contacts[0]["id"]
    assert py.get_contact_by_cid(99_999)["error"] == {"code": 404, "message": "Not Found: Contact not found"}
    assert py.update_contact_by_cid(contacts[1]["id"], {"poste": "Countess"})["poste"] == "Countess"
    (spring,) = py.get_some_contacts_categories_by_cid(contacts[0]["id"])
    assert spring["label"] == "Spring campaign"
    members = py.find_all_contacts(ContactFilter(limit=50, category=int(spring["id"])))
    assert [one["id"] for one in members] == [one["id"] for one in contacts[:15]]


def test_dolibarrpy_makes_third_parties_and_reads_tickets_and_users(served: Served, cli: Any, py: Any) -> None:
    id = py.create_thirdparties({"name": "Judge & Co", "email": "judge@example.com", "client": 2})
    assert py.get_thirdparty_by_tid(id)["name"] == "Judge & Co"
    assert py.get_thirdparty_by_email("JUDGE@example.com")["id"] == str(id)
    ticket = cli.post("tickets", {"subject": "Where?", "message": "My order", "track_id": "judge-1"})
    assert py.get_ticket_by_iid(ticket)["subject"] == py.get_ticket_by_track_id("judge-1")["subject"] == "Where?"
    assert [one["track_id"] for one in py.find_some_tickets(TicketFilter(limit=9))] == ["judge-1"]
    assert py.get_user_by_uid(served.sandbox.records.me)["login"] == "patchbay"
    assert py.get_status()["success"]["code"] == 200
    assert py.get_setup_extrafields("socpeople")["socpeople"]["consent"]["type"] == "boolean"


# --- a real server's own description ----------------------------------------


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], set[str]]:
    """By method and path what a real server takes in the address."""
    told = json.loads((files("cli_dolibarr.dolibarr") / "schema.json").read_text())
    assert told["source"] == "swagger"
    return {(one["method"], one["path"]): {p["name"] for p in one["parameters"] if p["in"] == "query"}
            for one in told["endpoints"]}  # fmt: skip


def template(path: str, known: set[str]) -> str:
    """The description's own path for one that was asked."""
    words = path.strip("/").split("/")
    for one in known:
        parts = one.strip("/").split("/")
        if len(parts) == len(words) and all(a == b or a.startswith("{") for a, b in zip(parts, words, strict=True)):
            return one
    raise AssertionError(f"a real server has no {path}")


def test_all_that_our_connector_asks_a_real_server_takes(served: Served, described: Any) -> None:
    connector: Any = built("dolibarr", {"url": served.url, **served.sandbox.credentials()})
    served.sandbox.asked.clear()
    key, number = a_key(), a_number()
    connector.check()
    for object in connector.objects():
        connector.describe(object)
    connector.find([Lookup(PERSON, "phone", number), Lookup("users", "email", "ana@example.com"),
                    Lookup("agendaevents", "key", key), Lookup("tickets", "key", key)])  # fmt: skip
    row = Row(key=key, fields={"type_code": "AC_TEL", "datep": "2026-11-23T10:02:00Z", "socpeopleassigned": "1"})
    for action in ("upsert", "upsert", "remove"):
        connector.write(Target(object="agendaevents", key="ref_ext"), [Row(key=key, fields=row.fields, action=action)])
    for object in ("contacts", "thirdparties"):
        for where in ({"category": "Spring campaign"}, {"town": "Madrid"}):
            list(connector.pages(Query(object=object, where=where)))
    asked = {(method, template(path, {one for _, one in described}), *sorted(names))
             for method, path, names in served.sandbox.asked}  # fmt: skip
    assert len(asked) > 15
    for method, path, *names in asked:
        assert (method, path) in described, f"a real server has no {method} {path}"
        strange = set(names) - described[method, path]
        # A parameter that it does not describe it passes over: `active` would then be all codes.
        assert not strange, f"{method} {path} takes no {strange}"


def test_extra_fields_look_as_a_real_server_s(cli: Any) -> None:
    told = json.loads((files("cli_dolibarr.dolibarr") / "extrafields_cache.json").read_text())
    real = {tuple(sorted(field)) for fields in told.values() for field in fields.values()}
    ours = cli.get("setup/extrafields", elementtype="socpeople")
    assert list(ours) == ["socpeople"] and {tuple(sorted(field)) for field in ours["socpeople"].values()} <= real
