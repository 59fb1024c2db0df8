"""The three ways to sign in, and a session that ends."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import ConfigError, CredentialsRefused, Throttled, Unavailable
from hub.model import Identity
from tests.connectors.salesforce.bench import TASKS, Bench

TOKEN = "/services/oauth2/token"


@pytest.mark.parametrize("way", ["credentials", "jwt_credentials", "password_credentials"])
def test_each_way_leads_in(bench: Bench, way: str) -> None:
    connector = bench.opened(**getattr(bench.sandbox, way)())
    who = connector.check()
    assert isinstance(who, Identity) and who.user == "patchbay@sandbox.example" and who.version == "61.0"
    assert "00D5g0000000001EAA" in who.system


def test_an_assertion_for_a_sandbox_of_salesforce_s(bench: Bench) -> None:
    told = bench.sandbox.jwt_credentials() | {"audience": "https://test.salesforce.com", "login_url": bench.served.url}
    assert bench.opened(**told).check().user == "patchbay@sandbox.example"


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ("credentials", {"client_secret": "n0t the secret"}),
        ("credentials", {"client_id": "n0body"}),
        ("jwt_credentials", {"private_key": "n0 key"}),
        ("jwt_credentials", {"username": "somebody@else.example"}),
        ("password_credentials", {"password": "n0t the password"}),
    ],
)
def test_what_is_wrong_is_refused_without_being_told(bench: Bench, way: str, wrong: dict[str, Any]) -> None:
    connector = bench.opened(**getattr(bench.sandbox, way)() | wrong)
    with pytest.raises(CredentialsRefused) as refused:
        connector.check()
    assert not any(value in str(refused.value) for value in wrong.values())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sign_in": "magic"}, "none of client_credentials, jwt, soap"),
        ({"client_secret": ""}, "needs client_secret"),
        ({"sign_in": "jwt"}, "needs username, private_key"),
        ({"phone_forms": ["roman"]}, "none of national"),
        ({"phone_fields": ["Phone"]}, "with a field, such as Contact.Phone"),
        ({"phone_fallback": "maybe"}, "none of recent, all, off"),
    ],
)
def test_wrong_settings_are_told_at_the_start(bench: Bench, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bench.opened(**settings)


ON_THE_WAY: dict[str, type[Exception]] = {
    "down": Unavailable,
    "login_page": Unavailable,
    "html": Unavailable,
    "truncated": Unavailable,
    "reset_after": Unavailable,
    "throttled": Throttled,
}


@pytest.mark.parametrize("fault", ON_THE_WAY)
@pytest.mark.parametrize("way", ["credentials", "password_credentials"])
def test_a_sign_in_that_fails_on_the_way_has_done_nothing(bench: Bench, way: str, fault: str) -> None:
    bench.fault(fault, path=TOKEN if way == "credentials" else "/services/Soap", seconds=30)
    connector = bench.opened(**getattr(bench.sandbox, way)())
    with pytest.raises(ON_THE_WAY[fault]) as failed:
        connector.write(TASKS, bench.rows(1))
    assert type(failed.value) is ON_THE_WAY[fault]
    assert fault != "throttled" or failed.value.retry_after == 30  # type: ignore[attr-defined]
    assert connector.check().user


def test_a_sign_in_that_is_refused_pauses(bench: Bench) -> None:
    bench.fault("sign_in_refused")
    with pytest.raises(CredentialsRefused, match="invalid_grant: no client credentials user enabled"):
        bench.connector.check()


def test_an_expired_session_is_renewed_once_and_nobody_sees_it(bench: Bench) -> None:
    bench.connector.check()
    before = bench.sandbox.door.sign_ins
    bench.fault("expired")
    rows = bench.rows(3)
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} == {"created"}
    assert bench.sandbox.door.sign_ins == before + 1
    assert all(len(bench.tasks(row.key)) == 1 for row in rows)


def test_a_session_that_is_refused_for_ever_is_asked_for_twice(bench: Bench) -> None:
    bench.connector.check()
    before = bench.sandbox.door.sign_ins
    bench.fault("expired_for_ever", times=-1)
    with bench.counted() as calls, pytest.raises(CredentialsRefused):
        bench.connector.write(TASKS, bench.rows(1))
    assert calls == [3] and bench.sandbox.door.sign_ins == before + 1  # the call, the sign-in, the call


def test_a_401_that_is_no_array_is_one_too(bench: Bench) -> None:
    bench.connector.check()
    bench.fault("expired_dict")
    assert bench.connector.check().user
    bench.fault("expired_dict", times=2)
    with pytest.raises(CredentialsRefused):
        bench.connector.check()
