"""The desk through the real front door: who is calling, dial this number, and the platform that plays the call back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from hub.model import Lookup, Row, Target
from hub.store.crm import Crm
from hub.web.asgi import asgi_app
from sandbox.softphone import SoftphoneServer
from tests.desk_stubs import Gate, all_but, deadline_when
from tests.waiting import PATIENCE, until
from tests.whole_hub import SECRET, TOKEN, WholeHub, whole_hub

KNOWN, OTHER, OURS = "+34612345678", "+34699111222", "+34917654321"
SETTINGS = """\
company: Test
country: ES
zone: Europe/Madrid
public_url: {url}
own_numbers: ["+34911234567"]
screen_pop: screen_pop.yaml
dial: {{ per_minute: 30, blocked_prefixes: ["+34806"], double_click_seconds: 60 }}
connections:
  softphone:
    connector: softphone
    url: {softphone}
    token: the token
    secrets: ${{PATCHBAY_WEBHOOK_SECRET}}
    private_network: true
  crm:
    connector: embedded
  erp:
    connector: embedded
"""
TABLE = "deadline: 30 seconds\nconnections: [crm, erp]\nrules: [person_of_account, open_case, connections]\n"
WRAP_UP = """\
mapping: wrap_up
about: A wrapped-up call becomes an activity on the record that was clicked, else on the caller.
source: { connection: softphone, event: interaction.wrapped_up }
target: { connection: crm, write: activity, key: interaction_key }
resolve:
  caller: { find: person, by: [ { id: clicked.id }, { phone: customer.phone } ], many: none }
fields:
  contact: { expr: "caller.id if caller.object == 'contact'" }
  account: { expr: "caller.id if caller.object == 'account'" }
  case: { expr: "caller.id if caller.object == 'case'" }
  direction: interaction.direction
examples:
  - about: A call.
    given: { interaction: { channel: voice, direction: inbound }, caller: { id: "C-1", object: contact } }
    expect: { contact: "C-1", direction: inbound }
"""


class Desk:
    """A hub that is served for real, its CRM, and the softphone beside it."""

    def __init__(self, whole: WholeHub, phone: SoftphoneServer, url: str) -> None:
        self.whole, self.hub, self.phone, self.url = whole, whole.hub, phone, url
        self.crm = Crm(whole.hub.store.engine, "ES")
        self.api = requests.Session()
        self.api.headers["Authorization"] = f"Bearer {TOKEN}"

    def contact(self, **fields: Any) -> str:
        made = self.crm.create("contact", {"last_name": "Romero", "country": "ES"} | fields)
        assert made.id, made.error
        return made.id

    def pop(self, status: int = 200, **query: Any) -> Any:
        answer = self.api.get(f"{self.url}/api/v1/screen-pop", params=query, timeout=PATIENCE)
        assert answer.status_code == status, answer.text
        return answer.json()

    def dial(self, key: str = "click-1", status: int = 200, record: tuple[str, str] | None = None, **body: Any) -> Any:
        told = {"to": "612 34 56 78", "agent": "a-17"} | body
        if record:
            told["record"] = {"connection": "crm", "object": record[0], "id": record[1]}
        answer = self.api.post(f"{self.url}/api/v1/dial", json=told, headers={"Idempotency-Key": key}, timeout=PATIENCE)
        assert answer.status_code == status, answer.text
        return answer.json()

    def fault(self, fault: str, **more: Any) -> None:
        told = {"fault": fault, **more}
        headers = {"Authorization": "Bearer the token"}
        requests.post(f"{self.phone.url}/v1/faults", json=told, headers=headers, timeout=PATIENCE).raise_for_status()

    def activity(self, call: str) -> dict[str, Any]:
        """The call's activity, once the call was played and delivered."""
        assert self.phone.hooks.wait_until_sent(PATIENCE)
        self.whole.deliver()
        (found,) = self.crm.find([Lookup("activity", "key", f"softphone:{call}")])
        (activity,) = found
        return dict(activity.fields)


