"""An answer that refuses and repeats what we proved ourselves with."""

from __future__ import annotations

import base64

import pytest

from hub.contract import Manifest, Setting
from hub.echo import without_proofs

KEY = 's3cret"/+key'
BASIC = base64.b64encode(b"patchbay:pass w\xc3\xb6rd").decode()


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Authorization": "Bearer t0ken-of-ours"}, "the token t0ken-of-ours is not known"),
        ({"Authorization": "Bearer t0ken-of-ours"}, "Bearer t0ken-of-ours"),
        ({"Authorization": f"Basic {BASIC}".encode()}, f"who is {BASIC}?"),
        ({"Authorization": f"Basic {BASIC}"}, "patchbay may not sign in with pass wörd"),
        ({"X-House-Key": "house-key-1"}, "no such key: house-key-1"),
        ({}, "s3cret\\\"/+key"),
        ({}, r"s3cret\"\/+key"),
        ({}, "<faultstring>s3cret&quot;/+key</faultstring>"),
        ({}, "/sign-in?key=s3cret%22%2F%2Bkey"),
    ],
)  # fmt: skip
def test_what_proves_us_is_left_out(headers: dict[str, str | bytes], said: str) -> None:
    left = without_proofs(f'{{"error": "{said}"}}'.encode(), headers, [KEY]).decode()
    assert "***" in left and not any(one in left for one in ("t0ken-of", BASIC, "pass wörd", "house-key", "s3cret"))


def test_what_proves_nothing_stays() -> None:
    headers: dict[str, str | bytes] = {
        "Content-Type": "application/json",
        "X-Short": "true",
        "Idempotency-Key": "call-4711",
        "SOAPAction": "urn:contact:insert",
        "Authorization": "Basic ???",
    }
    body = b'{"error": "application/json is true, ??? is short, urn:contact:insert failed on call-4711"}'
    assert without_proofs(body, headers, ["abc", ""]) == body


def test_what_of_the_settings_is_secret() -> None:
    settings = (Setting(name="url", about=""), Setting(name="key", about="", kind="secret"),
                Setting(name="old", about="", kind="secrets"), Setting(name="none", about="", kind="secret"))  # fmt: skip
    manifest = Manifest(name="acme", title="", about="", family="crm", settings=settings)
    assert manifest.secrets({"url": "u", "key": "k", "old": ["a", "b"], "none": None}) == ("k", "a", "b")
    assert manifest.secrets({"old": "c"}) == ("c",)
