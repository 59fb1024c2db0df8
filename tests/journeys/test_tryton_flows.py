"""The four flows against a real Tryton: a hub as a person runs it, with the files of config/tryton, and the softphone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.tryton import Template
from sandbox.tryton_sample import Client
from tests.hub_process import PATCHBAY, ROOT, SECRET, HubProcess
from tests.tryton_server import Tryton, running
from tests.waiting import PATIENCE, until

SOFTPHONE = {"Authorization": f"Bearer {SECRET}"}
LIST = "opportunities_to_dialer"
ADA = "P-1"  # the sample's Ada Lovelace, whose number nobody shares
TWINS = "+34612345620"  # two of the sample's people have it


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory, tryton_template: Template) -> Iterator[Tryton]:
    with running(tmp_path_factory.mktemp("tryton"), tryton_template) as running_tryton:
        yield running_tryton


@pytest.fixture(scope="module")
def behind(tryton: Tryton) -> Iterator[Client]:
    """A look into Tryton that does not go through the hub."""
    with tryton.client() as client:
        yield client


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, tryton: Tryton) -> Iterator[HubProcess]:
    env = {
        "PATCHBAY_CONFIG": str(ROOT / "config" / "tryton" / "hub.yaml"),
        "PATCHBAY_TRYTON_URL": tryton.url,
        "PATCHBAY_TRYTON_DATABASE": tryton.database,
        "PATCHBAY_TRYTON_USER": tryton.made.user,
        "PATCHBAY_TRYTON_PASSWORD": tryton.made.password,
    }
    with HubProcess(tmp_path_factory.mktemp("hub"), "--with-softphone", env=env) as process:
        yield process


@pytest.fixture(scope="module")
def ada(hub: HubProcess) -> dict[str, Any]:
    [record] = hub.get("/api/v1/records/tryton/party.party", key=ADA)["records"]
    return dict(record)


def wrapped_up(key: str, number: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"evt-{key}",
        "type": "interaction.wrapped_up",
        "occurred_at": "2026-11-23T10:05:40Z",
        "interaction": {
            "id": key,
            "channel": "voice",
            "direction": "inbound",
            "remote": number,
            "local": "+34911234567",
            "started_at": "2026-11-23T10:02:00Z",
            "answered_at": "2026-11-23T10:02:09Z",
            "ended_at": "2026-11-23T10:05:13Z",
            "recording_url": "https://rec.example/1",
        },
        "agent": {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
        "customer": {"phone": number},
        "wrap_up": {"code": "SALE", "comment": "Wants the red one", "seconds": 12},
    } | more


def notes(behind: Client, about: str) -> list[str]:
    """The messages of all notes on a record, without the hub's mark."""
    found = behind.call("model.ir.note.search_read", [["resource", "=", about]], 0, None, [["id", "ASC"]], ["message"])
    return [note["message"].rpartition("\n\n")[0] for note in found]


# --- wrap-up push ----------------------------------------


def test_a_wrapped_up_call_becomes_one_note_on_the_right_party(
    hub: HubProcess, behind: Client, ada: dict[str, Any]
) -> None:
    event = wrapped_up("call-1", ada["fields"]["mobile"])
    assert hub.hook(event).json() == {"accepted": 1, "duplicates": 0}
    assert hub.hook(event, id="msg-2").json() == {"accepted": 0, "duplicates": 1}
    [delivery] = hub.delivered("call-1")["deliveries"]
    assert delivery["state"] == "delivered"
    assert notes(behind, f"party.party,{ada['id']}") == [
        "Call inbound: SALE\nWants the red one\nDuration: 184 s\nAgent: Ana\nRecording: https://rec.example/1\n"
        "Began: 2026-11-23T10:02:00Z"
    ]


