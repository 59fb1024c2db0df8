"""The API, end to end: a call comes in, and whoever asks is told what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.contract import HookRequest
from hub.model import Row, Target
from hub.store.access import SCOPES
from hub.web.api.rooms import API_PREFIX, roads
from hub.web.openapi import PART
from tests.waiting import PATIENCE
from tests.whole_hub import SETTINGS, WRAP_UP, WholeHub, whole_hub


@pytest.fixture
def whole(store_url: str, tmp_path: Path) -> Iterator[WholeHub]:
    """A whole hub, once on each engine."""
    with whole_hub(tmp_path, store_url) as hub:
        yield hub


def add_contact(whole: WholeHub, key: str = "ana", **fields: Any) -> str:
    """Put a person into the embedded CRM and give the id."""
    told = {"first_name": "Ana", "last_name": "Lopez", "phone": "+34 612 34 56 78"} | fields
    crm = whole.hub.connections["crm"].connector
    [receipt] = crm.write(Target(object="contact", key="contact_key"), [Row(key=key, fields=told)])  # type: ignore[attr-defined]
    assert receipt.error is None, receipt.error
    return str(receipt.id)


# --- interactions ----------------------------------------


def test_a_call_and_what_became_of_it(whole: WholeHub) -> None:
    contact = add_contact(whole)
    whole.take_call()
    waiting = whole.program.get("/interactions/call-1")
    assert [one["state"] for one in waiting["deliveries"]] == ["pending"]
    whole.deliver()

    told = whole.program.get("/interactions/call-1", connection="platform")
    assert (told["key"], told["connection"]) == ("call-1", "platform")
    assert told["interaction"]["channel"] == "voice"
    assert told["interaction"]["remote_e164"] == "+34612345678"
    assert told["wrap_up"]["comment"] == "Wants the red one"
    assert told["final"] is True
    [delivery] = told["deliveries"]
    assert delivery["state"] == "delivered"
    assert (delivery["mapping"], delivery["connection"], delivery["object"]) == ("wrap_up", "crm", "activity")
    assert delivery["url"].endswith(delivery["record_id"])
    [attempt] = delivery["attempts"]
    assert attempt["outcome"] == "created"
    assert attempt["sent"]["contact"] == contact
    assert attempt["sent"]["comment"] == "Wants the red one"
    assert attempt["error"] is None

    [record] = whole.program.get("/records/crm/activity", id=delivery["record_id"])["records"]
    assert record["fields"]["comment"] == "Wants the red one"


def test_an_interaction_that_is_not_there(whole: WholeHub) -> None:
    problem = whole.program.get("/interactions/none", 404)
    assert problem["detail"] == 'There is no interaction "none".'
    assert problem["instance"] == "/api/v1/interactions/none"


def test_two_platforms_with_the_same_key_are_told_apart(whole: WholeHub) -> None:
    whole.take_call("1")
    whole.take_call("1", "other_platform")
    problem = whole.program.get("/interactions/1", 409)
    assert problem["connections"] == ["other_platform", "platform"]
    assert whole.program.get("/interactions/1", connection="platform")["connection"] == "platform"


def test_a_key_may_hold_what_a_path_holds(whole: WholeHub) -> None:
    whole.take_call("a/b c?d")
    assert whole.program.get("/interactions/a%2Fb%20c%3Fd")["key"] == "a/b c?d"


# --- deliveries ----------------------------------------


def park(whole: WholeHub, key: str) -> None:
    """A call whose delivery is parked: the CRM does not take its recording's address."""
    whole.take_call(key, interaction={"id": key, "channel": "voice", "direction": "inbound", "recording_url": "no url"})
    whole.deliver()


