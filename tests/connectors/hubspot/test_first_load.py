"""The first load of a large list by an export: when, at what cost, resumed; and page by page where no export can be had."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any

import msgspec
import pytest

from connectors.crm.hubspot import exports
from connectors.crm.hubspot.exports import NoExport, lines
from connectors.crm.hubspot.first_load import FirstLoad, _as_kept
from connectors.crm.hubspot.objects import Catalogue
from connectors.crm.hubspot.pull import Pull
from connectors.crm.hubspot.rest import Rest
from hub.errors import Elsewhere, QuotaSpent, Rejected, Throttled, Unavailable
from hub.model import Page, Query
from tests.connectors.hubspot.peer import Peer
from tests.contract.given import a_mail

BEGUN = ("POST", "/crm/v3/exports/export/async")
FILES = "/exports/"


@pytest.fixture
def loads(peer: Peer) -> Iterator[Any]:
    """A connector that loads a list of five or more by an export; the list has seven members, one of each oddity."""
    for n in range(3):
        peer.member(f"Member {n}")
    for values in ({"firstname": "=1+1", "lastname": "@x", "consent_to_call": "true", "email": a_mail()},
                   {"lastname": "Plus", "mobilephone": "+34 612 000 000"},
                   {"lastname": 'Quote "and", comma\nnext line; 李 \u202e'},
                   {"lastname": "Dash - dash", "lifecyclestage": "customer"}):  # fmt: skip
        id = peer.sandbox.portal.create("contacts", values).id
        peer.sandbox.portal.join(peer.list, id)
    fields = ["contacts.consent_to_call", "contacts.no_such_property", "contacts.createdate"]
    yield peer.opened(bulk_from=5, bulk_minutes=1, pull_fields=fields)
    peer.sandbox.service.exports.zipped_from, peer.sandbox.service.exports.rows_of_a_file = 2_000_000, 1_000_000


def rows_of(pages: Sequence[Page]) -> dict[str, dict[str, Any]]:
    rows = [row for page in pages for row in page.rows]
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def plainly(peer: Peer, query: Query) -> dict[str, dict[str, Any]]:
    """What the ordinary pages give."""
    fields = ["contacts.consent_to_call", "contacts.no_such_property", "contacts.createdate"]
    plain: Any = peer.opened(bulk_from=0, pull_fields=fields)
    return rows_of(list(plain.pages(query)))


def counted(peer: Peer, before: Counter[tuple[str, str]]) -> Counter[str]:
    made = Counter(peer.sandbox.faults.calls) - before
    kinds = {"/memberships": "members", "/status": "asked", "/batch/read": "read", "/export/async": "begun",
             "/search": "search", "/properties/contacts": "properties"}  # fmt: skip
    told: Counter[str] = Counter()
    for (_, path), times in made.items():
        told["file" if path.startswith(FILES) else next(name for end, name in kinds.items() if path.endswith(end))] += (
            times
        )
    return told


def test_a_list_is_one_export_and_the_same_rows(peer: Peer, loads: Any) -> None:
    before = Counter(peer.sandbox.faults.calls)
    first, *pages = loads.pages(peer.query)
    assert counted(peer, before) == {"search": 1, "properties": 1, "begun": 1, "asked": 3, "file": 1, "read": 1}
    assert first.rows == [] and first.cursor and pages[-1].cursor is None and pages[-1].watermark
    rows = rows_of(pages)
    assert rows == plainly(peer, peer.query) and len(rows) == 7
    assert all(row["no_such_property"] is None and row["createdate"] for row in rows.values())
    assert peer.person("Later") not in rows


def test_all_records_are_one_export(peer: Peer, loads: Any) -> None:
    query = Query(object="contacts", size=50)
    before = Counter(peer.sandbox.faults.calls)
    pages = list(loads.pages(query))
    made = counted(peer, before)
    assert (made["begun"], made["search"], made["members"]) == (1, 1, 0)
    assert rows_of(pages) == plainly(peer, query) and all(len(page.rows) <= 50 for page in pages)


@pytest.mark.parametrize(("zipped_from", "rows_of_a_file"), [(0, 1_000_000), (0, 3), (1_000_000, 2)])
def test_a_file_may_be_packed_and_in_parts(peer: Peer, loads: Any, zipped_from: int, rows_of_a_file: int) -> None:
    peer.sandbox.service.exports.zipped_from = zipped_from
    peer.sandbox.service.exports.rows_of_a_file = rows_of_a_file
    assert rows_of(list(loads.pages(peer.query))) == plainly(peer, peer.query)


def test_a_small_list_an_increment_and_a_condition_make_no_export(peer: Peer, loads: Any) -> None:
    before = Counter(peer.sandbox.faults.calls)
    watermark = list(peer.connector.pages(peer.query))[-1].watermark  # seven are fewer than 20,000
    list(loads.pages(msgspec.structs.replace(peer.query, watermark=watermark)))
    list(loads.pages(Query(object="contacts", where={"country": "ES"})))
    never: Any = peer.opened(bulk_from=0)
    list(never.pages(peer.query))
    assert not (Counter(peer.sandbox.faults.calls) - before)[BEGUN]
    every = Query(object="companies")
    for query, size in ((peer.query, 7), (every, len(peer.sandbox.portal.all("companies")))):
        for bulk_from, way in ((size, "exported"), (size + 1, "")):
            near: Any = peer.opened(bulk_from=bulk_from)
            assert {page.cursor.split(" ")[1] for page in near.pages(query) if page.cursor} == ({way} if way else set())


def test_what_comes_after_a_first_load_is_an_increment(peer: Peer, loads: Any) -> None:
    watermark = list(loads.pages(peer.query))[-1].watermark
    joined, left = peer.member("Joined"), next(iter(peer.list.members))
    peer.leave(left)
    pages = list(loads.pages(msgspec.structs.replace(peer.query, watermark=watermark)))
    assert joined in rows_of(pages) and left in {id for page in pages for id in page.removed}


def test_an_interrupted_load_goes_on_in_the_same_export(peer: Peer, loads: Any) -> None:
    query = msgspec.structs.replace(peer.query, size=2)
    whole = list(loads.pages(query))
    assert [len(page.rows) for page in whole] == [0, 2, 2, 2, 1]
    before = Counter(peer.sandbox.faults.calls)
    for place, page in enumerate(whole[:-1]):
        rest = list(loads.pages(msgspec.structs.replace(query, cursor=page.cursor)))
        assert rest == whole[place + 1 :]
    assert not counted(peer, before)["begun"]


@pytest.mark.parametrize("fault", ["no_export_scope", "export_canceled", "export_gone", "export_slow", "export_labels",
                                   "export_for_people", "export_escaped"])  # fmt: skip
def test_without_an_export_that_can_be_believed_the_list_comes_page_by_page(peer: Peer, loads: Any, fault: str) -> None:
    peer.sandbox.faults.set(fault, times=-1)
    before = Counter(peer.sandbox.faults.calls)
    pages = list(loads.pages(peer.query))
    assert rows_of(pages) == plainly(peer, peer.query) and pages[-1].watermark
    made = counted(peer, before)
    assert made["members"] and made["begun"] == 1
    assert made["file"] == (fault in ("export_labels", "export_for_people", "export_escaped"))
    assert made["asked"] == {"no_export_scope": 0, "export_canceled": 1, "export_gone": 1, "export_slow": 6}.get(
        fault, 3
    )


def test_what_began_page_by_page_goes_on_so(peer: Peer, loads: Any) -> None:
    query = msgspec.structs.replace(peer.query, size=2)
    peer.sandbox.faults.set("no_export_scope")
    head = next(iter(loads.pages(query)))
    assert len(head.rows) == 2
    before = Counter(peer.sandbox.faults.calls)
    rest = rows_of(list(loads.pages(msgspec.structs.replace(query, cursor=head.cursor))))
    assert {row["id"] for row in head.rows} | set(rest) == set(plainly(peer, peer.query))
    assert not counted(peer, before)["begun"]


def test_a_column_is_compared_where_its_first_value_comes(peer: Peer, loads: Any) -> None:
    """Two rows a page: the number with a plus sign, that a careful spreadsheet would spoil, is not on the first of them."""
    peer.sandbox.faults.set("export_escaped")
    query = msgspec.structs.replace(peer.query, size=2)
    pages = list(loads.pages(query))
    assert [page.cursor.split(" ")[1] for page in pages if page.cursor][:2] == ["exported"] * 2
    rows = {row["id"]: row for page in pages for row in page.rows}  # what came by the export comes again
    assert rows == plainly(peer, peer.query)


def test_a_record_that_changes_meanwhile_speaks_against_no_column(peer: Peer, loads: Any) -> None:
    pages = loads.pages(peer.query)
    next(pages)
    changed, other = sorted(peer.list.members)[:2]
    portal = peer.sandbox.portal
    portal.update("contacts", portal.one("contacts", changed), {"lastname": "Later"})
    portal.merge("contacts", portal.one("contacts", other), portal.one("contacts", peer.person("Twin")))
    rows = rows_of(list(pages))
    assert rows[changed]["lastname"] != "Later" and other in rows


@pytest.mark.parametrize("fault", ["down", "reset", "truncated", "html", "login_page", "link_expired", "failed_after"])
def test_a_file_that_does_not_arrive_is_fetched_again(peer: Peer, loads: Any, fault: str) -> None:
    peer.sandbox.service.exports.zipped_from = 0
    first = next(iter(loads.pages(peer.query)))
    peer.sandbox.faults.set(fault, path=FILES)
    again = msgspec.structs.replace(peer.query, cursor=first.cursor)
    with pytest.raises(Unavailable) as raised:
        list(loads.pages(again))
    assert FILES not in str(raised.value)
    before = Counter(peer.sandbox.faults.calls)
    assert rows_of(list(loads.pages(again))) == plainly(peer, peer.query)
    assert not counted(peer, before)["begun"]


def test_a_file_at_another_host_makes_pages(peer: Peer, loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it would be the next time as well, so a load that waits for it would never end."""
    plain, get = plainly(peer, peer.query), loads._rest._session.get

    def sent_on(url: str, **more: Any) -> Any:
        if FILES in url:
            raise Elsewhere("127.0.0.1 redirects to https://files.example")
        return get(url, **more)

    monkeypatch.setattr(loads._rest._session, "get", sent_on)
    assert rows_of(list(loads.pages(peer.query))) == plain