@contextmanager
def serving(whole: WholeHub, port: int) -> Iterator[str]:
    config = uvicorn.Config(
        asgi_app(whole.hub, whole.flask),
        host="127.0.0.1",
        port=port,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture
def desk(store_url: str, tmp_path: Path, free_port: int) -> Iterator[Desk]:
    url = f"http://127.0.0.1:{free_port}"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "screen_pop.yaml").write_text(TABLE)
    hooks = f"{url}/hooks/softphone"
    with SoftphoneServer(hook_url=hooks, secret=SECRET, token="the token", speed=2000, run="t") as phone:
        settings = SETTINGS.format(url=url, softphone=phone.url)
        with whole_hub(tmp_path, store_url, settings=settings, mappings={"wrap_up": WRAP_UP}) as whole:
            with serving(whole, free_port):
                made = Desk(whole, phone, url)
                yield made
                made.api.close()
            phone.close()


# --- screen pop ----------------------------------------


def test_who_is_calling(desk: Desk) -> None:
    ana = desk.contact(mobile="612 34 56 78", email="ana@example.com", contact_key="K-7")
    for query in (
        {"phone": KNOWN},
        {"phone": "0034612345678"},
        {"email": "ANA@example.com"},
        {"key": "K-7"},
        {"key": ana},
    ):
        pop = desk.pop(connection="crm", **query)
        assert (pop["match"], [record["id"] for record in pop["records"]], pop["silent"]) == ("one", [ana], [])
        assert pop["url"] == f"{desk.url}/crm/contact/{ana}"
        assert pop["records"][0]["matched"]["object"] == "contact"
        assert pop["took_ms"] > 0
    # Both connections are the same CRM here, so both know her: the table's order of connections decides.
    pop = desk.pop(phone=KNOWN)
    assert (pop["match"], pop["records"][0]["connection"], pop["records"][0]["rule"]) == ("one", "crm", "connections")
    assert [other["connection"] for other in pop["others"]] == ["erp"]


def test_the_plus_of_a_bare_url_and_the_redirect(desk: Desk) -> None:
    ana = desk.contact(mobile=KNOWN)
    road = f"{desk.url}/api/v1/screen-pop?phone={KNOWN}&redirect=1"  # the + as platforms' templates write it
    answer = desk.api.get(road, allow_redirects=False, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{desk.url}/crm/contact/{ana}")


def test_a_number_of_many_people_is_the_accounts(desk: Desk) -> None:
    account = desk.crm.create("account", {"name": "Lumen"}).id
    for n in range(3):
        desk.contact(first_name=str(n), phone=OTHER, account=account)
    pop = desk.pop(phone=OTHER, connection="crm")
    assert (pop["match"], pop["records"][0]["object"], pop["records"][0]["id"]) == ("one", "account", account)
    assert pop["records"][0]["rule"] == "shared_line"
    assert pop["url"] == f"{desk.url}/crm/account/{account}"


def test_nobody_and_nobody_to_look_for(desk: Desk) -> None:
    stranger = desk.pop(phone=OTHER)
    assert (stranger["match"], stranger["records"]) == ("none", [])
    assert stranger["url"] == f"{desk.url}/crm/new/contact?phone=%2B34699111222"
    for phone in ("anonymous", "", "+34911234567", "911234567", "201"):
        pop = desk.pop(phone=phone)
        assert (pop["match"], pop["records"]) == ("none", [])
        assert pop["reason"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "give one of phone, email, key, interaction"),
        ({"phone": KNOWN, "connection": "crmm"}, 'did you mean "crm"?'),
        ({"phon": KNOWN}, 'did you mean "phone"?'),
        ({"phone": KNOWN, "direction": "sideways"}, "direction"),
    ],
)
def test_what_cannot_be_asked_is_told(desk: Desk, query: dict[str, str], words: str) -> None:
    assert words in desk.pop(422, **query)["detail"]