def test_a_parked_delivery_explains_itself_and_is_replayed(whole: WholeHub) -> None:
    add_contact(whole)
    park(whole, "bad")
    whole.take_call("good")
    whole.deliver()
    [parked] = whole.program.get("/deliveries", state="parked")["deliveries"]
    assert parked["reason"]["name"] == "rejected"
    assert "recording_url" in parked["reason"]["fields"]
    assert len(whole.program.get("/deliveries")["deliveries"]) == 2

    full = whole.program.get(f"/deliveries/{parked['id']}")
    assert full["tries"] == len(full["attempts"]) == 1
    assert full["attempts"][0]["error"]["name"] == "rejected"

    said = whole.program.post("/deliveries/replay", {"filter": {"state": ["parked"]}})
    assert said == {"replayed": 1, "collapsed": 0, "refused": []}
    whole.deliver()
    said = whole.program.post("/deliveries/replay", {"ids": [parked["id"], 9999]})
    assert said["replayed"] == 1
    assert [one["id"] for one in said["refused"]] == [9999]


def test_deliveries_are_paged_by_key(whole: WholeHub) -> None:
    for number in range(5):
        whole.take_call(f"c{number}")
    first = whole.program.get("/deliveries", limit=2)
    second = whole.program.get("/deliveries", limit=2, before=first["next"])
    third = whole.program.get("/deliveries", limit=2, before=second["next"])
    pages = [[one["subject"].rpartition("/")[2] for one in page["deliveries"]] for page in (first, second, third)]
    assert pages == [["c4", "c3"], ["c2", "c1"], ["c0"]]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, ""), ({"ids": [1], "filter": {"state": ["parked"]}}, ""), ({"filter": {}}, "filter"), ({"ids": []}, "ids"),
     ({"filter": {"state": []}}, "filter.state"), ({"filter": {"state": ["parkt"]}}, "filter.state[0]"),
     ({"filter": {"stat": "x"}}, "filter.stat")],
)  # fmt: skip
def test_a_replay_has_to_say_what(whole: WholeHub, body: dict[str, Any], field: str) -> None:
    problem = whole.program.post("/deliveries/replay", body, 422)
    assert field in [error["field"] for error in problem["errors"]]


def test_a_delivery_that_is_not_there(whole: WholeHub) -> None:
    whole.program.get("/deliveries/77", 404)


# --- records ----------------------------------------


def test_records_are_found_each_way(whole: WholeHub) -> None:
    contact = add_contact(whole, email="Ana@Example.com")
    for query in ({"phone": "612345678"}, {"email": "ana@example.com"}, {"key": "ana"}, {"id": contact}):
        [record] = whole.program.get("/records/crm/contact", **query)["records"]
        assert (record["id"], record["title"]) == (contact, "Ana Lopez")
        assert record["fields"]["last_name"] == "Lopez"
    assert whole.program.get("/records/crm/person", phone="+34612345678")["records"][0]["object"] == "contact"
    assert whole.program.get("/records/crm/contact", phone="+34600000000")["records"] == []


def test_what_cannot_be_found_says_why(whole: WholeHub) -> None:
    assert 'did you mean "crm"' in whole.program.get("/records/crn/contact", 404, id="1")["detail"]
    assert "cannot find" in whole.program.get("/records/platform/contact", 404, id="1")["detail"]
    assert 'did you mean "contact"' in whole.program.get("/records/crm/contakt", 404, id="1")["detail"]
    assert whole.program.get("/records/crm/contact", 422)["detail"].startswith("give exactly one")  # no body here
    assert "exactly one" in whole.program.get("/records/crm/contact", 422, id="1", phone="2")["detail"]
    assert 'did you mean "phone"' in whole.program.get("/records/crm/contact", 422, fone="1")["detail"]


# --- connections ----------------------------------------


def test_connections_are_looked_at_paused_and_resumed(whole: WholeHub) -> None:
    add_contact(whole)
    names = [one["name"] for one in whole.program.get("/connections")["connections"]]
    assert names == ["platform", "other_platform", "crm"]
    paused = whole.program.post("/connections/crm/pause", {"message": "stock-taking"})
    assert (paused["state"], paused["reason"], paused["message"]) == ("paused", "by_hand", "stock-taking")
    whole.take_call()
    whole.deliver()
    assert whole.program.get("/connections/crm")["queue"] == {"pending": 1, "sending": 0, "parked": 0}
    assert whole.program.post("/connections/crm/resume")["state"] == "active"
    whole.deliver()
    assert whole.program.get("/connections/crm")["queue"]["pending"] == 0
    checked = whole.program.post("/connections/crm/check")
    assert checked["ok"] is True
    assert checked["rights"] == [
        {"object": "activity", "may_make": True, "may_change": True, "mode": "incremental", "unfit": {}}
    ]
    assert "nothing to check" in whole.program.post("/connections/platform/check", status=404)["detail"]
    whole.program.get("/connections/none", 404)


