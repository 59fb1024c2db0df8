"""What a vendor's answer may be: JSON as it should be, or one clear error whatever it is instead."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

import pytest
import requests

from connectors.wire.answers import LONGEST_WAIT, json_of, object_of, parsed, retry_after
from hub.clock import now
from hub.errors import Unavailable, UnknownOutcome


def answer(body: bytes = b"", **headers: str) -> requests.Response:
    """An answer with status 200."""
    made = requests.Response()
    made.status_code = 200
    made._content = body
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize(("text", "value"), [("1e308", 1e308), ("-0.5", -0.5), ('{"a": [1, null]}', {"a": [1, None]})])
def test_what_is_json(text: str, value: Any) -> None:
    assert parsed(text) == value


HOSTILE = {
    "deep": b"[" * 100_000,
    "deep and whole": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no number": b'{"a": NaN}',
    "endless": b'{"a": -Infinity}',
    "too large": b'{"a": 1e999}',
    "too long": b'{"a": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\xfe\x00{",
    "crowded": b"[" + b"[]," * 2_100_000 + b"0]",
    "half": b'{"a": [1, 2',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_none_is_one_clear_error(body: bytes) -> None:
    with pytest.raises(Unavailable, match=r"^Acme answers 200 with no type that cannot be read as JSON$"):
        json_of(answer(body), "Acme", changes=False)
    with pytest.raises(UnknownOutcome):
        json_of(answer(body), "Acme", changes=True)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5"])
def test_an_object_is_asked_for(body: bytes) -> None:
    with pytest.raises(UnknownOutcome, match="no object"):
        object_of(answer(body), "Acme", changes=True)
    assert object_of(answer(b"{}"), "Acme", changes=True) == {}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("9" * 400, LONGEST_WAIT),
        ("Wed, 21 Oct 9999 07:28:00 GMT", LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Wed, 99 Foo 99999 99:99:99 GMT", None),
        ("\xb3", None),
        ("-1", None),
        ("soon", None),
    ],
)
def test_when_to_come_again(said: str, seconds: float | None) -> None:
    assert retry_after(answer(Retry_After=said, Date=format_datetime(now(), usegmt=True))) == seconds
