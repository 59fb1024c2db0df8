"""Who may do what: tokens, users, sessions."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema
from marshmallow import fields as wire
from sqlalchemy import select

from hub.store.access import SCOPES, Access, AccessError
from hub.store.database import Store
from hub.store.schema import tokens, users
from hub.web import sign_in
from hub.web.access import caller, csrf_token
from hub.web.api.endpoint import endpoint
from hub.web.current import EXTENSION
from hub.web.display import local
from hub.web.problems import register_problems
from hub.web.sign_in import Throttle, local_path

Cost = tuple[int, int, int]

# --- the store ----------------------------------------


def test_a_token_is_shown_once_and_only_its_digest_is_kept(store: Store) -> None:
    access = Access(store)
    made = access.create_token("desk", ["screen_pop", "read"])
    with store.read() as connection:
        row = connection.execute(select(tokens)).one()
    assert made not in str(row)
    found = access.token_of(made)
    assert found is not None
    assert (found.name, found.scopes) == ("desk", ("read", "screen_pop"))
    assert access.token_of(made + "x") is None
    assert access.token_of("") is None


def test_a_revoked_token_is_a_stranger(store: Store) -> None:
    access = Access(store)
    made = access.create_token("desk", ["read"])
    assert access.revoke("desk")
    assert not access.revoke("desk")
    assert access.token_of(made) is None
    assert access.tokens() == ()


def test_a_token_that_cannot_be_made_says_why(store: Store) -> None:
    access = Access(store)
    access.create_token("desk", ["read"])
    with pytest.raises(AccessError, match='there is a token called "desk" already'):
        access.create_token("desk", ["read"])
    with pytest.raises(AccessError, match='no scope "screenpop", did you mean "screen_pop"'):
        access.create_token("other", ["screenpop"])
    with pytest.raises(AccessError, match="at least one scope"):
        access.create_token("other", [])


def test_the_token_of_the_environment_replaces_the_one_before(store: Store) -> None:
    access = Access(store)
    access.keep_token("environment", "first", tuple(SCOPES))
    access.keep_token("environment", "second", tuple(SCOPES))
    access.keep_token("environment", "second", tuple(SCOPES))
    assert access.token_of("first") is None
    assert access.token_of("second") is not None
    assert len(access.tokens()) == 1


def test_a_password_is_kept_salted_and_a_change_ends_sessions(store: Store) -> None:
    access = Access(store)
    access.set_password("admin", "one")
    with store.read() as connection:
        kept = connection.execute(select(users.c.password)).scalar_one()
    assert kept.startswith("scrypt$")
    assert "one" not in kept
    stamp = access.stamp_of("admin", "one")
    assert stamp is not None
    assert access.stamp_of("admin", "two") is None
    assert access.stamp_of("nobody", "one") is None
    access.set_password("admin", "one")
    assert access.has_stamp("admin", stamp), "the same password again changes nothing"
    access.set_password("admin", "two")
    assert not access.has_stamp("admin", stamp)


def test_a_guess_costs_time_and_memory(
    sqlite_store: Store, passwords_cost_little: Cost, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_earnest = passwords_cost_little
    assert in_earnest >= (2**15, 8, 1)
    monkeypatch.setattr("hub.store.access.SCRYPT", in_earnest)
    access = Access(sqlite_store)
    access.set_password("admin", "one")
    assert access.stamp_of("admin", "one") is not None
    assert access.stamp_of("admin", "two") is None


def test_the_signing_key_is_made_once(store: Store) -> None:
    first = Access(store).signing_key()
    assert len(first) == 64
    assert Access(store).signing_key() == first
    assert Access(store).signing_key("other") != first


# --- the web ----------------------------------------


class _Body(Schema):
    """Nothing in particular."""

    what = wire.String()


@pytest.fixture
def app(store: Store) -> Flask:
    """A small application with one endpoint and the sign-in page."""
    app = Flask("hub.web")
    access = Access(store)
    access.set_password("admin", "geheim")
    app.extensions[EXTENSION] = SimpleNamespace(access=access)
    app.secret_key = access.signing_key()
    app.context_processor(lambda: {"csrf_token": csrf_token, "caller": caller})
    app.add_template_filter(local)
    register_problems(app)
    sign_in.prepare(app)
    app.register_blueprint(sign_in.pages)

    @app.route("/api/v1/dial", methods=["GET", "POST"])
    @endpoint(scope="dial", body=_Body, about="Dials.")
    def dial(body: dict[str, Any]) -> Any:
        known = caller()
        return {"by": known.name if known else None}

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser, or a program."""
    return app.test_client()