def test_no_answer_holds_a_secret(whole: WholeHub) -> None:
    said = json.dumps(whole.program.get("/connections")) + json.dumps(whole.program.get("/connections/platform"))
    assert "dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM" not in said


# --- mappings ----------------------------------------


def test_a_mapping_is_published_previewed_and_rolled_back(whole: WholeHub) -> None:
    contact = add_contact(whole)
    whole.take_call()
    [one] = whole.program.get("/mappings")["mappings"]
    assert (one["name"], one["version"], one["target"], one["write"]) == ("wrap_up", 1, "crm", "activity")

    changed = WRAP_UP.replace('"Call {interaction.direction}"', '"Phone call {interaction.direction}"').replace(
        'subject: "Call inbound"', 'subject: "Phone call inbound"'
    )
    assert whole.program.post("/mappings/check", {"source": changed})["ok"] is True
    published = whole.program.post("/mappings", {"source": changed, "note": "clearer"}, 201)
    assert (published["version"], published["by"], published["changed"]) == (2, "environment", True)
    assert whole.program.post("/mappings", {"source": changed}, 200)["changed"] is False

    preview = whole.program.post("/mappings/wrap_up/preview", {"interaction": "call-1"})
    lines = {line["field"]: line for line in preview["fields"]}
    assert (preview["version"], preview["skips"]) == (2, None)
    assert lines["contact"]["value"] == contact
    assert lines["contact"]["source"] == "caller.id"
    assert lines["subject"]["value"] == "Phone call inbound"
    assert preview["found"][0]["records"][0]["title"] == "Ana Lopez"
    assert whole.program.get("/deliveries")["deliveries"][0]["state"] == "pending", "a preview writes nothing"

    rolled = whole.program.post("/mappings/wrap_up/rollback", {"version": 1})
    assert rolled["version"] == 3
    assert whole.program.get("/mappings/wrap_up")["source"] == WRAP_UP
    assert [one["version"] for one in whole.program.get("/mappings/wrap_up/versions")["versions"]] == [3, 2, 1]
    assert whole.program.get("/mappings/wrap_up/versions/2")["source"] == changed


def test_what_the_crm_disagrees_with_is_not_published_but_anyway(whole: WholeHub) -> None:
    wrong = WRAP_UP.replace("  channel: interaction.channel", "  chanel: interaction.channel", 1).replace(
        'subject: "Call inbound", channel: voice', 'subject: "Call inbound", chanel: voice'
    )
    problem = whole.program.post("/mappings", {"source": wrong}, 422)
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if "chanel:" in text)
    said = 'activity has no field "chanel", did you mean "channel"?'
    assert problem["errors"] == [{"field": f"source line {line}", "problem": said}]
    assert whole.program.get("/mappings/wrap_up")["version"] == 1
    published = whole.program.post("/mappings", {"source": wrong, "anyway": True}, 201)
    assert (published["version"], published["notes"]) == (2, [said])


def test_two_mappings_that_write_one_record_are_told(whole: WholeHub) -> None:
    again = WRAP_UP.replace("mapping: wrap_up", "mapping: log")
    note = (
        "wrap_up writes the same activity of crm for one interaction, and the later one wins in: "
        "contact, subject, channel, direction, comment, recording_url"
    )
    checked = whole.program.post("/mappings/check", {"source": again})
    assert (checked["ok"], checked["notes"]) == (True, [note])
    assert whole.program.post("/mappings", {"source": again}, 201)["notes"] == [note]
    # Of another channel, of another key, of another kind of thing: another record.
    for old, new in (
        ("channel: voice }\ntarget", "channel: [email, chat] }\ntarget"),
        ("key: interaction_key", "key: id"),
        ("event: interaction.wrapped_up", "event: campaign.contact_result"),
        ("connection: any", "connection: [other_platform]"),
    ):
        other = again.replace("mapping: log", "mapping: other").replace(old, new)
        notes = whole.program.post("/mappings/check", {"source": other})["notes"]
        assert bool(notes) is (new == "connection: [other_platform]"), (new, notes)