def test_limits_are_the_caller_s_and_what_names_no_limit_makes_pages(peer: Peer, loads: Any) -> None:
    for fault, error in (("secondly", Throttled), ("daily", QuotaSpent)):
        peer.sandbox.faults.set(fault, after=2)  # after the list and the properties: when the export is begun
        with pytest.raises(error):
            list(loads.pages(peer.query))
        peer.sandbox.faults.clear()
    peer.sandbox.faults.set("throttled", times=1, path=BEGUN[1])
    with pytest.raises(Throttled):
        list(loads.pages(peer.query))


@pytest.mark.parametrize("place", ["1;2", "x:1", "1:-1", "1:2:3", "1"])
def test_a_wrong_place_is_refused(peer: Peer, loads: Any, place: str) -> None:
    cursor = f"2026-01-01T00:00:00+00:00 exported {place}"
    with pytest.raises(Rejected):
        list(loads.pages(msgspec.structs.replace(peer.query, cursor=cursor)))


def test_a_file_may_be_larger_than_any_answer(peer: Peer, loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    id = next(iter(loads.pages(peer.query))).cursor.split(" ")[2].partition(":")[0]
    path = f"/crm/v3/exports/export/async/tasks/{id}/status"
    url = [loads._rest.get(path).get("result") for _ in range(3)][-1]
    monkeypatch.setattr("hub.session.LARGEST_ANSWER", 10)
    file = io.BytesIO()
    loads._rest.fetch(url, file, 1_000_000)
    assert len(file.getvalue()) > 1_000 and file.tell() == 0


def test_a_file_is_neither_fetched_from_anywhere_nor_too_large(peer: Peer, loads: Any, monkeypatch: Any) -> None:
    rest: Rest = loads._rest
    for url in ("ftp://127.0.0.1/x", "https://127.0.0.1:1/x", "file:///etc/passwd", ""):
        with pytest.raises(Unavailable, match="not like the API's"):
            rest.fetch(url, io.BytesIO(), 10)
    monkeypatch.setattr(exports, "LARGEST", 100)
    assert rows_of(list(loads.pages(peer.query))) == plainly(peer, peer.query)


def test_an_archive_that_is_none_is_fetched_again() -> None:
    with pytest.raises(Unavailable, match="BadZipFile"):
        list(lines(io.BytesIO(b"PK\x03\x04 not really")))


def packed(name: str, method: int) -> bytes:
    """An archive whose directory says that its file is packed by a method."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "a\n1\n")
        archive.infolist()[0].compress_type = method
    return file.getvalue()


@pytest.mark.parametrize(
    "data", [b'"a"\n"\xff"', b'a\n"b', b'a\n"b"c', b"a\n" + b"x" * 200_000, packed("a.csv", 97)],
    ids=["no UTF-8", "no end", "no comma", "a cell beyond Python's limit", "packed otherwise"],
)  # fmt: skip
def test_a_file_that_nobody_can_read_makes_pages(data: bytes) -> None:
    """It would be the same file again."""
    with pytest.raises(NoExport):
        list(lines(io.BytesIO(data)))


def test_an_export_without_a_row_is_not_believed() -> None:
    """A first load that sees nobody would take everybody off the list."""
    with pytest.raises(NoExport):
        list(large(0, _Reads()))


def test_values_as_the_api_has_them() -> None:
    told = [("datetime", "1759521867428", "2025-10-03T20:04:27.428Z"), ("datetime", "2025-10-03T20:04:27.428Z", None),
            ("date", "1759449600000", "2025-10-03"), ("date", "2025-10-03", None), ("bool", "TRUE", "true"),
            ("string", " x ", None), ("number", "12.50", None), ("enumeration", "a;b", None)]  # fmt: skip
    for type, cell, kept in told:
        assert _as_kept(type, cell) == (kept or cell)
    assert _as_kept("string", "") is None
    for type, cell in (("datetime", "2025-10-03 20:04"), ("datetime", "yesterday"), ("datetime", "9" * 30)):
        with pytest.raises(NoExport):
            _as_kept(type, cell)


# --- constant memory ----------------------------------------


class _LargeExport:
    """An export of so many rows, written as it is asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def begun(self, *_: Any) -> str:
        return "1"

    def fetch(self, _id: str, into: IO[bytes]) -> None:
        text = io.TextIOWrapper(into, newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(["hs_object_id", "firstname", "lastmodifieddate"])
        for n in range(self._count):
            writer.writerow([n + 1, f"Ada {n}", "2026-01-01T00:00:00.000Z"])
        text.flush()
        text.detach()
        into.seek(0)


class _Reads:
    def get(self, _path: str) -> Any:
        return {"results": [{"name": "firstname", "type": "string"}, {"name": "lastmodifieddate", "type": "datetime"}]}

    def at(self, *parts: str) -> str:
        return "/".join(parts)

    changed = "2026-01-01T00:00:00Z"

    def read(self, _object: str, ids: Sequence[str], _names: Sequence[str]) -> Iterator[dict[str, Any]]:
        for id in ids:
            told = {"firstname": f"Ada {int(id) - 1}", "lastmodifieddate": self.changed}
            yield {"id": id, "properties": told}


def large(count: int, reads: _Reads) -> Iterator[Page]:
    settings = {"custom_objects": [], "phone_fields": [], "mail_fields": [], "pull_fields": [], "key_property": "k",
                "keyed_objects": []}  # fmt: skip
    object = Catalogue(settings)["contacts"]
    pull = Pull(
        object=object, reads=["firstname", object.changed], where={}, list_id="", since=None, began="x", size=500
    )
    first: Any = FirstLoad(reads, _LargeExport(count))  # type: ignore[arg-type]
    yield from first.pages(pull, "")


def test_where_no_record_can_be_compared_none_is_believed() -> None:
    reads = _Reads()
    reads.changed = "2026-01-01T00:00:01Z"
    with pytest.raises(NoExport):
        list(large(10, reads))


def peak(count: int) -> int:
    tracemalloc.start()
    try:
        assert sum(len(page.rows) for page in large(count, _Reads())) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_first_load_does_not_grow_with_it() -> None:
    few, many = peak(1_000), peak(8_000)
    assert many < 1.2 * few, (few, many)