def test_a_crm_that_hangs_is_told_through_the_front_door(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def hang(lookups: Any) -> Any:
        gate()
        return [[] for _ in lookups]

    desk.hub.connections["erp"].connector.find = hang  # type: ignore[attr-defined]
    deadline_when(monkeypatch, "asking", all_but(gate))
    pop = desk.pop(phone=KNOWN)
    assert (pop["match"], [one["connection"] for one in pop["silent"]]) == ("none", ["erp"])
    assert "may still be known" in pop["reason"]
    assert "/crm/?q=" in pop["url"]  # a search, not a new record
    ana = desk.contact(mobile=KNOWN)
    deadline_when(monkeypatch, "asking", all_but(gate))
    pop = desk.pop(phone=KNOWN)
    assert (pop["match"], pop["records"][0]["id"], len(pop["silent"])) == ("one", ana, 1)
    gate.open()


def test_a_page_to_choose_from_for_whoever_is_signed_in(desk: Desk) -> None:
    one, two = desk.contact(first_name="Ana", mobile=KNOWN), desk.contact(first_name="<b>Bea", phone=KNOWN)
    pop = desk.pop(phone=KNOWN, connection="crm", agent="ana@example.com")
    assert pop["match"] == "many"
    road = pop["url"].removeprefix(desk.url)
    assert road.startswith("/pop?phone=%2B34612345678")
    stranger = requests.get(pop["url"], allow_redirects=False, timeout=PATIENCE)
    assert stranger.status_code in (302, 303)
    page = desk.whole.signed_in().get(road)
    assert page.status_code == 200
    assert f"/crm/contact/{one}" in page.text
    assert f"/crm/contact/{two}" in page.text
    assert "&lt;b&gt;Bea" in page.text
    assert "New record" in page.text
    withheld = desk.whole.signed_in().get("/pop?phone=anonymous")
    assert "The number is withheld" in withheld.text


def test_our_own_number_is_learned_from_traffic(desk: Desk) -> None:
    desk.phone.platform.play("inbound", {"number": KNOWN, "local": OURS, "id": "in-1"})
    assert desk.phone.hooks.wait_until_sent(PATIENCE)
    until(lambda: "own number (learned from softphone)" in desk.pop(phone=OURS)["reason"])
    assert "own number" not in desk.pop(phone=KNOWN)["reason"]
    ana = desk.contact(mobile=OURS)  # somebody carries it after all: told, not hidden
    assert "CRM records carry it" in desk.pop(phone=OURS)["reason"]
    assert desk.pop(key=ana, phone=OURS)["match"] == "one"


def test_a_pop_by_the_interaction_alone(desk: Desk) -> None:
    ana = desk.contact(mobile=KNOWN)
    desk.phone.platform.play("inbound", {"number": KNOWN, "id": "in-1"})
    desk.phone.platform.play("internal", {"id": "in-2"})
    desk.phone.platform.play("anonymous", {"id": "in-3"})
    assert desk.phone.hooks.wait_until_sent(PATIENCE)
    pop = desk.pop(interaction="in-1", connection="softphone")
    assert (pop["match"], pop["records"][0]["id"]) == ("one", ana)
    assert desk.pop(interaction="in-2")["reason"] == "internal call"
    assert desk.pop(interaction="in-3")["reason"] == "the number is withheld"
    assert desk.pop(interaction="in-9")["reason"] == "the interaction is not known yet"


# --- click-to-dial ----------------------------------------


def test_a_click_lands_on_the_clicked_record(desk: Desk) -> None:
    desk.contact(first_name="Twin", mobile=KNOWN)
    ana = desk.contact(first_name="Ana", mobile=KNOWN)  # by its number alone the call would be ambiguous
    told = desk.dial(record=("contact", ana))
    assert (told["outcome"], told["to"], told["note"]) == ("accepted", KNOWN, "")
    again = desk.dial(record=("contact", ana))
    assert (again["id"], again["interaction"], again["repeated"]) == (told["id"], told["interaction"], True)
    activity = desk.activity(told["interaction"])
    assert (activity["contact"], activity["direction"]) == (ana, "outbound")
    assert desk.api.get(f"{desk.url}/api/v1/dial/{told['id']}", timeout=PATIENCE).json()["outcome"] == "accepted"
    pop = desk.pop(interaction=told["interaction"], connection="softphone")
    assert (pop["match"], pop["records"][0]["id"]) == ("one", ana)
    assert len(desk.phone.platform._calls) == 1


def test_a_click_on_a_case_lands_on_the_case(desk: Desk) -> None:
    ana = desk.contact(mobile=KNOWN)
    case = desk.crm.create("case", {"subject": "Broken", "contact": ana}).id
    told = desk.dial(record=("case", case))
    assert told["record"] == {"connection": "crm", "object": "case", "id": case}
    assert desk.activity(told["interaction"])["case"] == case


def test_a_click_beside_the_right_record_lands_on_the_right_one(desk: Desk) -> None:
    bea, ana = desk.contact(first_name="Bea", mobile=OTHER), desk.contact(first_name="Ana", mobile=KNOWN)
    told = desk.dial(record=("contact", bea))
    assert told["record"]["id"] == ana
    assert "tied to it" in told["note"]
    assert desk.activity(told["interaction"])["contact"] == ana


def test_the_records_country_reads_the_number(desk: Desk) -> None:
    kay = desk.contact(country="GB", mobile="020 7946 0958")
    assert desk.dial(record=("contact", kay), to="020 7946 0958")["to"] == "+442079460958"


def test_what_may_not_be_dialled(desk: Desk) -> None:
    opted_out = desk.contact(mobile=KNOWN, do_not_call=True)
    for body, kind in (
        ({"record": ("contact", opted_out)}, "do-not-call"),
        ({"to": "anonymous"}, "no-number"),
        ({"to": "201"}, "extension"),
        ({"to": "+34911234567"}, "own-number"),
        ({"to": "806 123 456"}, "blocked"),
        ({"to": "12"}, "extension"),
        ({"record": ("contact", "C-404")}, "no-record"),
        ({"connection": "crm"}, "no-platform"),
    ):
        problem = desk.dial(key=kind, status=422, **body)
        assert problem["type"].endswith(kind), problem
        assert problem["detail"]
    assert desk.phone.platform._calls == {}


def test_the_key_is_required_and_belongs_to_one_request(desk: Desk) -> None:
    body = {"to": KNOWN, "agent": "a-17"}
    bare = desk.api.post(f"{desk.url}/api/v1/dial", json=body, timeout=PATIENCE)
    assert bare.status_code == 422
    assert "Idempotency-Key" in bare.json()["detail"]
    desk.dial()
    assert desk.dial(status=409, to=OTHER)["type"].endswith("key-reused")
    stranger = requests.post(f"{desk.url}/api/v1/dial", json=body, headers={"Idempotency-Key": "x"}, timeout=PATIENCE)
    assert stranger.status_code == 401
    assert desk.api.get(f"{desk.url}/api/v1/dial/d-404", timeout=PATIENCE).status_code == 404


def test_a_platform_that_breaks_off_leaves_one_call_and_an_unknown_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[float, dict[str, Any]]] = []
    desk.fault("reset", path="/v1/calls")
    with monkeypatch.context() as holding:  # the call's events come when they have been waited for
        holding.setattr(desk.phone.hooks, "at", lambda moment, event: held.append((moment, event)))
        told = desk.dial()
    assert told["outcome"] == "unknown"
    assert "may have been done" in told["reason"]
    assert desk.dial()["outcome"] == "unknown"
    assert desk.dial(key="click-2")["id"] == told["id"]
    assert len(desk.phone.platform._calls) == 1
    for moment, event in held:
        desk.phone.hooks.at(moment, event)
    assert desk.phone.hooks.wait_until_sent(PATIENCE)
    became = desk.api.get(f"{desk.url}/api/v1/dial/{told['id']}", timeout=PATIENCE).json()
    assert (became["outcome"], became["interaction"]) == ("accepted", *desk.phone.platform._calls)
    assert became["reason"] == ""