def test_a_retired_mapping_runs_no_more_until_it_is_rolled_back(whole: WholeHub) -> None:
    whole.take_call()
    retired = whole.program.post("/mappings/wrap_up/retire", {"note": "replaced"})
    assert (retired["version"], retired["retired"], retired["note"]) == (2, True, "replaced")
    assert whole.program.get("/mappings")["mappings"] == []
    assert "is retired" in whole.program.get("/mappings/wrap_up", 404)["detail"]
    assert [one["retired"] for one in whole.program.get("/mappings/wrap_up/versions")["versions"]] == [True, False]
    assert "is retired" in whole.program.post("/mappings/wrap_up/retire", {}, 404)["detail"]
    whole.deliver()
    [waiting] = whole.program.get("/deliveries")["deliveries"]
    assert (waiting["state"], waiting["reason"]["name"]) == ("parked", "mapping_gone")
    whole.take_call("call-2")
    assert len(whole.program.get("/deliveries")["deliveries"]) == 1
    whole.program.post("/mappings/wrap_up/rollback", {"version": 1})
    whole.program.post("/deliveries/replay", {"ids": [waiting["id"]]})
    whole.deliver()
    assert whole.program.get(f"/deliveries/{waiting['id']}")["state"] == "delivered"


def test_a_preview_of_given_facts_and_of_a_draft(whole: WholeHub) -> None:
    given = {"interaction": {"channel": "email"}}
    assert "channel" in whole.program.post("/mappings/wrap_up/preview", {"given": given})["skips"]
    draft = WRAP_UP.replace("when: { interaction.channel: voice }", "when: { interaction.channel: email }")
    preview = whole.program.post("/mappings/wrap_up/preview", {"given": given, "source": draft})
    assert (preview["skips"], preview["version"]) == (None, 0)


def test_a_wrong_mapping_is_refused_with_its_line(whole: WholeHub) -> None:
    wrong = WRAP_UP.replace("comment: wrap_up.comment", "comment: wrap_up.coment")
    checked = whole.program.post("/mappings/check", {"source": wrong})
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if "coment" in text)
    assert checked["ok"] is False
    assert checked["problems"][0]["line"] == line
    assert 'did you mean "' in checked["problems"][0]["problem"]
    problem = whole.program.post("/mappings", {"source": wrong}, 422)
    assert f"line {line}" in problem["errors"][0]["field"]
    failing = WRAP_UP.replace('subject: "Call inbound"', 'subject: "Something else"')
    assert "Something else" in whole.program.post("/mappings/check", {"source": failing})["problems"][0]["problem"]
    whole.program.post("/mappings", {"source": failing}, 422)
    strange = WRAP_UP.replace("  comment: wrap_up.comment", "  coment: wrap_up.comment")
    checked = whole.program.post("/mappings/check", {"source": strange})
    line = next(number for number, text in enumerate(strange.splitlines(), 1) if "coment" in text)
    assert (checked["ok"], checked["problems"][0]["line"]) == (False, line)
    assert 'did you mean "comment"' in checked["problems"][0]["problem"]
    whole.program.get("/mappings/wrapup", 404)
    whole.program.get("/mappings/wrap_up/versions/9", 404)
    whole.program.post("/mappings/wrap_up/rollback", {"version": 9}, 404)


# --- unread ----------------------------------------


