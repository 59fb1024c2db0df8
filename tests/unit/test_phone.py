"""Numbers are read as people type them, and never guessed."""

from __future__ import annotations

import pytest

from hub.phone import country_of, e164, is_extension, is_withheld, national


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("+34 612 34 56 78", "FR", "+34612345678"),
        ("612345678", "ES", "+34612345678"),
        ("0034 612345678", "ES", "+34612345678"),
        ("+44 (0)20 7946 0958", "ES", "+442079460958"),
        ("91/123.45.67", "ES", "+34911234567"),
        ("sip:+34612345678@example.com;user=phone", "ES", "+34612345678"),
        ("01 42 68 53 00", "FR", "+33142685300"),
        ("1234", "ES", None),
        ("call me", "ES", None),
        ("+34 999", "ES", None),
    ],
)
def test_e164(raw: str, country: str, expected: str | None) -> None:
    assert e164(raw, country) == expected


def test_a_withheld_number_is_no_number() -> None:
    assert all(
        is_withheld(raw)
        for raw in (None, "", "anonymous", "Restricted", "sip:anonymous@anonymous.invalid", "+266696687")
    )
    assert not is_withheld("+34612345678")


def test_extensions() -> None:
    assert is_extension("2001")
    assert not is_extension("+34612345678")


def test_national_form_and_country() -> None:
    assert national("+34612345678", "ES") == "612 34 56 78"
    assert country_of("+33142685300") == "FR"
