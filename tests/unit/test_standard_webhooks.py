"""The sender's proof, against the independent signer of the PyPI package `standardwebhooks`."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as OtherSigner

from connectors.platform.webhook import Webhook
from connectors.wire.standard_webhooks import keys_of, prove, sign
from hub.contract import HookRequest, Tools, capabilities
from hub.errors import ConfigError, SenderRefused

SECRET = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()
OLD = "whsec_" + b64encode(b"an older secret, in use still").decode()
NOW = datetime(2026, 11, 23, 10, 5, 40, tzinfo=UTC)
BODY = b'{"id": "evt-1", "caf\xc3\xa9": 1}'


def signed(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW, id: str = "msg-1") -> dict[str, str]:
    """Headers by the other signer."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": OtherSigner(secret).sign(id, at, body.decode()),
    }


def hook(headers: dict[str, str], body: bytes = BODY) -> HookRequest:
    return HookRequest(method="POST", query={}, headers=headers, body=body, received_at=NOW)


def refusal(headers: dict[str, str], body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(SenderRefused) as refused:
        prove(hook(headers, body), secrets)
    for secret in filter(None, (*secrets, *(key.decode("latin-1") for one in secrets for key in keys_of(one)))):
        assert secret not in str(refused.value)
    return str(refused.value)


def test_what_another_library_signs_is_proven() -> None:
    prove(hook(signed()), [SECRET])


def test_what_we_sign_another_library_proves() -> None:
    at = datetime.now(UTC)
    assert OtherSigner(SECRET).verify(BODY.decode(), sign(SECRET, "msg-1", at, BODY))["id"] == "evt-1"
    prove(HookRequest(method="POST", query={}, headers=sign("plain text", "m", at, BODY), body=BODY, received_at=at),
          ["plain text"])  # fmt: skip


def test_while_a_secret_is_replaced_both_are_taken() -> None:
    prove(hook(signed(secret=OLD)), [SECRET, OLD])
    both = signed()["webhook-signature"] + " " + signed(secret=OLD)["webhook-signature"]
    prove(hook(signed() | {"webhook-signature": both}), [OLD])
    prove(hook(signed() | {"webhook-signature": "v1a,other v2,x " + both}), [SECRET])


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_unsigned_hook_is_refused_and_told_what_is_missing(missing: str) -> None:
    headers = {name: value for name, value in signed().items() if name != missing}
    assert refusal(headers) == f"unsigned: {missing} missing"
    assert refusal(headers | {missing: ""}) == f"unsigned: {missing} missing"


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_allowed(seconds: int) -> None:
    prove(hook(signed(at=NOW + timedelta(seconds=seconds))), [SECRET])


@pytest.mark.parametrize(("seconds", "word"), [(-301, "301 seconds old"), (301, "301 seconds in the future")])
def test_a_stale_hook_is_refused(seconds: int, word: str) -> None:
    assert word in refusal(signed(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("timestamp", ["soon", "1e9", "-5", "1732356340.5", " 1732356340", "١٢٣", "9" * 400])
def test_a_timestamp_is_whole_seconds(timestamp: str) -> None:
    assert refusal(signed() | {"webhook-timestamp": timestamp}).startswith("webhook-timestamp: ")


def test_one_changed_byte_anywhere_is_refused() -> None:
    problem = "webhook-signature: no secret of this connection signed this id, timestamp and body"
    assert refusal(signed(), BODY.replace(b"1", b"2", 1)) == problem
    assert refusal(signed(), BODY + b" ") == problem
    assert refusal(signed(), b"") == problem
    assert refusal(signed() | {"webhook-id": "msg-2"}) == problem
    assert refusal(signed() | {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}) == problem
    assert refusal(signed(secret=OLD)) == problem


@pytest.mark.parametrize(
    "signature", ["v1", "v1,", "v2,abc", "garbage", ",", "v1,é", "v1," + "A" * 100_000, "v1,x " * 500]
)
def test_a_garbled_signature_is_refused(signature: str) -> None:
    assert refusal(signed() | {"webhook-signature": signature}).startswith("webhook-signature: ")


def test_a_plain_secret_stands_for_its_bytes_and_for_its_base64() -> None:
    bare = SECRET.removeprefix("whsec_")
    prove(hook(signed(secret=bare)), [bare])  # as the libraries of Standard Webhooks read it
    assert keys_of("s3cret") == (b"s3cret",)
    assert keys_of("whsec_not base64!") == (b"whsec_not base64!",)
    assert keys_of(bare) == (bare.encode(), b"0123456789abcdef01234567")


def test_an_empty_secret_proves_nobody() -> None:
    assert keys_of("") == ()
    refusal(signed(), secrets=())
    refusal(signed(), secrets=("",))


def test_the_connector_wants_a_secret(tools: Tools) -> None:
    assert capabilities(Webhook) == ("receive",)
    for settings in ({"secrets": []}, {"secrets": [""]}, {"secrets": ""}):
        with pytest.raises(ConfigError, match="secrets"):
            Webhook(settings, tools)
    one_minute = Webhook({"secrets": SECRET, "tolerance_seconds": 60}, tools)
    with pytest.raises(SenderRefused, match="60 are allowed"):
        one_minute.receive(hook(signed(at=NOW - timedelta(seconds=61))))


@pytest.fixture
def tools() -> Tools:
    import requests

    return Tools(connection="w", session=requests.Session(), now=lambda: NOW, country="ES", public_url="http://hub")
