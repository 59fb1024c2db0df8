"""The shipped campaign, from the embedded CRM to the softphone and back, with the files of `mappings/`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import patchbay
from hub.model import Lookup, Row, Target
from sandbox.softphone.server import SoftphoneServer
from tests.waiting import until
from tests.whole_hub import SECRET, WholeHub, environment, whole_hub

LIST = "spring_campaign_to_dialer"
SOFTPHONE_TOKEN = "softphone-token"
SETTINGS = """\
company: Test
country: ES
zone: Europe/Madrid
own_numbers: ["+34911234567"]
sample: true
connections:
  softphone:
    connector: softphone
    url: {url}
    token: {token}
    secrets: ${{PATCHBAY_WEBHOOK_SECRET}}
    private_network: true
  crm:
    connector: embedded
"""
MAPPINGS = {
    name: (Path(__file__).parents[2] / "mappings" / f"{name}.yaml").read_text()
    for name in (LIST, "contact_result_to_member")
}


@pytest.fixture
def softphone() -> Iterator[SoftphoneServer]:
    """A platform that takes contact lists; its hooks go nowhere, tests bring the results in."""
    with SoftphoneServer(hook_url="http://127.0.0.1:9/hooks/softphone", secret=SECRET, token=SOFTPHONE_TOKEN) as server:
        yield server


@pytest.fixture
def settings(softphone: SoftphoneServer) -> str:
    """The settings of a hub beside that platform."""
    return SETTINGS.format(url=softphone.url, token=SOFTPHONE_TOKEN)


@pytest.fixture
def hub(tmp_path: Path, store_url: str, settings: str) -> Iterator[WholeHub]:
    """A hub with a thousand people in its CRM, once on each engine."""
    with whole_hub(tmp_path, store_url, settings=settings, mappings=MAPPINGS) as whole:
        yield whole


def dialled(softphone: SoftphoneServer) -> dict[str, dict[str, str]]:
    """The contacts on the platform's list."""
    return {contact["id"]: contact["fields"] for contact in softphone.platform.contacts("spring")}


def member(hub: WholeHub, id: str) -> dict[str, object]:
    """A member's own fields in the CRM."""
    found = hub.hub.connections["crm"].connector.find([Lookup("campaign_member", "id", id)])  # type: ignore[attr-defined]
    return dict(found[0][0].fields)