def test_a_body_that_could_not_be_read_is_handed_out_as_it_came(whole: WholeHub) -> None:
    body = b"<html>\xff\x00"
    request = HookRequest(method="POST", query={}, headers={"content-type": "text/html"}, body=body, received_at=now())
    whole.hub.acceptor.keep_unread("platform", request, "not JSON").result(PATIENCE)
    [one] = whole.program.get("/unread")["unread"]
    assert (one["connection"], one["reason"], one["size"]) == ("platform", "not JSON", len(body))
    answer = whole.flask.test_client().get(
        f"/api/v1/unread/{one['id']}/body",
        headers={"Authorization": f"Bearer {whole.hub.access.create_token('a', ['admin'])}"},
    )
    assert answer.data == body
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    whole.program.get("/unread/99/body", 404)


# --- the whole of it ----------------------------------------


def test_every_road_asks_for_its_scope(whole: WholeHub) -> None:
    known = roads(whole.flask)
    assert len(known) > 20
    tokens = {scope: whole.hub.access.create_token(f"only {scope}", [scope]) for scope in SCOPES}
    for road in known:
        path = PART.sub(lambda part: "1" if part[2] in ("id", "version") else "x", road.rule)
        assert whole.door.open(path, road.method).status_code == 401, road
        other = next(scope for scope in SCOPES if scope != road.says.scope)
        headers = {"Authorization": f"Bearer {tokens[other]}"}
        assert whole.door.open(path, road.method, headers=headers).status_code == 403, road


def test_a_signed_in_person_may_ask_but_not_change_without_the_forms_token(whole: WholeHub) -> None:
    browser = whole.signed_in()
    assert browser.get("/api/v1/connections").status_code == 200
    assert browser.post("/api/v1/connections/crm/pause", json={}).status_code == 403
    with browser.session_transaction() as session:
        token = session["csrf"]
    assert browser.post("/api/v1/connections/crm/pause", json={}, headers={"X-CSRF-Token": token}).status_code == 200


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"ids": ["\xff"]}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_bodies_that_are_no_json(whole: WholeHub, body: bytes, media: str, status: int) -> None:
    headers = {"Authorization": "Bearer pb_test-token"}
    answer = whole.flask.test_client().post("/api/v1/deliveries/replay", data=body, content_type=media, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_the_description_names_every_road(whole: WholeHub) -> None:
    described = json.loads(whole.flask.test_client().get("/openapi.json").data)
    assert described["openapi"] == "3.1.0"
    assert {rule.rule for rule in whole.flask.url_map.iter_rules() if rule.rule.startswith(API_PREFIX)} < {
        road.rule for road in roads(whole.flask)
    }
    for road in roads(whole.flask):
        path = re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", road.rule)
        operation = described["paths"][path][road.method.lower()]
        assert {"401", "403"} <= set(operation["responses"]), path
        assert {"413", "415"} <= set(operation["responses"]) or "requestBody" not in operation, path
        assert operation["summary"].endswith("."), path
    assert _references(described) <= {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(inner) for inner in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(inner) for inner in node))
    return set()


def test_the_description_is_valid_openapi(whole: WholeHub) -> None:
    import jsonschema_rs

    described = json.loads(whole.flask.test_client().get("/openapi.json").data)
    for name, schema in described["components"]["schemas"].items():
        document = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        jsonschema_rs.Draft202012Validator(document)
        assert isinstance(schema, dict)


@pytest.mark.parametrize(
    ("road", "status"),
    [
        ("/interactions/a%00b", 422),
        ("/interactions/a?connection=%00", 422),
        (f"/deliveries/{10**30}", 422),
        (f"/deliveries?before={10**30}", 422),
        (f"/mappings/wrap_up/versions/{10**12}", 404),
        ("/mappings/none/versions", 404),
        ("/records/crm/contact?id=%00", 422),
        ("/deliveries?since=yesterday", 422),
        ("/deliveries?since=2026-11-23T10:00:00", 422),
        (f"/unread/{10**30}/body", 422),
    ],
)
def test_what_no_store_can_hold_is_refused(whole: WholeHub, road: str, status: int) -> None:
    answer = whole.flask.test_client().get(f"/api/v1{road}", headers={"Authorization": "Bearer pb_test-token"})
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text


# --- machines ----------------------------------------


def test_health_and_readiness(whole: WholeHub) -> None:
    client = whole.flask.test_client()
    assert client.get("/healthz").get_json() == {"status": "alive"}
    assert client.get("/readyz").get_json()["status"] == "ready"
    whole.hub.started = False
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]["mappings"]) == (503, "not loaded yet")


