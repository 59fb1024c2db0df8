"""The live scenarios of what a CRM does (`write` is a platform's too): check, describe, links, find, write, pages."""

from __future__ import annotations

import base64
import binascii
import contextlib
import uuid
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from hub.errors import (
    ConnectorError,
    NotFound,
    NotPermitted,
    Then,
    Unsupported,
)
from hub.model import PERSON, Lookup, Query
from tests.contract.given import HOSTILE, UGLY, WILD, a_key, a_mail, a_number

# --- check, describe, links ----------------------------------------


def check_happy(peer: Any) -> None:
    who = peer.connector.check()
    assert who.user and who.system


def describe_happy(peer: Any) -> None:
    objects = peer.connector.objects()
    assert objects and len(set(objects)) == len(objects)
    for object in objects:
        described = peer.connector.describe(object)
        names = [field.name for field in described.fields]
        assert described.object == object and described.label and names and len(set(names)) == len(names)
        looked_at_only = described.creatable is False and described.changeable is False
        assert looked_at_only or any(field.writable for field in described.fields)


def describe_none(peer: Any) -> None:
    with pytest.raises((NotFound, Unsupported), match="no_such_object"):
        peer.connector.describe("no_such_object")


def links_happy(peer: Any) -> None:
    object = peer.connector.manifest.new_person or peer.connector.manifest.people[0]
    for kind, given in (("open", {"id": "42"}), ("search", {"fields": {"phone": "+34612345678"}}),
                        ("new", {"fields": {"phone": "+34612345678", "name": "Ada"}})):  # fmt: skip
        url = peer.connector.links(kind, object, **given)
        assert urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc, url
        assert "42" in url if kind == "open" else "34612345678" in url + told_within(url)


def told_within(url: str) -> str:
    """What a URL's fragment says where it is base64, as some CRMs' own search pages have it."""
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(urlsplit(url).fragment, validate=True).decode()
    return ""


def links_hostile(peer: Any) -> None:
    object = peer.connector.manifest.new_person or peer.connector.manifest.people[0]
    home = urlsplit(peer.connector.links("open", object, "1"))
    for value in (*HOSTILE.values(), "javascript:alert(1)", "//evil.example/", "../../x?a=b#c&d=e"):
        for url in (peer.connector.links("open", object, value), peer.connector.links("new", object, fields={"name": value}),
                    peer.connector.links("search", object, fields={"phone": value})):  # fmt: skip
            assert (urlsplit(url).scheme, urlsplit(url).netloc) == (home.scheme, home.netloc)
            assert not set(url) & set("<>\"' \n\r\t{}`\\") and url.isascii()


# --- find ----------------------------------------


def find_happy(peer: Any) -> None:
    number, mail = a_number(), a_mail()
    id = peer.person("Ada Lovelace", phone=f"{number[3:6]} {number[6:]}", email=mail)
    asked = [Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail.upper())]
    by_phone, by_mail = peer.connector.find(asked)
    assert [record.id for record in by_phone] == [record.id for record in by_mail] == [id]
    (record,) = by_phone
    assert record.title == "Ada Lovelace" and record.url and record.object in peer.connector.manifest.people
    assert record.match and record.match.field and number[6:] in record.match.value.replace(" ", "")
    again = peer.connector.find(
        [
            Lookup(record.object, "id", id),
            Lookup(record.object, "key", peer.key_of(id)),
            *asked,
            Lookup(PERSON, "id", id),
        ]
    )
    assert [[found.id for found in records] for records in again] == [[id]] * 5
    if hasattr(peer.connector, "describe"):  # what was written can be read back
        described = peer.connector.describe(record.object).fields
        names = [field.name for field in described if field.type == "text" and field.writable][:1]
        asked = [Lookup(record.object, "id", id, fields=tuple(names))]
        assert set(names) <= set(peer.connector.find(asked)[0][0].fields)


def find_none(peer: Any) -> None:
    assert list(peer.connector.find([])) == []
    asked = [Lookup(PERSON, "phone", a_number()), Lookup(PERSON, "email", a_mail()), Lookup(PERSON, "id", "999999999"),
             Lookup(PERSON, "key", f"none-{uuid.uuid4()}")]  # fmt: skip
    assert [list(records) for records in peer.connector.find(asked)] == [[], [], [], []]


