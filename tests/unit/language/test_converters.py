"""Converters: what they make of good values, and what they say of others."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.language.converters import CONVERTERS, Unfit
from hub.language.html_text import html_to_text, text_to_html

MADRID = ZoneInfo("Europe/Madrid")
SYDNEY = ZoneInfo("Australia/Sydney")


def convert(name: str, value: Any, *more: Any) -> Any:
    return CONVERTERS[name].run(value, *more)


@pytest.mark.parametrize(
    ("name", "value", "made"),
    [
        ("text", "a", "a"),
        ("text", 184.0, "184"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", 0, "0"),
        ("trim", "  a b \n", "a b"),
        ("lower", "ÀB", "àb"),
        ("upper", "ñ", "Ñ"),
        ("upper", 5, "5"),
        ("integer", 184, 184),
        ("integer", 184.49, 184),
        ("integer", 184.5, 185),
        ("integer", 2.5, 3),
        ("integer", -0.5, 0),
        ("integer", "184", 184),
        ("integer", "1e3", 1000),
        ("integer", "12345678901234567", 12345678901234567),
        ("decimal", "12.50", 12.5),
        ("decimal", 3, 3.0),
        ("decimal", "0.1", 0.1),
        ("minutes", 0, 0),
        ("minutes", 1, 1),
        ("minutes", 60, 1),
        ("minutes", 60.0001, 1),
        ("minutes", 60.5, 2),
        ("minutes", "61", 2),
        ("minutes", 3600.0, 60),
        ("boolean", True, True),
        ("boolean", "Yes", True),
        ("boolean", " on ", True),
        ("boolean", 1, True),
        ("boolean", "0", False),
        ("boolean", "FALSE", False),
        ("boolean", "no", False),
        ("first_name", "Ada Lovelace", "Ada"),
        ("last_name", "Ada Lovelace", "Lovelace"),
        ("last_name", "Cher", "Cher"),
        ("first_name", "Cher", ""),
        ("last_name", "Ludwig van Beethoven", "van Beethoven"),
        ("first_name", "Lovelace, Ada", "Ada"),
        ("last_name", "García Lorca, Federico", "García Lorca"),
        ("first_name", "Ludwig van Beethoven", "Ludwig"),
        ("first_name", "  Juan   Carlos  de la Cruz ", "Juan Carlos"),
        ("last_name", "  ", ""),
        ("last_name", "de Gaulle", "Gaulle"),
        ("json", {"a": [1, "é"]}, '{"a":[1,"é"]}'),
    ],
)
def test_values(name: str, value: Any, made: Any) -> None:
    got = convert(name, value)
    assert got == made and type(got) is type(made)


@pytest.mark.parametrize(
    ("value", "zone", "day", "moment"),
    [
        ("2026-03-02T23:30:00Z", MADRID, "2026-03-03", "2026-03-03T00:30:00+01:00"),
        ("2026-07-02T22:30:00+00:00", MADRID, "2026-07-03", "2026-07-03T00:30:00+02:00"),
        ("2026-03-02T23:30:00.250Z", MADRID, "2026-03-03", "2026-03-03T00:30:00.250000+01:00"),
        # the hour that comes twice in autumn, the hour that spring leaves out
        ("2026-10-25T00:30:00Z", MADRID, "2026-10-25", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T01:30:00Z", MADRID, "2026-10-25", "2026-10-25T02:30:00+01:00"),
        ("2026-03-29T02:30:00", MADRID, "2026-03-29", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T00:59:59Z", MADRID, "2026-03-29", "2026-03-29T01:59:59+01:00"),
        ("2026-03-29T01:00:00Z", MADRID, "2026-03-29", "2026-03-29T03:00:00+02:00"),
        ("2026-03-02T13:30:00Z", SYDNEY, "2026-03-03", "2026-03-03T00:30:00+11:00"),
        ("2026-03-02T10:00:00", MADRID, "2026-03-02", "2026-03-02T10:00:00+01:00"),
        ("2026-03-02", SYDNEY, "2026-03-02", "2026-03-02T00:00:00+11:00"),
    ],
)
def test_times(value: str, zone: ZoneInfo, day: str, moment: str) -> None:
    assert convert("date", value, zone) == day
    assert convert("datetime", value, zone) == moment
    assert datetime.fromisoformat(moment).utcoffset() is not None


@pytest.mark.parametrize(
    ("name", "value", "country", "made"),
    [
        ("e164", "612 34 56 78", "ES", "+34612345678"),
        ("e164", "+33 1 42 68 53 00", "ES", "+33142685300"),
        ("e164", "01 42 68 53 00", "FR", "+33142685300"),
        ("e164", 612345678, "ES", "+34612345678"),
        ("e164", "anonymous", "ES", None),
        ("national", "+34612345678", "FR", "612 34 56 78"),
        ("national", "Restricted", "", None),
    ],
)
def test_numbers(name: str, value: Any, country: str, made: str | None) -> None:
    assert convert(name, value, country) == made


@pytest.mark.parametrize(
    ("name", "value", "more", "says"),
    [
        ("integer", "abc", (), "a text of 3 characters is not a number such as 184"),
        ("integer", "12,5", (), "is not a number"),
        ("integer", True, (), "true or false is not a number"),
        ("integer", [1], (), "a list of 1 is not a number"),
        ("integer", "1" * 50, (), "is not a number"),
        ("integer", "inf", (), "is not a number"),
        ("integer", float("nan"), (), "is not a number"),
        ("decimal", "1_0", (), "is not a number"),
        ("decimal", "1234567890.1234567", (), "at most 15 digits"),
        ("minutes", -1, (), "from 0 up"),
        ("boolean", "perhaps", (), "is not true or false"),
        ("boolean", 2, (), "true or false"),
        ("boolean", 1.0, (), "a number is not true or false"),
        ("text", {"a": 1}, (), "a group of values is not one text"),
        ("trim", ["a"], (), "a list of 1"),
        ("date", "02/03/2026", (MADRID,), "a text of 10 characters is not a date"),
        ("date", 20260302, (MADRID,), "a number is not a time"),
        ("date", "2026-02-30", (MADRID,), "is not a date such as"),
        ("datetime", "2026-03-02T25:00:00Z", (MADRID,), "is not a time"),
        ("datetime", "9999-12-31T23:59:59Z", (MADRID,), "is not a time"),
        ("datetime", "20260302T100000Z", (MADRID,), "is not a time"),
        ("date", "yesterday..", (MADRID,), "is not a time"),
        ("e164", "12", ("ES",), "by the rules of ES"),
        ("e164", "612345678", ("",), "write it with +"),
        ("e164", {"a": 1}, ("ES",), "a group of values is not a phone number"),
        ("national", "204", ("ES",), "is not a phone number"),
        ("html_to_text", "x" * 200_001, (), "at most 200000"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_by_its_kind(name: str, value: Any, more: Any, says: str) -> None:
    with pytest.raises(Unfit) as refused:
        convert(name, value, *more)
    assert says in str(refused.value)
    if isinstance(value, str):
        assert value not in str(refused.value), "the value itself may be personal"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: value is not None)


@given(st.sampled_from(sorted(CONVERTERS)), ANYTHING)
def test_any_value_is_converted_or_unfit(name: str, value: Any) -> None:
    more = {"zone": (MADRID,), "country": ("ES",), "": ()}[CONVERTERS[name].needs]
    try:
        made = convert(name, value, *more)
    except Unfit:
        return
    kinds = {"text": str, "integer": int, "decimal": float, "boolean": bool, "date": str, "datetime": str}
    assert made is None or type(made) is kinds[CONVERTERS[name].gives]


# --- HTML ----------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello&nbsp;<b>World</b></p><p>Second</p>", "Hello World\n\nSecond"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a<br><br><br>b", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("x<ul><li>one</ul>y", "x\n\n- one\n\ny"),
        ('See <a href="https://x.example/y">here</a>.', "See here (https://x.example/y)."),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@b.c">a@b.c</a> <a href="mailto:a@b.c">mail</a>', "a@b.c mail (a@b.c)"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://x.example"></a>', "https://x.example"),
        ("<script>alert(1)</script>a<style>b{}</style>", "a"),
        ("<head><title>t</title></head><body>b</body>", "b"),
        ("a<!-- b --><b>c</b>", "ac"),
        ("a<!-- never closed <p>b</p>", "a"),
        ("a<!-<!-- x -->- b", "a<!-- b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
        ("&lt;b&gt; &amp; &#233; &unknown;", "<b> & é &unknown;"),
        ("<p>  many \n\n  spaces </p>", "many spaces"),
        ("<h1>T</h1>text", "T\n\ntext"),
        ('<img alt="Logo" src="x">', "Logo"),
        ('<p title="a > b">x</p>', "x"),
        ("<a href=https://x.example/?a=1&amp;b=2>x</a>", "x (https://x.example/?a=1&b=2)"),
        ("<!DOCTYPE html><?xml?>x", "x"),
        ("<a b", "<a b"),
        ("plain", "plain"),
        ("", ""),
        ("<p></p><p></p>", ""),
        ("</p></div>a</a>", "a"),
        ("<b>a</b><i>b</i> c", "ab c"),
    ],
)
def test_html_to_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        "<!",
        "<!--",
        "<a ",
        "<a href='",
        "</",
        "</a",
        "<?",
        "<![CDATA[",
        "&",
        "&#",
        "<",
        "<div>",
        "<!doctype ",
        "<!doctype [",
        "<a\n",
        "<a b=c ",
        "<br>",
        "<a href='http://x'>y",
        "<pre>",
        "<textarea>",
        "<script></scrip",
        "<style>",
        "<title>",
        "--><!--",
        "<p>x",
        """<a "<a" """,
        """<a '<a' b""",
        '<a "' + "<a" * 900 + '" ',
        "<a b='>' ",
        "<a/",
        '<a ="',
        "<p title=it's>",
        """<a "=' " >""",
        "<a href='",
    ],
)
def test_hostile_html_ends_soon(piece: str) -> None:
    began = time.thread_time()
    html_to_text(piece * (200_000 // len(piece)))
    assert time.thread_time() - began < 2


@given(st.text(alphabet=st.sampled_from("ab <>/&;\n\r\t'\"é"), max_size=60))
def test_text_to_html_and_back(text: str) -> None:
    lines = [" ".join(line.split()) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    assert html_to_text(text_to_html(text)).split() == " ".join(lines).split()
    assert "<a" not in text_to_html(text) and "<b>" not in text_to_html(text)