def test_metrics_count_without_naming_anybody(whole: WholeHub) -> None:
    add_contact(whole)
    whole.take_call()
    whole.program.post("/connections/other_platform/pause", {})
    said = whole.flask.test_client().get("/metrics").text
    assert 'patchbay_deliveries{connection="crm",state="pending"} 1.0' in said
    assert 'patchbay_connection_paused{connection="other_platform"} 1.0' in said
    whole.deliver()
    said = whole.flask.test_client().get("/metrics").text
    assert 'patchbay_attempts_total{connection="crm",outcome="created"} 1.0' in said
    assert 'patchbay_deliveries{connection="crm",state="pending"} 0.0' in said
    assert "612345678" not in said


def test_a_failure_of_ours_is_a_problem_without_a_trace(whole: WholeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret inner thing")

    monkeypatch.setattr(whole.hub.mappings, "all", fail)
    problem = whole.program.get("/mappings", 500)
    assert "secret inner thing" not in json.dumps(problem)
    assert "Traceback" not in json.dumps(problem)


# --- what was written is read back ----------------------------------------


def test_what_was_written_is_read_back_and_scored(tmp_path: Path) -> None:
    settings = SETTINGS.rstrip() + "\n    read_back: full\n    read_back_after_seconds: 0\n"
    with whole_hub(tmp_path, f"sqlite:///{tmp_path / 'patchbay.db'}", settings=settings) as whole:
        whole.take_call("call-1", recordings=[{"url": "https://rec.example/1"}])
        whole.deliver()
        assert whole.program.get("/read-back")["waiting"] == 1
        whole.hub.read_back.read_due(everything=True)
        said = whole.program.get("/read-back", connection="crm", mapping="wrap_up")
        assert (said["waiting"], said["dropped"]) == (0, 0)
        scores = {one["field"]: one for one in said["read_back"]}
        assert set(scores) == {"subject", "channel", "direction", "comment"}
        assert all((one["checked"], one["kept"]) == (1, 1) for one in scores.values())
        assert whole.program.get("/read-back", mapping="another")["read_back"] == []


def test_a_connection_is_compared_with_its_mappings(whole: WholeHub) -> None:
    assert whole.program.post("/connections/crm/compare") == {"compared": 1, "alerts": []}
    strange = WRAP_UP.replace("  comment: wrap_up.comment", "  coment: wrap_up.comment")
    whole.program.post("/mappings", {"source": strange, "anyway": True}, 201)
    said = whole.program.post("/connections/crm/compare")
    assert [(one["mapping"], one["field"]) for one in said["alerts"]] == [("wrap_up", "coment")]
    whole.program.post("/mappings/wrap_up/rollback", {"version": 1})
    assert whole.program.post("/connections/crm/compare")["alerts"] == []
    uncut = WRAP_UP.replace("  comment: wrap_up.comment", "  queue: interaction.queue")
    checked = whole.program.post("/mappings/check", {"source": uncut})
    assert checked["ok"] is True
    assert any("nothing cuts interaction.queue: write max: 200" in hint["problem"] for hint in checked["hints"])
    whole.program.post("/connections/platform/compare", status=404)


def test_a_mapping_is_suggested(whole: WholeHub) -> None:
    asked = {"event": "interaction.wrapped_up", "connection": "crm", "object": "case", "source": "platform"}
    draft = whole.program.post("/mappings/suggest", asked)
    assert whole.program.post("/mappings/check", {"source": draft["source"]})["ok"] is True
    assert "opened_at" in draft["source"]
    assert draft["to_decide"] == []
    problem = whole.program.post("/mappings/suggest", asked | {"object": "cse"}, status=422)
    assert 'did you mean "case"?' in problem["detail"]
    whole.program.post("/mappings/suggest", asked | {"connection": "none"}, status=404)
    said = whole.program.post("/mappings/suggest", asked | {"connection": "platform"}, status=422)["detail"]
    assert "does not describe what can be written" in said