def find_many(peer: Any) -> None:
    shared, own = a_number(), a_number()
    both = {peer.person("Ada", phone=shared), peer.person("Bea", phone=f"0034{shared[3:]}")}
    alone = peer.person("Cid", phone=own)
    one, none, two = peer.connector.find([Lookup(PERSON, "phone", own), Lookup(PERSON, "phone", a_number()),
                                          Lookup(PERSON, "phone", shared)])  # fmt: skip
    assert [record.id for record in one] == [alone] and list(none) == []
    assert {record.id for record in two} == both and len(two) == 2


def find_hostile(peer: Any) -> None:
    wild, number = f"o'b_r{uuid.uuid4().hex}@example.com", a_number()
    peer.person("Near", email=wild.replace("_", "x"))
    id = peer.person(UGLY, phone=number, email=wild)
    by_mail, by_number = peer.connector.find([Lookup(PERSON, "email", wild), Lookup(PERSON, "phone", number)])
    assert [(record.id, record.title) for record in (*by_mail, *by_number)] == [(id, UGLY)] * 2
    for value in (*HOSTILE.values(), *WILD, f"%{wild[3:]}", f"*{wild[3:]}"):
        asked = [Lookup(PERSON, by, value) for by in ("phone", "email", "key", "id")]
        asked += [Lookup(PERSON, "phone", f"{value[:30]}699999999"), Lookup(PERSON, "email", f"{value[:30]}@x.example")]
        assert [list(records) for records in peer.connector.find(asked)] == [[]] * 6, value


# --- write ----------------------------------------


def write_happy(peer: Any) -> None:
    key = a_key()
    (receipt,) = peer.connector.write(peer.target, [peer.row(key, "hello")])
    assert receipt.key == key and receipt.outcome == "created" and receipt.id and receipt.error is None
    assert peer.texts(key) == ["hello"]


def write_none(peer: Any) -> None:
    assert list(peer.connector.write(peer.target, [])) == []


def write_many(peer: Any) -> None:
    keys = [a_key() for _ in range(min(peer.connector.manifest.rows_per_call, 200))]
    receipts = peer.connector.write(peer.target, [peer.row(key, f"text {key}") for key in keys])
    assert [(receipt.key, receipt.outcome) for receipt in receipts] == [(key, "created") for key in keys]
    assert len({receipt.id for receipt in receipts}) == len(keys)
    assert [peer.texts(key) for key in (keys[0], keys[-1])] == [[f"text {keys[0]}"], [f"text {keys[-1]}"]]


def write_twice(peer: Any) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    first = peer.connector.write(peer.target, rows)
    doubted = [msgspec.structs.replace(row, in_doubt=True) for row in rows]
    second = peer.connector.write(peer.target, doubted)
    assert [receipt.outcome for receipt in first] == ["created"] * 3
    assert all(receipt.outcome in ("updated", "unchanged") for receipt in second)
    assert [receipt.id for receipt in second] == [receipt.id for receipt in first]
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]
    twin = peer.row(a_key(), "the same key twice in one call")
    assert peer.connector.write(peer.target, [twin, twin])[0].outcome == "created"
    assert peer.texts(twin.key) == ["the same key twice in one call"]


def write_changed(peer: Any) -> None:
    key, other = a_key(), a_key()
    peer.connector.write(peer.target, [peer.row(key, "before")])
    old, new = peer.connector.write(peer.target, [peer.row(key, "after"), peer.row(other, "new")])
    assert (old.outcome, new.outcome) == ("updated", "created")
    assert (peer.texts(key), peer.texts(other)) == (["after"], ["new"])


def write_half(peer: Any) -> None:
    rows = [peer.row(a_key(), "one"), peer.bad_row(a_key()), peer.row(a_key(), "two"), peer.row(a_key(), "three")]
    receipts = peer.connector.write(peer.target, rows)
    assert [receipt.outcome for receipt in receipts] == ["created", "failed", "created", "created"]
    error = receipts[1].error
    assert isinstance(error, ConnectorError) and error.then is Then.PARK and str(error)
    assert [len(peer.texts(row.key)) for row in rows] == [1, 0, 1, 1]


def write_removed(peer: Any) -> None:
    row = peer.row(a_key(), "soon gone")
    peer.connector.write(peer.target, [row])
    gone = msgspec.structs.replace(row, action="remove")
    assert [peer.connector.write(peer.target, [gone])[0].outcome for _ in range(2)] == ["removed", "unchanged"]
    assert peer.texts(row.key) == []