def test_a_platform_that_is_down_is_refused_and_a_later_click_dials(desk: Desk) -> None:
    desk.fault("down", path="/v1/calls")
    assert desk.dial()["outcome"] == "refused"
    assert desk.dial(key="click-2")["outcome"] == "accepted"
    assert len(desk.phone.platform._calls) == 1


# --- contact lists of the softphone ----------------------------------------


def test_a_list_is_called_and_its_results_come_back(desk: Desk) -> None:
    platform = desk.hub.connections["softphone"].connector
    rows = [Row(key=f"m{n}", fields={"phone": f"+3461234567{n}", "name": f"N {n}"}) for n in range(3)]
    receipts = platform.write(Target(object="contact_list", key="id", options={"list": "spring"}), rows)  # type: ignore[attr-defined]
    assert [receipt.outcome for receipt in receipts] == ["created"] * 3
    headers = {"Authorization": "Bearer the token"}
    road = f"{desk.phone.url}/v1/lists/spring/run"
    run = requests.post(road, json={"campaign": "c-1", "wrap_up": "SALE"}, headers=headers, timeout=PATIENCE)
    assert run.status_code == 202
    assert desk.phone.hooks.wait_until_sent(PATIENCE)
    for key in run.json()["interactions"]:
        known = desk.api.get(
            f"{desk.url}/api/v1/interactions/{key}", params={"connection": "softphone"}, timeout=PATIENCE
        ).json()
        assert known["interaction"]["direction"] == "outbound"
        assert known["campaign"]["list"] == "spring"
    assert desk.phone.hooks.given_up == []