def access_of(app: Flask) -> Access:
    """The application's access."""
    found: Access = app.extensions[EXTENSION].access
    return found


def csrf_of(page: str) -> str:
    """The CSRF token in a page's form."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def enter(client: FlaskClient, password: str = "geheim", **more: str) -> Any:
    """Sign in as admin."""
    token = csrf_of(client.get("/sign-in").text)
    return client.post("/sign-in", data={"user": "admin", "password": password, "csrf": token, **more})


def test_a_stranger_is_told_how_to_come_in(client: FlaskClient) -> None:
    answer = client.post("/api/v1/dial", json={})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for header in ("Bearer", "Bearer wrong", "Basic YWRtaW46Z2VoZWlt", "Bearer " + "x" * 5000):
        assert client.post("/api/v1/dial", json={}, headers={"Authorization": header}).status_code == 401


def test_a_token_needs_the_scope(app: Flask, client: FlaskClient) -> None:
    weak, strong = access_of(app).create_token("weak", ["read"]), access_of(app).create_token("strong", ["dial"])
    refused = client.post("/api/v1/dial", json={}, headers={"Authorization": f"Bearer {weak}"})
    assert refused.status_code == 403
    assert refused.get_json()["scope"] == "dial"
    assert "dial" in refused.get_json()["detail"]
    assert weak not in refused.text
    taken = client.post("/api/v1/dial", json={}, headers={"Authorization": f"bearer {strong}"})
    assert (taken.status_code, taken.get_json()) == (200, {"by": "strong"})


def test_signing_in_and_out(client: FlaskClient) -> None:
    answer = enter(client, next="/crm/?q=a")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/crm/?q=a")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "geheim" not in cookie
    token = csrf_of_session(client)
    asked = client.post("/api/v1/dial", json={}, headers={"X-CSRF-Token": token})
    assert asked.get_json() == {"by": "admin"}
    assert client.get("/sign-in").status_code == 302, "who is in needs no form"
    client.post("/sign-out", data={"csrf": token})
    assert client.post("/api/v1/dial", json={}).status_code == 401


def csrf_of_session(client: FlaskClient) -> str:
    """The CSRF token of the browser's session, as its pages hold it."""
    with client.session_transaction() as session:
        return str(session["csrf"])


def test_a_session_cannot_be_made_to_act_from_elsewhere(client: FlaskClient) -> None:
    enter(client)
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": ""}):
        assert client.post("/api/v1/dial", json={}, headers=headers).status_code == 403


def test_signing_in_needs_the_form(client: FlaskClient) -> None:
    assert client.post("/sign-in", data={"user": "admin", "password": "geheim"}).status_code == 403


def test_a_changed_password_ends_the_session(app: Flask, client: FlaskClient) -> None:
    enter(client)
    access_of(app).set_password("admin", "other")
    assert client.post("/api/v1/dial", json={}).status_code == 401


def test_a_forged_cookie_is_a_stranger(app: Flask, client: FlaskClient) -> None:
    other = Flask("other")
    other.secret_key = "another key"
    serializer = other.session_interface.get_signing_serializer(other)  # type: ignore[attr-defined]
    client.set_cookie("session", serializer.dumps({"user": "admin", "stamp": "x", "since": 9e9}))
    assert client.post("/api/v1/dial", json={}).status_code == 401


def test_wrong_passwords_are_slowed_down_without_saying_more(client: FlaskClient) -> None:
    answers = [enter(client, "wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert enter(client).status_code == 429, "even the right one has to wait"
    assert "The name or the password is wrong." in answers[0].text


def test_the_wait_doubles_and_is_forgotten() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(5):
        assert throttle.wait("a", "1") == 0
        throttle.failed("a", "1")
    waits = []
    for _ in range(10):
        waits.append(throttle.wait("a", "1"))
        now[0] += waits[-1]
        assert throttle.wait("a", "1") == 0
        throttle.failed("a", "1")
    assert waits[:3] == [5, 10, 20]
    assert max(waits) == 900
    assert throttle.wait("a", "2") == 0, "another address is another matter"
    throttle.forget("a", "1")
    assert throttle.wait("a", "1") == 0


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "crm",
        "/a\nb",
        "/\t/evil.example",
    ],
)
def test_nobody_is_sent_elsewhere(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_a_local_path_is_kept() -> None:
    assert local_path("/crm/contact/1?a=b") == "/crm/contact/1?a=b"
