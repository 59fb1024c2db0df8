"""The start page, the sign-in page and what protects them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.flow.alerts import clear_alerts, raise_alert
from hub.store.alerts import Trouble
from tests.whole_hub import WholeHub, whole_hub


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[WholeHub]:
    """A whole hub on SQLite: pages show what the API's tests have proven on both engines."""
    with whole_hub(tmp_path, f"sqlite:///{tmp_path / 'patchbay.db'}") as hub:
        yield hub


def test_a_stranger_is_sent_to_sign_in_and_comes_back(whole: WholeHub) -> None:
    client = whole.flask.test_client()
    assert client.get("/").headers["Location"] == "/sign-in"
    answer = client.get("/crm/?q=ana")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in?next=%2Fcrm%2F%3Fq%3Dana")
    assert client.post("/crm/new/contact", data={}).status_code in (302, 404)


def test_every_page_is_closed_to_strangers_but_these(whole: WholeHub) -> None:
    client = whole.flask.test_client()
    open_to_all = {"/sign-in", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/<path:filename>"}
    for rule in whole.flask.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") or rule.rule in open_to_all:
            continue
        road = rule.build(dict.fromkeys(rule.arguments, "1"))[1]
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        answer = client.open(road, method=method)
        assert answer.status_code == 302, road
        assert answer.headers["Location"].startswith("/sign-in"), road


def test_the_start_page_shows_how_things_are(whole: WholeHub) -> None:
    whole.take_call("call-7", interaction={"id": "call-7", "channel": "voice", "recording_url": "no url"})
    whole.take_call("call-8")
    whole.deliver()
    whole.program.post("/connections/other_platform/pause", {"message": "moving house"})
    page = whole.signed_in().get("/").text
    for text in ("Test &amp; Sons", "call-7", "call-8", "These need a person", "1 parked", "wrap_up", "moving house",
                 "/crm/", "/openapi.json", 'data-state="parked"', 'data-state="delivered"', "Sign out"):  # fmt: skip
        assert text in page, text


def test_an_interaction_that_was_delivered_twice_stands_there_once(whole: WholeHub) -> None:
    whole.take_call("call-9")
    whole.deliver()
    whole.take_call("call-9", id="e-late", wrap_up={"comment": "And the blue one"})
    whole.deliver()
    assert whole.signed_in().get("/").text.count("interactions/call-9") == 1


def test_the_start_page_shows_open_alerts_and_the_api_and_metrics_too(whole: WholeHub) -> None:
    assert "alerts" not in whole.signed_in().get("/").text
    trouble = Trouble(
        key="k", kind="not_kept", connection="crm", mapping="wrap_up", field="comment", message="is <cut>"
    )
    raise_alert(whole.hub.store, trouble)
    page = whole.signed_in().get("/").text
    for text in ("1 open", "not kept", "is &lt;cut&gt;", "comment, crm", 'data-state="alert"'):
        assert text in page, text
    said = whole.program.get("/alerts", open="true", kind=["not_kept", "drift"], mapping="wrap_up")
    assert [(one["kind"], one["field"], one["message"]) for one in said["alerts"]] == [
        ("not_kept", "comment", "is <cut>")
    ]
    assert said["alerts"][0]["cleared_at"] is None
    assert whole.program.get("/alerts", open="false")["alerts"] == []
    assert whole.program.get("/alerts", kind="quota")["alerts"] == []
    assert 'patchbay_alerts{kind="not_kept"} 1.0' in whole.flask.test_client().get("/metrics").text
    clear_alerts(whole.hub.store, ["k"])
    assert "is &lt;cut&gt;" not in whole.signed_in().get("/").text
    assert whole.program.get("/alerts", open="true") == {"alerts": [], "next": None}


def test_an_empty_hub_says_what_to_do(tmp_path: Path) -> None:
    with whole_hub(tmp_path, f"sqlite:///{tmp_path / 'patchbay.db'}", settings="country: ES\n", mappings={}) as whole:
        page = whole.signed_in().get("/").text
    assert "None yet" in page
    assert "make demo" in page


def test_what_a_platform_sends_is_shown_as_text(whole: WholeHub) -> None:
    whole.take_call('<script>alert("1")</script>')
    page = whole.signed_in().get("/").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(whole: WholeHub) -> None:
    browser = whole.signed_in()
    for road in ("/", "/crm/", "/sign-in", "/none"):
        answer = browser.get(road, follow_redirects=True)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert "onclick=" not in answer.text


def test_a_person_is_told_in_a_page_and_a_program_in_json(whole: WholeHub) -> None:
    browser = whole.signed_in()
    page = browser.get("/none", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is nothing at /none." in page.text
    said = browser.get("/none", headers={"Accept": "*/*"})
    assert (said.status_code, said.mimetype) == (404, "application/problem+json")
    assert browser.put("/").get_json()["status"] == 405
