"""The screen pop's own road: not Flask's, and in all that a caller sees no other than the API's roads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from structlog.testing import capture_logs

from hub.store.access import SCOPES
from hub.store.crm import Crm
from hub.web.screen_pops import PATH, THREADS
from tests.asgi_client import Answer
from tests.desk_stubs import Gate
from tests.whole_hub import TOKEN, WholeHub, whole_hub

ANA, BEA = "+34612345678", "+34699111222"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OTHER_ROAD = "/api/v1/connections"  # of Flask
SETTINGS = """\
country: ES
public_url: http://hub.example
screen_pop: screen_pop.yaml
connections:
  crm: { connector: embedded }
  erp: { connector: embedded }
"""
DEADLINE = 20.0
SAFE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


@pytest.fixture
def whole(tmp_path: Path, store_url: str) -> Iterator[WholeHub]:
    yield from _whole(tmp_path, store_url)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[WholeHub]:
    """On one engine: what is asked here never comes to the store."""
    yield from _whole(tmp_path, f"sqlite:///{tmp_path / 'patchbay.db'}")


def _whole(folder: Path, url: str) -> Iterator[WholeHub]:
    (folder / "config").mkdir()
    (folder / "config" / "screen_pop.yaml").write_text(f"deadline: {DEADLINE:.0f} seconds\nconnections: [crm, erp]\n")
    with whole_hub(folder, url, settings=SETTINGS, mappings={}) as hub:
        yield hub


def contact(whole: WholeHub, **fields: Any) -> str:
    made = Crm(whole.hub.store.engine, "ES").create("contact", {"last_name": "Romero", "country": "ES"} | fields)
    assert made.id, made.error
    return made.id


def ask(whole: WholeHub, query: dict[str, Any] | bytes = b"", **headers: str) -> Answer:
    return whole.door.get(PATH, query, BEARER | headers)


def problem(answer: Answer) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json", answer.text
    told: dict[str, Any] = answer.json()
    assert (told["status"], told["instance"]) == (answer.status_code, PATH)
    return told


# --- what is answered ----------------------------------------


def test_every_answer_is_as_the_description_says(whole: WholeHub) -> None:
    described = whole.door.get("/openapi.json").json()
    operation = described["paths"][PATH]["get"]
    assert operation["operationId"] == "get_desk_screen_pop"
    assert {one["name"] for one in operation["parameters"]} >= {"phone", "email", "key", "interaction", "redirect"}

    def check(answer: Answer) -> Any:
        media = operation["responses"][str(answer.status_code)]["content"][answer.mimetype]
        jsonschema_rs.Draft202012Validator(
            {**media["schema"], "components": described["components"]}, validate_formats=True
        ).validate(answer.json())
        return answer.json()

    contact(whole, mobile=ANA)
    contact(whole, mobile=BEA)
    contact(whole, phone=BEA)
    assert check(ask(whole, {"phone": ANA, "connection": "crm"}))["match"] == "one"
    assert check(ask(whole, {"phone": BEA, "connection": "crm"}))["match"] == "many"
    assert check(ask(whole, {"phone": "+34600000009"}))["match"] == "none"
    whole.hub.connections["erp"].connector.find = lambda _lookups: 1 / 0  # type: ignore[attr-defined]
    assert len(check(ask(whole, {"phone": ANA}))["silent"]) == 1
    for query in ({}, {"phon": ANA}, {"phone": ANA, "connection": "no"}):
        assert check(ask(whole, query))["status"] == 422
    assert check(whole.door.get(PATH))["status"] == 401


def test_flask_does_not_serve_it_too(one: WholeHub) -> None:
    assert one.flask.test_client().get(PATH, headers=BEARER).status_code == 404
    assert one.door.get(PATH + "/", headers=BEARER).status_code == 404


def test_its_headers_are_those_of_every_road(one: WholeHub) -> None:
    for answer, other in (
        (ask(one, {"phone": ANA}), one.door.get(OTHER_ROAD, headers=BEARER)),
        (ask(one), one.door.get(OTHER_ROAD, {"a": 1}, BEARER)),
        (one.door.get(PATH), one.door.get(OTHER_ROAD)),
    ):
        kept = {name: value for name, value in other.headers.items() if name not in ("content-length", "vary")}
        assert {name: answer.headers.get(name) for name in kept} == kept


def test_a_redirect_goes_where_it_should_and_splits_no_answer(one: WholeHub) -> None:
    ana = contact(one, mobile=ANA)
    answer = ask(one, {"phone": ANA, "connection": "crm", "redirect": "1"})
    assert (answer.status_code, answer.headers["location"]) == (302, f"http://hub.example/crm/contact/{ana}")
    hostile = "https://crm.example/ñ 1\r\nSet-Cookie: a=b"
    one.hub.connections["crm"].connector.links = lambda *_: hostile  # type: ignore[attr-defined]
    answer = ask(one, {"phone": BEA, "redirect": "true"})
    assert answer.headers["location"].startswith("https://crm.example/%C3%B1%201")
    assert answer.headers["location"].isprintable()
    assert "set-cookie" not in answer.headers


def test_head_and_options(one: WholeHub) -> None:
    assert one.door.open(PATH, "HEAD", query_string={"phone": ANA}, headers=BEARER).status_code == 200
    for path in (PATH, OTHER_ROAD):
        answer = one.door.open(path, "OPTIONS")
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


# --- what is refused ----------------------------------------


def test_a_wrong_method_is_told_the_right_ones(one: WholeHub) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "BREW"):
        told, other = one.door.open(PATH, method, headers=BEARER), one.door.open(OTHER_ROAD, method, headers=BEARER)
        assert told.headers["allow"] == other.headers["allow"] == "GET, HEAD, OPTIONS"
        assert problem(told) == json.loads(other.text.replace(OTHER_ROAD, PATH))
        assert told.status_code == 405


def test_who_asks_has_to_be_known_and_entitled(whole: WholeHub) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer no"}, {"Authorization": "Basic YTpi"}):
        told, other = whole.door.get(PATH, {"phone": ANA}, headers), whole.door.get(OTHER_ROAD, headers=headers)
        assert told.status_code == 401
        assert problem(told) == json.loads(other.text.replace(OTHER_ROAD, PATH))
        assert told.headers["www-authenticate"] == other.headers["www-authenticate"]
    for scope in SCOPES:
        token = whole.hub.access.create_token(scope, [scope])
        told = whole.door.get(PATH, {"phone": ANA}, {"authorization": f"bearer {token}"})
        assert told.status_code == (200 if scope == "screen_pop" else 403)
        if told.status_code == 403:
            assert problem(told)["scope"] == "screen_pop"
            assert 'scope="screen_pop"' in told.headers["www-authenticate"]
    whole.hub.access.revoke("screen_pop")
    assert whole.door.get(PATH, {"phone": ANA}, {"Authorization": f"Bearer {token}"}).status_code == 403


def test_a_revoked_token_is_a_strangers_at_once(whole: WholeHub) -> None:
    token = whole.hub.access.create_token("desk", ["screen_pop"])
    headers = {"Authorization": f"Bearer {token}"}
    assert whole.door.get(PATH, {"phone": ANA}, headers).status_code == 200
    whole.hub.access.revoke("desk")
    assert whole.door.get(PATH, {"phone": ANA}, headers).status_code == 401


def test_a_person_who_has_signed_in_may_ask(one: WholeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = one.signed_in()
    cookie = browser.get_cookie("patchbay")
    assert cookie is not None
    held = {"Cookie": f"other=1; patchbay={cookie.value}"}
    assert one.door.get(PATH, {"phone": ANA}, held).status_code == 200
    assert one.door.get(PATH, {"phone": ANA}, held | {"Authorization": "Bearer no"}).status_code == 401
    for forged in (cookie.value[:-2], cookie.value + "x", "e30.x.y", "", "é"):
        assert one.door.get(PATH, {"phone": ANA}, {"Cookie": f"patchbay={forged}"}).status_code == 401
    monkeypatch.setattr("hub.web.access.SESSION_SECONDS", -1)
    assert one.door.get(PATH, {"phone": ANA}, held).status_code == 401
    monkeypatch.undo()
    one.hub.access.set_password("admin", "another one")
    assert one.door.get(PATH, {"phone": ANA}, held).status_code == 401


def test_what_cannot_be_asked_is_told(one: WholeHub) -> None:
    for query, words in (
        (b"", "give one of phone, email, key, interaction"),
        (b"redirect=1", "give one of phone, email, key, interaction"),
        (b"phon=1", 'there is no such field, did you mean "phone"?'),
        (b"phone=1&phone=2", "is given 2 times"),
        (b"phone=" + b"1" * 321, "phone"),
        (b"phone=%00", "NUL"),
        (b"phone=1&redirect=perhaps", "redirect"),
        (b"phone=1&direction=sideways", "direction"),
        (b"phone=1&connection=cm", 'did you mean "crm"?'),
    ):
        told = problem(ask(one, query))
        assert told["status"] == 422, query
        assert words in told["detail"]


def test_strange_queries_are_answered(one: WholeHub) -> None:
    for query in (b"phone=%ff%fe", b"phone=%", b"phone", b"&&=&;", b"phone=%F0%9F%98%80", b"email=a%40b%0d%0a"):
        assert ask(one, query).status_code in (200, 422), query


def test_a_body_has_its_bounds_here_too(one: WholeHub) -> None:
    fits = one.door.open(PATH, query_string={"phone": ANA}, headers=BEARER, body=b"x" * 1000)
    assert fits.status_code == 200
    large = ask(one, {"phone": ANA}, **{"Content-Length": str(9 << 20)})
    assert (large.status_code, problem(large)["type"]) == (413, "urn:patchbay:problem:too-large")
    assert large.headers["connection"] == "close"
    endless = ask(one, {"phone": ANA}, **{"Transfer-Encoding": "chunked"})
    assert (endless.status_code, problem(endless)["type"]) == (411, "urn:patchbay:problem:length-required")
    for refused in (large, endless, one.door.get(OTHER_ROAD, headers=BEARER | {"Transfer-Encoding": "chunked"})):
        assert {name: refused.headers.get(name) for name in SAFE} == SAFE


def test_a_failure_of_ours_is_a_problem_without_a_trace(one: WholeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a secret inner thing")

    monkeypatch.setattr("hub.desk.screen_pop.caller_of", fail)
    with capture_logs() as logged:
        answer = ask(one, {"phone": ANA})
    assert problem(answer)["type"] == "urn:patchbay:problem:internal"
    assert "inner thing" not in answer.text
    (line,) = logged
    assert (line["event"], line["path"], line["error"]) == ("request failed", PATH, "ZeroDivisionError")


def test_it_is_measured_as_every_road(one: WholeHub) -> None:
    ask(one, {"phone": ANA})
    one.door.get(PATH)
    said = one.door.get("/metrics").text
    assert "patchbay_screen_pop_seconds_count 2.0" in said
    assert 'patchbay_request_seconds_count{endpoint="desk.screen_pop"} 2.0' in said
    assert "612345678" not in said


# --- who waits for whom ----------------------------------------


def test_a_slow_crm_holds_up_nobody_elses_pop(one: WholeHub) -> None:
    """More pops wait for the CRM than there are threads, and one that does not is answered all the same."""
    ana, gate = contact(one, mobile=ANA), Gate()

    def slow(lookups: Any) -> Any:
        gate()
        return [[] for _ in lookups]

    one.hub.connections["erp"].connector.find = slow  # type: ignore[attr-defined]

    async def pop(connection: str) -> Any:
        return (await one.door.ask(PATH, query_string={"phone": ANA, "connection": connection}, headers=BEARER)).json()

    async def all_at_once() -> tuple[Any, list[Any]]:
        waiting = [asyncio.create_task(pop("erp")) for _ in range(3 * THREADS)]
        await asyncio.sleep(0.2)
        quick = await asyncio.wait_for(pop("crm"), DEADLINE / 2)
        assert not any(task.done() for task in waiting)
        gate.open()
        return quick, await asyncio.wait_for(asyncio.gather(*waiting), DEADLINE / 2)

    quick, slow_ones = asyncio.run(all_at_once())
    assert (quick["match"], quick["records"][0]["id"]) == ("one", ana)
    assert {one["match"] for one in slow_ones} == {"none"}  # answered by the CRM itself, long before the deadline
    assert [one["silent"] for one in slow_ones] == [[]] * len(slow_ones)
