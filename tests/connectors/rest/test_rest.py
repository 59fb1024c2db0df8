"""The connector `rest` beyond the contract: every style of paging and of signing in, and what a wrong profile is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from requests import PreparedRequest

from hub.errors import (
    Ambiguous,
    ConfigError,
    CredentialsRefused,
    Locked,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from hub.model import Lookup, Query, Row, Target
from tests.connectors.rest.peer import Peer, opened
from tests.contract.given import a_key
from tests.contract.scenario_files import built

CRM = "https://crm.example/api"
NOTE = """
profile: rest
about: Notes.
objects:
  note:
    id: record.id
    key: key
    fields: {{ key: {{ unique: true }}, words: {{}} }}
    {more}
"""


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with opened("oauth2", request) as running:
        yield running


def connector(folder: Path, more: str, **settings: Any) -> Any:
    (folder / "crm.yaml").write_text(NOTE.format(more=more))
    return built("rest", {"url": CRM, "profile": str(folder / "crm.yaml"), **settings})


def paged(answer: Callable[[PreparedRequest], tuple[dict[str, str], Any]]) -> responses.RequestsMock:
    """Every GET is answered so; a request beyond the fifth is a loop."""
    mock, asked = responses.RequestsMock(), []

    def answered(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        asked.append(request.url)
        assert len(asked) <= 5, asked
        headers, body = answer(request)
        return 200, headers, json.dumps(body)

    mock.add_callback("GET", f"{CRM}/notes", callback=answered)
    return mock


def query_of(request: PreparedRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def ids(connector: Any, **asked: Any) -> list[list[str]]:
    return [[row["id"] for row in page.rows] for page in connector.pages(Query(object="note", size=2, **asked))]


NOTES = [{"id": number} for number in range(1, 6)]


def test_pages_by_number(tmp_path: Path) -> None:
    mine = connector(tmp_path, "pages: { GET: /notes, query: { p: page, n: size }, next: { page: true } }")
    with paged(lambda r: ({}, NOTES[(int(query_of(r)["p"]) - 1) * 2 :][:2])):
        assert ids(mine) == [["1", "2"], ["3", "4"], ["5"]]


def test_pages_by_offset_and_a_condition(tmp_path: Path) -> None:
    words = "pages: { GET: /notes, query: { o: offset }, records: answer.n, more: { answer.more: true }, "
    words += "next: { offset: true } }"

    def answer(r: PreparedRequest) -> tuple[dict[str, str], Any]:
        at = int(query_of(r)["o"])
        return {}, {"n": NOTES[at : at + 1], "more": at < 3}  # fewer than asked for, and still more

    mine = connector(tmp_path, words)
    with paged(answer):
        assert ids(mine) == [["1"], ["2"], ["3"], ["4"]]


def test_pages_by_the_last_record(tmp_path: Path) -> None:
    mine = connector(tmp_path, "pages: { GET: /notes, query: { gt: after }, next: { after: record.id } }")
    with paged(lambda r: ({}, [n for n in NOTES if n["id"] > int(query_of(r).get("gt", 0))][:2])):
        assert ids(mine) == [["1", "2"], ["3", "4"], ["5"]]


def test_pages_by_the_link_header(tmp_path: Path) -> None:
    mine = connector(tmp_path, "pages: { GET: /notes, next: { link: next } }")

    def answer(r: PreparedRequest) -> tuple[dict[str, str], Any]:
        at = int(query_of(r).get("at", 0))
        more = f'<{CRM}/notes?at=0>; rel="first", </api/notes?at={at + 2}>; title="a, b"; rel="next"' if at < 4 else ""
        return {"Link": more}, NOTES[at : at + 2]

    with paged(answer):
        assert ids(mine) == [["1", "2"], ["3", "4"], ["5"]]


def test_a_next_page_elsewhere_is_not_followed(tmp_path: Path) -> None:
    mine = connector(tmp_path, "pages: { GET: /notes, records: answer.n, next: { url: answer.next } }")
    with paged(lambda _: ({}, {"n": NOTES[:2], "next": "https://evil.example/notes"})), pytest.raises(Rejected):
        ids(mine)


def test_a_page_that_names_itself_does_not_go_round_for_ever(tmp_path: Path) -> None:
    mine = connector(
        tmp_path, "pages: { GET: /notes, records: answer.n, query: { c: cursor }, next: { cursor: answer.c } }"
    )
    with paged(lambda _: ({}, {"n": NOTES[:2], "c": "same"})), pytest.raises(Unavailable, match="same page"):
        ids(mine)


def test_deleted_records_leave_the_list(tmp_path: Path) -> None:
    words = "pages: { GET: /notes, query: { since: watermark }, gone: { record.deleted: true }, next: { page: true } }"
    mine = connector(tmp_path, words)
    with paged(lambda r: ({}, [{"id": 1}, {"id": 2, "deleted": True}] if query_of(r)["since"] else [])):
        (page,) = mine.pages(Query(object="note", watermark="2026-11-26T10:00:00+00:00", size=9))
    assert [row["id"] for row in page.rows] == ["1"] and page.removed == ["2"]


# --- signing in ----------------------------------------


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({"sign_in": "basic", "user": "zoë", "password": "p:w"}, "Authorization", "Basic em/DqzpwOnc="),
        ({"sign_in": "bearer", "token": "t0"}, "Authorization", "Bearer t0"),
        ({"sign_in": "header", "token": "t0", "header": "X-Key"}, "X-Key", "t0"),
    ],
)
def test_how_we_prove_who_we_are(tmp_path: Path, settings: dict[str, Any], header: str, value: str) -> None:
    mine = connector(tmp_path, "find: { key: { GET: /notes, query: { key: value } } }", **settings)
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", json=[])
        assert mine.find([Lookup("note", "key", "k")]) == [[]]
        assert mock.calls[0].request.headers[header] == value


def test_a_token_that_ended_is_renewed_once_and_out_of_sight(peer: Peer) -> None:
    peer.connector.check()
    peer.sandbox.faults.set("token_ended")
    assert peer.connector.check().user == "patchbay"
    peer.sandbox.faults.set("unauthorized", times=-1)
    with pytest.raises(CredentialsRefused):
        peer.connector.check()


def test_a_sign_in_without_what_it_needs_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sign_in oauth2 needs sign_in_url, client_id, client_secret"):
        connector(tmp_path, "", sign_in="oauth2")
    with pytest.raises(ConfigError, match='"beare", did you mean "bearer"'):
        connector(tmp_path, "", sign_in="beare")


# --- what answers mean ----------------------------------------


@pytest.mark.parametrize(("fault", "error"), [("quota", QuotaSpent), ("ok_false", Unavailable), ("html", Unavailable),
                                              ("login_page", Unavailable), ("truncated", UnknownOutcome)])  # fmt: skip
def test_each_way_to_fail_is_the_right_error(peer: Peer, fault: str, error: type[Exception]) -> None:
    peer.connector.check()
    peer.sandbox.faults.set(fault)
    with pytest.raises(error):
        peer.connector.write(peer.target, [peer.row(a_key(), "x")])


def test_one_locked_row_of_a_batch_is_alone(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    peer.sandbox.faults.set("locked")
    receipts = peer.connector.write(peer.target, rows)
    assert isinstance(receipts[0].error, Locked) and [r.outcome for r in receipts[1:]] == ["created"] * 2
    assert [len(peer.texts(row.key)) for row in rows] == [0, 1, 1]


def test_a_refused_row_names_its_fields(peer: Peer) -> None:
    (receipt,) = peer.connector.write(peer.target, [Row(key=a_key(), fields={"outcome": "maybe", "seconds": "soon"})])
    assert isinstance(receipt.error, Rejected) and set(receipt.error.fields) == {"outcome", "seconds"}


def test_two_hundred_rows_are_two_requests(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(200)]
    peer.connector.check()
    before = peer.sandbox.faults.call_count
    assert {receipt.outcome for receipt in peer.connector.write(peer.target, rows)} == {"created"}
    assert peer.sandbox.faults.call_count - before == 2


def test_merged_customers_are_the_one_that_is_left(peer: Peer) -> None:
    gone, left = peer.person("Twice"), peer.person("Once")
    peer.sandbox.books.merge(gone, left)
    (found,) = peer.connector.find([Lookup("customer", "id", gone)])
    assert [record.id for record in found] == [left]


WRITES = """find: { key: { GET: /notes, query: { key: value } } }
    write:
      create: { POST: /notes, json: { key: key, note.words: fields.words }, id: answer.id }
      update: { PATCH: "/notes/{id}", json: fields }"""


def test_look_up_then_create_or_update(tmp_path: Path) -> None:
    mine, target = connector(tmp_path, WRITES), Target(object="note", key="key")
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", json=[])
        mock.post(f"{CRM}/notes", json={"id": 7}, status=201)
        (made,) = mine.write(target, [Row(key="k", fields={"words": "one"})])
        assert json.loads(mock.calls[1].request.body) == {"key": "k", "note": {"words": "one"}}
    assert (made.outcome, made.id) == ("created", "7")
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", json=[{"id": 7, "key": "k", "words": "one"}])
        mock.patch(f"{CRM}/notes/7", json={})
        (changed,) = mine.write(target, [Row(key="k", fields={"words": "two"}, in_doubt=True)])
    assert (changed.outcome, changed.id) == ("updated", "7")
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", json=[{"id": 7, "key": "k"}, {"id": 8, "key": "k"}])
        (twin,) = mine.write(target, [Row(key="k", fields={"words": "two"})])
    assert isinstance(twin.error, Ambiguous)


SEARCHES = """find:
      key:
        POST: /notes/search
        records: answer.items
        json: { limit: { value: 5 }, any.0.field: { value: key }, any.0.value: value, any.1.not.0: { value: 7 } }"""


def test_a_list_in_a_body_is_written_with_numbers(tmp_path: Path) -> None:
    mine = connector(tmp_path, SEARCHES)
    with responses.RequestsMock() as mock:
        mock.post(f"{CRM}/notes/search", json={"items": []})
        assert mine.find([Lookup("note", "key", "k-1")]) == [[]]
        told = {"limit": 5, "any": [{"field": "key", "value": "k-1"}, {"not": [7]}]}
        assert json.loads(mock.calls[0].request.body) == told


def test_after_a_lost_answer_the_rows_behind_it_are_not_sent(tmp_path: Path) -> None:
    mine, target = connector(tmp_path, WRITES), Target(object="note", key="key")
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", json=[])
        mock.post(f"{CRM}/notes", json={"id": 1}, status=201)
        mock.post(f"{CRM}/notes", status=500)
        rows = [Row(key=key, fields={"words": key}) for key in "abc"]
        first, second, third = mine.write(target, rows)
    assert first.outcome == "created" and isinstance(second.error, UnknownOutcome)
    assert type(third.error) is Unavailable


def test_a_throttled_call_waits_as_long_as_the_system_says(tmp_path: Path) -> None:
    mine = connector(tmp_path, WRITES)
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", status=429, headers={"Retry-After": "12"})
        with pytest.raises(Throttled) as failed:
            mine.find([Lookup("note", "key", "k")])
    assert failed.value.retry_after == 12


@pytest.mark.parametrize("id", ["..", ".", "a/../../b", "?x=1#y"])
def test_a_value_in_a_path_stays_one_step(tmp_path: Path, id: str) -> None:
    mine = connector(tmp_path, 'find: { id: { GET: "/notes/{value}", none: 404 } }')
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        seen: list[str] = []

        def answered(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
            seen.append(str(request.url))
            return 404, {}, ""

        mock.add_callback("GET", re.compile(".*"), callback=answered)
        if id in ("..", "."):
            with pytest.raises(Rejected):
                mine.find([Lookup("note", "id", id)])
        else:
            assert mine.find([Lookup("note", "id", id)]) == [[]]
    assert all(urlsplit(url).path.count("/") == 3 and not urlsplit(url).query for url in seen)


# --- profiles ----------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("find: { phone: { GET: /n, query: { x: tial } } }", 'did you mean "tail"'),
        ("find: { phone: { GET: /n, POST: /n } }", "a request has one of"),
        ("find: { phone: { GET: /n, json: { a: value }, form: { a: value } } }", "one body"),
        ("find: { phone: { GET: /n, of: 0 } }", "from 1 to 1000"),
        ("find: { phone: { GET: '/n/{valeu}' } }", 'did you mean "value"'),
        ("write: { create: { POST: /n, json: fields } }", "so `find.key` has to be there"),
        ("write: { upsort: { PUT: /n } }", 'did you mean "upsert"'),
        ("pages: { GET: /n, next: { page: 1 } }", "write `page: true`"),
        ("pages: { GET: /n, next: { page: true, offset: true } }", "`next` is one of"),
        ("pages: { GET: /n }", "has no `next`"),
        ("links: { opne: x }", 'did you mean "open"'),
        ("account: { object: company, id: record.c }", 'there is no object "company"'),
    ],
)
def test_a_wrong_profile_is_one_line_with_its_place(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as failed:
        connector(tmp_path, more)
    assert said in str(failed.value) and "crm.yaml:" in str(failed.value) and "\n" not in str(failed.value)


def test_the_worked_example_says_what_it_is(peer: Peer) -> None:
    manifest = peer.connector.manifest
    assert (
        manifest.people == ("customer",) and manifest.idempotency == "native-upsert" and manifest.rows_per_call == 100
    )


def test_a_field_that_the_profile_does_not_have_is_never_sent(peer: Peer) -> None:
    peer.connector.check()
    before = peer.sandbox.faults.call_count
    (receipt,) = peer.connector.write(peer.target, [Row(key=a_key(), fields={"outcom": "sale"})])
    assert isinstance(receipt.error, Rejected) and 'did you mean "outcome"' in receipt.error.fields["outcom"]
    assert peer.sandbox.faults.call_count == before


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    mine = connector(tmp_path, WRITES)
    with responses.RequestsMock() as mock:
        mock.get(f"{CRM}/notes", status=302, headers={"Location": f"{CRM}/sign-in"})
        with pytest.raises(Unavailable, match="sign-in page"):
            mine.find([Lookup("note", "key", "k")])
        assert len(mock.calls) == 1
