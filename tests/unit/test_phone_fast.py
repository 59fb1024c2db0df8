"""The fast road of phone numbers says what libphonenumber says, or nothing, for every country and every way of writing."""

from __future__ import annotations

import random

import phonenumbers
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat

from hub.phone_patterns import plain_e164

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
EXAMPLES = {
    region: [
        phonenumbers.national_significant_number(example)
        for kind in range(11)
        if (example := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    for region in REGIONS
}
ODD_ENDINGS = (" x123", "#", "/5", ",,12", " ext 5", "*", "o", "٣", ";ext=7", "+", "-", " ")


def the_library(raw: str, country: str) -> str | None:
    """What libphonenumber itself makes of it."""
    try:
        number = phonenumbers.parse(raw, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def written(rng: random.Random) -> tuple[str, str]:
    """A number of some country as somebody might have typed it, and the country it was typed in."""
    region = rng.choice(REGIONS)
    typed_in = rng.choice([region, region, region, rng.choice(REGIONS), "ZZ", "", region.lower()])
    number = rng.choice(EXAMPLES[region])
    shape = rng.random()
    if shape < 0.5:
        kept = rng.randrange(len(number))
        number = number[:kept] + "".join(rng.choice("0123456789") for _ in number[kept:])
    elif shape < 0.6:
        number = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 16)))
    elif shape < 0.7:
        number += rng.choice("0123456789") * rng.randrange(1, 4)
    elif shape < 0.75:
        number = number[:-1]
    code = str(phonenumbers.country_code_for_region(region))
    metadata = PhoneMetadata.metadata_for_region(region, None)
    trunk = (metadata.national_prefix if metadata else None) or ""
    abroad = rng.choice(["00", "011", "810", "0011", "001"])
    forms = [f"+{code}{number}", f"+{code}(0){number}", f"(+{code}){number}", f"00{code}{number}", f"0{number}", number]
    forms += [trunk + number, code + number, code + trunk + number, abroad + code + number]
    typed = rng.choice(forms)
    if rng.random() < 0.6:
        typed = "".join(c + (rng.choice(" -./)([]\u00a0") if rng.random() < 0.25 else "") for c in typed)
    if rng.random() < 0.05:
        typed += rng.choice(ODD_ENDINGS)
    return typed, typed_in


def test_it_agrees_with_the_library_on_every_country() -> None:
    rng = random.Random(20261123)
    valid = answered = 0
    for _ in range(60_000):
        typed, country = written(rng)
        truth = the_library(typed, country)
        fast = plain_e164(typed, country)
        assert fast is None or fast == truth, (typed, country, fast, truth)
        valid += truth is not None
        answered += fast is not None
    assert answered > 0.9 * valid  # else it would be no fast road


@settings(max_examples=1500, deadline=None)
@given(st.text(alphabet="+0123456789 -.()/[]#x,;٣", max_size=24), st.sampled_from([*REGIONS, "", "ZZ", "001"]))
def test_it_never_contradicts_the_library(raw: str, country: str) -> None:
    fast = plain_e164(raw, country)
    assert fast is None or fast == the_library(raw, country)


def test_every_example_of_every_country_in_every_form() -> None:
    for region, numbers in EXAMPLES.items():
        for number in numbers:
            parsed = phonenumbers.parse(f"+{phonenumbers.country_code_for_region(region)}{number}")
            for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL):
                typed = phonenumbers.format_number(parsed, form)
                fast = plain_e164(typed, region)
                assert fast is None or fast == the_library(typed, region), (typed, region)
