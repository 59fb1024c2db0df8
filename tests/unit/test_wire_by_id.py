"""A pull by ascending id: what its cursors and watermarks tell, and what they refuse."""

from __future__ import annotations

import datetime as dt

import pytest

from connectors.wire.by_id import OVERLAP, many, moment, number_of, place_of
from hub.errors import Rejected

BEGAN = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
LATER = BEGAN + dt.timedelta(hours=1)


def test_a_pull_begins_at_the_begin() -> None:
    place = place_of(None, BEGAN)
    assert (place.last, number_of(place), place.began) == ("", 0, BEGAN)


@pytest.mark.parametrize("last", ["17", 17, "a0B-x"])
def test_a_cursor_leads_back_to_its_place_and_keeps_when_the_pull_began(last: object) -> None:
    cursor = place_of(None, BEGAN).cursor(last)
    assert place_of(cursor, LATER) == (str(last), BEGAN)


def test_the_next_pull_reads_again_what_changed_just_before() -> None:
    assert moment(place_of(None, BEGAN).watermark) == BEGAN - OVERLAP < BEGAN


def test_a_moment_without_a_zone_is_utc() -> None:
    assert moment("2026-11-23T10:00:00") == BEGAN


def test_a_pull_begins_by_the_clock_that_is_behind() -> None:
    place = place_of(None, LATER)
    assert place.not_after(BEGAN).began == BEGAN
    assert place.not_after(LATER + OVERLAP).began == place.not_after(None).began == LATER


@pytest.mark.parametrize("cursor", ["", "17", "17 yesterday", " 2026-11-23T10:00:00+00:00"])
def test_a_cursor_of_nobody_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="of this connector"):
        place_of(cursor, BEGAN)


@pytest.mark.parametrize("last", ["x", "-1", "1 or 1=1", "٣", "²"])
def test_an_id_that_is_no_number_is_refused(last: str) -> None:
    with pytest.raises(Rejected, match="is no id"):
        number_of(place_of(None, BEGAN)._replace(last=last))


def test_a_condition_has_one_value_or_many() -> None:
    assert (many("a"), many(["a", "b"]), many(("a",)), many(None)) == (["a"], ["a", "b"], ["a"], [None])