def test_what_comes_late_rewrites_the_same_note(hub: HubProcess, behind: Client, ada: dict[str, Any]) -> None:
    about = f"party.party,{ada['id']}"
    before = len(notes(behind, about))
    event = wrapped_up("call-2", ada["fields"]["mobile"])
    event["interaction"].pop("recording_url")
    hub.hook(event, id="late-1")
    hub.delivered("call-2")
    assert "Recording" not in notes(behind, about)[-1]
    late = {
        "id": "evt-late",
        "type": "interaction.recording_ready",
        "occurred_at": "2026-11-23T10:15:00Z",
        "interaction": {"id": "call-2"},
        "recording": {"url": "https://rec.example/late"},
    }
    assert hub.hook(late, id="late-2").status_code == 202
    until(lambda: "Recording: https://rec.example/late" in notes(behind, about)[-1], about="the rewriting")
    until(lambda: len(notes(behind, about)) == before + 1, about="the old note's end")


def test_a_call_from_a_shared_or_unknown_number_parks_with_its_reason(hub: HubProcess, behind: Client) -> None:
    everything = behind.call("model.ir.note.search_count", [], 0, None)
    for key, number in (("call-shared", TWINS), ("call-stranger", "+34699000111")):
        hub.hook(wrapped_up(key, number), id=f"msg-{key}")
        [delivery] = hub.delivered(key)["deliveries"]
        assert delivery["state"] == "parked"
        assert "party" in str(delivery["reason"])
    assert behind.call("model.ir.note.search_count", [], 0, None) == everything


# --- screen pop ----------------------------------------


def test_a_number_opens_the_party(hub: HubProcess, tryton: Tryton, ada: dict[str, Any]) -> None:
    for query in ({"phone": ada["fields"]["mobile"]}, {"email": "ada.lovelace0@example.com"}, {"key": ADA}):
        pop = hub.pop(**query)
        assert (pop["match"], [record["id"] for record in pop["records"]], pop["silent"]) == ("one", [ada["id"]], [])
        assert pop["url"] == f"{tryton.url}/#{tryton.database}/model/party.party/{ada['id']}"
    assert pop["records"][0]["matched"]["field"] == "code"


def test_a_shared_number_gives_a_choice_and_a_strange_one_a_new_party(hub: HubProcess) -> None:
    many = hub.pop(phone=TWINS)
    assert (many["match"], len(many["records"])) == ("many", 2)
    none = hub.pop(phone="+34699000111")
    assert none["match"] == "none"
    assert "party.party" in none["url"]
    assert "%2B34699000111" in none["url"]


# --- contact list ----------------------------------------


def on_the_list(hub: HubProcess) -> dict[str, dict[str, Any]]:
    answer = requests.get(f"{hub.softphone_url}/v1/lists/opportunities/contacts", headers=SOFTPHONE, timeout=PATIENCE)
    return {contact["id"]: contact["fields"] for contact in answer.json().get("contacts", [])}


def test_open_opportunities_become_the_softphones_list_and_results_come_back(hub: HubProcess, behind: Client) -> None:
    simulated = hub.post(f"/api/v1/lists/{LIST}/pull", {"simulate": True}).json()["counts"]
    pulled = hub.post(f"/api/v1/lists/{LIST}/pull").json()["counts"]
    assert simulated == pulled
    open_ones = behind.call("model.sale.opportunity.search", [["state", "in", ["lead", "opportunity"]]], 0, None, None)
    assert pulled["read"] == len(open_ones) == pulled["sent"] + sum(pulled["left_out"].values())
    assert {"no consent", "do not call"} <= set(pulled["left_out"])
    contacts = until(lambda: len(found := on_the_list(hub)) == pulled["sent"] and found, about="the list")
    assert set(contacts) <= {str(id) for id in open_ones}
    assert all(fields["phone"].startswith("+") and fields["crm_key"] for fields in contacts.values())

    first = next(iter(contacts))
    run = requests.post(
        f"{hub.softphone_url}/v1/lists/opportunities/run", json={"limit": 1}, headers=SOFTPHONE, timeout=PATIENCE
    )
    assert run.status_code == 202
    about = f"sale.opportunity,{first}"
    until(lambda: notes(behind, about), about="the result on the opportunity")
    [result] = [note for note in notes(behind, about) if note.startswith("Campaign opportunities")]
    assert "Attempts: 1" in result