def test_a_campaign_goes_out_and_its_results_come_back(hub: WholeHub, softphone: SoftphoneServer) -> None:
    program = hub.program
    assert program.get("/lists")["lists"][0] | {"about": ""} == {
        "mapping": LIST, "about": "", "source": "crm/campaign_member", "target": "softphone/contact_list",
        "state": "never pulled", "on": 0, "left_out": {}, "last_run": None,
    }  # fmt: skip

    would = program.post(f"/lists/{LIST}/pull", {"simulate": True})
    assert (would["state"], would["simulated"], program.get("/lists")["lists"][0]["on"]) == ("done", True, 0)
    counts = program.post(f"/lists/{LIST}/pull")["counts"]
    assert counts == would["counts"]
    assert counts["read"] == counts["sent"] + sum(counts["left_out"].values())
    assert set(counts["left_out"]) == {"no number", "unusable number", "duplicate", "do not call", "no consent"}
    again = program.post(f"/lists/{LIST}/pull", {"simulate": True})
    assert again["counts"]["left_out"] != counts["left_out"], "an incremental pull reads what changed"
    assert again["standing"] == {"on": counts["sent"], "left_out": counts["left_out"]}
    hub.deliver()

    contacts = dialled(softphone)
    assert len(contacts) == counts["sent"]
    assert all(fields["phone"].startswith("+") and fields["phone"][1:].isdecimal() for fields in contacts.values())
    assert len({fields["phone"] for fields in contacts.values()}) == len(contacts)
    lucia = next(id for id, fields in contacts.items() if fields["phone"] == "+34612345678")
    assert contacts[lucia]["name"] == "Lucía Romero Ibáñez"
    assert contacts[lucia]["crm_key"] == "C-1001"
    phones = {fields["phone"] for fields in contacts.values()}
    assert "+33199001234" not in phones  # Éloïse: do not call
    assert "+442079460123" not in phones  # Imogen: consent unknown

    shown = program.get(f"/lists/{LIST}", limit=5, reason="duplicate")
    assert (shown["state"], shown["on"], shown["last_run"]["full"]) == ("done", counts["sent"], True)
    assert all(each["reason"].startswith("duplicate of M-") for each in shown["members_left_out"])

    asked_not_to_be = next(id for id in contacts if id != lucia)
    for id, result, class_ in ((lucia, "SALE", "positive"), (asked_not_to_be, "DNC", "do_not_contact")):
        came = {"contact": id, "result": result, "result_class": class_, "attempts": 1, "final": True}
        hub.take(
            "softphone",
            id=f"e-{id}",
            type="campaign.contact_result",
            campaign={"list": "spring"} | came,
            customer={"phone": contacts[id]["phone"]},
        )
    assert hub.hub.lists.sweep() >= 1
    hub.deliver()
    assert member(hub, lucia)["result"] == "SALE"
    assert member(hub, lucia)["status"] == "done"
    assert asked_not_to_be not in dialled(softphone)
    again = program.post(f"/lists/{LIST}/pull", {"full": True})["counts"]
    assert (again["sent"], again["removed"]) == (0, 0)
    hub.deliver()
    assert asked_not_to_be not in dialled(softphone)

    crm = hub.hub.connections["crm"].connector
    crm.write(Target(object="campaign_member", key="id"), [Row(key=lucia, fields={}, action="remove")])  # type: ignore[attr-defined]
    assert program.post(f"/lists/{LIST}/pull")["counts"]["removed"] == 1
    hub.deliver()
    assert lucia not in dialled(softphone)


def test_what_is_no_list_is_not_found(hub: WholeHub) -> None:
    problem = hub.program.get("/lists/spring_campaign_to_dialler", 404)
    assert f'did you mean "{LIST}"?' in problem["detail"]
    assert hub.program.post("/lists/contact_result_to_member/pull", status=404)["status"] == 404
    assert hub.program.get(f"/lists/{LIST}", 422, limit=0)["errors"][0]["field"] == "limit"
    assert hub.program.post(f"/lists/{LIST}/pull", {"ful": True}, 422)["errors"][0]["field"] == "ful"


def test_a_long_pull_goes_on_in_the_background(hub: WholeHub) -> None:
    answer = hub.program.post(f"/lists/{LIST}/pull", {"wait_seconds": 0}, 202)
    assert answer["state"] == "running"
    until(lambda: hub.program.get(f"/lists/{LIST}")["state"] == "done")
    assert hub.program.get(f"/lists/{LIST}")["on"] > 0


def test_the_command_line_writes_who_and_why(tmp_path: Path, settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'patchbay.db'}"
    with whole_hub(tmp_path, url, settings=settings, mappings=MAPPINGS):
        pass
    for name, value in environment(tmp_path, url, settings=settings, mappings=MAPPINGS).items():
        monkeypatch.setenv(name, value)
    written = tmp_path / "would.csv"
    done = CliRunner().invoke(patchbay, ["list", "pull", LIST, "--simulate", "--csv", str(written)])
    assert done.exit_code == 0, done.output
    assert "would be: " in done.output
    assert "left out, no consent: " in done.output
    CliRunner().invoke(patchbay, ["list", "pull", LIST])
    again = CliRunner().invoke(patchbay, ["list", "pull", LIST, "--simulate"]).output
    assert "left out, no consent: " not in again
    assert re.search(r"the whole list then: 1\d\d on it; left out: \d+ no consent, ", again), again
    with written.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["outcome"] for row in rows} == {"sent", "left out"}
    assert sum(row["outcome"] == "sent" for row in rows) > 50
    assert any(row["reason"].startswith("duplicate of M-") for row in rows)
