"""Writing to HubSpot beyond what every connector owes: partial failures, associations, its own faults, calls counted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hub.clock import now
from hub.config import ConnectionConfig
from hub.contract import Tools
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
)
from hub.installed import connector_class
from hub.model import Lookup, Quota, Row, Target
from hub.session import open_session
from tests.connectors.hubspot.peer import KEY, Peer
from tests.contract.given import HOSTILE, a_key, a_mail

CONTACTS = Target(object="contacts", key=KEY)


def calls(peer: Peer, what: str = "") -> int:
    return sum(count for (_, path), count in peer.sandbox.faults.calls.items() if what in path)


def associated(peer: Peer, id: str, other: str) -> list[str]:
    found: list[str] = peer.sandbox.portal.associated("calls", id, other)
    return found


# --- what goes wrong ----------------------------------------

WHOLE: dict[str, tuple[type[ConnectorError], float | None]] = {
    "secondly": (Throttled, 1.0),
    "ten_secondly": (Throttled, 10.0),
    "migrating": (Throttled, 3600.0),
    "daily": (QuotaSpent, None),
    "locked": (Locked, None),
    "forbidden": (NotPermitted, None),
    "refused": (CredentialsRefused, None),
    "expired": (CredentialsRefused, None),  # a private app's token is not renewed
}


@pytest.mark.parametrize("fault", WHOLE)
def test_a_refused_call_has_its_class_and_goes_on_once(peer: Peer, fault: str) -> None:
    kind, seconds = WHOLE[fault]
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    peer.connector.check()
    peer.sandbox.faults.set(fault)
    with pytest.raises(kind) as raised:
        peer.connector.write(peer.target, rows)
    assert type(raised.value) is kind
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after == seconds
    if isinstance(raised.value, QuotaSpent):  # midnight in Madrid, where the account is
        until = raised.value.until
        assert until is not None and until > now() and until.astimezone(dt.UTC).hour in (22, 23)
    assert [peer.texts(row.key) for row in rows] == [[], [], []]
    assert [one.outcome for one in peer.connector.write(peer.target, rows)] == ["created"] * 3
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_a_client_s_token_that_ended_is_renewed_once(peer: Peer) -> None:
    connector: Any = peer.opened(token=None, client_id=peer.sandbox.client_id, client_secret=peer.sandbox.client_secret)
    connector.check()
    peer.sandbox.faults.set("expired")
    assert connector.write(peer.target, [peer.row(a_key(), "one")])[0].outcome == "created"
    peer.sandbox.faults.set("expired", times=-1)
    with pytest.raises(CredentialsRefused):
        connector.write(peer.target, [peer.row(a_key(), "one")])
    wrong: Any = peer.opened(token=None, client_id=peer.sandbox.client_id, client_secret="no")
    with pytest.raises(CredentialsRefused):
        wrong.check()


@pytest.mark.parametrize("fault", ["shuffled", "no_traces", "whole_batch"])
def test_half_a_batch_fails_and_each_receipt_is_its_row_s(peer: Peer, fault: str) -> None:
    rows = [peer.bad_row(a_key()) if n in (2, 5) else peer.row(a_key(), f"text {n}") for n in range(8)]
    peer.sandbox.faults.set(fault, times=-1)
    receipts = peer.connector.write(peer.target, rows)
    assert [one.outcome for one in receipts] == ["failed" if n in (2, 5) else "created" for n in range(8)]
    assert [one.key for one in receipts] == [row.key for row in rows]
    for n in (2, 5):
        error = receipts[n].error
        assert isinstance(error, Rejected) and "hs_call_status" in error.fields
    assert [peer.texts(row.key) for row in rows] == [[] if n in (2, 5) else [f"text {n}"] for n in range(8)]


def test_a_locked_row_alone_is_tried_again(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    peer.sandbox.faults.set("row_locked")
    receipts = peer.connector.write(peer.target, rows)
    assert [one.outcome for one in receipts] == ["created", "failed", "created"]
    assert isinstance(receipts[1].error, Locked)
    doubted = [msgspec.structs.replace(row, in_doubt=True) for row in rows]
    assert [one.outcome for one in peer.connector.write(peer.target, doubted)] == ["updated", "created", "updated"]
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_a_property_that_is_not_there_costs_one_call_more(peer: Peer) -> None:
    wrong = {"hs_call_bodi": "typed wrong"}
    rows = [Row(key=a_key(), fields={**peer.row("x", "x").fields, **(wrong if n % 2 else {})}) for n in range(50)]
    peer.sandbox.faults.set("whole_batch", times=-1)
    before = calls(peer, "upsert")
    receipts = peer.connector.write(peer.target, rows)
    assert [one.outcome for one in receipts] == ["created", "failed"] * 25 and calls(peer, "upsert") - before == 2
    assert isinstance(receipts[1].error, Rejected) and set(receipts[1].error.fields) == {"hs_call_bodi"}


def test_no_value_of_a_row_is_in_its_error(peer: Peer) -> None:
    row = Row(key=a_key(), fields={"email": "ada lovelace@example.com +34 612 34 56 78"})
    (receipt,) = peer.connector.write(CONTACTS, [row])
    told = f"{receipt.error} {getattr(receipt.error, 'fields', '')}"
    assert receipt.outcome == "failed" and "612 34" not in told and "example.com" not in told


# --- associations ----------------------------------------


def test_a_call_stands_at_its_records(peer: Peer) -> None:
    ada, bea = peer.person("Ada Lovelace"), peer.person("Bea")
    company = peer.sandbox.portal.create("companies", {"name": "Engines"}).id
    fields = peer.row("x", "text").fields
    rows = [Row(key=a_key(), fields={**fields, "contact": ada, "company": company, "deal": None, "ticket": ""}),
            Row(key=a_key(), fields={**fields, "contact": [ada, bea]})]  # fmt: skip
    for _ in range(2):
        one, two = peer.connector.write(peer.target, rows)
    assert associated(peer, one.id, "contacts") == [ada] and associated(peer, one.id, "companies") == [company]
    assert sorted(associated(peer, two.id, "contacts")) == sorted([ada, bea])
    assert peer.sandbox.portal.associations["calls", one.id, "contacts", ada] == 194
    asked = [
        Lookup("calls", "id", id, fields=("contact", "company", "deal", "hs_call_body")) for id in (one.id, two.id)
    ]
    (first,), (second,) = peer.connector.find(asked)  # as it is read back
    assert (first.fields["contact"], first.fields["company"], first.fields["deal"]) == (ada, company, None)
    assert sorted(second.fields["contact"]) == sorted([ada, bea]) and first.fields["hs_call_body"] == "text"
    assert "contact" not in peer.sandbox.portal.one("calls", one.id).properties


def test_a_record_that_is_gone_fails_its_row_alone(peer: Peer) -> None:
    ada = peer.person("Ada Lovelace")
    fields = peer.row("x", "text").fields
    rows = [Row(key=a_key(), fields={**fields, "contact": id}) for id in (ada, "999999999", "no id", ada)]
    receipts = peer.connector.write(peer.target, rows)
    assert [one.outcome for one in receipts] == ["created", "failed", "failed", "created"]
    assert isinstance(receipts[1].error, NotFound) and isinstance(receipts[2].error, Rejected)
    assert peer.texts(rows[1].key) == ["text"], "it is written, and associated when its person has mended the row"
    mended = Row(key=rows[1].key, fields={**rows[1].fields, "contact": ada})
    (receipt,) = peer.connector.write(peer.target, [mended])
    assert associated(peer, receipt.id, "contacts") == [ada] and peer.texts(rows[1].key) == ["text"]


def test_an_answer_lost_between_the_calls_loses_no_association(peer: Peer) -> None:
    ada = peer.person("Ada Lovelace")
    row = Row(key=a_key(), fields={**peer.row("x", "text").fields, "contact": ada})
    peer.sandbox.faults.set("down", path="/crm/v4/associations")
    with pytest.raises(ConnectorError):
        peer.connector.write(peer.target, [row])
    (receipt,) = peer.connector.write(peer.target, [msgspec.structs.replace(row, in_doubt=True)])
    assert associated(peer, receipt.id, "contacts") == [ada] and peer.texts(row.key) == ["text"]


def test_a_call_for_a_merged_contact_stands_at_the_one_that_is_left(peer: Peer) -> None:
    portal = peer.sandbox.portal
    ada, again = peer.person("Ada Lovelace", email=a_mail()), peer.person("A. Lovelace", email=a_mail())
    left = portal.merge("contacts", portal.one("contacts", ada), portal.one("contacts", again)).id
    row = Row(key=a_key(), fields={**peer.row("x", "text").fields, "contact": again})
    (receipt,) = peer.connector.write(peer.target, [row])
    assert receipt.outcome == "created" and associated(peer, receipt.id, "contacts") == [left]


# --- keys ----------------------------------------


def test_a_contact_that_nobody_keyed_is_adopted_and_another_s_is_not(peer: Peer) -> None:
    mail, key = a_mail(), a_key()
    there = peer.sandbox.portal.create("contacts", {"email": mail, "lastname": "Byron"}).id
    row = Row(key=key, fields={"email": mail, "firstname": "Ada"})
    (receipt,) = peer.connector.write(CONTACTS, [row])
    assert (receipt.outcome, receipt.id) == ("updated", there)
    assert peer.sandbox.portal.one("contacts", there).properties[KEY] == key
    assert peer.connector.write(CONTACTS, [row])[0].id == there
    other, beside = peer.connector.write(
        CONTACTS, [Row(key=a_key(), fields={"email": mail}), Row(key=a_key(), fields={})]
    )
    assert other.outcome == "failed" and isinstance(other.error, Rejected) and mail not in str(other.error)
    assert beside.outcome == "created" and peer.sandbox.portal.one("contacts", there).properties[KEY] == key


def test_records_are_changed_and_removed_by_id(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    by_id = Target(object="contacts", key="id")
    rows = [
        Row(key=id, fields={"city": "London"}),
        Row(key="999999999", fields={"city": "Paris"}),
        Row(key="x'", fields={}),
    ]
    receipts = peer.connector.write(by_id, rows)
    assert [one.outcome for one in receipts] == ["updated", "failed", "failed"]
    assert all(isinstance(one.error, NotFound) for one in receipts[1:])
    assert peer.sandbox.portal.one("contacts", id).properties["city"] == "London"
    gone = [Row(key=id, fields={}, action="remove")]
    assert [peer.connector.write(by_id, gone)[0].outcome for _ in range(2)] == ["removed", "unchanged"]
    assert peer.sandbox.portal.one("contacts", id) is None


@pytest.mark.parametrize("key", ["", " ", "x" * 501, "nul\0"])
def test_a_key_that_can_be_none_is_its_row_s_failure(peer: Peer, key: str) -> None:
    bad, good = peer.connector.write(peer.target, [peer.row(key, "bad"), peer.row(a_key(), "good")])
    assert (bad.outcome, good.outcome) == ("failed", "created") and isinstance(bad.error, Rejected)
    gone = Row(key=key, fields={}, action="remove")
    assert peer.connector.write(peer.target, [gone])[0].outcome == "unchanged"


def test_values_become_texts(peer: Peer) -> None:
    moment = dt.datetime(2026, 11, 23, 11, 2, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    fields = {"hs_timestamp": moment, "hs_call_duration": Decimal("184000"), "hs_call_title": HOSTILE["right to left"]}
    (call,) = peer.connector.write(peer.target, [Row(key=a_key(), fields=fields)])
    kept = peer.sandbox.portal.one("calls", call.id).properties
    assert kept["hs_timestamp"] == "2026-11-23T10:02:00.000Z" and kept["hs_call_duration"] == "184000"
    assert kept["hs_call_title"] == HOSTILE["right to left"]
    key = a_key()
    for value, stored in ((True, "true"), (False, "false"), (None, "")):
        peer.connector.write(CONTACTS, [Row(key=key, fields={"consent_to_call": value})])
        assert peer.sandbox.portal.one("contacts", key, KEY).properties.get("consent_to_call", "") == stored
    (strange,) = peer.connector.write(CONTACTS, [Row(key=key, fields={"city": {"no": "text"}})])
    assert isinstance(strange.error, Rejected) and "city" in strange.error.fields


# --- calls and quotas ----------------------------------------


def test_200_rows_take_two_upserts_and_one_association_for_each_kind(peer: Peer) -> None:
    ada = peer.person("Ada Lovelace")
    company = peer.sandbox.portal.create("companies", {"name": "Engines"}).id
    rows = [
        Row(key=a_key(), fields={**peer.row("x", "text").fields, "contact": ada, "company": company})
        for _ in range(200)
    ]
    before = calls(peer)
    assert all(one.outcome == "created" for one in peer.connector.write(peer.target, rows))
    assert calls(peer) - before == 4


def test_the_limits_in_the_headers_are_told(peer: Peer) -> None:
    told: list[Quota] = []
    kind: Any = connector_class("hubspot")
    settings = {one.name: one.default for one in kind.manifest.settings} | {
        "url": peer.served.url,
        **peer.sandbox.credentials(),
    }
    config = ConnectionConfig("crm", "hubspot", settings, timeout_seconds=60.0, private_network=True)
    connector = kind(settings, Tools(connection="crm", session=open_session(config), now=now, country="ES",
                                     public_url="https://hub.example", quota=told.append))  # fmt: skip
    connector.check()
    assert [(one.limit, one.window_seconds) for one in told] == [(650_000, 86_400), (190, 10)]
    assert all(0 <= one.used <= one.limit for one in told)
    del told[:]
    connector.find([Lookup("contacts", "phone", "+34612000000")])
    assert told == [], "a search does not say"
