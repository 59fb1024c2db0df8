"""The main job, end to end, on a hub as a person runs it: shipped settings, shipped mappings, embedded CRM, softphone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.hub_process import SECRET, HubProcess
from tests.waiting import PATIENCE, until

SOFTPHONE = {"Authorization": f"Bearer {SECRET}"}
KNOWN = "+34 612 34 56 78"  # exactly one of the sample people has this number


def wrapped_up(key: str = "call-1", **interaction: Any) -> dict[str, Any]:
    """The event of the documentation."""
    return {
        "id": f"evt-{key}",
        "type": "interaction.wrapped_up",
        "occurred_at": "2026-11-23T10:05:40Z",
        "interaction": {
            "id": key,
            "channel": "voice",
            "direction": "inbound",
            "remote": KNOWN,
            "local": "+34911234567",
            "queue": "Sales ES",
            "started_at": "2026-11-23T10:02:00Z",
            "answered_at": "2026-11-23T10:02:09Z",
            "ended_at": "2026-11-23T10:05:13Z",
            "recording_url": "https://rec.example/1",
        }
        | interaction,
        "agent": {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
        "customer": {"phone": KNOWN, "email": None, "crm_key": None},
        "wrap_up": {"code": "SALE", "comment": "Wants the red one", "seconds": 12},
        "attached": {"order": "123"},
    }


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--with-softphone") as running:
        yield running


@pytest.fixture(scope="module")
def ada(hub: HubProcess) -> dict[str, Any]:
    """The one sample person whose number is KNOWN."""
    [record] = hub.get("/api/v1/records/crm/contact", phone=KNOWN)["records"]
    return dict(record)


def activities(hub: HubProcess, key: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = hub.get("/api/v1/records/crm/activity", key=f"softphone:{key}")["records"]
    return records


def test_a_wrapped_up_call_becomes_one_activity_on_the_right_person(hub: HubProcess, ada: dict[str, Any]) -> None:
    first = hub.hook(wrapped_up())
    assert (first.status_code, first.json()) == (202, {"accepted": 1, "duplicates": 0})
    again = hub.hook(wrapped_up(), id="msg-2")
    assert (again.status_code, again.json()) == (202, {"accepted": 0, "duplicates": 1})

    known = hub.delivered("call-1")
    assert known["interaction"]["talk_seconds"] == 184
    [delivery] = known["deliveries"]
    assert delivery["state"] == "delivered"
    [activity] = activities(hub, "call-1")
    fields = activity["fields"]
    assert fields["contact"] == ada["id"]
    assert fields["disposition"] == "SALE"
    assert fields["duration_seconds"] == 184
    assert fields["comment"] == "Wants the red one"
    assert fields["recording_url"] == "https://rec.example/1"


def test_a_late_recording_updates_the_same_activity(hub: HubProcess) -> None:
    assert hub.hook(wrapped_up("call-2", recording_url=None), id="late-1").status_code == 202
    hub.delivered("call-2")
    late = {
        "id": "evt-late",
        "type": "interaction.recording_ready",
        "occurred_at": "2026-11-23T10:15:00Z",
        "interaction": {"id": "call-2"},
        "recording": {"url": "https://rec.example/late"},
    }
    assert hub.hook(late, id="late-2").status_code == 202
    until(
        lambda: [a for a in activities(hub, "call-2") if a["fields"].get("recording_url") == "https://rec.example/late"]
    )
    assert len(activities(hub, "call-2")) == 1


def test_a_hook_that_is_not_proven_leaves_nothing(hub: HubProcess) -> None:
    forged = hub.hook(wrapped_up("call-forged"), secret="whsec_" + "bm90IHRoZSByaWdodCBzZWNyZXQgYXQgYWxsISE=")
    assert forged.status_code == 401
    assert hub.api.get(f"{hub.url}/api/v1/interactions/call-forged", timeout=PATIENCE).status_code == 404


def test_a_number_opens_the_record(hub: HubProcess, ada: dict[str, Any]) -> None:
    pop = hub.pop(phone="0034612345678")
    assert (pop["match"], [record["id"] for record in pop["records"]], pop["silent"]) == ("one", [ada["id"]], [])

    def sent() -> tuple[int, str]:
        road, query = f"{hub.url}/api/v1/screen-pop", {"phone": KNOWN, "redirect": "1"}
        answer = hub.api.get(road, params=query, allow_redirects=False, timeout=PATIENCE)
        return answer.status_code, answer.headers["Location"]

    until(lambda: sent() == (302, ada["url"]), about="the record's page")  # not its search, where the CRM was too late


def test_a_withheld_number_and_our_own_match_nobody(hub: HubProcess) -> None:
    assert hub.pop(phone="anonymous")["match"] == "none"
    assert hub.pop(phone="+34911234567")["match"] == "none"


def test_a_click_dials_once_and_the_call_lands_on_the_clicked_record(hub: HubProcess, ada: dict[str, Any]) -> None:
    click = {"to": KNOWN, "agent": "a-17", "record": {"connection": "crm", "object": "contact", "id": ada["id"]}}
    first = hub.post("/api/v1/dial", click, **{"Idempotency-Key": "click-1"})
    second = hub.post("/api/v1/dial", click, **{"Idempotency-Key": "click-1"})
    assert first.status_code in (200, 201, 202), first.text
    assert first.json()["interaction"] == second.json()["interaction"] != ""
    key = first.json()["interaction"]
    known = hub.delivered(key)
    assert known["clicked"] == {"connection": "crm", "object": "contact", "id": ada["id"]}
    [activity] = activities(hub, key)
    assert activity["fields"]["contact"] == ada["id"]
    assert activity["fields"]["direction"] == "outbound"
    assert activity["fields"]["disposition"]


def test_a_campaign_becomes_the_softphones_list_and_results_come_back(hub: HubProcess) -> None:
    name = "spring_campaign_to_dialer"
    simulated = hub.post(f"/api/v1/lists/{name}/pull", {"simulate": True}).json()["counts"]
    pulled = hub.post(f"/api/v1/lists/{name}/pull").json()["counts"]
    assert simulated["sent"] == pulled["sent"] > 50
    assert {"no consent", "do not call", "unusable number"} <= set(pulled["left_out"])

    def on_the_list() -> list[dict[str, Any]]:
        answer = requests.get(f"{hub.softphone_url}/v1/lists/spring/contacts", headers=SOFTPHONE, timeout=PATIENCE)
        contacts: list[dict[str, Any]] = answer.json().get("contacts", [])
        return contacts if len(contacts) == pulled["sent"] else []

    contacts = until(on_the_list, about="the list on the softphone")
    assert len({contact["fields"]["phone"] for contact in contacts}) == len(contacts)

    run = requests.post(
        f"{hub.softphone_url}/v1/lists/spring/run", json={"limit": 1}, headers=SOFTPHONE, timeout=PATIENCE
    )
    assert run.status_code == 202
    member = contacts[0]["id"]

    def result() -> Any:
        [record] = hub.get("/api/v1/records/crm/campaign_member", id=member)["records"]
        return record["fields"].get("result")

    until(result, about="the result on the member")
