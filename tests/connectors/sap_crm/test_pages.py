"""The members of a target group, by an operation of the customer's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.crm.sap_crm import pulling
from hub.errors import ConfigError, NotFound, NotPermitted, Rejected, Unavailable, Unsupported
from hub.model import Query
from tests.connectors.sap_crm.peer import Peer
from tests.contract.given import HOSTILE
from tests.contract.sandbox_peer import shared

AT_ONCE = ["operation=ZPB_TARGET_GROUP_MEMBERS", "group=IV_TARGET_GROUP", "partner=ET_MEMBERS.item.PARTNER",
           "messages=ET_RETURN.item"]  # fmt: skip


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as opened:
        yield opened


def pulled(connector: Any, query: Query, size: int = 1000) -> list[list[str]]:
    return [[row["id"] for row in page.rows] for page in connector.pages(msgspec.structs.replace(query, size=size))]


def test_a_page_is_a_call_for_the_numbers_and_one_for_each_portion_of_partners(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [peer.member(f"Member {n}") for n in range(7)]
    assert pulled(peer.connector, peer.query) == [ids]
    before = peer.sandbox.faults.call_count
    assert pulled(peer.connector, peer.query) == [ids]
    assert peer.sandbox.faults.call_count - before == 2
    monkeypatch.setattr(pulling, "PORTION", 2)
    before = peer.sandbox.faults.call_count
    assert pulled(peer.connector, peer.query, 3) == [ids[:3], ids[3:6], ids[6:]]
    assert peer.sandbox.faults.call_count - before == 3 + 2 + 2 + 1
    monkeypatch.setattr(pulling, "MOST", 4)
    assert [len(page) for page in pulled(peer.connector, peer.query)] == [4, 3]


def test_a_group_that_ends_with_a_page_ends(peer: Peer) -> None:
    ids = [peer.member(f"Member {n}") for n in range(4)]
    assert pulled(peer.connector, peer.query, 2) == [ids[:2], ids[2:], []]
    assert pulled(peer.opened(members=AT_ONCE), peer.query, 2) == [ids[:2], ids[2:]]


def test_an_operation_that_tells_all_at_once(peer: Peer) -> None:
    connector: Any = peer.opened(members=AT_ONCE)
    assert pulled(connector, peer.query) == [[]]
    ids = [peer.member(f"Member {n}") for n in range(5)]
    assert pulled(connector, peer.query, 2) == [ids[:2], ids[2:4], ids[4:]]
    first = next(iter(connector.pages(msgspec.structs.replace(peer.query, size=2))))
    rest = msgspec.structs.replace(peer.query, cursor=first.cursor, size=2)
    assert pulled(connector, rest, 2) == [ids[2:4], ids[4:]]


def test_a_row_is_what_a_look_up_gives_and_who_is_gone_is_left_out(peer: Peer) -> None:
    state = peer.sandbox.state
    ada = state.partner(
        FormattedName="Ada Lovelace", phones=["914 11 22 33"], mobiles=["612 34 56 78"], mails=["a@b.example"]
    )
    gone = state.partner(FormattedName="Gone", DeletedIndicator=True)
    state.groups[peer.group] |= {ada["InternalID"], gone["InternalID"], "0000000001"}
    ((row,),) = [page.rows for page in peer.connector.pages(peer.query)]
    assert (
        row["FormattedName"] == "Ada Lovelace" and row["MobileNumber"] == "612 34 56 78" and row["CountryCode"] == "ES"
    )
    assert row["TelephoneNumber"] == "914 11 22 33" and row["EmailAddress"] == "a@b.example"
    assert row["CONSENT"] == "1" and row["target_group"] == peer.group and row["id"] == ada["InternalID"].lstrip("0")


def test_what_the_return_table_says(peer: Peer) -> None:
    with pytest.raises(NotFound, match="Target group does not exist"):
        pulled(peer.connector, Query(object="BusinessPartner", where={"target_group": "NONE"}))
    peer.sandbox.faults.set("no_group_authority")
    with pytest.raises(NotPermitted):
        pulled(peer.connector, peer.query)
    silent: Any = peer.opened(members=[*AT_ONCE[:3]])
    assert pulled(silent, Query(object="BusinessPartner", where={"target_group": "NONE"})) == [[]]
    for value in HOSTILE.values():
        with pytest.raises((NotFound, Rejected)):
            pulled(peer.connector, Query(object="BusinessPartner", where={"target_group": value}))


def test_only_a_target_group_of_business_partners_is_pulled_and_only_where_there_is_an_operation(peer: Peer) -> None:
    for query in (Query(object="BusinessPartner"), Query(object="Activity", where=peer.query.where),
                  Query(object="BusinessPartner", where={**peer.query.where, "CountryCode": "ES"})):  # fmt: skip
        with pytest.raises(Unsupported, match="target_group"):
            pulled(peer.connector, query)
    with pytest.raises(Unsupported, match="members_wsdl"):
        pulled(peer.opened(members_wsdl=""), peer.query)
    with pytest.raises(Rejected, match="no operation"):
        pulled(peer.opened(members=["operation=NOPE", *AT_ONCE[1:]]), peer.query)
    with pytest.raises(Rejected, match="does not fit the WSDL"):
        pulled(peer.opened(members=[*AT_ONCE[:1], "group=IV_OTHER", *AT_ONCE[2:]]), peer.query)


@pytest.mark.parametrize(
    "wrong", [AT_ONCE[1:], [*AT_ONCE, "after=IV_AFTER"], [*AT_ONCE, "most=IV_MOST"], [*AT_ONCE, "x=y"]]
)
def test_a_wrong_setting_is_said_at_the_start(peer: Peer, wrong: list[str]) -> None:
    with pytest.raises(ConfigError, match="members"):
        peer.opened(members=wrong)


@pytest.mark.parametrize(
    "told",
    [
        ["0000000002", "0000000001"],
        ["0000000001", "0000000001"],
        ["0000000001", "0000000002", "0000000003"],
        ["0000000000"],
    ],
)
def test_numbers_that_do_not_ascend_are_refused_instead_of_asked_for_ever(
    peer: Peer, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling.Puller, "_asked", lambda *_: [(number, {}) for number in told])
    query = msgspec.structs.replace(peer.query, size=2, cursor="0000000000")
    with pytest.raises(Rejected, match="ascend"):
        list(peer.connector.pages(query))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fault", ["down", "reset", "reset_after", "truncated", "html", "business_fault", "dump", "xml_page"]
)
def test_a_pull_that_breaks_goes_on_at_its_cursor(peer: Peer, fault: str) -> None:
    ids = [peer.member(f"Member {n}") for n in range(4)]
    assert pulled(peer.connector, peer.query) == [ids]
    pages = peer.connector.pages(msgspec.structs.replace(peer.query, size=2))  # type: ignore[attr-defined]
    first = next(pages)
    peer.sandbox.faults.set(fault)
    with pytest.raises(Rejected if fault == "business_fault" else Unavailable) as raised:
        next(pages)
    assert type(raised.value) in (Rejected, Unavailable)  # a read: nothing is in doubt
    rest = pulled(peer.connector, msgspec.structs.replace(peer.query, cursor=first.cursor), 2)
    assert [row["id"] for row in first.rows] + [id for page in rest for id in page] == ids
