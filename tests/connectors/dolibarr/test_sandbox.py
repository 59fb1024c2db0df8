"""The Dolibarr sandbox where its source and its issues say what a server does, and no client of somebody else's asks: what
its versions do differently, and what is cut out of texts.

Source: Dolibarr/dolibarr, `core/lib/functions.lib.php`, `main.inc.php`, `api_access.class.php`; issues as named.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import requests

from sandbox.dolibarr import OWN_FAULTS, wire
from sandbox.dolibarr.cleaning import line, note
from tests.connectors.dolibarr.peer import Peer
from tests.contract.given import a_key


def asked(peer: Peer, path: str, method: str = "GET", **more: Any) -> requests.Response:
    headers = {"DOLAPIKEY": peer.sandbox.api_key}
    return requests.request(method, f"{peer.served.url}/api/index.php/{path}", headers=headers, timeout=10, **more)


def found(peer: Peer, filter: str) -> list[str]:
    answer = asked(peer, "contacts", params={"sqlfilters": filter, "limit": 0})
    return [] if answer.status_code == 404 else [one["lastname"] for one in answer.json()]


def test_until_version_20_a_colon_in_a_filter_finds_other_records(peer: Peer, old: Peer) -> None:
    """Dolibarr/dolibarr#29292: what is left of the value is the number 0, and every text that is no number equals that."""
    for one in (peer, old):
        one.sandbox.records.put("contacts", lastname=f"Mine {one.sandbox.VERSION}", ref_ext="a:b")
    assert found(peer, "(t.ref_ext:=:'a:b')") == ["Mine 22.0.1"]
    several = found(old, "(t.ref_ext:=:'a:b')")
    assert "Mine 13.0.5" in several and len(several) > 50


def test_conditions_are_read_as_dolibarr_reads_them(peer: Peer, old: Peer) -> None:
    for one in (peer, old):
        name = a_key().replace(":", "-")
        for n in range(3):
            one.sandbox.records.put("contacts", lastname=f"{name}-{n}", town="É" if n else "f", ref_ext=f"{name}{n}")
        mine = f"(t.lastname:like:'{name}%')"
        assert found(one, mine) == [f"{name}-{n}" for n in range(3)]
        assert (
            found(one, f"{mine} and (t.town:=:'e')")
            == found(one, f"{mine} AND (t.town:=:'É ')")
            == [f"{name}-1", f"{name}-2"]
        )
        assert found(one, f"((t.ref_ext:in:'{name}0','{name}2') or (t.rowid:=:0))") == [f"{name}-0", f"{name}-2"]
        assert found(one, f"{mine} and (t.fk_soc:is:NULL) and ((t.town:=:'f') or (t.town:=:'g'))") == [f"{name}-0"]
        assert found(one, f"{mine} and (t.tms:>=:'20200101')") and not found(one, f"{mine} and (t.tms:>=:'20990101')")


@pytest.mark.parametrize(
    ("filter", "new", "old_status"),
    [("(t.lastname='x')", 400, 503), ("(t.lastname:=:'x'", 400, 503), ("(t.nom:=:'x')", 503, 503),
     ("(t.lastname:=:'(x)')", 400, 503), ("(t.lastname:=:'x') (t.town:=:'y')", 503, 503)],
)  # fmt: skip
def test_filters_that_are_refused(peer: Peer, old: Peer, filter: str, new: int, old_status: int) -> None:
    for one, status in ((peer, new), (old, old_status)):
        assert asked(one, "contacts", params={"sqlfilters": filter}).status_code == status


@pytest.mark.parametrize("value", ['"', "union all select", "select from", "<script", "delete  from x", "javascript:"])
def test_an_address_that_looks_like_an_injection_is_refused(peer: Peer, value: str) -> None:
    answer = asked(peer, "contacts", params={"sqlfilters": f"(t.lastname:=:'{value}')"})
    assert answer.status_code == 403 and "injection protection" in answer.text


def test_what_the_versions_answer(peer: Peer, old: Peer) -> None:
    nobody = {"sqlfilters": "(t.rowid:=:0)"}
    for path, new in (("contacts", 200), ("thirdparties", 404), ("tickets", 200)):
        assert (
            asked(peer, path, params=nobody).status_code == new and asked(old, path, params=nobody).status_code == 404
        )
    for one, wrong, missing in ((peer, 401, 401), (old, 503, 401)):
        url = f"{one.served.url}/api/index.php/status"
        assert requests.get(url, headers={"DOLAPIKEY": "wrong"}, timeout=10).status_code == wrong
        assert requests.get(url, timeout=10).status_code == missing
        assert requests.get(url, params={"DOLAPIKEY": one.sandbox.api_key}, timeout=10).status_code == 200
    bearer = {"Authorization": f"Bearer {peer.sandbox.api_key}"}
    assert requests.get(f"{peer.served.url}/api/index.php/status", headers=bearer, timeout=10).status_code == 200
    (few,) = asked(peer, "contacts", params={"properties": "id", "limit": 1}).json()
    (all_of_it,) = asked(old, "contacts", params={"properties": "id", "limit": 1}).json()
    assert set(few) == {"id"} and "lastname" in all_of_it


def test_chunked_bodies_and_a_slash_at_the_end_are_taken(peer: Peer) -> None:
    body = iter([b'{"lastname": "Chun', b'ked"}'])
    made = asked(peer, "contacts/", "POST", data=body)
    assert asked(peer, f"contacts/{made.json()}/").json()["lastname"] == "Chunked"
    assert asked(peer, "contacts", "POST", data="no json").status_code == 400


@pytest.mark.parametrize(
    ("text", "as_line", "as_note"),
    [
        ('a "b" <i>c</i>', "a b c", 'a "b" <i>c</i>'),
        ("O&#x27;Brien &#39;x&#39;", "O'Brien 'x'", "O;Brien &#39;x&#39;"),
        ("<script>x</script>y", "xy", "xy"),
        ("a < b <c", "a < b c", "a < b <c"),
        ("../../etc", "etc", "../../etc"),
        ("&#74;o <p>x<br></p><br>", "Jo x", "Jo <p>x<br></p>"),
        ("javascript:x", "javascript:x", "x"),
    ],
)
def test_what_is_cut_out_of_texts(text: str, as_line: str, as_note: str) -> None:
    assert (line(text), note(text)) == (as_line, as_note)


def test_every_fault_of_its_own_is_taken_somewhere() -> None:
    assert set(re.findall(r'take\("(\w+)"\)', inspect.getsource(wire))) == set(OWN_FAULTS)
