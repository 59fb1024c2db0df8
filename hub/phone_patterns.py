"""The fast road of `hub.phone.e164`: plainly written numbers read by libphonenumber's own patterns, compiled once.

It answers only where the library would give the same answer for certain: digits with the usual separators, a known country,
a prefix that needs no rewriting. For everything else it says None, and the library is asked.
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

_SEPARATORS = str.maketrans("", "", " -.()/[]\u00a0")
_LONGEST = 40  # with separators; what is longer is no plainly written number
_NEVER = re.compile(r"(?!)")
_ELSEWHERE = "001"  # the library's region for codes of no country, such as +800
_TYPES = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
          "fixed_line", "mobile")  # fmt: skip


class _Region(Struct, frozen=True):
    """How numbers are written within one region."""

    code: str  # the calling code
    general: re.Pattern[str]  # every number of the region
    lengths: frozenset[int]
    local_lengths: frozenset[int]  # possible only without the area code
    abroad: re.Pattern[str]  # what is dialled before a calling code
    trunk: re.Pattern[str]  # what is dialled before a national number
    rewrites: bool  # whether the trunk prefix does more than go away
    leading: re.Pattern[str] | None  # tells it from the other regions of its calling code
    kinds: dict[int, re.Pattern[str]]  # by length: the numbers that are given out

    def is_valid(self, number: str) -> bool:
        """Whether this national number is given out here."""
        kinds = self.kinds.get(len(number))
        return kinds is not None and kinds.fullmatch(number) is not None and self.general.fullmatch(number) is not None

    def without_trunk(self, number: str) -> str | None:
        """The national number without its trunk prefix; None where the library has to say."""
        prefix = self.trunk.match(number)
        if prefix is None:
            return number
        if self.rewrites:
            return None
        rest = number[prefix.end() :]
        if self.general.fullmatch(number) and not self.general.fullmatch(rest):
            return number
        return rest


def plain_e164(raw: str, country: str) -> str | None:
    """`raw` as E.164 if it is plainly written and certainly valid; None says nothing."""
    if len(raw) > _LONGEST:
        return None
    number = raw.translate(_SEPARATORS)
    if number[:1] == "+":
        number = number[1:]
        return _international(number) if number.isascii() and number.isdigit() else None
    if not (number.isascii() and number.isdigit() and country in SUPPORTED_REGIONS):
        return None
    return _national(number, _region(country))


def _national(number: str, region: _Region) -> str | None:
    abroad = region.abroad.match(number)
    if abroad is not None and number[abroad.end() : abroad.end() + 1] != "0":
        return _international(number[abroad.end() :])
    if number.startswith(region.code):  # perhaps a calling code without its plus
        rest = region.without_trunk(number[len(region.code) :])
        if rest is None:
            return None
        too_long = len(number) > max(region.lengths) and len(number) not in region.local_lengths
        if too_long or (region.general.fullmatch(rest) and not region.general.fullmatch(number)):
            return _valid(rest, region.code, _regions(region.code)[0])
    return _valid(number, region.code, region)


def _international(number: str) -> str | None:
    for width in (1, 2, 3):
        code = number[:width]
        regions = _regions(code)
        if regions:
            return _valid(number[width:], code, regions[0])
    return None


def _valid(number: str, code: str, written_in: _Region) -> str | None:
    significant = written_in.without_trunk(number)
    if significant is None or len(number) < 4:
        return None
    regions = _regions(code)
    for region in regions:
        if region.leading is not None and len(regions) > 1:
            if region.leading.match(significant):
                return f"+{code}{significant}" if region.is_valid(significant) else None
        elif region.is_valid(significant):
            return f"+{code}{significant}"
    return None


@cache
def _regions(code: str) -> tuple[_Region, ...]:
    """The regions of a calling code, the main one first; empty where it is none, or one of no country."""
    names = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ()) if code[:1] not in ("", "0") else ()
    return () if _ELSEWHERE in names else tuple(_region(name) for name in names)


@cache
def _region(name: str) -> _Region:
    data = PhoneMetadata.metadata_for_region(name, None)
    assert data is not None and data.general_desc is not None, name
    general = data.general_desc
    trunk = re.compile(data.national_prefix_for_parsing) if data.national_prefix_for_parsing else _NEVER
    lengths = frozenset(general.possible_length)
    return _Region(
        code=str(data.country_code),
        general=_pattern([general]),
        lengths=lengths,
        local_lengths=frozenset(general.possible_length_local_only),
        abroad=re.compile(data.international_prefix) if data.international_prefix else _NEVER,
        trunk=trunk,
        rewrites=bool(trunk.groups or data.national_prefix_transform_rule),
        leading=re.compile(data.leading_digits) if data.leading_digits is not None else None,
        kinds={length: _pattern(_kinds(data, length)) for length in lengths},
    )


def _kinds(data: PhoneMetadata, length: int) -> list[PhoneNumberDesc]:
    kinds = [getattr(data, kind) for kind in _TYPES]
    return [kind for kind in kinds if kind is not None and (not kind.possible_length or length in kind.possible_length)]


def _pattern(descriptions: list[PhoneNumberDesc]) -> re.Pattern[str]:
    patterns = [each.national_number_pattern for each in descriptions if each.national_number_pattern]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else _NEVER
