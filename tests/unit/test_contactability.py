"""One decision, fail-closed, that says why."""

from __future__ import annotations

from typing import Any

import pytest

from hub.flow.lists.contactability import contactable, is_no, is_yes

PHONE = "+34612345678"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"consent": "Yes"}, None),
        ({"do_not_call": "0"}, None),
        ({"do_not_call": None}, None),
        ({"written": None, "phone": None}, "no number"),
        ({"written": "  ", "phone": None}, "no number"),
        ({"written": "call me", "phone": None}, "unusable number"),
        ({"own": True}, "own number"),
        ({"suppressed": True}, "do not call"),
        ({"do_not_call": True}, "do not call"),
        ({"do_not_call": "x"}, "do not call"),
        ({"do_not_call": "perhaps"}, "do not call"),
        ({"consent": None}, "no consent"),
        ({"consent": False}, "no consent"),
        ({"consent": ""}, "no consent"),
        ({"consent": "unknown"}, "no consent"),
        ({"consent": 2}, "no consent"),
        # The first reason counts: an opt-out is told before a consent that is missing.
        ({"suppressed": True, "consent": None}, "do not call"),
    ],
)
def test_may_this_number_be_called(given: dict[str, Any], reason: str | None) -> None:
    asked = {"written": PHONE, "phone": PHONE, "suppressed": False, "do_not_call": False, "consent": True} | given
    verdict = contactable(asked.pop("written"), asked.pop("phone"), **asked)
    assert (verdict.allowed, verdict.reason) == (reason is None, reason)


def test_an_opt_out_outweighs_what_the_crm_says_later() -> None:
    assert not contactable(PHONE, PHONE, suppressed=True, do_not_call=False, consent=True).allowed


@pytest.mark.parametrize("flag", [True, "true", "YES", " y ", "1", 1, "on"])
def test_a_clear_yes(flag: object) -> None:
    assert is_yes(flag)
    assert not is_no(flag)


@pytest.mark.parametrize("flag", [False, "false", "No", "n", "0", 0, "off"])
def test_a_clear_no(flag: object) -> None:
    assert is_no(flag)
    assert not is_yes(flag)


@pytest.mark.parametrize("flag", ["maybe", "2", 2, [], {}, "ja?"])
def test_what_is_unclear_is_neither(flag: object) -> None:
    assert not is_yes(flag)
    assert not is_no(flag)