def write_hostile(peer: Any) -> None:
    rows = [peer.row(a_key() + text[:40], text) for text in HOSTILE.values()]
    receipts = peer.connector.write(peer.target, rows)
    for (what, text), row, receipt in zip(HOSTILE.items(), rows, receipts, strict=True):
        if receipt.outcome == "failed":  # a platform may refuse a text for its length, and says so
            assert isinstance(receipt.error, ConnectorError) and receipt.error.then is Then.PARK, what
            assert peer.texts(row.key) == [], what
        else:
            assert peer.texts(row.key) == [text], what
    again = peer.connector.write(peer.target, rows)
    assert [receipt.id for receipt in again] == [receipt.id for receipt in receipts]
    made = {row.key: receipt.id for row, receipt in zip(rows, receipts, strict=True) if receipt.outcome == "created"}
    if hasattr(peer.connector, "find"):
        lookups = [Lookup(peer.target.object, "key", key, key_field=peer.target.key) for key in made]
        with contextlib.suppress(NotPermitted, Unsupported):  # there are systems that let nobody search so, and say it
            found = peer.connector.find(lookups)
            assert [[record.id for record in records] for records in found] == [[id] for id in made.values()]
    beside, nul = peer.connector.write(peer.target, [peer.row(a_key(), "beside"), peer.row(a_key(), "nul \0 inside")])
    assert beside.outcome == "created" and (nul.outcome == "created" or isinstance(nul.error, ConnectorError))


# --- pages ----------------------------------------


def pages_happy(peer: Any) -> None:
    put = {peer.member(f"Member {n}") for n in range(3)}
    pages = list(peer.connector.pages(peer.query))
    rows = [row for page in pages for row in page.rows]
    ids = [row["id"] for row in rows]
    assert put <= set(ids) and len(set(ids)) == len(ids) and all(isinstance(id, str) for id in ids)
    assert pages[-1].cursor is None and bool(pages[-1].watermark) is not is_whole(peer)
    msgspec.json.encode(rows)  # a row goes through the store as JSON


def pages_none(peer: Any) -> None:
    query = msgspec.structs.replace(peer.query, where={name: f"none {uuid.uuid4()}" for name in peer.query.where})
    assert rows_of(peer, query) == []


def pages_many(peer: Any) -> None:
    put = {peer.member(f"Member {n}") for n in range(5)}
    small = msgspec.structs.replace(peer.query, size=2)
    first, second = ([row["id"] for page in peer.connector.pages(small) for row in page.rows] for _ in range(2))
    assert first == second and len(set(first)) == len(first) and put <= set(first)
    assert all(len(page.rows) <= 2 for page in peer.connector.pages(small))


def pages_resumed(peer: Any) -> None:
    for n in range(5):
        peer.member(f"Member {n}")
    small = msgspec.structs.replace(peer.query, size=2)
    whole = [row["id"] for page in peer.connector.pages(small) for row in page.rows]
    head = next(iter(peer.connector.pages(small)))
    tail = list(peer.connector.pages(msgspec.structs.replace(small, cursor=head.cursor)))
    assert [row["id"] for row in head.rows] + [row["id"] for page in tail for row in page.rows] == whole
    assert bool(tail[-1].watermark) is not is_whole(peer)


def pages_changed(peer: Any) -> None:
    stays, leaves = peer.member("Stays"), peer.member("Leaves")
    watermark = list(peer.connector.pages(peer.query))[-1].watermark
    joins = peer.member("Joins")
    peer.leave(leaves)
    if is_whole(peer):  # told anew each time, so that whoever is not seen has left
        assert watermark is None
        assert {joins, stays} <= (ids := {row["id"] for row in rows_of(peer, peer.query)}) and leaves not in ids
        return
    pages = list(peer.connector.pages(msgspec.structs.replace(peer.query, watermark=watermark)))
    ids = {row["id"] for page in pages for row in page.rows}
    removed = {id for page in pages for id in page.removed}
    assert joins in ids and leaves in removed and not ids & removed and stays not in removed
    assert pages[-1].watermark


def pages_hostile(peer: Any) -> None:
    for value in HOSTILE.values():
        query = msgspec.structs.replace(peer.query, where=dict.fromkeys(peer.query.where, value))
        assert rows_of(peer, query) == []


def is_whole(peer: Any) -> bool:
    """Whether the peer's list is one whose changes its system does not tell: every pull of it is a full one."""
    return bool(getattr(peer, "whole", False))


def rows_of(peer: Any, query: Query) -> list[dict[str, Any]]:
    """All rows of a pull; none where the system says that there is no such list."""
    try:
        return [row for page in peer.connector.pages(query) for row in page.rows]
    except ConnectorError as error:
        assert error.then is Then.PARK
        return []