def test_who_opts_out_or_leaves_is_taken_off_the_list(hub: HubProcess, behind: Client) -> None:
    hub.post(f"/api/v1/lists/{LIST}/pull")
    until(lambda: len(on_the_list(hub)) > 4, about="the list")
    opted_out, lost, *_ = sorted(on_the_list(hub), key=int)
    stays = sorted(on_the_list(hub), key=int)[2]
    [never] = behind.call("model.party.category.search", [["name", "=", "Do not call"]], 0, None, None)
    [party] = behind.call("model.sale.opportunity.read", [int(opted_out)], ["party"])
    behind.call("model.party.party.write", [party["party"]], {"categories": [["add", [never]]]})
    behind.call("model.sale.opportunity.lost", [int(lost)])
    counts = hub.post(f"/api/v1/lists/{LIST}/pull").json()["counts"]
    assert counts["removed"] >= 1
    until(lambda: not {opted_out, lost} & set(on_the_list(hub)), about="their removal")
    assert stays in on_the_list(hub)


# --- click-to-dial ----------------------------------------


@pytest.mark.parametrize("object", ["party.party", "sale.opportunity"])
def test_a_click_dials_once_and_the_note_lands_on_the_clicked_record(
    hub: HubProcess, behind: Client, object: str
) -> None:
    [id] = behind.call(
        f"model.{object}.search", [["code" if object == "party.party" else "party.code", "=", "P-24"]], 0, 1, None
    )
    [record] = hub.get(f"/api/v1/records/tryton/{object}", id=str(id))["records"]
    clicked = {"connection": "tryton", "object": object, "id": str(id)}
    click = {"to": record["fields"]["mobile"], "agent": "a-17", "record": clicked}
    first, second = (hub.post("/api/v1/dial", click, **{"Idempotency-Key": f"click-{object}"}) for _ in range(2))
    assert first.status_code in (200, 201, 202), first.text
    key = first.json()["interaction"]
    assert key == second.json()["interaction"] != ""
    assert hub.delivered(key)["clicked"] == clicked
    [note] = [text for text in notes(behind, f"{object},{id}") if text.startswith("Call outbound")]
    assert "Duration" in note


def test_who_must_not_be_called_is_not_dialled(hub: HubProcess, behind: Client) -> None:
    [id] = behind.call("model.party.party.search", [["code", "=", "P-5"]], 0, 1, None)
    [record] = hub.get("/api/v1/records/tryton/party.party", id=str(id))["records"]
    assert record["fields"]["do_not_call"] is True
    clicked = {"connection": "tryton", "object": "party.party", "id": str(id)}
    refused = hub.post("/api/v1/dial", {"to": record["fields"]["mobile"], "agent": "a-17", "record": clicked},
                       **{"Idempotency-Key": "click-never"})  # fmt: skip
    assert refused.status_code == 422


def test_the_mappings_agree_with_tryton(hub: HubProcess) -> None:
    checked = subprocess.run(
        [PATCHBAY, "check", "--live"], cwd=ROOT, env=hub.env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "not compared" not in checked.stdout, checked.stdout


# --- the customer directory ----------------------------------------


def test_the_shipped_directory_loads_by_itself_and_knows_the_parties(hub: HubProcess, ada: dict[str, Any]) -> None:
    until(lambda: hub.get("/api/v1/directory")["sources"][0]["fresh_at"])
    number = ada["fields"]["mobile"]
    [known] = hub.get("/api/v1/directory", phone=number)["records"]
    assert (known["object"], known["id"], known["title"]) == ("party.party", ada["id"], ada["title"])
    assert {"code", "country", "do_not_call"} <= set(known["fields"])
    [popped] = hub.pop(phone=number)["records"]
    assert (popped["id"], popped["source"]) == (ada["id"], "live")  # as a fallback it waits for its day
