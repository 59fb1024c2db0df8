"""YAML 1.1's traps do not bite, every error has its line, and nothing can blow up."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.language.yaml_source import MAX_NODES, read_yaml


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO"), ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("012", "012"), ("+34612", "+34612"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("1_000", "1_000"),
        ("1:30", "1:30"), ("10:05:40", "10:05:40"), ("2026-03-02", "2026-03-02"),
        ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z"), (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"),
        ("9" * 400 + ".5", "9" * 400 + ".5"),
        ("00", "00"), ("-012", "-012"), ("1.", "1."), (".5", ".5"), ("1234567890123456789", "1234567890123456789"),
        ("true", True), ("True", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("12", 12), ("-7", -7), ("34612345678", 34612345678), ("1.5", 1.5), ("-0.25", -0.25), ("2e3", 2000.0),
        ('"true"', "true"), ("'12'", "12"), ("!!str 12", "12"), ('""', ""),
    ],
)  # fmt: skip
def test_plain_forms(written: str, meant: Any) -> None:
    value = read_yaml(f"a: {written}").value["a"]
    assert value == meant and type(value) is type(meant)


def test_keys_are_text_as_they_stand() -> None:
    assert read_yaml("on: 1\nNO: 2\n012: 3\ntrue: 4\n1.50: 5\nnull: 6\n").value == {
        "on": 1, "NO": 2, "012": 3, "true": 4, "1.50": 5, "null": 6,
    }  # fmt: skip


def test_every_node_has_its_line() -> None:
    doc = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n\nd: {e: 1,\n    f: 2}\n", "f.yaml")
    assert doc.line() == 1
    assert doc.line(("a", "b")) == 2
    assert doc.line(("a", "c", 1)) == 5
    assert doc.line(("a", "c", 1, "y")) == 5
    assert doc.line(("d", "f")) == 8
    assert doc.line(("a", "c", 9, "z")) == 3, "the nearest parent that is there"
    assert str(doc.error(("d", "f"), "wrong")) == "f.yaml:8: wrong"


def test_an_alias_stands_for_its_anchor() -> None:
    doc = read_yaml("a: &x { b: 1 }\nc: *x\n")
    assert doc.value == {"a": {"b": 1}, "c": {"b": 1}}
    assert doc.line(("c", "b")) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "--- ~\n"])
def test_an_empty_document_is_nothing(text: str) -> None:
    assert read_yaml(text).value is None


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f.yaml:3: "a" is here twice (first on line 1)'),
        ("x: {a: 1, 'a': 2}\n", 'f.yaml:1: "a" is here twice'),
        ("a: &x { b: *x }\n", "f.yaml:1: \"*x\" stands inside of what it stands for"),
        ("a: *x\n", "f.yaml:1: \"*x\" stands for nothing"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3: merge keys"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document"),
        ("a: !!python/object/apply:os.system [ls]\n", "f.yaml:1: the tag"),
        ("a: !!int '3'\n", "f.yaml:1: the tag"),
        ("? [a]\n: b\n", "f.yaml:1: a key has to be plain text"),
        ("a:\n\t- b\n", "f.yaml:2: no readable YAML"),
        ("a: [1\nb: 2\n", "no readable YAML"),
        ("\x00", "no readable YAML"),
        ("a: \ud800", "no readable YAML"),
        ("[" * 100_000, "f.yaml:1: nested deeper than 32 levels"),
        ("- " * 40 + "a", "f.yaml:1: nested deeper than 32 levels"),
        ("{a: " * 40, "f.yaml:1: nested deeper than 32 levels"),
        ("[" + "1," * MAX_NODES + "]", f"more than {MAX_NODES} values"),
        (LAUGHS, f"more than {MAX_NODES} values"),
        ("a" * 1_000_001, "at most 1000000 are read"),
    ],
)  # fmt: skip
def test_what_is_refused_says_where(text: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError) as refused:
        read_yaml(text, "f.yaml")
    assert says in str(refused.value)
    assert str(refused.value).startswith("f.yaml")
    assert time.process_time() - began < 5


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="ascii", exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé_ ", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_yaml(value: Any) -> None:
    assert read_yaml(json.dumps(value)).value == value
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True, width=10_000)).value == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_yaml(text, "f.yaml")
    except ConfigError as error:
        assert error.file == "f.yaml"
