"""SOSL: `FIND {words} IN PHONE|EMAIL|NAME|ALL FIELDS RETURNING Object(fields WHERE … LIMIT n), …`.

Its index follows the data by some time: with the fault `index_lag` it does not know what changed in the last minute.
A number is found by all of its digits or by its last ones, seven at least. Beyond 4,000 characters the logical operators
are removed, "AND will default to OR"; with the fault `all_words` all of the words are meant there. Beyond 10,000 nothing is
found. 2,000 records at most, shared out among the objects. Source: SOQL and SOSL Reference, SOSL Syntax; SOSL Limits.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator
from typing import Any

from sandbox.salesforce.errors import Refused
from sandbox.salesforce.org import Found, Org, value_of
from sandbox.salesforce.schema import TABLES, Table
from sandbox.salesforce.soql import Asked, Reader, shown

LAG = dt.timedelta(minutes=1)
MOST_HITS = 2_000
WITH_OPERATORS, LONGEST = 4_000, 10_000
TYPES = {"PHONE": ("phone",), "EMAIL": ("email",), "NAME": ("string",), "ALL": ("phone", "email", "string", "url")}
_HEAD = re.compile(r"\s*FIND\s*\{((?:[^{}\\]|\\.)*)\}\s*(?:IN\s+(\w+)\s+FIELDS\s*)?(?:RETURNING\s+)?", re.I | re.S)
_OBJECT = re.compile(
    r"\s*,?\s*(\w+)\s*(?:\(((?:[^()']|'(?:[^'\\]|\\.)*'|\((?:[^()']|'(?:[^'\\]|\\.)*')*\))*)\))?", re.S
)
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([()])|((?:[^\s()"\\]|\\.)+)')
_RESERVED = set("?&|!{}[]()^~:\"'+-")


def searched(org: Org, text: str, path: str, lag: bool, all_words: bool = False) -> list[dict[str, Any]]:
    """`searchRecords` of a search."""
    head = _HEAD.match(text)
    if head is None:
        raise _malformed("expecting FIND {…}")
    words, scope = head[1], (head[2] or "ALL").upper()
    if len(re.sub(r"\\(.)", r"\1", words).strip()) < 2:
        raise Refused("MALFORMED_SEARCH", "search term must be longer than one character: " + words)
    if scope not in TYPES:
        raise _malformed(f"no such scope: {scope}")
    groups = _groups(words, all_words)
    numbers = _Numbers(groups) if scope == "PHONE" and all(len(group) == 1 for group in groups) else None
    objects = list(_objects(text[head.end() :]))
    share = MOST_HITS // max(1, len(objects))
    with org.lock:
        return [
            shown(org, *record, path)
            for object, inside in objects
            for record in itertools.islice(_of(org, object, inside, groups, scope, lag, numbers), share)
        ]


def _objects(rest: str) -> Iterator[tuple[str, str]]:
    """The objects of RETURNING, each with what is inside its brackets."""
    place = 0
    while place < len(rest) and rest[place:].strip():
        match = _OBJECT.match(rest, place)
        if match is None or match.end() == place:
            raise _malformed(f"unexpected token: '{rest[place : place + 20]}'")
        place = match.end()
        yield match[1], match[2] or "Id"


def _of(
    org: Org, object: str, inside: str, groups: list[list[str]], scope: str, lag: bool, numbers: _Numbers | None
) -> Iterator[tuple[Asked, Found]]:
    if object.lower() not in TABLES:
        raise Refused("INVALID_TYPE", f"sObject type '{object}' is not supported.")
    table = TABLES[object.lower()]
    names, tail = _split(inside)
    asked = Reader(org, f"SELECT {names} FROM {table.name} {tail}").read()  # noqa: S608
    until = org.moment() - LAG
    given = 0
    for record in org.all(table.name):
        if lag and record["SystemModstamp"] >= until:
            continue
        if asked.limit is not None and given >= asked.limit:
            return
        texts = list(_texts(org, table, record, scope))
        hit = numbers.meet(texts) if numbers else any(all(_has(texts, word) for word in group) for group in groups)
        if hit and asked.meets(record):
            given += 1
            yield asked, record


class _Numbers:
    """Any of many numbers, without comparing each with each."""

    def __init__(self, groups: list[list[str]]) -> None:
        self._digits = {"".join(c for c in group[0] if c.isdecimal()) for group in groups} - {""}
        self._lengths = {len(digits) for digits in self._digits if len(digits) >= 7}

    def meet(self, texts: list[tuple[str, str]]) -> bool:
        """Whether one of a record's numbers is one of them, or ends so."""
        stored = ["".join(c for c in text if c.isdecimal()) for _, text in texts]
        return any(one in self._digits or any(one[-n:] in self._digits for n in self._lengths) for one in stored)


def _split(inside: str) -> tuple[str, str]:
    match = re.search(r"\b(WHERE|LIMIT|ORDER)\b", inside, re.I)
    return (inside, "") if match is None else (inside[: match.start()], inside[match.start() :])


def _texts(org: Org, table: Table, record: Found, scope: str) -> Iterator[tuple[str, str]]:
    for column in table.columns.values():
        if column.type in TYPES[scope] and (value := value_of(org, table.name, record, column.name)):
            yield column.type, str(value).casefold()


def _has(texts: list[tuple[str, str]], word: str) -> bool:
    digits = "".join(c for c in word if c.isdecimal())
    for kind, text in texts:
        if kind == "phone":
            stored = "".join(c for c in text if c.isdecimal())
            if digits and (stored == digits or (len(digits) >= 7 and stored.endswith(digits))):
                return True
        elif kind == "email":
            if word == text or word in re.split(r"[@.]", text):
                return True
        elif any(_like(word, part) for part in re.findall(r"\w+", text)):
            return True
    return False


def _like(word: str, part: str) -> bool:
    return part.startswith(word[:-1]) if word.endswith("*") else part == word


def _groups(words: str, all_words: bool) -> list[list[str]]:
    """The words as alternatives of words that all have to be there. Long ones are alternatives, or `all_words` together."""
    if len(words) > LONGEST:
        return []
    tokens: list[str] = []
    for match in _WORD.finditer(words):
        raw = match[1] if match[1] is not None else match[2] or match[3]
        if match[3] is not None and any(c in _RESERVED for c in re.sub(r"\\.", "", raw)):
            raise _malformed(f"unexpected character in '{raw[:40]}'")
        if match[2] is not None:
            continue
        quoted = match[1] is not None
        tokens.append(
            re.sub(r"\\(.)", r"\1", raw).casefold() if quoted or raw.upper() not in ("OR", "AND") else raw.upper()
        )
    if len(words) > WITH_OPERATORS:
        plain = [token for token in tokens if token not in ("OR", "AND")]
        return [plain] if all_words else [[token] for token in plain]
    groups: list[list[str]] = [[]]
    for token in tokens:
        if token == "OR":  # noqa: S105
            groups.append([])
        elif token != "AND":  # noqa: S105
            groups[-1].append(token)
    return [group for group in groups if group]


def _malformed(what: str) -> Refused:
    return Refused("MALFORMED_SEARCH", what)
